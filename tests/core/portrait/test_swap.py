"""Swap Face: off it touches nothing; on, every step is real but the network, which is a small one made here."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from likeness_studio.core import host
from likeness_studio.core.errors import (
    DependencyMissing,
    EngineUnsuitable,
    FaceNotUsable,
    ModelCorrupt,
    ModelMissing,
    ShapeMismatch,
    SwapModelUnsuitable,
    UnsafePath,
)
from likeness_studio.core.faces import Face
from likeness_studio.core.imaging import rotate
from likeness_studio.core.models import store as user_files
from likeness_studio.core.portrait import swap
from likeness_studio.nodes.face import SwapFace

FRONTAL = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.4, 1.155], [0.4, 1.155]])
RESEARCH_MODELS = Path(__file__).parents[3] / ".venv" / "research-models"
EMAP = np.random.default_rng(5).normal(size=(512, 512)).astype(np.float32)
TO_COLOUR = np.random.default_rng(6).normal(size=(512, 3)).astype(np.float32)


def write_model(path, *, emap=EMAP, size=128):
    """inswapper's inputs, output and table; it adds a colour to the crop that depends on the latent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nodes = [
        helper.make_node("MatMul", ["source", "to_colour"], ["mixed"]),
        helper.make_node("Reshape", ["mixed", "planes"], ["colour"]),
        helper.make_node("Add", ["target", "colour"], ["output"]),
    ]
    tables = [
        numpy_helper.from_array(TO_COLOUR * np.float32(0.3), "to_colour"),
        numpy_helper.from_array(np.array([1, 3, 1, 1], np.int64), "planes"),
        numpy_helper.from_array(emap, "emap"),
    ]
    inputs = [
        helper.make_tensor_value_info("target", TensorProto.FLOAT, [1, 3, size, size]),
        helper.make_tensor_value_info("source", TensorProto.FLOAT, [1, 512]),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, size, size])]
    graph = helper.make_graph(nodes, "swap", inputs, outputs, tables)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


def colour_for(embedding):
    """What that network adds, worked out by hand."""
    latent = embedding @ EMAP
    return torch.from_numpy(latent / np.linalg.norm(latent) @ TO_COLOUR * 0.3).float()


class _Engine:
    key = "insightface/buffalo_l"
    models = ({"name": key, "licence": "research", "commercial": "no", "use": "face detection and embedding"},)

    def __init__(self, key=None, count=1, degrees=12.0):
        self.key, self.count, self.degrees = key or self.key, count, degrees

    def detect(self, image):
        height, width = image.shape[:2]
        points = rotate(FRONTAL * width / 7 + [width / 2, height / 2.5], (width / 2, height / 2.5), self.degrees)
        return [Face((0.0, 0.0, width / 4, width / 4), points, 0.9)] * self.count

    def embed(self, image, face):
        seed = round(float(image.mean()) * 1000)
        vector = np.random.default_rng(seed).normal(size=512)
        return Face(face.box, face.landmarks, face.score, vector / np.linalg.norm(vector))


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """A model folder of the test's own: the swapping model goes into `insightface` below it."""
    monkeypatch.setenv("LIKENESS_MODELS", str(tmp_path / "models"))
    with host.use(host.LocalHost(tmp_path / "input", tmp_path / "output", tmp_path / "temp")):
        yield tmp_path / "models"


def run(image, source=None, model="inswapper_128.onnx", enabled=True, engine=None, several="refuse"):
    return SwapFace.execute(image, model, enabled, several, source=source, engine=engine)


def smooth_picture(height=300, width=280, level=0.5):
    y, x = torch.linspace(0, 3, height)[:, None], torch.linspace(0, 3, width)[None]
    return torch.stack([level + 0.1 * torch.sin(x + y + phase) for phase in (0, 1, 2)], -1)[None].float()


def test_off_it_passes_the_picture_and_needs_nothing(monkeypatch):
    monkeypatch.setattr(swap, "load_swapper", lambda *_: pytest.fail("a model was loaded"))
    image = torch.rand(2, 50, 40, 3)
    output = run(image, enabled=False, model="none")
    assert output[0] is image
    assert json.loads(output[1])["enabled"] is False
    assert output.ui == {"models": []}
    (switch,) = (socket for socket in SwapFace.GET_SCHEMA().inputs if socket.id == "enabled")
    assert switch.default is False


