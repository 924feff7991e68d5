"""What a history entry means, and its files brought here: each whole, under its own name, and looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ....core.errors import first_of
from ....core.files import claim_free_path, make_private_folder
from ....core.imaging.files import MAX_PIXELS, picture_formats
from ....core.node_facts import facts_of
from ...errors import (
    InterruptedOnServer,
    OutputBlank,
    OutputDamaged,
    OutputUnwritable,
    RunnerError,
    ServerBroken,
    ServerExecutionError,
    ServerOutOfMemory,
    ServerRefused,
    ServerUnreachable,
    WorkflowRejected,
)
from ...workflow.graph import Node, Workflow
from ..backoff import OutageWait
from ..base import Folders
from ..result import RunResult, SavedFile
from ..saved_files import File, announced_files, is_fetched, local_path, refuse_hidden
from .server import ComfyServer
from .uploads import without_filename_tag

if TYPE_CHECKING:
    from PIL import Image

Shown = dict[str, dict[str, list[Any]]]
"""What each node showed, by node id."""

OUT_OF_MEMORY = re.compile(r"OutOfMemoryError|out of memory|Allocation on device|not enough memory", re.IGNORECASE)

POISONED = re.compile(
    r"illegal memory access|device-side assert|cudaErrorIllegalAddress|CUDNN_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR)"
    r"|CUBLAS_STATUS_(?:EXECUTION_FAILED|NOT_INITIALIZED)|unspecified launch failure|misaligned address",
    re.IGNORECASE,
)
"""Errors after which a CUDA context answers every call with an error: only a new process helps."""


def results(entry: dict[str, Any], workflow: Workflow, url: str) -> Shown:
    """What the nodes of a finished prompt showed.

    Raises InterruptedOnServer, ServerOutOfMemory, ServerBroken or ServerExecutionError; ServerRefused when the entry
    cannot be understood.
    """
    status = entry.get("status") or {}
    if not isinstance(status, dict):
        raise ServerRefused(f"{url} has a history entry without a status; is it a ComfyUI server?")
    messages = _messages(status)
    if "execution_interrupted" in messages:
        raise InterruptedOnServer(f"The run was stopped on {url} before it finished.")
    failed = messages.get("execution_error")
    if failed is not None:
        raise _failure(failed, workflow, url)
    if status.get("status_str", "success") != "success":
        raise ServerExecutionError("the workflow", "unknown", "error", str(status)[:300])
    outputs = entry.get("outputs")
    if not isinstance(outputs, dict):
        raise ServerRefused(f"{url} has a history entry without outputs; is it a ComfyUI server?")
    return {str(node): shown for node, shown in outputs.items() if isinstance(shown, dict)}


def reporting_nodes(workflow: Workflow) -> frozenset[str]:
    """The nodes of this pack in the middle of the graph from whose reports the run's report is made."""
    return frozenset(node.id for node in workflow if (facts := facts_of(node.class_type)) and facts.shows)


def unreported(entry: dict[str, Any], workflow: Workflow, shown: Shown) -> list[str]:
    """Titles of those of `reporting_nodes` that came from the server's cache without what they had shown."""
    status = entry.get("status")
    cached = _messages(status if isinstance(status, dict) else {}).get("execution_cached", {}).get("nodes")
    ids = {str(node) for node in cached} if isinstance(cached, list) else set()
    return [workflow.nodes[node].title for node in sorted(reporting_nodes(workflow) & ids - set(shown))]


def server_seconds(entry: dict[str, Any]) -> float | None:
    """The server's own time from the prompt's start to its end, in seconds; None where it does not say."""
    status = entry.get("status")
    messages = _messages(status) if isinstance(status, dict) else {}
    stamps = [messages.get(kind, {}).get("timestamp") for kind in ("execution_start", "execution_success")]
    match stamps:
        case [int() | float() as start, int() | float() as end]:
            return (end - start) / 1000
    return None


