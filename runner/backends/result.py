"""What one finished run gives: its files, what each node showed, and what the checks among them say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...core.models.transfer import sha256
from ...core.outcome_words import worst_picture
from ..workflow.input_files import InputPhoto


@dataclass(frozen=True)
class SavedFile:
    """A picture on this machine, and the node that made it."""

    path: Path
    node: str
    title: str


@dataclass(frozen=True)
class NodeTime:
    """How long a node took. A cached node took its result from an earlier run."""

    node: str
    title: str
    class_type: str
    seconds: float
    cached: bool = False


def hash_of(path: Path) -> str:
    """The sha256 of a file that a report is about; empty where it is not there any more."""
    try:
        found = path.stat()
        return _hash(path, found.st_size, found.st_mtime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=256)
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    return sha256(path)


def judged_images(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The pictures that a likeness report is about: where some were chosen among many, the chosen ones."""
    images = [image for image in report.get("images") or () if isinstance(image, Mapping)]
    kept = report.get("kept")
    return [image for image in images if image.get("index") in kept] if isinstance(kept, list) else images


def report_passed(report: Mapping[str, Any]) -> bool:
    """Whether a likeness report says yes."""
    if not isinstance(report.get("kept"), list):
        return report.get("all_passed") is True
    judged = judged_images(report)
    return bool(judged) and all(image.get("passed") is True for image in judged)


def reasons_of(picture: object) -> list[str]:
    """What the verdict on a picture in a likeness report gives as reasons."""
    reasons = picture.get("reasons") if isinstance(picture, Mapping) else None
    return [each for each in reasons if isinstance(each, str)] if isinstance(reasons, list) else []


@dataclass
class RunResult:
    """One finished run. `ui` is what each node showed, by node id, as a server's history has it.

    `notes` says what went wrong on the way and was mended. `server_seconds` is the server's own time for the prompt.
    `engine` is for programs; `place` is where it ran in words for people, and `remote` says whether that is another
    machine's, so that paths in `ui` are paths there: neither is in the JSON.
    """

    workflow: str
    workflow_hash: str
    engine: str
    outputs: list[SavedFile] = field(default_factory=list)
    previews: list[SavedFile] = field(default_factory=list)
    ui: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    times: list[NodeTime] = field(default_factory=list)
    photos: list[InputPhoto] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    model_files: list[dict[str, Any]] = field(default_factory=list)
    prompt_id: str | None = None
    server_seconds: float | None = None
    seconds: float = 0.0
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    place: str = ""
    remote: bool = False

    def __post_init__(self) -> None:
        self.place = self.place or self.engine

    def shown(self, key: str) -> Iterator[tuple[str, Any]]:
        """Every value that a node showed under `key`, with the node's id."""
        for node, values in self.ui.items():
            shown = values.get(key)
            yield from ((node, value) for value in (shown if isinstance(shown, list | tuple) else ()))

    @property
    def saved_nothing(self) -> bool:
        """Whether neither a file nor a verdict came of the run: its nodes only showed what they were given."""
        return not self.outputs and self.verdict is None and next(self.shown("saved"), None) is None

    @property
    def models(self) -> list[dict[str, Any]]:
        """The models that nodes say they used, then the other files that the workflow names, each once."""
        entries = (value for _, value in self.shown("models") if isinstance(value, dict) and value.get("name"))
        used = {str(entry["name"]): entry for entry in entries}
        return [*used.values(), *(entry for entry in self.model_files if entry["name"] not in used)]

    @property
    def likeness(self) -> list[dict[str, Any]]:
        """The reports of the likeness checks, each with the title of its node."""
        return self._reports("likeness")

    @property
    def enrollments(self) -> list[dict[str, Any]]:
        """What became of the reference photos, for each node that enrolled a person."""
        return self._reports("enrollment")

    @property
    def compliance(self) -> list[dict[str, Any]]:
        """The reports on photos that were judged by rules, one for each photo."""
        return self._reports("compliance")

    @property
    def id_photos(self) -> list[dict[str, Any]]:
        """The reports on ID photos that were made, one for each photo."""
        return self._reports("id_photo")

    @property
    def comparisons(self) -> list[dict[str, Any]]:
        """The reports of the nodes that compare pictures: they say nothing about the run as a whole."""
        return self._reports("comparison")

    @property
    def measured(self) -> list[dict[str, Any]]:
        """Stages that nodes measured. `cached`: the stage took its result, and so its figures, from an earlier run."""
        kept = {time.node for time in self.times if time.cached}
        return [report | {"cached": report["node"] in kept} for report in self._reports("measured")]

    @property
    def look(self) -> list[dict[str, Any]]:
        """What a person should look at in the pictures, in sentences, with the node that noticed it, each once."""
        said = [(node, text) for node, text in self.shown("look") if isinstance(text, str) and text]
        for report in self.likeness:
            judged = [image.get("picture") for image in judged_images(report)]
            said += [(report["node"], text) for picture in judged for text in reasons_of(picture)]
        return [
            {"text": text, "node": node, "title": self.titles.get(node, node)} for node, text in dict.fromkeys(said)
        ]

    @property
    def picture(self) -> str | None:
        """The worst verdict on a picture itself (pass, not seen, look or fail); None when nothing looked at one."""
        judged = [image["picture"] for report in self.likeness for image in judged_images(report) if "picture" in image]
        found = [str(picture.get("verdict")) if isinstance(picture, Mapping) else "" for picture in judged]
        return worst_picture([*found, *("look" for _ in self.shown("look"))])

    def _reports(self, key: str) -> list[dict[str, Any]]:
        return [
            report | {"node": node, "title": self.titles.get(node, node)}
            for node, report in self.shown(key)
            if isinstance(report, dict)
        ]

    @property
    def verdict(self) -> bool | None:
        """Whether every check passed: of likeness, and of photos by rules; None when the workflow has none.

        A photo of which a rule is uncertain has not failed.
        """
        judged = [report_passed(report) for report in self.likeness]
        judged += [report.get("verdict") in {"pass", "uncertain"} for report in self.compliance]
        judged += [not report.get("broken") for report in self.id_photos]
        return all(judged) if judged else None

    def as_dict(self) -> dict[str, Any]:
        """The result for machine output."""
        return {
            "workflow": {"name": self.workflow, "hash": self.workflow_hash},
            "engine": self.engine,
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 3),
            "server_seconds": self.server_seconds,
            "prompt_id": self.prompt_id,
            "notes": self.notes,
            "saved_nothing": self.saved_nothing,
            "verdict": self.verdict,
            "picture": self.picture,
            "look": self.look,
            "outputs": [
                {"file": str(f.path), "node": f.node, "title": f.title, "sha256": hash_of(f.path)} for f in self.outputs
            ],
            "photos": [
                {"name": p.name, "node": p.node, "title": p.title, "sha256": hash_of(p.path)} for p in self.photos
            ],
            "likeness": self.likeness,
            "enrollments": self.enrollments,
            "compliance": self.compliance,
            "id_photos": self.id_photos,
            "comparisons": self.comparisons,
            "measured": self.measured,
            "models": self.models,
            "times": [asdict(time) | {"seconds": round(time.seconds, 4)} for time in self.times],
            "text": {node: list(values["text"]) for node, values in self.ui.items() if values.get("text")},
        }
