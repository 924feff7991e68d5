"""What each client makes of each fault, really done to it on a real ComfyUI.

    python benchmarks/runner/fault_matrix.py --peers DIR [--comfyui DIR --python FILE] [--only ROW] [--client NAME]

Rows are numbered as in the list of faults that the tests are named after. Each cell starts the client anew, gives it
one job through a proxy that goes wrong (or kills the server), and looks at its answer and at the disk:

survived  the right picture is on disk; where there can be none, an error names the cause
told      an error names the cause, but running the job again would have given the picture
lost      an error and no picture, although the server made it
hung      no answer 20 s after the job could have been done
wrong     reported success without the right picture, or did harm; the note says what
crashed   an exception that tells of a mistake in the client, or a traceback where a command should say an error
unclear   an error, in time, that does not name the cause
n/a       the client has no part in it

Cells that are in the results already are kept; `--only`, `--client` and `--again` run them anew.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from cells import Cell, Outcome, new_proxy
from clients import not_installed, versions
from contestants import NAMES, home_of
from faults import ROWS
from graphs import new_mark
from report import circumstances, table, write
from servers import Server, add_arguments, running

RESULT = Path(__file__).parent / "results" / "fault_matrix"
MAX_UPLOAD_MB = "1"


def meet(row: str, name: str, peers: Path, server: Server) -> Outcome:
    """One cell."""
    with tempfile.TemporaryDirectory(prefix="likeness-cell-", ignore_cleanup_errors=True) as folder:
        proxy = new_proxy(server.url)
        try:
            return ROWS[row][1](Cell(name, peers, server, Path(folder), proxy, new_mark()))
        finally:
            proxy.close()


def fill(arguments: argparse.Namespace, cells: dict[str, dict[str, Any]]) -> None:
    """Run the cells that are wanted and not there yet; saved after each."""
    again = arguments.again or arguments.only or arguments.client
    rows, names = arguments.only or list(ROWS), arguments.client or NAMES
    todo = [(row, name) for row in rows for name in names if again or name not in cells.get(row, {})]
    with running(arguments, 1, "--max-upload-size", MAX_UPLOAD_MB) as (server,):
        for row, name in todo:
            reason = not_installed(arguments.peers, home_of(name))
            began = time.monotonic()
            outcome = Outcome("n/a", reason) if reason else meet(row, name, arguments.peers, server)
            cells.setdefault(row, {})[name] = {
                "outcome": outcome.word,
                "note": outcome.note,
                "seconds": round(time.monotonic() - began, 1),
            }
            print(f"{row:4} {name:22} {outcome.word:9} {outcome.note[:150]}", flush=True)
            report(cells, arguments.peers, quiet=True)
            if time.monotonic() - arguments.began > arguments.minutes * 60:
                print("Time is up; the same command goes on from here.")
                return


def report(cells: dict[str, dict[str, Any]], peers: Path, *, quiet: bool = False) -> None:
    shown = [name for name in NAMES if any(name in row for row in cells.values())]
    lines = [
        [row, ROWS[row][0], *(cells.get(row, {}).get(name, {}).get("outcome", "") for name in shown)]
        for row in ROWS
        if row in cells
    ]
    survived = [
        sum(row.get(name, {}).get("outcome") in {"survived", "told"} for row in cells.values()) for name in shown
    ]
    judged = [sum(row.get(name, {}).get("outcome", "n/a") != "n/a" for row in cells.values()) for name in shown]
    lines.append(
        ["", "**survived or told**", *(f"{good} of {all_}" for good, all_ in zip(survived, judged, strict=True))]
    )
    notes = [
        f"- {row}, {name}: {cell['outcome']}. {cell['note']}"
        for row in ROWS
        for name, cell in cells.get(row, {}).items()
        if cell["outcome"] not in {"survived"} and cell["note"]
    ]
    place = circumstances()
    legend = (__doc__ or "").split("\n\n")[3].strip()
    words = ["# Faults and clients", "", f"{place['date']}, {place['machine']}, one real ComfyUI.", ""]
    words += [table(["#", "fault", *shown], lines), "", "```", legend, "```", "", "## What was seen", "", *notes]
    RESULT.parent.mkdir(exist_ok=True)
    values = place | {"peers": versions(peers), "cells": cells}
    if quiet:
        RESULT.with_suffix(".json").write_text(json.dumps(values, indent=2) + "\n")
    else:
        write(RESULT, values, "\n".join(words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=list(ROWS), metavar="ROW")
    parser.add_argument("--client", action="append", choices=list(NAMES), metavar="NAME")
    parser.add_argument("--again", action="store_true", help="run every cell anew")
    parser.add_argument("--minutes", type=float, default=60, help="stop after this time, to be continued")
    arguments = parser.parse_args()
    arguments.began = time.monotonic()
    stored = RESULT.with_suffix(".json")
    cells: dict[str, dict[str, Any]] = json.loads(stored.read_text())["cells"] if stored.exists() else {}
    fill(arguments, cells)
    report(cells, arguments.peers)


if __name__ == "__main__":
    main()
