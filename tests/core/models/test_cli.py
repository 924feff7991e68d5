"""`likeness models` as a user and a program see it."""

import json

import pytest
from click.testing import CliRunner

from likeness_studio.runner.cli import main


@pytest.fixture
def likeness():
    """``likeness(*words)`` runs ``likeness models``."""

    def call(*words):
        return CliRunner().invoke(main, ["models", *words])

    return call


def data(done):
    """The last JSON object that a command with --json printed."""
    return [json.loads(line) for line in done.stdout.splitlines()][-1]


def flip(file):
    content = bytearray(file.read_bytes())
    content[77] ^= 1
    file.write_bytes(content)


def test_list_tells_licence_commercial_use_and_place(likeness):
    rows = {row["name"]: row for row in data(likeness("list", "--json"))["models"]}
    assert rows["u2net"]["licence"] == "Apache-2.0"
    assert rows["w600k_mbf"]["commercial"] == "no"
    assert rows["u2net"]["path"] is None
    said = likeness("list").stdout.splitlines()
    assert len(said) == 1 + len(rows)
    (line,) = (line for line in said if line.startswith("u2net "))
    assert line.split() == ["u2net", "matte", "176.0", "MB", "Apache-2.0", "yes", "no"]


def test_get_fetches_and_says_where(likeness, site, page, publish, folder):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    done = likeness("get", "net")
    assert (done.exit_code, done.stdout) == (0, f"net: {folder / 'net.onnx'}\n")
    assert data(likeness("get", "net", "--json"))["models"][0]["path"] == str(folder / "net.onnx")


def test_get_quiet_says_nothing(likeness, site, page, publish):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    done = likeness("get", "--quiet", "net")
    assert (done.exit_code, done.output) == (0, "")


def test_get_of_an_unknown_name_is_one_line(likeness):
    done = likeness("get", "nonesuch")
    assert done.exit_code == 1
    assert done.stderr.startswith("error [model_unknown]")
    assert done.stderr.count("\n") == 1


def test_get_that_fails_tells_a_program_the_code(likeness, publish):
    publish("net", "http://127.0.0.1:1/a")
    done = likeness("get", "net", "--json")
    assert done.exit_code == 1
    assert data(done)["code"] == "download_failed"


def test_verify_finds_a_flipped_byte(likeness, site, page, publish, folder):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    likeness("get", "net")
    assert data(likeness("verify", "--json"))["models"][0]["state"] == "ok"
    flip(folder / "net.onnx")
    done = likeness("verify", "net")
    assert done.exit_code == 1
    assert "NOT what the manifest says" in done.stdout
    assert "likeness models get net" in done.stderr
    assert likeness("get", "net").exit_code == 0
    assert likeness("verify").exit_code == 0


def test_verify_of_what_is_not_there_is_no_error(likeness, publish):
    publish("net", "http://127.0.0.1:1/a")
    done = likeness("verify", "--json")
    assert done.exit_code == 0
    assert data(done)["models"] == [{"name": "net", "state": "missing", "path": None, "sha256": ""}]
