"""The node pack: one folder for each capability, each with its engines and its thin ComfyUI nodes."""
