"""Studio headshots from photo files, one after the other: the bundled workflow, named, reported on, and looked over."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.choices import CROPS
from ...core.errors import FaceNotUsable, IdentityError, Interrupted, LikenessError, PhotoError
from ...core.files import write_new
from ...core.imaging.encode import FORM_OF_SUFFIX, Form
from ...core.interrupt import Stopped, stoppable
from ..backends.base import Event
from ..batch.deliver import NamePattern, write_zip
from ..batch.verdict_tables import one_line
from ..errors import Misuse, NodeFailed, OutputUnwritable, ServerExecutionError
from ..workflow.graph import plain_title
from ..workflow.headshot_graph import (
    BEHIND,
    REFERENCES,
    Behind,
    HeadshotChoices,
    crop_named,
    headshot_files,
    headshot_workflow,
    retouches_named,
)
from ..workflow.input_files import photos_in, safe_name
from .workflows import Finished, run_once

if TYPE_CHECKING:
    from ..backends.base import Backend
    from ..backends.result import RunResult
    from ..report.schemas import RunReport
    from ..workflow.graph import Workflow

DEFAULT_FOLDER = Path("output") / "headshot"
REPORTS, ARCHIVE, ENDING = "reports", "headshots.zip", "headshot"
FORMATS = ("jpg", "png", "webp")
REPORT_ENDINGS = (".report.html", ".report.json")


@dataclass(frozen=True, eq=False)
class Headshot:
    """A finished headshot: its file, and its report as type, page and JSON. `seconds`: from photo to report."""

    source: Path
    path: Path
    report: RunReport
    html: Path
    json: Path
    seconds: float

    @property
    def confirmed(self) -> bool:
        """Whether the check says that it is still the same person."""
        return self.report.verdict is True

    @property
    def look(self) -> list[str]:
        """What a person should look at in the picture."""
        return [each.text for each in self.report.look]

    @property
    def to_look_at(self) -> bool:
        """Whether a person should look at it before it is handed on: all that is not known to be a good picture."""
        return self.report.to_look_at

    @property
    def score(self) -> float | None:
        """The similarity, -1 to 1."""
        return next((check.best for check in self.report.likeness), None)

    @property
    def threshold(self) -> float | None:
        """From which similarity on it is the same person."""
        return next((check.threshold for check in self.report.likeness), None)

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        files = {"photo": str(self.source), "file": str(self.path)}
        report = {"report": {"html": str(self.html), "json": str(self.json)}}
        return files | self.report.as_dict() | report | {"seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class RefusedHeadshot:
    """A photo of which no headshot was made, and why; `reason` speaks of the photo."""

    source: Path
    error: LikenessError

    @property
    def reason(self) -> str:
        """Why, without the file's name."""
        return str(self.error).removeprefix(f"{self.source.name}: ")

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {"photo": str(self.source)} | self.error.as_dict()


@dataclass(frozen=True)
class Headshots:
    """What came of all photos. `sheet` and `csv` show them together, where there were several; `archive` is the ZIP."""

    made: tuple[Headshot, ...]
    refused: tuple[RefusedHeadshot, ...]
    sheet: Path | None = None
    csv: Path | None = None
    archive: Path | None = None

    @property
    def not_confirmed(self) -> int:
        """How many of those that were made are not confirmed to be the person."""
        return sum(not each.confirmed for each in self.made)

    @property
    def to_look_at(self) -> int:
        """How many of them a person should look at before they are handed on."""
        return sum(each.to_look_at for each in self.made)

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        files = {name: None if (path := getattr(self, name)) is None else str(path) for name in ("sheet", "csv")}
        return {
            "headshots": [each.as_dict() for each in self.made],
            "refused": [each.as_dict() for each in self.refused],
            "not_confirmed": self.not_confirmed,
            "to_look_at": self.to_look_at,
            **files,
            "zip": None if self.archive is None else str(self.archive),
        }


OnHeadshot = Callable[[Event | Headshot | RefusedHeadshot], None]
"""Is told of each photo: that it is begun, how far it is, and then the headshot, or that there is none."""


