"""Changes, their norms and their weighted sums, against full matrices worked out by the maker of the files."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from likeness_studio.core.errors.formats import LoraFileDamaged, LoraNotMergeable, LoraWrongBase
from likeness_studio.core.lora import (
    Merged,
    Source,
    bias_of,
    canonical,
    delta_of,
    facts_of,
    flat,
    forbids_merging,
    metadata_of,
    open_path,
    reduced,
    save,
)
from likeness_studio.core.lora.merge import merge

SINGLE = 1e-6
"""Relative tolerance of changes stored in float32 and computed in float64."""


@pytest.fixture
def made(formats, tmp_path):
    """A LoRA of a format, opened, and the changes it must have by canonical name."""

    def build(kind, seed=0, metadata=None, **more):
        lora = formats.make(kind, seed=seed, **more)
        path = lora.save(tmp_path / f"{kind} {seed}.safetensors", metadata)
        return open_path(path, path.name), lora.deltas

    return build


def weight_names(formats):
    """The model's weights by canonical layer name."""
    everything = formats.LINEAR | formats.CONV | formats.NORM | formats.TEXT
    return {name: weight for name, (_, weight) in everything.items()}


def changes(path, formats):
    """The changes that a merged file stands for, by the model's weights: kohya's definition and nothing of ours."""
    weights = weight_names(formats)
    found = {}
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name).double() for name in file.keys()}  # noqa: SIM118
    for name, tensor in tensors.items():
        base, _, role = name.partition(".")
        if role == "lora_up.weight":
            down = tensors[f"{base}.lora_down.weight"]
            scale = tensors[f"{base}.alpha"] / down.shape[0]
            found[weights[base]] = scale * (tensor.flatten(1) @ down.flatten(1)).reshape(
                tensor.shape[0], *down.shape[1:]
            )
        elif role == "diff":
            found[weights[base]] = tensor
        elif role == "diff_b":
            found[weights[base].removesuffix("weight") + "bias"] = tensor
    return found


def close(one, other, tolerance=SINGLE):
    return float(torch.linalg.norm(one.flatten() - other.flatten())) <= tolerance * float(torch.linalg.norm(other))


CANONICAL = (
    "kohya", "kohya, original names", "peft", "conv", "conv tucker", "loha", "conv loha", "conv loha tucker", "lokr",
    "lokr whole", "conv lokr whole", "conv lokr tucker", "conv difference", "norm",
)  # fmt: skip


@pytest.mark.parametrize("kind", CANONICAL)
def test_the_change_and_its_norm_are_those_of_the_full_matrix(kind, made, formats):
    file, expected = made(kind)
    tensors = file.read()
    names = weight_names(formats)
    assert file.layers.found
    for base, layer in file.layers.found.items():
        change = expected[names[canonical(base)]]
        delta = delta_of(layer, tensors)
        assert close(flat(delta), change, 1e-12)
        assert delta.norm() == pytest.approx(float(torch.linalg.norm(change)), rel=1e-9)
        bias = bias_of(layer, tensors)
        assert (bias is not None) == (kind in ("norm", "conv difference"))


@pytest.mark.parametrize("rank", [0, 64])
@pytest.mark.parametrize(
    "kinds", [("kohya", "kohya"), ("kohya", "peft"), ("kohya, original names", "diffusers"), ("old diffusers", "loha"),
              ("conv", "conv tucker"), ("conv loha", "conv difference"), ("lokr", "loha"), ("lokr whole", "kohya"),
              ("norm", "norm"), ("kohya", "conv")],
)  # fmt: skip
def test_a_merge_is_the_weighted_sum(kinds, rank, made, formats, tmp_path):
    one, first = made(kinds[0], seed=1)
    two, second = made(kinds[1], seed=2)
    merged = merge([Source(one, 0.8, 1), Source(two, -0.6, 1)], rank, "float32")
    path = save(merged, {}, tmp_path / "sum")
    found = changes(path, formats)
    assert found.keys() == first.keys() | second.keys()
    for name in found:
        expected = 0.8 * first.get(name, torch.zeros(1)) - 0.6 * second.get(name, torch.zeros(1))
        if rank and min(expected.flatten(1).shape if expected.ndim > 1 else (1,)) > rank:
            continue
        assert close(found[name], expected), name
    assert merged.error < 1e-7 or rank


