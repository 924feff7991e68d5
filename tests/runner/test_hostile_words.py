"""Titles, file names and a server's words with terminal escapes or formulas: nothing that people look at obeys them."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from likeness_studio.core.errors import PhotoMissing
from likeness_studio.runner.backends import Event
from likeness_studio.runner.backends.comfy.results import rejection, results
from likeness_studio.runner.batch.verdict_tables import cell, one_line
from likeness_studio.runner.cli import main
from likeness_studio.runner.cli.output import Output
from likeness_studio.runner.errors import ServerExecutionError
from likeness_studio.runner.workflow import Workflow

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\x7f\x08\r"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def graph(title=ESCAPES, image="me.jpg"):
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}, "_meta": {"title": f"Photo{title}"}},
        "2": {"class_type": f"Odd{title}", "inputs": {f"x{title}": f"v{title}"}, "_meta": {"title": f"T{title}"}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": f"p{title}"}},
    }


@pytest.fixture
def shared(tmp_path):
    folder = tmp_path / "a\x1b[2Jb"
    folder.mkdir()
    (folder / "w\x1b[31m.json").write_text(json.dumps(graph()))
    return folder / "w\x1b[31m.json"


COMMANDS = {
    "inspect": ["inspect", "{}"],
    "run": ["run", "{}"],
    "a missing photo": ["run", "{}", "-i", "x\x1b[2J.jpg"],
    "a setting": ["run", "{}", "--set", "T\x1b[2J.x=1"],
    "doctor": ["doctor", "{}"],
    "a missing workflow": ["run", "no\x1b[2J"],
    "batch": ["batch", "{}", "-i", "no\x1b[2J", "-o", "out"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("as_json", [False, True])
def test_no_command_hands_escapes_to_the_terminal(shared, tmp_path, monkeypatch, words, as_json):
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(main, [word.format(shared) for word in words] + ["--json"] * as_json)
    assert told.output
    assert not STEERING.search(told.output), ascii(STEERING.search(told.output))
    assert not isinstance(told.exception, Exception) or isinstance(told.exception, SystemExit), told.exception


def test_what_is_said_is_harmless(capsys):
    out = Output()
    out.say(f"Note {ESCAPES}")
    out.say_in_colour("Verdict ", (f"x{ESCAPES}\nVerdict SAME", "red"))
    out.error(PhotoMissing(f"There is no photo {ESCAPES}"))
    Output(as_json=True).line({"title": ESCAPES})
    said = capsys.readouterr()
    assert not STEERING.search(said.out + said.err)
    assert len(said.out.splitlines()) == 3
    assert json.loads(said.out.splitlines()[-1])["title"] == ESCAPES


def test_a_title_in_the_progress_is_harmless(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    out = Output()
    out.on_event(Event("node", node="1", title=f"a{ESCAPES}", index=0, total=2))
    assert out._bars is not None
    assert out._bars._progress.tasks[1].description.isprintable()
    out.close()


def test_commands_print_through_one_place():
    folder = Path(__file__).parents[2] / "runner" / "cli"
    direct = [
        f"{path.name}: {line.strip()}"
        for path in folder.glob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"click\.echo\((?!f?\"\\r)|(?<!\w)print\(|Text\.assemble", line)
    ]
    cleaned = ("harmless(", "console.print(table)", "no_wrap=True")
    assert [line for line in direct if not line.startswith("output.py") and not any(c in line for c in cleaned)] == []


@pytest.mark.parametrize(
    "text",
    ["=1", "a;=HYPERLINK(1)", "a;  =1", "a;\t@x", "a\n=1", "a\r+1", "a;-2+3", "\t=1", " =1", "a; b;=c;+d", "\uff1d1"],
)
def test_no_cell_is_a_formula_however_the_table_is_split(text):
    shown = cell(text)
    for part in re.split(r"[;\t\r\n]", shown):
        assert not part.lstrip().startswith(("=", "+", "-", "@", "\uff1d")), ascii(shown)


@pytest.mark.parametrize("text", ["anna", "a; b", "-0.5", "3 - 2", "me@home", "1;2", ""])
def test_plain_cells_stay_as_they_are(text):
    assert cell(text) == text


LONG = "x" * 30_000_000
WORKFLOW = Workflow.from_api("w", graph(title=""))
REPORTS = {
    "a long word": {"1": {"errors": [{"message": LONG, "details": LONG}]}},
    "a long id": {LONG: {"errors": [{"message": "m", "details": "d"}]}},
    "many nodes": {str(number): {"errors": [{"message": "m" * 400, "details": "d"}]} for number in range(100_000)},
    "many problems": {"1": {"errors": [{"message": "m" * 400, "details": "d"}] * 100_000}},
    "layers": {"1": {"errors": [{"message": "m", "details": json.loads("[" * 900 + "]" * 900)}]}},
    "a large number": {"1": {"errors": [{"message": "m", "details": 10**4000}]}},
    "another kind": {"1": {"errors": LONG}},
}


@pytest.mark.parametrize("reports", REPORTS.values(), ids=REPORTS)
def test_what_a_server_says_of_a_workflow_is_cut(reports):
    server: Any = SimpleNamespace(url="http://one:8188", object_info=dict)
    error = rejection(WORKFLOW, {"node_errors": reports}, server)
    assert len(str(error)) < 100_000
    assert len(json.dumps(error.as_dict())) < 300_000


def test_what_a_server_says_of_a_failure_is_cut():
    failed = {"node_id": LONG, "exception_type": LONG, "exception_message": LONG}
    status = {"status_str": "error", "messages": [["execution_error", failed]]}
    with pytest.raises(ServerExecutionError) as caught:
        results({"status": status}, WORKFLOW, "http://one:8188")
    assert len(str(caught.value)) < 20_000


@pytest.mark.parametrize("piece", [" (node x", "a (node x) failed: 1 of 1 reference photos ", "a (node ", ": "])
def test_a_megabyte_of_a_servers_words_takes_no_time(piece):
    began = time.process_time()
    one_line(piece * (1_000_000 // len(piece)), refused=True)
    assert time.process_time() - began < 2


def test_of_a_refused_photo_only_what_is_wrong_with_it_is_said():
    said = "Enroll (node 3) failed: 1 of 1 reference photos cannot be used. Photo 1: There is no face."
    assert one_line(said, refused=True) == "There is no face."