def make_headshots(
    photos: Iterable[str | Path],
    output: str | Path = DEFAULT_FOLDER,
    *,
    background: str = "studio grey",
    crop: str = CROPS[0],
    width: int = 800,
    format: str | None = None,  # noqa: A002 - the option's name
    quality: int = 95,
    name: str | None = None,
    flat: bool = False,
    archive: bool = False,
    person: Iterable[str | Path] = (),
    retouch: str = "",
    server: str | None = None,
    headers: Mapping[str, str] | None = None,
    on_event: OnHeadshot = lambda event: None,
    stopped: Stopped | None = None,
) -> Headshots:
    """Make a studio headshot of each of `photos` (files or folders), as NAME.headshot.jpg with its report.

    It is the workflow studio_headshot. `output`: a folder, or the file of a single headshot; files are never written
    over, and readable by their owner only. `background`: transparent, a picture, a colour, or a backdrop's style.
    `crop`: a name of `core.choices.CROPS`, or its first word. `format`: jpg, png or webp. `name`: what the pictures are
    called, such as ``{name}.jpg``. `flat`: reports lie in a folder of their own. `archive`: also a ZIP of the pictures.
    `person`: more photos of the person, or a saved identity, to compare with. `retouch`: what to take away where it is
    measured, such as ``exposure,white-balance,red-eye,shine``. The error of a single photo is raised;
    among several it is in `refused` and the others go on. Raises Misuse, PhotoMissing, OutputUnwritable, Interrupted,
    what reaching a server raises, and what a photo raises.
    """
    from ..backends.execute import BackendOptions, check_writable, connect

    files = [file for path in photos for file in photos_in(Path(path).expanduser())]
    folder, pattern = _target(Path(output), name, len(files))
    behind = Behind.read(background)
    choices = HeadshotChoices(
        behind,
        crop_named(crop),
        width,
        _form(format, pattern, behind),
        quality,
        tuple(Path(each).expanduser() for each in person),
        retouches_named(retouch),
    )
    workflow = headshot_workflow(choices)
    check_writable(folder)
    maker = _Maker(workflow, choices, folder, pattern, flat, len(files))
    made: list[Headshot] = []
    refused: list[RefusedHeadshot] = []

    def make_all(stopped: Stopped) -> None:
        with closing(connect(server, BackendOptions(headers=headers))) as backend:
            for index, file in enumerate(files):
                if stopped():
                    raise Interrupted(f"The command was stopped after {index} of {len(files)} photos.")
                try:
                    made.append(maker.make(index, file, backend, on_event, stopped))
                except Interrupted:
                    raise
                except LikenessError as error:
                    told = about_photo(error, file)
                    if len(files) == 1 or _ends_all(told):
                        raise told from error
                    refused.append(RefusedHeadshot(file, told))
                    on_event(refused[-1])
                else:
                    on_event(made[-1])

    try:
        stoppable(make_all, stopped)
    except Interrupted as error:
        if not made or len(files) == 1:
            raise
        sheet, _ = _overview(made, refused, folder)
        raise Interrupted(f"{error} {sheet} shows what was made.") from error
    packed = _packed(made, folder) if archive else None
    sheet, table = _overview(made, refused, folder) if len(files) > 1 else (None, None)
    return Headshots(tuple(made), tuple(refused), sheet, table, packed)


def make_headshot(photo: str | Path, output: str | Path = DEFAULT_FOLDER, **options: Any) -> Headshot:
    """Make the headshot of one photo; `options` are those of `make_headshots`. Raises what that raises."""
    if Path(photo).expanduser().is_dir():
        raise Misuse(f"{photo} is a folder; make_headshots makes those of many photos.")
    (made,) = make_headshots([photo], output, **options).made
    return made


def _target(output: Path, name: str | None, count: int) -> tuple[Path, NamePattern]:
    """The folder and the names: `output` may be the file of a single headshot. Raises Misuse."""
    if output.suffix.lower() in FORM_OF_SUFFIX and not output.is_dir():
        if name is not None:
            raise Misuse(f"--out {output} is a file and --name names another one; give a folder, or leave out --name.")
        if count > 1:
            raise Misuse(f"--out {output} is one file for {count} headshots; give a folder.")
        braced = output.name.replace("{", "{{").replace("}", "}}")
        return output.parent, NamePattern(braced)
    return output, NamePattern(f"{{name}}.{ENDING}" if name is None else name)


def _form(asked: str | None, pattern: NamePattern, behind: Behind) -> Form:
    """The format that option, name and background agree on. Raises Misuse."""
    by_name = FORM_OF_SUFFIX.get(pattern.suffix)
    by_option = None if asked is None else FORM_OF_SUFFIX.get(f".{asked.lower().lstrip('.')}")
    if asked is not None and by_option is None:
        raise Misuse(f"--format {asked!r} is not written; choose {', '.join(FORMATS)}.")
    if by_name and by_option and by_name != by_option:
        raise Misuse(f"--format {asked} does not go with the name {pattern.text!r}; leave one of both out.")
    form = by_option or by_name or ("png" if behind.transparent else "jpeg")
    if behind.transparent and form == "jpeg":
        raise Misuse("A JPEG cannot be transparent; choose --format png.")
    return form


SHARED = frozenset({plain_title(BEHIND), plain_title(REFERENCES)})
"""Titles of the nodes whose files are the same for each photo."""

