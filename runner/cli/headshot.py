"""`likeness headshot`: studio headshots of one photo or of many; nothing is generated, and each is checked."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.choices import BACKDROP_STYLES, CROPS, PAPER_COLOURS
from ...core.outcome_words import LIKENESS, UNSURE
from ..backends.base import Event
from .output import (
    FAILED,
    VERDICT_FAILED,
    Output,
    clean,
    current_output,
    echo,
    json_option,
    print_overview,
    short_path,
    told_as_usage,
)
from .run import HeaderParam

if TYPE_CHECKING:
    from ..api.headshots import Headshot, Headshots, RefusedHeadshot

DEFAULT_FOLDER = Path("output") / "headshot"
FORMATS = ("jpg", "png", "webp")


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="A folder or a file.",
)
@click.option(
    "--background",
    "-b",
    default=next(iter(PAPER_COLOURS)),
    show_default=True,
    metavar="COLOUR|PICTURE|STYLE|transparent",
    help=f"#rrggbb or {', '.join(PAPER_COLOURS)}; a picture; {', '.join(BACKDROP_STYLES)}, also with a colour behind it"
    " (gradient navy); or transparent.",
)
@click.option(
    "--crop", default=CROPS[0], show_default=True, help=f"{', '.join(CROPS)}; the first word, such as square, will do."
)
@click.option("--width", type=click.IntRange(64, 8192), default=800, show_default=True, help="Pixels.")
@click.option("--format", type=click.Choice(FORMATS), help="[default: jpg; png where it is transparent]")
@click.option(
    "--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of JPEG and WebP, 1 to 100."
)
@click.option("--name", help="What the pictures are called, with {name}, {number} and {date}: '{name}.jpg'.")
@click.option("--flat", is_flag=True, help="Nothing but pictures in the folder: reports go into reports/ inside it.")
@click.option("--zip", "archive", is_flag=True, help="Also one ZIP file with the pictures.")
@click.option(
    "--person",
    multiple=True,
    type=click.Path(path_type=Path),
    help="More photos of the person (or a folder, or a saved identity) to compare with; may be given several times.",
)
@click.option(
    "--retouch",
    default="",
    metavar="NAME,NAME",
    help="Faults to take away where they are measured: exposure, white-balance, red-eye, shine. Not for ID photos.",
)
@click.option("--server", "-s", help="Run on the ComfyUI server at this URL (or @NAME, a managed one), not here.")
@click.option("--header", "headers", type=HeaderParam(), multiple=True, help="A header for the server.")
@click.option("--strict", is_flag=True, help="Leave with exit code 3 also where a picture is not known to be good.")
@json_option
def headshot(
    photos: tuple[Path, ...],
    out: Path,
    background: str,
    crop: str,
    width: int,
    format: str | None,  # noqa: A002 - the option's name
    quality: int,
    name: str | None,
    flat: bool,
    archive: bool,
    person: tuple[Path, ...],
    retouch: str,
    server: str | None,
    headers: tuple[tuple[str, str], ...],
    strict: bool,
) -> None:
    """Make a studio headshot of each PHOTO (a file or a folder), as NAME.headshot.jpg with its report.

    The person is cut out, framed, put before the background, and checked to be still the same person: the workflow
    studio_headshot. Nothing is generated. Files are never written over, and only you can read them.

    Exit codes: 0 made and the same person, 1 some photo refused, 2 usage, 3 some likeness not confirmed, 130 stopped.
    """
    from ..api.headshots import make_headshots

    output = current_output()
    with told_as_usage():
        found = make_headshots(
            photos,
            out,
            background=background,
            crop=crop,
            width=width,
            format=format,
            quality=quality,
            name=name,
            flat=flat,
            archive=archive,
            person=person,
            retouch=retouch,
            server=server,
            headers=dict(headers),
            on_event=lambda event: _show_event(output, event),
        )
    output.result(found.as_dict(), lambda: _show_end(output, found))
    if found.refused:
        sys.exit(FAILED)
    if found.not_confirmed or (strict and found.to_look_at):
        sys.exit(VERDICT_FAILED)


def _show_event(out: Output, event: Event | Headshot | RefusedHeadshot) -> None:
    from ..api.headshots import Headshot

    if isinstance(event, Event):
        out.on_event(dataclasses.replace(event, title=clean(event.title or "")))
        return
    made = isinstance(event, Headshot)
    if out.as_json:
        out.line({"event": "headshot" if made else "refused"} | event.as_dict())
        return
    out.close()
    if made:
        _show(out, event)
    else:
        echo(f"Refused  {clean(event.source.name)}: [{event.error.code}] {clean(event.reason)}", err=True)


def _show(out: Output, made: Headshot) -> None:

    shown = LIKENESS["pass" if made.confirmed else "fail"]
    word = shown.word if made.confirmed else shown.word.replace("not", "NOT")
    score = "–" if made.score is None else f"{made.score:.2f}"
    threshold = "–" if made.threshold is None else f"{made.threshold:.2f}"
    figures = f" (similarity {score}, threshold {threshold})"
    out.say(f"Picture  {clean(short_path(made.path))}")
    out.say_in_colour("Verdict  ", (word, shown.tone.terminal), figures)
    if (picture := made.report.picture_shown) is not None:
        out.say_in_colour("Picture  ", (picture.word, picture.tone.terminal))
    for text in made.look:
        out.say_in_colour("Look at  ", (clean(text), UNSURE.terminal))
    out.say(f"Report   {clean(short_path(made.html))}")


def _show_end(out: Output, found: Headshots) -> None:
    if len(found.made) + len(found.refused) > 1:
        rows = [
            (clean(each.source.name), LIKENESS["pass" if each.confirmed else "fail"].word, clean(" ".join(each.look)))
            for each in sorted(found.made, key=lambda each: (each.confirmed, not each.to_look_at))
        ]
        refused = [(clean(each.source.name), "refused", clean(each.reason)) for each in found.refused]
        print_overview(out, ("Photo", "Verdict", "Why, or what to look at"), refused + rows)
        confirmed = len(found.made) - found.not_confirmed
        out.say(
            f"{len(found.made)} made, {confirmed} of them confirmed, {found.to_look_at} to look at; "
            f"{len(found.refused)} refused"
        )
    for word, path in (("Sheet", found.sheet), ("Table", found.csv), ("ZIP", found.archive)):
        if path is not None:
            out.say(f"{word:<9}{clean(short_path(path))}")
