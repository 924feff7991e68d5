"""Data sets for training: made from folders and tables, looked into, and written as a manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.choices import FacePolicy
from ...core.errors import DatasetUnreadable, Interrupted
from ...core.files import beside, make_private_folder, write_new
from ...core.interrupt import Stopped, never
from ..errors import Misuse, OutputUnwritable

if TYPE_CHECKING:
    from ...core.training.crop_faces import Cut, LeftOut
    from ...core.training.data import Manifest, Split
    from ...core.training.data_sources import Kind
    from ...core.training.screen_photos import ScreenedPhoto

SCREENING = "likeness-dataset-screening/1"


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
    stopped: Stopped = never,
) -> DatasetReport:
    """Measure a data set and write ``dataset_report.html`` and ``.json`` into the folder `output`, for its owner only.

    `manifest` is what `make_dataset` wrote, `root` where its photos are if they were moved. No file is replaced. Raises
    ManifestInvalid, OutputUnwritable and, once `stopped`, Interrupted.
    """
    from ...core.training.data import load_manifest
    from ...core.training.dataset_figures import measure_dataset
    from ..report.dataset_page import figures_as_dict, render_dataset

    read = load_manifest(Path(manifest), None if root is None else Path(root))
    figures = measure_dataset(read, _until(stopped, "measured", on_photo))
    values = figures_as_dict(read, figures)
    page = render_dataset(read, figures)
    text = json.dumps(values, indent=1, ensure_ascii=False)
    try:
        make_private_folder(Path(output))
        written = write_new(Path(output) / "dataset_report.html", page.encode(), ".json", private=True)
        beside_it = write_new(beside(written, ".json"), text.encode(), private=True)
    except OSError as error:
        raise OutputUnwritable(f"{output} cannot be written to ({error.strerror or error}).") from error
    return DatasetReport(written, beside_it, values)


@dataclass(frozen=True)
class ScreenedDataset:
    """What a screening found: the manifest of the photos that are kept, and what speaks against each of the others."""

    kept: Path
    report: Path
    photos: tuple[ScreenedPhoto, ...]

    @property
    def refused(self) -> list[ScreenedPhoto]:
        """The photos that something speaks against."""
        return [each for each in self.photos if not each.kept]

    @property
    def counts(self) -> dict[str, int]:
        """How many photos have each problem, by code, the most frequent first; a photo may have several."""
        return dict(Counter(code for each in self.photos for code in each.problems).most_common())

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "kept": str(self.kept),
            "report": str(self.report),
            "photos": len(self.photos),
            "refused": len(self.refused),
            "problems": self.counts,
        }


def screen_dataset(
    source: str | Path,
    output: str | Path,
    *,
    min_face: int = 64,
    several: FacePolicy = FacePolicy.REFUSE,
    one_person: bool = False,
    engine: str | None = None,
    on_photo: Callable[[int, int], None] = lambda done, total: None,
    stopped: Stopped = never,
) -> ScreenedDataset:
    """Look at each photo of a data set and say which are of no use to train on; nothing is changed in place.

    `source`: a manifest, or a folder that one is made of. Written into the folder `output`, for its owner only:
    ``kept.jsonl``, the manifest of the photos that nothing speaks against, with their faces, and ``screening.json``.
    Raises ManifestInvalid, DatasetUnreadable, OutputUnwritable, what loading the networks raises and, once `stopped`,
    Interrupted.
    """
    from ...core.faces.engines import load_engine
    from ...core.training.data import save_manifest
    from ...core.training.screen_photos import kept_photos, screen_photos

    manifest = _manifest_of(Path(source))
    loaded = load_engine(engine) if engine else load_engine()
    found = screen_photos(
        manifest,
        loaded,
        min_face=min_face,
        several=several,
        one_person=one_person,
        on_photo=_until(stopped, "screened", on_photo),
    )
    rows = [
        {"file": each.photo.file, "problems": each.problems, "doubts": each.doubts, "copy_of": each.copy_of}
        for each in found
    ]
    about = {"format": SCREENING, "of": manifest.version, "engine": loaded.key, "min_face": min_face, "photos": rows}
    try:
        make_private_folder(Path(output))
        kept = save_manifest(replace(manifest, photos=kept_photos(found)), Path(output) / "kept.jsonl")
        text = json.dumps(about, indent=1, ensure_ascii=False)
        report = write_new(Path(output) / "screening.json", text.encode(), private=True)
    except OSError as error:
        raise OutputUnwritable(f"{output} cannot be written to ({error.strerror or error}).") from error
    return ScreenedDataset(kept, report, tuple(found))


@dataclass(frozen=True)
class CroppedDataset:
    """The manifest of the pictures that were cut, and the photos that were left out."""

    file: Path
    manifest: Manifest
    left_out: tuple[LeftOut, ...]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "file": str(self.file),
            "version": self.manifest.version,
            "photos": len(self.manifest.photos),
            "left_out": [{"file": each.file, "reason": each.reason} for each in self.left_out],
        }


def crop_dataset(
    source: str | Path,
    output: str | Path,
    *,
    cut: Cut = "face",
    size: int = 512,
    enlarge: float = 1.0,
    engine: str | None = None,
    on_photo: Callable[[int, int], None] = lambda done, total: None,
    stopped: Stopped = never,
) -> CroppedDataset:
    """Write the photos of a data set cut and resized into the new folder `output`, with their manifest in it.

    `source`: a manifest, or a folder that one is made of. `cut`: "face" is a square of `size` pixels round the face,
    "whole" the whole photo at the nearest of a few sizes in multiples of 64. A photo that would be enlarged more than
    `enlarge` times is left out. Raises Misuse, ManifestInvalid, DatasetUnreadable, OutputUnwritable, what loading the
    networks raises and, once `stopped`, Interrupted.
    """
    from ...core.faces.engines import load_engine
    from ...core.training.crop_faces import crop_photos
    from ...core.training.data import save_manifest

    folder = Path(output)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Misuse(f"{folder} is there already; give --output a new folder.")
    loaded = load_engine(engine) if engine else load_engine()
    try:
        made, left_out = crop_photos(
            _manifest_of(Path(source)),
            folder,
            loaded,
            cut=cut,
            size=size,
            enlarge=enlarge,
            on_photo=_until(stopped, "cut", on_photo),
        )
        if not made.photos:
            raise DatasetUnreadable(f"No photo of {source} can be cut; {left_out[0].file}: {left_out[0].reason}")
        file = save_manifest(made, folder / "photos.jsonl")
    except OSError as error:
        raise OutputUnwritable(f"{output} cannot be written to ({error.strerror or error}).") from error
    return CroppedDataset(file, made, tuple(left_out))


def _manifest_of(source: Path) -> Manifest:
    """The manifest that a file is, or that is made of a folder."""
    from ...core.training.data import load_manifest
    from ...core.training.data_sources import make_manifest

    return make_manifest([source]).manifest if source.is_dir() else load_manifest(source)


def _until(stopped: Stopped, done: str, on_photo: Callable[[int, int], None]) -> Callable[[int, int], None]:
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
    stopped: Stopped = never,
) -> MadeManifest:
    """Write the manifest of a data set: its photos with their hashes, sizes, splits, labels and attributes.

    `sources`: one folder, or tables whose photos are in one folder. Nothing but `output` is written, and no file is
    replaced. `on_photo` hears how many of how many photos were read. Raises Misuse, DatasetUnreadable, OutputUnwritable
    and, once `stopped`, Interrupted.
    """
    from ...core.training.data import ENDING, persons_across_splits, save_manifest, shared_across_splits
    from ...core.training.data_sources import make_manifest

    target = Path(output)
    if target.suffix != ENDING:
        raise Misuse(f"--output {target} must end in {ENDING}.")
    if target.exists():
        raise Misuse(f"{target} exists; give another --output.")
    if validation + test >= 1 or min(validation, test) < 0:
        raise Misuse(f"--validation {validation} and --test {test} leave nothing to train on.")

    made = make_manifest(
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
        on_photo=_until(stopped, "made", on_photo),
    )
    notes = []
    if shared := shared_across_splits(made.manifest):
        some = next(iter(shared.values()))
        notes.append(f"{len(shared)} files are in more than one split, such as {some[0].file} and {some[1].file}.")
    if persons := persons_across_splits(made.manifest):
        notes.append(f"{len(persons)} persons are in more than one split, such as {next(iter(persons))}.")
    try:
        file = save_manifest(made.manifest, target)
    except OSError as error:
        raise OutputUnwritable(f"{target} cannot be written ({error.strerror or error}).") from error
    return MadeManifest(file, made.manifest, made.refused, made.absent, made.drawn, tuple(notes))
