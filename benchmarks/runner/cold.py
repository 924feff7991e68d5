"""The same job by the command line, a new process each time: ours beside the peers that have one.

    python benchmarks/runner/cold.py --peers DIR [--comfyui DIR --python FILE] [--pairs 12]

In every round each command runs once, in random order, on one real ComfyUI. Ours ends with the picture and a report on
disk. `comfy run --wait` ends with addresses; with `comfy download` after it, it has the bytes too, and both are
measured. comfy-catapult's command fetches nothing. Ratios are taken round by round.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from clients import environment, not_installed, python_in, versions
from graphs import graph, is_right, new_mark
from report import circumstances, spread, table, write
from servers import Server, add_arguments, running

RESULT = Path(__file__).parent / "results" / "cold"
OURS, THEIRS = "likeness run", "comfy run --wait (no bytes)"
FETCHED = "comfy run --wait, then comfy download"
CATAPULT = "comfy-catapult execute (no bytes)"
GOAL = 0.5
LIMIT_SECONDS = 60

Words = list[str | Path]


class Commands:
    """The command lines, each of which runs the graph in `file`; pictures go to `output`."""

    def __init__(self, peers: Path, server: Server, folder: Path) -> None:
        self.server, self._folder = server, folder
        self._comfy: Words = [python_in(peers, "comfy-cli").with_name("comfy"), "--skip-prompt", "--json"]
        self._catapult: Words = [python_in(peers, "comfy-catapult"), "-m", "comfy_catapult.cli"]

    def likeness(self, file: Path, output: Path) -> None:
        program = Path(sys.executable).with_name("likeness")
        self._call([program, "run", file, "--server", self.server.url, "--output", output, "--json"])

    def comfy_run(self, file: Path, output: Path) -> str:
        parts = urlsplit(self.server.url)
        where = ["--host", str(parts.hostname), "--port", str(parts.port)]
        return self._call([*self._comfy, "run", "--workflow", file, *where, "--wait"])

    def comfy_run_and_download(self, file: Path, output: Path) -> None:
        prompt_id = json.loads(self.comfy_run(file, output).splitlines()[-1])["data"]["prompt_id"]
        self._call([*self._comfy, "download", prompt_id, "--out-dir", output])

    def catapult(self, file: Path, output: Path) -> None:
        self._call([*self._catapult, "--comfy-api-url", self.server.url, "execute", "--workflow-path", file])

    def _call(self, command: Words) -> str:
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=environment(self._folder / "home"),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{command} ended with {done.returncode}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done.stdout


def one_round(commands: Commands, folder: Path, names: list[str]) -> dict[str, float]:
    """Seconds of each command, in random order. Raises SystemExit where one fails or the picture is wrong."""
    seconds: dict[str, float] = {}
    runs = {
        OURS: commands.likeness,
        THEIRS: commands.comfy_run,
        FETCHED: commands.comfy_run_and_download,
        CATAPULT: commands.catapult,
    }
    for name in random.sample(names, len(names)):
        mark = new_mark()
        file, output = folder / f"{mark:06x}.json", folder / f"{mark:06x}"
        file.write_text(json.dumps(graph(mark, prefix=f"bench_{mark:06x}")))
        began = time.perf_counter()
        runs[name](file, output)
        seconds[name] = time.perf_counter() - began
        if name in {OURS, FETCHED} and not any(is_right(picture, mark) for picture in output.rglob("*.png")):
            raise SystemExit(f"{name} left no right picture in {output}")
    return seconds


def report(rounds: list[dict[str, float]], peers: Path, left_out: dict[str, str]) -> None:
    names = list(rounds[0])
    figures = {name: spread([one[name] for one in rounds], 3) for name in names}
    ratios = {name: spread([one[OURS] / one[name] for one in rounds], 3) for name in names if name != OURS}
    rows = [
        [name, *(f"{figures[name][key]:.2f}" for key in ("median", "p25", "p75", "min", "max"))]
        + (
            [f"{ratios[name]['median']:.2f} ({ratios[name]['p25']:.2f} to {ratios[name]['p75']:.2f})"]
            if name in ratios
            else ["-"]
        )
        for name in sorted(names, key=lambda name: figures[name]["median"])
    ]
    verdict = "comfy-cli did not take part."
    if THEIRS in ratios:
        ratio = ratios[THEIRS]["median"]
        reached = "reached" if ratio < GOAL else "MISSED"
        verdict = f"Ours takes {ratio:.2f} of the time of {THEIRS} (goal: below {GOAL:g}). Goal {reached}."
    place = circumstances()
    words = ["# Cold processes", "", f"{place['date']}, {place['machine']}, {len(rounds)} rounds, seconds.", ""]
    words.append(table(["Command", "median", "p25", "p75", "min", "max", "ours beside it, round by round"], rows))
    words += ["", verdict, "", *(f"- {name}: left out. {reason}" for name, reason in left_out.items())]
    values = place | {"peers": versions(peers), "seconds": figures, "ratios": ratios, "verdict": verdict}
    RESULT.parent.mkdir(exist_ok=True)
    write(RESULT, values | {"left_out": left_out, "rounds": rounds}, "\n".join(words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=12)
    arguments = parser.parse_args()
    wanted = {OURS: None, THEIRS: "comfy-cli", FETCHED: "comfy-cli", CATAPULT: "comfy-catapult"}
    reasons = {name: not_installed(arguments.peers, home) for name, home in wanted.items()}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    names = [name for name in wanted if name not in left_out]
    rounds: list[dict[str, float]] = []
    with running(arguments) as (server,), tempfile.TemporaryDirectory() as folder:
        commands = Commands(arguments.peers, server, Path(folder))
        one_round(commands, Path(folder), names)
        for _ in range(arguments.pairs):
            rounds.append(one_round(commands, Path(folder), names))
            print({name: round(value, 2) for name, value in rounds[-1].items()}, flush=True)
    report(rounds, arguments.peers, left_out)


if __name__ == "__main__":
    main()
