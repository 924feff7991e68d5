"""Who is in the picture: detect, align and embed faces, enroll a person, and judge likeness."""