def test_off_neither_source_nor_engine_is_asked_for():
    waiting = {"source": None, "engine": None, "image": 1, "model": "none", "several_faces": "refuse"}
    assert SwapFace.check_lazy_status(enabled=False, **waiting) == []
    assert SwapFace.check_lazy_status(enabled=True, **waiting) == ["source", "engine"]
    del waiting["engine"]
    assert SwapFace.check_lazy_status(enabled=True, **waiting) == ["source"]


def test_on_without_a_model_it_says_what_to_do():
    image = torch.rand(1, 50, 40, 3)
    with pytest.raises(ModelMissing, match=r"inswapper_128\.onnx"):
        run(image, image, model="none")
    with pytest.raises(ModelMissing, match=r"other\.onnx"):
        run(image, image, model="other.onnx")
    with pytest.raises(UnsafePath):
        run(image, image, model="../secret.onnx")


def test_the_models_that_are_there_are_listed_with_none_first(models):
    assert user_files.swap_models() == ["none"]
    write_model(models / "insightface" / "inswapper_128.onnx")
    write_model(models.parent / "insightface" / "beside.onnx")
    (models / "insightface" / "notes.txt").write_text("x")
    assert user_files.swap_models() == ["none", "beside.onnx", "inswapper_128.onnx"]
    (combo,) = (socket for socket in SwapFace.GET_SCHEMA().inputs if socket.id == "model")
    assert combo.options["options"] == user_files.swap_models()
    assert user_files.swap_model_file("beside.onnx").parent == models.parent / "insightface"


def test_the_licence_is_said_everywhere(models):
    write_model(models / "insightface" / "inswapper_128.onnx")
    output = run(smooth_picture(), smooth_picture(level=0.4), engine=_Engine())
    page = (Path(__file__).parents[3] / "web" / "docs" / "LikenessSwapFace.md").read_text()
    assert "NON-COMMERCIAL" in SwapFace.GET_SCHEMA().description
    assert "NON-COMMERCIAL" in page
    assert "non-commercial" in json.loads(output[1])["model"]["licence"]
    used = output.ui["models"][-1]
    assert (used["commercial"], used["use"]) == ("no", "face swapping")
    assert "non-commercial" in used["licence"]


def test_an_engine_of_another_kind_is_refused(models):
    write_model(models / "insightface" / "inswapper_128.onnx")
    image = smooth_picture()
    with pytest.raises(EngineUnsuitable, match="yunet-sface"):
        run(image, image, engine=_Engine("yunet-sface"))
    warned = run(image, image, engine=_Engine("insightface/buffalo_s"))
    assert "made for the embeddings of insightface/buffalo_l" in json.loads(warned[1])["warnings"][0]
    assert json.loads(run(image, image, engine=_Engine())[1])["warnings"] == []


def test_other_files_are_no_swapping_models(models, tmp_path):
    folder, image = models / "insightface", smooth_picture()
    write_model(folder / "square.onnx", emap=EMAP[:, :100].copy())
    write_model(folder / "large.onnx", size=256)
    write_model(folder / "small_table.onnx", emap=EMAP[:64, :64].copy())
    for name in ("square.onnx", "large.onnx", "small_table.onnx"):
        with pytest.raises(SwapModelUnsuitable, match=name):
            run(image, image, model=name, engine=_Engine())
    (folder / "broken.onnx").write_bytes(b"no model at all")
    with pytest.raises(ModelCorrupt):
        run(image, image, model="broken.onnx", engine=_Engine())


