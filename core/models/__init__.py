"""The model store: which weights exist, where they come from, and that what is on disk is what was meant."""
