"""`likeness check`: photos judged by the rules of a document, or as reference photos."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.errors import LikenessError
from ...core.outcomes import RULES
from .output import FAILED, VERDICT_FAILED, Output, clean, current_output, json_option

if TYPE_CHECKING:
    from PIL import Image

    from ...core.faces.engines import FaceEngine
    from ...core.id_photo.document import Document
    from ...core.id_photo.judge import Compliance
    from ...core.interrupt import Stopped
    from ...core.quality.usable_photo import Usability

MATTES = ("u2net", "u2netp", "none")
OVERLAYS = "overlays"
"""Folder of the pictures with the measured lines, inside the one of ``--out``."""


@dataclass(frozen=True)
class _How:
    """What the user chose."""

    document: Document | None
    uncut: bool
    parsing: bool
    matte: str | None


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option("--document", "-d", help="The document whose rules count; see `likeness documents`.")
@click.option("--uncut", is_flag=True, help="The photos are still to be cut: size and position are not judged.")
@click.option("--parsing", is_flag=True, help="Use the optional face parser, which sees glasses and hats more surely.")
@click.option(
    "--matte",
    type=click.Choice(MATTES),
    default=MATTES[0],
    show_default=True,
    help="The network that tells person and background apart.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 also where a rule is uncertain.")
@click.option(
    "--out", "-o", type=click.Path(path_type=Path, file_okay=False), help="Folder for the report: HTML, JSON, overlays."
)
@json_option
def check(
    photos: tuple[Path, ...],
    document: str | None,
    uncut: bool,
    parsing: bool,
    matte: str,
    strict: bool,
    out: Path | None,
) -> None:
    """Judge PHOTOS, files or folders, by the rules of a document; without one, as reference photos.

    Each rule passes, fails, or is uncertain where nobody can be sure; the report says what to do.

    Exit codes: 0 done, 1 a photo cannot be read, 2 usage, 3 a photo fails, 130 stopped.
    """
    from ...core.errors import Interrupted
    from ...core.id_photo.documents import document as by_id
    from ...core.interrupt import stoppable
    from ..workflow.input_files import photos_in

    rules = by_id(document) if document else None
    how = _How(rules, uncut, parsing, None if matte == "none" or rules is None else matte)
    if out is not None:
        from ..backends.execute import check_writable

        check_writable(out)
    files = [file for path in photos for file in photos_in(path)]
    session = _Session(current_output(), how, files, out)
    try:
        stoppable(session.run)
    except Interrupted as error:
        if written := session.write():
            raise Interrupted(f"{error} The report on those is {written['html']}.") from error
        raise
    session.finish(session.write(), strict=strict)


class _Session:
    """One call of the command: the photos one after the other, what is said of each, and the end."""

    def __init__(self, show: Output, how: _How, files: list[Path], out: Path | None) -> None:
        self.show, self.how, self.files, self.out = show, how, files, out
        self.names = names_of(files)
        self.reports: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.checked: list[tuple[dict[str, Any], Path, Path]] = []
        self.engine: FaceEngine | None = None

    def run(self, stopped: Stopped) -> None:
        """Judge them all. One photo's error ends the command; among several it is said and the others go on."""
        from ...core.errors import Interrupted
        from ...core.faces.engines import load_engine

        self.engine = load_engine()
        for index, (file, name) in enumerate(zip(self.files, self.names, strict=True)):
            if stopped():
                raise Interrupted(f"The command was stopped after {index} of {len(self.files)} photos.")
            try:
                found, overlay = _judge(file, self.engine, self.how)
            except LikenessError as error:
                if len(self.files) == 1:
                    raise
                self.errors.append({"photo": str(file)} | error.as_dict())
                if not self.show.as_json:
                    click.echo(f"{clean(name)}: cannot be checked. {error}\n", err=True)
                continue
            self._add(file, name, found, overlay)

    def _add(self, file: Path, name: str, found: Compliance | Usability, overlay: Image.Image) -> None:
        report = found.as_dict() | {"name": name}
        self.reports.append(report)
        if not self.show.as_json:
            _show(self.show, name if len(self.files) > 1 else "", found, report)
        if self.out is not None:
            saved = _save(overlay, self.out / OVERLAYS, f"{len(self.checked) + 1:03}-{file.stem}")
            self.checked.append((report, file, saved))

    def write(self) -> dict[str, str]:
        """The report of what was judged so far: also where the command was stopped."""
        if self.out is None or self.engine is None or not self.checked:
            return {}
        return _write(list(self.checked), self.engine, self.how, self.out)

    def finish(self, written: dict[str, str], *, strict: bool) -> None:
        """The last word, and the exit code."""
        verdict = _worst([str(report["verdict"]) for report in self.reports])
        values = {"verdict": verdict, "photos": self.reports, "errors": self.errors, "report": written}
        self.show.result(values, lambda: self.show.say(f"Report  {written['html']}") if written else None)
        if self.errors:
            sys.exit(FAILED)
        if verdict == "fail" or (strict and verdict == "uncertain"):
            sys.exit(VERDICT_FAILED)


