"""`likeness models` as a user and a program see it."""

import pytest
from click.testing import CliRunner
from likeness_studio.nodes.errors import ModelCorrupt, ModelUnknown
from likeness_studio.runner.cli.models import models


class Recorder:
    """Stands for the shared output object."""

    def __init__(self):
        self.data = {}
        self.lines = []
        self.rows = []

    def result(self, data):
        self.data = data

    def line(self, text):
        self.lines.append(text)

    def table(self, columns, rows):
        assert all(len(row) == len(columns) for row in rows)
        self.rows = rows


@pytest.fixture
def likeness():
    def call(*words):
        out = Recorder()
        CliRunner().invoke(models, words, obj=out, catch_exceptions=False)
        return out

    return call


def test_list_tells_licence_commercial_use_and_place(likeness, folder):
    out = likeness("list")
    by_name = {row["name"]: row for row in out.data["models"]}
    assert by_name["u2net"]["licence"] == "Apache-2.0"
    assert by_name["w600k_mbf"]["commercial"] == "no"
    assert by_name["u2net"]["path"] is None
    assert len(out.rows) == len(by_name)
    assert "176.0 MB" in next(row for row in out.rows if row[0] == "u2net")


def test_get_fetches_and_says_where(likeness, site, page, publish, folder):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    out = likeness("get", "net")
    assert out.lines == [f"net: {folder / 'net.onnx'}"]
    assert out.data["models"][0]["path"] == str(folder / "net.onnx")


def test_get_quiet_says_nothing(likeness, site, page, publish, capfd):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    assert likeness("get", "--quiet", "net").lines == []
    assert capfd.readouterr() == ("", "")


def test_get_of_an_unknown_name(likeness):
    with pytest.raises(ModelUnknown, match="nonesuch"):
        likeness("get", "nonesuch")


def test_verify_finds_a_flipped_byte(likeness, site, page, publish, folder):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    likeness("get", "net")
    assert likeness("verify").data["models"][0]["state"] == "ok"
    data = bytearray((folder / "net.onnx").read_bytes())
    data[77] ^= 1
    (folder / "net.onnx").write_bytes(data)
    with pytest.raises(ModelCorrupt, match="likeness models get net"):
        likeness("verify", "net")


def test_verify_of_what_is_not_there_is_no_error(likeness, publish):
    publish("net", "http://127.0.0.1:1/a")
    assert likeness("verify").data["models"] == [{"name": "net", "state": "missing", "path": None, "sha256": ""}]
