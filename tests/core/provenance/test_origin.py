"""What input photos say of themselves, by XMP, credentials, embedded graphs and sampler settings."""

import json
import re
import sys
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from likeness_studio.core import host
from likeness_studio.core.imaging import Form, encode_picture
from likeness_studio.core.provenance import (
    SILENT,
    Action,
    Generative,
    Origin,
    Record,
    Signing,
    origin_of,
    origin_of_node,
    photo_files,
    sign,
    xmp,
)
from likeness_studio.core.provenance import source_types as iptc
from likeness_studio.core.provenance.xmp import PHOTOSHOP, RDF, XMP, X

FORMS: tuple[Form, ...] = ("jpeg", "png", "webp")
CAPTURE = iptc.VOCABULARY + "digitalCapture"
GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
}
HARMLESS = {"1": {"class_type": "EmptyImage", "inputs": {}}}
SETTINGS = "a portrait\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7"


@pytest.fixture
def saved(tmp_path, demo):
    def save(form: Form = "jpeg", **options):
        path = tmp_path / f"photo.{form}"
        path.write_bytes(encode_picture(demo, form, **options).data)
        return path

    return save


def said(source=None, generative=None):
    record = Record(generative or Generative.UNKNOWN, source)
    packet = xmp.packet(record)
    return packet if generative else packet.replace(b"likeness:generativeSteps", b"likeness:nothing")


def test_a_photo_that_says_nothing(saved):
    assert origin_of(saved()) == SILENT


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
@pytest.mark.parametrize(
    ("packet", "generative", "source"),
    [
        (said(iptc.GENERATED), Generative.SOME, iptc.GENERATED),
        (said(iptc.COMPOSITE_SYNTHETIC), Generative.SOME, iptc.COMPOSITE_SYNTHETIC),
        (said(iptc.VOCABULARY + "digitalCapture"), Generative.NONE, iptc.VOCABULARY + "digitalCapture"),
        (said(iptc.COMPOSITE), Generative.UNKNOWN, iptc.COMPOSITE),
        (said(iptc.COMPOSITE, Generative.NONE), Generative.NONE, iptc.COMPOSITE),
        (said(None, Generative.SOME), Generative.SOME, iptc.GENERATED),
        (said(None, Generative.UNKNOWN), Generative.UNKNOWN, None),
        (b"<broken", Generative.UNKNOWN, None),
    ],
)
def test_what_xmp_says(saved, form, packet, generative, source):
    origin = origin_of(saved(form, xmp=packet))
    assert (origin.generative, origin.source_type) == (generative, source)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_a_graph_in_the_file_is_traced(saved, form):
    origin = origin_of(saved(form, text={"prompt": json.dumps(GRAPH)}))
    assert (origin.generative, origin.source_type) == (Generative.SOME, iptc.GENERATED)
    assert "KSampler (node 3) generates" in origin.reason
    assert origin_of(saved(form, text={"prompt": json.dumps(HARMLESS)})) == SILENT


def test_of_a_graph_with_several_pictures_only_what_all_share_is_believed(saved):
    plain = {
        "7": {"class_type": "LoadImage", "inputs": {}},
        "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0]}},
    }
    origin = origin_of(saved("png", text={"prompt": json.dumps(GRAPH | plain)}))
    assert (origin.generative, origin.source_type) == (Generative.UNKNOWN, None)
    own = xmp.packet(Record(Generative.NONE))
    record_by_nobody = saved("png", text={"prompt": json.dumps(GRAPH | plain)}, xmp=own)
    assert origin_of(record_by_nobody).generative is Generative.UNKNOWN
    plain["8"]["class_type"] = "LikenessSaveWithProvenance"
    assert origin_of(saved("png", text={"prompt": json.dumps(GRAPH | plain)}, xmp=own)) == SILENT
    assert origin_of(saved("png", text={"prompt": json.dumps({"1": {"class_type": "Odd"}})})).generative is (
        Generative.UNKNOWN
    )


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{}", "null", '{"1": 3}', '{"1": {"class_type": 7, "inputs": 5}}', "x"]
)
def test_odd_texts_do_no_harm(saved, text):
    assert origin_of(saved("png", text={"prompt": text})).generative in (Generative.NONE, Generative.UNKNOWN)


def test_a_workflow_that_is_too_large_is_not_traced(saved):
    graph = {str(number): {"class_type": "SaveImage", "inputs": {}} for number in range(2001)}
    origin = origin_of(saved("png", text={"prompt": json.dumps(graph)}))
    assert (origin.generative, "2001 nodes" in origin.reason) == (Generative.UNKNOWN, True)


