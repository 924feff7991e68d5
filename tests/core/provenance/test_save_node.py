"""Save with Provenance in the local engine: the file that a graph makes says what the graph shows."""

import io
import json
import shutil
from typing import Any

import pytest
from PIL import Image

from likeness_studio.core import host
from likeness_studio.core.errors import UnsafePath
from likeness_studio.core.errors.formats import (
    CredentialsNotSetUp,
    FileSizeOutOfReach,
    GenerationFound,
    MetadataTooLong,
    PictureNotSaved,
)
from likeness_studio.core.id_photo import Document, Edits, IDPhoto, Range
from likeness_studio.core.imaging import encode_picture
from likeness_studio.core.provenance import Generative, Record, State, check_file, xmp
from likeness_studio.core.provenance import source_types as iptc
from likeness_studio.nodes.provenance import NO_GENERATION, SHOWN, SaveWithProvenance
from likeness_studio.runner.errors import NodeFailed
from likeness_studio.runner.workflow import Workflow

SAVE: dict[str, Any] = {
    "filename_prefix": "out/me",
    "format": "jpeg",
    "quality": 92,
    "declare": SHOWN,
    "creator": "",
    "include_workflow": False,
    "sign": False,
}


WITH_WORKFLOW: dict[str, Any] = {"include_workflow": True}


def graph(photo="secret name.jpg", **save):
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": photo}},
        "2": {
            "class_type": "ImageScale",
            "inputs": {"image": ["1", 0], "upscale_method": "area", "width": 200, "height": 200, "crop": "center"},
        },
        "3": {"class_type": "LikenessSaveWithProvenance", "inputs": SAVE | {"images": ["2", 0]} | save},
    }


@pytest.fixture
def photo(tmp_path, demo_bytes, run_here):
    """The demo photo in the input folder, with GPS in its EXIF data."""
    target = tmp_path / "input" / "secret name.jpg"
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x013B] = "Somebody"
    Image.open(io.BytesIO(demo_bytes)).save(target, exif=exif)
    return target


def saved(result):
    assert len(result.outputs) == 1
    return result.outputs[0].path


def record_of(path) -> Record:
    """What the file says of its making, by this pack."""
    claims = check_file(path).claims
    assert claims is not None
    assert claims.record is not None
    return claims.record


@pytest.mark.parametrize(("form", "suffix"), [("jpeg", ".jpg"), ("png", ".png"), ("webp", ".webp")])
def test_a_file_says_what_the_graph_shows(photo, run_here, form, suffix):
    made = graph(format=form, creator="Ada")
    path = saved(run_here(made))
    assert path.name == f"me_00001_{suffix}"
    assert path.parent.name == "out"
    record = record_of(path)
    assert (record.generative, record.source_type, record.reasons) == (Generative.NONE, None, ())
    assert record.steps == ("LoadImage: reads", "ImageScale: cuts", "LikenessSaveWithProvenance: passes on")
    assert record.workflow_hash == Workflow.from_api("test", made).hash
    assert (record.creator, record.document, record.edits) == ("Ada", "", None)
    assert record.tool.startswith("Likeness Studio ")


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_no_name_no_place_and_no_workflow_leave_with_it(photo, run_here, tmp_path, form):
    path = saved(run_here(graph(format=form)))
    data = path.read_bytes()
    for word in (b"secret", str(tmp_path).encode(), b"Somebody", b"ckpt", b"prompt"):
        assert word not in data
    with Image.open(path) as image:
        assert not image.getexif().get_ifd(0x8825)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_the_workflow_is_kept_when_asked(photo, run_here, form):
    made = graph(format=form, include_workflow=True)
    with Image.open(saved(run_here(made))) as image:
        image.load()
        text = image.info["prompt"] if form == "png" else image.getexif()[0x0110].removeprefix("prompt:")
    kept = json.loads(text)
    assert {key: node["class_type"] for key, node in kept.items()} == {k: n["class_type"] for k, n in made.items()}
    assert kept["1"]["inputs"]["image"] == "secret name.jpg"


def test_numbers_go_on_and_reports_are_shown(photo, run_here):
    first, second = run_here(graph()), run_here(graph(quality=50))
    assert [saved(each).name for each in (first, second)] == ["me_00001_.jpg", "me_00002_.jpg"]
    text = second.ui["3"]["text"][0]
    assert "quality 50" in text
    assert "No generative step was used" in text
    assert second.ui["3"]["provenance"][0]["generative"] == "none"


