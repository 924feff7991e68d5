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
from safetensors.torch import save_file

from likeness_studio.core.lora import Source, open_path, save
from likeness_studio.core.lora.merge import merge

pytestmark = pytest.mark.comfyui
HERE = Path(__file__).parent
ROOT = HERE.parents[1]

_spec = importlib.util.spec_from_file_location("lora_formats", HERE.parent / "core" / "lora" / "formats.py")
assert _spec is not None
assert _spec.loader is not None
formats = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(formats)

TOLERANCE = 2e-6
"""Of weights of this size in float32, beside changes computed in float64."""

LEFT_OUT = "conv lokr tucker"
"""torch.kron fails in ComfyUI on the core's strides (seen with torch 2.14): it logs that and changes nothing."""

APPLIED = [kind for kind in formats.every_format() if kind != LEFT_OUT]

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


def test_what_comfyui_may_leave_out_is_said_and_a_merge_of_it_is_applied(folder, on_comfy, applied):
    made, answer, _ = applied[LEFT_OUT]
    assert "Tucker core" in "\n".join(answer["warnings"][0])
    loras = folder / "models" / "loras"
    path = made.save(loras / "core.safetensors")
    save(merge([Source(open_path(path, path.name), 0.75, 1)], 0, "float32"), {}, loras / "from_core")
    (found,) = on_comfy([{"rows": [["from_core.safetensors", 1, 1]], "save": str(folder / "from_core.pt")}])
    changed = torch.load(folder / "from_core.pt", weights_only=True)
    assert found["warnings"] == [["its metadata name no trigger words"]]
    for name, delta in made.deltas.items():
        assert torch.allclose(changed[name], (0.75 * delta).float(), rtol=1e-5, atol=TOLERANCE)


@pytest.mark.parametrize("kind", APPLIED)
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


@pytest.fixture(scope="module")
def awkward(folder, on_comfy):
    """LoRAs that do not fit, or fit in part, by name."""
    loras = folder / "models" / "loras"
    base = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    xl = {f"{base}.lora_up.weight": torch.zeros(640, 4), f"{base}.lora_down.weight": torch.zeros(4, 2048)}
    strange = {"somebody.else.lora_up.weight": torch.zeros(8, 4), "somebody.else.lora_down.weight": torch.zeros(4, 8)}
    save_file(xl, loras / "xl.safetensors")
    save_file(strange, loras / "strange.safetensors")
    formats.make("kohya", width=64).save(loras / "wide.safetensors")
    formats.make("kohya", text=True).save(loras / "text.safetensors")
    partial = formats.make("kohya")
    partial.tensors |= strange | {"bundle_emb.sks": torch.zeros(3)}
    partial.save(loras / "partial.safetensors", {"modelspec.trigger_phrase": "sks person"})
    only_text = formats.make("kohya", text=True)
    only_text.tensors = {name: tensor for name, tensor in only_text.tensors.items() if "lora_te" in name}
    only_text.save(loras / "only_text.safetensors")
    broken = formats.make("kohya")
    next(iter(broken.tensors.values()))[0] = float("nan")
    broken.save(loras / "broken.safetensors")
    save_file({"model.diffusion_model.out.0.weight": torch.ones(4)}, loras / "checkpoint.safetensors")
    grown = formats.make("kohya")
    base = next(iter(formats.LINEAR))
    grown.tensors[f"{base}.reshape_weight"] = torch.tensor([2**20, 2**20])
    grown.save(loras / "grown.safetensors")
    names = ["xl", "strange", "wide", "text", "partial", "only_text", "broken", "checkpoint", "grown"]
    answers = on_comfy([{"rows": [[f"{name}.safetensors", 1, 1]] * (1 + (name == "text"))} for name in names])
    return dict(zip(names, answers, strict=True))


