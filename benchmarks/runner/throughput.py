"""How fast jobs go through our client, and what the client itself costs: rate, processor, memory, two servers.

    python benchmarks/runner/throughput.py [--comfyui DIR --python FILE] [--only rate|cpu|memory|servers]

rate: jobs per second with 1, 4 and 16 jobs under way on one server. cpu: processor time of this process, which is the
client and nothing else, at a steady 10 jobs per second. memory: its resident memory over 2,000 jobs, as a slope.
servers: `likeness batch` with jobs that wait 0.2 s, on one server and on two, in turn.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from clients import environment
from graphs import graph, is_right, new_mark
from report import circumstances, spread, table, write
from servers import Server, add_arguments, running

from likeness_studio.runner import Client, Workflow

RESULT = Path(__file__).parent / "results" / "throughput"
CONCURRENCY = (1, 4, 16)
RATE, RATE_SECONDS = 10, 20.0
MEMORY_WARM_UP, SAMPLE_EVERY = 500, 25
WAIT_SECONDS = 0.2
PAGE = os.sysconf("SC_PAGE_SIZE")


class Jobs:
    """Runs the trivial job, each with a colour of its own, and removes the checked result."""

    def __init__(self, client: Client, folder: Path) -> None:
        self._client, self._folder = client, folder
        self._workflow = Workflow.from_api("bench", graph(new_mark()))

    def __call__(self, _: object = None) -> None:
        mark = new_mark()
        workflow = self._workflow.copy()
        workflow.set("Colour.color", mark)
        output = self._folder / f"{mark:06x}"
        (saved,) = self._client.run(workflow, output=output).outputs
        if not is_right(saved.path, mark):
            raise SystemExit(f"{saved.path} is not the picture that was asked for")
        saved.path.unlink()
        output.rmdir()


def rate(server: Server, folder: Path) -> dict[str, Any]:
    """Jobs per second for each concurrency, three times in turn."""
    found: dict[int, list[float]] = {jobs: [] for jobs in CONCURRENCY}
    with Client(server.url) as client:
        job = Jobs(client, folder)
        job()
        for _ in range(3):
            for concurrency, rates in found.items():
                count = 40 + 10 * concurrency
                with ThreadPoolExecutor(concurrency) as pool:
                    list(pool.map(job, range(concurrency)))
                    began = time.perf_counter()
                    list(pool.map(job, range(count)))
                    rates.append(count / (time.perf_counter() - began))
    return {f"jobs_per_s_at_{concurrency}": spread(rates, 1) for concurrency, rates in found.items()}


def cpu(server: Server, folder: Path) -> dict[str, Any]:
    """Percent of one core at RATE jobs per second, and the rate that was really held."""
    with Client(server.url) as client, ThreadPoolExecutor(4) as pool:
        job = Jobs(client, folder)
        list(pool.map(job, range(8)))
        began, spent, count = time.perf_counter(), time.process_time(), int(RATE * RATE_SECONDS)
        started = []
        for number in range(count):
            time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            started.append(pool.submit(job))
        for one in started:
            one.result()
        wall, used = time.perf_counter() - began, time.process_time() - spent
    return {
        "cpu_percent_of_a_core": round(100 * used / wall, 2),
        "cpu_ms_per_job": round(1000 * used / count, 2),
        "jobs_per_s_held": round(count / wall, 2),
        "checking_ms_per_job": round(checking_ms(folder), 2),
    }


def checking_ms(folder: Path) -> float:
    """What the benchmark's own look at the picture costs; it is part of `cpu_ms_per_job`."""
    from PIL import Image

    file = folder / "checked.png"
    Image.new("RGB", (64, 64), "red").save(file)
    began = time.process_time()
    for _ in range(100):
        is_right(file, 0)
    return 1000 * (time.process_time() - began) / 100


