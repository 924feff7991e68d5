"""`likeness id --sign`: the ID photo's credentials, and what happens where signing is not set up."""

import json

import pytest
from click.testing import CliRunner

from likeness_studio.core.provenance import State, check_file
from likeness_studio.runner.cli import main

pytestmark = pytest.mark.models


def call(*words):
    return CliRunner().invoke(main, ["id", *map(str, words), "--matte", "u2netp", "--no-check", "--sign"])


def test_a_signed_id_photo_keeps_its_statement_and_its_limit(astronaut, tmp_path, signing_environment):
    path = tmp_path / "me.jpg"
    outcome = call(astronaut, "-d", "us-visa", "--size", "upload", "-o", path)
    assert outcome.exit_code == 0, outcome.output
    found = check_file(path, signing_environment.authority.read_bytes())
    assert (found.credentials.state, found.credentials.trusted) == (State.INTACT, True)
    assert found.credentials.actions == ("c2pa.opened", "c2pa.orientation", "c2pa.cropped", "c2pa.resized")
    assert found.claims is not None
    assert found.claims.record is not None
    assert (found.claims.record.generative.value, found.claims.record.document) == ("none", "us-visa")
    assert path.stat().st_size <= 240_000


def test_without_a_certificate_nothing_is_made(astronaut, tmp_path, monkeypatch):
    monkeypatch.delenv("LIKENESS_C2PA_CERT", raising=False)
    outcome = call(astronaut, "-d", "icao", "-o", tmp_path, "--json")
    assert outcome.exit_code == 1
    assert json.loads(outcome.stdout.splitlines()[-1])["code"] == "credentials_not_set_up"
    assert list(tmp_path.iterdir()) == []
