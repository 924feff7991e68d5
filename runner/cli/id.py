"""`likeness id`: photos for documents and profiles, cut by the rules, checked, and never generated."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.choices import BACKGROUNDS, PERSON_MATTE
from ...core.id_photo.document import Document
from ...core.id_photo.documents import document as by_id
from ...core.id_photo.sheet_layout import PAPERS
from ...core.outcome_words import JOBS
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

if TYPE_CHECKING:
    from ...core.id_photo.judge import Compliance
    from ..api.id_photos import IDPhotoFile, IDPhotos, RefusedPhoto

SIZES = ("auto", "print", "upload")
HEAD_SIZES = ("safest", "smaller", "larger")
MATTES = (PERSON_MATTE, "u2net", "u2netp")
DEFAULT_FOLDER = Path("output") / "id"


class DocumentParam(click.ParamType):
    """A document's id."""

    name = "DOCUMENT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Document:
        """Look it up; an unknown one ends the command with the ids that are near."""
        return by_id(value)


@click.command("id")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option(
    "--document",
    "-d",
    "documents",
    type=DocumentParam(),
    multiple=True,
    required=True,
    help="Whose rules; see `likeness documents`. May be given several times.",
)
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
    default=BACKGROUNDS[1],
    show_default=True,
    metavar="CHOICE|COLOUR",
    help=f"{', '.join(BACKGROUNDS)}, or one of the document's colours: white, light grey, light blue, red … Where "
    "edits are forbidden, the photo's own background is kept and that is said.",
)
@click.option("--size", type=click.Choice(SIZES), default="auto", show_default=True, help="For paper or for an upload.")
@click.option("--head-size", type=click.Choice(HEAD_SIZES), default="safest", show_default=True, help="In the rule.")
@click.option("--largest", is_flag=True, help="Of several people take the largest face.")
@click.option("--matte", type=click.Choice(MATTES), default=MATTES[0], show_default=True, help="Network.")
@click.option("--sheet", type=click.Choice(list(PAPERS), case_sensitive=False), help="Also a PDF of prints on paper.")
@click.option("--count", type=click.IntRange(0, 5000), default=0, help="Prints on the sheet; else it is filled.")
@click.option("--check/--no-check", default=True, show_default=True, help="Judge the result by the document's rules.")
@click.option("--sign", is_flag=True, help="Sign content credentials (C2PA); see docs/provenance.md.")
@json_option
def id_command(
    photos: tuple[Path, ...],
    documents: tuple[Document, ...],
    out: Path,
    background: str,
    size: str,
    head_size: str,
    largest: bool,
    matte: str,
    sheet: str | None,
    count: int,
    check: bool,
    sign: bool,
) -> None:
    """Make the photo of a document from each PHOTO (a file or a folder), as NAME.DOCUMENT.jpg with its report.

    Nothing is generated or retouched, and nothing leaves this machine. Files are never written over. A plain background
    that a document forbids is refused by name, and the photo is made with its own.

    Exit codes: 0 made and no rule broken, 1 some photo refused, 2 usage, 3 some rule is broken or a change was refused,
    130 stopped.
    """
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # threads that spin while they wait cost the networks their time
    from ..api.id_photos import make_id_photos

    output = current_output()
    with told_as_usage():
        found = make_id_photos(
            photos,
            documents,
            out,
            background=background,
            size=size,
            head_size=head_size,
            largest=largest,
            matte=matte,
            sheet=sheet,
            count=count,
            check=check,
            sign=sign,
            on_event=lambda event: _show_event(output, event),
        )
    output.result(found.as_dict(), lambda: _show_end(output, found))
    if found.refused:
        sys.exit(FAILED)
    if any(made.failed or made.refusal for made in found.made):
        sys.exit(VERDICT_FAILED)


def _show_event(out: Output, event: Event | IDPhotoFile | RefusedPhoto) -> None:
    from ..api.id_photos import IDPhotoFile

    if isinstance(event, Event):
        out.on_event(dataclasses.replace(event, title=clean(event.title)))
        return
    made = isinstance(event, IDPhotoFile)
    if out.as_json:
        out.line({"event": "photo" if made else "refused"} | event.as_dict())
        return
    out.close()
    if made:
        for line in lines_of(event):
            out.say(line)
    else:
        text = f"[{event.error.code}] {event.error}"
        echo(f"Refused  {clean(event.source.name)} for {event.document.id}: {text}", err=True)


