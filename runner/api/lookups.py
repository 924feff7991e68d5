"""What is looked up and changes nothing but the model store: files' claims, documents' rules, and models."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import LikenessError, ModelCorrupt
from ...core.errors.formats import DocumentUnknown
from ...core.id_photo.document import Document
from ..errors import Misuse

if TYPE_CHECKING:
    from ...core.models.store import Check
    from ...core.provenance.verify_file import Checked

ALIASES = {"gb": "uk", "uae": "ae", "usa": "us", "england": "uk", "great britain": "uk"}
"""Other words for a country, beside its name and the first part of its documents' ids."""


def list_documents(country: str | None = None) -> list[Document]:
    """The documents that an ID photo can be made for; those of one country, by its name or the first letters of ids.

    Raises DocumentUnknown where a country has none.
    """
    from ...core.id_photo.documents import documents

    every = list(documents().values())
    if country is None:
        return every
    word = ALIASES.get(country.casefold().strip(), country.casefold().strip())
    found = [each for each in every if word == each.country.casefold() or each.id.startswith(f"{word}-")]
    if not found:
        countries = ", ".join(dict.fromkeys(each.country for each in every))
        raise DocumentUnknown(f"There is no document of a country {country!r}; there are some of {countries}.")
    return found


def get_document(document_id: str) -> Document:
    """The rules of one document, with their sources. Raises DocumentUnknown."""
    from ...core.id_photo.documents import document

    return document(document_id)


def document_values(document: Document) -> dict[str, Any]:
    """A document for programs: all fields, and ranges as `low` and `high`."""
    return asdict(document)


@dataclass(frozen=True)
class ModelInfo:
    """A model of the manifest. `path`: where its file is on this machine, or None."""

    name: str
    use: str
    size: int
    licence: str
    commercial: str
    about: str
    sha256: str
    path: Path | None

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return asdict(self) | {"path": str(self.path) if self.path else None}


@dataclass(frozen=True)
class ModelFiles:
    """What hashing the files of models has shown: `checks`, in the order of the manifest."""

    checks: tuple[Check, ...]

    @property
    def corrupt(self) -> list[str]:
        """The models whose file is not what the manifest says."""
        return sorted({check.name for check in self.checks if check.state == "corrupt"})

    def refuse_corrupt(self) -> None:
        """Raises ModelCorrupt where a file is not what the manifest says."""
        if names := self.corrupt:
            raise ModelCorrupt(
                f"The file of {' and of '.join(names)} differs from the manifest; fetch it again with:"
                f" likeness models get {' '.join(names)}"
            )

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "models": [
                {
                    "name": check.name,
                    "state": check.state,
                    "path": str(check.path) if check.path else None,
                    "sha256": check.sha256,
                }
                for check in self.checks
            ]
        }


def list_models() -> list[ModelInfo]:
    """Every known model, its licence, and where its file is on this machine."""
    from ...core.models import store

    return [model_info(name) for name in store.names()]


def get_models(*names: str, quiet: bool = True) -> list[ModelInfo]:
    """Fetch models by name, unless they are there already; a damaged file is replaced.

    Unless `quiet`, a bar is drawn. Raises ModelUnknown, DownloadFailed, DiskFull, ModelCorrupt and UnsafeWeights.
    """
    from ...core.models import store

    store.get(*names, quiet=quiet)
    return [model_info(name) for name in names]


def verify_models(*names: str) -> ModelFiles:
    """Hash the files of models by name (of all, without one) and compare with the manifest. Raises ModelUnknown."""
    from ...core.models import store

    return ModelFiles(tuple(store.verify(*names)))


def model_info(name: str) -> ModelInfo:
    """What is known of one model. Raises ModelUnknown."""
    from ...core.models import store

    model = store.entry(name)
    return ModelInfo(
        *(model.name, model.use, model.size, model.licence, model.commercial, model.about, model.sha256),
        path=store.locate(name),
    )


@dataclass(frozen=True)
class VerifiedFile:
    """What a picture file says of its making, or why it cannot be read: one of both is there."""

    path: Path
    checked: Checked | None = None
    error: LikenessError | None = None

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        if self.checked is not None:
            return {"file": str(self.path)} | self.checked.as_dict()
        return {"file": str(self.path)} | ({"error": self.error.as_dict()} if self.error is not None else {})


@dataclass(frozen=True)
class VerifiedFiles:
    """What came of all files: how many were altered after they were signed, and how many cannot be read."""

    files: tuple[VerifiedFile, ...]

    @property
    def altered(self) -> int:
        """Files that are not what was signed."""
        return sum(each.checked is not None and each.checked.credentials.state == "altered" for each in self.files)

    @property
    def unreadable(self) -> int:
        """Files that are no pictures, or damaged."""
        return sum(each.error is not None for each in self.files)

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "files": [each.as_dict() for each in self.files],
            "altered": self.altered,
            "unreadable": self.unreadable,
        }


def verify_files(
    files: Iterable[str | Path],
    trust: str | Path | None = None,
    *,
    on_event: Callable[[VerifiedFile], None] = lambda event: None,
) -> VerifiedFiles:
    """What picture files claim of their making, and whether their content credentials (C2PA) are intact.

    `trust`: certificates of authorities, PEM; without it no signer is trusted. Nothing is sent anywhere. The error of
    a single file is raised; among several it is in the result. Raises Misuse, PhotoMissing and PhotoUnreadable.
    """
    from ...core.provenance.credentials import read_pem
    from ...core.provenance.verify_file import check_file

    paths, found = [Path(file) for file in files], []
    try:
        anchors = None if trust is None else read_pem(Path(trust), "list of trusted authorities")
    except LikenessError as error:
        raise Misuse(str(error)) from error
    for path in paths:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(VerifiedFile(path, check_file(path, anchors)))
        except LikenessError as error:
            if len(paths) == 1:
                raise
            found.append(VerifiedFile(path, error=error))
        on_event(found[-1])
    return VerifiedFiles(tuple(found))


def verify_file(file: str | Path, trust: str | Path | None = None) -> Checked:
    """The same for one file. Raises Misuse, PhotoMissing and PhotoUnreadable."""
    (found,) = verify_files([file], trust).files
    assert found.checked is not None
    return found.checked