def test_a_batch_is_a_file_each(photo, run_here):
    made = graph(filename_prefix="b%batch_num%_%width%")
    made["4"] = {"class_type": "ImageBatch", "inputs": {"image1": ["2", 0], "image2": ["2", 0]}}
    made["3"]["inputs"]["images"] = ["4", 0]
    names = [each.path.name for each in run_here(made).outputs]
    assert names == ["b0_200_00001_.jpg", "b1_200_00002_.jpg"]


def test_photos_of_a_folder_are_generated_if_one_of_them_is(run_here, tmp_path, demo):
    packet = xmp.packet(Record(Generative.SOME, iptc.GENERATED))
    for name, kept in (("a", None), ("b", packet)):
        (tmp_path / "input" / f"{name}.jpg").write_bytes(encode_picture(demo, "jpeg", xmp=kept).data)
    made = graph()
    made["2"] = {"class_type": "LikenessLoadPhotos", "inputs": {"folder": ""}}
    files = [each.path for each in run_here({key: made[key] for key in ("2", "3")}).outputs]
    assert [file.name for file in files] == ["me_00001_.jpg", "me_00002_.jpg"]
    assert {record_of(file).generative for file in files} == {Generative.SOME}


def test_the_statement_is_made_where_it_can_be(photo, run_here):
    path = saved(run_here(graph(declare=NO_GENERATION)))
    assert record_of(path).generative is Generative.NONE


def put(photo, demo, **options):
    photo.write_bytes(encode_picture(demo, "jpeg", **options).data)


def test_a_generated_photo_stays_one_and_the_statement_is_refused(photo, run_here, demo):
    put(photo, demo, xmp=xmp.packet(Record(Generative.SOME, iptc.GENERATED)))
    path = saved(run_here(graph()))
    record = record_of(path)
    assert (record.generative, record.source_type) == (Generative.SOME, iptc.GENERATED)
    assert "it says that it was generated" in record.reasons[0]
    with pytest.raises(NodeFailed) as caught:
        run_here(graph(declare=NO_GENERATION))
    assert isinstance(caught.value.__cause__, GenerationFound)
    assert len(list(path.parent.iterdir())) == 1


def test_what_was_saved_can_be_fed_in_again(photo, run_here, demo):
    first = saved(run_here(graph()))
    shutil.copy(first, photo)
    again = record_of(saved(run_here(graph(declare=NO_GENERATION, filename_prefix="again"))))
    assert again.generative is Generative.NONE
    put(photo, demo, text={"prompt": json.dumps({"1": {"class_type": "KSampler", "inputs": {}}})})
    third = record_of(saved(run_here(graph(filename_prefix="third"))))
    assert third.generative is Generative.SOME


def test_a_signed_picture_names_its_photo_as_parent(photo, run_here, signing_environment):
    path = saved(run_here(graph(sign=True)))
    found = check_file(path, signing_environment.authority.read_bytes())
    assert (found.credentials.state, found.credentials.trusted) == (State.INTACT, True)
    assert found.credentials.actions == ("c2pa.opened", "c2pa.resized")
    assert found.credentials.ingredients == 1
    assert record_of(path).generative is Generative.NONE
    assert b"secret" not in path.read_bytes()


def test_the_manifest_alone_says_that_the_photo_was_generated(photo, run_here, demo, signing_environment):
    put(photo, demo, xmp=xmp.packet(Record(Generative.SOME, iptc.GENERATED)))
    found = check_file(saved(run_here(graph(sign=True)))).credentials
    assert (found.state, found.source_types) == (State.INTACT, (iptc.GENERATED,))


@pytest.mark.parametrize(("suffix", "kind"), [(".bmp", "BMP"), (".tif", "TIFF"), (".webp", "WEBP"), (".png", "PNG")])
def test_photos_of_other_kinds_are_signed_too(tmp_path, run_here, demo_bytes, signing_environment, suffix, kind):
    Image.open(io.BytesIO(demo_bytes)).save(tmp_path / "input" / f"me{suffix}", kind)
    found = check_file(saved(run_here(graph(f"me{suffix}", sign=True)))).credentials
    assert found.state is State.INTACT
    assert found.actions[0] == ("c2pa.created" if kind == "BMP" else "c2pa.opened")


