"""The server client against a real ComfyUI: the same pixels as here, and every refusal in clear words."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from likeness_studio.core.errors import Interrupted, UnsafePath
from likeness_studio.runner import client as client_module
from likeness_studio.runner import errors
from likeness_studio.runner.backends import OutageWait, local_catalog
from likeness_studio.runner.backends.comfy import backend as backend_module
from likeness_studio.runner.backends.comfy.backend import ServerBackend
from likeness_studio.runner.backends.comfy.results import Fetch
from likeness_studio.runner.backends.comfy.server import ComfyServer, normal_url
from likeness_studio.runner.backends.comfy.versions import comfyui_version
from likeness_studio.runner.client import Client
from likeness_studio.runner.workflow import Given, from_object_info, stage_input_files

comfyui = pytest.mark.comfyui


@pytest.fixture
def backend(comfyui_server):
    return ServerBackend(comfyui_server.url)


@pytest.fixture
def no_preflight(monkeypatch):
    """What the server itself says of a workflow that the preflight would have stopped."""
    monkeypatch.setattr(backend_module, "require", lambda workflow, catalog: None)


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@comfyui
def test_same_pixels_here_and_there(backend, engine, workflow, invert, folders, tmp_path):
    here = engine.run(workflow(invert), folders)
    seen = []
    there = backend.run(workflow(invert), folders, seen.append)
    assert (pixels(here.outputs[0].path) == pixels(there.outputs[0].path)).all()
    assert there.outputs[0].path.name == "negative_00001__2.png", "never over a file that is there"
    assert {time.title for time in there.times} == {"Blank", "Negative", "Save"}
    assert next(event.kind for event in seen) == "queued"


@comfyui
def test_fully_cached_run_delivers_too(backend, workflow, invert, folders):
    first = backend.run(workflow(invert), folders)
    again = backend.run(workflow(invert), folders)
    assert len(again.outputs) == len(first.outputs) == 1
    assert again.outputs[0].path.is_file()


CORE = {
    "scaled": ("ImageScale", {"upscale_method": "bilinear", "width": 33, "height": 0, "crop": "center"}),
    "nearest": ("ImageScale", {"upscale_method": "nearest-exact", "width": 90, "height": 61, "crop": "disabled"}),
    "lanczos": ("ImageScale", {"upscale_method": "lanczos", "width": 90, "height": 61, "crop": "center"}),
    "area": ("ImageScale", {"upscale_method": "area", "width": 40, "height": 40, "crop": "center"}),
    "bicubic": ("ImageScale", {"upscale_method": "bicubic", "width": 300, "height": 40, "crop": "center"}),
}


@comfyui
def test_carried_core_nodes_equal_core(backend, engine, workflow, folders, make, astronaut):
    """One graph with all of them, on a real photo; both sides must write the same bytes of pixels."""
    graph = {"1": make("LoadImage", "Photo", image=""), "2": make("LoadImageMask", "Mask", image="", channel="green")}
    graph["3"] = make("MaskToImage", mask=["2", 0])
    graph["4"] = make("ImageToMask", image=["1", 0], channel="blue")
    graph["5"] = make("InvertMask", mask=["4", 0])
    graph["6"] = make("MaskToImage", mask=["5", 0])
    graph["7"] = make("EmptyImage", width=40, height=70, batch_size=2, color=0x336699)
    graph["8"] = make("ImageBatch", image1=["1", 0], image2=["7", 0])
    graph["9"] = make("ImageBatch", image1=["7", 0], image2=["1", 0])
    sources = {"green": ["3", 0], "blue": ["6", 0], "batch": ["8", 0], "small": ["9", 0]}
    for number, (name, (kind, inputs)) in enumerate(CORE.items(), start=20):
        graph[str(number)] = make(kind, image=["1", 0], **inputs)
        sources[name] = [str(number), 0]
    for name, source in sources.items():
        graph[name] = make("SaveImage", name, images=source, filename_prefix=f"parts/{name}")
    staged, _ = stage_input_files(workflow(graph), [Given(astronaut), Given(astronaut)], folders.input)
    here, there = engine.run(staged, folders), backend.run(staged, folders)
    of = lambda result: {name: [f.path for f in result.outputs if f.title == name] for name in sources}  # noqa: E731
    for name, paths in of(here).items():
        others = of(there)[name]
        assert len(paths) == len(others) > 0, name
        worst = max(int(abs(pixels(a) - pixels(b)).max()) for a, b in zip(paths, others, strict=True))
        assert worst <= 1, f"{name} differs by {worst}"  # two builds of torch: one step of 255


@comfyui
def test_the_shorter_of_pictures_and_masks(comfyui_server, backend, engine, workflow, folders, make):
    """Begins again, as here; before 0.33 there were as many as both have."""
    graph = {"1": make("EmptyImage", width=8, height=8, batch_size=3, color=0x336699)}
    graph["2"] = make("EmptyImage", width=4, height=4, batch_size=2, color=0x80FF00)
    graph["3"] = make("ImageToMask", image=["2", 0], channel="red")
    graph["4"] = make("JoinImageWithAlpha", image=["1", 0], alpha=["3", 0])
    graph["5"] = make("SaveImage", images=["4", 0], filename_prefix="joined")
    here, there = (place.run(workflow(graph), folders).outputs for place in (engine, backend))
    assert (len(here), len(there)) == (3, 3 if carried_version(comfyui_server) else 2)
    for a, b in zip(here, there, strict=False):
        with Image.open(a.path) as ours, Image.open(b.path) as theirs:
            assert ours.mode == theirs.mode == "RGBA"
            assert (np.asarray(ours) == np.asarray(theirs)).all()


BEFORE: dict[str, dict[str, Any]] = {
    "SaveImage": {"outputs": ()},
    "PreviewImage": {"outputs": ()},
    "PreviewAny": {"title": "Preview Any", "outputs": ()},
    "EmptyImage": {"title": "EmptyImage"},
    "ImageInvert": {"title": "Invert Image"},
    "ImageBatch": {"title": "Batch Images"},
    "InvertMask": {"title": "InvertMask"},
    "PrimitiveString": {"title": "String"},
    "PrimitiveStringMultiline": {"title": "String (Multiline)"},
}
"""What ComfyUI 0.3.64 says otherwise of the nodes that are carried as 0.33.0 has them."""


def carried_version(comfyui_server):
    """Whether the server is of the version whose nodes are carried here, or newer."""
    return comfyui_version(ComfyServer(comfyui_server.url).system_stats()) >= (0, 33)


@comfyui
def test_carried_core_nodes_have_cores_sockets(comfyui_server):
    from likeness_studio.runner.backends import CORE_NODES

    before = {} if carried_version(comfyui_server) else BEFORE
    there = from_object_info(ComfyServer(comfyui_server.url).object_info())
    for cls in CORE_NODES:
        ours, theirs = local_catalog()[cls.__name__], there[cls.__name__]
        sockets = lambda spec: [(s.name, s.type, s.required) for s in spec.inputs]  # noqa: E731
        assert sockets(ours) == sockets(theirs), cls.__name__
        expected = {"title": ours.title, "outputs": ours.outputs} | before.get(cls.__name__, {})
        assert expected == {"title": theirs.title, "outputs": theirs.outputs}, cls.__name__
        assert ours.is_output == theirs.is_output, cls.__name__
        for a, b in zip(ours.inputs, theirs.inputs, strict=True):
            if ours.class_type not in {"LoadImage", "LoadImageMask"}:
                assert a.choices == b.choices, (cls.__name__, a.name)
            if not cls.__name__.startswith("Primitive"):
                for key in ("min", "max", "default"):
                    assert a.options.get(key) == b.options.get(key), (cls.__name__, a.name, key)


@comfyui
@pytest.mark.parametrize("name", ["my holiday.jpg", "Łódź – 東京 (2).jpg", "a'b\"c.jpg"])
def test_photo_names_with_spaces_and_unicode(backend, workflow, folders, make, astronaut, name):
    (folders.input / name).write_bytes(astronaut.read_bytes())
    graph = {"1": make("LoadImage", image=name), "2": make("SaveImage", images=["1", 0], filename_prefix="photo")}
    result = backend.run(workflow(graph), folders)
    assert abs(pixels(result.outputs[0].path) - pixels(astronaut)).max() == 0


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "420.jpg": ("RGB", {"quality": 90, "subsampling": 2}),
    "grey.jpg": ("L", {}),
    "cmyk.jpg": ("CMYK", {}),
    "lossy.webp": ("RGB", {"quality": 80}),
    "colours.gif": ("P", {}),
    "plain.bmp": ("RGB", {}),
    "palette.png": ("P", {}),
    "grey.png": ("L", {}),
}


@comfyui
@pytest.mark.parametrize("name", [*KINDS, *(f"exif{orientation}.jpg" for orientation in range(1, 9))])
def test_photos_of_every_kind_are_read_there_as_here(backend, engine, workflow, folders, make, astronaut, name):
    """Newer servers decode with a video decoder, which knows no mirrored photos; its width is no multiple of 32."""
    mode, options = KINDS.get(name, ("RGB", {}))
    if name.startswith("exif"):
        options["exif"] = exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = int(name[4])
    with Image.open(astronaut) as photo:
        photo.crop((50, 0, 487, 311)).convert(mode).save(folders.input / name, **options)
    graph = {"1": make("LoadImage", image=name), "2": make("SaveImage", images=["1", 0], filename_prefix=name[:-4])}
    here, there = (place.run(workflow(graph), folders).outputs[0].path for place in (engine, backend))
    assert (pixels(here) == pixels(there)).all()


@comfyui
def test_unknown_nodes_are_all_named(no_preflight, backend, workflow, invert, folders, make):
    invert["7"], invert["8"] = make("NoSuchNode", "One"), make("NorThis", "Two")
    with pytest.raises(errors.WorkflowRejected, match=r"One: .*NoSuchNode; Two: .*NorThis"):
        backend.run(workflow(invert), folders)


@comfyui
def test_bad_values_are_all_named(no_preflight, backend, workflow, invert, folders):
    invert["1"]["inputs"]["width"] = 0
    invert["1"]["inputs"]["color"] = "red"
    with pytest.raises(errors.WorkflowRejected, match=r"Blank \(node 1\)") as caught:
        backend.run(workflow(invert), folders)
    assert "red" in str(caught.value)
    assert "1" in caught.value.as_dict()["node_errors"]


@comfyui
def test_200_with_node_errors_fails_too(no_preflight, backend, workflow, invert, folders, make):
    invert["4"] = make("EmptyImage", "Broken", width=0, height=1, batch_size=1, color=0)
    invert["5"] = make("PreviewImage", images=["4", 0])
    with pytest.raises(errors.WorkflowRejected, match="Broken"):
        backend.run(workflow(invert), folders)


@comfyui
def test_node_that_fails_on_the_server(backend, workflow, invert, folders, make):
    invert["4"] = make("ImageToMask", "Channel", image=["2", 0], channel="alpha")
    invert["5"] = make("MaskToImage", mask=["4", 0])
    invert["6"] = make("PreviewImage", images=["5", 0])
    with pytest.raises(errors.ServerExecutionError, match=r"Channel \(node 4\) .*IndexError") as caught:
        backend.run(workflow(invert), folders)
    assert caught.value.as_dict()["node"] == "4"


def heavy(make, seed):
    """About ten seconds of work in many steps."""
    graph = {"0": make("EmptyImage", width=512, height=512, batch_size=1, color=seed)}
    for step in range(1, 60):
        side = 2000 + step
        graph[str(step)] = make(
            "ImageScale", image=[str(step - 1), 0], upscale_method="bicubic", width=side, height=side, crop="disabled"
        )
    return graph | {"60": make("PreviewImage", images=["59", 0])}


@comfyui
def test_stop_cancels_our_prompt_only(comfyui_server, backend, workflow, invert, folders, make):
    began, other = time.monotonic(), []
    seen = []

    def second():
        time.sleep(0.5)
        other.append(ServerBackend(comfyui_server.url).run(workflow(invert), folders))

    invert["1"]["inputs"]["color"] = 77
    thread = threading.Thread(target=second)
    thread.start()
    with pytest.raises(Interrupted):
        backend.run(workflow(heavy(make, 1)), folders, seen.append, lambda: time.monotonic() - began > 1.5)
    assert time.monotonic() - began < 4
    thread.join(60)
    assert other[0].outputs
    assert not backend.server.is_queued(next(event.message for event in seen if event.kind == "queued"))


@comfyui
def test_a_run_without_its_photo_says_how_to_give_one(backend, make, workflow, folders):
    graph = workflow(
        {"1": make("LoadImage", title="Photo", image="none.jpg"), "2": make("PreviewImage", images=["1", 0])}
    )
    with pytest.raises(errors.WorkflowRejected, match=r'has no .none\.jpg.; give one with --input "Photo=PATH"'):
        backend.run(graph, folders)


@comfyui
def test_ctrl_c_in_a_terminal_cancels_on_the_server(comfyui_server, make, tmp_path):
    path = tmp_path / "heavy.json"
    path.write_text(json.dumps(heavy(make, 3)), "utf-8")
    program = "from likeness_studio.runner.cli import main; main()"
    words = ["run", str(path), "--server", comfyui_server.url, "--output", str(tmp_path / "out"), "--json"]
    process = subprocess.Popen([sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        prompt_id = json.loads(process.stdout.readline())["message"]
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=10)
        took = time.monotonic() - began
    finally:
        process.kill()
    assert process.returncode == 130
    assert json.loads(rest.splitlines()[-1])["code"] == "interrupted"
    assert took < 2, f"took {took:.1f} s"
    time.sleep(1)
    assert not ComfyServer(comfyui_server.url).is_queued(prompt_id)


@comfyui
def test_interrupt_by_somebody_else_is_no_success(comfyui_server, backend, workflow, folders, make):
    def meddle():
        time.sleep(1.5)
        ComfyServer(comfyui_server.url).send("POST", "/interrupt", json={})

    threading.Thread(target=meddle).start()
    with pytest.raises(errors.InterruptedOnServer):
        backend.run(workflow(heavy(make, 2)), folders)


@comfyui
def test_socket_is_not_needed(comfyui_server, backend, workflow, invert, folders, monkeypatch):
    monkeypatch.setattr(ComfyServer, "socket_url", lambda self, client_id: "ws://127.0.0.1:9/ws")
    invert["1"]["inputs"]["color"] = 99
    assert backend.run(workflow(invert), folders).outputs


@comfyui
def test_previews_only_when_asked(comfyui_server, workflow, invert, folders, make):
    invert["4"] = make("PreviewImage", images=["2", 0])
    assert ServerBackend(comfyui_server.url).run(workflow(invert), folders).previews == []
    asked = ServerBackend(comfyui_server.url, previews=True).run(workflow(invert), folders)
    assert asked.previews[0].path.parent == folders.temp


def test_unreachable_server_is_a_bounded_wait(workflow, invert, folders):
    began = time.monotonic()
    with pytest.raises(errors.ServerUnreachable, match=r"http://127.0.0.1:9 .*waited 0.5 s"):
        ServerBackend("127.0.0.1:9", wait_seconds=0.5).run(workflow(invert), folders)
    assert time.monotonic() - began < 3


def test_stop_while_waiting_for_a_server(workflow, invert, folders):
    with pytest.raises(Interrupted):
        ServerBackend("127.0.0.1:9", wait_seconds=60).run(workflow(invert), folders, stopped=lambda: True)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("127.0.0.1:8188", "http://127.0.0.1:8188"),
        ("https://gpu.example/comfy/", "https://gpu.example/comfy"),
        ("http://[::1]:8188", "http://[::1]:8188"),
    ],
)
def test_addresses(given, url):
    assert normal_url(given) == url


@pytest.mark.parametrize("given", ["", "ftp://x", "http://", "http://x:99999", "file:///etc/passwd"])
def test_bad_addresses(given):
    with pytest.raises(errors.BadServerAddress):
        normal_url(given)


def test_base_path_login_and_socket():
    server = ComfyServer("https://me:secret@gpu.example/comfy", {"X-Token": "t"})
    assert server.url == "https://gpu.example/comfy"
    assert server.headers == {"X-Token": "t", "Authorization": "Basic bWU6c2VjcmV0"}
    assert server.socket_url("abc") == "wss://gpu.example/comfy/ws?clientId=abc"


@pytest.mark.parametrize("name", ["../../evil.png", "/etc/evil.png", "sub/../../evil.png"])
def test_names_from_the_server_stay_in_the_output_folder(workflow, folders, name):
    from likeness_studio.runner.backends import RunResult

    result = RunResult("x", "", "", ui={"1": {"images": [{"filename": name, "subfolder": "", "type": "output"}]}})
    fetch = Fetch(
        ComfyServer("127.0.0.1:9"), folders, previews=False, allow_black=False, patience=lambda: OutageWait(0)
    )
    with pytest.raises(UnsafePath):
        fetch.into(result, "0" * 36)


def test_runs_that_begin_at_once_share_one_backend_and_one_folder(monkeypatch):
    """A second folder would take the place of the first, which is deleted under its run."""
    client = Client("http://127.0.0.1:9")
    slow = tempfile.TemporaryDirectory

    def slowly(**options):
        time.sleep(0.05)
        return slow(**options)

    monkeypatch.setattr(client_module.tempfile, "TemporaryDirectory", slowly)
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: client._new_temp(), range(8)))
        backends = set(pool.map(lambda _: client.backend, range(8)))
    assert len({folder.parent for folder in folders}) == 1
    assert len(set(folders)) == 8
    assert len(backends) == 1
    assert folders[0].parent.is_dir()
    client.close()
    assert not folders[0].parent.exists()
