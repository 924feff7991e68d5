"""Every file with a picture that our code writes says of its making what the picture it shows says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from likeness_studio.core import host
from likeness_studio.core.imaging.files import load_on_white
from likeness_studio.core.provenance.origin import origin_of
from likeness_studio.core.provenance.xmp import STATEMENTS, Generative
from likeness_studio.nodes.comfy_stub.ui import PreviewImage
from likeness_studio.nodes.print_sheet import PrintSheet
from likeness_studio.runner.api import check
from likeness_studio.runner.api.id_photos import make_id_photos
from likeness_studio.runner.api.sheet import lay_out_sheet
from likeness_studio.runner.api.training import train_tiny_vae
from likeness_studio.runner.backends import core_nodes
from likeness_studio.runner.backends.comfy.uploads import checked_image
from likeness_studio.runner.backends.saved_files import save_images
from likeness_studio.runner.batch.contact_sheet import _thumb
from likeness_studio.runner.batch.deliver import picture_as

ROOT = Path(__file__).resolve().parents[3]

GRAPH = {
    "1": {"class_type": "KSampler", "inputs": {}},
    "2": {"class_type": "LikenessPrintSheet", "inputs": {"images": ["1", 0]}},
}
"""How the picture was made that each writer is given."""


@pytest.fixture(params=["graph", "settings"])
def generated(request, astronaut, tmp_path) -> Path:
    """A portrait whose file says that it was generated, and not by XMP."""
    chunks = PngInfo()
    if request.param == "graph":
        chunks.add_text("prompt", json.dumps(GRAPH))
    else:
        chunks.add_text("parameters", "a portrait\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Model: x")
    with Image.open(astronaut) as picture:
        picture.save(tmp_path / "made.png", pnginfo=chunks)
    assert origin_of(tmp_path / "made.png").generative is Generative.SOME
    return tmp_path / "made.png"


def sheets(photo: Path, out: Path) -> None:
    lay_out_sheet([photo], out / "sheet.png", size="35x35")
    lay_out_sheet([photo], out / "sheet.pdf", size="35x35")


def sheet_node(photo: Path, out: Path) -> None:
    asked = {"paper": "10x15cm", "dpi": "300", "count": 1, "orientation": "auto", "gap_mm": -1.0, "margin_mm": -1.0}
    sized = {"cut_marks": True, "caption": True, "width_mm": 30.0, "height_mm": 30.0, "filename_prefix": "sheet"}
    with host.use(host.LocalHost(out, out, out, graph=GRAPH, node="2")):
        PrintSheet.execute(torch.rand(1, 60, 60, 3), **asked, **sized)


def preview(photo: Path, out: Path) -> None:
    with host.use(host.LocalHost(out, out, out, graph=GRAPH, node="2")):
        PreviewImage(load_on_white(photo)[None])


def core_preview(photo: Path, out: Path) -> None:
    with host.use(host.LocalHost(out, out, out, graph=GRAPH, node="2")):
        core_nodes.PreviewImage.execute(load_on_white(photo)[None])


def saved_picture(photo: Path, out: Path) -> None:
    save_images(load_on_white(photo)[None], "p", out, GRAPH)


def id_photo(photo: Path, out: Path) -> None:
    """The photo, the one with its measured lines, and the prints."""
    made = make_id_photos([photo], ["linkedin"], out, matte="u2netp", check=False)
    assert {path.suffix for path in out.iterdir()} >= {".jpg", ".png"}, made


def id_prints(photo: Path, out: Path) -> None:
    make_id_photos([photo], ["schengen-visa"], out, matte="u2netp", check=False, sheet="10x15cm", count=1)
    assert list(out.glob("*.pdf"))


def checked_overlay(photo: Path, out: Path) -> None:
    with Image.open(photo) as picture:
        check._save(picture.convert("RGB"), photo, out, "001")


def thumbnail(photo: Path, out: Path) -> None:
    assert _thumb(photo, out / "thumb.jpg")


def in_another_format(photo: Path, out: Path) -> None:
    (out / "picture.jpg").write_bytes(picture_as(photo, ".jpg"))


def copy_for_a_server(photo: Path, out: Path) -> None:
    with Image.open(photo) as picture:
        chunks = PngInfo()
        for key, text in picture.info.items():
            chunks.add_text(str(key), str(text))
        picture.convert("P").save(photo.with_name("palette.png"), pnginfo=chunks)
    assert checked_image(photo.with_name("palette.png"), out, (0, 33, 0)).parent == out


def training(photo: Path, out: Path) -> None:
    (out / "data").mkdir()
    for number in range(3):
        with Image.open(photo) as picture:
            picture.rotate(number).save(out / "data" / f"{number}.png")
    train_tiny_vae([out / "data"], out / "vae.safetensors", steps=1, size=64, batch=1)
    for path in (out / "data").iterdir():
        path.unlink()


WRITERS = [
    sheets,
    sheet_node,
    preview,
    core_preview,
    saved_picture,
    pytest.param(id_photo, marks=pytest.mark.models),
    pytest.param(id_prints, marks=pytest.mark.models),
    checked_overlay,
    thumbnail,
    in_another_format,
    copy_for_a_server,
    training,
]


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_made_of_a_generated_picture_says_so(write, generated, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    write(generated, out)
    pictures = [path for path in out.rglob("*") if path.suffix in {".jpg", ".png"}]
    prints = list(out.rglob("*.pdf"))
    assert pictures + prints
    assert {path.name: origin_of(path).generative for path in pictures} == {
        path.name: Generative.SOME for path in pictures
    }
    assert all(STATEMENTS[Generative.SOME][:20].encode() in path.read_bytes() for path in prints)


PICTURE = re.compile(r"\.save\((?!\)|training\.model)|\bencode_picture\(|\bimwrite\(|\bimsave\(|\bsavefig\(|\.tofile\(")
"""What turns pixels into a file's bytes; `drawn_file`, `png_bytes` and `pdf_bytes` ask each caller for a statement."""

STATED = {
    "core/imaging/encode.py": "the encoders themselves",
    "core/id_photo/sheet_files.py": "a page as PNG: with what is stated",
    "core/provenance/save.py": "with the record",
    "runner/backends/saved_files.py": "with the graph, as Save Image writes it",
    "runner/batch/deliver.py": "with what the picture says",
}
"""Where that is done, and how the file is made to say how its picture came about."""


def test_a_new_writer_of_pictures_says_how_they_were_made():
    files = [path for room in ("core", "nodes", "runner") for path in (ROOT / room).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in files if PICTURE.search(path.read_text("utf-8"))}
    assert found == set(STATED), "use core.imaging.encode.drawn_file, or state it and add a writer to WRITERS here"
