"""Fault 28, the disk is full or read-only: a clear error, the ledger intact, and the batch goes on once there is room.

The disk is a real one of a few megabytes that the test mounts in a namespace of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness_studio.tests.faults import batches

JOBS, SIDE = 10, 256

INSIDE = """
import json, subprocess, sys
from likeness_studio.runner.batch.ledger import Ledger
from pathlib import Path
disk, words = sys.argv[1], json.loads(sys.argv[2])

def mount(*options):
    subprocess.run(["mount", *options, disk], check=True)

def batch():
    outcome = subprocess.run(words, capture_output=True, text=True, timeout=120)
    with Ledger.read(Path(disk) / "out") as ledger:
        check = ledger.query("PRAGMA integrity_check")[0][0]
        rows = [(row.name, row.state, row.folder) for row in ledger.rows()]
    kept = {name: len(list((Path(disk) / "out" / folder).rglob("*.png"))) for name, _, folder in rows if folder}
    states = {name: state for name, state, _ in rows}
    print(json.dumps([outcome.returncode, outcome.stderr, check, states, kept]), flush=True)

mount("-t", "tmpfs", "-o", "size=1536k", "none")
batch()
mount("-o", "remount,ro")
batch()
mount("-o", "remount,rw,size=32m")
batch()
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    disk = tmp_path / "disk"
    disk.mkdir()
    trial = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(disk)]
    if not shutil.which("unshare") or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("a small disk of its own cannot be mounted here")
    return disk


def test_fault_28_disk_full_then_read_only_then_room(small_disk: Path, tmp_path: Path):
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(28)
    for number in range(JOBS):
        pixels = noise.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"photo_{number}.png")
    graph = batches.write(batches.from_photo("full", "ImageInvert"), tmp_path / "graph.json")
    words = batches.command(graph, tmp_path / "in", small_disk / "out")
    script = ["unshare", "-rm", sys.executable, "-c", INSIDE, str(small_disk), json.dumps(words)]
    outcome = subprocess.run(script, capture_output=True, text=True, timeout=300)
    assert outcome.returncode == 0, outcome.stderr
    full, read_only, room = (json.loads(line) for line in outcome.stdout.splitlines())

    for code, error, check, states, kept in (full, read_only):
        assert (code, check) == (1, "ok")
        assert "error [output_unwritable]" in error
        assert "Traceback" not in error
        done = {name for name, state in states.items() if state == "done"}
        assert 0 < len(done) < JOBS
        assert kept == dict.fromkeys(done, 1)
        assert "failed" not in states.values(), "a full disk is not the job's fault"
    assert read_only[3] == full[3]

    code, error, check, states, kept = room
    assert (code, check) == (0, "ok"), error
    assert set(states.values()) == {"done"}
    assert kept == {f"photo_{number}": 1 for number in range(JOBS)}
