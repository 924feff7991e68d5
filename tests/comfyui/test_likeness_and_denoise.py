"""Likeness falls with denoise: a real sampler and a real autoencoder, judged; and tries until one passes.

The network that denoises has random weights, so that the sampler paints over the picture as much as `denoise` lets it:
what is tested is the gate and the retries, not the beauty of a picture.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio.core.imaging import from_pil
from likeness_studio.core.training import middle_square, psnr
from likeness_studio.core.training import tiny_vae as engine
from likeness_studio.runner.cli import main

pytestmark = [pytest.mark.comfyui, pytest.mark.models]
DEMO = Path(__file__).parents[2] / "runner" / "demo.jpg"
SIDE = 256
DENOISE = (0.05, 0.1, 0.2, 0.9)
LEAST_PSNR = 20.0
"""What the demo photo, which is never trained on, keeps at least through the tiny autoencoder, in dB."""


def node(class_type, title="", **inputs):
    links = {key: list(value) if isinstance(value, tuple) else value for key, value in inputs.items()}
    return {"class_type": class_type, "inputs": links, "_meta": {"title": title or class_type}}


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """img2img of a photo, and a verdict on the result."""
    nodes = {
        "1": node("LoadImage", "Photo", image="demo.jpg"),
        "2": node(
            "LikenessFrameHeadshot",
            image=("1", 0),
            crop="tight portrait",
            width=256,
            height=320,
            straighten=True,
            outside="stay inside",
            several_faces="refuse",
        ),
        "3": node("CheckpointLoaderSimple", ckpt_name="v1-5-pruned-emaonly-fp16.safetensors"),
        "4": node("VAELoader", vae_name="tiny_vae.safetensors"),
        "5": node("CLIPTextEncode", text="a photo", clip=("3", 1)),
        "6": node("VAEEncode", pixels=("2", 0), vae=("4", 0)),
        "7": node(
            "KSampler",
            "Sampler",
            model=("3", 0),
            positive=("5", 0),
            negative=("5", 0),
            latent_image=("6", 0),
            seed=1,
            steps=2,
            cfg=1.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=0.05,
        ),
        "8": node("VAEDecode", samples=("7", 0), vae=("4", 0)),
        "9": node(
            "LikenessEnrollIdentity", photos=("1", 0), several_faces="refuse", min_face=48, on_refused="stop", name=""
        ),
        "10": node(
            "LikenessCheckLikeness",
            "Check",
            images=("8", 0),
            identity=("9", 0),
            strictness="strict (1 in 10,000)",
            custom_threshold=0.4,
            several_faces="refuse",
            min_face=48,
        ),
        "11": node("SaveImage", images=("8", 0), filename_prefix="img2img"),
    }
    file = tmp_path_factory.mktemp("graph") / "img2img.json"
    file.write_text(json.dumps(nodes), "utf-8")
    return file


def run(graph, server, output, *settings):
    words = ["run", str(graph), "--server", server.url, "-o", str(output), "-i", str(DEMO), "--json"]
    outcome = CliRunner().invoke(main, [*words, *(word for each in settings for word in ("--set", each))])
    assert outcome.exit_code in {0, 3}, outcome.output
    result = json.loads(outcome.stdout.strip().splitlines()[-1])
    return outcome.exit_code, result["likeness"][0]["images"][0]


def test_likeness_falls_with_denoise(graph, generation_server, tmp_path):
    judged = [run(graph, generation_server, tmp_path / str(value), f"Sampler.denoise={value}") for value in DENOISE]
    found = [image["cosine"] for _, image in judged]
    assert judged[0][0] == 0, "the verdict's exit code is that of a pass"
    assert judged[0][1]["passed"]
    assert judged[-1][0] == 3
    assert not judged[-1][1]["passed"]
    scores = [-1.0 if score is None else score for score in found]
    assert scores == sorted(scores, reverse=True), found
    assert scores[0] > 0.5


def batch(graph, server, output, *words):
    photos = output.parent / "photos"
    photos.mkdir(exist_ok=True)
    shutil.copy(DEMO, photos / "demo.jpg")
    command = ["batch", str(graph), "-i", str(photos), "-o", str(output), "-s", server.url, "--until-pass", *words]
    outcome = CliRunner().invoke(main, [*command, "--json"])
    return outcome, json.loads(outcome.stdout.strip().splitlines()[-1])


def test_a_batch_tries_until_it_gives_up_and_keeps_the_best(graph, generation_server, tmp_path):
    words = ["--attempts", "3", "--set", "Sampler.denoise=0.9"]
    outcome, result = batch(graph, generation_server, tmp_path / "out", *words)
    assert outcome.exit_code == 3, outcome.output
    assert result["counts"]["not_confirmed"] == 1
    pictures = list((tmp_path / "out").rglob("img2img*.png"))
    assert len(pictures) == 1, "of three tries the best one is kept"


def test_a_batch_ends_at_the_first_try_that_passes(graph, generation_server, tmp_path):
    words = ["--attempts", "3", "--set", "Sampler.denoise=0.05"]
    outcome, result = batch(graph, generation_server, tmp_path / "out", *words)
    assert outcome.exit_code == 0, outcome.output
    assert result["counts"]["done"] == 1
    assert result["jobs_run"] == 1


def test_comfyuis_load_vae_gives_the_pictures_that_our_process_gives(generation_server, tiny_vae, tmp_path):
    with Image.open(DEMO) as photo:
        picture = middle_square(from_pil(photo).permute(0, 3, 1, 2), SIDE)
    square = Image.fromarray((picture[0].permute(1, 2, 0) * 255).round().byte().numpy())
    square.save(generation_server.input / "square.png")
    given = from_pil(square).permute(0, 3, 1, 2)
    nodes = {
        "1": node("LoadImage", image="square.png"),
        "2": node("VAELoader", vae_name="tiny_vae.safetensors"),
        "3": node("VAEEncode", pixels=("1", 0), vae=("2", 0)),
        "4": node("VAEDecode", samples=("3", 0), vae=("2", 0)),
        "5": node("SaveImage", images=("4", 0), filename_prefix="through"),
    }
    (tmp_path / "vae.json").write_text(json.dumps(nodes), "utf-8")
    words = ["run", str(tmp_path / "vae.json"), "--server", generation_server.url, "-o", str(tmp_path / "out")]
    outcome = CliRunner().invoke(main, words)
    assert outcome.exit_code == 0, outcome.output
    with Image.open(next((tmp_path / "out").glob("through*.png"))) as saved:
        theirs = from_pil(saved).permute(0, 3, 1, 2)
    ours = engine.reconstruct(engine.load(tiny_vae), given)
    assert psnr(ours, theirs) > 40.0, "the same picture up to rounding to 8 bits"
    assert abs(psnr(given, ours) - psnr(given, theirs)) < 0.1
    assert psnr(given, theirs) > LEAST_PSNR
