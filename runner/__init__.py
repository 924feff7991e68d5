"""The headless runner: execute a workflow here or on a ComfyUI server, and report what came out."""