def test_signing_without_a_certificate_is_refused_before_anything_is_written(photo, run_here, tmp_path, monkeypatch):
    monkeypatch.delenv("LIKENESS_C2PA_CERT", raising=False)
    with pytest.raises(NodeFailed) as caught:
        run_here(graph(sign=True))
    assert isinstance(caught.value.__cause__, CredentialsNotSetUp)
    assert list((tmp_path / "output").rglob("*.jpg")) == []


@pytest.fixture
def place(tmp_path):
    """A run that the node is called in directly, for what only an ID photo node could give it."""
    picture = {"class_type": "EmptyImage", "inputs": {}}
    made = {
        "1": picture,
        "2": {
            "class_type": "LikenessMakeIDPhoto",
            "inputs": {"image": ["1", 0], "background": "as the document allows"},
        },
        "3": {"class_type": "LikenessSaveWithProvenance", "inputs": {"images": ["2", 0], "id_photo": ["2", 1]}},
    }
    surroundings = host.LocalHost(tmp_path, tmp_path / "out", tmp_path, graph=made, node="3")
    with host.use(surroundings):
        yield tmp_path / "out"


def id_photo(edits=(), **rules: Any):
    document = Document("nowhere-passport", "Passport", "XX", "passport", 35, 45, edits=Edits.BACKGROUND, **rules)
    return IDPhoto(document, 413, 531, 300.0, 35.0, 45.0, edits)


def call(demo, id_photo=None, **change):
    values: dict[str, Any] = SAVE | {"filename_prefix": "id"} | change
    return SaveWithProvenance.execute(images=demo[None], id_photo=id_photo, **values)


def test_an_id_photo_has_the_resolution_the_size_and_the_format_of_its_document(place, demo):
    output = call(demo, id_photo(file_bytes=Range(10_000, 40_000), formats=("jpeg",)), format="png")
    (path,) = place.iterdir()
    assert path.suffix == ".jpg"
    assert 10_000 <= path.stat().st_size <= 40_000
    with Image.open(path) as image:
        assert image.info["dpi"] == (300, 300)
    assert "the document does not take png" in output.args[0]
    assert "300 dpi" in output.args[0]


def test_what_was_edited_is_told(place, demo):
    call(demo, id_photo(("The background was replaced by plain #FFFFFF.",)))
    call(demo, id_photo(), filename_prefix="whole")
    edited, whole = (record_of(place / f"{name}_00001_.jpg") for name in ("id", "whole"))
    assert edited.edits == ("The background was replaced by plain #FFFFFF.",)
    assert edited.source_type == iptc.COMPOSITE
    assert "LikenessMakeIDPhoto: combines" in edited.steps
    assert (edited.document, whole.edits) == ("nowhere-passport", ())
    assert "LikenessMakeIDPhoto: cuts" in whole.steps
    assert edited.generative is whole.generative is Generative.NONE


def test_a_size_out_of_reach_writes_nothing(place, demo):
    with pytest.raises(FileSizeOutOfReach):
        call(demo, id_photo(file_bytes=Range(0, 5000)))
    assert not place.exists()


def test_names_stay_in_the_folder_and_what_cannot_be_written_is_told(place, demo, monkeypatch):
    with pytest.raises(UnsafePath):
        call(demo, filename_prefix="../../away")
    with pytest.raises(UnsafePath, match="is too long"):
        call(demo, filename_prefix="x" * 300)
    place.mkdir(exist_ok=True)
    (place / "taken").touch()
    with pytest.raises(PictureNotSaved):
        call(demo, filename_prefix="taken/x")


def test_a_workflow_that_jpeg_cannot_hold_is_refused(place, demo):
    class Long(SaveWithProvenance):
        hidden = type("Hidden", (), {"prompt": {"1": "x" * 70_000}, "extra_pnginfo": None})

    with pytest.raises(MetadataTooLong):
        Long.execute(images=demo[None], **(SAVE | WITH_WORKFLOW))


def test_outside_of_a_run_nothing_is_claimed(tmp_path, demo, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call(demo)
    record = record_of(tmp_path / "output" / "id_00001_.jpg")
    assert (record.generative, record.source_type) == (Generative.UNKNOWN, None)
    with pytest.raises(GenerationFound):
        call(demo, declare=NO_GENERATION)
