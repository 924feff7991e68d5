"""Record what the ``likeness`` command answers on fixed photos, to compare two versions of the code.

``python record.py OUT --faces FOLDER --photos FOLDER --portraits FOLDER [--only NAME…] [--server URL]`` runs every
case through the command that is found on PATH, and writes OUT/record.json: exit code, events, result, and the facts
of every file that was written. Times, dates, paths, versions and random ids are left out. The photos are any; two
records compare only if both were made with the same ones. compare.py says where two records differ.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import html
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from cases import Case, local_cases, prepare_photos, server_cases
from PIL import Image

VOLATILE = {
    *("seconds", "started", "finished", "server_seconds", "prompt_id", "pid", "mtime_ns", "versions", "per_minute"),
    *("seconds_left", "median_seconds", "peak_memory_bytes"),
}
SKIPPED_EVENTS = {"progress", "result"}
SKIPPED_FILES = {".lock", ".sqlite-wal", ".sqlite-shm"}
WORDS = [
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|Z|[+-]\d\d:\d\d)?", "<time>"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
    (r"\b\d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d UTC", "<time>"),
    (r"(?i)\b(likeness[- ]studio|python|torch|onnxruntime|numpy|pillow|comfyui):? \d+\.\d+[\w.+-]*", r"\1 <version>"),
    (r"\blikeness/[0-9a-f]{12}/", "likeness/<id>/"),
    (r"/[^\s\"']*/output/(?=identities/)", "<output>/"),
    (r"https?://(127\.0\.0\.1|localhost):\d+", "<server>"),
    (r"\b\d+(\.\d+)? (s|ms|seconds?|minutes?|photos per minute)\b", "<amount>"),
]
"""What may differ from run to run inside of a text."""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def steady_text(text: str, work: Path) -> str:
    """A text without what differs from run to run."""
    text = text.replace(str(work), "<work>")
    for pattern, name in WORDS:
        text = re.sub(pattern, name, text)
    return text


def steady(value: Any, work: Path) -> Any:
    """A JSON value without what differs from run to run; JSON inside of a text is opened."""
    if isinstance(value, dict):
        return {steady_text(str(key), work): steady(each, work) for key, each in value.items() if key not in VOLATILE}
    if isinstance(value, list | tuple):
        return [steady(each, work) for each in value]
    if isinstance(value, bytes):
        return steady(value.decode("utf-8", "replace"), work)
    if isinstance(value, str):
        if value[:1] in ("{", "["):
            try:
                return {"json": steady(json.loads(value), work)}
            except ValueError:
                pass
        return steady_text(value, work)
    return value


def picture_facts(path: Path, work: Path) -> dict[str, Any]:
    """Size, mode, pixels and what the file carries beside them; a profile's date is not looked at."""
    with Image.open(path) as picture:
        picture.load()
        pixels = np.asarray(picture)
        info: dict[str, Any] = {}
        for key, value in sorted(picture.info.items(), key=lambda item: str(item[0])):
            if key == "icc_profile" and isinstance(value, bytes):
                info["icc_profile"] = digest(value[:24] + value[36:84] + value[100:])
            elif isinstance(value, bytes) and key not in {"xmp", "XML:com.adobe.xmp"}:
                info[str(key)] = digest(value)
            else:
                info[str(key)] = steady(value if isinstance(value, str | bytes) else str(value), work)
        return {
            "format": picture.format,
            "size": list(picture.size),
            "mode": picture.mode,
            "pixels": digest(picture.tobytes()),
            "mean": [round(float(mean), 4) for mean in pixels.reshape(-1, *pixels.shape[2:]).mean(0).reshape(-1)],
            "bytes": path.stat().st_size,
            "info": info,
        }


def pdf_facts(path: Path) -> dict[str, Any]:
    """Pages, and everything but dates and the id that is made of them."""
    data = re.sub(rb"\(D:\d{14}[^)]*\)|/ID\s*\[<\w+><\w+>\]", b"", path.read_bytes())
    return {"pages": len(re.findall(rb"/Type /Page\b", data)), "bytes": len(data), "digest": digest(data)}


def tensor_facts(path: Path, work: Path) -> dict[str, Any]:
    """The header of a safetensors file and a digest, sum and size of each tensor."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    facts: dict[str, Any] = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            facts[name] = steady(entry, work)
            continue
        first, last = entry["data_offsets"]
        raw = data[start + first : start + last]
        facts[name] = {"dtype": entry["dtype"], "shape": entry["shape"], "digest": digest(raw)}
        if entry["dtype"] == "F32":
            facts[name]["sum"] = round(float(np.frombuffer(raw, "<f4").sum()), 6)
    return facts


def ledger_facts(path: Path, work: Path) -> dict[str, Any]:
    """Schema and rows of a batch's ledger."""
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    base.row_factory = sqlite3.Row
    tables = {row[0]: row[1] for row in base.execute("SELECT name, sql FROM sqlite_master ORDER BY name")}
    rows = {
        name: [steady(dict(row), work) for row in base.execute(f"SELECT * FROM {name} ORDER BY 1")]
        for name, sql in tables.items()
        if sql and sql.startswith("CREATE TABLE")
    }
    base.close()
    return {"schema": tables, "rows": rows}


