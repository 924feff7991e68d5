"""What can go wrong when a graph is read, set up, compared, validated and run, and with its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.errors import LikenessError


class Misuse(ValueError):
    """The arguments of a call do not go together. The command line tells it as wrong usage; it has no code."""


class RunnerError(LikenessError):
    """A workflow cannot be read, set up or run."""


class WorkflowInvalid(RunnerError):
    """Several problems were found before anything ran; `problems` lists them."""

    code = "workflow_invalid"
    meaning = "The workflow has several problems; each is listed with its own code."
    hint = "Mend them in the order given, and let `likeness doctor WORKFLOW` look again without running anything."

    def __init__(self, problems: Sequence[LikenessError]) -> None:
        self.problems = list(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"The workflow cannot run; {len(self.problems)} problems must be mended:{lines}")

    def as_dict(self) -> dict[str, Any]:
        """The error with all its problems."""
        return super().as_dict() | {"problems": [problem.as_dict() for problem in self.problems]}


def raise_all(problems: Sequence[LikenessError]) -> None:
    """Raise the one problem itself, or WorkflowInvalid for several; nothing for none."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise WorkflowInvalid(problems)


class WorkflowMissing(RunnerError):
    """There is neither a file nor a bundled workflow of that name."""

    code = "workflow_missing"
    meaning = "There is no workflow file and no bundled workflow of that name."
    hint = (
        "Give the path of a JSON file, seen from where the command is given, or a bundled name such as studio_headshot."
    )


class WorkflowUnreadable(RunnerError):
    """The file is not JSON, or is JSON but not a workflow."""

    code = "workflow_unreadable"
    meaning = "The file is not a ComfyUI workflow."
    hint = "Export it from ComfyUI again; a picture that carries a workflow must be opened there first."


class NotConvertible(RunnerError):
    """A canvas export has nodes whose widgets are not known here."""

    code = "not_convertible"
    meaning = "A canvas-format workflow cannot be turned into API format here; export it in API format."
    hint = "Name a ComfyUI server that has those nodes with --server, so that its own definitions can be used."


class NodeChanged(NotConvertible):
    """A canvas file was drawn with another version of a node class than the one that is known."""

    code = "node_changed"
    meaning = "A node of the canvas file has inputs or choices that its class does not have on this server."
    hint = "Update ComfyUI or the node pack, or open the workflow there, mend the node and save it again."


class ConversionUnclear(NotConvertible):
    """A canvas file leaves open what the canvas would send."""

    code = "conversion_unclear"
    meaning = "The canvas file does not say for certain what the canvas would send."
    hint = "Open the workflow in ComfyUI and use 'Export (API)', or save it again there, which writes more of it down."


class CanvasNeeded(NotConvertible):
    """A canvas file has a node that is given something by the browser."""

    code = "canvas_needed"
    meaning = "A node of the canvas file sends what only the browser makes, such as the picture of a 3D scene."
    hint = "Open the workflow in ComfyUI and use 'Export (API)', which keeps what the browser made."


class UnknownTitle(RunnerError):
    """No node has that title or id."""

    code = "unknown_title"
    meaning = "The workflow has no node with that title or id."
    hint = "Run `likeness inspect WORKFLOW` for the titles, and put quotes around one that has spaces."


class AmbiguousTitle(RunnerError):
    """Several nodes have that title."""

    code = "ambiguous_title"
    meaning = "Several nodes share that title; use the node's id."
    hint = "Give each of the nodes a title of its own in ComfyUI and export again if you would rather not write ids."


class UnknownInput(RunnerError):
    """The node has no such input, or it takes a link and no value."""

    code = "unknown_input"
    meaning = "The node has no settable input of that name."
    hint = (
        "Run `likeness inspect WORKFLOW` for what can be set; an input that another node feeds must be unlinked first."
    )


class PhotoNotPlaced(RunnerError):
    """A photo was given and no node is left that could take it."""

    code = "photo_not_placed"
    meaning = "A photo was given that no node of the workflow can take."
    hint = "Run `likeness inspect WORKFLOW` for the nodes that take photos, and name one with --input TITLE=PATH."


class FilesNotAllowed(RunnerError):
    """A workflow names files of this machine that the user neither gave nor allowed."""

    code = "files_not_allowed"
    meaning = "A workflow that came as a file would read files of yours that you did not name."
    hint = "Give each with --input TITLE=PATH, or allow what the workflow names with --allow-files if you trust it."


class WrongType(RunnerError):
    """A value cannot be read as the input's type, or a link carries another type."""

    code = "wrong_type"
    meaning = "A value or a link does not have the type that the input takes."
    hint = "Write the value as `likeness inspect WORKFLOW` says, or in ComfyUI link an output of the input's type."


class OutOfRange(RunnerError):
    """A number is below the input's minimum or above its maximum."""

    code = "out_of_range"
    meaning = "A number is outside of the limits of its input."
    hint = "Choose a number within the limits that `likeness inspect WORKFLOW` shows for the input."


