"""Captioning models from local folders: tiny BLIP, Florence-2 and LLaVA of the real architectures."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

import pytest
import torch

from likeness_studio.core import host
from likeness_studio.core.errors import (
    CaptionerUnusable,
    DependencyMissing,
    Interrupted,
    ModelMissing,
    UnsafePath,
    UnsafeWeights,
)
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.prompting import captioner
from likeness_studio.nodes.describe import MEASURED_ONLY, DescribePhoto


@pytest.fixture(autouse=True)
def _no_model_loaded():
    captioner._loaded.clear()


@pytest.fixture
def models(tiny, model_dir):
    """The model folder of a test, with copies of the tiny models that may be damaged."""
    shutil.copytree(tiny, model_dir / "captioning")
    return model_dir / "captioning"


def _said(name, picture):
    steps = []
    loaded = captioner.load_captioner(name)
    said = loaded.sentences(picture, lambda: steps.append(1))
    assert len(steps) == loaded.steps
    return said


def test_only_folders_with_a_config_are_listed(models):
    (models / "empty").mkdir()
    (models / "publisher" / "nested").mkdir(parents=True)
    shutil.copy(models / "tiny-blip" / "config.json", models / "publisher" / "nested")
    assert captioner.folders() == ["publisher/nested", "tiny-blip", "tiny-florence", "tiny-llava", "tiny-vqa"]
    (socket,) = [socket for socket in DescribePhoto.GET_SCHEMA().inputs if socket.id == "model"]
    assert socket.options["options"] == [MEASURED_ONLY, *captioner.folders()]


def test_blip_says_its_sentences(learnt, models):
    assert _said("tiny-blip", learnt.GREY) == [learnt.FREE, learnt.WORN, learnt.BEHIND]


def test_florence_says_its_sentence(learnt, models):
    assert _said("tiny-florence", learnt.GREY) == [learnt.FREE]


def test_a_chat_model_answers(learnt, models):
    assert _said("tiny-llava", learnt.GREY) == [learnt.FREE]


def test_a_model_without_a_chat_template_is_refused(models):
    (models / "tiny-llava" / "chat_template.jinja").unlink()
    with pytest.raises(CaptionerUnusable, match="no chat template"):
        captioner.load_captioner("tiny-llava")


def test_blip_for_questions_answers_them(learnt, models):
    said = _said("tiny-vqa", learnt.GREY)
    assert said[0].startswith("the person is wearing a ")
    assert said[-1].startswith("in the background there is ")


def test_a_model_is_loaded_once_and_again_when_it_changes(models):
    first = captioner.load_captioner("tiny-blip")
    assert captioner.load_captioner("tiny-blip") is first
    captioner.load_captioner("tiny-florence")
    assert len(captioner._loaded) == 1
    again = captioner.load_captioner("tiny-blip")
    assert again is not first
    (models / "tiny-blip" / "added.txt").write_text("new")
    assert captioner.load_captioner("tiny-blip") is not again


def test_a_changed_model_describes_again(models):
    fingerprint = DescribePhoto.fingerprint_inputs
    before = fingerprint(model="tiny-blip", image=None)
    assert fingerprint(model="tiny-blip", image=None) == before
    (models / "tiny-blip" / "added.txt").write_text("new")
    assert fingerprint(model="tiny-blip", image=None) != before
    assert fingerprint(model=MEASURED_ONLY, image=None) is None
    assert fingerprint(model=None, image=None) is None
    with pytest.raises(ModelMissing):
        fingerprint(model="absent", image=None)


def test_a_large_photo_is_given_to_the_model_small(learnt, models, monkeypatch):
    loaded: Any = captioner.load_captioner("tiny-blip")
    seen = []
    monkeypatch.setattr(loaded, "_said", lambda picture, step: seen.append(picture.size) or ["said"])
    large = learnt.GREY.resize((6000, 3000))
    assert loaded.sentences(large, lambda: None) == ["said"]
    loaded.sentences(learnt.GREY, lambda: None)
    assert seen == [(1344, 672), learnt.GREY.size]
    assert large.size == (6000, 3000)


def test_stop_ends_a_caption(learnt, models, tmp_path):
    loaded = captioner.load_captioner("tiny-florence")
    here = host.LocalHost(tmp_path, tmp_path, tmp_path, interrupted=lambda: True)
    with host.use(here), pytest.raises(Interrupted):
        loaded.sentences(learnt.GREY, lambda: None)


def test_pickles_are_refused(models):
    (models / "tiny-blip" / "model.safetensors").rename(models / "tiny-blip" / "pytorch_model.bin")
    with pytest.raises(UnsafeWeights, match=r"pytorch_model\.bin"):
        captioner.load_captioner("tiny-blip")
    (models / "tiny-blip" / "pytorch_model.bin").rename(models / "tiny-blip" / "readme.txt")
    with pytest.raises(CaptionerUnusable, match="no weights"):
        captioner.load_captioner("tiny-blip")
    (models / "tiny-florence" / "model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(UnsafeWeights, match=r"model\.safetensors"):
        captioner.load_captioner("tiny-florence")


def test_code_in_a_folder_is_not_run(models, tmp_path):
    trap = tmp_path / "ran"
    folder = models / "tiny-blip"
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "surprise",
        "auto_map": {
            "AutoConfig": "code.Config",
            "AutoModelForImageTextToText": "code.Model",
            "AutoProcessor": "code.Processor",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(trap)!r}, 'w').close()")
    with pytest.raises(CaptionerUnusable, match="surprise"):
        captioner.load_captioner("tiny-blip")
    assert not trap.exists()


def test_folders_that_are_no_captioner(models):
    with pytest.raises(ModelMissing, match="'absent'"):
        captioner.load_captioner("absent")
    with pytest.raises(UnsafePath):
        captioner.load_captioner("../../secret")
    config = models / "tiny-blip" / "config.json"
    good = config.read_text()
    for text, said in (("{", "cannot be read"), ("[]", "no model_type"), ("{}", "no model_type")):
        config.write_text(text)
        with pytest.raises(CaptionerUnusable, match=said):
            captioner.load_captioner("tiny-blip")
    config.write_text(good)
    (models / "tiny-florence" / "tokenizer.json").unlink()
    with pytest.raises(CaptionerUnusable, match=r"none of tokenizer\.json"):
        captioner.load_captioner("tiny-florence")


def test_a_broken_link_is_named_and_a_link_out_of_the_folder_is_not_listed(models, tmp_path):
    """As a copied cache of its publisher's downloads leaves them behind."""
    file = models / "tiny-blip" / "model.safetensors"
    file.unlink()
    file.symlink_to(tmp_path / "blobs" / "gone")
    with pytest.raises(CaptionerUnusable, match=r"model\.safetensors is a link to nothing"):
        captioner.load_captioner("tiny-blip")
    (models / "tiny-florence").rename(tmp_path / "elsewhere")
    (models / "tiny-florence").symlink_to(tmp_path / "elsewhere")
    assert "tiny-florence" not in captioner.folders()
    with pytest.raises(UnsafePath):
        captioner.load_captioner("tiny-florence")


