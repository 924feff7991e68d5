"""The contact sheet: every job of a batch as a card in one HTML page, to be filtered, searched and looked at."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...core import __version__, host
from ...core.errors import UnsafePath
from ...core.files import make_private_folder, write_whole, written_whole
from ...core.outcome_words import JOBS
from ..errors import OutputUnwritable
from ..report.html import TEMPLATES, templates
from ..report.pictures import small_jpeg
from ..report.schema_base import finite
from . import verdict_tables as facts
from .job_records import Attempt, Counts, JobRow
from .verdict_tables import CSV_NAME, JSON_NAME

SHEET_NAME, REPORT_NAME = "contact_sheet.html", "report.html"

SIDE = 384
"""Longest side of a thumbnail in pixels."""

INLINE_JOBS, INLINE_BYTES = 60, 4_000_000
"""Up to so many jobs, and so many bytes of thumbnails, the pictures are inside the page; else files beside it."""

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".bmp"})
"""What a browser shows."""

FILES_SHOWN = 24

PHOTO_SUFFIXES = PICTURES | {".tif", ".tiff"}


@dataclass(frozen=True)
class Thumbs:
    """The small pictures of one job: the photo that went in and the result; None where there is none to show."""

    photo: Path | None = None
    result: Path | None = None

    def files(self) -> list[Path]:
        """Those that are there."""
        return [path for path in (self.photo, self.result) if path is not None]


def thumbnail_job(row: JobRow, folder: Path, thumbs: Path) -> Thumbs:
    """Make the small pictures of a job in `thumbs`, where they are missing or older than what they show.

    `folder` is the batch's folder. A batch calls this as each job ends, so that the sheet is quick at its end.
    Raises OutputUnwritable.
    """
    stem = thumb_stem(row)
    result = next((path for name in facts.output_files(row) if (path := _inside(folder, name)) and _shown(path)), None)
    try:
        make_private_folder(thumbs)
        small = _thumb(_first_photo(row), thumbs / f"{stem}-photo.jpg")
        return Thumbs(small, _thumb(result, thumbs / f"{stem}-result.jpg") if result else None)
    except OSError as error:
        raise OutputUnwritable(
            f"The thumbnails cannot be written to {thumbs} ({error.strerror or error}); make room or choose another "
            "output folder."
        ) from error


def thumb_stem(row: JobRow) -> str:
    """What the names of a job's thumbnails begin with: the same for the same job, whatever it is called."""
    return hashlib.sha256(f"{row.key}\0{row.name}".encode("utf-8", "surrogatepass")).hexdigest()[:24]


def write_sheet(
    rows: Iterable[JobRow],
    folder: Path,
    *,
    title: str,
    counts: Counts,
    thumbs: Path,
    page: Path | None = None,
    tables: Sequence[str] = (CSV_NAME, JSON_NAME),
    sort: str = "worst",
) -> Path:
    """Write ``contact_sheet.html`` into the batch's `folder`, for its owner only; its path. Raises OutputUnwritable.

    Thumbnails that are not yet in `thumbs` are made. `page` is another file in `folder`; `tables` are files that it
    links to; `sort` is the order in which it opens, one of those that it offers. The page needs no network; everything
    from outside is text in it.
    """
    rows = list(rows)
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 4)) as pool:
        small = list(pool.map(partial(thumbnail_job, folder=folder, thumbs=thumbs), rows))
    page = page or folder / SHEET_NAME
    try:
        write_whole(page, render_sheet(rows, small, folder, title, counts, tables, sort), private=True)
    except OSError as error:
        raise OutputUnwritable(
            f"The contact sheet cannot be written to {folder} ({error.strerror or error})."
        ) from error
    return page


def render_sheet(
    rows: list[JobRow],
    thumbs: list[Thumbs],
    folder: Path,
    title: str,
    counts: Counts,
    tables: Sequence[str] = (CSV_NAME, JSON_NAME),
    sort: str = "worst",
) -> str:
    """The HTML of the sheet. Raises OSError when a thumbnail has gone."""
    from markupsafe import Markup

    script = "\n" + (TEMPLATES / "contact_sheet.js").read_text("utf-8")
    found = Counter(facts.kind(row) for row in rows)
    jobs, models = _jobs(rows, thumbs, folder)
    every = {model["name"]: model for used in models for model in used}
    html = (
        templates()
        .get_template("contact_sheet.html.j2")
        .render(
            title=title,
            total=len(rows),
            finished=min(counts.finished, counts.total),
            counts=counts,
            kinds=[
                {"kind": kind, "word": shown.heading, "count": found[kind]}
                for kind, shown in JOBS.items()
                if found[kind] or kind != "unchecked"
            ],
            to_look_at=sum(row.report.to_look_at for row in rows),
            tables=[name for name in tables if (folder / name).is_file()],
            models=list(every.values()),
            data=Markup(_for_script({"jobs": jobs, "models": models, "sort": sort})),  # noqa: S704 - escaped there
            script=Markup(script),  # noqa: S704 - our own file
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            date=f"{(now := datetime.now(UTC)).day} {now:%B %Y, %H:%M} UTC",
            version=__version__,
        )
    )
    return html.encode("utf-8", "replace").decode("utf-8")


