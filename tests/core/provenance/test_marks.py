"""Marks of generation where no reader of texts looks, or behind a harmless text, are found or leave a doubt."""

from __future__ import annotations

import io
import json
import time
import zlib
from xml.sax.saxutils import escape

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from likeness_studio.core.provenance import xmp
from likeness_studio.core.provenance.origin import origin_of
from likeness_studio.core.provenance.xmp import Generative, Record

GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
}
HARMLESS = {
    "1": {"class_type": "EmptyImage", "inputs": {}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
}
TEXT, PLAIN = json.dumps(GRAPH), json.dumps(HARMLESS)
SETTINGS = "Steps: 20, Sampler: Euler a"
USER_COMMENT, EXIF_IFD = 0x9286, 0x8769


@pytest.fixture
def saved(tmp_path):
    def save(data: bytes):
        (tmp_path / "a").write_bytes(data)
        return origin_of(tmp_path / "a").generative

    return save


def picture(form, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, form, **options)
    return buffer.getvalue()


def png(*texts: tuple[str, str]) -> bytes:
    chunks = PngInfo()
    for key, text in texts:
        chunks.add_text(key, text)
    return picture("PNG", pnginfo=chunks)


def with_chunk(name: bytes, content: bytes) -> bytes:
    data, crc = picture("PNG"), zlib.crc32(name + content).to_bytes(4, "big")
    return data[:33] + len(content).to_bytes(4, "big") + name + content + crc + data[33:]


def exif(tags=(), **comments):
    values = Image.Exif()
    for tag, value in dict(tags).items():
        values[tag] = value
    for value in comments.values():
        values.get_ifd(EXIF_IFD)[USER_COMMENT] = value
    return picture("JPEG", exif=values)


def segments(*parts: tuple[int, bytes]) -> bytes:
    data = picture("JPEG")
    more = (b"\xff" + bytes([marker]) + (len(part) + 2).to_bytes(2, "big") + part for marker, part in parts)
    return data[:2] + b"".join(more) + data[2:]


def packet(body: str) -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="{xmp.X}"><rdf:RDF xmlns:rdf="{xmp.RDF}"><rdf:Description rdf:about="" '
        f'xmlns:dc="{xmp.DC}" xmlns:i="{xmp.IPTC_EXT}" xmlns:low="{xmp.IPTC_EXT.lower()}" '
        f'xmlns:e="http://ns.adobe.com/exif/1.0/">{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def comment_of_gif(text: str) -> bytes:
    data = picture("GIF", save_all=True, append_images=[Image.new("RGB", (16, 16), "red")])
    blocks = b"".join(bytes([len(text[at : at + 255])]) + text[at : at + 255].encode() for at in range(0, 999, 255))
    return data[:-1] + b"!\xfe" + blocks.rstrip(b"\0") + b"\0" + data[-1:]


TERM = "trainedAlgorithmicMedia"
OF_XMP = b"http://ns.adobe.com/xap/1.0/\0"

FOUND = {
    "settings under a name that comes again": png(("parameters", SETTINGS), ("parameters", "me")),
    "settings in EXIF's comment as text": exif(text=SETTINGS),
    "settings in EXIF's comment without its code": exif(bare=SETTINGS.encode()),
    "settings in Windows' comment": exif({0x9C9C: SETTINGS.encode("utf-16-le")}),
    "settings in the copyright": exif({0x8298: SETTINGS}),
    "settings in the first of two comments": segments((0xFE, SETTINGS.encode()), (0xFE, b"me")),
    "settings in XMP": picture("JPEG", xmp=packet(f"<dc:description>{SETTINGS}</dc:description>")),
    "settings as JSON in XMP": picture("JPEG", xmp=packet("<e:UserComment>{&quot;sampler&quot;:1}</e:UserComment>")),
    "a graph in EXIF's comment as text": exif(text=TEXT),
    "the term in a namespace of another case": picture("JPEG", xmp=packet(f"<low:x>{TERM}</low:x>")),
    "the term in a name of another case": picture(
        "JPEG", xmp=packet(f"<i:digitalsourcetype>digsrctype:{TERM.upper()}</i:digitalsourcetype>")
    ),
    "the term after another": picture(
        "JPEG", xmp=packet(f"<i:DigitalSourceType>humanEdits</i:DigitalSourceType><dc:x>{TERM}</dc:x>")
    ),
    "the term in UTF-16": picture("JPEG", xmp=packet(f"<dc:x>{TERM}</dc:x>").decode().encode("utf-16")),
    "the term in a packet before another": segments(
        (0xE1, OF_XMP + packet(f"<dc:x>{TERM}</dc:x>")), (0xE1, OF_XMP + packet(""))
    ),
}


@pytest.mark.parametrize("data", FOUND.values(), ids=FOUND)
def test_marks_are_found_wherever_they_stand(saved, data):
    assert saved(data) is Generative.SOME


ESCAPED = TEXT.replace("class_type", "\\u0063lass_type")
INSIDE = HARMLESS | {"1": {"class_type": "EmptyImage", "inputs": {"x": GRAPH}}}
DOUBTFUL = {
    "a graph under a name that comes again": png(("prompt", TEXT), ("prompt", PLAIN)),
    "a packed graph under a name that comes again": with_chunk(b"zTXt", b"prompt\0\0" + zlib.compress(TEXT.encode()))[
        :-12
    ]
    + with_chunk(b"tEXt", b"prompt\0" + PLAIN.encode())[33:],
    "a packed international text that comes again": with_chunk(
        b"iTXt", b"a\0\1\0\0\0" + zlib.compress(str(GRAPH).encode())
    )[:-12]
    + with_chunk(b"tEXt", b"a\0me")[33:],
    "a graph beside nodes": png(("prompt", json.dumps(HARMLESS | {"prompt": GRAPH}))),
    "a graph in an input": png(("prompt", json.dumps(INSIDE))),
    "a text with a graph in an input": png(("prompt", json.dumps(INSIDE).replace(TEXT, json.dumps(TEXT)))),
    "a key that comes again": png(("prompt", f'{{"prompt": {TEXT}, "prompt": {PLAIN}}}')),
    "escapes and no end": png(("prompt", ESCAPED[:-1])),
    "a name in escapes": png(("prompt", PLAIN), ("a", ESCAPED.replace("KSampler", "\\u004bSampler")[:-1])),
    "behind the end": picture("PNG") + TEXT.encode(),
    "a chunk of a program's own": with_chunk(b"prMp", TEXT.encode()),
    "UTF-16": with_chunk(b"tEXt", b"prompt\0" + TEXT.encode("utf-16-le")),
    "Windows' comment": exif({0x9C9C: TEXT.encode("utf-16-le")}),
    "the artist": exif({0x013B: TEXT}),
    "XMP": picture("WEBP", xmp=packet(f"<e:UserComment>{escape(TEXT, {chr(34): '&quot;'})}</e:UserComment>")),
    "a later frame's comment": comment_of_gif(TEXT),
    "a node that writes under another name": png(
        (
            "prompt",
            json.dumps(HARMLESS | {"3": GRAPH["3"], "9": {"class_type": "Exporter", "inputs": {"images": ["3", 0]}}}),
        )
    ),
    "a canvas in the artist": exif({0x013B: json.dumps({"nodes": [{"id": 1, "type": "KSampler"}]})}),
}


@pytest.mark.parametrize("data", DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_graph_that_is_not_read_leaves_a_doubt(saved, data):
    assert saved(data) is Generative.UNKNOWN


def test_a_forged_record_beside_a_graph_that_also_shows_a_photo_is_not_believed(saved):
    shown = GRAPH | {
        "5": {"class_type": "LoadImage", "inputs": {"image": "x"}},
        "6": {"class_type": "PreviewImage", "inputs": {"images": ["5", 0]}},
    }
    chunks = PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", xmp.packet(Record(Generative.NONE)).decode())
    chunks.add_text("prompt", json.dumps(shown))
    assert saved(picture("PNG", pnginfo=chunks)) is Generative.UNKNOWN


def test_what_is_harmless_stays_so(saved):
    odd = {"1": {"class_type": "EmptyImage", "inputs": {}, "_meta": {"title": "KSampler \u56fe"}}}
    for data in (
        png(("prompt", PLAIN), ("workflow", json.dumps({"nodes": [{"type": "KSampler", "mode": 0}]}))),
        png(("prompt", json.dumps(odd)), ("other", json.dumps([json.dumps(HARMLESS)]))),
        exif({0x010E: '"type": "portrait", Steps: up'}),
        picture("JPEG", quality=100) + bytes(range(256)) * 1000,
    ):
        assert saved(data) is Generative.NONE


SLOW = {
    "classes": b'"class_type": "' * 500_000,
    "escapes": b"\\" * 8_000_000,
    "quotes": b'"class_type' + b"\\" * 4_000_000,
    "gaps": b'class_type"' + b" " * 4_000_000,
    "steps": b"Steps: 1 " * 900_000,
    "types": b'"type": "x' * 800_000,
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_megabytes_of_half_a_mark_take_no_time(saved, text):
    began = time.process_time()
    saved(picture("JPEG") + text)
    assert time.process_time() - began < 3


def test_packed_texts_behind_the_end_have_a_budget(saved):
    content = b"a\0\0" + zlib.compress(bytes(1_000_000))
    chunk = len(content).to_bytes(4, "big") + b"zTXt" + content + bytes(4)
    began = time.process_time()
    assert saved(picture("PNG") + chunk * 2000) is Generative.UNKNOWN
    assert time.process_time() - began < 3