def test_sampler_settings_of_other_programs(tmp_path):
    chunks = PngInfo()
    chunks.add_text("parameters", SETTINGS)
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png", pnginfo=chunks)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + SETTINGS.encode("utf-16-be")
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg", exif=exif)
    for name in ("a.png", "a.jpg"):
        assert origin_of(tmp_path / name).generative is Generative.SOME


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("parameters", "a portrait\nSteps: 20, CFG scale: 7, Seed: 5"),
        ("parameters", '{"sampler": "dpmpp_2m", "steps": 30, "version": "Fooocus v2.5"}'),
        ("parameters", '{"sui_image_params": {"prompt": "x", "steps": 20}}'),
        ("invokeai_metadata", "{}"),
        ("sd-metadata", "{}"),
        ("Dream", '"a portrait" -s 50'),
        ("Comment", '{"steps": 28, "sampler": "k_euler"}'),
        ("Software", "NovelAI"),
        ("Description", "a portrait --ar 2:3 --v 6 Job ID: 0a1b2c3d-0000-0000-0000-000000000000"),
    ],
)
def test_what_other_programs_leave(tmp_path, name, text):
    chunks = PngInfo()
    chunks.add_text(name, text)
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png", pnginfo=chunks)
    assert origin_of(tmp_path / "a.png").generative is Generative.SOME


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Software", "GIMP 2.10"),
        ("Description", "Sampler of Northern music, 7 steps -- variety night"),
        ("Comment", "Steps: up to the gate"),
        ("parameters", '{"steps": 3}'),
        ("Author", "Jane Firefox"),
    ],
)
def test_what_cameras_and_editors_write_says_nothing(tmp_path, name, text):
    chunks = PngInfo()
    chunks.add_text(name, text)
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png", pnginfo=chunks)
    assert origin_of(tmp_path / "a.png") == SILENT


def test_what_stands_in_exif_and_in_comments(tmp_path):
    exif = Image.Exif()
    exif[0x0131] = "Adobe Firefly"
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGB", (9, 9)).save(tmp_path / "b.jpg", comment=b'{"sampler": "k_euler"}')
    Image.new("RGB", (9, 9)).save(tmp_path / "c.jpg", comment=b"Lavc60.3.100")
    said = [origin_of(tmp_path / f"{name}.jpg").generative for name in "abc"]
    assert said == [Generative.SOME, Generative.SOME, Generative.NONE]


def photo_with(path, *, software="", caption="", camera=False, xmp=b""):
    """A JPEG that says so of its making."""
    exif = Image.Exif()
    for tag, text in ((0x0131, software), (0x010E, caption), (0x010F, "Canon" * camera), (0x0110, "EOS R5" * camera)):
        if text:
            exif[tag] = text
    more: dict[str, Any] = {"xmp": xmp} if xmp else {}
    Image.new("RGB", (9, 9)).save(path, exif=exif, **more)
    return origin_of(path).generative


@pytest.mark.parametrize(
    "service",
    ["ChatGPT", "Google Gemini", "Imagen 4", "Grok", "Sora", "OpenAI", "Ideogram 3", "Recraft V3", "Midjourney"],
)
def test_services_that_name_themselves(tmp_path, service):
    assert photo_with(tmp_path / "a.jpg", software=service) is Generative.SOME
    description = f'<rdf:Description xmlns:xmp="{XMP}" xmp:CreatorTool="{service}"/>'
    assert photo_with(tmp_path / "b.jpg", xmp=packed(description)) is Generative.SOME


def test_a_credit_to_a_generator(tmp_path):
    description = f'<rdf:Description xmlns:p="{PHOTOSHOP}" p:Credit="Made with Google AI"/>'
    assert photo_with(tmp_path / "a.jpg", xmp=packed(description)) is Generative.SOME


def packed(description):
    rdf = f'<rdf:RDF xmlns:rdf="{RDF}">{description}</rdf:RDF>'
    return f'<x:xmpmeta xmlns:x="{X}">{rdf}</x:xmpmeta>'.encode()


