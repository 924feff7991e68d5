"""The names of LoRA layers against a real ComfyUI: one name for one layer, and merges that it loads as their sum."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from likeness_studio.core.errors.formats import LoraNotMergeable
from likeness_studio.core.lora import Source, canonical, loads, open_path, save
from likeness_studio.core.lora.merge import merge

pytestmark = pytest.mark.comfyui
HERE = Path(__file__).parent
ROOT = HERE.parents[1]

FAMILIES = (
    "SD 1.5", "SD 2", "SDXL", "Flux", "Chroma", "Flux.2", "Hunyuan Video", "Hunyuan Image", "SD 3", "Wan", "Qwen-Image",
    "Lumina 2", "Z-Image", "AuraFlow", "PixArt", "HiDream", "HunyuanDiT", "LTX-Video",
)  # fmt: skip

STATED = {
    "SD 1.5": "sd_v1", "SD 2": "sd_v2", "SDXL": "sdxl", "Flux.2": "flux2", "HunyuanDiT": "", "LTX-Video": "ltx-video",
    "Lumina 2": "lumina2",
}  # fmt: skip
"""What metadata say where narrow layers do not tell the family; of the others their name, in small letters."""

LAYERS = 12
"""Of a file: enough for every kind of block, and soon merged."""

TOLERANCE = 1e-5
"""Of sums stored in float32, relative to their norm."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("set COMFYUI_PATH (and COMFYUI_PYTHON) to test against a real ComfyUI")
    base = tmp_path_factory.mktemp("names")
    (base / "likeness_studio").symlink_to(ROOT)
    return base


