"""Graphs of core nodes, a small foreign pack, and every way to break a graph by one input: for the preflight tests."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

Graph = dict[str, dict[str, Any]]

MODEL_FILES = {
    "checkpoints": ["base.safetensors"],
    "loras": ["sub/style.safetensors"],
    "controlnet": ["canny.safetensors"],
    "upscale_models": ["4x.pth"],
    "clip_vision": ["vision.safetensors"],
}

FOREIGN_PACK = '''
import pathlib, time

class Wait:
    """Holds the queue while the file exists, so that what is queued behind it never runs."""
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"file": ("STRING", {})}}
    RETURN_TYPES, FUNCTION, OUTPUT_NODE, CATEGORY = (), "wait", True, "test"
    def wait(self, file):
        while pathlib.Path(file).exists():
            time.sleep(0.05)
        return ()

class Anything(str):
    def __ne__(self, other):
        return False

class Lenient:
    """Takes values, types and ranges beyond its description, as many packs do."""
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "mode": (["one", "two"], {}),
                "amount": ("INT", {"default": 1, "min": 0, "max": 5}),
                "thing": ("IMAGE", {}),
                "colour": ("COLOUR_WIDGET", {}),
            },
            "optional": {"any": (Anything("*"), {})},
        }
    @classmethod
    def VALIDATE_INPUTS(cls, input_types, **kwargs):
        return True
    RETURN_TYPES, FUNCTION, OUTPUT_NODE, CATEGORY = (Anything("*"),), "do", True, "test"
    def do(self, **kwargs):
        return (None,)

class OwnModels:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model_name": (["own.gguf"], {})}}
    RETURN_TYPES, FUNCTION, OUTPUT_NODE, CATEGORY = ("MODEL",), "do", True, "test"
    def do(self, **kwargs):
        return (None,)

NODE_CLASS_MAPPINGS = {"ForeignWait": Wait, "ForeignLenient": Lenient, "ForeignModels": OwnModels}
'''


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """One node of a graph in API format."""
    return {"class_type": class_type, "inputs": inputs}


def sampler() -> Graph:
    """Text to image with a LoRA."""
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="base.safetensors"),
        "2": node(
            "LoraLoader",
            model=["1", 0],
            clip=["1", 1],
            lora_name="sub/style.safetensors",
            strength_model=1,
            strength_clip="0.5",
        ),
        "3": node("CLIPTextEncode", clip=["2", 1], text="a portrait"),
        "4": node("ConditioningZeroOut", conditioning=["3", 0]),
        "5": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "6": node(
            "KSampler",
            model=["2", 0],
            positive=["3", 0],
            negative=["4", 0],
            latent_image=["5", 0],
            seed=7,
            steps=2,
            cfg=7.5,
            sampler_name="euler",
            scheduler="normal",
            denoise=1,
        ),
        "7": node("VAEDecode", samples=["6", 0], vae=["1", 2]),
        "8": node("SaveImage", images=["7", 0], filename_prefix="x"),
    }


def advanced() -> Graph:
    """Custom sampling with a ControlNet, a photo, switches, an upscaler and a preview of anything."""
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="base.safetensors"),
        "2": node("LoadImage", image="me.png"),
        "3": node("ImageScale", image=["2", 0], upscale_method="lanczos", width=64, height=64, crop="center"),
        "4": node("VAEEncode", pixels=["3", 0], vae=["1", 2]),
        "5": node("CLIPTextEncode", clip=["1", 1], text=["14", 0]),
        "6": node("ControlNetLoader", control_net_name="canny.safetensors"),
        "7": node(
            "ControlNetApplyAdvanced",
            positive=["5", 0],
            negative=["5", 0],
            control_net=["6", 0],
            image=["3", 0],
            strength=1.0,
            start_percent=0.0,
            end_percent=1.0,
        ),
        "8": node("CFGGuider", model=["1", 0], positive=["7", 0], negative=["7", 1], cfg=5.0),
        "9": node("KSamplerSelect", sampler_name="dpmpp_2m"),
        "10": node("BasicScheduler", model=["1", 0], scheduler="karras", steps=4, denoise=0.5),
        "11": node("RandomNoise", noise_seed=1),
        "12": node(
            "SamplerCustomAdvanced",
            noise=["11", 0],
            guider=["8", 0],
            sampler=["9", 0],
            sigmas=["10", 0],
            latent_image=["4", 0],
        ),
        "13": node("VAEDecodeTiled", samples=["12", 1], vae=["1", 2], tile_size=512, overlap=64, temporal_size=64,
                   temporal_overlap=8),
        "14": node("PrimitiveString", value="words"),
        "15": node("UpscaleModelLoader", model_name="4x.pth"),
        "16": node("ImageUpscaleWithModel", upscale_model=["15", 0], image=["13", 0]),
        "17": node("PreviewImage", images=["16", 0]),
        "18": node("PreviewAny", source=["10", 0]),
        "19": node("MaskToImage", mask=["2", 1]),
        "20": node("PreviewImage", images=["19", 0]),
    }  # fmt: skip


def small() -> Graph:
    """What an input may be: values as words, a wrapped value, an input that nobody knows, a truth value as a word."""
    return {
        "1": node("EmptyImage", width="64", height=32.9, batch_size=1, color={"__value__": 5}, unknown=["99", 0]),
        "2": node("ImagePadForOutpaint", image=["1", 0], left=8, top=0, right=0, bottom=0, feathering=True),
        "3": node("SolidMask", value=1, width=64, height=64),
        "4": node(
            "ImageCompositeMasked", destination=["1", 0], source=["2", 0], x=0, y=0, resize_source="no", mask=["3", 0]
        ),
        "5": node("SaveImage", images=["4", 0], filename_prefix=12),
    }


def foreign() -> Graph:
    """A pack whose nodes take more than they say."""
    return {
        "1": node("SolidMask", value=1, width=64, height=64),
        "2": node("ForeignLenient", mode="three", amount=99, thing=["1", 0], colour="#ff0000", any=["1", 0]),
        "3": node("ForeignModels", model_name="own.gguf"),
        "4": node("PreviewAny", source=["2", 0]),
    }


GRAPHS = {"sampler": sampler, "advanced": advanced, "small": small, "foreign": foreign}


def broken(graph: Graph) -> Iterator[tuple[str, Graph]]:
    """`graph` with one thing wrong (or harmlessly changed), again and again, each with a name for it."""
    values: list[Any] = [None, "nonsense", "", -(10**9), 10**30, 0.5, True, [], [1], ["77", 0], {"__value__": 3}, "inf"]
    for number, entry in graph.items():
        for name in entry["inputs"]:
            yield f"{number}.{name} away", _changed(graph, number, name, away=True)
            for value in values:
                yield f"{number}.{name} = {value!r}", _changed(graph, number, name, value)
            for other in graph:
                for slot in (0, 1, 9):
                    yield f"{number}.{name} <- {other}:{slot}", _changed(graph, number, name, [other, slot])
        renamed = copy.deepcopy(graph)
        renamed[number]["class_type"] += "X"
        yield f"{number} of another class", renamed
        removed = {key: value for key, value in copy.deepcopy(graph).items() if key != number}
        yield f"{number} gone", removed


def _changed(graph: Graph, number: str, name: str, value: Any = None, *, away: bool = False) -> Graph:
    changed = copy.deepcopy(graph)
    if away:
        del changed[number]["inputs"][name]
    else:
        changed[number]["inputs"][name] = value
    return changed
