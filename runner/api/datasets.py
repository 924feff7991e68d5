"""Data sets for training: made from folders and tables, looked into, and written as a manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import Interrupted
from ...core.files import beside, make_private_folder, write_new
from ...core.interrupt import Stopped, stoppable
from ..errors import Misuse, OutputUnwritable

if TYPE_CHECKING:
    from ...core.training.data import Manifest, Split
    from ...core.training.data_sources import Kind


@dataclass(frozen=True)
class MadeManifest:
    """A manifest that was written, with what was left out: photos that cannot be read, and rows without a photo.

    `drawn`: whether the splits were drawn here, and are not the source's own. `notes`: what the user should know.
    """

    file: Path
    manifest: Manifest
    refused: tuple[str, ...]
    absent: int
    drawn: bool
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        made = self.manifest
        splits: Counter[Split] = Counter(photo.split for photo in made.photos)
        return {
            "file": str(self.file),
            "version": made.version,
            "photos": len(made.photos),
            "splits": dict(splits),
            "splits_drawn": self.drawn,
            "persons": len({photo.person for photo in made.photos} - {None}),
            "labels": list(made.labels),
            "attributes": list(made.attributes),
            "refused": list(self.refused),
            "absent": self.absent,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class DatasetReport:
    """A report that was written: the page, and the same figures as JSON. `findings`: what to know before training."""

    page: Path
    json: Path
    figures: dict[str, Any]

    @property
    def findings(self) -> list[str]:
        """In sentences, the worst first."""
        return self.figures["findings"]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {"page": str(self.page), "json": str(self.json), "findings": self.findings}


def report_dataset(
    manifest: str | Path,
    output: str | Path,
    *,
    root: str | Path | None = None,
    on_photo: Callable[[int, int], None] = lambda done, total: None,
    stopped: Stopped | None = None,
) -> DatasetReport:
    """Measure a data set and write ``dataset_report.html`` and ``.json`` into the folder `output`, for its owner only.

    `manifest` is what `make_dataset` wrote, `root` where its photos are if they were moved. No file is replaced. Raises
    ManifestInvalid, OutputUnwritable and, once `stopped`, Interrupted.
    """
    from ...core.training.data import load_manifest
    from ...core.training.dataset_figures import measure_dataset
    from ..backends.execute import check_writable
    from ..report.dataset_page import figures_as_dict, render_dataset

    check_writable(Path(output))
    read = load_manifest(Path(manifest), None if root is None else Path(root))
    figures = stoppable(lambda stopped: measure_dataset(read, until(stopped, "measured", on_photo)), stopped)
    values = figures_as_dict(read, figures)
    page = render_dataset(read, figures)
    text = json.dumps(values, indent=1, ensure_ascii=False)
    with writing(output):
        make_private_folder(Path(output))
        written = write_new(
            Path(output) / "dataset_report.html", page.encode(errors="backslashreplace"), ".json", private=True
        )
        beside_it = write_new(beside(written, ".json"), text.encode(errors="backslashreplace"), private=True)
    return DatasetReport(written, beside_it, values)


def manifest_of(source: Path) -> Manifest:
    """The manifest that a file is, or that is made of a folder."""
    from ...core.training.data import load_manifest
    from ...core.training.data_sources import make_manifest

    return make_manifest([source]).manifest if source.is_dir() else load_manifest(source)


@contextmanager
def writing(place: str | Path) -> Iterator[None]:
    """Clear words where files cannot be written: OutputUnwritable."""
    try:
        yield
    except OSError as error:
        raise OutputUnwritable(f"{place} cannot be written to ({error.strerror or error}).") from error


def until(stopped: Stopped, done: str, on_photo: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """Tell of each photo, and end with Interrupted once that is asked for; `done` is what was not."""

    def on_each(number: int, total: int) -> None:
        if stopped():
            raise Interrupted(f"The data set was not {done}: stopped.")
        on_photo(number, total)

    return on_each


def make_dataset(
    sources: Iterable[str | Path],
    output: str | Path,
    *,
    kind: Kind | None = None,
    photos: str | Path | None = None,
    identities: str | Path | None = None,
    partition: str | Path | None = None,
    name: str = "",
    licence: str | None = None,
    validation: float = 0.1,
    test: float = 0.1,
    split_anew: bool = False,
    on_photo: Callable[[int, int], None] = lambda done, total: None,
    stopped: Stopped | None = None,
) -> MadeManifest:
    """Write the manifest of a data set: its photos with their hashes, sizes, splits, labels and attributes.

    `sources`: one folder, or tables whose photos are in one folder. Nothing but `output` is written, and no file is
    replaced. `on_photo` hears how many of how many photos were read. Raises Misuse, DatasetUnreadable, OutputUnwritable
    and, once `stopped`, Interrupted.
    """
    from ...core.training.data import ENDING, persons_across_splits, save_manifest, shared_across_splits
    from ...core.training.data_sources import make_manifest
    from ..backends.execute import check_writable

    target = Path(output)
    if target.suffix != ENDING:
        raise Misuse(f"--output {target} must end in {ENDING}.")
    if target.exists():
        raise Misuse(f"{target} exists; give another --output.")
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise Misuse(f"--validation {validation} and --test {test} leave nothing to train on.")

    check_writable(target.parent)
    made = stoppable(
        lambda stopped: make_manifest(
            [Path(source) for source in sources],
            kind=kind or "auto",
            photos=None if photos is None else Path(photos),
            identities=None if identities is None else Path(identities),
            partition=None if partition is None else Path(partition),
            name=name,
            licence=licence,
            validation=validation,
            test=test,
            split_anew=split_anew,
            on_photo=until(stopped, "made", on_photo),
        ),
        stopped,
    )
    notes = []
    if shared := shared_across_splits(made.manifest):
        some = next(iter(shared.values()))
        notes.append(f"{len(shared)} files are in more than one split, such as {some[0].file} and {some[1].file}.")
    if persons := persons_across_splits(made.manifest):
        notes.append(f"{len(persons)} persons are in more than one split, such as {next(iter(persons))}.")
    with writing(target):
        file = save_manifest(made.manifest, target)
    return MadeManifest(file, made.manifest, made.refused, made.absent, made.drawn, tuple(notes))
