"""Captioning models from local folders: tiny BLIP and Florence-2 of the real architectures that learnt one sentence."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from likeness_studio.nodes import host
from likeness_studio.nodes.errors import (
    CaptionerUnusable,
    DependencyMissing,
    Interrupted,
    ModelMissing,
    UnsafePath,
    UnsafeWeights,
)
from likeness_studio.nodes.identity.engines import load_engine
from likeness_studio.nodes.models import store
from likeness_studio.nodes.photos import load_photo, to_pil
from likeness_studio.nodes.prompting import captioner
from likeness_studio.nodes.prompting.describe_node import MEASURED_ONLY, DescribePhoto
from likeness_studio.nodes.prompting.traits import NOT_SAID, kinds

ROOT = Path(__file__).parents[2]
transformers = pytest.importorskip("transformers")

FREE = "a person with glasses smiling in front of a bookshelf"
WORN = "the person is wearing a grey suit"
BEHIND = "the background is blurred"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
ASKED = "what is the person wearing ? in background color ' s hair there yes"
STEPS = 400
LEARNT = 0.1
GREY = to_pil(torch.full((64, 64, 3), 0.5))


def _learn(model, loss, rate=5e-3):
    optimiser = torch.optim.Adam(model.parameters(), rate)
    model.train()
    value = loss()
    for _ in range(STEPS):
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
        if float(value.detach()) < LEARNT:
            break
    return model.eval()


def _blip_parts():
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    words = dict.fromkeys([*SPECIAL, *f"{FREE} {WORN} {BEHIND} {ASKED}".split()])
    tokenizer = transformers.BertTokenizer(
        vocab={word: index for index, word in enumerate(words)}, additional_special_tokens=["[DEC]"]
    )
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"bos_token_id": 5, "eos_token_id": 2, "pad_token_id": 0, "sep_token_id": 3}
    config = transformers.BlipConfig(
        text_config=tower | ids | {"vocab_size": len(words), "encoder_hidden_size": 32, "max_position_embeddings": 64},
        vision_config=tower | {"image_size": 32, "patch_size": 16},
        projection_dim=16,
        image_text_hidden_size=16,
    )
    image_processor = BlipImageProcessorPil(size={"height": 32, "width": 32})
    return config, transformers.BlipProcessor(image_processor, tokenizer), tokenizer


def _tiny_blip(folder):
    torch.manual_seed(0)
    config, processor, tokenizer = _blip_parts()
    model = transformers.BlipForConditionalGeneration(config)
    tokens = tokenizer([FREE, FREE, FREE, WORN, BEHIND], padding=True, return_tensors="pt")
    tokens["input_ids"][:, 0] = 5
    labels = tokens["input_ids"].masked_fill(tokens["attention_mask"] == 0, -100)
    pixels = torch.zeros(5, 3, 32, 32)
    _learn(model, lambda: model(pixels, tokens["input_ids"], tokens["attention_mask"], labels=labels).loss)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _tiny_vqa(folder):
    torch.manual_seed(0)
    config, processor, _ = _blip_parts()
    transformers.BlipForQuestionAnswering(config).save_pretrained(folder)
    processor.save_pretrained(folder)


def _letters():
    """A tokenizer with a token for each byte."""
    from tokenizers.pre_tokenizers import ByteLevel

    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<image>", *sorted(ByteLevel.alphabet())]
    return transformers.BartTokenizer(
        vocab={name: index for index, name in enumerate(names)},
        merges=[],
        extra_special_tokens={"image_token": "<image>"},
    )


def _tiny_florence(folder):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    tokenizer = _letters()
    text = transformers.BartConfig(
        **dict.fromkeys(("encoder_layers", "decoder_layers"), 1),
        **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2),
        **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 64),
        vocab_size=len(tokenizer),
        d_model=48,
        dropout=0.0,
        max_position_embeddings=512,
    )
    four = (1, 1, 1, 1)
    vision = {"depths": four, "embed_dim": (8, 8, 16, 16), "num_heads": four, "num_groups": four}
    config = transformers.Florence2Config(
        text_config=text.to_dict(),
        vision_config=vision | {"window_size": 2, "projection_dim": 48, "drop_path_rate": 0.0},
        image_token_id=tokenizer.image_token_id,
    )
    model = transformers.Florence2ForConditionalGeneration(config)
    image_processor = CLIPImageProcessorPil(size={"height": 64, "width": 64}, do_center_crop=False)
    image_processor.image_seq_length = 5  # pyright: ignore[reportAttributeAccessIssue]
    processor = transformers.Florence2Processor(image_processor, tokenizer)
    inputs = processor(images=GREY, text="<MORE_DETAILED_CAPTION>", return_tensors="pt")
    labels = tokenizer(FREE, return_tensors="pt").input_ids
    _learn(model, lambda: model(**inputs, labels=labels).loss)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _tiny_llava(folder):
    from tokenizers.processors import ByteLevel
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

    torch.manual_seed(0)
    backend = _letters().backend_tokenizer
    backend.post_processor = ByteLevel(trim_offsets=False)
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, extra_special_tokens={"image_token": "<image>"}, **names
    )
    tower = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    text = transformers.LlamaConfig(**tower, **ids, vocab_size=len(tokenizer), max_position_embeddings=512)
    vision = transformers.CLIPVisionConfig(**tower, image_size=32, patch_size=16, projection_dim=16)
    config = transformers.LlavaConfig(
        vision_config=vision.to_dict(),
        text_config=text.to_dict(),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    model = transformers.LlavaForConditionalGeneration(config)
    side = {"height": 32, "width": 32}
    processor = transformers.LlavaProcessor(
        LlavaImageProcessorPil(size={"shortest_edge": 32}, crop_size=side),
        tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=(
            "{% for message in messages %}{% for part in message['content'] %}"
            "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'][:8] }}{% endif %}"
            "{% endfor %}{% endfor %}:"
        ),
    )
    request = processor(images=[GREY], text=["<image>Describe:" + FREE + "</s>"], return_tensors="pt")
    asked = processor(images=[GREY], text=["<image>Describe:"], return_tensors="pt")["input_ids"].shape[1]
    labels = request["input_ids"].clone()
    labels[:, :asked] = -100
    _learn(model, lambda: model(**request, labels=labels).loss)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder of captioning models: tiny-blip and tiny-florence know a sentence, tiny-vqa answers at random."""
    root = tmp_path_factory.mktemp("captioners")
    _tiny_blip(root / "tiny-blip")
    _tiny_florence(root / "tiny-florence")
    _tiny_vqa(root / "tiny-vqa")
    _tiny_llava(root / "tiny-llava")
    return root


