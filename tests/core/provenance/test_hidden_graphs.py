"""A generated picture that hides its graph, its settings or its term is not said to be made without generation."""

from __future__ import annotations

import json
import time

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from likeness_studio.core import host
from likeness_studio.core.provenance import source_types as iptc
from likeness_studio.core.provenance import xmp
from likeness_studio.core.provenance.origin import origin_of
from likeness_studio.core.provenance.retouched import retouch_in_file
from likeness_studio.core.provenance.xmp import STATEMENTS, Generative, Record
from likeness_studio.nodes.print_sheet import PrintSheet
from likeness_studio.nodes.retouch import RetouchPhoto
from likeness_studio.runner.api.sheet import lay_out_sheet

GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
}
HARMLESS = {"1": {"class_type": "EmptyImage", "inputs": {}}}
TEXT = json.dumps(GRAPH)


PACKED = 1 << 20
"""Pillow opens no picture with a longer packed text: such ones are written as they are, and are read."""


@pytest.fixture
def png(tmp_path):
    def save(packet: bytes = b"", **texts: str):
        chunks = PngInfo()
        for key, text in texts.items():
            packed = 10_000 < len(text) < PACKED
            chunks.add_text(key, text, zip=packed) if text.isascii() else chunks.add_itxt(key, text)
        if packet:
            chunks.add_itxt("XML:com.adobe.xmp", packet.decode())
        Image.new("RGB", (9, 9)).save(tmp_path / "a.png", pnginfo=chunks)
        return tmp_path / "a.png"

    return save


