"""`likeness check`: photos judged by the rules of a document, or as reference photos."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...nodes.errors import LikenessError
from .output import FAILED, VERDICT_FAILED, Output, current_output, json_option

if TYPE_CHECKING:
    from PIL import Image

    from ...nodes.id_photo.compliance import Compliance
    from ...nodes.id_photo.document import Document
    from ...nodes.identity.engines import FaceEngine
    from ...nodes.quality.usable import Usability

MATTES = ("u2net", "u2netp", "none")
OVERLAYS = "overlays"
"""Folder of the pictures with the measured lines, inside the one of ``--out``."""

STYLES = {"pass": "bold green", "fail": "bold red", "uncertain": "bold yellow"}


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
    from ...nodes.id_photo.documents import document as by_id
    from ...nodes.identity.engines import load_engine

    show = current_output()
    rules = by_id(document) if document else None
    how = _How(rules, uncut, parsing, None if matte == "none" or rules is None else matte)
    if out is not None:
        from ..session import check_writable

        check_writable(out)
    engine = load_engine()
    files = list(_files(photos))
    reports, errors, checked = [], [], []
    for file in files:
        try:
            found, overlay = _judge(file, engine, how)
        except LikenessError as error:
            if len(files) == 1:
                raise
            errors.append({"photo": str(file)} | error.as_dict())
            show.say(f"{file.name}: cannot be checked. {error}\n")
            continue
        report = found.as_dict() | {"name": file.name}
        reports.append(report)
        if not show.as_json:
            _show(show, file.name if len(files) > 1 else "", found, report)
        if out is not None:
            checked.append((report, file, _save(overlay, out / OVERLAYS, f"{len(checked) + 1:03}-{file.stem}")))
    written = _write(checked, engine, how, out) if out is not None else {}
    verdict = _worst([str(report["verdict"]) for report in reports])
    values = {"verdict": verdict, "photos": reports, "errors": errors, "report": written}
    show.result(values, lambda: show.say(f"Report  {written['html']}") if written else None)
    if errors:
        sys.exit(FAILED)
    if verdict == "fail" or (strict and verdict == "uncertain"):
        sys.exit(VERDICT_FAILED)


def _files(photos: tuple[Path, ...]) -> Iterator[Path]:
    """The files, and those of the folders in order of their names."""
    from ...nodes.errors import PhotoMissing
    from ...nodes.photo_files import SUFFIXES

    for path in photos:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.iterdir() if file.is_file() and file.suffix.lower() in SUFFIXES)
        if not inside:
            raise PhotoMissing(f"The folder {path} holds no photos; name another folder, or a file.")
        yield from inside


def _judge(file: Path, engine: FaceEngine, how: _How) -> tuple[Compliance | Usability, Image.Image]:
    from ...nodes.id_photo.checking import marked, matte_of, overlay_of
    from ...nodes.id_photo.file_measures import read_facts
    from ...nodes.id_photo.judge import About, check_id_photo
    from ...nodes.photos import load_photo
    from ...nodes.quality.usable import usable

    photo = load_photo(file)[0][0]
    if how.document is None:
        selfie = usable(photo, engine, parsing=how.parsing, name=file.name)
        return selfie, marked(photo, selfie)
    about = About(read_facts(file), None, how.uncut, how.parsing)
    found = check_id_photo(photo, engine, how.document, matte_of(photo, None, how.matte), about)
    return found, overlay_of(photo, found)


def _show(out: Output, name: str, found: Compliance | Usability, report: dict[str, Any]) -> None:
    """What is wrong, for people: the verdict in colour, then the lines that matter."""
    from rich.text import Text

    from .words import clean

    first, *rest = found.text().splitlines()
    word = str(report["verdict"])
    title = f"{clean(name)}: " if name else ""
    out.console.print(Text.assemble(title, (word.upper() if word == "fail" else word, STYLES[word]), f"  {first}"))
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
    from ...nodes.id_photo.checking import used_models
    from ..report.compliance import Checked, write_compliance

    entries = [Checked(report, photo, overlay) for report, photo, overlay in checked]
    html, data = write_compliance(entries, used_models(engine, how.matte, parsing=how.parsing), folder)
    return {"html": str(html), "json": str(data)}


def _worst(verdicts: list[str]) -> str | None:
    return min(verdicts, key=("fail", "uncertain", "pass").index, default=None)
