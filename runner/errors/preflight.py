"""What a machine or a server lacks before a workflow can run there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import RunnerError


class NodeClassMissing(RunnerError):
    """The server does not have a node class. `pack` is what is known of where it comes from."""

    code = "node_class_missing"
    meaning = "The ComfyUI server lacks a node class that the workflow uses; install the pack that has it."
    hint = "Restart ComfyUI after installing it, and look in its log for a failed import if the pack is there already."

    def __init__(self, message: str, class_type: str, titles: Sequence[str], pack: dict[str, str]) -> None:
        self.class_type, self.titles, self.pack = class_type, list(titles), pack
        super().__init__(message)

    def as_dict(self) -> dict[str, Any]:
        """The error with the class, the titles of the nodes, and the pack (`id`, `version`, `url`, `install`)."""
        return super().as_dict() | {"class_type": self.class_type, "titles": self.titles, "pack": self.pack}


class ModelFileMissing(RunnerError):
    """The server does not have a model file. `model` is what is known of it."""

    code = "model_file_missing"
    meaning = "The ComfyUI server lacks a model file that the workflow names; fetch it into the folder named."
    hint = (
        "Compare the name with the files on the server, subfolder included, and set the input to the one that is meant."
    )

    def __init__(self, message: str, inputs: Sequence[str], model: dict[str, str]) -> None:
        self.inputs, self.model = list(inputs), model
        super().__init__(message)

    def as_dict(self) -> dict[str, Any]:
        """The error with the inputs that name the file, and the model (`name`, `directory`, `url`, `hash`)."""
        return super().as_dict() | {"inputs": self.inputs, "model": self.model}


class ComfyCliMissing(RunnerError):
    """A canvas file needs comfy-cli to be converted, and it is not installed."""

    code = "comfy_cli_missing"
    meaning = "This canvas-format workflow needs comfy-cli to be converted, and comfy-cli is not installed."
    hint = "Run `pip install comfy-cli` in this Python, or use 'Export (API)' in ComfyUI, which needs no conversion."


class ComfyCliFailed(RunnerError):
    """comfy-cli could not convert a canvas file, or cannot reach the server."""

    code = "comfy_cli_failed"
    meaning = "comfy-cli could not convert the canvas-format workflow."
    hint = "Update comfy-cli and the server's node packs, or use 'Export (API)' in ComfyUI, which needs no conversion."
