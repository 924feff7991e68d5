"""The studio: cut the person out, light a backdrop, compose, and frame a headshot."""