def _messages(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The status messages by kind; what is not of the form ``[kind, values]`` is passed over."""
    found: dict[str, dict[str, Any]] = {}
    messages = status.get("messages")
    for message in messages if isinstance(messages, list) else []:
        match message:
            case [str() as kind, dict() as values]:
                found[kind] = values
    return found


MOST_WORDS, MOST_LINES = 10_000, 50
"""Letters of one thing that a server says, and things that are wrong with a workflow: of more, the first."""

MOST_IN_DETAIL, MOST_LAYERS = 500, 8
"""Letters of each word, and layers, of what a server says of single inputs."""


def _cut(value: Any, most: int) -> str:
    """The words of a server, as far as anybody reads them; it decides how long they are."""
    text = str(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} letters)"


def _cut_all(value: Any, layers: int = MOST_LAYERS) -> Any:
    """A JSON value of a server's with short words, few entries and few layers."""
    if isinstance(value, str):
        return _cut(value, MOST_IN_DETAIL)
    if isinstance(value, int | float | None):
        return value if not isinstance(value, int) or abs(value) < 1 << 64 else _cut(hex(value), MOST_IN_DETAIL)
    if layers == 0:
        return "…"
    if isinstance(value, dict):
        few = islice(value.items(), MOST_LINES)
        return {_cut(key, MOST_IN_DETAIL): _cut_all(each, layers - 1) for key, each in few}
    return [_cut_all(each, layers - 1) for each in value[:MOST_LINES]]


def _failure(failed: dict[str, Any], workflow: Workflow, url: str) -> RunnerError:
    node_id = _cut(failed.get("node_id"), MOST_IN_DETAIL)
    node = workflow.nodes.get(node_id)
    title = node.title if node else f"node {node_id}"
    kind = _cut(failed.get("exception_type"), MOST_IN_DETAIL).rpartition(".")[2]
    reason = _cut(failed.get("exception_message"), MOST_WORDS).strip()
    if POISONED.search(reason):
        return ServerBroken(
            f"The GPU of {url} is in a state that only a restart of ComfyUI ends ({title} failed with: "
            f"{reason.splitlines()[0][:200]}); restart it."
        )
    if OUT_OF_MEMORY.search(f"{kind} {reason}"):
        return ServerOutOfMemory(
            f"{title} (node {node_id}) ran out of memory on {url}; use a smaller picture, a smaller batch or a "
            "smaller model."
        )
    return ServerExecutionError(title, node_id, kind, reason)


def rejection(workflow: Workflow, answer: dict[str, Any], server: ComfyServer) -> WorkflowRejected:
    """The error for a workflow that the server did not take, with everything that is wrong with it."""
    reports = answer.get("node_errors")
    node_errors = _cut_all(reports) if isinstance(reports, dict) else {}
    lines = [
        f"{_titled(workflow, str(node_id))}: {_no_photo(workflow.nodes.get(str(node_id)), problem) or _words(problem)}"
        for node_id, report in node_errors.items()
        for problem in _problems(report)
    ]
    if not lines:
        known = server.object_info()
        lines = [
            f"{node.title}: the server has no node {node.class_type}"
            for node in workflow
            if node.class_type not in known
        ]
    error = answer.get("error")
    if not lines:
        words = error if isinstance(error, dict) else {"message": str(error)}
        lines = [" ".join(_cut(words[key], MOST_IN_DETAIL) for key in ("message", "details") if words.get(key))]
    if isinstance(reports, dict) and len(reports) > len(node_errors):
        lines.append(f"and {len(reports) - len(node_errors):,} nodes more")
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"and {len(lines) - MOST_LINES:,} more"]
    return WorkflowRejected(f"{server.url} did not accept {workflow.name}: {'; '.join(lines)}.", node_errors)


def _words(problem: dict[str, Any]) -> str:
    return f"{problem.get('message')} ({problem.get('details')})"


def _no_photo(node: Node | None, problem: dict[str, Any]) -> str | None:
    """What to say of a photo that the server has not: its own words are about a validation that failed."""
    if (
        node is None
        or node.file_kind not in {"photo", "audio", "video"}
        or problem.get("type") != "custom_validation_failed"
    ):
        return None
    name = node.inputs.get(str(node.file_input))
    kind = node.file_kind
    return f'no {kind} was given, and the server has no {name!r}; give one with --input "{node.title}=PATH"'


def _problems(report: Any) -> list[dict[str, Any]]:
    """What is wrong with one node; nothing where the server's report cannot be understood."""
    problems = report.get("errors") if isinstance(report, dict) else None
    return [problem for problem in problems if isinstance(problem, dict)] if isinstance(problems, list) else []


def _titled(workflow: Workflow, node_id: str) -> str:
    node = workflow.nodes.get(node_id)
    return f"{node.title} (node {node_id})" if node else f"node {node_id}"


PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})

MOST_FILES = 10_000
"""So many files of one run are fetched; no batch of pictures in memory has as many."""

MOST_NAMED = 8