def resident_kb() -> float:
    """Resident memory of this process (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1024


def memory(server: Server, folder: Path, jobs: int) -> dict[str, Any]:
    """Slope of the resident memory in KB per 100 jobs, with its 95 % interval from the samples' own scatter."""
    samples: list[tuple[int, float]] = []
    with Client(server.url) as client, ThreadPoolExecutor(4) as pool:
        job = Jobs(client, folder)
        for done in range(0, jobs, SAMPLE_EVERY):
            list(pool.map(job, range(SAMPLE_EVERY)))
            samples.append((done + SAMPLE_EVERY, resident_kb()))
    kept = [sample for sample in samples if sample[0] > min(MEMORY_WARM_UP, jobs // 2)]
    slope, error = slope_of(*(np.array(values, float) for values in zip(*kept, strict=True)))
    flat = slope - 1.96 * error <= 0 or slope * 100 < 1
    return {
        "jobs": jobs,
        "kb_per_100_jobs": round(100 * slope, 2),
        "half_width_95_percent": round(196 * error, 2),
        "kb_after_warm_up": kept[0][1],
        "kb_at_the_end": kept[-1][1],
        "flat": flat,
        "samples_kb": [value for _, value in samples],
    }


def slope_of(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Least squares, with a standard error that allows for neighbouring samples being alike (lag one)."""
    slope, offset = np.polyfit(x, y, 1)
    rest = y - (slope * x + offset)
    error = math.sqrt(float(rest @ rest) / (len(x) - 2) / float(((x - x.mean()) ** 2).sum()))
    alike = min(max(float(rest[1:] @ rest[:-1]) / max(float(rest @ rest), 1e-9), 0.0), 0.95)
    return float(slope), error * math.sqrt((1 + alike) / (1 - alike))


def two_servers(servers: list[Server], folder: Path, jobs: int) -> dict[str, Any]:
    """Wall time of the whole `likeness batch` command, start-up included, on one server and on two, twice in turn."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(2):
        for count, found in seconds.items():
            found.append(batch(servers[:count], folder / f"batch_{turn}_{count}", jobs))
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    return {
        "jobs": jobs,
        "one_server_s": [round(value, 2) for value in seconds[1]],
        "two_servers_s": [round(value, 2) for value in seconds[2]],
        "two_over_one": round(float(np.median(ratios)), 3),
    }


def batch(servers: list[Server], folder: Path, jobs: int) -> float:
    """Run a batch of waiting jobs to its end; every picture is checked."""
    folder.mkdir()
    marks = [new_mark() for _ in range(jobs)]
    workflow, inputs, output = folder / "wait.json", folder / "jobs.csv", folder / "out"
    workflow.write_text(json.dumps(graph(marks[0], wait=WAIT_SECONDS)))
    with inputs.open("w", newline="") as out:
        csv.writer(out).writerows([["Colour.color"], *([mark] for mark in marks)])
    command = [Path(sys.executable).with_name("likeness"), "batch", workflow, "--inputs", inputs, "--output", output]
    command += [word for server in servers for word in ("--server", server.url)]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--json"], cwd=folder, env=environment(folder / "home"), capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"likeness batch ended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    pictures = list(output.rglob("*.png"))
    missing = [mark for mark in marks if not any(is_right(file, mark) for file in pictures)]
    if missing:
        raise SystemExit(f"{len(missing)} of {jobs} pictures are missing in {output}")
    return seconds


def rows_of(values: dict[str, Any]) -> list[list[object]]:
    rows: list[list[object]] = []
    for concurrency in CONCURRENCY if "rate" in values else ():
        figures = values["rate"][f"jobs_per_s_at_{concurrency}"]
        rows.append([f"jobs/s, {concurrency} under way", f"{figures['median']:.0f}", "-", "-"])
    if "cpu" in values:
        used = values["cpu"]["cpu_percent_of_a_core"]
        rows.append([f"% of a core at {RATE} jobs/s", f"{used:.1f}", "< 5", "reached" if used < 5 else "MISSED"])
    if "memory" in values:
        slope, half = values["memory"]["kb_per_100_jobs"], values["memory"]["half_width_95_percent"]
        word = "reached" if values["memory"]["flat"] else "MISSED"
        rows.append([f"KB per 100 jobs over {values['memory']['jobs']}", f"{slope:.1f} ± {half:.1f}", "flat", word])
    if "servers" in values:
        ratio = values["servers"]["two_over_one"]
        rows.append(["two servers over one", f"{ratio:.2f}", ">= 1.9", "reached" if ratio >= 1.9 else "MISSED"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--only", action="append", choices=["rate", "cpu", "memory", "servers"])
    parser.add_argument("--jobs", type=int, default=2000, help="for memory")
    parser.add_argument("--batch-jobs", type=int, default=150, help="for servers")
    arguments = parser.parse_args()
    wanted = arguments.only or ["rate", "cpu", "memory", "servers"]
    values: dict[str, Any] = (
        json.loads(RESULT.with_suffix(".json").read_text()) if RESULT.with_suffix(".json").exists() else {}
    )
    values |= circumstances()
    RESULT.parent.mkdir(exist_ok=True)
    with running(arguments, 2 if "servers" in wanted else 1) as servers, tempfile.TemporaryDirectory() as folder:
        measures: dict[str, Callable[[], dict[str, Any]]] = {
            "rate": lambda: rate(servers[0], Path(folder)),
            "cpu": lambda: cpu(servers[0], Path(folder)),
            "memory": lambda: memory(servers[0], Path(folder), arguments.jobs),
            "servers": lambda: two_servers(servers, Path(folder), arguments.batch_jobs),
        }
        for name in wanted:
            values[name] = measures[name]() | {"load_average": circumstances()["load_average"]}
            print(name, {key: value for key, value in values[name].items() if key != "samples_kb"}, flush=True)
            write(RESULT, values, text_of(values))


def text_of(values: dict[str, Any]) -> str:
    head = ["# Throughput and cost of the client", "", f"{values['date']}, {values['machine']}.", ""]
    return "\n".join([*head, table(["Figure", "measured", "goal", ""], rows_of(values))])


if __name__ == "__main__":
    main()
