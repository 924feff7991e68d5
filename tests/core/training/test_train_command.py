"""`likeness train tiny-vae`: files, figures, wrong usage, Ctrl-C and going on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio.core.training import tiny_vae
from likeness_studio.runner.cli import main

pytest.importorskip("diffusers", reason="install the generation extra to train the tiny autoencoder")

LIKENESS = [sys.executable, "-c", "from likeness_studio.runner.cli import main; main(prog_name='likeness')"]
SMALL = ["--size", "64", "--crop", "32", "--batch", "2"]


def call(*words):
    return CliRunner().invoke(main, ["train", "tiny-vae", *map(str, words)])


def test_it_writes_the_network_its_figures_and_a_picture(photo_folder, tmp_path):
    output = tmp_path / "vae.safetensors"
    outcome = call("--data", photo_folder, "-o", output, "--steps", 4, *SMALL)
    assert outcome.exit_code == 0, outcome.output
    assert "held-out PSNR" in outcome.output
    figures = json.loads((tmp_path / "vae.json").read_text("utf-8"))
    assert figures["finished"] is True
    assert figures["measured"]["step"] == 4
    assert figures["measured"]["psnr"] > 0
    assert f"{figures['measured']['psnr']:.2f} dB" in outcome.output
    assert figures["photos"] == 3
    assert figures["held_out"] == 1
    tiny_vae.load(output)
    with Image.open(tmp_path / "vae.jpg") as picture:
        assert picture.height == 384


def test_programs_get_json(photo_folder, tmp_path):
    outcome = call("--data", photo_folder, "-o", tmp_path / "vae.safetensors", "--steps", 10, *SMALL, "--json")
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert {event["event"] for event in events} == {"progress", "measured", "result"}
    assert events[-1]["event"] == "result"
    assert events[-1]["file"].endswith("vae.safetensors")


def test_minutes_end_it_too(photo_folder, tmp_path):
    outcome = call("--data", photo_folder, "-o", tmp_path / "vae.safetensors", "--minutes", 0.02, *SMALL)
    assert outcome.exit_code == 0, outcome.output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-o", "vae.ckpt"], "must end in .safetensors"),
        (["-o", "vae.safetensors", "--steps", "3", "--minutes", "1"], "not both"),
        (["-o", "vae.safetensors", "--crop", "33"], "multiple of 8"),
    ],
)
def test_wrong_usage_is_told(words, text, photo_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = call("--data", photo_folder, *words)
    assert outcome.exit_code == 2
    assert text in outcome.output


def test_a_file_that_is_there_is_not_trained_over(photo_folder, tmp_path):
    (tmp_path / "vae.safetensors").write_bytes(b"precious")
    outcome = call("--data", photo_folder, "-o", tmp_path / "vae.safetensors", "--steps", 3, *SMALL)
    assert outcome.exit_code == 2
    assert "--resume" in outcome.output
    assert (tmp_path / "vae.safetensors").read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["vae.jpg", "vae.json", "vae.state.safetensors"])
def test_nothing_beside_it_is_written_over(name, photo_folder, tmp_path):
    """A training called after a photo must not take the photo's place."""
    (tmp_path / name).write_bytes(b"precious")
    outcome = call("--data", photo_folder, "-o", tmp_path / "vae.safetensors", "--steps", 3, *SMALL)
    assert outcome.exit_code == 2
    assert f"{name} exists" in outcome.output.replace("\n", "")
    assert (tmp_path / name).read_bytes() == b"precious"


def test_a_folder_that_cannot_be_written_is_told_before_the_training(photo_folder, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    outcome = call("--data", photo_folder, "-o", tmp_path / "file" / "vae.safetensors", "--steps", 10_000, *SMALL)
    assert outcome.exit_code == 1
    assert "output_unwritable" in outcome.output
    assert "Reading photos" not in outcome.output


def test_a_disk_that_fills_up_on_the_way_is_told(photo_folder, tmp_path, monkeypatch):
    def full(*values):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiny_vae, "save_file", full)
    outcome = call("--data", photo_folder, "-o", tmp_path / "vae.safetensors", "--steps", 1, *SMALL)
    assert outcome.exit_code == 1
    assert "output_unwritable" in outcome.output
    assert "No space left" in outcome.output


def test_going_on_without_a_beginning_is_an_error(photo_folder, tmp_path):
    outcome = call("--data", photo_folder, "-o", tmp_path / "vae.safetensors", "--steps", 3, "--resume")
    assert outcome.exit_code == 1
    assert "training_state_invalid" in outcome.output


def test_no_photos_is_an_error(tmp_path):
    outcome = call("--data", tmp_path, "-o", tmp_path / "vae.safetensors", "--steps", 3)
    assert outcome.exit_code == 1
    assert "training_data_too_small" in outcome.output


def test_ctrl_c_keeps_what_there_is_and_resume_goes_on(photo_folder, tmp_path):
    output = tmp_path / "vae.safetensors"
    words = ["train", "tiny-vae", "--data", str(photo_folder), "-o", str(output), "--steps", "400", *SMALL]
    process = subprocess.Popen([*LIKENESS, *words, "--json"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "progress":
            break
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert time.monotonic() - begun < 20
    error = json.loads(rest.splitlines()[-1])
    assert error["code"] == "interrupted"
    assert "--resume" in error["message"]
    tiny_vae.load(output)
    outcome = CliRunner().invoke(main, [*words, "--resume", "--json"])
    assert outcome.exit_code == 0, outcome.output
    result = json.loads(outcome.stdout.splitlines()[-1])
    assert result["measured"]["step"] == 400
