"""What each client adds to a job: wall time until the bytes are on disk here, minus the server's own time.

    python benchmarks/runner/overhead.py --peers DIR [--comfyui DIR --python FILE] [--repeats 5] [--jobs 20] [--resume]

The job is EmptyImage -> ImageInvert -> SaveImage, 64 x 64, with a colour of its own, on one real ComfyUI. It is over
in milliseconds, before a slow poller looks for the first time; with `--wait 0.2` it takes 0.1 to 0.2 s. Each client
is a warm process; in every round each client runs one job, in random order. The client's seconds go from reading the
graph's file to closing the picture's; the server's go from execution_start to execution_success in its history entry.
Every picture's pixels are checked. `--peers` is the folder that `peers/install.py` filled.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from dataclasses import field as default
from pathlib import Path
from typing import Any

from clients import WARM, Client, NoAnswer, Worker, not_installed, versions
from graphs import graph, is_right, new_mark
from report import circumstances, spread, table, write
from servers import Server, add_arguments, running, server_seconds

RESULTS = Path(__file__).parent / "results"
OURS = "likeness"
GOAL_MS = 10.0
WARM_UP = 2
JOB_SECONDS = 20.0
HANGS = 5
HISTORY_SECONDS = 2.0


def entry_of(server: Server, mark: int) -> dict[str, Any]:
    """The finished job's history entry; a client that needs no history can be ahead of it."""
    deadline = time.monotonic() + HISTORY_SECONDS
    while not (entries := server.entries(mark)):
        if time.monotonic() > deadline:
            raise NoAnswer("the server has no history entry of the job")
        time.sleep(0.005)
    return entries[0]


class JobFailed(Exception):
    """The client said so, or its picture is not the right one."""


def one_job(worker: Worker, server: Server, folder: Path, wait: float) -> float:
    """Overhead of one job in ms; it waits up to `wait` seconds on the server. Raises NoAnswer and JobFailed."""
    mark = new_mark()
    file, output = folder / f"{mark:06x}.json", folder / f"{mark:06x}"
    file.write_text(json.dumps(graph(mark, wait=random.uniform(wait / 2, wait), prefix=f"bench_{mark:06x}")))
    output.mkdir()
    answer = worker.run(file, output, JOB_SECONDS)
    if "error" in answer:
        raise JobFailed(f"{answer['error']['type']}: {answer['error']['message'][:200]}")
    if len(answer["files"]) != 1 or not is_right(Path(answer["files"][0]), mark):
        raise JobFailed(f"the picture on disk is not the one that was asked for: {answer['files']}")
    return 1000 * (answer["seconds"] - server_seconds(entry_of(server, mark)))


class Field:
    """The clients that take part, each with its warm process; one that hangs is started again a few times."""

    def __init__(self, peers: Path, server: Server, folder: Path) -> None:
        self._peers, self._server, self._folder = peers, server, folder
        self._hung: dict[str, int] = {}
        self._clients: dict[str, Client] = {}
        self.workers: dict[str, Worker] = {}
        self.left_out: dict[str, str] = {}

    def join(self, client: Client) -> None:
        """Start it and warm it up, or note why not."""
        self._clients[client.name] = client
        home = self._folder / client.adapter.removesuffix(".py")
        home.mkdir(exist_ok=True)
        reason = not_installed(self._peers, client.environment)
        if reason is None:
            worker = self.workers[client.name] = Worker(client, self._peers, self._server.url, home)
            try:
                worker.wait_ready()
                for _ in range(WARM_UP):
                    one_job(worker, self._server, home, 0.0)
            except (NoAnswer, JobFailed) as error:
                words = " ".join(worker.log.read_text("utf-8", "replace").split())[-200:]
                self.workers.pop(client.name).close()
                reason = f"{error}; its last words: {words or 'none'}"
        if reason is not None:
            self.left_out[client.name] = reason
            print(f"left out: {client.name}: {reason}", flush=True)

    def rejoin(self, name: str) -> None:
        """After a hang: a fresh process, but no more than a few in all."""
        self.workers.pop(name).close()
        while name not in self.workers:
            self._hung[name] = self._hung.get(name, 0) + 1
            if self._hung[name] >= HANGS:
                self.left_out[name] = f"hung {HANGS} times"
                return
            self.join(self._clients[name])
        self.left_out.pop(name, None)

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()


