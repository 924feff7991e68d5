"""The command line: exit codes, output for people and for programs, and a quick answer to Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from likeness_studio.runner.cli import main

LIKENESS = [sys.executable, "-c", "from likeness_studio.runner.cli import main; main(prog_name='likeness')"]


@pytest.fixture
def graph_file(tmp_path, invert):
    path = tmp_path / "negative.json"
    path.write_text(json.dumps(invert), "utf-8")
    return path


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def last_object(outcome):
    return json.loads(outcome.stdout.strip().splitlines()[-1])


def test_run_writes_picture_and_reports(graph_file, tmp_path):
    outcome = call("run", graph_file, "--output", tmp_path / "out", "--set", "Blank.width=5")
    assert outcome.exit_code == 0, outcome.output
    assert "negative_00001_.png" in outcome.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"negative_00001_.png", "report.html", "report.json"}


def test_json_is_one_object_a_line_ending_in_the_result(graph_file, tmp_path):
    outcome = call("run", graph_file, "-o", tmp_path / "out", "--json")
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [event["event"] for event in events][:3] == ["start", "node", "node_done"]
    assert events[-1]["event"] == "result"
    assert events[-1]["outputs"][0]["file"].endswith("negative_00001_.png")
    assert events[-1]["report"]["html"].endswith("report.html")


def test_output_folder_follows_the_workflows_name(graph_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("run", graph_file).exit_code == 0
    assert (tmp_path / "output" / "negative" / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--set", "Blank.width=0"], 1, "error [out_of_range] Blank.width must be at least 1, not 0."),
        (["--set", "Nobody.x=1"], 1, "error [unknown_title]"),
        (["--input", "missing.jpg"], 1, "error [photo_missing]"),
        (["--server", "ftp://x"], 1, "error [bad_server_address]"),
        (["--set", "nonsense"], 2, "not of the form"),
        (["--header", "nonsense"], 2, "not of the form"),
        (["--nothing"], 2, "No such option"),
    ],
)
def test_errors_are_one_line_with_a_code(graph_file, tmp_path, words, code, text):
    outcome = call("run", graph_file, "-o", tmp_path / "out", *words)
    assert outcome.exit_code == code
    assert text in outcome.stderr
    assert "Traceback" not in outcome.output
    if code == 1:
        assert len(outcome.stderr.strip().splitlines()) == 1


def test_every_wrong_setting_is_named(graph_file, tmp_path):
    words = ["--set", "Blank.width=0", "--set", "Nobody.x=1", "--set", "Blank.hight=3"]
    outcome = call("run", graph_file, "-o", tmp_path / "out", *words)
    assert outcome.exit_code == 1
    for text in ("Blank.width must be at least 1", "Nobody", "hight"):
        assert text in outcome.stderr


def test_error_for_programs(tmp_path):
    outcome = call("run", tmp_path / "nothing.json", "--json")
    assert outcome.exit_code == 1
    assert last_object(outcome)["code"] == "workflow_missing"


def test_traceback_only_when_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("LIKENESS_DEBUG", "1")
    assert type(call("run", tmp_path / "nothing.json").exception).__name__ == "WorkflowMissing"


def test_failed_verdict_has_its_own_exit_code(graph_file, tmp_path, monkeypatch):
    from likeness_studio.runner.backends import RunResult

    monkeypatch.setattr(RunResult, "verdict", property(lambda self: False))
    assert call("run", graph_file, "-o", tmp_path / "out").exit_code == 3


def test_a_file_on_a_server_is_not_called_one_of_this_machine(graph_file, tmp_path, monkeypatch):
    from likeness_studio.runner.backends import LocalEngine, RunResult

    monkeypatch.chdir(tmp_path)
    file = str(tmp_path / "output" / "person.safetensors")
    monkeypatch.setattr(RunResult, "shown", lambda self, key: iter([("1", file)] if key == "saved" else []))
    here = call("run", graph_file, "-o", tmp_path / "out").stdout
    assert f"Saved    {Path('output', 'person.safetensors')}\n" in here
    monkeypatch.setattr(LocalEngine, "remote", True)
    there = " ".join(call("run", graph_file, "-o", tmp_path / "out").stdout.split())
    assert f"Saved {file}, on the server" in there


@pytest.mark.parametrize("words", [["--set", "nonsense"], ["--nothing"], []])
def test_wrong_usage_for_programs(words):
    outcome = call("run", "--json", *words)
    assert outcome.exit_code == 2
    error = last_object(outcome)
    assert (error["event"], error["code"]) == ("error", "usage")
    assert error["message"]


def test_inspect_lists_what_can_be_set(graph_file):
    outcome = call("inspect", graph_file)
    assert outcome.exit_code == 0, outcome.output
    assert "Blank.width" in outcome.stdout
    assert "whole number 1 to 16384" in outcome.stdout


def test_inspect_for_programs(graph_file):
    found = last_object(call("inspect", graph_file, "--json"))
    assert found["runs_here"] is True
    assert found["outputs"] == ["Save"]
    width = found["nodes"][0]["inputs"][0]
    assert (width["set"], width["type"], width["min"], width["max"], width["default"]) == (
        "Blank.width", "INT", 1, 16384, 512,
    )  # fmt: skip


def test_inspect_names_what_needs_a_server(tmp_path, make):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"1": make("KSampler", steps=3, denoise=0.5, model=["2", 0])}), "utf-8")
    outcome = call("inspect", path)
    assert "needs a ComfyUI server (--server URL) for: KSampler" in outcome.stdout
    (node,) = last_object(call("inspect", path, "--json"))["nodes"]
    assert [(entry["set"].split(".")[1], entry["type"], entry["value"]) for entry in node["inputs"]] == [
        ("steps", "INT", 3),
        ("denoise", "FLOAT", 0.5),
    ]


def test_inspect_writes_out_long_lists_of_options():
    shown = call("inspect", "img2img_headshot_sd15").stdout
    assert "Sampler.denoise" in shown
    assert "Checkpoint.ckpt_name" in shown
    assert "Prompt.setting: unspecified | " in " ".join(shown.split())


def test_inspect_says_rows_that_are_not_used_once():
    shown = call("inspect", "merge_loras").stdout
    assert "Merge.lora_2 " in shown
    assert "Merge.lora_3 " not in shown
    assert "Merge.…_3 to …_8 " in shown


def test_help_and_early_errors_do_not_import_torch(tmp_path):
    """What makes them quick: `likeness --help` takes a twentieth of a second, torch alone a second."""
    program = textwrap.dedent(
        """
        import sys
        from likeness_studio.runner.cli import main
        for words in (["--help"], ["run", "--help"], ["inspect", "nothing.json"], ["run", "nothing.json"]):
            try:
                main(words, standalone_mode=True)
            except SystemExit:
                pass
        print(sorted({"torch", "onnxruntime", "rich", "httpx"} & set(sys.modules)))
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_real_process_exit_codes(graph_file, tmp_path):
    done = subprocess.run([*LIKENESS, "run", str(graph_file), "-o", str(tmp_path / "o")], timeout=60, check=False)
    assert done.returncode == 0
    failed = subprocess.run(
        [*LIKENESS, "run", str(tmp_path / "no.json")], capture_output=True, text=True, timeout=60, check=False
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("error [workflow_missing]")


SLOW = """
import sys, time
from likeness_studio.core import host
from likeness_studio.nodes.schema import io
from likeness_studio.runner.backends import local, local_nodes

class Slow(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="Slow", inputs=[io.Boolean.Input("polite")], outputs=[], is_output_node=True)

    @classmethod
    def execute(cls, polite):
        print("running", flush=True)
        if not polite:
            time.sleep(60)
        progress = host.Progress(1000)
        for _ in range(1000):
            time.sleep(0.05)
            progress.step()

known = {"Slow": Slow}
local.local_classes = lambda: known
local.local_catalog = lambda: local.describe(known)
local_nodes.local_classes, local_nodes.local_catalog = local.local_classes, local.local_catalog
from likeness_studio.runner.cli import main
main(["run", sys.argv[1], "-o", sys.argv[2]])
"""


@pytest.mark.parametrize("polite", [True, False], ids=["a node that asks", "a node that never asks"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_run_within_two_seconds(tmp_path, make, polite, number):
    path = tmp_path / "slow.json"
    path.write_text(json.dumps({"1": make("Slow", polite=polite)}), "utf-8")
    command = [sys.executable, "-c", SLOW, str(path), str(tmp_path / "out")]
    own_temp = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=own_temp)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        began = time.monotonic()
        process.send_signal(number)
        _, words = process.communicate(timeout=10)
        took = time.monotonic() - began
    finally:
        process.kill()
    assert process.returncode == 130
    assert took < 2, f"took {took:.1f} s"
    assert words == "error [interrupted] The run was stopped.\n"
    assert not list(tmp_path.glob("likeness-*")), "the run's temporary folder is left"