HIDDEN = {
    "a list": f"[{TEXT}]",
    "a list of lists": f"[[[{TEXT}]]]",
    "a string": json.dumps(TEXT),
    "a string in a string": json.dumps(json.dumps(TEXT)),
    "a string in a list": json.dumps([TEXT]),
    "a byte order mark": "\ufeff" + TEXT,
    "blanks": "\n \t" + TEXT,
    "another object": json.dumps({"extra": {"a": [{"prompt": GRAPH}]}}),
    "a string in an object": json.dumps({"prompt": TEXT}),
    "escapes": TEXT.replace("class_type", "\\u0063lass_type"),
    "sixty layers": "[" * 60 + TEXT + "]" * 60,
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_a_graph_is_found_wherever_it_stands(png, text):
    assert origin_of(png(prompt=text)).generative is Generative.SOME


DOUBTFUL = {
    "one bad character": TEXT[:20] + "\x01" + TEXT[20:],
    "a comma too many": TEXT[:-1] + ",}",
    "no end": TEXT[:-1],
    "something before": "x" + TEXT,
    "too many layers": "[" * 100_000 + TEXT,
    "strings without end": json.dumps(json.dumps(json.dumps(json.dumps(json.dumps(TEXT))))),
    "too long": "[" + " " * 4_000_001 + TEXT[:100],
    "a long text": "a portrait of me, " * 20_000,
}


@pytest.mark.parametrize("text", DOUBTFUL.values(), ids=DOUBTFUL)
@pytest.mark.parametrize("key", ["prompt", "parameters", "Description"])
def test_what_cannot_be_read_is_unknown_and_never_none(png, text, key):
    assert origin_of(png(**{key: text})).generative is Generative.UNKNOWN


def test_a_harmless_graph_hides_no_other(png):
    assert origin_of(png(a=json.dumps(HARMLESS), prompt=TEXT)).generative is Generative.SOME
    assert origin_of(png(prompt=json.dumps([HARMLESS, GRAPH]))).generative is Generative.SOME
    assert origin_of(png(prompt=json.dumps(HARMLESS), b=TEXT[:-1])).generative is Generative.UNKNOWN
    assert origin_of(png(prompt=json.dumps(HARMLESS))).generative is Generative.NONE


@pytest.mark.parametrize("says", [Generative.NONE, Generative.UNKNOWN])
def test_a_forged_record_hides_no_graph(png, says):
    record = xmp.packet(Record(says, iptc.VOCABULARY + "digitalCapture"))
    assert origin_of(png(record, prompt=TEXT)).generative is Generative.SOME
    assert origin_of(png(record, prompt=TEXT[:-1])).generative is Generative.UNKNOWN
    assert origin_of(png(record, parameters="Steps: 20, Sampler: Euler a")).generative is Generative.SOME


TERM = "TrainedAlgorithmicMedia"
WRITTEN = [
    *(TERM, TERM.upper(), TERM.lower(), f"digsrctype:{TERM}", f"DigSrcType:{TERM.lower()}"),
    *(iptc.VOCABULARY + TERM, (iptc.VOCABULARY + TERM).upper(), "HTTPS" + iptc.VOCABULARY[4:] + TERM),
]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_term_in_another_case_is_the_term(png, written):
    packet = xmp.packet(Record(Generative.UNKNOWN, iptc.GENERATED)).replace(b"generativeSteps", b"nothing")
    assert origin_of(png(packet.replace(iptc.GENERATED.encode(), written.encode()))).generative is Generative.SOME


def test_a_term_that_there_is_not_leaves_it_open(png):
    packet = xmp.packet(Record(Generative.UNKNOWN, iptc.GENERATED)).replace(b"generativeSteps", b"nothing")
    for odd in ("trainedAlgorithmicMedi\u0430", "x", "http://example.org/generated"):
        changed = packet.replace(iptc.GENERATED.encode(), odd.encode())
        assert origin_of(png(changed)).generative is Generative.UNKNOWN, odd


def test_a_retouch_is_found_in_the_second_graph(png):
    retouch = {"1": {"class_type": "LikenessRetouchPhoto", "inputs": dict.fromkeys(RetouchPhoto.FACTS.retouches, True)}}
    assert "LikenessRetouchPhoto" in retouch_in_file(png(a=json.dumps(HARMLESS), b=json.dumps([retouch])))


RING = {str(n): {"class_type": "ImageInvert", "inputs": {"image": [str((n + 1) % 2000), 0]}} for n in range(2000)}
WRITERS = {str(n): {"class_type": "SaveImage", "inputs": {"images": [str(n + 1), 0]}} for n in range(1999)} | {
    "1999": {"class_type": "KSampler", "inputs": {}}
}
SLOW = {
    "Steps": "Steps: 1 " * 400_000,
    "Sampler": "Steps: 1 " * 7000 + "x" * 10_000,
    "made with": "made with " * 400_000,
    "job": "Job ID: " * 400_000,
    "dashes": " --" * 1_000_000,
    "a ring": json.dumps(RING),
    "a chain of writers": json.dumps(WRITERS),
    "many values": json.dumps([[1, {}, "x"]] * 300_000),
    "many strings": json.dumps(['"[]"'] * 300_000),
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("key", ["Description", "parameters"])
def test_megabytes_of_text_take_no_time(png, text, key):
    path = png(**{key: text})
    began = time.process_time()
    origin_of(path)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(("text", "generative"), [(TEXT, Generative.SOME), (TEXT[:-1], Generative.UNKNOWN)])
def test_a_print_sheet_says_what_its_photos_say(png, tmp_path, text, generative):
    made = lay_out_sheet([png(prompt=text)], tmp_path / "sheet.png", size="30x30", dpi=300)
    assert [origin_of(path).generative for path in made.files] == [generative]
    (pdf,) = lay_out_sheet([png(prompt=text)], tmp_path / "sheet.pdf", size="30x30").files
    assert STATEMENTS[generative][:20].encode() in pdf.read_bytes()


def test_the_pages_of_the_node_carry_their_statement(tmp_path):
    graph = {
        "1": {"class_type": "KSampler", "inputs": {}},
        "2": {"class_type": "LikenessPrintSheet", "inputs": {"images": ["1", 0]}},
    }
    place = host.LocalHost(tmp_path, tmp_path, tmp_path, graph=graph, node="2")
    asked = {"paper": "10x15cm", "dpi": "300", "count": 1, "orientation": "auto", "gap_mm": -1.0, "margin_mm": -1.0}
    sized = {"cut_marks": True, "caption": True, "width_mm": 30.0, "height_mm": 30.0, "filename_prefix": "sheet"}
    with host.use(place):
        PrintSheet.execute(torch.rand(1, 60, 60, 3), **asked, **sized)
    assert origin_of(tmp_path / "sheet_00001.png").generative is Generative.SOME
    assert STATEMENTS[Generative.SOME][:20].encode() in (tmp_path / "sheet_00001.pdf").read_bytes()
