"""Photos of a data set screened, cut and captioned for training: always into new files, nothing in place."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.choices import DEFAULT_ENGINE, FacePolicy
from ...core.errors import DatasetUnreadable
from ...core.files import make_private_folder, write_exclusively, write_new
from ...core.interrupt import Stopped, stoppable
from ..errors import Misuse
from .datasets import manifest_of, until, writing

if TYPE_CHECKING:
    from ...core.training.captions import Style
    from ...core.training.crop_faces import Cut, LeftOut
    from ...core.training.data import Manifest
    from ...core.training.screen_photos import ScreenedPhoto

SCREENING = "likeness-dataset-screening/1"


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
    stopped: Stopped | None = None,
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
    from ..backends.execute import check_writable

    check_writable(Path(output))
    manifest = manifest_of(Path(source))
    loaded = load_engine(engine or DEFAULT_ENGINE)
    found = stoppable(
        lambda stopped: screen_photos(
            manifest,
            loaded,
            min_face=min_face,
            several=several,
            one_person=one_person,
            on_photo=until(stopped, "screened", on_photo),
        ),
        stopped,
    )
    rows = [
        {"file": each.photo.file, "problems": each.problems, "doubts": each.doubts, "copy_of": each.copy_of}
        for each in found
    ]
    about = {"format": SCREENING, "of": manifest.version, "engine": loaded.key, "min_face": min_face, "photos": rows}
    with writing(output):
        make_private_folder(Path(output))
        kept = save_manifest(replace(manifest, photos=kept_photos(found)), Path(output) / "kept.jsonl")
        text = json.dumps(about, indent=1, ensure_ascii=False)
        report = write_new(Path(output) / "screening.json", text.encode(), private=True)
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
    stopped: Stopped | None = None,
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
    loaded = load_engine(engine or DEFAULT_ENGINE)

    def work(stopped: Stopped) -> CroppedDataset:
        told = until(stopped, "cut", on_photo)
        made, left_out = crop_photos(
            manifest_of(Path(source)), folder, loaded, cut=cut, size=size, enlarge=enlarge, on_photo=told
        )
        if not made.photos:
            why = f"; {left_out[0].file}: {left_out[0].reason}" if left_out else ", for it has none."
            raise DatasetUnreadable(f"No photo of {source} can be cut{why}")
        return CroppedDataset(save_manifest(made, folder / "photos.jsonl"), made, tuple(left_out))

    try:
        with writing(output):
            return stoppable(work, stopped)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # pictures without their manifest are of no use, and in the way
        raise


@dataclass(frozen=True)
class CaptionedDataset:
    """The manifest with captions, and what could not be measured of which photo."""

    file: Path
    manifest: Manifest
    unseen: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "file": str(self.file),
            "version": self.manifest.version,
            "photos": len(self.manifest.photos),
            "unseen": list(self.unseen),
        }


def caption_dataset(
    source: str | Path,
    output: str | Path,
    *,
    subject: str = "a person",
    style: Style = "sentence",
    measured: bool = True,
    attributes: Iterable[str] | None = None,
    captioner: str | None = None,
    texts: str | Path | None = None,
    engine: str | None = None,
    on_photo: Callable[[int, int], None] = lambda done, total: None,
    stopped: Stopped | None = None,
) -> CaptionedDataset:
    """Write a manifest with a caption for each photo: what varies is named, the person is `subject`.

    `source`: a manifest, or a folder that one is made of. `measured`: pose, framing, light and background are measured.
    `attributes`: the names of those that are said; else all but what annotators judged. `captioner`: a model in the
    folder ``captioning`` of the models, which also reads hair, clothes and expression. `texts`: a new folder for a text
    file for each photo, as other trainers read them. Raises Misuse, ManifestInvalid, DatasetUnreadable,
    OutputUnwritable, what loading the networks raises and, once `stopped`, Interrupted.
    """
    from ...core.faces.engines import load_engine
    from ...core.prompting.captioner import load_captioner
    from ...core.training.captions import caption_photos
    from ...core.training.data import ENDING, save_manifest
    from ..backends.execute import check_writable

    target, folder = Path(output), None if texts is None else Path(texts)
    if target.suffix != ENDING or target.exists():
        raise Misuse(f"--output {target} must end in {ENDING} and be a new file.")
    if captioner and not measured:
        raise Misuse("--captioner describes beside what is measured; leave --no-measured out.")
    check_writable(target.parent)
    manifest = manifest_of(Path(source))
    chosen = None if attributes is None else list(attributes)
    unknown = set(chosen or ()) - set(manifest.attributes)
    if unknown:
        raise Misuse(
            f"The data set has no attribute {min(unknown)!r}; it has: {', '.join(manifest.attributes) or 'none'}."
        )
    files = {} if folder is None else _text_files(manifest, folder)
    networks = load_engine(engine or DEFAULT_ENGINE) if measured else None
    reader = load_captioner(captioner) if captioner else None
    made, unseen = stoppable(
        lambda stopped: caption_photos(
            manifest,
            engine=networks,
            captioner=reader,
            subject=subject,
            style=style,
            attributes=chosen,
            on_photo=until(stopped, "captioned", on_photo),
        ),
        stopped,
    )
    with writing(target):
        for photo in made.photos if files else ():
            make_private_folder(files[photo.file].parent)
            write_exclusively(files[photo.file], ((photo.caption or "") + "\n").encode(), private=True)
        file = save_manifest(made, target)
    return CaptionedDataset(file, made, tuple(unseen))


def _text_files(manifest: Manifest, folder: Path) -> dict[str, Path]:
    """The text file of each photo. Raises Misuse where one is there already, or two photos would have one."""
    files = {photo.file: (folder / photo.file).with_suffix(".txt") for photo in manifest.photos}
    taken: set[Path] = set()
    for name, file in files.items():
        if file in taken or file.exists():
            raise Misuse(f"--texts {folder}: {file.name} for {name} is there already; give a new folder.")
        taken.add(file)
    return files