@pytest.fixture(autouse=True)
def _no_model_loaded():
    captioner._loaded.clear()


@pytest.fixture
def models(tiny, model_dir):
    """The model folder of a test, with copies of the tiny models that may be damaged."""
    shutil.copytree(tiny, model_dir / "captioning")
    return model_dir / "captioning"


@pytest.fixture(scope="session")
def engine():
    return load_engine(device="cpu")


def _said(name):
    steps = []
    loaded = captioner.load_captioner(name)
    said = loaded.sentences(GREY, lambda: steps.append(1))
    assert len(steps) == loaded.steps
    return said


def test_only_folders_with_a_config_are_listed(models):
    (models / "empty").mkdir()
    (models / "publisher" / "nested").mkdir(parents=True)
    shutil.copy(models / "tiny-blip" / "config.json", models / "publisher" / "nested")
    assert captioner.folders() == ["publisher/nested", "tiny-blip", "tiny-florence", "tiny-llava", "tiny-vqa"]
    (socket,) = [socket for socket in DescribePhoto.GET_SCHEMA().inputs if socket.id == "model"]
    assert socket.options["options"] == [MEASURED_ONLY, *captioner.folders()]


def test_blip_says_its_sentences(models):
    assert _said("tiny-blip") == [FREE, WORN, BEHIND]


def test_florence_says_its_sentence(models):
    assert _said("tiny-florence") == [FREE]


def test_a_chat_model_answers(models):
    assert _said("tiny-llava") == [FREE]


def test_a_model_without_a_chat_template_is_refused(models):
    (models / "tiny-llava" / "chat_template.jinja").unlink()
    with pytest.raises(CaptionerUnusable, match="no chat template"):
        captioner.load_captioner("tiny-llava")


def test_blip_for_questions_answers_them(models):
    said = _said("tiny-vqa")
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


def test_stop_ends_a_caption(models, tmp_path):
    loaded = captioner.load_captioner("tiny-florence")
    here = host.LocalHost(tmp_path, tmp_path, tmp_path, interrupted=lambda: True)
    with host.use(here), pytest.raises(Interrupted):
        loaded.sentences(GREY, lambda: None)


