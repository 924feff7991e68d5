"""Many jobs of one workflow: what they are, what became of each, and where they run."""
