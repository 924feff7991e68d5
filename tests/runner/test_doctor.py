"""`likeness doctor`: every problem with what to do, for people and for programs, and an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest
from click.testing import CliRunner

from likeness_studio.runner.backends import doctor as facts
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.runner.cli import main


def call(*words):
    return CliRunner().invoke(main, ["doctor", *map(str, words)])


def last_object(outcome):
    return json.loads(outcome.stdout.strip().splitlines()[-1])


@pytest.fixture
def graph_file(tmp_path, invert):
    path = tmp_path / "negative.json"
    path.write_text(json.dumps(invert), "utf-8")
    return path


@pytest.fixture
def drawn(tmp_path):
    """A canvas file with a missing pack, a missing model and a wrong value."""
    path = tmp_path / "drawn.json"
    model = {"name": "m.safetensors", "url": "https://e.org/m.safetensors", "directory": "checkpoints"}
    loader = {"id": 1, "type": "CheckpointLoaderSimple", "widgets_values": ["m.safetensors"]}
    canvas = {
        "nodes": [
            loader | {"properties": {"models": [model]}},
            {"id": 2, "type": "Detailer", "inputs": [], "properties": {"cnr_id": "a-pack"}},
            {"id": 3, "type": "PreviewAny", "inputs": [{"name": "source", "type": "*", "link": 1}]},
            {"id": 4, "type": "EmptyImage", "title": "Blank", "widgets_values": [0, 8, 1, 0]},
            {"id": 5, "type": "PreviewImage", "inputs": [{"name": "images", "type": "IMAGE", "link": 2}]},
        ],
        "links": [[1, 1, 0, 3, 0, "MODEL"], [2, 4, 0, 5, 0, "IMAGE"]],
    }
    path.write_text(json.dumps(canvas), "utf-8")
    return path


def test_a_workflow_that_can_run_here(graph_file):
    outcome = call(graph_file)
    assert outcome.exit_code == 0, outcome.output
    assert "negative can run on this machine (3 nodes)" in outcome.stdout


def test_a_workflow_that_cannot(graph_file, invert):
    invert["1"]["inputs"] |= {"width": 0, "color": "red"}
    graph_file.write_text(json.dumps(invert), "utf-8")
    outcome = call(graph_file)
    assert outcome.exit_code == 1
    assert outcome.stdout.splitlines() == [
        "negative cannot run on this machine; problems: 2",
        "  out_of_range  Blank.width must be at least 1, not 0.",
        "  wrong_type    Blank.color takes INT, not 'red'.",
    ]


def test_nodes_that_need_a_server(graph_file, invert, make):
    invert["9"] = make("KSampler")
    graph_file.write_text(json.dumps(invert), "utf-8")
    found = last_object(call(graph_file, "--json"))
    assert found["can_run"] is False
    assert [problem["code"] for problem in found["problems"]] == ["needs_server"]


def test_a_model_file_that_is_not_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LIKENESS_MODELS", str(tmp_path))
    outcome = call("merge_loras")
    assert outcome.exit_code == 1
    shown = " ".join(outcome.stdout.split())
    assert "This machine has no model file 'subject.safetensors' for Subject LoRA.lora, Merge.lora_1" in shown
    assert f"put it into {tmp_path / 'loras'}, or choose another." in shown
    assert "server" not in shown


def test_for_programs_one_object(graph_file):
    outcome = call(graph_file, "--json")
    assert len(outcome.stdout.strip().splitlines()) == 1
    found = last_object(outcome)
    assert (found["event"], found["can_run"], found["where"]) == ("result", True, "this machine")
    assert (found["problems"], found["doubts"], found["workflow"]["name"]) == ([], [], "negative")


def test_a_file_that_is_none(tmp_path):
    outcome = call(tmp_path / "no.json")
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("error [workflow_missing]")


def test_a_server_that_is_not_there(graph_file, monkeypatch):
    from likeness_studio.runner.backends.comfy import server as transport

    start = transport.ComfyServer.__init__
    monkeypatch.setattr(
        transport.ComfyServer, "__init__", lambda self, url, headers, _: start(self, url, headers, wait_seconds=0.1)
    )
    for words in ([graph_file], []):
        outcome = call(*words, "--server", "http://127.0.0.1:9")
        assert outcome.exit_code == 1
        assert outcome.stderr.startswith("error [server_unreachable]")


def test_a_managed_server_goes_by_its_name(monkeypatch, tmp_path):
    monkeypatch.setenv("LIKENESS_STATE", str(tmp_path))
    found = call("--server", "@nobody")
    assert found.exit_code == 1
    assert "no_managed_server" in found.output


def test_this_machine(model_dir):
    outcome = call()
    assert outcome.exit_code == 0, outcome.output
    lines = outcome.stdout.splitlines()
    assert lines[0] == "This machine"
    assert any(line.startswith("  ok   torch ") and "computes on" in line for line in lines)
    assert any("ExecutionProvider" in line for line in lines)
    assert any("GB free" in line for line in lines)
    assert any("not here; fetched when first used, or with: likeness models get yunet" in line for line in lines)
    starts = {line.index(line.split("  ", 2)[2].lstrip()) for line in lines[1:]}
    assert starts == {7}, "columns are aligned"


def test_a_damaged_model_stands_in_the_way(model_dir):
    from likeness_studio.core.models import models

    (model_dir / models()["yunet"].file).write_bytes(b"nonsense")
    outcome = call()
    assert outcome.exit_code == 1
    assert "BAD  model yunet" in outcome.stdout
    assert "-> likeness models get yunet" in outcome.stdout
    found = last_object(call("--json"))
    assert found["can_run"] is False
    assert [fact["name"] for fact in found["machine"] if not fact["ok"]] == ["model yunet"]


def test_a_full_disk_stands_in_the_way(model_dir, monkeypatch):
    monkeypatch.setattr(facts, "LOW_DISK", 1 << 62)
    found = last_object(call("--json"))
    assert [fact["name"] for fact in found["machine"] if not fact["ok"]] == ["disk for models", "disk for results"]


def test_a_package_that_is_broken_is_said(model_dir):
    program = textwrap.dedent(
        """
        import sys
        sys.modules["onnxruntime"] = None
        from likeness_studio.runner.cli import main
        main(["doctor"])
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "BAD  onnxruntime" in done.stdout
    assert "-> pip install onnxruntime" in done.stdout
    assert "Traceback" not in done.stderr


