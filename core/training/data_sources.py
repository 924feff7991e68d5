"""What a data set is made from: a folder, folders of classes, a table (CSV or JSON lines), or CelebA's own files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal, get_args

from ..errors import DatasetUnreadable, PhotoError
from ..files import file_sha256
from ..imaging.files import SUFFIXES, opened
from .data import MAX_NUMBER, MAX_PHOTOS, SPLITS, Manifest, Photo, Split, check_columns, split_photos
from .read_table import read_table

Kind = Literal["folder", "classes", "persons", "table", "celeba"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "0"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "1"), "validation"),
    **dict.fromkeys(("test", "testing", "2"), "test"),
}
"""What folders and columns call the splits; the digits are CelebA's (list_eval_partition.txt)."""

COLUMNS = {
    **dict.fromkeys(("file", "file_name", "filename", "image", "image_id", "path", "photo"), "file"),
    **dict.fromkeys(("person", "identity", "person_id", "subject"), "person"),
    **dict.fromkeys(("label", "class", "target"), "label"),
    **dict.fromkeys(("split", "partition", "set", "subset"), "split"),
    **dict.fromkeys(("caption", "text", "prompt"), "caption"),
    **dict.fromkeys(("licence", "license"), "licence"),
}
"""What the columns of a table are called, and what they mean here; others are attributes or values."""

TRUE, FALSE = {"1", "true", "yes"}, {"0", "-1", "false", "no"}


@dataclass
class Row:
    """One photo of a source, before its file is read: what is said of it by name."""

    file: str
    facts: dict[str, str]


@dataclass(frozen=True)
class MadeDataset:
    """A manifest, and what was left out of it: the photos that cannot be read, and the rows without a photo."""

    manifest: Manifest
    refused: tuple[str, ...]
    absent: int
    drawn: bool
    """Whether the splits were drawn here, and not the source's own."""


def make_manifest(
    sources: Sequence[Path],
    *,
    kind: Kind | Literal["auto"] = "auto",
    photos: Path | None = None,
    identities: Path | None = None,
    partition: Path | None = None,
    name: str = "",
    licence: str | None = None,
    validation: float = 0.1,
    test: float = 0.1,
    split_anew: bool = False,
    on_photo: Callable[[int, int], None] = lambda done, total: None,
) -> MadeDataset:
    """The manifest of a data set on disk; each photo is hashed and decoded once, nothing is changed.

    `sources`: a folder, or tables (.csv, .jsonl, .txt, or one of these in a .zip) whose photos are in `photos`.
    `identities` and `partition`: CelebA's identity_CelebA.txt and list_eval_partition.txt, or tables with their
    columns. Where the source says no split, or the same of all, or with `split_anew`, it is drawn by `split_photos`.
    Raises DatasetUnreadable.
    """
    kinds: set[Kind] = {kind_of(source) if kind == "auto" else kind for source in sources}
    if len(sources) > 1 and not kinds <= {"table", "celeba"}:
        raise DatasetUnreadable("Several folders are no data set; give the folder that they are in.")
    first = sources[0]
    root, rows = _rows(sources, kinds.pop(), photos)
    rows = _joined(rows, identities, "person")
    rows = _joined(rows, partition, "split")
    found, refused, absent = _read(root, list(rows), on_photo)
    if not found:
        why = f", such as: {refused[0]}" if refused else f"; photos end in {', '.join(sorted(SUFFIXES))}."
        raise DatasetUnreadable(
            f"Of {first} no photo can be used: {absent:,} are not in {root}, {len(refused):,} cannot be read{why}"
        )
    drawn = split_anew or len({row.facts.get("split") for row, _ in found}) == 1
    attributes = _attributes(row for row, _ in found)
    made = tuple(_photo(row, seen, attributes) for row, seen in found)
    made = split_photos(made, validation=validation, test=test) if drawn else made
    ordered = tuple(sorted(made, key=lambda photo: photo.file))
    manifest = Manifest(name or first.stem, root, ordered, licence, ", ".join(source.name for source in sources))
    try:
        check_columns(manifest)
    except ValueError as error:
        raise DatasetUnreadable(f"{first} makes no data set: {error}; give a table of fewer columns.") from error
    return MadeDataset(manifest, tuple(refused), absent, drawn)


