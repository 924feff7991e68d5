"""`likeness verify`: what it says of files of all kinds, and its exit codes."""

import io
import json
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import cast

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio.core.errors import PhotoTooLarge
from likeness_studio.core.imaging import Form, encode_picture, to_pil
from likeness_studio.core.provenance import Generative, Record, Signing, State, check_file, credentials, sign, xmp
from likeness_studio.core.provenance import source_types as iptc
from likeness_studio.runner.cli import main

RECORD = Record(
    generative=Generative.NONE,
    source_type=iptc.COMPOSITE,
    steps=("LoadImage: reads", "LikenessMakeIDPhoto: combines"),
    models=(("yunet", "MIT"),),
    workflow_hash="ab" * 32,
    document="us-passport",
    edits=(),
    creator="Ada",
    tool="Likeness Studio 0.1.0",
)


@pytest.fixture
def signed(demo, certificates, tmp_path):
    signing = Signing.from_files(certificates.chain, certificates.key)
    plain = encode_picture(demo, "jpeg", dpi=300, xmp=xmp.packet(RECORD)).data
    path = tmp_path / "signed.jpg"
    path.write_bytes(sign(plain, "jpeg", signing, tool=("Likeness Studio", "0.1.0"), source_type=RECORD.source_type))
    return path


def verify(*words, code=0):
    outcome = CliRunner().invoke(main, ["verify", *map(str, words)])
    assert outcome.exit_code == code, outcome.output
    return outcome.output


def told(*words, code=0):
    return json.loads(verify(*words, "--json", code=code).splitlines()[-1])


def test_a_signed_file(signed, certificates):
    said = verify(signed)
    for words in (
        "intact: nothing was changed",
        "Test signer, Likeness Studio tests (not trusted",
        "none: No generative step was used",
        "composite (IPTC)",
        "us-passport",
        "none beyond cutting, turning and resizing",
        "yunet (MIT)",
        "Ada",
    ):
        assert words in said
    assert "anybody may have written it" not in said
    assert "(trusted)" in verify(signed, "--trust", certificates.authority)


def test_json_has_it_all(signed):
    result = told(signed)
    (entry,) = result["files"]
    assert (result["event"], result["altered"], result["unreadable"]) == ("result", 0, 0)
    assert entry["xmp"]["record"] == json.loads(json.dumps(RECORD.as_dict()))
    assert entry["credentials"]["state"] == "intact"
    assert entry["credentials"]["trusted"] is False


@pytest.mark.parametrize("place", ["pixels", "xmp", "manifest"])
def test_an_altered_byte_is_found_out(signed, place):
    data = bytearray(signed.read_bytes())
    at = {"pixels": len(data) - 2000, "xmp": data.find(b"No generative"), "manifest": data.find(b"c2pa.created")}[place]
    data[at] ^= 0x02
    signed.write_bytes(data)
    assert "ALTERED" in verify(signed, code=3)
    assert told(signed, code=3)["altered"] == 1


def test_a_copy_that_was_saved_again_has_no_credentials_and_that_is_no_error(signed, tmp_path):
    copy = tmp_path / "copy.jpg"
    Image.open(signed).convert("RGB").save(copy, quality=90)
    said = verify(copy)
    assert "no credentials" in said
    kept = tmp_path / "kept.jpg"
    with Image.open(signed) as image:
        image.save(kept, xmp=image.info["xmp"])
    said = verify(kept)
    assert "no credentials" in said
    assert "anybody may have written it" in said


def test_of_a_plain_picture_nothing_is_known(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "plain.png")
    said = verify(tmp_path / "plain.png")
    assert "Nothing is known" in said
    assert told(tmp_path / "plain.png")["files"][0]["known"] is False


def test_traces_of_a_generator_are_told(tmp_path, demo):
    path = tmp_path / "made.png"
    settings = "a portrait\nSteps: 20, Sampler: Euler a, CFG scale: 7"
    path.write_bytes(encode_picture(demo, "png", text={"parameters": settings}).data)
    said = verify(path)
    assert "traces       it carries the settings of a sampler" in said
    assert "Nothing is known" not in said
    assert told(path)["files"][0]["traces"] == "it carries the settings of a sampler"
    path.write_bytes(encode_picture(demo, "png", xmp=xmp.packet(Record(Generative.SOME, iptc.GENERATED))).data)
    assert "traces  " not in verify(path), "the claim says it"