@dataclass
class Record:
    """What was measured so far: a list of overheads in ms for each client in each repeat, and what went wrong."""

    path: Path
    samples: list[dict[str, list[float]]] = default(default_factory=list)
    failures: dict[str, list[str]] = default(default_factory=dict)
    left_out: dict[str, str] = default(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Record:
        values = json.loads(path.with_suffix(".json").read_text())
        return cls(path, values["samples_ms"], values["failures"])

    def as_dict(self) -> dict[str, Any]:
        return {"failures": self.failures, "left_out": self.left_out, "samples_ms": self.samples}

    def save(self) -> None:
        self.path.parent.mkdir(exist_ok=True)
        self.path.with_suffix(".json").write_text(json.dumps(self.as_dict()) + "\n")


def measure(arguments: argparse.Namespace, clients: list[Client], record: Record) -> None:
    """Add repeats to `record`, which is saved after each."""
    with (
        running(arguments) as (server,),
        tempfile.TemporaryDirectory() as folder,
        closing(Field(arguments.peers, server, Path(folder))) as field,
    ):
        for client in clients:
            field.join(client)
        record.left_out = field.left_out
        while len(record.samples) < arguments.repeats:
            samples: dict[str, list[float]] = {name: [] for name in field.workers}
            for _ in range(arguments.jobs):
                for name in random.sample(list(field.workers), len(field.workers)):
                    worker = field.workers[name]
                    try:
                        samples[name].append(one_job(worker, server, worker.log.parent, arguments.wait))
                    except (JobFailed, NoAnswer) as error:
                        record.failures.setdefault(name, []).append(str(error))
                        if isinstance(error, NoAnswer):
                            field.rejoin(name)
            record.samples.append({name: [round(v, 2) for v in values] for name, values in samples.items() if values})
            record.save()
            medians = {name: round(statistics.median(values), 1) for name, values in record.samples[-1].items()}
            print(f"repeat {len(record.samples)} of {arguments.repeats}, medians in ms: {medians}", flush=True)


def figures_of(record: Record) -> dict[str, dict[str, Any]]:
    """Spread of all repeats together, the quickest client first."""
    names = {name for repeat in record.samples for name in repeat}
    together = {name: [value for repeat in record.samples for value in repeat.get(name, ())] for name in names}
    return {
        name: spread(values)
        | {
            "jobs": len(values),
            "failed": len(record.failures.get(name, ())),
            "repeats": ", ".join(f"{statistics.median(r[name]):.1f}" for r in record.samples if name in r),
        }
        for name, values in sorted(together.items(), key=lambda item: statistics.median(item[1]))
    }


def report(arguments: argparse.Namespace, record: Record) -> None:
    figures = figures_of(record)
    rows = [
        [
            name,
            *(f"{f[key]:.1f}" for key in ("median", "p25", "p75", "min", "max")),
            f["jobs"],
            f["failed"],
            f["repeats"],
        ]
        for name, f in figures.items()
    ]
    verdict = "Our client did not take part."
    if OURS in figures:
        median, quickest = figures[OURS]["median"], next(iter(figures))
        reached = "reached" if median <= GOAL_MS and quickest == OURS else "MISSED"
        verdict = f"Ours: {median:.1f} ms (goal {GOAL_MS:g} ms); the quickest is {quickest}. Goal {reached}."
    head = ["Client", "median ms", "p25", "p75", "min", "max", "jobs", "failed", "medians of the repeats"]
    notes = [f"- {name}: left out. {reason}" for name, reason in record.left_out.items()]
    notes += [f"- {name}: {len(all_)} failed, first: {all_[0]}" for name, all_ in record.failures.items()]
    job = f", each job waits {arguments.wait / 2:g} to {arguments.wait:g} s" if arguments.wait else ""
    place = circumstances()
    title = "# Overhead per job over the server's own time"
    words = [title, "", f"{place['date']}, {place['machine']}{job}.", "", table(head, rows), "", verdict, "", *notes]
    values = place | {"wait_seconds": arguments.wait, "peers": versions(arguments.peers)}
    write(record.path, values | {"clients_ms": figures, "verdict": verdict} | record.as_dict(), "\n".join(words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=20, help="of each client in each repeat")
    parser.add_argument("--client", action="append", help="only these, by name; may be repeated")
    parser.add_argument("--resume", action="store_true", help="keep the repeats of an earlier, unfinished run")
    parser.add_argument("--wait", type=float, default=0.0, help="each job waits half to all of these seconds")
    arguments = parser.parse_args()
    path = RESULTS / ("overhead_waiting" if arguments.wait else "overhead")
    unfinished = arguments.resume and path.with_suffix(".json").exists()
    record = Record.load(path) if unfinished else Record(path)
    measure(arguments, [c for c in WARM if not arguments.client or c.name in arguments.client], record)
    report(arguments, record)


if __name__ == "__main__":
    main()