def test_the_reduction_is_the_best_of_its_rank_and_says_what_it_lost(made, formats, tmp_path):
    one, first = made("kohya", seed=1, rank=8)
    two, second = made("lokr", seed=2, rank=8)
    merged = merge([Source(one, 1, 1), Source(two, 1, 1)], 6, "float32")
    found = changes(save(merged, {}, tmp_path / "small"), formats)
    lost = total = 0.0
    for name in found:
        whole = first[name] + second[name]
        values = torch.linalg.svdvals(whole)
        best = float(torch.sum(values[6:] ** 2))
        assert float(torch.linalg.norm(found[name] - whole)) ** 2 == pytest.approx(best, rel=1e-5)
        lost, total = lost + best, total + float(torch.sum(values**2))
    assert merged.error == pytest.approx((lost / total) ** 0.5, rel=1e-6)
    assert 0.05 < merged.error < 0.95
    assert set(merged.ranks.values()) == {6}


def test_thin_factors_give_the_same_as_a_full_decomposition():
    generator = torch.Generator().manual_seed(3)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    from likeness_studio.core.lora import Factors

    parts = [Factors(random(40, 5), random(5, 70)), Factors(random(40, 7), random(7, 70))]
    whole = torch.stack([flat(part) for part in parts]).sum(0)
    left, values, right = torch.linalg.svd(whole)
    best = left[:, :4] * values[:4] @ right[:4]
    up, down, lost, total = reduced(parts, 4)
    assert torch.allclose(up @ down, best, atol=1e-10)
    assert lost == pytest.approx(float(torch.sum(values[4:] ** 2)), rel=1e-9)
    assert total == pytest.approx(float(torch.linalg.norm(whole)) ** 2, rel=1e-9)
    up, down, lost, _ = reduced(parts, 0)
    assert up.shape == (40, 12)
    assert lost == 0
    assert torch.allclose(up @ down, whole, atol=1e-10)


@pytest.mark.parametrize(("precision", "tolerance"), [("float16", 2e-3), ("bfloat16", 1.5e-2)])
def test_half_precision_is_near(precision, tolerance, made, formats, tmp_path):
    file, expected = made("kohya", alpha=3.0)
    found = changes(save(merge([Source(file, 1, 1)], 0, precision), {}, tmp_path / "half"), formats)
    for name in expected:
        assert close(found[name], expected[name], tolerance)


def test_a_kronecker_factor_with_a_core_of_any_size(tmp_path):
    """torch.kron fails on tensors of some strides."""
    path = tmp_path / "core.safetensors"
    shapes = {"lokr_w1": (4, 2), "lokr_w2_a": (2, 2), "lokr_w2_b": (2, 2), "lokr_t2": (2, 2, 1, 1)}
    save_file({f"a.{name}": torch.rand(shape) for name, shape in shapes.items()}, path)
    file = open_path(path, path.name)
    (layer,) = file.layers.found.values()
    assert flat(delta_of(layer, file.read())).shape == (8, 4)


def test_numbers_that_do_not_fit_the_precision_are_refused(tmp_path):
    path = tmp_path / "large.safetensors"
    large = {"lora_unet_a.lora_up.weight": torch.full((4, 1), 1e6)}
    save_file(large | {"lora_unet_a.lora_down.weight": torch.full((1, 4), 1e6)}, path)
    with pytest.raises(LoraNotMergeable, match="float16"):
        merge([Source(open_path(path, "large"), 1, 1)], 0, "float16")
    assert merge([Source(open_path(path, "large"), 1, 1)], 0, "float32").tensors


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("part", ["up", "alpha"])
def test_numbers_that_are_not_finite_are_refused_by_file(part, rank, made, tmp_path):
    good, _ = made("kohya")
    tensors = {"a.lora_up.weight": torch.ones(4, 1), "a.lora_down.weight": torch.ones(1, 4), "a.alpha": torch.ones(())}
    bad = {"up": "a.lora_up.weight", "alpha": "a.alpha"}[part]
    tensors[bad] = torch.full_like(tensors[bad], float("nan" if part == "up" else "inf"))
    path = tmp_path / "broken.safetensors"
    save_file(tensors, path)
    with pytest.raises(LoraFileDamaged, match=rf"broken\.safetensors.*{bad}"):
        merge([Source(good, 1, 1), Source(open_path(path, path.name), 1, 1)], rank)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2, torch.int8])
