"""How quickly the command answers in a new process, as ratios to ``python -c "import torch"``.

    python benchmarks/cold_start.py [--rounds 9] [--photo runner/demo.jpg] [--write]

In every round each command and the import run once, in random order; ratios are taken round by round. `likeness run
studio_headshot` is held against its own warm time (the same run a second time, in one process) plus the import of
torch and onnxruntime.
"""

from __future__ import annotations

import argparse
import random
import runpy
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "cold_start"
REPORT = runpy.run_path(str(ROOT / "benchmarks" / "runner" / "report.py"))
LIKENESS = str(Path(sys.executable).with_name("likeness"))

TORCH = [sys.executable, "-c", "import torch"]
RUNTIMES = [sys.executable, "-c", "import torch, onnxruntime"]
QUICK = {
    "likeness --version": [LIKENESS, "--version"],
    "likeness --help": [LIKENESS, "--help"],
    "likeness documents": [LIKENESS, "documents"],
    "likeness models list": [LIKENESS, "models", "list"],
    "likeness inspect studio_headshot": [LIKENESS, "inspect", "studio_headshot"],
    "likeness status (no batch there)": [LIKENESS, "status", "no_such_batch"],
    "likeness id (usage error)": [LIKENESS, "id"],
    "likeness run (wrong setting)": [LIKENESS, "run", "studio_headshot", "--set", "Backdrop.colour"],
    "likeness run (unknown input)": [LIKENESS, "run", "studio_headshot", "--set", "Backdrop.none=1", "-i", "PHOTO"],
}
LIMIT_SECONDS = 0.5

WARM = """
import sys, tempfile, time
from likeness_studio.runner import Client, Workflow
photo = sys.argv[1]
workflow = Workflow.load("studio_headshot")
with Client() as client:
    for seed in (1, 2):
        workflow.set("Backdrop.seed", seed)
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            client.run(workflow, [photo], output=folder)
            seconds = time.perf_counter() - began
        client.backend.close()
print(seconds)
"""


def seconds_of(words: list[str], folder: Path) -> float:
    """Seconds of one process; what it prints is thrown away."""
    began = time.perf_counter()
    subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began


def quick(rounds: int, photo: Path) -> dict[str, dict[str, Any]]:
    """Seconds of each command, and their ratio to the import of torch in the same round."""
    taken: dict[str, list[float]] = {name: [] for name in ("import torch", *QUICK)}
    commands = {"import torch": TORCH} | {
        name: [str(photo) if word == "PHOTO" else word for word in words] for name, words in QUICK.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds + 1):
            for name in random.sample(list(commands), len(commands)):
                taken[name].append(seconds_of(commands[name], Path(folder)))
    taken = {name: values[1:] for name, values in taken.items()}
    return {
        name: {
            "seconds": REPORT["spread"](values),
            "ratio": REPORT["spread"]([a / b for a, b in zip(values, taken["import torch"], strict=True)]),
        }
        for name, values in taken.items()
    }


def headshot(rounds: int, photo: Path) -> dict[str, Any]:
    """A whole run from the start of the process, against its warm time and the imports of the same round."""
    cold, warm, imports, ratios = [], [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            words = [LIKENESS, "run", "studio_headshot", "-i", str(photo), "-o", folder]
            cold.append(seconds_of(words, Path(folder)))
            done = subprocess.run(
                [sys.executable, "-c", WARM, str(photo)], capture_output=True, text=True, check=True, cwd=folder
            )
            warm.append(float(done.stdout.split()[-1]))
            imports.append(seconds_of(RUNTIMES, Path(folder)))
        ratios.append(cold[-1] / (warm[-1] + imports[-1]))
    spread = REPORT["spread"]
    return {"cold": spread(cold), "warm": spread(warm), "imports": spread(imports), "ratio": spread(ratios)}


def _range(figures: dict[str, float]) -> str:
    return f"{figures['min']} to {figures['max']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--photo", type=Path, default=ROOT / "runner" / "demo.jpg")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    photo = options.photo.absolute()
    found = {"circumstances": REPORT["circumstances"](), "rounds": options.rounds}
    found |= {"quick": quick(options.rounds, photo), "headshot": headshot(max(options.rounds // 2, 3), photo)}
    rows = [
        (name, each["seconds"]["median"], _range(each["seconds"]), each["ratio"]["median"])
        for name, each in found["quick"].items()
    ]
    text = REPORT["table"](("Command", "Seconds, median", "from, to", "Ratio to import torch"), rows)
    run = found["headshot"]
    text += (
        f"\n\n`likeness run studio_headshot`: {run['cold']['median']} s from the start of the process, "
        f"{run['ratio']['median']} ({run['ratio']['min']} to {run['ratio']['max']}) times its warm time of "
        f"{run['warm']['median']} s plus {run['imports']['median']} s for importing torch and onnxruntime.\n"
    )
    if options.write:
        RESULT.parent.mkdir(exist_ok=True)
        REPORT["write"](RESULT, found, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
