"""The rows of the fault matrix: each really happens to one job of a client, and the outcome is judged from outside."""
# pyright: reportMissingImports=false

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cells import (
    JOB_SECONDS,
    LIMIT_SECONDS,
    Cell,
    Outcome,
    delivered,
    either,
    kind_of,
    named,
    on_socket,
    short,
    wait_for,
)
from contestants import KEEPS_NAMES
from graphs import SIDE, add_node, graph, is_right, new_mark
from PIL import Image
from servers import free_port

sys.path.append(str(Path(__file__).parents[2] / "tests" / "faults"))
from proxy import BINARY, TEXT, Cut, Exchange, Frame

LONG_SECONDS = 8.0
EXIT_SECONDS = 2.0


def socket_drops(cell: Cell) -> Outcome:
    dropped: list[bool] = []

    def fault(frame: Frame) -> Iterable[Frame]:
        if kind_of(frame) in {"execution_start", "executing", "progress_state"} and not dropped:
            dropped.append(True)
            raise Cut
        return [frame]

    on_socket(cell, fault)
    return delivered(cell, cell.run(cell.job()))


def socket_silent(cell: Cell) -> Outcome:
    on_socket(cell, lambda frame: [] if frame.opcode in {TEXT, BINARY} else [frame])
    return delivered(cell, cell.run(cell.job()))


def history_late(cell: Cell, seconds: float = 0.5) -> Outcome:
    first: list[float] = []

    def fault(exchange: Exchange) -> None:
        answer = exchange.forward()
        if answer.json():
            first.append(time.monotonic())
        late = bool(first) and time.monotonic() - first[0] < seconds
        exchange.answer(200, b"{}") if late else exchange.send(answer.raw)

    cell.proxy.on("GET", "/history", fault)
    return delivered(cell, cell.run(cell.job()))


def run_before(cell: Cell, nodes: dict[str, Any]) -> None:
    """Somebody else ran the same graph, so that everything is in the server's cache."""
    cell.server.post("/prompt", {"prompt": nodes, "client_id": "somebody-else"})
    wait_for(lambda: cell.made, JOB_SECONDS + 5)


def cached(cell: Cell) -> Outcome:
    run_before(cell, cell.job())
    return delivered(cell, cell.run(cell.job()))


def cached_file_deleted(cell: Cell) -> Outcome:
    run_before(cell, cell.job())
    for file in (cell.server.base / "output").glob(f"fault_{cell.mark:06x}*"):
        file.unlink()
    return either(
        cell, cell.run(cell.job()), r"404|not found|missing|no longer|any more|deleted|no such|could not fetch"
    )


def server_restarts(cell: Cell) -> Outcome:
    contestant = cell.enter()
    try:
        contestant.submit(cell.write(cell.job(3.0)), cell.output)
        if not cell.wait_until_running():
            return Outcome("unclear", short(contestant.wait(1).error) or "the job never ran")
        cell.server.kill()
        cell.server.start()
        cause = r"restart|lost|no longer|refused|disconnect|closed|reach|not answer|reset|connect"
        return either(cell, contestant.wait(3.0 + LIMIT_SECONDS), cause)
    finally:
        contestant.close()


def server_dead(cell: Cell) -> Outcome:
    port = free_port()
    contestant = cell.enter(f"http://127.0.0.1:{port}")
    try:
        contestant.submit(cell.write(cell.job()), cell.output)
        return named(contestant.wait(LIMIT_SECONDS), rf"\b{port}\b")
    finally:
        contestant.close()


def subfolders_and_types(cell: Cell) -> Outcome:
    other = new_mark()
    nodes = cell.job()
    nodes["9"]["inputs"]["filename_prefix"] = f"deep/er/fault_{cell.mark:06x}"
    add_node(nodes, "5", "EmptyImage", "Other", width=SIDE, height=SIDE, batch_size=1, color=other)
    add_node(nodes, "6", "PreviewImage", "Preview", images=["5", 0])
    answer = cell.run(nodes)
    outcome = delivered(cell, answer)
    extra = outcome.word == "survived" and not all(is_right(file, cell.mark) for file in answer.files)
    return Outcome("survived", "the preview is among the results") if extra else outcome


