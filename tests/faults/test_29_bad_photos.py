"""Fault 29, broken and unusual photos in the input folder: each gets a verdict or a reason, and the batch goes on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness_studio.runner.batch.job_records import JobRow
from likeness_studio.tests.conftest import ComfyUIServer
from likeness_studio.tests.faults import batches

pytestmark = pytest.mark.models

GOOD = {"good", "cmyk", "exif_rotated", "transparent", "animated", "sixteen_bit"}
UNREADABLE = {"empty", "noise_bytes", "truncated", "web_page", "huge", "telephone"}
NO_SINGLE_FACE = {"no_face", "two_faces"}
HUGE = 20_000


def write_photos(folder: Path, portraits: Path) -> None:
    """One photo for each thing that is wrong or unusual with photos in the field."""
    folder.mkdir()
    source = portraits / "obama.jpg"
    with Image.open(source) as opened:
        face = opened.convert("RGB")
    face.save(folder / "good.jpg", quality=95)
    face.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6
    face.transpose(Image.Transpose.ROTATE_90).save(folder / "exif_rotated.jpg", exif=exif, quality=95)
    Image.fromarray(np.asarray(face.convert("L"), np.uint16) * 257).save(folder / "sixteen_bit.png")
    face.convert("RGBA").save(folder / "transparent.png")
    frames = [face.quantize(256), face.transpose(Image.Transpose.FLIP_LEFT_RIGHT).quantize(256)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    (folder / "empty.jpg").touch()
    noise = np.random.default_rng(29)
    (folder / "noise_bytes.jpg").write_bytes(noise.bytes(50_000))
    (folder / "truncated.jpg").write_bytes(source.read_bytes()[: source.stat().st_size // 3])
    (folder / "web_page.jpg").write_text("<html><body>404 not found</body></html>", "utf-8")
    Image.new("1", (HUGE, HUGE)).save(folder / "huge.png")
    Image.fromarray(noise.integers(0, 256, (400, 400, 3), dtype=np.uint8)).save(folder / "no_face.png")
    with Image.open(portraits / "biden.jpg") as opened:
        other = opened.convert("RGB").resize(face.size)
    both = Image.new("RGB", (face.width * 2, face.height))
    both.paste(face, (0, 0))
    both.paste(other, (face.width, 0))
    both.save(folder / "two_faces.jpg", quality=95)
    (folder / "telephone.heic").write_bytes(noise.bytes(1000))
    (folder / "lost.jpg").symlink_to(folder / "nowhere.jpg")


def check(rows: dict[str, JobRow], output: Path) -> None:
    """Every photo has its picture and verdict, or its reason."""
    assert set(rows) == GOOD | UNREADABLE | NO_SINGLE_FACE | {"lost"}
    for name, row in rows.items():
        if row.state == "done":
            assert row.verdict in {"passed", "not_confirmed"}, name
            assert batches.pictures(output, row), name
        else:
            assert row.state == "failed", name
            assert row.verdict == "refused", f"{name}: {row.error}"
            assert row.error
            assert "\n" not in row.error
    assert {name for name in GOOD if rows[name].verdict == "passed"} == GOOD
    assert all(rows[name].verdict == "refused" for name in UNREADABLE | NO_SINGLE_FACE | {"lost"})
    codes = {name: rows[name].error_code for name in UNREADABLE | {"lost"}}
    special = {"huge": "photo_too_large", "lost": "photo_missing"}
    assert codes == dict.fromkeys(codes, "photo_unreadable") | special


def test_fault_29_bad_photos_each_get_a_verdict_here(portraits: Path, tmp_path: Path):
    write_photos(tmp_path / "in", portraits)
    output = tmp_path / "out"
    outcome = batches.run(batches.command("studio_headshot", tmp_path / "in", output, "--json"), 300)
    assert "Traceback" not in outcome.stderr
    assert outcome.returncode == 1, outcome.stderr
    rows = batches.rows(output)
    check(rows, output)
    result = json.loads(outcome.stdout.splitlines()[-1])
    assert result["event"] == "result"
    assert result["counts"]["total"] == len(rows)
    with Path(result["csv"]).open(newline="", encoding="utf-8-sig") as file:
        assert {line["name"] for line in csv.DictReader(file)} == set(rows)
    assert Path(result["sheet"]).stat().st_size > 1000


@pytest.mark.comfyui
def test_fault_29_bad_photos_each_get_a_verdict_on_a_server(
    comfyui_server: ComfyUIServer, portraits: Path, tmp_path: Path
):
    write_photos(tmp_path / "in", portraits)
    output = tmp_path / "out"
    words = batches.command("studio_headshot", tmp_path / "in", output, "--server", comfyui_server.url)
    outcome = batches.run(words, 300)
    assert "Traceback" not in outcome.stderr
    assert outcome.returncode == 1, outcome.stderr
    check(batches.rows(output), output)