def test_every_kind_of_number_is_checked_and_merged(dtype, tmp_path):
    path = tmp_path / f"{dtype}.safetensors"
    pair = {"lora_unet_a.lora_up.weight": torch.ones(4, 1), "lora_unet_a.lora_down.weight": torch.ones(1, 4)}
    save_file({name: tensor.to(dtype) for name, tensor in pair.items()}, path)
    merged = merge([Source(open_path(path, path.name), 1, 1)], 0)
    up, down = (merged.tensors[f"lora_unet_a.lora_{side}.weight"] for side in ("up", "down"))
    assert torch.equal(up @ down, torch.ones(4, 4))


def test_the_largest_numbers_of_float16_are_finite(tmp_path):
    path = tmp_path / "wide.safetensors"
    save_file({"a.diff": torch.tensor([[65504.0, -65504.0]], dtype=torch.float16)}, path)
    assert open_path(path, "wide").read_finite()


def test_a_whole_change_without_a_kernel_is_stored_so_that_a_convolution_takes_it(formats, tmp_path):
    """A LoHa of rank 8 has rank 64, more than 32 rows: ComfyUI takes no difference of [32, 288] for [32, 32, 3, 3]."""
    sources, expected = [], 0.0
    for seed in (1, 2):
        lora = formats.make("conv loha", seed=seed, rank=8)
        path = lora.save(tmp_path / f"{seed}.safetensors")
        sources.append(Source(open_path(path, path.name), 0.5, 1))
        expected = expected + 0.5 * next(iter(lora.deltas.values()))
    merged = merge(sources, 0)
    assert not any(name.endswith(".diff") for name in merged.tensors)
    (found,) = changes(save(merged, {}, tmp_path / "sum"), formats).values()
    assert close(found, expected)
    assert merged.error == 0


def test_a_file_that_is_no_lora_is_not_left_out_silently(made, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"model.diffusion_model.out.0.weight": torch.ones(4)}, path)
    with pytest.raises(LoraNotMergeable, match=r"model\.safetensors.*checkpoint"):
        merge([Source(made("kohya")[0], 1, 1), Source(open_path(path, path.name), 1, 1)], 0)


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("CC-BY-ND-4.0", True),
        ("CC BY-NC-ND", True),
        ("https://creativecommons.org/licenses/by-nc-NoDerivatives", True),
        ("free to use, no merging", True),
        ("Merges are not allowed", True),
        ("do not merge", True),
        ("CC0-1.0", False),
        ("CreativeML Open RAIL-M", False),
        ("CC-BY-4.0", False),
        ("Apache-2.0, merging allowed", False),
        ("not stated", False),
    ],
)
def test_a_licence_that_forbids_merging_is_recognised(licence, forbids):
    assert forbids_merging(licence) is forbids


def test_what_cannot_be_merged_is_refused_by_name(made, tmp_path):
    plain, _ = made("kohya")
    base = "lora_unet_mid_block_attentions_0_proj_in"
    thin = {f"{base}.lora_up.weight": torch.zeros(8, 2), f"{base}.lora_down.weight": torch.zeros(2, 8)}
    cases = {
        "DoRA": thin | {f"{base}.dora_scale": torch.ones(8, 1)},
        "GLoRA": {f"{base}.{part}.weight": torch.zeros(8, 8) for part in ("a1", "a2", "b1", "b2")},
        "OFT": {f"{base}.oft_blocks": torch.zeros(2, 4, 4)},
        "replacement": {f"{base}.set_weight": torch.zeros(8, 8)},
        "IA3": {f"{base}.weight": torch.zeros(8), f"{base}.on_input": torch.zeros(())},
        "two kinds": thin | {f"{base}.diff": torch.zeros(8, 8)},
        "at once": thin | {f"{base}.w_norm": torch.zeros(8)},
        "kinds at": thin | {f"{base}.hada_{part}": torch.zeros(8, 8) for part in ("w1_a", "w1_b", "w2_a", "w2_b")},
    }
    for word, tensors in cases.items():
        path = tmp_path / f"{word}.safetensors"
        save_file(tensors, path)
        with pytest.raises(LoraNotMergeable, match=rf"{word}\.safetensors.*{word}"):
            merge([Source(plain, 1, 1), Source(open_path(path, path.name), 1, 1)], 0)


