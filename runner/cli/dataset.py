"""`likeness dataset`: what a network is trained on, written down, looked into and screened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import (
    DONE,
    VERDICT_FAILED,
    Output,
    current_output,
    json_option,
    print_overview,
    short_path,
    status_line,
    told_as_usage,
)

if TYPE_CHECKING:
    from ...core.training.captions import Style
    from ...core.training.data_sources import Kind
    from ..api.dataset_photos import CaptionedDataset, CroppedDataset, ScreenedDataset
    from ..api.datasets import DatasetReport, MadeManifest
    from .output import StatusLine

KINDS = ("folder", "classes", "persons", "table", "celeba")
MOST_REFUSED = 10
EXISTING = click.Path(path_type=Path, exists=True)


def _counted(line: StatusLine) -> Callable[[int, int], None]:
    """Shows how many of the photos were read."""
    return lambda done, total: line.show(f"photo {done:,} of {total:,}")


def _say_first(out: Output, word: str, lines: Sequence[str], rest: str) -> None:
    """The first of many lines behind a word, and how many more there are."""
    for text in lines[:MOST_REFUSED]:
        out.say(f"{word:10}{text}")
    if len(lines) > MOST_REFUSED:
        out.say(f"{word:10}{len(lines) - MOST_REFUSED:,} {rest}")


@click.group()
def dataset() -> None:
    """Make, screen and describe data sets to train on."""


@dataset.command()
@click.argument("sources", nargs=-1, required=True, type=EXISTING, metavar="SOURCE...")
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="FILE.jsonl to write.")
@click.option("--kind", type=click.Choice(KINDS), help="What the source is; without it, by its looks.")
@click.option("--photos", type=EXISTING, help="Where the photos of a table are, if not beside it.")
@click.option("--identities", type=EXISTING, help="A table that says whose photo each is (identity_CelebA.txt).")
@click.option("--partition", type=EXISTING, help="A table of splits (list_eval_partition.txt).")
@click.option("--name", default="", help="Of the data set; else the source's.")
@click.option("--licence", help="Of the photos, in words; a table may say it for each.")
@click.option("--validation", type=click.FloatRange(0, 0.9), default=0.1, show_default=True, help="Share drawn.")
@click.option("--test", type=click.FloatRange(0, 0.9), default=0.1, show_default=True, help="Share drawn.")
@click.option("--split-anew", is_flag=True, help="Draw the splits, also where the source says them.")
@json_option
def make(
    sources: tuple[Path, ...],
    output: Path,
    kind: Kind | None,
    photos: Path | None,
    identities: Path | None,
    partition: Path | None,
    name: str,
    licence: str | None,
    validation: float,
    test: float,
    split_anew: bool,
) -> None:
    """Write down what a data set is: one line for each photo, with hash, size, split, labels and attributes.

    SOURCE is a folder of photos, of class folders, or of one folder for each person (--kind persons), a table (.csv or
    .jsonl, with a column `file`), or CelebA's list_attr_celeba.txt. Splits are drawn by person where that is known,
    else by content, unless the source says them. No photo is changed.

    Exit codes: 0 done, 1 failed, 2 usage, 130 stopped.
    """
    from ..api.datasets import make_dataset

    out = current_output()
    with status_line(out) as line, told_as_usage():
        made = make_dataset(
            sources,
            output,
            kind=kind,
            photos=photos,
            identities=identities,
            partition=partition,
            name=name,
            licence=licence,
            validation=validation,
            test=test,
            split_anew=split_anew,
            on_photo=_counted(line),
        )
    out.result(made.as_dict(), lambda: _show_made(out, made))


def _show_made(out: Output, made: MadeManifest) -> None:
    values = made.as_dict()
    splits = ", ".join(f"{count:,} {split}" for split, count in values["splits"].items())
    _say_first(out, "Left out", made.refused, "more that cannot be read")
    if made.absent:
        out.say(f"Absent    {made.absent:,} rows without a photo")
    for note in made.notes:
        out.say(f"Note      {note}")
    out.say(f"Photos    {values['photos']:,}: {splits} ({'drawn' if made.drawn else 'as the source says'})")
    counts = {"persons": values["persons"], "classes": len(values["labels"]), "attributes": len(values["attributes"])}
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    if said:
        out.say(f"Of        {said}")
    out.say(f"Version   {values['version'][:16]}")
    out.say(f"Manifest  {short_path(made.file)}")


SEVERAL = ("refuse", "largest", "most central")


@dataset.command()
@click.argument("source", type=EXISTING)
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="A folder for what was found.")
@click.option("--min-face", type=click.IntRange(16), default=64, show_default=True, help="Pixels a face must be wide.")
@click.option("--several", type=click.Choice(SEVERAL), default="refuse", show_default=True, help="Of several faces.")
@click.option("--one-person", is_flag=True, help="All photos are of one person: name those that are not.")
@click.option("--engine", help="The face engine; without it, the default.")
@json_option
def check(source: Path, output: Path, min_face: int, several: str, one_person: bool, engine: str | None) -> None:
    """Say which photos of a data set are of no use to train on, and why.

    SOURCE is a folder of photos or a manifest. Named are photos without a face or with several, of a face that is too
    small, not sharp, too dark or turned away, the same picture twice, and another person than the other photos of that
    person. No photo is touched: the folder gets kept.jsonl, the manifest of the others, and screening.json.

    Exit codes: 0 all are of use, 1 failed, 2 usage, 3 some are not, 130 stopped.
    """
    from ...core.choices import FacePolicy
    from ..api.dataset_photos import screen_dataset

    out = current_output()
    with status_line(out) as line:
        screened = screen_dataset(
            source,
            output,
            min_face=min_face,
            several=FacePolicy(several),
            one_person=one_person,
            engine=engine,
            on_photo=_counted(line),
        )
    out.result(screened.as_dict(), lambda: _show_screened(out, screened))
    click.get_current_context().exit(VERDICT_FAILED if screened.refused else DONE)


def _show_screened(out: Output, screened: ScreenedDataset) -> None:
    from ...core.training.screen_photos import title_of

    rows = [
        (short_path(Path(each.photo.file)), ", ".join(map(title_of, each.problems)), next(iter(each.problems.values())))
        for each in screened.refused
    ]
    if rows:
        print_overview(out, ("photo", "problem", "in words"), rows)
    for code, count in screened.counts.items():
        out.say(f"{count:6,}  {title_of(code)}")
    out.say(f"Kept      {len(screened.photos) - len(screened.refused):,} of {len(screened.photos):,}")
    out.say(f"Manifest  {short_path(screened.kept)}")
    out.say(f"Found     {short_path(screened.report)}")


@dataset.command()
@click.argument("source", type=EXISTING)
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option(
    "--whole", is_flag=True, help="The whole photo at the nearest of a few sizes, not a square round the face."
)
@click.option("--size", type=click.IntRange(64, 4096), default=512, show_default=True, help="Side of the square.")
@click.option("--enlarge", type=click.FloatRange(1, 4), default=1.0, show_default=True, help="At most so many times.")
@click.option("--engine", help="The face engine; without it, the default.")
@json_option
def crop(source: Path, output: Path, whole: bool, size: int, enlarge: float, engine: str | None) -> None:
    """Cut photos to what is trained on, as new files: a square round the face, or the whole photo in a bucket.

    SOURCE is a folder of photos or a manifest, such as the kept.jsonl of `likeness dataset check`. A bucket is of about
    SIZE x SIZE pixels, its sides multiples of 64. Photos that would have to be enlarged are left out and named. The
    folder gets the pictures and photos.jsonl, their manifest.

    Exit codes: 0 done, 1 failed, 2 usage, 130 stopped.
    """
    from ..api.dataset_photos import crop_dataset

    out = current_output()
    with status_line(out) as line, told_as_usage():
        cropped = crop_dataset(
            source,
            output,
            cut="whole" if whole else "face",
            size=size,
            enlarge=enlarge,
            engine=engine,
            on_photo=_counted(line),
        )
    out.result(cropped.as_dict(), lambda: _show_cropped(out, cropped))


def _show_cropped(out: Output, cropped: CroppedDataset) -> None:
    _say_first(out, "Left out", [f"{each.file}: {each.reason}" for each in cropped.left_out], "more")
    out.say(f"Cut       {len(cropped.manifest.photos):,} photos")
    out.say(f"Manifest  {short_path(cropped.file)}")


@dataset.command()
@click.argument("source", type=EXISTING)
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="FILE.jsonl to write.")
@click.option(
    "--subject", default="a person", show_default=True, help="What the person is called, such as 'ohwx woman'."
)
@click.option("--style", type=click.Choice(["sentence", "tags"]), default="sentence", show_default=True)
@click.option("--no-measured", is_flag=True, help="Say attributes only: no pose, framing, light and background.")
@click.option("--attributes", help="Names of attributes to say, between commas; else all but what annotators judged.")
@click.option("--captioner", help="A captioning model that also reads hair, clothes and expression.")
@click.option(
    "--texts", type=click.Path(path_type=Path), help="Also write a text file for each photo into this folder."
)
@json_option
def caption(
    source: Path,
    output: Path,
    subject: str,
    style: Style,
    no_measured: bool,
    attributes: str | None,
    captioner: str | None,
    texts: Path | None,
) -> None:
    """Write captions for a data set's photos: what varies is named, the person is called by one name.

    SOURCE is a folder of photos or a manifest. Pose, framing, light and background are measured, attributes are those
    of the manifest. Gender, age and ethnicity are said only where the manifest or --subject says them.

    Exit codes: 0 done, 1 failed, 2 usage, 130 stopped.
    """
    from ..api.dataset_photos import caption_dataset

    out = current_output()
    with status_line(out) as line, told_as_usage():
        captioned = caption_dataset(
            source,
            output,
            subject=subject,
            style=style,
            measured=not no_measured,
            attributes=None if attributes is None else [name.strip() for name in attributes.split(",") if name.strip()],
            captioner=captioner,
            texts=texts,
            on_photo=_counted(line),
        )
    out.result(captioned.as_dict(), lambda: _show_captioned(out, captioned))


def _show_captioned(out: Output, captioned: CaptionedDataset) -> None:
    _say_first(out, "Unseen", captioned.unseen, "more, of which only attributes are said")
    for photo in captioned.manifest.photos[:3]:
        out.say(f"          {photo.caption}")
    out.say(f"Captions  {len(captioned.manifest.photos):,}")
    out.say(f"Manifest  {short_path(captioned.file)}")


@dataset.command()
@click.argument("manifest", type=EXISTING)
@click.option(
    "--output", "-o", default="dataset_report", type=click.Path(path_type=Path), help="A folder.", show_default=True
)
@click.option("--root", type=EXISTING, help="Where the photos are, if they were moved.")
@json_option
def report(manifest: Path, output: Path, root: Path | None) -> None:
    """Measure a data set: a page with plots, tables and examples, and the same figures as JSON.

    Counts, sizes, splits, moments of each channel and attribute, balance, correlations, copies, what a spreadsheet
    mangled, and where the splits differ.

    Exit codes: 0 done, 1 failed, 2 usage, 130 stopped.
    """
    from ..api.datasets import report_dataset

    out = current_output()
    with status_line(out) as line:
        made = report_dataset(manifest, output, root=root, on_photo=_counted(line))
    out.result(made.as_dict(), lambda: _show_report(out, made))


def _show_report(out: Output, made: DatasetReport) -> None:
    _say_first(out, "Note", made.findings, "more on the page")
    out.say(f"Page      {short_path(made.page)}")
    out.say(f"Figures   {short_path(made.json)}")
