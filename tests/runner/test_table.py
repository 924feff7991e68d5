"""What a batch shows while it runs: a table on a real terminal, lines in a log, JSON for programs."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from likeness_studio.runner.backends import ServerView
from likeness_studio.runner.batch.job_records import BatchEvent, BatchView, Counts
from likeness_studio.runner.batch.judge import judges_by_rules
from likeness_studio.runner.cli import batch_display as table
from likeness_studio.runner.cli import main
from likeness_studio.runner.cli.batch_display import BatchDisplay, failure_of, plain_line, show_summary
from likeness_studio.runner.cli.output import Output, clean, duration
from likeness_studio.runner.workflow import load

COUNTS = Counts(
    total=2000, pending=1400, leased=3, done=560, failed=37, passed=510, not_confirmed=50, refused=30, unchecked=0
)

SERVERS = (
    ServerView("http://gpu-box:8188", "ready", 2, 2, 512, 1.31),
    ServerView("http://gpu-two.example:8188/a/long/base/path", "down", 0, 2, 44, None, "It does not answer.", 12.4),
    ServerView("http://10.0.0.9:8188", "trial", 1, 1, 3),
)

VIEW = BatchView(COUNTS, SERVERS, 312.0, 123.4, 700.0, tuple(f"photo-{number}" for number in range(9)))

FAILED = BatchEvent("job_finished", {"name": "ann", "state": "failed", "error": "Matte (node 4) failed: no memory."})

REFUSED = BatchEvent(
    "job_finished",
    {"name": "bob", "state": "failed", "verdict": "refused", "error": "Photo (node 1) failed: No face was found."},
)


def drawn(view=VIEW, failures=(), width=120):
    from rich.console import Console

    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(table.render(view, list(failures), width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_says_how_the_batch_is_doing():
    text = drawn(failures=[("failed", "ann", "no memory"), ("server down", "http://x", "refused")])
    for words in (
        "597/2,000",
        "5 min 12 s",
        "123 a minute, 11 min 40 s left",
        "510 same person",
        "50 not confirmed",
        "30 refused",
        "7 failed",
        "http://gpu-box:8188",
        "ready",
        "2/2",
        "1.3 s",
        "down",
        "next try in 12 s: It does not answer.",
        "being tried",
        "photo-0",
        "and 3 more",
        "failed  ann  no memory",
        "server down  http://x  refused",
    ):
        assert words in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_nothing_wraps_whatever_the_width(width):
    lines = drawn(failures=[("failed", "a" * 90, "b" * 300)], width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == len(drawn(failures=[("failed", "a", "b")], width=200).splitlines())


def test_a_batch_that_has_just_begun():
    text = drawn(BatchView(Counts(total=3, pending=3), (), 0.0))
    assert "0/3" in text
    assert "left" not in text


def test_photos_that_were_judged_by_rules_are_no_persons_confirmed():
    view = BatchView(Counts(total=2, done=2, not_confirmed=2), (), 1.0, by_rules=True)
    assert "0 rules met · 2 rules not met" in plain_line(view)
    assert "2 rules not met" in drawn(view)
    assert "person" not in plain_line(view)
    judged = {name: judges_by_rules(load(name)) for name in ("id_photo", "id_photo_sheet", "studio_headshot")}
    assert judged == {"id_photo": True, "id_photo_sheet": True, "studio_headshot": False}


def test_a_workflow_without_a_check_promises_no_verdict():
    assert "same person" not in plain_line(BatchView(Counts(total=2, done=2, unchecked=2), (), 1.0))
    assert "2 not checked" in plain_line(BatchView(Counts(total=2, done=2, unchecked=2), (), 1.0))


def test_a_refused_photo_is_counted_once():
    assert dict(table.verdicts(Counts(total=2, failed=2, refused=1))).keys() >= {"1 refused", "1 failed"}


def test_names_do_not_steer_the_terminal():
    evil = "\x1b[2J\x1b]0;owned\x07\r\nbell\u202e\x9b31m"
    assert clean(evil).isprintable()
    view = BatchView(COUNTS, (ServerView(evil, "down", last_error=evil),), 1.0, running=(evil, "[bold red]x[/]"))
    text = drawn(view, [("failed", clean(evil), clean(evil))])
    assert not set(text) & set("\x1b\x07\r\u202e\x9b")
    assert "[bold red]x[/]" in text
    assert plain_line(view).isprintable()


def test_which_events_are_failures():
    assert failure_of(FAILED) == ("failed", "ann", "Matte (node 4) failed: no memory.")
    assert failure_of(REFUSED) == ("refused", "bob", "No face was found.")
    down = BatchEvent("server_down", {"server": "http://x", "error": "gone"})
    assert failure_of(down) == ("server down", "http://x", "gone")
    assert failure_of(BatchEvent("job_finished", {"name": "cy", "state": "done", "verdict": "passed"})) is None
    assert failure_of(BatchEvent("job_started", {"name": "cy", "state": "failed"})) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_what_is_no_photo_is_named_before_the_batch(tmp_path, astronaut):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "me.jpg").write_bytes(astronaut.read_bytes())
    (photos / "notes.txt").write_text("not a photo")
    (photos / "old").mkdir()
    graph = {"1": {"class_type": "LoadImage", "inputs": {"image": "x.png"}, "_meta": {"title": "Photo"}}}
    graph["2"] = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "copy"}}
    (tmp_path / "copy.json").write_text(json.dumps(graph))
    words = ["batch", str(tmp_path / "copy.json"), "-i", str(photos), "-o", str(tmp_path / "out")]
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 0, ran.output
    assert "Left out, because they are no photos: notes.txt, old." in ran.stderr


def test_a_log_gets_a_line_now_and_then_and_each_failure(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(table.time, "monotonic", lambda: now[0])
    display = BatchDisplay(Output())
    for _ in range(50):
        display.update(VIEW)
        now[0] += 0.5
    display.event(FAILED)
    display.event(REFUSED)
    display.event(BatchEvent("job_finished", {"name": "cy", "state": "done", "verdict": "passed"}))
    display.close()
    display.update(VIEW)
    display.event(FAILED)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 5
    assert lines[0] == lines[2] == plain_line(VIEW)
    assert "597/2,000 done · 510 same person · 50 not confirmed · 30 refused · 7 failed" in lines[0]
    assert "down: http://gpu-two.example:8188/a/long/base/path" in lines[0]
    assert lines[3:] == ["failed: ann: Matte (node 4) failed: no memory.", "refused: bob: No face was found."]
    assert "\x1b" not in err


def test_programs_get_one_json_object_for_each_event(capsys):
    display = BatchDisplay(Output(as_json=True))
    display.update(VIEW)
    display.event(FAILED)
    display.event(BatchEvent("server_up", {"server": "http://x"}))
    display.close()
    out, err = capsys.readouterr()
    first, second = map(json.loads, out.splitlines())
    assert first == {"event": "job_finished", **FAILED.values}
    assert second == {"event": "server_up", "server": "http://x"}
    assert err == ""


def test_summary(capsys):
    show_summary(
        Output(), COUNTS, seconds=120.0, sheet=Path("out/contact_sheet.html"), csv=Path("out/v.csv"), jobs_run=97
    )
    assert capsys.readouterr().out.splitlines() == [
        "Verdicts  510 same person · 50 not confirmed · 30 refused · 7 failed · 1,403 not finished",
        "Time      97 jobs in 2 min 00 s, 48 a minute (500 were done before)",
        "Sheet     out/contact_sheet.html",
        "Table     out/v.csv",
    ]
    show_summary(Output(as_json=True), COUNTS, seconds=1.0)
    assert capsys.readouterr().out == ""


def test_summary_when_nothing_was_left_to_do(capsys):
    show_summary(Output(), Counts(total=1, done=1, passed=1), seconds=0.0, jobs_run=0)
    assert "0 jobs in 0 s (1 were done before)" in capsys.readouterr().out


PROGRAM = """
    import sys, time
    from likeness_studio.runner.batch.job_records import BatchEvent, BatchView, Counts, ServerView
    from likeness_studio.runner.cli.output import Output
    from likeness_studio.runner.cli.batch_display import BatchDisplay, show_summary

    display, started = BatchDisplay(Output()), time.monotonic()
    warm = None
    while time.monotonic() - started < 4:
        done = int(100 * (time.monotonic() - started))
        counts = Counts(2000, 2000 - done, 0, done, 0, done)
        servers = tuple(ServerView(f"http://gpu-{n}:8188", "ready", 1, 2, done, 0.1) for n in range(4))
        display.update(BatchView(counts, servers, time.monotonic() - started, 600.0, 9.0, ("ann", "bob")))
        if warm is None and time.monotonic() - started > 1:
            warm = time.process_time(), time.monotonic()
            display.event(BatchEvent("job_finished", {"name": "cy", "state": "failed", "error": "broken"}))
        time.sleep(0.02)
    spent = (time.process_time() - warm[0]) / (time.monotonic() - warm[1])
    display.close()
    show_summary(Output(), counts, seconds=4.0)
    print(f"SPENT {spent:.4f}")
"""


def test_a_terminal_sees_the_table_four_times_a_second_for_little(tmp_path):
    """A real pseudo-terminal: what is drawn, how often, what is left afterwards, and what it costs."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    parent, child = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(
        [sys.executable, str(program)], stdin=child, stdout=child, stderr=child, env=environment
    ) as run:
        os.close(child)
        seen = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                part = os.read(parent, 65536)
            except OSError:
                break
            if not part:
                break
            seen += part
        os.close(parent)
    text = seen.decode("utf-8", "replace")
    assert run.returncode == 0, text
    drawings = text.count("/2,000")
    assert 4 <= drawings <= 18
    assert "same person" in text
    assert "http://gpu-3:8188" in text
    assert "broken" in text
    assert "\x1b[?25h" in text, "the cursor is given back"
    assert "Traceback" not in text
    after = text[text.rindex("\x1b[2K") :]
    assert "http://gpu" not in after, "the table is taken away"
    assert "Verdicts" in after
    spent = float(text.rsplit("SPENT ", 1)[1].split()[0])
    assert spent < 0.05, "drawing and updating fifty times a second must stay below 5 % of a core"
