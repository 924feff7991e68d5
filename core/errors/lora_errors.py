"""What can go wrong with LoRA files."""

from __future__ import annotations

from . import ModelError


class LoraError(ModelError):
    """A LoRA cannot be read, applied or merged."""


class LoraFileDamaged(LoraError):
    """The file breaks the safetensors format, or parts of its layers are missing."""

    code = "lora_file_damaged"
    meaning = "A LoRA file is truncated, breaks the safetensors format, or lacks parts of its layers."
    hint = "Compare its size and sha256 with what the publisher states, and download it again."


class LoraWrongBase(LoraError):
    """The LoRA was made for another base model."""

    code = "lora_wrong_base"
    meaning = "A LoRA was made for another base model than the one it was to be put on or merged with."
    hint = "Choose a checkpoint of the LoRA's base model, or a version of the LoRA for yours; Inspect LoRA names it."


class LoraMatchesNothing(LoraError):
    """Not one layer of the LoRA exists in the model."""

    code = "lora_matches_nothing"
    meaning = "Not one layer of a LoRA exists in the connected model with the same shape, so it would do nothing."
    hint = "Look at the LoRA with Inspect LoRA: its base model and format must be ones that ComfyUI loads."


class LoraNotMergeable(LoraError):
    """A LoRA changes weights in a way that cannot be added up."""

    code = "lora_not_mergeable"
    meaning = "A LoRA is of a kind whose effect depends on the model's weights, or is named so that layers collide."
    hint = "Leave it out of the merge and apply it with Load LoRA Stack beside the merged file."


class LoraNotSaved(LoraError):
    """A merged LoRA cannot be written."""

    code = "lora_not_saved"
    meaning = "A merged LoRA cannot be written: the name cannot be used, or the folder or disk does not take it."
    hint = "Give a shorter, plain name, and look whether output/loras can be written and its disk has room."


class NoLoraChosen(LoraError):
    """A node that needs a LoRA was given none."""

    code = "no_lora_chosen"
    meaning = "No LoRA was chosen, or all rows are off or have strength 0."
    hint = "Put .safetensors files into models/loras, press R on the canvas to refresh the list, and choose one."