class NotAnOption(RunnerError):
    """The value is not in the input's list."""

    code = "not_an_option"
    meaning = "A value is not in the list that the input offers."
    hint = (
        "Copy a value exactly as `likeness inspect WORKFLOW` lists it, with --server where a server's own list counts."
    )


class InputRequired(RunnerError):
    """A required input has neither a value nor a link."""

    code = "input_required"
    meaning = "A required input has neither a value nor a link."
    hint = "Set it with --set TITLE.INPUT=VALUE, give a photo with --input, or connect it in ComfyUI and export again."


class BadLink(RunnerError):
    """A link leads to a node or an output that does not exist."""

    code = "bad_link"
    meaning = "A link leads to a node or an output that is not there."
    hint = "Open the workflow in ComfyUI, connect the input anew and export again rather than mend the JSON by hand."


class InputRefused(RunnerError):
    """The node's own check refused its inputs."""

    code = "input_refused"
    meaning = "A node's own check refused the value of an input."
    hint = "Change that value with --set TITLE.INPUT=VALUE; which values are good is in the node's own documentation."


class GraphCycle(RunnerError):
    """The graph feeds itself."""

    code = "graph_cycle"
    meaning = "The nodes of the workflow are linked in a circle."
    hint = "Open the workflow in ComfyUI, take away the link that leads back to an earlier node, and export again."


class NothingToRun(RunnerError):
    """No node of the graph produces a result."""

    code = "nothing_to_run"
    meaning = "The workflow has no output node, so that nothing would be produced."
    hint = "Add Save Image or Preview Image behind the last step, and check that it is neither muted nor bypassed."


class NeedsServer(RunnerError):
    """The graph has nodes that only a ComfyUI server can run."""

    code = "needs_server"
    meaning = "The workflow has nodes that the local engine does not carry; give a server."
    hint = (
        "Run `likeness server start` and then the command again with --server @default, or give another server's URL."
    )


class NodeFailed(RunnerError):
    """A node raised an error while it ran. `as_dict` carries the code of the cause where it has one."""

    code = "node_failed"
    meaning = "A node of the workflow failed while it ran."
    hint = "Look at what reaches the node, with a Preview Image before it, and report the error if that is right."

    def __init__(self, title: str, node_id: str, cause: BaseException) -> None:
        self.title, self.node_id, self.cause = title, node_id, cause
        reason = str(cause) or type(cause).__name__
        if not isinstance(cause, LikenessError) and str(cause):
            reason = f"{type(cause).__name__}: {cause}"
        super().__init__(f"{title} (node {node_id}) failed: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to a process that may not have the library that raised the cause: of such a one its words cross."""
        make, arguments, state = super().__reduce__()
        return make, arguments, state | {"cause": _portable(self.cause)}

    def as_dict(self) -> dict[str, Any]:
        """The error with the node, and the cause's own code, meaning and hint."""
        known = self.cause.as_dict() if isinstance(self.cause, LikenessError) else super().as_dict()
        return known | {"message": str(self), "node": self.node_id, "title": self.title}


def _portable(cause: BaseException) -> BaseException:
    """`cause` if it is one of ours or of Python itself, which every process can read; else its words."""
    if isinstance(cause, LikenessError):
        return cause
    if type(cause).__module__ == "builtins" and all(isinstance(word, str | int | float) for word in cause.args):
        return cause
    return Exception(f"{type(cause).__name__}: {cause}")


class NothingToVary(RunnerError):
    """Another try was asked for and the workflow has no seed that can change the face."""

    code = "nothing_to_vary"
    meaning = "The workflow has no seed, or only the background's, so that every try gives the same face."
    hint = "Add a node with a seed, such as KSampler, or run the batch without --until-pass."


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


class OutputDamaged(RunnerError):
    """A file that is called a picture is none, or cannot be decoded."""

    code = "output_damaged"
    meaning = "A server gave something for a picture that is none, such as another program's page, or a damaged one."
    hint = "Open the file on the server, and check that ComfyUI and no other program is at that address."


class OutputUnwritable(RunnerError):
    """The output folder cannot be written to, or the disk is full."""

    code = "output_unwritable"
    meaning = "A result cannot be written: the folder is read-only or the disk is full."
    hint = "Free some space, or choose a folder with --output in which you may write."


class BadVary(RunnerError):
    """What shall be varied is not written as a setting with a list of values, or makes no sense together."""

    code = "bad_vary"
    meaning = "A --vary or --seeds is empty, names one value twice, or cannot be read."
    hint = 'Write --vary "Title.input=a,b,c" with different values; put a value with a comma in quotes.'


class TooManyRuns(RunnerError):
    """All combinations together are more runs than one comparison has."""

    code = "too_many_runs"
    meaning = "The values to vary and the seeds make more runs than one comparison may have."
    hint = "Vary less at a time: first the models with one seed, then the strengths of the best of them."