@pytest.mark.parametrize(
    ("caption", "camera", "generative"),
    [
        ("The founders of Midjourney at the Firefly gala", True, Generative.NONE),
        ("A talk on Stable Diffusion and DALL-E", True, Generative.NONE),
        ("Sora Tanaka, Grok County", False, Generative.NONE),
        ("Created with Adobe Firefly", True, Generative.SOME),
        ("A portrait --v 6 Job ID: 0a1b2c3d-0000-0000-0000-000000000000", True, Generative.SOME),
        ("Midjourney portrait of a queen", False, Generative.SOME),
    ],
)
def test_a_generator_in_a_caption_is_a_subject_where_a_camera_took_the_photo(tmp_path, caption, camera, generative):
    assert photo_with(tmp_path / "a.jpg", caption=caption, camera=camera) is generative


def canvas(*kinds, mode=0, **more):
    return json.dumps({"nodes": [{"type": kind, "mode": mode} for kind in kinds]} | more)


INSIDE = {"subgraphs": [{"id": "f00", "nodes": [{"type": "VAEDecode", "mode": 0}]}]}


@pytest.mark.parametrize(
    ("text", "generative"),
    [
        (canvas("LoadImage", "Note", "SaveImage"), Generative.NONE),
        (canvas("LoadImage", "KSampler"), Generative.UNKNOWN),
        (canvas("LoadImage", "KSampler", mode=2), Generative.NONE),
        (canvas("LoadImage", "KSampler", mode=4), Generative.NONE),
        (canvas("LoadImage", "NobodyKnows"), Generative.UNKNOWN),
        (canvas("LoadImage", "f00", definitions=INSIDE), Generative.UNKNOWN),
        (canvas("LoadImage", definitions={"subgraphs": 5}), Generative.NONE),
        ('{"nodes": 5}', Generative.NONE),
        ('{"nodes": [3, null, {}]}', Generative.UNKNOWN),
    ],
)
def test_a_canvas_without_its_graph(saved, text, generative):
    assert origin_of(saved("png", text={"workflow": text})).generative is generative
    assert origin_of(saved("webp", text={"workflow": text})).generative is generative


def test_the_graph_says_more_than_the_canvas(saved):
    text = {"workflow": canvas("LoadImage", "KSampler"), "prompt": json.dumps(HARMLESS)}
    assert origin_of(saved("png", text=text)) == SILENT


def test_a_second_packet_does_not_hide_the_first(saved):
    data = saved(xmp=said(iptc.GENERATED)).read_bytes()
    other = saved(xmp=said(CAPTURE)).read_bytes()
    head = b"http://ns.adobe.com/xap/1.0/\0"
    at, start = other.index(head), data.index(head)
    length = int.from_bytes(other[at - 2 : at], "big")
    ends = start - 2 + int.from_bytes(data[start - 2 : start], "big")
    path = saved()
    path.write_bytes(data[:ends] + other[at - 4 : at - 2 + length] + data[ends:])
    with Image.open(path) as image:
        assert b"digitalCapture" in image.info["xmp"], "Pillow gives the last one"
    assert origin_of(path).generative is Generative.SOME


def test_a_packet_as_imagemagick_writes_it(tmp_path):
    packet = said(iptc.GENERATED)
    chunks = PngInfo()
    chunks.add_text("Raw profile type xmp", f"\nxmp\n{len(packet):8}\n{packet.hex()}\n")
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png", pnginfo=chunks)
    assert origin_of(tmp_path / "a.png").source_type == iptc.GENERATED
    chunks = PngInfo()
    chunks.add_text("Raw profile type xmp", "\nxmp\n  3\nxyz\n")
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png", pnginfo=chunks)
    assert origin_of(tmp_path / "b.png").generative is Generative.UNKNOWN


def test_content_credentials_are_searched_without_the_library(tmp_path, demo, certificates, monkeypatch):
    signing = Signing.from_files(certificates.chain, certificates.key)
    for form in FORMS:
        plain = encode_picture(demo, form).data
        for name, source in (("made", iptc.GENERATED), ("taken", CAPTURE)):
            (tmp_path / f"{name}.{form}").write_bytes(sign(plain, form, signing, tool=("x", "1"), source_type=source))
    monkeypatch.setitem(sys.modules, "c2pa", None)
    for form in FORMS:
        made = origin_of(tmp_path / f"made.{form}")
        assert (made.generative, made.source_type) == (Generative.SOME, iptc.GENERATED)
        assert origin_of(tmp_path / f"taken.{form}") == Origin(Generative.NONE, CAPTURE)