def interrupted(cell: Cell) -> Outcome:
    nodes = graph(new_mark(), prefix=f"fault_early_{cell.mark:06x}")
    late = {f"1{name}": node for name, node in cell.job(5.0).items()}
    for node in late.values():
        node["inputs"] = {k: [f"1{v[0]}", v[1]] if isinstance(v, list) else v for k, v in node["inputs"].items()}
    contestant = cell.enter()
    try:
        contestant.submit(cell.write(nodes | late), cell.output)
        if not cell.wait_until_running():
            return Outcome("unclear", short(contestant.wait(1).error) or "the job never ran")
        time.sleep(0.5)
        cell.server.post("/interrupt", {})
        return named(contestant.wait(LIMIT_SECONDS), r"interrupt|cancel|stopped")
    finally:
        contestant.close()


def stopped_by_user(cell: Cell) -> Outcome:
    """Ctrl-C: gone within two seconds, its own job stopped, the job of another client untouched."""
    other = new_mark()
    contestant = cell.enter()
    try:
        contestant.submit(cell.write(cell.job(LONG_SECONDS)), cell.output)
        if not cell.wait_until_running():
            return Outcome("unclear", short(contestant.wait(1).error) or "the job never ran")
        cell.server.post("/prompt", {"prompt": graph(other, prefix="fault_other"), "client_id": "somebody-else"})
        began = time.monotonic()
        contestant.interrupt()
        answer = contestant.wait(LIMIT_SECONDS)
        seconds = time.monotonic() - began
        ended = not cell.server.is_running(cell.mark) or wait_for(lambda: not cell.server.is_running(cell.mark), 1.0)
        ran_on = cell.made or not ended
        wait_for(lambda: not cell.server.is_running(cell.mark), LONG_SECONDS)
        others = wait_for(lambda: bool(cell.server.entries(other)), 5)
    finally:
        contestant.close()
    faults = [f"exit took {seconds:.1f} s"] if seconds > EXIT_SECONDS else []
    faults += ["its job ran on"] if ran_on else []
    faults += [] if others else ["another client's job was cancelled"]
    if answer.hung:
        return Outcome("hung", "; ".join(faults))
    if answer.crashed and "KeyboardInterrupt" not in (answer.error or ""):
        return Outcome("crashed", short(answer.error))
    return Outcome("wrong" if faults else "survived", "; ".join(faults) or f"exit took {seconds:.1f} s")


def black_picture(cell: Cell) -> Outcome:
    return named(cell.run(cell.job(nan=True)), r"black|blank|\bnan\b")


def graph_too_large(cell: Cell) -> Outcome:
    """The server takes 1 MB; the graph has 2."""
    nodes = cell.job()
    nodes["3"]["inputs"]["note"] = "x" * 2_000_000
    answer = cell.run(nodes)
    if answer.error is None and cell.made:
        return Outcome("n/a", "the request was within the limit")
    return named(answer, r"413|too large|too big|entity|limit|bytes|\bMB\b")


def frame_too_large(cell: Cell) -> Outcome:
    preview = Frame(BINARY, b"\0\0\0\1\0\0\0\1" + bytes(4_000_000))
    on_socket(cell, lambda frame: [preview, frame] if kind_of(frame) == "executing" else [frame])
    return delivered(cell, cell.run(cell.job()))


def names_that_climb(cell: Cell) -> Outcome:
    if cell.name not in KEEPS_NAMES:
        return Outcome("n/a", "hands out bytes or addresses; the user names the files")
    bad = f"../../../escaped_{cell.mark:06x}.png"
    wanted = tuple(255 - ((cell.mark >> shift) & 0xFF) for shift in (16, 8, 0))
    picture = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), wanted).save(picture, "PNG")

    def climb(text: bytes) -> bytes:
        name = re.compile(rb'("filename":\s*")[^"]*(")')
        return name.sub(lambda found: found[1] + bad.encode() + found[2], text)

    def fault(frame: Frame) -> Iterable[Frame]:
        return [Frame(frame.opcode, climb(frame.payload)) if frame.opcode == TEXT else frame]

    on_socket(cell, fault)
    cell.proxy.on("GET", "/history", lambda e: e.answer(200, climb(e.forward().body)))
    cell.proxy.on("GET", "/view", lambda e: e.answer(200, picture.getvalue(), "image/png"))
    answer = cell.run(cell.job())
    outside = [file for file in cell.folder.rglob("escaped_*") if not file.is_relative_to(cell.output)]
    if outside:
        return Outcome("wrong", f"wrote {outside[0].relative_to(cell.folder)}, outside the output folder")
    if answer.error is None:
        return delivered(cell, answer)
    return named(answer, r"outside|unsafe|escape|travers|path|folder|\.\./")