def kind_of(source: Path) -> Kind:
    """What a source is by its looks. Raises DatasetUnreadable for what is nothing of it."""
    if source.is_dir():
        inside = [each for each in source.iterdir() if each.is_dir()]
        loose = any(each.suffix.lower() in SUFFIXES for each in source.iterdir() if each.is_file())
        return "folder" if loose or not inside else "classes"
    if source.suffix.lower() not in (".csv", ".jsonl", ".txt", ".zip"):
        raise DatasetUnreadable(f"{source} is neither a folder nor a table (.csv, .jsonl, .txt, .zip); check the name.")
    return "celeba" if re.search(r"list_attr", source.name) else "table"


def _rows(sources: Sequence[Path], kind: Kind, photos: Path | None) -> tuple[Path, Iterable[Row]]:
    """The folder that the rows' files are relative to, and the rows."""
    source = sources[0]
    if kind in ("folder", "classes", "persons"):
        if not source.is_dir():
            raise DatasetUnreadable(f"There is no folder {source}; check the name.")
        return source, _of_folder(source, kind)
    root = photos or source.parent
    if not root.is_dir():
        raise DatasetUnreadable(f"There is no folder {root} of photos; check the name.")
    return root, chain.from_iterable(map(_of_table, sources))


def _of_folder(folder: Path, kind: Kind) -> Iterator[Row]:
    """The photos below a folder: the last folder names the class or person, one above it may name the split."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        place = path.relative_to(folder)
        if _is_hidden(place):
            continue
        facts: dict[str, str] = {}
        folders = list(place.parts[:-1]) if kind != "folder" else []
        if folders and _names_split(folders[0]):
            facts["split"] = folders.pop(0)
        if folders:
            facts["label" if kind == "classes" else "person"] = folders[-1]
        yield Row(place.as_posix(), facts)


def _names_split(folder: str) -> bool:
    """Whether a folder is called like a split; digits are classes and persons there."""
    return folder.lower() in SPLIT_NAMES and not folder.isdigit()


def _of_table(file: Path) -> Iterator[Row]:
    """The rows of a table; a row that lacks cells, or has too many, is an error."""
    for number, entry in enumerate(read_table(file), start=2):
        facts = {COLUMNS.get(key.strip().lower(), key.strip()): value for key, value in entry.items()}
        name = facts.pop("file", None)
        if not name:
            raise DatasetUnreadable(
                f"{file.name} names no photo in row {number}; one of its columns must be called {', '.join(_NAMES)}."
            )
        above = next(iter(PurePosixPath(name).parts), "")
        if _names_split(above):
            facts.setdefault("split", above)
        yield Row(name, facts)


_NAMES = [name for name, meaning in COLUMNS.items() if meaning == "file"]


def _joined(rows: Iterable[Row], table: Path | None, fact: str) -> Iterable[Row]:
    """The rows with what another table says of their files, such as CelebA's identities.

    A file is the one of that place, else the one of that name. Raises DatasetUnreadable for a table without the fact,
    and where it names several photos by one name.
    """
    if table is None:
        return rows
    said = {row.file: row.facts.get(fact) or row.facts.get("value", "") for row in _of_table(table)}
    if not any(said.values()):
        raise DatasetUnreadable(f"{table.name} has no column {fact!r}; give a table that says it for each photo.")
    known = list(rows)
    names = Counter(_bare(row) for row in known)
    for row in known:
        if row.file not in said and _bare(row) in said and names[_bare(row)] > 1:
            raise DatasetUnreadable(
                f"{table.name} names {_bare(row)}, and {names[_bare(row)]} photos are called so; name their folders."
            )
    found = (said.get(row.file) or said.get(_bare(row)) for row in known)
    return [Row(row.file, row.facts | ({fact: word} if word else {})) for row, word in zip(known, found, strict=True)]


def _bare(row: Row) -> str:
    return PurePosixPath(row.file).name


def _read(
    root: Path, rows: list[Row], on_photo: Callable[[int, int], None]
) -> tuple[list[tuple[Row, Photo]], list[str], int]:
    """The rows whose photo is there and whole, with the bare facts of its file; who is refused and how many are not."""
    if len(rows) > MAX_PHOTOS:
        raise DatasetUnreadable(f"The data set has {len(rows):,} photos, more than {MAX_PHOTOS:,}; give a part of it.")
    found, refused, absent, taken = [], [], 0, set()
    there = _files_below(root)
    on_photo(0, len(rows))
    for number, row in enumerate(rows, start=1):
        place = there.get(row.file) or _same_end(row.file, there.get(PurePosixPath(row.file).name))
        if place is None:
            absent += 1
            continue
        if "\\" in place:
            refused.append(f"{place} has a backslash in its name, which is a folder on Windows; rename it.")
            continue
        try:
            with opened(root / place) as picture:
                turned = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                picture.load()
                width, height = picture.size[::-1] if turned else picture.size
        except PhotoError as error:
            refused.append(str(error))
            continue
        path = root / place
        if place in taken:
            raise DatasetUnreadable(f"{place} stands in two rows of the table; mend it.")
        taken.add(place)
        found.append((row, Photo(place, file_sha256(path), path.stat().st_size, width, height)))
        on_photo(number, len(rows))
    return found, refused, absent


def _same_end(named: str, place: str | None) -> str | None:
    """The place of a photo of that name, unless its folders are others than those that the row names."""
    if place is None:
        return None
    short, long = sorted((PurePosixPath(named).parts, PurePosixPath(place).parts), key=len)
    return place if long[-len(short) :] == short else None


def _files_below(root: Path) -> dict[str, str]:
    """Where the photos below a folder are, by their place and, where only one has it, by their name."""
    places: dict[str, str] = {}
    names: dict[str, list[str]] = {}
    for path in root.rglob("*"):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not _is_hidden(path.relative_to(root)):
            place = path.relative_to(root).as_posix()
            places[place] = place
            names.setdefault(path.name, []).append(place)
    return {name: found[0] for name, found in names.items() if len(found) == 1} | places


def _is_hidden(place: PurePath) -> bool:
    """Whether a file is none of the user's: of a hidden folder, or a Mac's notes beside the photos."""
    return any(part.startswith(".") or part == "__MACOSX" for part in place.parts)


def _attributes(rows: Iterable[Row]) -> set[str]:
    """The columns whose cells all say yes or no; an empty cell says nothing."""
    names: dict[str, bool] = {}
    for row in rows:
        for name, word in row.facts.items():
            names[name] = names.get(name, True) and word.strip().lower() in TRUE | FALSE | {""}
    return {name for name, always in names.items() if always and name not in COLUMNS.values()}


def _photo(row: Row, seen: Photo, attributes: set[str]) -> Photo:
    """A photo with all that its row says. Raises DatasetUnreadable for a split of no known name."""
    facts = {name: word for name, word in row.facts.items() if word.strip()}
    split = facts.pop("split", "train").strip().lower()
    if split not in SPLIT_NAMES:
        raise DatasetUnreadable(f"{row.file} is in the split {split!r}; splits are {', '.join(SPLITS)}.")
    known = {key: facts.pop(key) for key in ("person", "label", "caption", "licence") if key in facts}
    held = {name: facts.pop(name).strip().lower() in TRUE for name in list(facts) if name in attributes}
    values = {name: _number(word) for name, word in facts.items()}
    return replace(seen, split=SPLIT_NAMES[split], attributes=held, values=values, **known)


def _number(word: str) -> str | float:
    """A number that figures can be made of, or the word: JSON has no NaN, and 1e90 to the fourth is none."""
    try:
        number = float(word)
    except ValueError:
        return word
    return number if abs(number) <= MAX_NUMBER else word