def test_a_term_in_a_manifest_ends_where_it_ends(tmp_path, demo, certificates):
    """In CBOR no separator stands behind a text: the head of the next value may be a letter."""
    signing = Signing.from_files(certificates.chain, certificates.key)
    edited = [Action("c2pa.edited", "x" * length, iptc.EDITED_BY_GENERATION) for length in (1, 10, 20, 23)]
    data = sign(
        encode_picture(demo, "jpeg").data, "jpeg", signing, tool=("x", "1"), actions=edited, source_type=CAPTURE
    )
    assert re.search(rb"compositeWithTrainedAlgorithmicMedia[a-z]", data)
    (tmp_path / "a.jpg").write_bytes(data)
    assert origin_of(tmp_path / "a.jpg").source_type == iptc.EDITED_BY_GENERATION


def test_vague_credentials_leave_it_open_unless_a_record_of_ours_says_more(tmp_path, demo, certificates):
    signing = Signing.from_files(certificates.chain, certificates.key)
    for name, packet, expected in (
        ("a.jpg", None, Generative.UNKNOWN),
        ("b.jpg", xmp.packet(Record(Generative.NONE, iptc.COMPOSITE)), Generative.NONE),
    ):
        plain = encode_picture(demo, "jpeg", xmp=packet).data
        (tmp_path / name).write_bytes(sign(plain, "jpeg", signing, tool=("x", "1"), source_type=iptc.COMPOSITE))
        assert origin_of(tmp_path / name).generative is expected


@pytest.mark.parametrize(
    ("address", "generative"), [("http://x.example/a", Generative.UNKNOWN), ("self#jumbf=a", Generative.NONE)]
)
def test_credentials_on_a_server_leave_it_open(saved, address, generative):
    packet = (
        f'<x:xmpmeta xmlns:x="{xmp.X}"><rdf:RDF xmlns:rdf="{xmp.RDF}"><rdf:Description rdf:about="" '
        f'xmlns:dcterms="{xmp.DCTERMS}" dcterms:provenance="{address}"/></rdf:RDF></x:xmpmeta>'
    )
    assert origin_of(saved(xmp=packet.encode())).generative is generative


def test_a_file_that_cannot_be_looked_at_is_unknown_and_its_path_is_not_told(tmp_path):
    (tmp_path / "notes.jpg").write_text("no picture")
    for name in ("notes.jpg", "missing.jpg"):
        origin = origin_of(tmp_path / name)
        assert origin.generative is Generative.UNKNOWN
        assert str(tmp_path) not in origin.reason
        assert name not in origin.reason


@pytest.fixture
def folders(tmp_path, demo):
    place = host.LocalHost(tmp_path / "in", tmp_path / "out", tmp_path / "tmp")
    for folder, form in zip((place.input_dir, place.output_dir, place.temp_dir), FORMS, strict=True):
        (folder / "sub").mkdir(parents=True)
        packet = said(iptc.GENERATED) if form == "png" else None
        (folder / "sub" / "a.jpg").write_bytes(encode_picture(demo, form, xmp=packet).data)
    with host.use(place):
        yield place


def load(name, kind="LoadImage"):
    return {"class_type": kind, "inputs": {"image": name}}


def test_names_with_a_folder_are_found(folders):
    assert photo_files(load("sub/a.jpg")) == [(folders.input_dir / "sub/a.jpg").resolve()]
    assert photo_files(load("sub/a.jpg [output]")) == [(folders.output_dir / "sub/a.jpg").resolve()]
    assert photo_files(load("sub/a.jpg [temp]")) == [(folders.temp_dir / "sub/a.jpg").resolve()]
    assert photo_files(load("sub/a.jpg", "LoadImageOutput")) == [(folders.output_dir / "sub/a.jpg").resolve()]
    assert origin_of_node(load("sub/a.jpg")) == SILENT
    assert origin_of_node(load("sub/a.jpg [output]")).generative is Generative.SOME


@pytest.mark.parametrize("name", ["../../x.jpg", "missing.jpg", ["7", 0], 3, None])
def test_what_is_not_found_is_unknown(folders, name):
    assert origin_of_node(load(name)).generative is Generative.UNKNOWN


def test_a_folder_is_generated_if_one_photo_is(folders, demo):
    several = {"class_type": "LikenessLoadPhotos", "inputs": {"folder": "sub"}}
    assert origin_of_node(several) == SILENT
    (folders.input_dir / "sub" / "b.jpg").write_bytes(encode_picture(demo, "jpeg", xmp=said(iptc.GENERATED)).data)
    assert origin_of_node(several).generative is Generative.SOME
    empty = {"class_type": "LikenessLoadPhotos", "inputs": {"folder": "none"}}
    assert origin_of_node(empty).generative is Generative.UNKNOWN