def test_a_wrong_base_model_is_refused_by_name(awkward):
    assert awkward["xl"]["code"] == "lora_wrong_base"
    assert awkward["xl"]["message"].startswith("xl.safetensors is a LoRA for SDXL")
    assert "the model is SD 1.5" in awkward["xl"]["message"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("strange", "0 of 1 keys of strange.safetensors"),
        ("wide", "have the right name and another shape"),
        ("only_text", "no CLIP is connected"),
    ],
)
def test_a_lora_that_matches_nothing_is_an_error(name, words, awkward):
    assert awkward[name]["code"] == "lora_matches_nothing"
    assert words in awkward[name]["message"]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("broken", "lora_file_damaged", "broken.safetensors holds numbers that are not finite"),
        ("grown", "lora_file_damaged", "grown.safetensors would enlarge"),
        ("checkpoint", "lora_matches_nothing", "checkpoint.safetensors is no LoRA but a checkpoint"),
    ],
)
def test_what_would_spoil_the_model_is_refused(name, code, words, awkward):
    assert awkward[name]["code"] == code
    assert words in awkward[name]["message"]


def test_the_same_lora_twice_is_said_and_adds_up(awkward):
    assert "its strengths add up" in "\n".join(awkward["text"]["warnings"][1])
    assert "its strengths add up" not in "\n".join(awkward["text"]["warnings"][0])
    assert awkward["text"]["as_core"] is True


def test_a_partial_match_says_how_many(awkward):
    assert awkward["partial"]["outcomes"] == [[3, 4, 0, 0]]
    assert awkward["partial"]["warnings"][0][0].startswith("only 3 of 4 keys match the model")
    assert "1 of its tensors belong to no kind of layer that is known" in awkward["partial"]["warnings"][0][1]
    assert awkward["partial"]["as_core"] is True


def test_text_keys_without_clip_and_missing_trigger_words_are_warnings(awkward):
    said = "\n".join(awkward["text"]["warnings"][0])
    assert "1 text-encoder keys are not used, because no CLIP is connected" in said
    assert "name no trigger words" in said
    assert "trigger words" not in "\n".join(awkward["partial"]["warnings"][0])


def test_files_are_read_once_and_stacks_put_on_once(folder, on_comfy):
    loras = folder / "models" / "loras"
    for seed in (1, 2, 3):
        formats.make("kohya", seed=seed).save(loras / f"row_{seed}.safetensors")
    rows = [[f"row_{seed}.safetensors", 0.5, 0.5] for seed in (1, 2, 3)]
    cold, changed, chained = on_comfy(
        [{"rows": rows}, {"rows": [rows[0], [*rows[1][:1], 0.7, 0.1], rows[2]]}, {"rows": rows[:2], "more": rows[2:]}]
    )
    assert cold["reads"] == 3
    assert changed["reads"] == chained["reads"] == 0
    assert cold["as_core"] is changed["as_core"] is chained["as_core"] is True


@pytest.mark.parametrize("rank", [0, 3])
def test_a_merged_file_is_loaded_by_comfyui_and_is_the_sum(rank, folder, on_comfy):
    """Through ComfyUI's own loader too; with a rank, what is loaded is the file's own reduced change."""
    loras = folder / "models" / "loras"
    one, two = formats.make("peft", seed=5, text=True), formats.make("lokr", seed=6)
    sources = []
    for name, made, weight in (("m1", one, 0.8), ("m2", two, -0.6)):
        path = made.save(loras / f"{name}.safetensors")
        sources.append(Source(open_path(path, path.name), weight, weight))
    merged = merge(sources, rank, "float32")
    save(merged, {}, loras / f"merged_{rank}")
    saved = folder / f"merged_{rank}.pt"
    (answer,) = on_comfy([{"rows": [[f"merged_{rank}.safetensors", 1, 1]], "save": str(saved), "clip": True}])
    assert answer["as_core"] is True
    assert answer["outcomes"] == [[3, 3, 1, 1]]
    found = torch.load(saved, weights_only=True)
    lost = total = 0.0
    for name, change in found.items():
        expected = 0.8 * one.deltas[name] - 0.6 * two.deltas.get(name, torch.zeros(1))
        if rank == 0:
            assert torch.allclose(change, expected.float(), rtol=1e-5, atol=TOLERANCE)
        lost += float(torch.linalg.norm(change - expected)) ** 2
        total += float(torch.linalg.norm(expected)) ** 2
    assert (lost / total) ** 0.5 == pytest.approx(merged.error, abs=1e-5)
    assert (merged.error > 0.01) == (rank > 0)
