"""Start and Stop Measuring: seconds, memory, and that a cached stage never shows a number that is not its own."""

import gc
import json
import math
import threading
import time

import pytest
import torch

from likeness_studio.core import host
from likeness_studio.core.compare import time_and_memory as memory
from likeness_studio.core.compare import time_and_memory as stopwatch
from likeness_studio.nodes.compare import StartMeasuring, StopMeasuring
from likeness_studio.nodes.schema import io
from likeness_studio.runner.backends import Folders, LocalEngine, local_classes
from likeness_studio.runner.errors import NodeFailed
from likeness_studio.runner.report import write_report
from likeness_studio.runner.workflow import Workflow


def watchers():
    return [thread for thread in threading.enumerate() if thread.name == "likeness-memory"]


def wait_until(what, seconds=3.0):
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    return what()


class Doze(io.ComfyNode):
    """Takes its time and some memory."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestDoze",
            inputs=[
                io.Image.Input("image"),
                io.Float.Input("seconds", default=0.1),
                io.Int.Input("megabytes", default=0),
            ],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(cls, image, seconds, megabytes):
        held = torch.ones(megabytes * 2**18)
        time.sleep(seconds)
        if seconds < 0.02:
            raise RuntimeError("woken up")
        return io.NodeOutput(image + held[:0].sum())


@pytest.fixture
def run(tmp_path):
    engine = LocalEngine({**local_classes(), "TestDoze": Doze})
    folders = Folders(*(tmp_path / name for name in ("input", "output", "temp")))

    def go(graph):
        return engine.run(Workflow.from_api("test", graph), folders)

    return go


def graph(seconds=0.1, megabytes=0, color=255, prefix="x"):
    node = lambda kind, **inputs: {"class_type": kind, "inputs": inputs}  # noqa: E731
    return {
        "1": node("EmptyImage", width=16, height=8, batch_size=1, color=color),
        "2": node("LikenessStartMeasuring", value=["1", 0]),
        "3": node("TestDoze", image=["2", 0], seconds=seconds, megabytes=megabytes),
        "4": node("LikenessStopMeasuring", value=["3", 0], stopwatch=["2", 1], name="doze"),
        "5": node("SaveImage", images=["4", 0], filename_prefix=prefix),
    }


def test_a_stage_is_measured(run):
    result = run(graph(seconds=0.4, megabytes=300))
    (entry,) = result.measured
    assert 0.4 <= entry["seconds"] < 30
    assert entry["name"] == "doze"
    assert entry["values"] == 1
    assert not entry["cached"]
    if entry["peak_memory_bytes"] is not None and not torch.cuda.is_available():
        assert entry["peak_memory_bytes"] > (memory.process_memory() or 0) + 200 * 2**20, (
            "memory that is gone again counts"
        )


def test_the_value_passes_unchanged(run):
    assert len(run(graph()).outputs) == 1


def test_a_stage_that_did_not_change_stays_cached_and_says_so(run):
    first = run(graph())
    again = run(graph())
    assert [time.cached for time in again.times[:4]] == [True] * 4
    assert again.measured[0] | {"cached": False} == first.measured[0]
    assert again.measured[0]["cached"] is True


def test_what_follows_the_stage_does_not_start_it_again(run):
    run(graph())
    again = run(graph(prefix="y"))
    assert [time.cached for time in again.times] == [True] * 4 + [False]


def test_a_changed_stage_is_measured_anew(run):
    run(graph(seconds=0.05))
    time.sleep(0.5)
    result = run(graph(seconds=0.1))
    assert [time.cached for time in result.times[:4]] == [True, False, False, False], "the watch starts anew too"
    assert 0.1 <= result.measured[0]["seconds"] < 0.5, "not since the first run"


def test_a_watch_from_an_earlier_run_measures_nothing(tmp_path):
    def surroundings():
        return host.use(host.LocalHost(tmp_path, tmp_path, tmp_path))

    with surroundings():
        watch = StartMeasuring.execute(value=[1])[1]
    with surroundings():
        output = StopMeasuring.execute(value=[1], stopwatch=[watch], name=["late"])
    (entry,) = output.ui["measured"]
    assert entry["seconds"] is None
    assert entry["peak_memory_bytes"] is None
    assert "not measured" in output.ui["text"][0]
    assert json.loads(output[1]) == entry


def test_a_failed_stage_leaves_no_thread(run):
    with pytest.raises(NodeFailed, match="woken up"):
        run(graph(seconds=0.01))
    assert wait_until(lambda: not watchers())


def test_a_watch_outside_of_a_run_ends_with_its_owner():
    watch = stopwatch.Stopwatch(torch.device("cpu"))
    assert (watch.read("a", 1).seconds or -1) >= 0
    assert memory.process_memory() is None or watchers()
    del watch
    gc.collect()
    assert wait_until(lambda: not watchers())


def test_a_list_is_measured_as_a_whole():
    value, watch = StartMeasuring.execute(value=[1, "two", None]).args
    passed, report = StopMeasuring.execute(value=value, stopwatch=[watch], name=[" "]).args
    assert passed == [1, "two", None]
    assert json.loads(report)["values"] == 3
    assert json.loads(report)["name"] == "Stage"


def test_several_stages_may_end_on_one_watch():
    value, watch = StartMeasuring.execute(value=[1]).args
    first = json.loads(StopMeasuring.execute(value=value, stopwatch=[watch], name=["a"])[1])
    time.sleep(0.1)
    second = json.loads(StopMeasuring.execute(value=value, stopwatch=[watch], name=["b"])[1])
    assert second["seconds"] >= first["seconds"] + 0.1


def test_without_a_graph_the_stage_is_measured_every_time():
    answer = StartMeasuring.fingerprint_inputs(value=[None])
    assert math.isnan(answer)


def test_another_stage_does_not_start_this_one(tmp_path):
    two = graph() | {
        "12": {"class_type": "LikenessStartMeasuring", "inputs": {"value": ["1", 0]}},
        "14": {
            "class_type": "LikenessStopMeasuring",
            "inputs": {"value": ["12", 0], "stopwatch": ["12", 1], "name": "b"},
        },
    }

    def fingerprint(changes):
        changed = {key: node | {"inputs": node["inputs"] | changes.get(key, {})} for key, node in two.items()}
        with host.use(host.LocalHost(tmp_path, tmp_path, tmp_path, graph=changed, node="2")):
            return StartMeasuring.fingerprint_inputs(value=[None])

    assert fingerprint({}) == fingerprint({"14": {"name": "c"}}) == fingerprint({"5": {"filename_prefix": "z"}})
    assert fingerprint({}) != fingerprint({"3": {"seconds": 9.0}})
    assert fingerprint({}) != fingerprint({"1": {"color": 1}})


class Allocator:
    """What torch counts on a CUDA device, without one."""

    def __init__(self):
        self.now = self.most = 0

    def allocate(self, size):
        self.now += size
        self.most = max(self.most, self.now)

    def reset(self, device):
        self.most = self.now


def test_stages_inside_one_another_share_the_gpu_counter(monkeypatch):
    card = Allocator()
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", card.reset)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: card.most)
    device = torch.device("cuda")
    outer = memory.CudaMemory(device)
    card.allocate(900)
    card.allocate(-800)
    inner = memory.CudaMemory(device)
    card.allocate(50)
    assert inner.peak() == 150
    assert outer.peak() == 900, "the inner one sets the counter back, and the outer one knows"


def test_the_report_lists_measured_stages(run, tmp_path):
    result = run(graph())
    html = write_report(result, tmp_path / "report")[0].read_text("utf-8")
    assert "Measured stages" in html
    assert "doze" in html
    assert "kept from an earlier run" in write_report(run(graph()), tmp_path / "report")[0].read_text("utf-8")
    values = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    assert values["measured"][0]["name"] == "doze"


def test_without_psutil_no_figure_is_made_up(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psutil", None)
    assert memory.process_memory() is None
    watch = memory.ProcessMemory(lambda: False)
    assert watch.peak() is None