def page_lines(text: str, work: Path) -> list[str]:
    """What a reader of an HTML page sees, line by line, and a digest of each picture in it."""
    text = re.sub(r"data:[\w/+.-]+;base64,([\w+/=]+)", lambda found: f"> picture {digest(found[1].encode())} <", text)
    text = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", text)
    text = re.sub(r"(?s)>\s*(picture \w{64})\s*<", r"\n\1\n", text)
    lines = html.unescape(re.sub(r"(?s)<[^>]*>|<", "\n", text)).splitlines()
    return [steady_text(" ".join(line.split()), work) for line in lines if line.strip()]


def file_facts(path: Path, work: Path) -> Any:
    """The facts of a written file by its kind."""
    kind = path.suffix.lower()
    if kind in {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"}:
        return picture_facts(path, work)
    if kind == ".pdf":
        return pdf_facts(path)
    if kind == ".json":
        return steady(json.loads(path.read_text("utf-8")), work)
    if kind == ".csv":
        rows = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))
        return [steady(row, work) for row in rows]
    if kind == ".html":
        return page_lines(path.read_text("utf-8"), work)
    if kind == ".safetensors":
        return tensor_facts(path, work)
    if kind == ".sqlite":
        return ledger_facts(path, work)
    return {"bytes": path.stat().st_size, "digest": digest(path.read_bytes())}


def run_case(case: Case, work: Path, server: str | None) -> dict[str, Any]:
    """Run one case in `work` and say what came of it; its files are those below the case's own folder."""
    own = work / case.name
    own.mkdir(parents=True, exist_ok=True)
    words = [word.replace("{server}", server or "").replace("{out}", case.name) for word in case.words]
    began = time.monotonic()
    done = subprocess.run(
        ["likeness", *words, *(["--json"] if case.json else [])],
        cwd=work,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=900,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
    )
    print(f"{case.name}: exit {done.returncode}, {time.monotonic() - began:.1f} s", flush=True)
    facts: dict[str, Any] = {"words": list(case.words), "exit": done.returncode, "stderr": _lines(done.stderr, work)}
    lines = done.stdout.splitlines()
    objects = [steady(json.loads(line), work) for line in lines] if case.json and _is_json(lines) else None
    if objects is None:
        facts["stdout"] = _lines(done.stdout, work)
    else:
        facts["events"] = [entry for entry in objects if entry.get("event") not in SKIPPED_EVENTS]
        facts["result"] = [entry for entry in objects if entry.get("event") == "result"]
    files = sorted(path for path in own.rglob("*") if path.is_file() and path.suffix not in SKIPPED_FILES)
    facts["files"] = {path.relative_to(own).as_posix(): file_facts(path, work) for path in files}
    return facts


def _lines(text: str, work: Path) -> list[str]:
    return [steady_text(line.rstrip(), work) for line in text.splitlines() if line.strip()]


def _is_json(lines: list[str]) -> bool:
    return bool(lines) and all(line.startswith("{") for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--faces", type=Path, required=True, help="the folder that tests/fetch_photos.py prints")
    parser.add_argument("--photos", type=Path, help="a folder with synthetic people: person0_0.jpg and so on")
    parser.add_argument("--portraits", type=Path, help="a folder with three portraits or more")
    only = "cases by name, and those that they need; the record keeps its others"
    parser.add_argument("--only", nargs="+", default=[], help=only)
    parser.add_argument("--server", help="run the cases of a ComfyUI server there, in place of the local ones")
    given = parser.parse_args()
    work = given.out.resolve() / "work"
    shutil.rmtree(work, ignore_errors=True)
    prepare_photos(work / "photos", given.faces, given.photos, given.portraits)
    cases = {case.name: case for case in (server_cases() if given.server else local_cases())}
    chosen = set(given.only or cases)
    for case in reversed(list(cases.values())):
        if case.name in chosen:
            chosen |= set(case.needs)
    target = given.out / "record.json"
    record = json.loads(target.read_text("utf-8")) if given.only and target.is_file() else {}
    for name, case in cases.items():
        missing = [word for word in case.photos() if not (work / word).exists()]
        if name in chosen and missing:
            print(f"{name}: skipped, no {', '.join(missing)}", flush=True)
        elif name in chosen:
            record[name] = run_case(case, work, given.server)
            target.write_text(json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
