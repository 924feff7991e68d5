"""A ComfyUI server that this machine runs for the user: started, watched, restarted and stopped."""
