"""The ComfyUI classes and nothing else: thin, one file for each group of the Add Node menu."""
