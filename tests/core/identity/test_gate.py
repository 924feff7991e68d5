"""Gate by Likeness: sorts, scores, says what it knows, and leaves out what there is not."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from likeness_studio.core import host
from likeness_studio.core.errors import NoneLikeEnough
from likeness_studio.core.faces import Face
from likeness_studio.core.identity import Identity, independence_warnings
from likeness_studio.core.imaging import to_pil
from likeness_studio.nodes.likeness import GateByLikeness
from likeness_studio.runner.backends import Folders, LocalEngine, judged_images, report_passed
from likeness_studio.runner.workflow import Workflow

pytestmark = pytest.mark.usefixtures("local")

ANYWAY, STOP = "best anyway, marked as failed", "stop with an error"
POINTS = np.array([[20, 20], [40, 20], [30, 32], [22, 43], [38, 43]], dtype=np.float64)


class Brightness:
    """An engine for which the mean brightness of a picture says how like the person it is; black has no face."""

    key = "yunet-sface"

    @property
    def models(self):
        return [{"name": "m", "licence": "x", "commercial": "yes", "use": "face detection"}]

    def detect(self, image):
        return [] if float(image.mean()) == 0 else [Face((0.0, 0.0, 60.0, 60.0), POINTS, 0.9)]

    def embed(self, image, face):
        cosine = float(image.mean())
        vector = np.zeros(4)
        vector[:2] = cosine, math.sqrt(1 - cosine**2)
        return Face(face.box, face.landmarks, face.score, vector)


PERSON = Identity(np.array([1.0, 0, 0, 0]), (0.7, 0.6, 0.65), 3, "yunet-sface", "Ada")


def picture(likeness, size=64):
    return torch.full((1, size, size, 3), float(likeness))


def gate(*likenesses, on_none=ANYWAY, prompt=None, engine=None):
    running = type("Gate", (GateByLikeness,), {"hidden": SimpleNamespace(prompt=prompt)})
    return running.execute(
        images=[picture(each) for each in likenesses],
        identity=[PERSON],
        on_none=[on_none],
        strictness=["custom threshold"],
        custom_threshold=[0.5],
        several_faces=["refuse"],
        min_face=[48],
        engine=[engine or Brightness()],
    )


def levels(pictures):
    return [round(float(each.mean()), 2) for each in pictures]


def test_it_sorts_in_the_order_of_the_input_and_scores_every_picture():
    passed, failed, all_passed, scores, text = gate(0.6, 0.2, 0.9, 0, 0.55).args
    assert levels(passed) == [0.6, 0.9, 0.55]
    assert levels(failed) == [0.2, 0]
    assert all_passed is False
    assert scores[:3] == pytest.approx([0.6, 0.2, 0.9], abs=1e-3)
    assert math.isnan(scores[3])
    report = json.loads(text)
    assert (report["kept"], report["failed"]) == ([0, 2, 4], [1, 3])
    assert report["baseline"] == {"median": 0.65, "low": 0.6, "photos": 3}
    assert [image["outcome"] for image in report["images"]] == ["pass", "fail", "pass", "no_face", "pass"]


def test_it_shows_what_check_likeness_shows(local):
    output = gate(0.6, 0.2)
    assert output.ui["likeness"] == [json.loads(output[4])]
    assert len(output.ui["images"]) == 2
    assert (local.temp_dir / output.ui["images"][0]["filename"]).is_file()
    assert "own photos agree by 0.65" in output.ui["text"][0]
    names = [model["name"] for model in output.ui["models"]]
    assert names == [*(model["name"] for model in Brightness().models), "face_mesh", "iris"]


@pytest.mark.parametrize(
    ("likenesses", "kept", "verdict"),
    [((0.6, 0.2), [0], True), ((0.2, 0.4, 0.1), [1], False), ((0.6, 0.7), [0, 1], True), ((0, 0), [0], False)],
)
def test_the_runs_verdict_is_that_of_the_pictures_let_through(likenesses, kept, verdict):
    (report,) = gate(*likenesses).ui["likeness"]
    assert report["kept"] == kept
    assert report_passed(report) is verdict
    assert [image["index"] for image in judged_images(report)] == kept


def test_when_none_passes_the_best_goes_on_or_the_node_stops():
    passed, failed, all_passed, _, _ = gate(0.2, 0.4, 0.1).args
    assert levels(passed) == [0.4]
    assert levels(failed) == [0.2, 0.4, 0.1], "it failed all the same"
    assert all_passed is False
    with pytest.raises(NoneLikeEnough, match=r"None of 3 pictures passed .*0\.40 of 0\.50"):
        gate(0.2, 0.4, 0.1, on_none=STOP)


def test_pictures_of_different_sizes():
    images = [picture(0.6, 64), torch.cat([picture(0.2, 80), picture(0.7, 80)])]
    output = GateByLikeness.execute(
        images=images,
        identity=[PERSON],
        on_none=[ANYWAY],
        strictness=["custom threshold"],
        custom_threshold=[0.5],
        several_faces=["refuse"],
        min_face=[48],
        engine=[Brightness()],
    )
    assert [each.shape[1] for each in output[0]] == [64, 80]


def test_an_output_without_pictures_holds_nothing_instead_of_an_empty_list():
    (nothing,) = gate(0.6)[1]
    assert isinstance(nothing, host.Nothing)


@pytest.mark.parametrize(
    ("enabled", "key", "warned"),
    [
        (True, "insightface/buffalo_l", True),
        (True, "insightface/buffalo_s", True),
        (["4", 0], "insightface/buffalo_l", True),
        (False, "insightface/buffalo_l", False),
        (True, "yunet-sface", False),
    ],
)
def test_a_swapped_face_is_not_judged_by_its_own_recogniser_unsaid(enabled, key, warned):
    graph = {"5": {"class_type": "LikenessSwapFace", "inputs": {"enabled": enabled}}, "6": {"class_type": "KSampler"}}
    warnings = independence_warnings(key, graph)
    assert bool(warnings) is warned
    assert all(text.startswith("Node 5 is conditioned on insightface") for text in warnings)


def test_the_gate_looks_through_its_graph(monkeypatch):
    from likeness_studio.core.identity import independence as conditioning

    graph = {"5": {"class_type": "LikenessSwapFace", "inputs": {"enabled": True}}}
    assert gate(0.6, prompt=graph).ui["likeness"][0]["warnings"] == []
    monkeypatch.setitem(conditioning.STEERED_BY, "likenessswapface", "yunet-sface")
    (warning,) = gate(0.6, prompt=graph).ui["likeness"][0]["warnings"]
    assert "a generator fools the recogniser" in warning


def test_a_restored_face_is_said_only_where_the_gate_comes_after_it(local):
    graph = {
        "1": {"class_type": "LikenessRestoreFace", "inputs": {}},
        "2": {"class_type": "LikenessGate", "inputs": {"images": ["1", 0]}},
        "3": {"class_type": "LikenessGate", "inputs": {"images": ["0", 0]}},
    }
    local.graph, local.node = graph, "2"
    output = gate(0.6, prompt=graph)
    (warning,) = output.ui["likeness"][0]["warnings"]
    assert "photo's own face" in warning
    assert warning in output.ui["text"][0]
    assert output.ui["likeness"][0]["independent"] is False
    local.node = "3"
    (report,) = gate(0.6, prompt=graph).ui["likeness"]
    assert (report["warnings"], report["independent"]) == ([], True)


def test_the_canvas_shows_what_the_gate_says():
    script = (Path(__file__).parents[3] / "web" / "text.js").read_text("utf-8")
    assert '"LikenessGate"' in script


# --- in a graph, here ---


def folder_graph(*names, on_none=ANYWAY):
    """Photos of a folder, sorted by the gate; each side is saved under its own name."""
    judging = {"strictness": "standard (1 in 1,000)", "custom_threshold": 0.4, "several_faces": "refuse"}
    enroll = {"several_faces": "refuse", "min_face": 48, "on_refused": "stop", "name": ""}
    return {
        "1": {"class_type": "LikenessLoadPhotos", "inputs": {"folder": "references"}},
        "2": {"class_type": "LikenessEnrollIdentity", "inputs": {"photos": ["1", 0], **enroll}},
        "3": {"class_type": "LikenessLoadPhotos", "inputs": {"folder": "candidates"}},
        "4": {
            "class_type": "LikenessGate",
            "inputs": {"images": ["3", 0], "identity": ["2", 0], "on_none": on_none, "min_face": 48, **judging},
        },
        "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "passed"}},
        "6": {"class_type": "ImageInvert", "inputs": {"image": ["4", 1]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "failed"}},
    }


def fill(folder, portrait, *names):
    folder.mkdir(parents=True)
    for name in names:
        to_pil(portrait(name)).save(folder / f"{name}.png")


def saved(folder):
    return sorted(path.name.split("_")[0] for path in folder.rglob("*.png"))


@pytest.mark.models
@pytest.mark.parametrize(
    ("candidates", "files"),
    [
        (("obama3", "biden"), ["failed", "passed"]),
        (("obama3",), ["passed"]),
        (("biden",), ["failed", "passed"]),
    ],
)
def test_a_graph_goes_on_with_what_there_is(portrait, tmp_path, candidates, files):
    fill(tmp_path / "input" / "references", portrait, "obama", "obama2")
    fill(tmp_path / "input" / "candidates", portrait, *candidates)
    folders = Folders(tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    graph = folder_graph()
    graph["6"] = {"class_type": "LikenessFrameHeadshot", "inputs": frame_inputs()}
    result = LocalEngine().run(Workflow.from_api("gate", graph), folders)
    assert saved(tmp_path / "output") == files
    assert result.verdict is ("obama3" in candidates)


def frame_inputs():
    return {
        "image": ["4", 1],
        "crop": "head and shoulders",
        "width": 64,
        "height": 0,
        "straighten": True,
        "outside": "stay inside",
        "several_faces": "refuse",
    }


# --- on a real server ---


@pytest.mark.comfyui
@pytest.mark.models
@pytest.mark.parametrize(
    ("candidates", "files", "verdict"),
    [
        (("obama3", "biden"), ["failed", "passed"], True),
        (("obama3",), ["passed"], True),
        (("biden",), ["failed", "passed"], False),
    ],
)
def test_on_a_server_what_has_no_picture_is_skipped(comfyui_server, portrait, tmp_path, candidates, files, verdict):
    """An empty list would make ComfyUI fail with an IndexError on the node behind; nothing of the kind here."""
    import shutil

    from likeness_studio.runner.backends.comfy.backend import ServerBackend

    for name, photos in (("references", ("obama", "obama2")), ("candidates", candidates)):
        shutil.rmtree(comfyui_server.input / name, ignore_errors=True)
        fill(comfyui_server.input / name, portrait, *photos)
    folders = Folders(tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    result = ServerBackend(comfyui_server.url).run(Workflow.from_api("gate", folder_graph()), folders)
    assert saved(tmp_path / "output") == files
    assert result.verdict is verdict
    (report,) = result.likeness
    assert report["baseline"]["photos"] == 2
    for file in (tmp_path / "output").rglob("*.png"):
        assert "LikenessGate" in Image.open(file).info["prompt"]


@pytest.mark.comfyui
@pytest.mark.models
def test_on_a_server_only_the_gate_behind_a_restored_face_warns(comfyui_server, portrait, tmp_path):
    import shutil

    from likeness_studio.runner.backends.comfy.backend import ServerBackend

    for name in ("references", "candidates"):
        shutil.rmtree(comfyui_server.input / name, ignore_errors=True)
        fill(comfyui_server.input / name, portrait, "obama")
    graph = {key: node for key, node in folder_graph().items() if key in "1234"}
    restore = {"placement": "same place", "match_colour": 0.0, "feather": 8, "several_faces": "refuse"}
    graph["5"] = {
        "class_type": "LikenessRestoreFace",
        "inputs": {"original": ["3", 0], "generated": ["3", 0], **restore},
    }
    graph["6"] = {"class_type": "LikenessGate", "inputs": graph["4"]["inputs"] | {"images": ["5", 0]}}
    folders = Folders(tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    result = ServerBackend(comfyui_server.url).run(Workflow.from_api("gate", graph), folders)
    warned = {report["node"]: "photo's own face" in " ".join(report["warnings"]) for report in result.likeness}
    assert warned == {"4": False, "6": True}
