"""How good a photo of a face is: light, sharpness, colour, pose, eyes, mouth, as numbers with a definition."""