def test_layers_of_other_shapes_or_unsure_names_are_refused(made, tmp_path):
    narrow, _ = made("conv")
    wide, _ = made("conv", seed=1, width=64)
    with pytest.raises(LoraNotMergeable, match="different shapes"):
        merge([Source(narrow, 1, 1), Source(wide, 1, 1)], 0)
    files = []
    for prefix in ("transformer.", "diffusion_model."):
        path = tmp_path / f"{prefix}safetensors"
        save_file(
            {f"{prefix}x.y.lora_B.weight": torch.zeros(8, 2), f"{prefix}x.y.lora_A.weight": torch.zeros(2, 8)}, path
        )
        files.append(open_path(path, path.name))
    with pytest.raises(LoraNotMergeable, match="another prefix"):
        merge([Source(file, 1, 1) for file in files], 0)


def test_loras_of_different_base_models_are_not_merged(made, tmp_path):
    one, _ = made("kohya")
    base = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    path = tmp_path / "xl.safetensors"
    save_file({f"{base}.lora_up.weight": torch.zeros(640, 4), f"{base}.lora_down.weight": torch.zeros(4, 2048)}, path)
    with pytest.raises(
        LoraWrongBase,
        match=r"^kohya 0\.safetensors is a LoRA for SD 1\.5 and xl\.safetensors is one for "
        r"SDXL; merge LoRAs of one base model\.$",
    ):
        merge([Source(one, 1, 1), Source(open_path(path, path.name), 1, 1)], 0)


def test_a_weight_of_0_takes_a_part_out(made):
    file, _ = made("kohya", text=True)
    assert all(name.startswith("lora_unet") for name in merge([Source(file, 1, 0)], 0).tensors)
    assert all(name.startswith("lora_te_") for name in merge([Source(file, 0, 1)], 0).tensors)
    with pytest.raises(LoraNotMergeable, match="no layer"):
        merge([Source(file, 0, 0)], 0)


def test_a_merged_file_says_where_it_comes_from_and_replaces_nothing(made, tmp_path):
    one, _ = made("kohya", seed=1, metadata={"modelspec.trigger_phrase": "sks person", "modelspec.license": "CC0-1.0"})
    two, _ = made("peft", seed=2, metadata={"ss_tag_frequency": json.dumps({"1_a": {"studio": 4}})})
    sources = [Source(one, 0.5, 0.5), Source(two, 1, 1)]
    merged = merge(sources, 4)
    metadata = metadata_of("sum", merged, one.family, 4, [facts_of(source) for source in sources])
    first = save(merged, metadata, tmp_path / "out" / "sum")
    second = save(merged, metadata, tmp_path / "out" / "sum.safetensors")
    assert [path.name for path in (first, second)] == ["sum.safetensors", "sum_2.safetensors"]
    assert sorted(path.name for path in first.parent.iterdir()) == [first.name, second.name]
    file = open_path(first, "sum")
    assert file.family.name == file.family.stated == "SD 1.5"
    assert file.trigger_words == ["sks person, a, studio"]
    assert file.header.metadata["modelspec.license"] == "CC0-1.0; not stated"
    told = json.loads(file.header.metadata["likeness.merge"])
    assert [each["weight"] for each in told["sources"]] == [0.5, 1]
    assert all(len(each["sha256"]) == 64 for each in told["sources"])
    assert told["relative_error"] == merged.error
    assert file.header.metadata["ss_network_dim"] == "4"


def test_an_empty_sum_has_no_error():
    assert Merged().error == 0