def names_of(files: list[Path]) -> list[str]:
    """What each photo is called: its file's name, with its folder where another one has the same."""
    names = [file.name for file in files]
    return [
        f"{file.absolute().parent.name}/{name}" if names.count(name) > 1 else name
        for file, name in zip(files, names, strict=True)
    ]


def _judge(file: Path, engine: FaceEngine, how: _How) -> tuple[Compliance | Usability, Image.Image]:
    from ...core.id_photo.judge import About, check_id_photo
    from ...core.id_photo.measures import read_facts
    from ...core.id_photo.overlay import marked, matte_of, overlay_of
    from ...core.imaging.files import load_photo
    from ...core.quality.usable_photo import usable
    from ..id_photos import read_history

    photo = load_photo(file)[0][0]
    if how.document is None:
        selfie = usable(photo, engine, parsing=how.parsing, name=file.name)
        return selfie, marked(photo, selfie)
    about = About(read_facts(file), None, how.uncut, how.parsing, read_history(file))
    found = check_id_photo(photo, engine, how.document, matte_of(photo, None, how.matte), about)
    return found, overlay_of(photo, found)


def _show(out: Output, name: str, found: Compliance | Usability, report: dict[str, Any]) -> None:
    """What is wrong, for people: the verdict in colour, then the lines that matter."""
    from rich.text import Text

    first, *rest = found.text().splitlines()
    word = str(report["verdict"])
    title = f"{clean(name)}: " if name else ""
    out.console.print(
        Text.assemble(title, (word.upper() if word == "fail" else word, RULES[word].tone.terminal), f"  {first}")
    )
    for line in rest:
        out.say(f"  {line}")
    out.say()


def _save(overlay: Image.Image, folder: Path, stem: str) -> Path:
    """The overlay as a JPEG; `stem` has the photo's number, because two folders may have photos of one name."""
    from ..errors import OutputUnwritable

    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{stem}.jpg"
        overlay.convert("RGB").save(path, "JPEG", quality=92)
    except OSError as error:
        raise OutputUnwritable(f"{folder} takes no picture ({error.strerror or error}); choose another.") from error
    return path


def _write(
    checked: list[tuple[dict[str, Any], Path, Path]], engine: FaceEngine, how: _How, folder: Path
) -> dict[str, str]:
    from ...core.id_photo.overlay import used_models
    from ..report.compliance import Checked, write_compliance

    entries = [Checked(report, photo, overlay) for report, photo, overlay in checked]
    html, data = write_compliance(entries, used_models(engine, how.matte, parsing=how.parsing), folder)
    return {"html": str(html), "json": str(data)}


def _worst(verdicts: list[str]) -> str | None:
    return min(verdicts, key=("fail", "uncertain", "pass").index, default=None)
