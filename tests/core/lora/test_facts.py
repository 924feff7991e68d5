"""What is read from metadata: trigger words, training settings, hashes. They are a stranger's text."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import save_file

from likeness_studio.core.lora import hashes, joined_words, licence, plain, read_header, tags, training, trigger_words


def dataset(**folders):
    return {
        "ss_dataset_dirs": json.dumps(
            {name: {"n_repeats": 1, "img_count": count} for name, (count, _) in folders.items()}
        ),
        "ss_tag_frequency": json.dumps({name: found for name, (_, found) in folders.items()}),
    }


def configured(*subsets, tags=None):
    """Metadata of a training by a dataset configuration, as FluxGym's."""
    dirs = {
        each["image_dir"]: {"n_repeats": 1, "img_count": each["img_count"]} for each in subsets if "is_reg" not in each
    }
    found = {
        "ss_datasets": json.dumps([{"is_dreambooth": True, "subsets": subsets}]),
        "ss_dataset_dirs": json.dumps(dirs),
    }
    return found | ({"ss_tag_frequency": json.dumps(tags)} if tags else {})


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, []),
        ({"modelspec.trigger_phrase": "sks person"}, ["sks person"]),
        ({"modelspec.trigger_phrase": "None", "trigger_words": "ohwx man"}, ["ohwx man"]),
        ({"instance_prompt": "a photo of sks"}, ["a photo of sks"]),
        ({"ss_dataset_dirs": json.dumps({"10_sks person": {"img_count": 9}})}, ["sks person"]),
        ({"ss_dataset_dirs": json.dumps({"10_images": {"img_count": 9}})}, []),
        (dataset(**{"10_img": (10, {"smile": 3, "zkz": 10, "portrait": 9})}), ["zkz", "portrait"]),
        (dataset(**{"1_a_b": (4, {"x": 4}), "2_img": (4, {"x": 4, "y": 4})}), ["a b", "x"]),
        ({"ss_tag_frequency": json.dumps({"3_img": {"one": 5, "two": 5, "three": 1}})}, ["one", "two"]),
        ({"modelspec.trigger_phrase": "(sks:1.2), person, "}, ["(sks:1.2), person"]),
        (
            dataset(**{"1_img": (2, {"saber (fate)": 2, "looking \\(up\\)": 2})}),
            ["saber \\(fate\\)", "looking \\(up\\)"],
        ),
        ({"ss_tag_frequency": json.dumps({"3_img": {"t\ud83d\u202ex": 3}})}, ["tx"]),
        (
            {"ss_dataset_dirs": json.dumps({f"1_c{number}": {} for number in range(500)})},
            [f"c{number}" for number in range(20)],
        ),
        ({"ss_tag_frequency": "not json"}, []),
        ({"ss_tag_frequency": "[1, 2]", "ss_dataset_dirs": "[" * 100_000}, []),
        ({"ss_tag_frequency": json.dumps({"a": 3, "b": {"t": "many", "u": True}})}, ["a", "b"]),
        (configured({"image_dir": "my-lora", "class_tokens": "p3rs0n", "img_count": 4}), ["p3rs0n"]),
        (configured({"image_dir": "my-lora", "class_tokens": None, "img_count": 4}), []),
        (configured({"image_dir": "10_sks man", "img_count": 4}), ["sks man"]),
        (
            configured(
                {"image_dir": "mine", "class_tokens": "sks man", "img_count": 4},
                {"image_dir": "reg", "class_tokens": "man", "img_count": 9, "is_reg": True},
                tags={"mine": {"smile": 4}, "reg": {"man": 9, "beard": 9}},
            ),
            ["sks man", "smile"],
        ),
        (
            {
                "ss_dataset_dirs": json.dumps({"10_sks man": {"img_count": 4}}),
                "ss_reg_dataset_dirs": json.dumps({"1_man": {"img_count": 9}}),
                "ss_tag_frequency": json.dumps({"10_sks man": {"smile": 4}, "1_man": {"man": 9}}),
            },
            ["sks man", "smile"],
        ),
        (
            {
                "ss_tag_frequency": json.dumps({"10_a": {"x": 4}, "1_man": {"man": 9}}),
                "ss_reg_dataset_dirs": json.dumps({"1_man": {}}),
            },
            ["a", "x"],
        ),
        ({"ss_datasets": json.dumps([7, {"subsets": [7, {}]}, {"subsets": 7}])}, []),
        ({"ss_datasets": "[" * 100_000}, []),
    ],
)
def test_trigger_words(metadata, words):
    assert trigger_words(metadata) == words


def test_words_of_several_loras_keep_their_order_and_come_once():
    assert joined_words([["sks", "Portrait"], [], ["portrait", "studio"]]) == ["sks", "Portrait", "studio"]


def test_tags_are_counted_over_all_folders():
    metadata = dataset(**{"1_a": (3, {"x": 3, "y": 1}), "1_b": (2, {"y": 2, "z": 2})})
    assert tags(metadata) == [("x", 3), ("y", 3), ("z", 2)]


def test_settings_and_licence():
    metadata = {
        "ss_learning_rate": "1e-4",
        "ss_steps": "1500",
        "ss_optimizer": "AdamW8bit",
        "ss_resolution": "(512, 512)",
        "ss_sd_model_name": "v1-5-pruned.safetensors",
        "ss_noise_offset": "None",
        "modelspec.license": "CC-BY-4.0",
    }
    found = training(metadata)
    assert found == {
        "base model file": "v1-5-pruned.safetensors",
        "learning rate": "1e-4",
        "optimizer": "AdamW8bit",
        "steps": "1500",
        "resolution": "(512, 512)",
    }
    assert licence(metadata) == "CC-BY-4.0"
    assert licence({}) == "not stated"


def test_strange_text_is_cut_and_cleaned():
    assert plain("a\x1b[31mred\x00\n  b") == "a[31mred b"
    assert plain("\u202eab\ud800\x9bc\u200b") == "abc"
    assert (
        plain("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645") == "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    )
    assert plain("x" * 1000) == "x" * 299 + "…"


def test_hashes(tmp_path):
    path = tmp_path / "a.safetensors"
    found = []
    for note in ("one", "another note"):
        save_file({"a": torch.arange(9.0)}, path, {"ss_note": note})
        header = read_header(path)
        found.append(hashes(path, header.data_start))
        assert found[-1]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found[0]["sha256"] != found[1]["sha256"]
    assert (
        found[0]["autov3"] == found[1]["autov3"] == hashlib.sha256(torch.arange(9.0).numpy().tobytes()).hexdigest()[:12]
    )
