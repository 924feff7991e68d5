"""Training engines, free of ComfyUI."""
