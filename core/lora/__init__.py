"""LoRA files: what they hold, whether they fit, loading, merging."""
