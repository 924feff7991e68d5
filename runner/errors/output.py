"""What can go wrong with results: missing, black, or not to be written."""

from __future__ import annotations

from .base import RunnerError


class OutputMissing(RunnerError):
    """A result that the server or a node announced is not there."""

    code = "output_missing"
    meaning = "A result was announced and cannot be had."
    hint = "See that nothing empties the server's output and temp folders while jobs run, and run it again."


class OutputBlank(RunnerError):
    """A picture is completely black."""

    code = "output_blank"
    meaning = "A result is completely black, which is what invalid numbers in a model become."
    hint = "Start ComfyUI with --fp32-vae or use another VAE; where black is right, give --allow-black."


class OutputUnwritable(RunnerError):
    """The output folder cannot be written to, or the disk is full."""

    code = "output_unwritable"
    meaning = "A result cannot be written: the folder is read-only or the disk is full."
    hint = "Free some space, or choose a folder with --output in which you may write."
