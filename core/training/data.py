"""The manifest of a data set: one line for each photo, with what it shows, whose it is, and what it is used for."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar, get_args

from ..errors import ManifestInvalid, PhotoMissing, PhotoUnreadable
from ..files import file_sha256, write_new

FORMAT = "likeness-dataset/1"
ENDING = ".jsonl"
MAX_LINE = 1_000_000
"""Bytes of a manifest's line: a caption and 200 attributes take ten thousand."""

MAX_PHOTOS = 2_000_000
"""Lines of a manifest: all of CelebA has a tenth of that."""

MAX_SIZE, MAX_NUMBER = 1 << 40, 1e60
"""Bytes or pixels of a photo, and other numbers: what is larger is none, and would overflow the figures."""

MAX_COLUMNS = 1000
"""Attributes, values and quality figures of a data set, by name: each is held against each other in the report."""

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Photo:
    """One photo of a data set.

    `file` is relative to the data set's root, with forward slashes. `sha256` and `size` (bytes) are the file's, `width`
    and `height` its pixels, upright. `person` is whose photo it is, `label` its class, `attributes` what is true of it
    or not, `values` other facts in words or numbers, `face` a box (left, top, width, height) in pixels, `quality`
    figures by name.
    """

    file: str
    sha256: str
    size: int
    width: int
    height: int
    split: Split = "train"
    person: str | None = None
    label: str | None = None
    caption: str | None = None
    licence: str | None = None
    attributes: Mapping[str, bool] = field(default_factory=dict)
    values: Mapping[str, str | float] = field(default_factory=dict)
    face: tuple[float, float, float, float] | None = None
    quality: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """A data set: its photos in the order of their names, and the folder that they lie in."""

    name: str
    root: Path
    photos: tuple[Photo, ...]
    licence: str | None = None
    source: str | None = None

    @property
    def version(self) -> str:
        """The sha256 of all lines: another photo, label or split is another version, another folder is not."""
        digest = hashlib.sha256()
        for photo in sorted(self.photos, key=lambda each: each.file):
            digest.update(_line(photo).encode() + b"\n")
        return digest.hexdigest()

    def of(self, split: Split) -> tuple[Photo, ...]:
        """The photos of one split."""
        return tuple(photo for photo in self.photos if photo.split == split)

    def path(self, photo: Photo) -> Path:
        """Where a photo is."""
        return self.root / photo.file

    def unchanged_path(self, photo: Photo) -> Path:
        """Where a photo is, if its file is the one that the manifest was made of. Raises PhotoMissing or
        PhotoUnreadable."""
        path = self.path(photo)
        if not path.is_file():
            raise PhotoMissing(f"There is no photo at {path}; give the folder where the photos are now by --root.")
        if path.stat().st_size != photo.size or file_sha256(path) != photo.sha256:
            raise PhotoUnreadable(f"{photo.file} was changed since the manifest was made; make the manifest anew.")
        return path

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of all attributes, in the order in which they first occur."""
        return tuple(dict.fromkeys(name for photo in self.photos for name in photo.attributes))

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of all classes, sorted."""
        return tuple(sorted({photo.label for photo in self.photos if photo.label is not None}))


def save_manifest(manifest: Manifest, file: Path) -> Path:
    """Write a manifest as JSON lines, the first of which is about the whole; no file is replaced. Returns the file.

    It is for its owner only: it says who is on which photo. Raises OSError.
    """
    head = {
        "format": FORMAT,
        "name": manifest.name,
        "version": manifest.version,
        "photos": len(manifest.photos),
        "root": str(manifest.root.absolute()),
        "licence": manifest.licence,
        "source": manifest.source,
    }
    lines = [json.dumps(head, ensure_ascii=False), *map(_line, manifest.photos)]
    return write_new(file, ("\n".join(lines) + "\n").encode(errors="backslashreplace"), private=True)


def load_manifest(file: Path, root: Path | None = None) -> Manifest:
    """Read a manifest; `root` is where its photos are now. Raises ManifestInvalid.

    No photo is opened: `verify_photos` does.
    """
    lines = _lines(file)
    try:
        head = _head(json.loads(next(lines, "")))
        photos = tuple(_photo(json.loads(line)) for line in islice(lines, MAX_PHOTOS))
        folder = root or Path(_text(head, "root"))
        manifest = Manifest(_text(head, "name"), folder, photos, head.get("licence"), head.get("source"))
        check_columns(manifest)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestInvalid(f"{file} cannot be read as a data set's manifest: {error}; make it anew.") from error
    if next(lines, None) is not None:
        raise ManifestInvalid(f"{file} has more than {MAX_PHOTOS:,} photos; make a manifest of a part of them.")
    if manifest.version != head.get("version"):
        raise ManifestInvalid(f"{file} was changed: its lines are not those of its version; make it anew.")
    return manifest


def split_photos(photos: Iterable[Photo], *, validation: float = 0.1, test: float = 0.1) -> tuple[Photo, ...]:
    """The photos with a split each, drawn by a hash: of the person where it is known, else of the file's content.

    All photos of one person, and all copies of one file, are in the same split; persons who share a file count as one.
    Else a photo's split depends on nothing but its own person or content, so that it stays when photos are added.
    """
    photos = tuple(photos)
    group = _groups(photos)
    return tuple(replace(photo, split=_drawn(group[index], validation, test)) for index, photo in enumerate(photos))


def _groups(photos: tuple[Photo, ...]) -> list[str]:
    """For each photo the name of its group: the first person, else content, of all that it hangs together with."""
    persons = [None if photo.person is None else f"person {photo.person}" for photo in photos]
    contents = [f"content {photo.sha256}" for photo in photos]
    pairs = ((content, person or content) for content, person in zip(contents, persons, strict=True))
    names = {key: _first(group) for group in groups_of(pairs) for key in group}
    return [names[content] for content in contents]