class Fetch:
    """Fetches the files of one result from `server`. `previews` also brings those that are only shown.

    Pictures of a node with a likeness verdict or an enrollment are always fetched: the report shows them. Raises
    OutputMissing, OutputUnwritable, OutputDamaged, OutputBlank (unless `allow_black`), UnsafePath, ServerRefused and
    ServerUnreachable.
    """

    def __init__(
        self,
        server: ComfyServer,
        folders: Folders,
        *,
        previews: bool,
        allow_black: bool,
        patience: Callable[[], OutageWait],
    ) -> None:
        self.server, self.folders, self.patience = server, folders, patience
        self.previews, self.allow_black = previews, allow_black

    def into(self, result: RunResult, prompt_id: str) -> None:
        """Fetch what the nodes of `result` announced, and add it to `result`; all of it or nothing."""
        judged = {node for key in ("likeness", "enrollment") for node, _ in result.shown(key)}
        fetched: list[tuple[list[SavedFile], SavedFile]] = []
        try:
            for node, file in self._wanted(result, judged):
                temporary = file.get("type") == "temp"
                folder, found = (
                    (self.folders.temp, result.previews) if temporary else (self.folders.output, result.outputs)
                )
                path = self._one(file, folder, prompt_id, judge=not temporary)
                fetched.append((found, SavedFile(path, node, result.titles.get(node, node))))
        except BaseException:
            for _, saved in fetched:
                saved.path.unlink(missing_ok=True)
            raise
        for found, saved in fetched:
            found.append(saved)

    def _wanted(self, result: RunResult, judged: set[str]) -> Iterator[tuple[str, File]]:
        """The announced files that are brought here, with their nodes; notes say of the others that they are not."""
        left: list[str] = []
        count = 0
        for node, file in announced_files(result):
            if file.get("type") == "temp" and not (self.previews or node in judged):
                continue
            refuse_hidden(file)
            count += 1
            if count > MOST_FILES:
                raise ServerRefused(f"{self.server.url} announced more than {MOST_FILES:,} files for one run.")
            if is_fetched(file):
                yield node, file
            else:
                left.append(PurePosixPath(file["filename"]).name)
        if left:
            named = first_of(left, MOST_NAMED)
            result.notes.append(f"Left on the server, as files of these kinds are not brought here: {named}.")

    def _one(self, file: File, folder: Path, prompt_id: str, *, judge: bool) -> Path:
        target = local_path(folder, without_filename_tag(file, prompt_id))
        partial = target.with_name(f".{prompt_id}.part")
        try:
            make_private_folder(target.parent)
            self._download(file, partial)
            if target.suffix.lower() in PICTURES:
                check_picture(partial, target.name, judge=judge, allow_black=self.allow_black)
            return claim_free_path(partial, target)
        except OSError as error:
            raise OutputUnwritable(f"{target} cannot be written ({error.strerror or error}).") from error
        finally:
            partial.unlink(missing_ok=True)

    def _download(self, file: File, partial: Path) -> None:
        patience = self.patience()
        while True:
            try:
                return self.server.download(file, partial)
            except ServerUnreachable:
                if not patience.pause():
                    raise


def check_picture(path: Path, name: str, *, judge: bool, allow_black: bool = False) -> None:
    """Raise OutputDamaged for a file that is called a picture and is none.

    With `judge` it is decoded, unless it is very large, and OutputBlank is raised when every pixel is black: that is
    what a model makes of numbers that are none.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=picture_formats()) as picture:
            if not judge or picture.width * picture.height > MAX_PIXELS:
                return
            brightest = [high for _, high in _extrema(picture)]
    except Image.DecompressionBombError:
        return
    except (OSError, ValueError, SyntaxError, ArithmeticError) as error:
        raise OutputDamaged(
            f"{PurePosixPath(name).name} came from the server as a picture and cannot be read as one "
            f"({'it is of no known format' if isinstance(error, UnidentifiedImageError) else error}); run it again."
        ) from error
    if not any(brightest) and not allow_black:
        raise OutputBlank(
            f"{PurePosixPath(name).name} is completely black, which is what invalid numbers (NaN) become; use another "
            "model precision (such as --fp32-vae on the server), or allow black pictures."
        )


def _extrema(picture: Image.Image) -> list[tuple[float, float]]:
    """The lowest and highest value of each colour channel."""
    if "A" in picture.getbands() or picture.mode == "P":
        picture = picture.convert("RGB")
    return [channel.getextrema() for channel in picture.split()]  # type: ignore[misc]
