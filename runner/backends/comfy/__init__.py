"""One ComfyUI server as a place where workflows run: requests, progress, uploads, results."""