def _jobs(
    rows: list[JobRow], thumbs: list[Thumbs], folder: Path
) -> tuple[list[dict[str, Any]], list[list[dict[str, str]]]]:
    """The cards, and each different list of models once: a card has the place of its own in it."""
    small = [path for each in thumbs for path in each.files()]
    inside = all(path.is_relative_to(folder) for path in small)
    inline = not inside or (len(rows) <= INLINE_JOBS and sum(path.stat().st_size for path in small) <= INLINE_BYTES)
    jobs, models = [], {}
    for row, each in zip(rows, thumbs, strict=True):
        used = _models(row)
        place = models.setdefault(json.dumps(used), (len(models), used))[0] if used else None
        values = {
            "name": row.name,
            "kind": facts.kind(row),
            "word": facts.word(row),
            "photo": each.photo and _source(each.photo, folder, inline),
            "result": each.result and _source(each.result, folder, inline),
            "input": " | ".join(given.path.name for given in row.spec.photos),
            "settings": [str(setting) for setting in row.spec.settings],
            "score": finite(row.score),
            "threshold": facts.threshold(row),
            "reason": facts.reason(row),
            "look": [each.text for each in row.report.look],
            "picture": (shown := row.report.picture_shown) and shown.heading,
            "to_look_at": row.report.to_look_at or None,
            "code": row.error_code,
            "tries": facts.tries(row),
            "server": row.server,
            "seconds": finite(row.seconds),
            "finished": finite(row.finished),
            "files": _files(row, folder),
            "report": _report(row, folder),
            "attempts": [_attempt(attempt) for attempt in row.attempts],
            "models": place,
            "key": row.key,
        }
        jobs.append({name: value for name, value in values.items() if value not in (None, "", [])})
    return jobs, [used for _, used in models.values()]


def _attempt(attempt: Attempt) -> dict[str, Any]:
    values = {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "seed": attempt.seed,
        "score": finite(attempt.score),
        "seconds": finite(attempt.seconds),
        "server": attempt.server,
        "code": attempt.error_code,
        "error": attempt.error,
    }
    return {name: value for name, value in values.items() if value not in (None, "")}


def _models(row: JobRow) -> list[dict[str, str]]:
    names = ("name", "use", "licence", "commercial")
    return [
        {name: text for name in names if (text := getattr(model, name))} for model in row.report.models if model.name
    ]


def _files(row: JobRow, folder: Path) -> list[dict[str, Any]]:
    """The results as links, and whether a browser can show them."""
    found = []
    for name in facts.output_files(row)[:FILES_SHOWN]:
        path = _inside(folder, name)
        if path is not None:
            found.append({"name": path.name, "href": _href(path, folder), "shown": _shown(path)})
    return found


def _report(row: JobRow, folder: Path) -> str | None:
    name = row.page or (f"{row.folder}/{REPORT_NAME}" if row.folder else None)
    path = _inside(folder, name) if name is not None else None
    return _href(path, folder) if path is not None else None


def _inside(folder: Path, name: str) -> Path | None:
    """A file of the batch's folder; None for one that is missing or elsewhere."""
    try:
        path = host.inside(folder, name)
        return path if path.is_file() else None
    except (UnsafePath, OSError, ValueError):
        return None


def _shown(path: Path) -> bool:
    return path.suffix.lower() in PICTURES


def _href(path: Path, folder: Path) -> str:
    """A link from the page to a file, without anything that a browser could take for a scheme or a query."""
    return quote(os.fsencode(Path(os.path.relpath(path, folder.resolve())).as_posix()))


def _source(path: Path, folder: Path, inline: bool) -> str:
    if inline:
        return "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode()
    return _href(path.resolve(), folder)


def _first_photo(row: JobRow) -> Path | None:
    """The first photo of the job that is there; of a folder its first picture."""
    for given in row.spec.photos:
        try:
            if given.path.is_file() and given.path.suffix.lower() in PHOTO_SUFFIXES:
                return given.path
            if given.path.is_dir():
                return min(
                    (path for path in given.path.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES), default=None
                )
        except (OSError, ValueError):
            continue
    return None


def _thumb(source: Path | None, target: Path) -> Path | None:
    """`target`, made from `source` unless it already shows that state of it. Raises OSError when it cannot be written.

    A thumbnail has its source's modification time; one whose source has gone is still good.
    """
    try:
        stamp = source.stat().st_mtime_ns if source else None
    except OSError:
        stamp = None
    try:
        if stamp is None or target.stat().st_mtime_ns == stamp:
            return target if target.is_file() else None
    except FileNotFoundError:
        pass
    made = small_jpeg(source, SIDE) if source else None
    if made is None or stamp is None:
        return None
    with written_whole(target, private=True) as part:
        part.write_bytes(made[0])
        os.utime(part, ns=(stamp, stamp))
    return target


def _for_script(values: Mapping[str, Any]) -> str:
    """JSON that can stand inside a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
