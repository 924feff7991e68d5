"""`likeness run`, `likeness demo`: a workflow with the user's photos, here or on a ComfyUI server."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import VERDICT_FAILED, Output, clean, current_output, json_option

if TYPE_CHECKING:
    from ..client import Client, Finished
    from ..workflow.graph import Workflow
    from ..workflow.input_files import Given
    from ..workflow.overrides import Setting


class SettingParam(click.ParamType):
    """``Title.input=value``."""

    name = "TITLE.INPUT=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Setting:
        """Read the words; anything else is a usage error."""
        from ..workflow.overrides import parse

        try:
            return parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PhotoParam(click.ParamType):
    """``PATH`` or ``Title=PATH``."""

    name = "[TITLE=]PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Given:
        """Read the words."""
        from ..workflow.input_files import parse

        return parse(value)


class HeaderParam(click.ParamType):
    """``Name: value``."""

    name = "NAME:VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read the words; anything else is a usage error."""
        name, colon, content = value.partition(":")
        if not colon or not name.strip() or "\n" in value or "\r" in value:
            self.fail(f"{value!r} is not of the form 'Name: value'.", param, ctx)
        return name.strip(), content.strip()


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
@json_option
def run(
    workflow: str,
    settings: tuple[Setting, ...],
    photos: tuple[Given, ...],
    output: Path | None,
    server: str | None,
    headers: tuple[tuple[str, str], ...],
    allow_black: bool,
) -> None:
    """Run WORKFLOW: a JSON file, or the name of a bundled workflow such as studio_headshot.

    Exit codes: 0 done, 1 failed, 2 usage, 3 a check said no, 130 stopped.
    """
    from ..client import run_once

    out = current_output()
    with connect(server, dict(headers), allow_black=allow_black) as client:
        graph = prepare(client, workflow, settings)
        finished = run_once(graph, client.backend, output or Path("output") / graph.name, photos, out.on_event)
    finish(out, finished)


def connect(server: str | None, headers: dict[str, str], **options: Any) -> Client:
    """A client for a server's URL, for the managed server ``@name``, or for this process."""
    from ..client import Client

    return Client(server, headers=headers, **options)


def prepare(client: Client, source: str, settings: Sequence[Setting]) -> Workflow:
    """The workflow with its settings, read and checked with what is known where it will run."""
    from ..workflow.overrides import apply_all

    graph = client.load(source)
    if settings:
        apply_all(graph, settings, client.catalog)
    return graph


def finish(out: Output, finished: Finished) -> None:
    """Say what came out, and leave with the verdict's exit code."""
    result = finished.result
    values = result.as_dict() | {"report": {"html": str(finished.html), "json": str(finished.json)}}
    out.result(values, lambda: _show(out, finished))
    if result.verdict is False:
        sys.exit(VERDICT_FAILED)


def _show(out: Output, finished: Finished) -> None:
    from rich.text import Text

    from ...core.imaging.files import SUFFIXES
    from ...core.outcomes import LIKENESS, RULES
    from ..backends.base import report_passed

    result = finished.result
    for saved in result.outputs:
        word = "Picture" if saved.path.suffix.lower() in SUFFIXES else "File"
        out.say(f"{word:<9}{_short(saved.path)}")
    out.say(f"Report   {_short(finished.html)}")
    for report in result.enrollments:
        for photo in report.get("photos", []):
            if photo.get("outcome") != "pass":
                out.say(f"Refused  reference photo {photo.get('index', 0) + 1}: {photo.get('reason')}")
            elif said := quality(photo):
                out.say(f"Poor     reference photo {photo.get('index', 0) + 1}: {said}")
    for _, saved in result.shown("saved"):
        out.say(f"Saved    {f'{saved}, on the server' if result.remote else _short(Path(str(saved)))}")
    for report in result.likeness:
        passed = report_passed(report)
        shown = LIKENESS["pass" if passed else "fail"]
        word = shown.word if passed else shown.word.replace("not", "NOT")
        out.console.print(Text.assemble("Verdict  ", (word, shown.tone.terminal), f" ({_score(report)})"))
    for report in result.compliance:
        verdict = str(report.get("verdict"))
        style = RULES.get(verdict, RULES["uncertain"]).tone.terminal
        out.console.print(Text.assemble("Rules    ", (verdict, style), f" ({clean(report.get('headline'))})"))
    for report in result.id_photos:
        for line in about_id_photo(report):
            out.say(line)
    for note in result.notes:
        out.say(f"Note     {note}")
    out.say(f"Time     {result.seconds:.1f} s on {result.place}")


def about_id_photo(report: Mapping[str, Any]) -> list[str]:
    """What Make ID Photo says of a photo: rules of its frame that are broken, what to do, and what else to know."""
    words = {"broken": "Broken", "to_do": "To do", "warnings": "Warning", "edits_made": "Edited"}
    found = ((word, report.get(key)) for key, word in words.items())
    return [f"{word:<9}{clean(str(line))}" for word, lines in found if isinstance(lines, list) for line in lines]


def quality(photo: Mapping[str, Any]) -> str:
    """What an enrollment says of a reference photo that is a poor one, in one line; empty where it is not."""
    found = photo.get("quality")
    if not isinstance(found, Mapping) or found.get("verdict") != "fail":
        return ""
    return clean(" ".join([str(found.get("says") or ""), *map(str, found.get("advice") or ())]))


def _score(report: dict[str, Any]) -> str:
    """The similarity of one picture, or how many of several are confirmed."""
    images, best = report.get("images", []), report.get("best")
    if best is None:
        return str(images[0]["reason"]).rstrip(".") if images else "no picture"
    score = f"similarity {best:.2f}, threshold {report['threshold']:.2f}"
    if len(images) < 2:
        return score
    return f"{sum(image['passed'] for image in images)} of {len(images)} pictures confirmed, best {score}"


def _short(path: Path) -> str:
    """A path as the user would type it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


WORKFLOW = "studio_headshot"
PHOTO = Path(__file__).resolve().parent.parent / "demo.jpg"
MODELS = ("yunet", "sface", "u2net")
"""What the workflow needs; fetched first, so that the download has a bar of its own."""


@click.command()
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("output/demo"), show_default=True)
@json_option
def demo(output: Path) -> None:
    """Make a studio headshot of the demo photo on this machine: no server, no GPU, no account."""
    from ...core.models import store
    from ..client import run_once
    from ..workflow.input_files import Given

    out = current_output()
    store.paths(*MODELS)
    with connect(None, {}) as client:
        finished = run_once(prepare(client, WORKFLOW, ()), client.backend, output, [Given(PHOTO)], out.on_event)
    finish(out, finished)