@pytest.fixture(scope="module")
def on_comfy(folder):
    def run(cases):
        request = folder / "request.json"
        request.write_text(json.dumps({"cases": cases}))
        script, python = HERE / "lora_names_on_comfy.py", os.environ.get("COMFYUI_PYTHON", sys.executable)
        result = subprocess.run(
            [python, script, os.environ["COMFYUI_PATH"], folder, request],
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "LIKENESS_MODELS"}
            | {"OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return json.loads(result.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="module")
def known(on_comfy):
    """What this ComfyUI knows: names of layers by family."""
    return on_comfy([])


def family_names(known, family, kind="names"):
    if family not in known[kind]:
        pytest.skip(f"this ComfyUI has no {family}")
    return known[kind][family]


@pytest.mark.parametrize(
    ("kind", "family"), [*(("names", each) for each in FAMILIES), ("clips", "SD 1.5"), ("clips", "SDXL")]
)
def test_every_name_that_comfyui_knows_has_a_canonical_name_that_it_loads_as_the_same(kind, family, known):
    names = family_names(known, family, kind)
    by_layer: dict[str, set[str]] = {}
    for name, where in names.items():
        own = canonical(name, family)
        assert names.get(own) == where, (name, own)
        assert loads(name, family), name
        if name != "lora_prior_te_text_projection":
            by_layer.setdefault(json.dumps(where), set()).add(own)
    assert [found for found in by_layer.values() if len(found) > 1] == []


def prefix_of(name):
    found = re.match(
        r"((lora_unet|lora_transformer|lycoris)_|(unet\.|transformer\.)?((base_|diffusion_)model\.)*)", name
    )
    return found[0] if found is not None else ""


def chosen(names, prefix, seed):
    """Layers of one prefix, each weight or part of one once, spread over the model; of matrices only."""
    found = {}
    for name, where in names.items():
        if prefix_of(name) == prefix and where[0].endswith(".weight") and len(where[3]) in (2, 4):
            found.setdefault(json.dumps(where), name)
    step = max(1, len(found) // LAYERS)
    return sorted(found.values())[seed % step :: step]


def made(path, bases, names, seed, stated, ending=("lora_up", "lora_down")):
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for base in bases:
        rows, columns, *kernel = names[base][3]
        tensors[f"{base}.{ending[0]}.weight"] = torch.randn(rows, 2, *[1] * len(kernel), generator=generator)
        tensors[f"{base}.{ending[1]}.weight"] = torch.randn(2, columns, *kernel, generator=generator)
    save_file(tensors, path, {"ss_base_model_version": stated} if stated else None)
    return path


@pytest.fixture(scope="module")
def merged(folder, known, on_comfy):
    """For each family a merge of a LoRA of each naming with one of the model's own names."""
    cases, about = [], []
    for family, names in known["names"].items():
        stated = STATED.get(family, family.lower())
        for prefix in sorted({prefix_of(name) for name in names}):
            stem = f"{family} {prefix or 'bare'}".replace(" ", "_")
            bases = chosen(names, prefix, 0)
            one = made(folder / f"{stem}_1.safetensors", bases, names, 1, stated, ("lora_B", "lora_A"))
            other = made(folder / f"{stem}_2.safetensors", chosen(names, "lora_unet_", 1), names, 2, stated)
            sources = [Source(open_path(one, one.name), 0.7, 1), Source(open_path(other, other.name), -0.4, 1)]
            file = save(merge(sources, 0), {}, folder / f"{stem}_sum")
            cases.append({"family": family, "sources": [[str(one), 0.7], [str(other), -0.4]], "merged": str(file)})
            about.append((family, prefix, len(bases)))
    return list(zip(about, on_comfy(cases)["cases"], strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_merge_of_any_naming_is_loaded_as_the_sum(family, known, merged):
    family_names(known, family)
    answers = [(prefix, count, answer) for (name, prefix, count), answer in merged if name == family]
    assert answers
    for prefix, count, answer in answers:
        assert answer["apart"] < TOLERANCE, prefix
        assert answer["loaded"] == count, (prefix, answer)
        assert answer["as_core"] < TOLERANCE, prefix
        assert answer["notes"] == [], prefix


@pytest.mark.parametrize(
    ("family", "base"),
    [
        ("Flux", "transformer.norm_out.linear"),
        ("SD 3", "lora_transformer_norm_out_linear"),
        ("SD 3", "base_model.model.transformer_blocks.23.norm1_context.linear"),
        ("AuraFlow", "transformer.norm_out.linear"),
    ],
)
def test_a_weight_whose_halves_diffusers_swaps_is_loaded_and_merged(family, base, folder, known, on_comfy):
    names = family_names(known, family)
    assert names[base][2], "ComfyUI swaps its halves"
    paths = []
    for number in (1, 2):
        path = folder / f"{family}_{base}_{number}.safetensors"
        paths.append(made(path, [base], names, number, family.lower(), ("lora_B", "lora_A")))
    file = save(merge([Source(open_path(path, path.name), 0.5, 1) for path in paths], 0), {}, folder / f"{base}_sum")
    cases = [{"family": family, "sources": [[str(path), 0.5] for path in paths], "merged": str(file)}]
    (answer,) = on_comfy(cases)["cases"]
    assert (answer["merged"], answer["loaded"], answer["unmatched"]) == (1, 1, 0)
    assert answer["apart"] < TOLERANCE
    assert answer["as_core"] < TOLERANCE


def test_a_control_lora_is_loaded_as_comfyui_does_and_not_merged(folder, known, on_comfy):
    """Of Black Forest Labs: biases of lora_B, norms that replace the model's, and an enlarged `img_in`."""
    names = known["names"]["Flux"]
    rows, columns = names["lora_unet_img_in"][3]
    generator = torch.Generator().manual_seed(8)
    tensors = {"single_blocks.0.norm.key_norm.scale": torch.rand(128, generator=generator)}
    for base, shape in (("img_in", (rows, 2 * columns)), ("txt_in", names["lora_unet_txt_in"][3])):
        tensors[f"{base}.lora_B.weight"] = torch.randn(shape[0], 2, generator=generator)
        tensors[f"{base}.lora_A.weight"] = torch.randn(2, shape[1], generator=generator)
        tensors[f"{base}.lora_B.bias"] = torch.randn(shape[0], generator=generator)
    path = folder / "control.safetensors"
    save_file(tensors, path)
    (answer,) = on_comfy([{"family": "Flux", "sources": [[str(path), 1.0]]}])["cases"]
    assert answer["source"] == [5]
    assert (answer["loaded"], answer["unmatched"], answer["notes"]) == (3, 0, [])
    assert answer["as_core"] < TOLERANCE
    with pytest.raises(LoraNotMergeable, match="replaces the model's weights"):
        merge([Source(open_path(path, path.name), 1, 1)], 0)


def test_what_comfyui_itself_does_not_know_is_loaded_where_its_layer_is_known(folder, known, on_comfy):
    """diffusers' script for SDXL leaves ``processor`` away; trainers of Flux wrote two prefixes, or one ``_`` more."""
    attention = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_k"
    cases = []
    for family, base, alike in (
        ("SDXL", f"unet.{attention}", "lora_unet_" + attention.replace(".", "_")),
        ("Flux", "transformer.base_model.model.single_transformer_blocks.0.attn.to_k",
         "transformer.single_transformer_blocks.0.attn.to_k"),
        ("Flux", "lora_unet_single_transformer_blocks_0_attn_to_k_",
         "transformer.single_transformer_blocks.0.attn.to_k"),
    ):  # fmt: skip
        names = {base: known["names"][family][alike]}
        path = folder / f"unknown_{len(cases)}.safetensors"
        made(path, [base], names, 3, STATED.get(family, "flux1"), ("lora.up", "lora.down"))
        file = save(merge([Source(open_path(path, path.name), 1, 1)], 0), {}, folder / f"{path.stem}_sum")
        cases.append({"family": family, "sources": [[str(path), 1.0]], "merged": str(file)})
    for answer in on_comfy(cases)["cases"]:
        assert answer["source"] == [0]
        assert answer["merged"] == answer["loaded"] == 1
        assert "own loader does not know" in answer["notes"][0]


def test_a_lora_of_xlabs_is_merged_whole(folder, known, on_comfy):
    """All blocks of Flux, as XLabs and USO write them, of which the narrow model has two double and two single ones."""
    names = known["names"]["Flux"]
    shapes = {
        "qkv": names["lora_unet_double_blocks_0_img_attn_qkv"][3],
        "proj": names["lora_unet_double_blocks_0_img_attn_proj"][3],
        "single qkv": names["diffusion_model.single_blocks.0.linear1_qkv"][3],
        "single proj": names["lora_unet_single_blocks_0_linear2"][3],
    }  # fmt: skip
    layers = {
        f"double_blocks.{block}.processor.{part}_lora{stream}": [None, None, False, shapes[part]]
        for block in range(19) for part in ("qkv", "proj") for stream in (1, 2)
    } | {
        f"single_blocks.{block}.processor.{part}_lora": [None, None, False, shapes[f"single {part}"]]
        for block in range(38) for part in ("qkv", "proj")
    }  # fmt: skip
    path = made(folder / "xlabs.safetensors", list(layers), layers, 4, "", ("up", "down"))
    kohya = made(folder / "beside.safetensors", ["lora_unet_single_blocks_1_linear2"], names, 5, "flux1")
    sources = [Source(open_path(each, each.name), 0.5, 1) for each in (path, kohya)]
    file = save(merge(sources, 0), {}, folder / "xlabs_sum")
    request = [{"family": "Flux", "sources": [[str(path), 0.5], [str(kohya), 0.5]], "merged": str(file)}]
    (answer,) = on_comfy(request)["cases"]
    assert answer["source"] == [12, 1]
    assert answer["merged"] == answer["loaded"] == 12
    assert answer["apart"] < TOLERANCE
    assert answer["as_core"] < TOLERANCE


def test_an_alpha_of_the_metadata_alone_is_loaded_and_merged(folder, known, on_comfy):
    names = known["names"]["Flux"]
    base = "transformer.single_transformer_blocks.0.attn.to_q"
    plain = made(folder / "no_alpha.safetensors", [base], names, 6, "", ("lora_B", "lora_A"))
    tensors = {
        f"{base}.{side}.weight": open_path(plain, "x").read()[f"{base}.{side}.weight"] for side in ("lora_A", "lora_B")
    }
    path = folder / "alpha.safetensors"
    stated = {"transformer.r": 2, "transformer.lora_alpha": 1}
    save_file(tensors, path, {"lora_adapter_metadata": json.dumps(stated)})
    file = save(merge([Source(open_path(path, path.name), 2.0, 1)], 0), {}, folder / "alpha_sum")
    half, summed = on_comfy(
        [
            {"family": "Flux", "sources": [[str(path), 2.0]]},
            {"family": "Flux", "sources": [[str(plain), 1.0]], "merged": str(file)},
        ]
    )["cases"]
    assert "alpha (1) stands in its metadata alone" in half["notes"][0]
    assert half["as_core"] == pytest.approx(0.5)
    assert half["norm"] == pytest.approx(summed["norm"])
    assert summed["apart"] < TOLERANCE
