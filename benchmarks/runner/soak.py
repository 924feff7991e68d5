"""A soak: thousands of trivial jobs over two real servers while servers and runner are killed at random.

At the end every job must be in the ledger once, done, with one picture of its own colour on disk. The servers are
managed ones (`likeness server start`), whose supervisors bring them back; the runner is `likeness batch` as a
process, started again with the same command after each kill.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image
from report import circumstances, table, write

from likeness_studio.runner import managed
from likeness_studio.runner.batch.ledger import Ledger

LIKENESS = [sys.executable, "-c", "from likeness_studio.runner.cli import main; main(prog_name='likeness')"]
SIDE = 64

PATIENT = managed.Limits(crashes=10_000, backoff=0.5, longest_backoff=2.0, probe=1.0)
"""The supervisors must not give up because of kills that are ours."""


def graph() -> dict[str, Any]:
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": SIDE, "height": SIDE, "batch_size": 1, "color": 0},
            "_meta": {"title": "Blank"},
        },
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "soak"}},
    }


def write_batch(folder: Path, jobs: int) -> tuple[Path, Path]:
    workflow, table = folder / "soak.json", folder / "jobs.jsonl"
    workflow.write_text(json.dumps(graph()))
    rows = ({"name": f"job_{number}", "set": {"Blank.color": colour_of(number)}} for number in range(1, jobs + 1))
    table.write_text("\n".join(map(json.dumps, rows)))
    return workflow, table


def colour_of(number: int) -> int:
    """A colour of the number's own, 4 of 255 apart from any other: servers round a little."""
    return (number >> 12 & 63) << 18 | (number >> 6 & 63) << 10 | (number & 63) << 2


class Killer:
    """Kills one of three at random every few seconds, with SIGKILL: the first server, the second, or the runner."""

    def __init__(self, seed: int, every: tuple[float, float]) -> None:
        self.random, self.every = random.Random(seed), every
        self.kills: Counter[str] = Counter()
        self.next = time.monotonic() + self.random.uniform(*every)

    def maybe(self, servers: list[managed.Managed], runner: subprocess.Popen[str]) -> None:
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + self.random.uniform(*self.every)
        victim = self.random.choice(["server", "runner"])
        if victim == "runner":
            runner.kill()
        else:
            process = self.random.choice(servers).status().server
            if process is None or not process.alive():
                return
            process.send(signal.SIGKILL)
        self.kills[victim] += 1


def run(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    os.environ["LIKENESS_STATE"] = str(folder / "state")
    workflow, table = write_batch(folder, args.jobs)
    servers = [
        managed.start(managed.Options(name=name, cpu=True, base=folder / name, comfyui=args.comfyui, limits=PATIENT))
        for name in ("soak_a", "soak_b")
    ]
    output = folder / "out"
    command = [*LIKENESS, "batch", str(workflow), "--inputs", str(table), "--output", str(output), "--json"]
    command += [word for server in servers for word in ("--server", server.url)]
    killer, began, starts, code = Killer(args.seed, args.every), time.monotonic(), 0, None
    try:
        while code != 0:
            starts += 1
            runner = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            while (code := runner.poll()) is None:
                killer.maybe(servers, runner)
                time.sleep(0.05)
                if time.monotonic() - began > args.limit:
                    runner.kill()
                    raise SystemExit(f"Not finished after {args.limit} s.")
            words = (runner.communicate()[1] or "").strip()
            if code not in {0, -signal.SIGKILL}:
                raise SystemExit(f"The runner ended with {code}: {words[-500:]}")
            print(f"runner {starts} ended with {code} after {time.monotonic() - began:.0f} s", flush=True)
        seconds = time.monotonic() - began
        restarts = sum(server.status().restarts for server in servers)
    finally:
        for server in servers:
            with suppress(Exception):
                server.stop()
    return {
        "seconds": round(seconds, 1),
        "kills": dict(killer.kills),
        "runner_starts": starts,
        "restarts": restarts,
    } | (examine(output, args.jobs))


def examine(output: Path, jobs: int) -> dict[str, Any]:
    """What is in the ledger and on disk; everything that is not as it must be is counted."""
    with Ledger.read(output) as ledger:
        rows = list(ledger.rows(all_plans=True))
        counts = ledger.counts()
    wrong, tries, released = [], 0, 0
    for row in rows:
        tries += len(row.attempts)
        released += sum(attempt.outcome == "released" for attempt in row.attempts)
        done = [attempt for attempt in row.attempts if attempt.outcome == "unchecked"]
        pictures = sorted((output / str(row.folder)).iterdir()) if row.folder else []
        colour = 0xFFFFFF - colour_of(int(row.name.removeprefix("job_")))
        if row.state != "done" or len(done) != 1 or len(pictures) != 1 or not has_colour(pictures[0], colour):
            wrong.append(row.name)
    folders = [path for path in output.iterdir() if path.is_dir() and path.name.startswith("job_")]
    return {
        "jobs": jobs,
        "in_ledger": len(rows),
        "done": counts.done,
        "folders": len(folders),
        "left_over": sum(1 for _ in (output / ".work").rglob("*")) if (output / ".work").exists() else 0,
        "tries": tries,
        "released": released,
        "wrong": wrong[:20],
        "exactly_once": len(rows) == jobs == counts.done == len(folders) and not wrong,
    }


def has_colour(path: Path, colour: int) -> bool:
    """Whether every pixel is of that colour, but for rounding."""
    with Image.open(path) as picture:
        bands = picture.convert("RGB").getextrema()
    wanted = (colour >> 16 & 255, colour >> 8 & 255, colour & 255)
    return all(abs(value - want) <= 1 for band, want in zip(bands, wanted, strict=True) for value in band)  # type: ignore[union-attr]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20261120)
    parser.add_argument("--every", type=float, nargs=2, default=(1.5, 4.0), help="seconds between two kills")
    parser.add_argument("--limit", type=float, default=3000.0, help="seconds after which the soak has failed")
    parser.add_argument("--comfyui", type=Path, default=os.environ.get("COMFYUI_PATH"))
    parser.add_argument("--keep", type=Path, help="use this folder and leave it")
    args = parser.parse_args()
    args.every = tuple(args.every)
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        found = run(args, args.keep)
    else:
        with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
            found = run(args, Path(folder))
    print(json.dumps(found, indent=2))
    write(Path(__file__).parent / "results" / "soak", circumstances() | found, as_text(found))
    sys.exit(not found["exactly_once"])


def as_text(found: dict[str, Any]) -> str:
    kills = found["kills"]
    rows = [
        ["jobs in the ledger, done", f"{found['in_ledger']:,}, {found['done']:,}"],
        ["folders on disk, each with one picture of the job's own colour", f"{found['folders']:,}"],
        ["tries in all, of them cut off or taken back", f"{found['tries']:,}, {found['released']:,}"],
        ["jobs that are not there exactly once", len(found["wrong"])],
        ["working files left over", found["left_over"]],
    ]
    return (
        f"`python benchmarks/runner/soak.py`: {found['jobs']:,} jobs over two real ComfyUI servers in "
        f"{found['seconds']:.0f} s, on two cores. Meanwhile killed with SIGKILL: a server {kills.get('server', 0)} "
        f"times, the runner {kills.get('runner', 0)} times.\n\n" + table(["what", "number"], rows)
    )


if __name__ == "__main__":
    main()
