"""Lay Out Print Sheet: as a node, in a run of the local engine, and on a real ComfyUI."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from likeness_studio.core import host
from likeness_studio.core.errors import UnsafePath
from likeness_studio.core.errors.formats import PrintProportionsDiffer, PrintsDoNotFit, PrintSizeUnknown
from likeness_studio.core.id_photo import IDPhoto
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.imaging import from_pil, load_photo
from likeness_studio.nodes.print_sheet import AUTO, PrintSheet
from likeness_studio.runner.backends import Folders, LocalEngine
from likeness_studio.runner.client import Client
from likeness_studio.runner.errors import ServerExecutionError
from likeness_studio.runner.workflow import Workflow

ROOT = Path(__file__).parents[3]
WIDGETS = {
    "paper": "10x15cm", "dpi": "300", "count": 0, "orientation": "auto", "gap_mm": AUTO, "margin_mm": AUTO,
    "cut_marks": True, "caption": True, "width_mm": 0.0, "height_mm": 0.0, "filename_prefix": "sheets/print",
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    with host.use(host.LocalHost(*(tmp_path / name for name in ("input", "output", "temp")))) as surroundings:
        yield surroundings


@pytest.fixture(scope="module")
def photo():
    """The demo photo, cut to 35 x 45 mm at 300 DPI."""
    with Image.open(ROOT / "runner" / "demo.jpg") as picture:
        return from_pil(picture.convert("RGB").crop((100, 20, 380, 380)).resize((413, 531)))


def id_photo():
    return IDPhoto(document("schengen-visa"), 413, 531, 300.0, 35.0, 45.0)


def lay(photo, **changed):
    return PrintSheet.execute(images=photo, **(WIDGETS | changed))


def test_a_sheet_is_written_and_given(place, photo):
    output = lay(photo, id_photo=id_photo())
    sheet, report = output.args
    assert sheet.shape == (1, 1181, 1772, 3)
    assert "8 photos of 35 x 45 mm" in report
    assert output.ui["images"] == [{"filename": "print_00001.png", "subfolder": "sheets", "type": "output"}]
    assert output.ui["files"] == [{"filename": "print_00001.pdf", "subfolder": "sheets", "type": "output"}]
    assert "print_00001.pdf" in output.ui["text"][0]
    saved = load_photo(place.output_dir / "sheets" / "print_00001.png")[0]
    assert torch.equal(saved, sheet)
    assert (place.output_dir / "sheets" / "print_00001.pdf").read_bytes().startswith(b"%PDF")


def test_a_photo_keeps_its_pixels(place, photo):
    sheet = lay(photo, id_photo=id_photo())[0][0]
    wanted = (photo[0] * 255).round().to(torch.uint8)
    found = (sheet * 255).round().to(torch.uint8)
    rows, columns = (found == wanted[0, 0]).all(-1).nonzero(as_tuple=True)
    assert any(
        torch.equal(found[y : y + 531, x : x + 413], wanted)
        for y, x in zip(rows.tolist(), columns.tolist(), strict=True)
    )


def test_two_runs_are_two_files(place, photo):
    first = lay(photo, id_photo=id_photo()).ui["files"]
    second = lay(photo, id_photo=id_photo()).ui["files"]
    assert first != second
    assert len(list((place.output_dir / "sheets").iterdir())) == 4


def test_several_pages_are_several_pictures(place, photo):
    two = torch.cat((photo, photo.flip(2)))
    output = lay(two, width_mm=35.0, height_mm=45.0, count=10)
    assert output[0].shape[0] == 2
    assert [file["filename"] for file in output.ui["images"]] == ["print_00001_1.png", "print_00001_2.png"]


def test_a_typed_size_wins_over_the_id_photos(place, photo):
    assert "70 x 90 mm" in lay(photo, width_mm=70.0, height_mm=90.0, id_photo=id_photo())[1]


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({}, PrintSizeUnknown),
        ({"width_mm": 35.0}, PrintSizeUnknown),
        ({"id_photo": IDPhoto(document("linkedin"), 800, 800, 72.0, 282.2, 282.2)}, PrintSizeUnknown),
        ({"width_mm": 50.0, "height_mm": 50.0}, PrintProportionsDiffer),
        ({"width_mm": 140.0, "height_mm": 180.0}, PrintsDoNotFit),
        ({"width_mm": 35.0, "height_mm": 45.0, "filename_prefix": "../up"}, UnsafePath),
        ({"width_mm": 35.0, "height_mm": 45.0, "filename_prefix": "x" * 300}, UnsafePath),
    ],
)
def test_what_cannot_be_printed_is_refused(place, photo, changed, error):
    with pytest.raises(error):
        lay(photo, **changed)
    assert not list(place.output_dir.parent.rglob("*.p[dn][fg]"))


def graph(**changed):
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}, "_meta": {"title": "Photo"}},
        "2": {
            "class_type": "LikenessPrintSheet",
            "inputs": WIDGETS | {"images": ["1", 0]} | changed,
            "_meta": {"title": "Sheet"},
        },
    }


def save(photo, folder):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray((photo[0].numpy() * 255).round().astype("uint8")).save(folder / "photo.png")


def test_the_local_engine_collects_both_files(photo, tmp_path):
    folders = Folders(*(tmp_path / name for name in ("input", "output", "temp")))
    save(photo, folders.input)
    workflow = Workflow.from_api("sheet", graph(width_mm=35.0, height_mm=45.0))
    result = LocalEngine().run(workflow, folders)
    assert sorted(file.path.name for file in result.outputs) == ["print_00001.pdf", "print_00001.png"]


@pytest.mark.comfyui
def test_on_a_real_comfyui(comfyui_server, photo, tmp_path):
    save(photo, comfyui_server.input)
    workflow = Workflow.from_api("sheet", graph(width_mm=35.0, height_mm=45.0))
    with Client(comfyui_server.url, keep_history=True) as client:
        result = client.run(workflow, output=tmp_path)
        again = client.run(Workflow.from_api("sheet", graph(width_mm=35.0, height_mm=45.0, count=2)), output=tmp_path)
        with pytest.raises(ServerExecutionError, match="connect id_photo"):
            client.run(Workflow.from_api("sheet", graph()), output=tmp_path)
    files = {file.path.suffix: file.path for file in result.outputs}
    assert set(files) == {".pdf", ".png"}
    with Image.open(files[".png"]) as sheet:
        assert sheet.size == (1772, 1181)
        assert sheet.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    assert files[".pdf"].read_bytes().startswith(b"%PDF")
    assert not {file.path for file in again.outputs} & set(files.values())
    (seen,) = [text for node, text in result.shown("text") if node == "2"]
    assert "8 photos of 35 x 45 mm" in seen
