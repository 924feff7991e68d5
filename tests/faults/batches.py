"""Batches for the fault tests: `likeness batch` as a process of its own, and what it left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

from likeness_studio.runner.batch.job_records import Counts, JobRow
from likeness_studio.runner.batch.ledger import Ledger
from likeness_studio.runner.errors import LedgerMissing
from likeness_studio.tests.faults.graphs import Graph, node

LIKENESS = [sys.executable, "-c", "from likeness_studio.runner.cli import main; main(prog_name='likeness')"]


def command(workflow: Path | str, inputs: Path, output: Path, *more: str) -> list[str]:
    """`likeness batch` with these words."""
    return [*LIKENESS, "batch", str(workflow), "--inputs", str(inputs), "--output", str(output), *more]


def run(words: list[str], seconds: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=seconds)


def write(graph: Graph, path: Path) -> Path:
    path.write_text(json.dumps(graph), "utf-8")
    return path


def from_photo(prefix: str, between: str, **inputs: object) -> Graph:
    """A photo through one node into a file."""
    return {
        "1": node("LoadImage", "Photo", image="example.png"),
        "2": node(between, "Between", image=["1", 0], **inputs),
        "3": node("SaveImage", "Save", images=["2", 0], filename_prefix=prefix),
    }


def one_colour_photos(folder: Path, count: int) -> dict[str, int]:
    """Photos of one colour each; the colour of each by its job's name."""
    folder.mkdir()
    colours = {f"photo_{number}": (0x102030 + 0x0B0501 * number) & 0xFFFFFF for number in range(count)}
    for name, rgb in colours.items():
        Image.new("RGB", (16, 8), (rgb >> 16, rgb >> 8 & 255, rgb & 255)).save(folder / f"{name}.png")
    return colours


def rows(output: Path) -> dict[str, JobRow]:
    """The jobs in the ledger by name."""
    with Ledger.read(output) as ledger:
        return {row.name: row for row in ledger.rows()}


def counts(output: Path) -> Counts:
    """The counts of a batch that may not have started."""
    try:
        with Ledger.read(output) as ledger:
            return ledger.counts()
    except LedgerMissing:
        return Counts()


def pictures(output: Path, row: JobRow) -> list[Path]:
    """The pictures of a job on disk."""
    assert row.folder is not None, f"{row.name} has no folder: {row.error}"
    return sorted((output / row.folder).rglob("*.png"))