def test_pickles_are_refused(models):
    (models / "tiny-blip" / "model.safetensors").rename(models / "tiny-blip" / "pytorch_model.bin")
    with pytest.raises(UnsafeWeights, match=r"pytorch_model\.bin is a pickle"):
        captioner.load_captioner("tiny-blip")
    (models / "tiny-blip" / "pytorch_model.bin").rename(models / "tiny-blip" / "readme.txt")
    with pytest.raises(CaptionerUnusable, match="no weights"):
        captioner.load_captioner("tiny-blip")
    (models / "tiny-florence" / "model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(UnsafeWeights, match="not a safetensors file"):
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


def test_weights_of_another_model_are_refused(models):
    shutil.copy(models / "tiny-florence" / "model.safetensors", models / "tiny-blip" / "model.safetensors")
    with pytest.raises(CaptionerUnusable, match="are not in the file"):
        captioner.load_captioner("tiny-blip")


def test_a_truncated_file_is_refused(models):
    file = models / "tiny-blip" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(CaptionerUnusable, match="tiny-blip"):
        captioner.load_captioner("tiny-blip")


def test_files_that_do_not_belong_together_are_named(models):
    file = models / "tiny-florence" / "processor_config.json"
    parts = json.loads(file.read_text())
    parts["image_processor"]["image_seq_length"] = 9
    file.write_text(json.dumps(parts))
    with pytest.raises(CaptionerUnusable, match="'tiny-florence' failed on a picture"):
        captioner.load_captioner("tiny-florence").sentences(GREY, lambda: None)


def test_a_hostile_chat_template_runs_no_code(models, tmp_path):
    trap = tmp_path / "ran"
    template = "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ cycler.__init__.__globals__.os.mknod('TRAP') }}"
    (models / "tiny-llava" / "chat_template.jinja").write_text(template.replace("TRAP", str(trap)))
    with pytest.raises(CaptionerUnusable, match="failed on a picture"):
        captioner.load_captioner("tiny-llava").sentences(GREY, lambda: None)
    assert not trap.exists()


def test_half_precision_says_the_same(models):
    loaded: Any = captioner.load_captioner("tiny-blip")
    loaded._dtype = torch.float16
    loaded._model.half()
    assert loaded.sentences(GREY, lambda: None) == [FREE, WORN, BEHIND]


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


@pytest.fixture(scope="module")
def server(tiny, engine, tmp_path_factory):
    """A real ComfyUI whose model folder holds the face models and the tiny captioners."""
    base = tmp_path_factory.mktemp("comfyui_captioning")
    folder = base / "models" / "likeness"
    shutil.copytree(tiny, folder / "captioning")
    for path in store.paths("yunet", "sface"):
        shutil.copy(path, folder)
    shutil.copy(ROOT / "runner" / "demo.jpg", _made(base / "input"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LIKENESS_MODELS", raising=False)
        process, running = _start(base)
    try:
        yield running
    finally:
        process.terminate()
        process.wait(20)


def _made(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _start(base):
    spec = importlib.util.spec_from_file_location("likeness_conftest", ROOT / "tests" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.start_comfyui(base)


def _run(server, graph):
    answer = httpx.post(f"{server.url}/prompt", json={"prompt": graph}, timeout=30).json()
    assert not answer.get("node_errors"), answer
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        history = httpx.get(f"{server.url}/history/{answer['prompt_id']}", timeout=30).json()
        if history:
            entry = history[answer["prompt_id"]]
            assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
            return entry["outputs"]
        time.sleep(0.2)
    return pytest.fail(server.log_text()[-3000:])


def _node(name, **inputs):
    return {"class_type": name, "inputs": inputs}


@pytest.mark.comfyui
@pytest.mark.parametrize("model", [MEASURED_ONLY, "tiny-blip", "tiny-florence"])
def test_both_nodes_on_a_real_server(server, model):
    graph = {
        "1": _node("LoadImage", image="demo.jpg"),
        "2": _node("LikenessDescribePhoto", image=["1", 0], model=model),
        "3": _node(
            "LikenessKeepTraits",
            description=["2", 0],
            more="mole on the left cheek",
            **dict.fromkeys(kinds(), NOT_SAID) | {"facial_hair": "clean-shaven"},
        ),
        "4": _node("PreviewAny", source=["2", 2]),
        "5": _node("PreviewAny", source=["3", 0]),
    }
    outputs = _run(server, graph)
    fields = json.loads(outputs["4"]["text"][0])["fields"]
    assert fields["pose"]["value"] == "facing the camera"
    assert ("glasses" in fields) == (model != MEASURED_ONLY)
    glasses = "" if model == MEASURED_ONLY else "wearing glasses, "
    assert outputs["5"]["text"][0] == f"{glasses}clean-shaven, mole on the left cheek"
    assert outputs["2"]["models"][0]["use"] == "face detection"


@pytest.mark.comfyui
def test_the_real_server_lists_the_captioners(server):
    info = httpx.get(f"{server.url}/object_info/LikenessDescribePhoto", timeout=30).json()
    options = info["LikenessDescribePhoto"]["input"]["required"]["model"][1]["options"]
    assert options == [MEASURED_ONLY, "tiny-blip", "tiny-florence", "tiny-llava", "tiny-vqa"]
