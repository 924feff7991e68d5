"""The LoRA nodes as the executor runs them, without a model: rows, inspecting, merging; loading needs ComfyUI."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from likeness_studio.core.errors import DependencyMissing, ModelMissing, UnsafePath, UnsafeWeights
from likeness_studio.core.errors.formats import LoraFileDamaged, LoraMatchesNothing, LoraNotSaved, NoLoraChosen
from likeness_studio.core.lora import Cache, open_lora
from likeness_studio.core.lora import lora_file as files
from likeness_studio.nodes.lora import InspectLora, LoadLoraStack, MergeLoras
from likeness_studio.nodes.sockets import Row, Stack, rows_of

pytestmark = pytest.mark.usefixtures("local")


def test_an_empty_folder_still_describes_the_nodes(loras):
    for node in (LoadLoraStack, InspectLora, MergeLoras):
        for socket in node.GET_SCHEMA().inputs:
            if socket.id.startswith("lora_") or socket.id == "lora":
                assert socket.options["options"] == ["none"]


def test_files_of_the_folder_are_listed(loras, formats):
    formats.make("kohya").save(loras / "people" / "ada.safetensors")
    (choice,) = [socket for socket in InspectLora.GET_SCHEMA().inputs if socket.id == "lora"]
    assert choice.options["options"] == ["none", "people/ada.safetensors"]


def test_only_the_first_row_must_be_given():
    for node in (LoadLoraStack, MergeLoras):
        inputs = {socket.id: socket.optional for socket in node.GET_SCHEMA().inputs}
        assert not inputs["lora_1"]
        assert all(inputs[f"lora_{number}"] for number in range(2, 9))


def test_rows_that_are_off_empty_or_0_are_left_out():
    rows = {
        "on_1": True, "lora_1": "a", "strength_model_1": 1.0, "strength_clip_1": 0.5,
        "on_2": False, "lora_2": "b", "strength_model_2": 1.0, "strength_clip_2": 1.0,
        "on_3": True, "lora_3": "none", "strength_model_3": 1.0, "strength_clip_3": 1.0,
        "on_4": True, "lora_4": "d", "strength_model_4": 0.0, "strength_clip_4": 0.0,
        "on_5": True, "lora_5": "e", "strength_model_5": 0.0, "strength_clip_5": -1.0,
        "lora_6": "f", "strength_6": 0.25,
    }  # fmt: skip
    assert rows_of(rows) == (Row("a", 1.0, 0.5), Row("e", 0.0, -1.0), Row("f", 0.25, 0.25))


def test_without_an_active_row_model_and_clip_come_back_as_they_are():
    model, clip = SimpleNamespace(get_attachment=lambda name: None), object()
    clip = SimpleNamespace(patcher=model)
    output = LoadLoraStack.execute(model, clip, on_1=False, lora_1="gone.safetensors")
    assert output.args[0] is model
    assert output.args[1] is clip
    assert output.args[2] == ""
    assert "unchanged" in output.ui["text"][0]


def test_a_row_needs_a_file_that_is_there_and_inside_the_folder(loras):
    model = SimpleNamespace(get_attachment=lambda name: None)
    with pytest.raises(ModelMissing, match=r"^There is no file 'gone\.safetensors' in loras; put it into .*loras\.$"):
        LoadLoraStack.execute(model, lora_1="gone.safetensors")
    with pytest.raises(UnsafePath):
        LoadLoraStack.execute(model, lora_1="../secret.safetensors")


def test_a_pickle_or_a_truncated_file_is_refused_by_every_node(loras):
    torch.save({"a": torch.zeros(3)}, loras / "style.pt")
    (loras / "cut.safetensors").write_bytes(b"\xff\x00\x00\x00\x00\x00\x00\x00{}")
    model = SimpleNamespace(get_attachment=lambda name: None)
    for name, error in (("style.pt", UnsafeWeights), ("cut.safetensors", LoraFileDamaged)):
        for run in (
            lambda name=name: LoadLoraStack.execute(model, lora_1=name),
            lambda name=name: InspectLora.execute(name),
            lambda name=name: MergeLoras.execute(0, "float16", "merged", lora_1=name),
        ):
            with pytest.raises(error, match=name):
                run()


def test_outside_comfyui_a_lora_cannot_be_applied_and_says_so(loras, formats):
    formats.make("kohya").save(loras / "ada.safetensors")
    model = SimpleNamespace(get_attachment=lambda name: None, model=torch.nn.Linear(1, 1))
    with pytest.raises(
        DependencyMissing, match=r"^LoRAs are applied by ComfyUI, which does not run here; run the graph on a server\.$"
    ):
        LoadLoraStack.execute(model, lora_1="ada.safetensors")


def test_a_checkpoint_in_a_row_is_refused_and_called_one(loras):
    weights = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(2), "first_stage_model.a": torch.zeros(2)}
    save_file(weights, loras / "whole.safetensors")
    model = SimpleNamespace(get_attachment=lambda name: None)
    with pytest.raises(LoraMatchesNothing) as refused:
        LoadLoraStack.execute(model, lora_1="whole.safetensors")
    assert str(refused.value) == (
        "whole.safetensors is no LoRA but a checkpoint, which belongs into models/checkpoints; choose a LoRA."
    )


def test_inspecting_says_everything(loras, formats, local):
    metadata = {
        "ss_base_model_version": "sd_v1",
        "ss_tag_frequency": json.dumps({"10_sks person": {"sks person": 12, "smile": 3}}),
        "ss_learning_rate": "0.0001",
        "modelspec.license": "CC0-1.0",
        "sshs_model_hash": "0" * 64,
    }
    made = formats.make("kohya", text=True)
    made.save(loras / "ada.safetensors", metadata)
    output = InspectLora.execute("ada.safetensors")
    report, words, picture = output.args
    found = json.loads(report)
    assert found["base_model"] == "SD 1.5"
    assert found["naming"] == "kohya"
    assert found["kinds"] == {"LoRA": 4}
    assert found["parameters"] == sum(
        tensor.numel() for name, tensor in made.tensors.items() if not name.endswith("alpha")
    )
    assert found["dtypes"] == ["F32"]
    assert list(found["blocks"]) == ["text encoder 1", "down 0.0", "middle"]
    down = [delta for name, delta in made.deltas.items() if "input_blocks" in name]
    expected = sum(float(torch.linalg.norm(delta)) ** 2 for delta in down) ** 0.5
    assert found["blocks"]["down 0.0"] == {
        "layers": 2,
        "ranks": [4],
        "alphas": [2.0],
        "norm": pytest.approx(expected, rel=1e-6),
        "damaged": False,
    }
    assert found["licence"] == "CC0-1.0"
    assert found["training"]["learning rate"] == "0.0001"
    assert found["tags"][0] == ["sks person", 12]
    assert found["stated_hash_agrees"] is False
    assert words == "sks person"
    assert picture.shape[0] == 1
    assert picture.shape[2:] == (1024, 3)
    for word in ("SD 1.5", "sks person (12)", found["sha256"], "middle: 1 layer, rank 4, alpha 2", "CC0-1.0"):
        assert word in output.ui["text"][0]
    assert len(list(local.temp_dir.iterdir())) == len(output.ui["images"]) == 1


def test_longer_bars_are_larger_norms(loras):
    tensors = {}
    for number, size in enumerate((1.0, 0.5, 0.25)):
        base = f"lora_unet_down_blocks_{number}_attentions_0_proj_in"
        tensors |= {f"{base}.lora_up.weight": torch.full((8, 1), size), f"{base}.lora_down.weight": torch.ones(1, 8)}
    save_file(tensors, loras / "a.safetensors")
    picture = (InspectLora.execute("a.safetensors")[2][0].numpy() * 255).round().astype(np.uint8)
    bars = (picture == np.array([0x2B, 0x6F, 0x9E])).all(-1).sum(1)
    lengths = [int(value) for value in dict.fromkeys(bars[bars > 50].tolist())]
    assert lengths == pytest.approx([lengths[0], lengths[0] / 2, lengths[0] / 4], abs=2)
    assert Image.fromarray(picture).size[0] == 1024


def test_a_change_that_depends_on_the_model_has_no_norm(loras):
    base = "lora_unet_mid_block_attentions_0_proj_in"
    save_file({f"{base}.oft_blocks": torch.zeros(2, 4, 4)}, loras / "oft.safetensors")
    output = InspectLora.execute("oft.safetensors")
    assert json.loads(output[0])["blocks"]["middle"]["norm"] is None
    assert "norm depends on the model" in output.ui["text"][0]


def test_numbers_that_are_not_finite_are_said(loras):
    base = "lora_unet_mid_block_attentions_0_proj_in"
    tensors = {f"{base}.lora_up.weight": torch.full((4, 1), float("nan")), f"{base}.lora_down.weight": torch.ones(1, 4)}
    save_file(tensors, loras / "nan.safetensors")
    output = InspectLora.execute("nan.safetensors")
    assert json.loads(output[0])["blocks"]["middle"]["damaged"] is True
    assert "NaN" not in output[0]
    assert "holds numbers that are not finite" in output.ui["text"][0]


@pytest.mark.parametrize("run", [lambda: InspectLora.execute("none"), lambda: MergeLoras.execute(0, "float16", "x")])
def test_no_lora_chosen(run, loras):
    with pytest.raises(NoLoraChosen):
        run()


def test_merging_writes_into_output_loras_and_replaces_nothing(loras, formats, local):
    for seed in (1, 2):
        formats.make("kohya", seed=seed).save(loras / f"{seed}.safetensors")
    before = Stack((Row("1.safetensors", 0.5, 0.25),))
    output = MergeLoras.execute(
        2, "float32", "sub/sum", loras=before, on_1=True, lora_1="2.safetensors", strength_1=-1.0
    )
    file, report = output.args
    found = json.loads(report)
    assert Path(file) == local.output_dir / "loras" / "sub" / "sum.safetensors"
    assert [(each["weight"], each["weight_text_encoder"]) for each in found["sources"]] == [(0.5, 0.25), (-1.0, -1.0)]
    assert found["largest_rank"] == 2
    assert found["layers"] == 3
    assert 0 < found["relative_error"] < found["worst_relative_error"] < 1
    assert "The reduction to rank 2 lost" in output.ui["text"][0]
    again = MergeLoras.execute(0, "float16", "sub/sum", lora_1="2.safetensors", strength_1=1.0)
    assert Path(again[0]).name == "sum_2.safetensors"
    assert "exact sum" in again.ui["text"][0]


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/../../../x"])
def test_a_merge_stays_in_its_folder(name, loras, formats):
    formats.make("kohya").save(loras / "1.safetensors")
    with pytest.raises(UnsafePath):
        MergeLoras.execute(0, "float16", name, lora_1="1.safetensors", strength_1=1.0)


@pytest.mark.parametrize("name", [".", "a/..", "./"])
def test_the_folder_itself_is_no_name_for_a_merge(name, loras, formats, local):
    formats.make("kohya").save(loras / "1.safetensors")
    with pytest.raises(UnsafePath):
        MergeLoras.execute(0, "float16", name, lora_1="1.safetensors", strength_1=1.0)
    assert list(local.output_dir.rglob("*.safetensors")) == []


@pytest.mark.parametrize(("name", "error"), [("x" * 300, UnsafePath), ("taken.safetensors/x", LoraNotSaved)])
def test_a_name_that_cannot_be_written_is_said(name, error, loras, formats, local):
    formats.make("kohya").save(loras / "1.safetensors")
    MergeLoras.execute(0, "float16", "taken", lora_1="1.safetensors", strength_1=1.0)
    with pytest.raises(error, match=r"cannot be written|is too long"):
        MergeLoras.execute(0, "float16", name, lora_1="1.safetensors", strength_1=1.0)
    assert [path.name for path in (local.output_dir / "loras").iterdir()] == ["taken.safetensors"]


def test_a_merge_shows_licences_and_warns_of_those_that_forbid_it(loras, formats):
    formats.make("kohya", seed=1).save(loras / "1.safetensors", {"modelspec.license": "CC-BY-ND-4.0"})
    formats.make("kohya", seed=2).save(loras / "2.safetensors", {"modelspec.license": "CC0-1.0"})
    output = MergeLoras.execute(0, "float16", "m", lora_1="1.safetensors", lora_2="2.safetensors")
    assert "Licences: 1.safetensors: CC-BY-ND-4.0; 2.safetensors: CC0-1.0" in output.ui["text"][0]
    (warning,) = json.loads(output[1])["warnings"]
    assert warning == "the licence of 1.safetensors (CC-BY-ND-4.0) seems to forbid merging"
    assert f"Warning: {warning}" in output.ui["text"][0]


def test_a_link_that_the_owner_put_into_the_folder_is_followed(loras, formats, tmp_path):
    made = formats.make("kohya").save(tmp_path / "another disk" / "a.safetensors")
    (loras / "linked.safetensors").symlink_to(made)
    (loras / "more").symlink_to(made.parent)
    assert len(open_lora("linked.safetensors").layers.found) == len(open_lora("more/a.safetensors").layers.found) == 3
    for name in (str(made), "more/../../secret.safetensors", "a\0.safetensors"):
        with pytest.raises(UnsafePath):
            open_lora(name)


def test_a_checkpoint_among_the_loras_is_called_one(loras):
    save_file({"model.diffusion_model.out.0.weight": torch.ones(4)}, loras / "model.safetensors")
    text = InspectLora.execute("model.safetensors").ui["text"][0]
    assert "It has no LoRA layer: it is a checkpoint, which belongs into models/checkpoints." in text


def test_a_hostile_number_of_blocks_makes_no_endless_picture(loras):
    tensors = {}
    for number in range(1000):
        base = f"lora_unet_down_blocks_{number}_attentions_0_proj_in"
        tensors |= {f"{base}.lora_up.weight": torch.ones(1, 1), f"{base}.lora_down.weight": torch.ones(1, 1)}
    save_file(tensors, loras / "many.safetensors")
    assert InspectLora.execute("many.safetensors")[2].shape[1] < 4000


def test_a_file_that_is_replaced_after_its_check_is_not_used(loras, formats):
    formats.make("kohya").save(loras / "1.safetensors")
    file = open_lora("1.safetensors")
    formats.make("kohya", seed=2, text=True).save(loras / "1.safetensors")
    with pytest.raises(LoraFileDamaged, match="was changed"):
        file.read()
    (loras / "1.safetensors").write_bytes(b"gone")
    with pytest.raises(LoraFileDamaged, match=r"1\.safetensors"):
        file.read()


def test_headers_that_are_kept_are_bounded_by_their_bytes(loras, formats):
    formats.make("kohya").save(loras / "1.safetensors", {"note": "x" * 2**20})
    open_lora("1.safetensors")
    assert 2**20 < files._files.used <= files._files.limit < 2**26


def test_a_file_is_read_once_until_it_changes(loras, formats, monkeypatch):
    formats.make("kohya").save(loras / "1.safetensors")
    count = []
    real = files.read_header
    monkeypatch.setattr(files, "read_header", lambda path: count.append(path) or real(path))
    assert open_lora("1.safetensors") is open_lora("1.safetensors")
    assert len(count) == 1
    formats.make("peft").save(loras / "1.safetensors")
    assert any("lora_A" in name for name in open_lora("1.safetensors").header.tensors)
    assert len(count) == 2


def test_the_cache_forgets_what_was_used_longest_ago():
    cache = Cache(100)
    for name, size in (("a", 40), ("b", 40)):
        cache.put(name, size, name)
    assert cache.get("a") == "a"
    cache.put("c", 40, "c")
    assert [cache.get(name) for name in "abc"] == ["a", None, "c"]
    cache.put("huge", 101, "huge")
    assert cache.get("huge") is None
    assert cache.used <= 100


def test_a_node_runs_again_when_a_file_changed(loras, formats):
    formats.make("kohya").save(loras / "1.safetensors")
    before = LoadLoraStack.fingerprint_inputs(model=None, on_1=True, lora_1="1.safetensors")
    assert before == LoadLoraStack.fingerprint_inputs(model=None, on_1=True, lora_1="1.safetensors")
    formats.make("kohya", text=True).save(loras / "1.safetensors")
    assert before != LoadLoraStack.fingerprint_inputs(model=None, on_1=True, lora_1="1.safetensors")
    assert InspectLora.fingerprint_inputs(lora="gone.safetensors") == ["gone.safetensors"]
    linked = {"on_1": None, "strength_model_1": None, "strength_clip_1": None, "on_2": None, "lora_2": None}
    again = LoadLoraStack.fingerprint_inputs(model=None, lora_1="1.safetensors", **linked)
    assert again == LoadLoraStack.fingerprint_inputs(model=None, on_1=True, lora_1="1.safetensors")
    assert MergeLoras.fingerprint_inputs(on_1=False, lora_1="1.safetensors") == []