SUFFIX_OF: dict[Form, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}


@dataclass
class _Maker:
    """Makes one headshot after the other; networks stay loaded in between."""

    workflow: Workflow
    choices: HeadshotChoices
    folder: Path
    pattern: NamePattern
    flat: bool
    total: int
    placed: list[Path] = field(default_factory=list)

    def make(self, index: int, photo: Path, backend: Backend, on_event: OnHeadshot, stopped: Stopped) -> Headshot:
        """Run the workflow on one photo, and give picture and report their places. Raises what `run_once` raises."""
        began = Event("node", node=str(index), title=photo.name, index=index, total=self.total)
        on_event(began)
        tell = on_event if self.total == 1 else partial(_as_step, began, on_event)
        with tempfile.TemporaryDirectory(prefix="likeness-", ignore_cleanup_errors=True) as work:
            arrange = partial(self._place, index, photo)
            given = headshot_files(photo, self.choices)
            finished = run_once(self.workflow, backend, Path(work), given, tell, stopped, arrange=arrange)
        return self._told(photo, finished)

    def _told(self, photo: Path, finished: Finished) -> Headshot:
        path = finished.result.outputs[0].path
        return Headshot(photo, path, finished.report, finished.html, finished.json, finished.result.seconds)

    def _place(self, index: int, photo: Path, result: RunResult) -> tuple[Path, str]:
        """Move the picture to its name; where its report belongs, and what that is called. Raises OutputUnwritable."""
        suffix = SUFFIX_OF[self.choices.form]
        wanted = self.folder / self.pattern.fill(photo.stem, index + 1, self.total, suffix)
        reports = self.folder / REPORTS if self.flat else self.folder
        placed = []
        try:
            for output in result.outputs:
                path = write_new(wanted, output.path.read_bytes(), *REPORT_ENDINGS, private=True)
                output.path.unlink()
                placed.append(dataclasses.replace(output, path=path.absolute()))
        except OSError as error:
            raise OutputUnwritable(
                f"{wanted.name} cannot be written to {self.folder} ({error.strerror or error}); choose another --out."
            ) from error
        result.outputs = placed
        return reports, f"{placed[0].path.stem}{REPORT_ENDINGS[0]}"


def _as_step(photo: Event, on_event: OnHeadshot, event: Event) -> None:
    """A node of one of several photos: the bar counts photos, and nodes are the steps of one."""
    if event.kind in {"node", "cached"} and event.total:
        on_event(dataclasses.replace(photo, kind="progress", done=event.index, steps=event.total))
    elif event.kind in {"server_away", "resubmitted", "note"}:
        on_event(event)


def _ends_all(error: LikenessError) -> bool:
    """Whether the next photo would fare no better: a full disk, a server that is away, bad photos of the person."""
    from ..batch.judge import blame

    return _is_shared(error) or blame(error) in {"disk", "server", "unsuited"}


def _is_shared(error: LikenessError) -> bool:
    """Whether the error is about a file that all headshots of a call share."""
    return isinstance(error, NodeFailed | ServerExecutionError) and plain_title(error.title) in SHARED


def about_photo(error: LikenessError, photo: Path) -> LikenessError:
    """An error of the workflow as one of the photo, which it names; others as they are.

    What a step of the workflow calls a reference photo is here the photo that the headshot is made of.
    """
    kind = type(error.cause) if isinstance(error, NodeFailed) else None
    if isinstance(error, ServerExecutionError):
        kind = error.cause
    if kind is None or not issubclass(kind, PhotoError | IdentityError) or _is_shared(error):
        return error
    reason = one_line(str(error), refused=True)
    for own in (photo.name, safe_name(photo.name)):
        reason = re.sub(rf"^{re.escape(own)}:? ", "", reason)
    kind = FaceNotUsable if issubclass(kind, IdentityError) else kind
    return kind(f"{photo.name}: {reason}")


def _packed(made: Sequence[Headshot], folder: Path) -> Path | None:
    if not made:
        return None
    try:
        return write_zip([each.path for each in made], folder / ARCHIVE)
    except OSError as error:
        raise OutputUnwritable(f"The ZIP cannot be written to {folder} ({error.strerror or error}).") from error


def _overview(made: Sequence[Headshot], refused: Sequence[RefusedHeadshot], folder: Path) -> tuple[Path, Path]:
    """The page and the table of all photos."""
    from ..batch.photo_rows import refused_row, row_of, write_overview

    rows = [
        row_of(each.source, each.path, folder, each.report.as_dict(), each.confirmed, each.html, each.seconds)
        for each in made
    ]
    rows += [refused_row(each.source, each.error, each.source.stem, each.reason) for each in refused]
    return write_overview(rows, folder, "Headshots")