@pytest.mark.parametrize(("form", "mime"), [("avif", "image/avif"), ("tiff", "image/tiff"), ("gif", "image/gif")])
def test_credentials_in_other_formats(tmp_path, demo, certificates, monkeypatch, form, mime):
    monkeypatch.setitem(credentials.MIME, form, mime)
    plain, path = io.BytesIO(), tmp_path / f"a.{form}"
    to_pil(demo).resize((64, 64)).save(plain, form)
    path.write_bytes(plain.getvalue())
    assert check_file(path).credentials.state is State.NONE
    signing = Signing.from_files(certificates.chain, certificates.key)
    data = sign(plain.getvalue(), cast("Form", form), signing, tool=("x", "1"), source_type=iptc.GENERATED)
    path.write_bytes(data)
    found = check_file(path)
    assert (found.credentials.state, found.credentials.source_types) == (State.INTACT, (iptc.GENERATED,))
    assert found.origin.generative is not Generative.NONE
    at = data.index(b"c2pa.created")
    path.write_bytes(data[:at] + b"C" + data[at + 1 :])
    assert check_file(path).credentials.state is State.ALTERED


def test_several_files_at_once(signed, tmp_path):
    (tmp_path / "notes.jpg").write_text("no picture")
    result = told(signed, tmp_path / "notes.jpg", tmp_path / "missing.jpg", code=1)
    assert result["unreadable"] == 2
    assert [entry.get("error", {}).get("code") for entry in result["files"]] == [
        None,
        "photo_unreadable",
        "photo_missing",
    ]


def huge(path):
    """A PNG's head that promises 60000 x 60000 pixels."""
    Image.new("L", (1, 1)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)


def test_files_of_strangers_end_in_words(tmp_path, demo):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "short.jpg").write_bytes(encode_picture(demo, "jpeg").data[:9000])
    huge(tmp_path / "huge.png")
    codes = {
        "empty": "photo_unreadable",
        "text": "photo_unreadable",
        "folder": "photo_missing",
        "short": "photo_unreadable",
    }
    for name, code in (codes | {"huge": "photo_too_large"}).items():
        (path,) = tmp_path.glob(f"{name}.*")
        outcome = CliRunner().invoke(main, ["verify", str(path)])
        assert outcome.exit_code == 1
        assert code in outcome.output
        assert "Traceback" not in outcome.output


def test_dangerous_xmp_is_named_and_the_rest_is_told(tmp_path, demo):
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    path = tmp_path / "bomb.png"
    path.write_bytes(encode_picture(demo, "png", xmp=bomb).data)
    assert "document type" in verify(path)
    assert told(path)["files"][0]["known"] is True


def test_names_and_claims_do_not_steer_the_terminal(tmp_path, demo):
    path = tmp_path / "photo.jpg"
    evil = Record(generative=Generative.NONE, creator="\u202eadA\u2028\u0085[2J", tool="\u009b31mred")
    path.write_bytes(encode_picture(demo, "jpeg", xmp=xmp.packet(evil)).data)
    said = verify(path)
    assert all(char.isprintable() or char == "\n" for char in said)


def test_without_the_library_the_claims_are_still_read(signed, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    said = verify(signed)
    assert "pip install c2pa-python" in said
    assert "No generative step was used" in said
    assert check_file(signed).credentials.state is State.NOT_CHECKED


def test_a_list_of_authorities_that_is_none_is_wrong_usage(signed, tmp_path):
    assert "cannot be read" in verify(signed, "--trust", tmp_path / "missing.pem", code=2)
    assert "not PEM" in verify(signed, "--trust", signed, code=2)


@pytest.fixture
def asked():
    """A web server of this machine: its port, and what it was asked for."""
    paths = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, format, *args):  # noqa: A002 - the base class's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, paths
    server.shutdown()
    server.server_close()


def test_manifests_that_are_kept_elsewhere_are_not_fetched(tmp_path, demo, asked):
    port, paths = asked
    remote = (
        f'<x:xmpmeta xmlns:x="{xmp.X}"><rdf:RDF xmlns:rdf="{xmp.RDF}"><rdf:Description rdf:about="" '
        f'xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="http://127.0.0.1:{port}/manifest.c2pa"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    path = tmp_path / "remote.jpg"
    path.write_bytes(encode_picture(demo, "jpeg", xmp=remote.encode()).data)
    assert check_file(path).credentials.state is State.ELSEWHERE
    assert "kept on a server" in verify(path)
    assert paths == []


def test_a_file_that_is_too_long_is_refused(tmp_path, demo, monkeypatch):
    monkeypatch.setattr("likeness_studio.core.provenance.verify_file.MAX_FILE_BYTES", 1000)
    path = tmp_path / "long.jpg"
    path.write_bytes(encode_picture(demo, "jpeg").data)
    with pytest.raises(PhotoTooLarge, match="1000"):
        check_file(path)