def test_without_onnx_it_says_what_to_install(models, monkeypatch):
    import sys

    path = write_model(models / "insightface" / "another.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DependencyMissing, match="pip install onnx"):
        swap.load_swapper(path)


def test_the_face_gets_what_the_network_makes_of_the_source_and_the_rest_is_untouched(models):
    write_model(models / "insightface" / "inswapper_128.onnx")
    image, source, engine = smooth_picture(), smooth_picture(level=0.3), _Engine()
    output = run(image, source, engine=engine)
    (face,) = engine.detect(image[0])
    embedding = engine.embed(source[0], face).embedding
    nose = np.rint(face.landmarks[2]).astype(int)
    added = output[0][0, nose[1], nose[0]] - image[0, nose[1], nose[0]]
    wanted = colour_for(embedding)
    assert float(wanted.abs().max()) > 0.1, "a change that can be seen"
    expected = (image[0, nose[1], nose[0]] + wanted).clamp(0, 1) - image[0, nose[1], nose[0]]
    assert torch.allclose(added, expected, atol=0.01)
    for corner in (slice(0, 20), slice(-20, None)):
        assert torch.equal(output[0][:, corner, corner], image[:, corner, corner])
    (report,) = json.loads(output[1])["pictures"]
    changed = (output[0] != image).any(-1).float().mean()
    assert report["changed_percent"] == pytest.approx(100 * float(changed), abs=0.5)
    other = run(image, smooth_picture(level=0.8), engine=engine)[0]
    assert float((other - output[0]).abs().max()) > 0.1, "another source, another face"


def test_the_crop_lies_as_insightface_lays_it(models):
    align = pytest.importorskip("insightface.utils.face_align")
    from likeness_studio.core.imaging import similarity

    (face,) = _Engine(degrees=20).detect(torch.zeros(300, 280, 3))
    a, b = similarity(face.landmarks, swap.TEMPLATE)
    theirs = align.estimate_norm(face.landmarks.astype(np.float32), 128)
    assert np.allclose([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]], theirs, atol=1e-3)


def test_the_maths_is_insightfaces_own(models):
    """The same crop and latent go into the network as in insightface's INSwapper."""
    inswapper = pytest.importorskip("insightface.model_zoo.inswapper")
    path = write_model(models / "insightface" / "inswapper_128.onnx")
    swapper = swap.load_swapper(path)
    theirs = inswapper.INSwapper(str(path), swapper.session)
    assert np.array_equal(theirs.emap, swapper.table)
    image, engine = smooth_picture(), _Engine()
    (face,) = engine.detect(image[0])
    embedding = engine.embed(image[0], face).embedding
    assert embedding is not None
    target = type("Theirs", (), {"kps": face.landmarks.astype(np.float32)})
    person = type("Theirs", (), {"normed_embedding": embedding.astype(np.float32)})
    pixels = (image[0].numpy()[..., ::-1] * 255).round().astype(np.uint8)
    crop, _ = theirs.get(np.ascontiguousarray(pixels), target, person, paste_back=False)
    from likeness_studio.core.imaging import similarity
    from likeness_studio.core.imaging.warp import warp

    ours = warp(image.permute(0, 3, 1, 2), similarity(face.landmarks, swap.TEMPLATE), 128, 128)
    made = swapper.swap(ours, swapper.latent(embedding))[0].permute(1, 2, 0).numpy()
    difference = np.abs(made * 255 - crop[..., ::-1].astype(np.float32))
    assert np.median(difference) < 1.5
    assert np.quantile(difference, 0.99) < 4


def test_batches_and_faces(models):
    write_model(models / "insightface" / "inswapper_128.onnx")
    pictures = torch.cat([smooth_picture(), smooth_picture(level=0.6)])
    one = run(pictures, smooth_picture(level=0.3), engine=_Engine())
    assert one[0].shape == pictures.shape
    assert len(json.loads(one[1])["pictures"]) == 2
    with pytest.raises(ShapeMismatch, match="3 of sources for 2"):
        run(pictures, pictures[[0, 0, 1]], engine=_Engine())
    with pytest.raises(FaceNotUsable, match="no face"):
        run(pictures, pictures, engine=_Engine(count=0))
    with pytest.raises(FaceNotUsable, match="2 faces"):
        run(pictures, pictures, engine=_Engine(count=2))
    assert run(pictures, pictures, engine=_Engine(count=2), several="largest")[0].shape == pictures.shape