def _first(group: list[str]) -> str:
    return next((name for name in group if name.startswith("person")), group[0])


Place = TypeVar("Place", int, str)


def groups_of(pairs: Iterable[tuple[Place, Place]]) -> list[list[Place]]:
    """What hangs together by pairs, each group sorted, the largest first; one paired with itself is a group too."""
    parent: dict[Place, Place] = {}

    def root_of(place: Place) -> Place:
        while (above := parent.setdefault(place, place)) != place:
            parent[place] = place = parent[above]
        return place

    for one, other in pairs:
        low, high = sorted((root_of(one), root_of(other)))
        parent[high] = low
    groups: dict[Place, list[Place]] = {}
    for place in sorted(parent):
        groups.setdefault(root_of(place), []).append(place)
    return sorted(groups.values(), key=lambda group: (-len(group), group))


def _drawn(name: str, validation: float, test: float) -> Split:
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"


def shared_across_splits(manifest: Manifest) -> dict[str, list[Photo]]:
    """The files (by sha256) that are in more than one split: what is learned from one is measured on the other."""
    by_content: dict[str, list[Photo]] = {}
    for photo in manifest.photos:
        by_content.setdefault(photo.sha256, []).append(photo)
    return {key: found for key, found in by_content.items() if len({photo.split for photo in found}) > 1}


def persons_across_splits(manifest: Manifest) -> dict[str, Counter[Split]]:
    """The persons who are in more than one split, with how many photos of them are in each."""
    by_person: dict[str, Counter[Split]] = {}
    for photo in manifest.photos:
        if photo.person is not None:
            by_person.setdefault(photo.person, Counter())[photo.split] += 1
    return {person: counts for person, counts in by_person.items() if len(counts) > 1}


def _line(photo: Photo) -> str:
    """A photo as a line: its keys sorted, and those that are empty left out."""
    values = {each.name: getattr(photo, each.name) for each in fields(Photo)}
    return json.dumps({key: value for key, value in values.items() if value not in (None, {})}, sort_keys=True)


def _lines(file: Path) -> Iterator[str]:
    try:
        with file.open("rb") as stream:
            while line := stream.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE:
                    raise ManifestInvalid(f"{file} has a line of more than {MAX_LINE:,} bytes, and is no manifest.")
                if line.strip():
                    yield line.decode()
    except OSError as error:
        raise ManifestInvalid(f"{file} cannot be read ({error.strerror or error}); check the name.") from error


def check_columns(manifest: Manifest) -> None:
    """Raise ValueError for photos of one name, and for more attributes and values than can be compared."""
    if len({photo.file for photo in manifest.photos}) < len(manifest.photos):
        raise ValueError("two lines are of one photo")
    names = {
        name for photo in manifest.photos for held in (photo.attributes, photo.values, photo.quality) for name in held
    }
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"it has {len(names):,} attributes and values, more than {MAX_COLUMNS:,}")


def _head(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or entry.get("format") != FORMAT:
        raise ValueError(f"its first line is no head of {FORMAT}")
    if not all(isinstance(entry.get(key), str | None) for key in ("licence", "source")):
        raise TypeError("its licence or source is no text")
    return entry


def _photo(entry: Any) -> Photo:
    """A line of a manifest. Raises ValueError, TypeError or KeyError for what no data set of ours has."""
    if not isinstance(entry, dict):
        raise TypeError("a line is no object")
    unknown = entry.keys() - {each.name for each in fields(Photo)}
    if unknown:
        raise ValueError(f"a line has the unknown key {min(unknown)!r}")
    file, split = _text(entry, "file"), entry.get("split", "train")
    place = PurePosixPath(file)
    if place.is_absolute() or ".." in place.parts or "\\" in file or "\0" in file:
        raise ValueError(f"{file!r} leads out of the data set")
    if split not in SPLITS:
        raise ValueError(f"{file} has the split {split!r}; it is one of {', '.join(SPLITS)}")
    if not place.name:
        raise ValueError("a line names no photo")
    for key in ("size", "width", "height"):
        if not isinstance(entry[key], int) or isinstance(entry[key], bool) or not 0 < entry[key] < MAX_SIZE:
            raise ValueError(f"{file} has a {key} that is none")
    for key, kinds in _KINDS.items():
        held = entry.get(key, {})
        if not isinstance(held, dict) or not all(isinstance(value, kinds) for value in held.values()):
            raise ValueError(f"{file} has {key} of another kind")
        if not all(isinstance(value, str) or abs(value) <= MAX_NUMBER for value in held.values()):
            raise ValueError(f"{file} has a number in its {key} that is none")
    for key in ("person", "label", "caption", "licence"):
        if not isinstance(entry.get(key), str | None):
            raise TypeError(f"{file} has the {key} {entry[key]!r}, which is no text")
    face = entry.get("face")
    if face is not None and not _is_box(face, entry["width"], entry["height"]):
        raise ValueError(f"{file} has a face that is no box in the photo")
    return Photo(**entry | {"sha256": _text(entry, "sha256"), "face": None if face is None else tuple(face)})


def _is_box(face: Any, width: int, height: int) -> bool:
    """Whether it is left, top, width and height of something that reaches into a photo of that size."""
    if not isinstance(face, list) or [type(number) in (int, float) for number in face] != [True] * 4:
        return False
    left, top, wide, high = face
    inside = -width < left < width and -height < top < height
    return inside and 1 <= wide <= 2 * width and 1 <= high <= 2 * height


_KINDS: dict[str, type | tuple[type, ...]] = {"attributes": bool, "values": (str, int, float), "quality": (int, float)}


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is {value!r}, which is no text")
    return value
