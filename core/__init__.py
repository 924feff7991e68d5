"""What Likeness Studio can do: plain Python on tensors, arrays and dataclasses. No ComfyUI, no runner."""

__version__ = "0.1.0"