def test_a_caption_that_fails_leaves_the_device(learnt, models, monkeypatch):
    loaded: Any = captioner.load_captioner("tiny-blip")
    moves = []

    def full(device):
        moves.append(str(device))
        if len(moves) == 1:
            raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(loaded._model, "to", full)
    with pytest.raises(torch.OutOfMemoryError):
        loaded.sentences(learnt.GREY, lambda: None)
    assert moves[-1] == "cpu"
    assert len(moves) == 2


def test_weights_of_another_model_are_refused(models):
    shutil.copy(models / "tiny-florence" / "model.safetensors", models / "tiny-blip" / "model.safetensors")
    with pytest.raises(CaptionerUnusable, match="are not in the file"):
        captioner.load_captioner("tiny-blip")


def test_a_truncated_file_is_refused(models):
    file = models / "tiny-blip" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(CaptionerUnusable, match="tiny-blip"):
        captioner.load_captioner("tiny-blip")


def test_files_that_do_not_belong_together_are_named(learnt, models):
    file = models / "tiny-florence" / "processor_config.json"
    parts = json.loads(file.read_text())
    parts["image_processor"]["image_seq_length"] = 9
    file.write_text(json.dumps(parts))
    with pytest.raises(CaptionerUnusable, match="tiny-florence"):
        captioner.load_captioner("tiny-florence").sentences(learnt.GREY, lambda: None)


def test_a_hostile_chat_template_runs_no_code(learnt, models, tmp_path):
    trap = tmp_path / "ran"
    template = "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ cycler.__init__.__globals__.os.mknod('TRAP') }}"
    (models / "tiny-llava" / "chat_template.jinja").write_text(template.replace("TRAP", str(trap)))
    with pytest.raises(CaptionerUnusable, match="tiny-llava"):
        captioner.load_captioner("tiny-llava").sentences(learnt.GREY, lambda: None)
    assert not trap.exists()


def test_half_precision_says_the_same(learnt, models):
    loaded: Any = captioner.load_captioner("tiny-blip")
    loaded._dtype = torch.float16
    loaded._model.half()
    assert loaded.sentences(learnt.GREY, lambda: None) == [learnt.FREE, learnt.WORN, learnt.BEHIND]


def test_without_transformers(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DependencyMissing, match="pip install transformers"):
        captioner.load_captioner("tiny-blip")


def test_the_node_puts_caption_and_measures_together(engine, models, astronaut, tmp_path):
    done = []
    here = host.LocalHost(tmp_path, tmp_path, tmp_path, on_progress=lambda at, total: done.append((at, total)))
    with host.use(here):
        output = DescribePhoto.execute(load_photo(astronaut)[0], "tiny-blip", engine=engine)
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    fields = json.loads(output[2])["fields"]
    assert (fields["attire"]["value"], fields["attire"]["source"]) == ("grey suit", "caption")
    assert fields["glasses"]["value"] == "wearing glasses"
    assert fields["pose"]["source"] == "measured"
    assert output[0].fields["expression"] == "smiling"
    assert output[0].models == ["tiny-blip"]
    assert "smiling, wearing glasses, grey suit, facing the camera" in output[1]
    assert [used["use"] for used in output.ui["models"]] == ["face detection", "captioning"]