def strange_messages(cell: Cell) -> Outcome:
    strange = [
        *(Frame(TEXT, text.encode()) for text in ("no json", "[]", "7", '"status"', "null", '{"type": 7}', "{}")),
        Frame(TEXT, b'{"type": "executing", "data": null}'),
        Frame(TEXT, b'{"type": "executing", "data": {"node": null, "prompt_id": "00000000-somebody-else"}}'),
        Frame(TEXT, b'{"type": "crystools.monitor", "data": {"cpu": 3}}'),
        Frame(TEXT, b'{"type": "status", "data": {"status": {}}}'),
        *(Frame(BINARY, data) for data in (b"", b"\0\0", b"\0\0\0\x63rubbish", b"\0\0\0\1\0\0\0\2no picture")),
    ]
    on_socket(cell, lambda frame: [*strange, frame] if kind_of(frame) in {"status", "executing"} else [frame])
    return delivered(cell, cell.run(cell.job()))


def partly_rejected(cell: Cell) -> Outcome:
    """One of two outputs is invalid: the server drops it, runs the other, and answers 200 with node_errors."""
    nodes: dict[str, Any] = {}
    add_node(nodes, "21", "EmptyImage", "Bad", width=-5, height=SIDE, batch_size=1, color=1)
    add_node(nodes, "22", "SaveImage", "Save bad", images=["21", 0], filename_prefix="fault_bad")
    return named(cell.run(nodes | cell.job()), r"width|valid|node_errors|smaller|\bmin\b")


def answer_lost(cell: Cell) -> Outcome:
    """The server gets the prompt, the client does not get the answer."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        raise Cut

    cell.proxy.on("POST", "/prompt", fault, times=1)
    cell.proxy.on("POST", "/api/prompt", fault, times=1)
    answer = cell.run(cell.job())
    wait_for(lambda: cell.made, JOB_SECONDS + 2)
    wait_for(lambda: not cell.server.is_running(cell.mark), JOB_SECONDS + 2)
    sent = len(cell.proxy.seen("POST", "/prompt")) + len(cell.proxy.seen("POST", "/api/prompt"))
    outcome = delivered(cell, answer)
    return Outcome("wrong", f"submitted {sent} times") if sent > 1 and outcome.word == "survived" else outcome


Row = Callable[[Cell], Outcome]

ROWS: dict[str, tuple[str, Row]] = {
    "1": ("WebSocket drops, the job finishes", socket_drops),
    "2": ("WebSocket open but silent", socket_silent),
    "3": ("success before the history is written", history_late),
    "5": ("fully cached prompt", cached),
    "6": ("cached output deleted on the server", cached_file_deleted),
    "8": ("server restarts mid-job", server_restarts),
    "9": ("server dead from the start", server_dead),
    "14": ("outputs in subfolders, several types", subfolders_and_types),
    "15": ("run interrupted on the server", interrupted),
    "16": ("Ctrl-C beside another client (16, 22)", stopped_by_user),
    "18": ("NaN: black picture, 'success'", black_picture),
    "19": ("graph over the server's size limit", graph_too_large),
    "19b": ("WebSocket frame of 4 MB", frame_too_large),
    "20": ("../ in returned filenames", names_that_climb),
    "21": ("foreign and malformed messages", strange_messages),
    "24": ("200 with node_errors", partly_rejected),
    "25": ("answer to the POST lost", answer_lost),
}
