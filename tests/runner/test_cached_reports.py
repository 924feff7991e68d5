"""What nodes have shown is in a run's report also where the server took their results from its cache."""

from __future__ import annotations

import shutil

import pytest

from likeness_studio.runner.backends.comfy import backend as backend_module
from likeness_studio.runner.backends.comfy.backend import ServerBackend
from likeness_studio.runner.backends.comfy.results import reporting_nodes, unreported
from likeness_studio.tests.conftest import running_comfyui


def matte_graph(make, photo, prefix):
    """The node in the middle reports its networks; only the last node's prefix differs from run to run."""
    graph = {"1": make("LoadImage", image=photo), "4": make("SaveImage", images=["3", 0], filename_prefix=prefix)}
    graph["2"] = make("LikenessMattePerson", "Cut-out", image=["1", 0], model="u2netp", device="cpu")
    return graph | {"3": make("MaskToImage", mask=["2", 0])}


def entry_of(cached):
    messages = [["execution_start", {"timestamp": 1}], ["execution_cached", {"nodes": cached}]]
    return {"status": {"status_str": "success", "messages": messages}, "outputs": {}}


def test_only_nodes_in_the_middle_that_report_are_asked_for(make, workflow):
    graph = matte_graph(make, "a.png", "x") | {"5": make("LikenessCheckLikeness"), "6": make("LikenessRefineMatte")}
    assert reporting_nodes(workflow(graph)) == {"2"}


@pytest.mark.parametrize(
    ("cached", "shown", "missing"),
    [
        (["1", "2"], {}, ["Cut-out"]),
        (["1", "2"], {"2": {"models": []}}, []),
        (["1"], {}, []),
        ([], {}, []),
        (None, {}, []),
    ],
)
def test_a_report_that_the_server_did_not_keep_is_missed(make, workflow, cached, shown, missing):
    assert unreported(entry_of(cached), workflow(matte_graph(make, "a.png", "x")), shown) == missing


@pytest.mark.parametrize("entry", [{}, {"status": None}, {"status": {"messages": 3}}])
def test_an_entry_without_words_of_a_cache_misses_nothing(make, workflow, entry):
    assert unreported(entry, workflow(matte_graph(make, "a.png", "x")), {}) == []


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that keeps every result, also where memory is short."""
    with running_comfyui(tmp_path_factory.mktemp("keeps"), "--cache-classic") as started:
        yield started


@pytest.mark.comfyui
@pytest.mark.models
@pytest.mark.parametrize("forgets", [False, True], ids=["as it is", "as versions that forget"])
def test_the_second_run_reports_what_the_first_did(server, make, workflow, folders, astronaut, monkeypatch, forgets):
    monkeypatch.setattr(backend_module, "forgets_cached_reports", lambda version: forgets)
    shutil.copy(astronaut, folders.input / "cached.jpg")
    backend = ServerBackend(server.url)
    runs = [backend.run(workflow(matte_graph(make, "cached.jpg", f"{forgets}{number}")), folders) for number in (1, 2)]
    assert [[model["name"] for model in run.models] for run in runs] == [["u2netp"], ["u2netp"]]
    assert runs[1].notes == []
    (cut_out,) = [time for time in runs[1].times if time.title == "Cut-out"]
    assert cut_out.cached is not forgets
