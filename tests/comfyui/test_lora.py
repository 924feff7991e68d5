"""LoRAs on a real ComfyUI: every format changes exactly what it stands for, and as ComfyUI's own loader does."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.comfyui
HERE = Path(__file__).parent
ROOT = HERE.parents[1]

_spec = importlib.util.spec_from_file_location("lora_formats", HERE.parent / "lora" / "formats.py")
assert _spec is not None
assert _spec.loader is not None
formats = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(formats)

TOLERANCE = 2e-6
"""Of weights of this size in float32, beside changes computed in float64."""

WITH_TEXT = ("kohya", "peft")
"""Formats that are tried on a text encoder too."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("set COMFYUI_PATH (and COMFYUI_PYTHON) to test against a real ComfyUI")
    base = tmp_path_factory.mktemp("loras")
    (base / "likeness_studio").symlink_to(ROOT)
    (base / "models" / "loras").mkdir(parents=True)
    return base


@pytest.fixture(scope="module")
def on_comfy(folder):
    def run(cases):
        request = folder / "request.json"
        request.write_text(json.dumps({"cases": cases}))
        environment = {name: value for name, value in os.environ.items() if name != "LIKENESS_MODELS"}
        result = subprocess.run(
            [
                os.environ.get("COMFYUI_PYTHON", sys.executable),
                HERE / "lora_on_comfy.py",
                os.environ["COMFYUI_PATH"],
                folder,
                request,
            ],
            capture_output=True,
            text=True,
            env=environment | {"OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return json.loads(result.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="module")
def applied(folder, on_comfy):
    """Every format once, at strength 0.75."""
    made, cases = {}, []
    for kind in formats.every_format():
        name = f"{kind.replace(' ', '_').replace(',', '')}.safetensors"
        made[kind] = formats.make(kind, text=kind in WITH_TEXT)
        made[kind].save(folder / "models" / "loras" / name)
        saved = str(folder / f"{name}.changed.pt")
        cases.append({"rows": [[name, 0.75, -0.5]], "save": saved, "clip": kind in WITH_TEXT})
    answers = on_comfy(cases)
    return {
        kind: (made[kind], answer, torch.load(case["save"], weights_only=True))
        for (kind, answer, case) in zip(made, answers, cases, strict=True)
    }


@pytest.mark.parametrize("kind", formats.every_format())
def test_a_lora_changes_the_weights_by_exactly_its_change(kind, applied):
    made, answer, changed = applied[kind]
    assert answer["changed"] == sorted(made.deltas)
    for name, delta in made.deltas.items():
        strength = -0.5 if name.startswith("clip") else 0.75
        expected = (strength * delta).reshape(changed[name].shape).float()
        assert torch.allclose(changed[name], expected, rtol=1e-5, atol=TOLERANCE), name
        assert expected.abs().max() > 100 * TOLERANCE, "the change is large enough to be seen"


@pytest.mark.parametrize("kind", formats.every_format())
def test_it_is_what_comfyui_itself_does_bit_for_bit(kind, applied):
    answer = applied[kind][1]
    assert answer["as_core"] is True
    assert answer["untouched"] is True
    matched, of, matched_text, of_text = answer["outcomes"][0]
    assert matched == of > 0
    assert matched_text == of_text == (1 if kind in WITH_TEXT else 0)


def test_rows_add_up_in_order_and_strength_0_is_the_identity(folder, on_comfy, applied):
    loras = folder / "models" / "loras"
    one, two = formats.make("kohya", seed=1), formats.make("lokr", seed=2)
    one.save(loras / "one.safetensors")
    two.save(loras / "two.safetensors")
    saved = folder / "sum.pt"
    zero, both, none = on_comfy(
        [
            {"rows": [["one.safetensors", 0, 0]]},
            {"rows": [["one.safetensors", 1, 1], ["two.safetensors", -0.5, 1]], "save": str(saved)},
            {"rows": []},
        ]
    )
    assert zero["changed"] == none["changed"] == []
    assert none["identity"] is True
    assert both["as_core"] is True
    found = torch.load(saved, weights_only=True)
    for name in one.deltas:
        expected = (one.deltas[name] - 0.5 * two.deltas[name]).float()
        assert torch.allclose(found[name], expected, rtol=1e-5, atol=TOLERANCE)
