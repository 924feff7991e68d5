"""`likeness run`, `likeness demo`: a workflow with the user's photos, here or on a ComfyUI server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import VERDICT_FAILED, Output, clean, current_output, json_option, short_path

if TYPE_CHECKING:
    from ..api.workflows import Finished
    from ..report.schemas import IDPhotoReport, LikenessReport
    from ..workflow.input_files import Given
    from ..workflow.overrides import Setting


class SettingParam(click.ParamType):
    """``Title.input=value``."""

    name = "TITLE.INPUT=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Setting:
        """Read the words; anything else is a usage error."""
        from ..workflow.overrides import parse_setting

        try:
            return parse_setting(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PhotoParam(click.ParamType):
    """``PATH`` or ``Title=PATH``."""

    name = "[TITLE=]PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Given:
        """Read the words."""
        from ..workflow.input_files import parse_given

        return parse_given(value)


class HeaderParam(click.ParamType):
    """``Name: value``."""

    name = "NAME:VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read the words; anything else is a usage error."""
        name, colon, content = value.partition(":")
        if not colon or not name.strip() or "\n" in value or "\r" in value:
            self.fail(f"{value!r} is not of the form 'Name: value'.", param, ctx)
        return name.strip(), content.strip()


allow_files_option = click.option(
    "--allow-files", is_flag=True, help="Read the files that the workflow names, beside it and in ./input."
)


@click.command()
@click.argument("workflow")
@click.option("--set", "settings", type=SettingParam(), multiple=True, help="Set a value, by a node's title or id.")
@click.option(
    "--input", "-i", "photos", type=PhotoParam(), multiple=True, help="A photo or folder, for a node or in order."
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="Folder for the results [default: output/WORKFLOW]."
)
@click.option("--server", "-s", help="Run on the ComfyUI server at this URL (or @NAME, a managed one), not here.")
@click.option(
    "--header", "headers", type=HeaderParam(), multiple=True, help="A header for the server, such as a token."
)
@click.option("--allow-black", is_flag=True, help="Accept a server's picture that is completely black.")
@allow_files_option
@click.option("--strict", is_flag=True, help="Leave with exit code 3 also where no picture is known to be good.")
@json_option
def run(
    workflow: str,
    settings: tuple[Setting, ...],
    photos: tuple[Given, ...],
    output: Path | None,
    server: str | None,
    headers: tuple[tuple[str, str], ...],
    allow_black: bool,
    allow_files: bool,
    strict: bool,
) -> None:
    """Run WORKFLOW: a JSON file, or the name of a bundled workflow such as studio_headshot.

    Exit codes: 0 done, 1 failed, 2 usage, 3 a check said no, 130 stopped.
    """
    from ..api.workflows import run as run_workflow

    out = current_output()
    finished = run_workflow(
        workflow,
        photos,
        output,
        server=server,
        settings=settings,
        headers=dict(headers),
        allow_black=allow_black,
        allow_files=allow_files,
        on_event=out.on_event,
    )
    finish(out, finished, strict=strict)


def finish(out: Output, finished: Finished, *, strict: bool = False) -> None:
    """Say what came out, and leave with the exit code of the verdict, or with `strict` of what is to be looked at."""
    out.result(finished.as_dict(), lambda: _show(out, finished))
    doubtful = finished.report.to_look_at or finished.result.saved_nothing
    if finished.report.verdict is False or (strict and doubtful):
        sys.exit(VERDICT_FAILED)


def _show(out: Output, finished: Finished) -> None:

    from ...core.imaging.files import SUFFIXES
    from ...core.outcome_words import LIKENESS, RULES, UNSURE

    result, told = finished.result, finished.report
    for saved in result.outputs:
        word = "Picture" if saved.path.suffix.lower() in SUFFIXES else "File"
        out.say(f"{word:<9}{short_path(saved.path)}")
    out.say(f"Report   {short_path(finished.html)}")
    for _, left_out in result.shown("left_out"):
        if isinstance(left_out, dict):
            out.say(f"Left out {clean(left_out.get('reason'))}")
    for photo in (photo for report in told.enrollments for photo in report.photos):
        called = clean(photo.name or f"photo {(photo.index or 0) + 1}")
        if photo.outcome != "pass":
            out.say(f"Refused  {called}: {clean(photo.reason)}")
        elif photo.quality is not None and photo.poor:
            said = " ".join([photo.quality.says, *photo.quality.advice])
            out.say(f"Poor     {called}: {clean(said)}")
        for note in photo.notes:
            out.say(f"Note     {called}: {clean(note)}")
    for _, saved in result.shown("saved"):
        out.say(f"Saved    {f'{clean(saved)}, on the server' if result.remote else short_path(Path(str(saved)))}")
    for report in told.likeness:
        shown = LIKENESS["pass" if report.passed else "fail"]
        word = shown.word if report.passed else shown.word.replace("not", "NOT")
        out.say_in_colour("Verdict  ", (word, shown.tone.terminal), f" ({_score(report)})")
        for image in report.images:
            for note in image.notes:
                out.say(f"Note     picture {(image.index or 0) + 1}: {clean(note)}")
    if (shown := told.picture_shown) is not None:
        out.say_in_colour("Picture  ", (shown.word, shown.tone.terminal))
    for each in told.look:
        out.say_in_colour("Look at  ", (f"{clean(each.title)}: {clean(each.text)}", UNSURE.terminal))
    for report in told.compliance:
        style = RULES.get(report.verdict, RULES["uncertain"]).tone.terminal
        out.say_in_colour("Rules    ", (report.verdict, style), f" ({clean(report.headline)})")
    for report in told.id_photos:
        for line in about_id_photo(report):
            out.say(line)
    for note in result.notes:
        out.say(f"Note     {clean(note)}")
    out.say(f"Time     {result.seconds:.1f} s on {result.place}")


def about_id_photo(report: IDPhotoReport) -> list[str]:
    """What Make ID Photo says of a photo: rules of its frame that are broken, what to do, and what else to know."""
    found = {"Broken": report.broken, "To do": report.to_do, "Warning": report.warnings, "Edited": report.edits_made}
    return [f"{word:<9}{clean(line)}" for word, lines in found.items() for line in lines]


def _score(report: LikenessReport) -> str:
    """The similarity of one picture, or how many of several are confirmed."""
    images, best = report.images, report.best
    if best is None:
        return images[0].reason.rstrip(".") if images else "no picture"
    threshold = "–" if report.threshold is None else f"{report.threshold:.2f}"
    score = f"similarity {best:.2f}, threshold {threshold}"
    if len(images) < 2:
        return score
    return f"{sum(image.passed is True for image in images)} of {len(images)} pictures confirmed, best {score}"


WORKFLOW = "studio_headshot"
PHOTO = Path(__file__).resolve().parent.parent / "demo.jpg"
MODELS = ("yunet", "sface", "u2net", "modnet")
"""What the workflow needs; fetched first, so that the download has a bar of its own."""


@click.command()
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("output/demo"), show_default=True)
@json_option
def demo(output: Path) -> None:
    """Make a studio headshot of the demo photo on this machine: no server, no GPU, no account."""
    from ...core.models import store
    from ..api.workflows import run as run_workflow

    out = current_output()
    store.paths(*MODELS)
    finish(out, run_workflow(WORKFLOW, [PHOTO], output, on_event=out.on_event))