def test_help_imports_nothing_heavy():
    program = textwrap.dedent(
        """
        import sys
        from likeness_studio.runner.cli import main
        for words in (["doctor", "--help"], ["doctor", "nothing.json"]):
            try:
                main(words)
            except SystemExit:
                pass
        print(sorted({"torch", "onnxruntime", "rich", "httpx"} & set(sys.modules)))
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


class Answers(ComfyServer):
    """A server whose answers are whatever a test says."""

    def __init__(self, answers):
        super().__init__("http://127.0.0.1:9")
        self.answers = answers

    def json(self, method, path, **options):
        return self.answers[path]


@pytest.mark.parametrize(
    "junk", [{}, {"system": 5, "devices": 3, "queue_running": 1}, {"devices": [None, {"name": 1}]}]
)
def test_odd_answers_are_borne(junk):
    found = facts.server(Answers({"/system_stats": junk, "/object_info": {"X": junk}, "/queue": junk}))
    assert all(isinstance(fact.value, str) for fact in found)


def test_another_version_of_the_pack_is_noticed():
    from likeness_studio.runner.backends import local_object_info

    ours = {name: entry for name, entry in local_object_info().items() if name.startswith("Likeness")}
    assert facts._pack(facts.from_object_info(ours)).ok
    older = dict(ours)
    del older["LikenessKeepBest"]
    fact = facts._pack(facts.from_object_info(older))
    assert not fact.ok
    assert "lacks LikenessKeepBest" in fact.value


@pytest.mark.comfyui
def test_a_real_server(comfyui_server, model_dir):
    outcome = call("--server", comfyui_server.url)
    assert outcome.exit_code == 0, outcome.output
    text = outcome.stdout
    assert "The server" in text
    assert "installed, with the nodes of" in text
    assert "0 running, 0 waiting" in text
    found = last_object(call("--server", comfyui_server.url, "--json"))
    assert {"ComfyUI", "device", "Likeness Studio", "queue"} <= {fact["name"] for fact in found["server"]}


@pytest.mark.comfyui
def test_a_workflow_on_a_real_server(comfyui_server, drawn):
    assert call("studio_headshot", "--server", comfyui_server.url).exit_code == 0
    outcome = call(drawn, "--server", comfyui_server.url)
    assert outcome.exit_code == 1
    found = last_object(call(drawn, "--server", comfyui_server.url, "--json"))
    assert [problem["code"] for problem in found["problems"]] == [
        "node_class_missing",
        "model_file_missing",
        "out_of_range",
    ]
    assert "comfy node install a-pack" in outcome.stdout
    assert "fetch https://e.org/m.safetensors into models/checkpoints" in outcome.stdout
    assert "Blank.width must be at least 1, not 0" in outcome.stdout


@pytest.mark.comfyui
def test_inspect_reads_a_canvas_file_with_a_server(comfyui_server, drawn):
    outcome = CliRunner().invoke(main, ["inspect", str(drawn), "--server", comfyui_server.url, "--json"])
    assert outcome.exit_code == 0, outcome.output
    assert [node["known"] for node in last_object(outcome)["nodes"]] == [True, False, True, True, True]
