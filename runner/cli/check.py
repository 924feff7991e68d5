"""`likeness check`: photos judged by the rules of a document, or as reference photos."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.choices import PERSON_MATTE
from ...core.outcome_words import RULES
from .output import FAILED, VERDICT_FAILED, Output, clean, current_output, echo, json_option

if TYPE_CHECKING:
    from ..api.check import CheckedPhoto, UncheckedPhoto

MATTES = ("u2net", PERSON_MATTE, "u2netp", "none")


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
    from ..api.check import check_photos

    show = current_output()
    found = check_photos(
        photos,
        document or None,
        uncut=uncut,
        parsing=parsing,
        matte=None if matte == "none" else matte,
        output=out,
        on_event=lambda event: _show(show, event),
    )
    show.result(found.as_dict(), lambda: show.say(f"Report  {found.html}") if found.html else None)
    if found.errors:
        sys.exit(FAILED)
    if found.verdict == "fail" or (strict and found.verdict == "uncertain"):
        sys.exit(VERDICT_FAILED)


def _show(out: Output, event: CheckedPhoto | UncheckedPhoto) -> None:
    """What is wrong, for people: the verdict in colour, then the lines that matter."""

    from ..api.check import CheckedPhoto

    if out.as_json:
        return
    if not isinstance(event, CheckedPhoto):
        echo(f"{clean(event.name)}: cannot be checked. {event.error}\n", err=True)
        return
    first, *rest = event.found.text().splitlines()
    word = str(event.found.verdict)
    title = f"{clean(event.name)}: " if event.total > 1 else ""
    shown = (word.upper() if word == "fail" else word, RULES[word].tone.terminal)
    out.say_in_colour(title, shown, f"  {first}")
    for line in rest:
        out.say(f"  {line}")
    out.say()
