"""XMP packets: what we write is read back, what others write is understood, what is dangerous is refused."""

import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from likeness_studio.core.errors.formats import MetadataUnreadable
from likeness_studio.core.imaging import encode_picture
from likeness_studio.core.provenance import Generative, Record, packet_of, xmp
from likeness_studio.core.provenance import source_types as iptc

RECORD = Record(
    generative=Generative.SOME,
    source_type=iptc.EDITED_BY_GENERATION,
    steps=("LoadImage: reads", "KSampler: generates"),
    reasons=("KSampler (node 3) generates pixels",),
    models=(("u2net", "Apache-2.0"), ("sd15.safetensors", "its publisher's: not known here")),
    workflow_hash="ab" * 32,
    document="us-passport",
    edits=("The background was replaced by plain #FFFFFF.",),
    creator="Zoë <& Co>",
    tool="Likeness Studio 0.1.0",
)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_a_record_comes_back_from_a_file(demo, form):
    data = encode_picture(demo, form, xmp=xmp.packet(RECORD)).data
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        claims = xmp.read(packet_of(image))
    assert claims.record == RECORD
    assert (claims.source_type, claims.creator) == (RECORD.source_type, RECORD.creator)


@pytest.mark.parametrize("record", [Record(), Record(edits=()), Record(generative=Generative.NONE, tool="x")])
def test_what_is_not_known_stays_unknown(record):
    assert xmp.read(xmp.packet(record)).record == record
    assert b"DigitalSourceType" not in xmp.packet(record)


def test_the_same_record_gives_the_same_bytes():
    assert xmp.packet(RECORD) == xmp.packet(RECORD)


@given(st.text(max_size=60).map(str.strip))
def test_any_text_survives_or_is_cleaned(text):
    back = xmp.read(xmp.packet(Record(creator=text, steps=("a", "b")))).record
    assert back is not None
    assert back.steps == ("a", "b")
    if text.isprintable():
        assert back.creator == text


def packet_with(body, attributes=""):
    return (
        f'<x:xmpmeta xmlns:x="{xmp.X}"><rdf:RDF xmlns:rdf="{xmp.RDF}"><rdf:Description rdf:about="" '
        f'xmlns:e="{xmp.IPTC_EXT}" xmlns:l="{xmp.OWN}" {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


@pytest.mark.parametrize(
    "packet",
    [
        packet_with("", f'e:DigitalSourceType="{iptc.GENERATED}"'),
        packet_with(f"<e:DigitalSourceType>{iptc.GENERATED}</e:DigitalSourceType>"),
        packet_with(f'<e:DigitalSourceType rdf:resource="{iptc.GENERATED}"/>'),
        packet_with(
            "", 'e:DigitalSourceType="https://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"'
        ),
        packet_with("", 'e:DigitalSourceType="digsrctype:trainedAlgorithmicMedia"'),
        packet_with("", f'e:DigitalSourceType="{iptc.GENERATED}"') + b"\0" * 20,
    ],
)
def test_the_source_type_of_other_programs_is_understood(packet):
    claims = xmp.read(packet)
    assert claims.source_type == iptc.GENERATED
    assert claims.record is None


def test_a_state_that_we_do_not_know_is_no_record():
    assert xmp.read(packet_with("<l:generativeSteps>perhaps</l:generativeSteps>")).record is None


BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY l2 "&lol;&lol;&lol;&lol;">]><x>&l2;</x>"""


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (BOMB, "document type"),
        (BOMB.decode().encode("utf-16"), "not UTF-8"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "document type"),
        (b"<x>" + b"y" * xmp.MAX_BYTES + b"</x>", "limit"),
        (b"<x><y></x>", "damaged"),
        (b"", "damaged"),
        (b"<" * 1000, "damaged"),
    ],
)
def test_a_dangerous_or_broken_packet_is_refused(packet, said):
    with pytest.raises(MetadataUnreadable, match=said):
        xmp.read(packet)


def test_deeply_nested_elements_do_no_harm():
    assert xmp.read(b"<a>" * 50_000 + b"</a>" * 50_000).record is None


def test_arrays_in_arrays_are_read_once():
    """A hundred kilobytes that would be fifteen million items, were each array searched to its depth."""
    inner = (
        "<o:models>" * 3000 + "<r:Bag>" + "<r:li><o:name>x</o:name></r:li>" * 5000 + "</r:Bag>" + "</o:models>" * 3000
    )
    text = f'<r:RDF xmlns:r="{xmp.RDF}" xmlns:o="{xmp.OWN}"><o:generativeSteps>none</o:generativeSteps>{inner}</r:RDF>'
    began = time.monotonic()
    record = xmp.read(text.encode()).record
    assert record is not None
    assert record.models == ()
    assert time.monotonic() - began < 5
