"""Tiny captioning models of the real architectures that learnt one sentence, in the folder layout that is read."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch
from PIL import Image

transformers: Any = importlib.import_module("transformers")

FREE = "a person with glasses smiling in front of a bookshelf"
WORN = "the person is wearing a grey suit"
BEHIND = "the background is blurred"
GREY = Image.new("RGB", (64, 64), (127, 127, 127))
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
ASKED = "what is the person wearing ? in background color ' s hair there yes"
STEPS = 400
LEARNT = 0.1


def build(root: Path) -> None:
    """tiny-blip, tiny-florence and tiny-llava know a sentence; tiny-vqa answers at random."""
    _tiny_blip(root / "tiny-blip")
    _tiny_florence(root / "tiny-florence")
    _tiny_vqa(root / "tiny-vqa")
    _tiny_llava(root / "tiny-llava")


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
    image_processor: Any = CLIPImageProcessorPil(size={"height": 64, "width": 64}, do_center_crop=False)
    image_processor.image_seq_length = 5
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