def _show_end(out: Output, found: IDPhotos) -> None:
    for path in found.sheets:
        out.say(f"Sheet    {clean(str(path))}")
    if len(found.made) + len(found.refused) > 1:
        _show_overview(out, found)
        out.say(
            f"{len(found.made)} made, {len(found.made) - found.failed} of them without a broken rule; "
            f"{len(found.refused)} refused"
        )


def _show_overview(out: Output, found: IDPhotos) -> None:
    """All photos in a table, what failed first."""
    rows = [
        (clean(each.source.name), each.document.id, JOBS["refused"].word, clean(str(each.error)))
        for each in found.refused
    ]
    for each in sorted(found.made, key=lambda each: (not each.failed, not each.look)):
        compliance = each.compliance
        verdict = JOBS["not_confirmed" if each.failed else "passed"].said(by_rules=True)
        why = " ".join(each.made.report["broken"]) if compliance is None else compliance.headline
        rows.append((clean(each.source.name), each.made.id_photo.document.id, verdict, clean(why)))
    print_overview(out, ("Photo", "Document", "Verdict", "Why"), rows)
    for word, path in (("Overview", found.overview), ("Table", found.csv)):
        if path is not None:
            out.say(f"{word:<9}{clean(short_path(path))}")


def check_lines(found: Compliance) -> list[str]:
    """The verdict, and behind broken rules also those that a person must look at."""
    from ...core.quality.checks import Outcome

    unsure = [check.title for check in found.of(Outcome.UNCERTAIN)]
    if not found.of(Outcome.FAIL) or not unsure:
        return [found.headline]
    return [found.headline, f"Uncertain, so a person must look at: {', '.join(unsure)}."]


MEASURED_ANEW = {
    "head height": "head_height",
    "eye line": "eye_line",
    "room above the head": "room_above",
    "chin above the bottom": "chin_height",
    "head width": "head_width",
}
"""The check that measures the finished photo by a rule that its frame was chosen by."""


def _rule_line(rule: dict[str, Any], found: Compliance | None) -> str:
    """One rule: what the check measured, as the report's page says it, or else what the frame was chosen for."""
    checks = [] if found is None else [each for each in found.checks if each.name == MEASURED_ANEW.get(rule["name"])]
    if checks and checks[0].value is not None and checks[0].shown:
        words = {"pass": "kept", "fail": "BROKEN"}.get(str(checks[0].outcome), str(checks[0].outcome))
        return f"Rule     {rule['name']} {checks[0].shown}, asked {checks[0].limit}: {words}"
    return (
        f"Rule     {rule['name']} {rule['value']:g} ± {rule['uncertainty']:g} {rule['unit']}, "
        f"asked {rule['low']:g} to {rule['high']:g}: {'kept' if rule['met'] else 'BROKEN'}"
    )


def lines_of(made: IDPhotoFile) -> list[str]:
    """What a person is told of one photo."""
    report, photo = made.made.report, made.made.id_photo
    size = f"{photo.width_px} x {photo.height_px} pixels"
    if photo.document.width_mm is not None:
        size += f", {photo.width_mm:.1f} x {photo.height_mm:.1f} mm at {photo.dpi:g} dpi"
        if round(photo.source_dpi) < round(photo.dpi):
            size += f", enlarged from {photo.source_dpi:.0f} pixels per inch of the photo"
    lines = [f"Photo    {clean(str(made.path))} ({size}, {len(made.encoded.data) / 1000:.0f} kB)"]
    lines += [_rule_line(rule, made.compliance) for rule in report["rules"]]
    if made.refusal is not None:
        lines.append(f"Refused  [{made.refusal.code}] {made.refusal}")
    lines += [f"To do    {line}" for line in report["to_do"]]
    lines += [f"Warning  {line}" for line in report["warnings"]]
    lines += [f"Edited   {line}" for line in photo.edits_made]
    lines += [f"Note     {line}" for line in report["notes"]]
    lines += [f"Note     {photo.document.title}: {line}" for line in photo.document.notes]
    if made.compliance is not None:
        lines += [f"Check    {line}" for line in check_lines(made.compliance)]
    lines.append(f"Report   {clean(str(made.others.get('html') or made.others['json']))}")
    return lines