def test_a_picture_without_a_face_passes_through_and_the_others_are_swapped(models):
    write_model(models / "insightface" / "inswapper_128.onnx")
    pictures = torch.cat([torch.zeros_like(smooth_picture()), smooth_picture(level=0.6)])
    engine = _Engine()
    detect = engine.detect
    engine.detect = lambda image: detect(image) if bool(image.any()) else []
    output = run(pictures, smooth_picture(level=0.3), engine=engine)
    faceless, swapped = json.loads(output[1])["pictures"]
    assert faceless == {"picture": 0, "swapped": False, "reason": "Picture 0 has no face"}
    assert swapped["swapped"] is True
    assert torch.equal(output[0][0], pictures[0])
    assert not torch.equal(output[0][1], pictures[1])
    assert output.ui["text"] == ["Picture 0 has no face: passed on as it is."]


def test_a_face_larger_than_the_networks_is_said_to_be_soft(models):
    write_model(models / "insightface" / "inswapper_128.onnx")
    large, small = (
        json.loads(run(smooth_picture(side, side), smooth_picture(), engine=_Engine())[1])["pictures"][0]
        for side in (900, 200)
    )
    assert large["enlarged"] > 2
    assert "looks soft" in large["notes"][0]
    assert small["notes"] == []


@pytest.mark.insightface
def test_with_a_real_insightface_pack(models, astronaut, portraits, monkeypatch):
    """The whole path: detection, embedding and alignment by insightface, the network made here."""
    from likeness_studio.core.faces import load_engine
    from likeness_studio.core.imaging import load_photo

    path = write_model(models / "insightface" / "inswapper_128.onnx")
    with monkeypatch.context() as patch:
        if RESEARCH_MODELS.is_dir():
            patch.setenv("LIKENESS_MODELS", str(RESEARCH_MODELS))
        try:
            engine = load_engine("insightface", "buffalo_s", "cpu")
        except ModelMissing as error:
            pytest.skip(str(error))
    photo, source = load_photo(astronaut)[0], load_photo(portraits / "obama.jpg")[0]
    output = run(photo, source, model=path.name, engine=engine)
    report = json.loads(output[1])
    assert report["engine"] == "insightface/buffalo_s"
    embedding = engine.embed(source[0], engine.detect(source[0])[0]).embedding
    wanted = (photo[0, 130, 226] + colour_for(embedding)).clamp(0, 1)
    assert torch.allclose(output[0][0, 130, 226], wanted, atol=0.06)
    assert torch.equal(output[0][:, 300:], photo[:, 300:])


# --- on a real server ---


def graph_with_swap(enabled):
    """Swap Face with an engine whose pack is not there: only somebody who asks for it finds out."""
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": "swap_photo.png"}},
        "2": {
            "class_type": "LikenessLoadFaceEngine",
            "inputs": {"engine": "insightface", "pack": "x", "device": "cpu"},
        },
        "3": {
            "class_type": "LikenessSwapFace",
            "inputs": {
                "image": ["1", 0],
                "source": ["1", 0],
                "model": "none",
                "enabled": enabled,
                "several_faces": "refuse",
                "engine": ["2", 0],
            },
        },
        "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "swapped"}},
    }


@pytest.mark.comfyui
def test_on_a_server_it_needs_nothing_while_it_is_off(comfyui_server, astronaut, tmp_path):
    from PIL import Image

    from likeness_studio.runner.backends import Folders
    from likeness_studio.runner.backends.comfy.backend import ServerBackend
    from likeness_studio.runner.errors import ServerExecutionError
    from likeness_studio.runner.workflow import Workflow

    Image.open(astronaut).save(comfyui_server.input / "swap_photo.png")
    folders = Folders(tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    backend = ServerBackend(comfyui_server.url)
    result = backend.run(Workflow.from_api("off", graph_with_swap(False)), folders)
    (file,) = (tmp_path / "output").rglob("*.png")
    assert np.array_equal(np.asarray(Image.open(file)), np.asarray(Image.open(astronaut)))
    assert "2" not in {time.node for time in result.times}, "the engine was not loaded"
    graph = graph_with_swap(True)
    del graph["3"]["inputs"]["engine"]
    with pytest.raises(ServerExecutionError, match=r"inswapper_128\.onnx") as caught:
        backend.run(Workflow.from_api("on", graph), folders)
    assert caught.value.cause is ModelMissing
