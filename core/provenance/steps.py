"""What a node of a graph does to pixels: what a statement about the making of a picture rests on.

A node without facts is unknown, and nothing is stated about a picture that it had a part in. Nodes whose pixels
come out of a trained network that was made to invent them generate; that includes a VAE's decoder, also without a
sampler before it, networks that enlarge or restore, and Swap Face, whose network draws a new face. Restore Face does
not: it moves the photo's own pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..node_facts import Effect, facts_of

GENERATING_WORDS = (
    "ksampler",
    "samplercustom",
    "vaedecode",
    "inpaint",
    "outpaint",
    "txt2img",
    "img2img",
    "texttoimage",
    "imagetoimage",
    "faceswap",
    "swapface",
    "reactor",
    "restoreface",
    "facerestore",
    "facedetailer",
    "ultimatesdupscale",
    "upscalewithmodel",
    "supir",
    "photomakerencode",
    "openai",
    "dalle",
    "stabilitystable",
    "ideogram",
    "recraft",
    "fluxpro",
    "fluxkontext",
    "geminiimage",
)
"""Words in the class names of other packs and of nodes that call services: a picture made by one is generated. A name
without any of them is unknown, not harmless."""

PIXELS_OF_LATENTS = frozenset({"latent_image", "samples", "pixels", "image", "images"})
"""Inputs of a generating node by which a photo's own pixels go on; by the others (prompts, references) they do not."""


def effect(node: Mapping[str, Any]) -> Effect:
    """What a node of an API-format graph does: as its facts say, also for the values that it was given."""
    name, inputs = str(node.get("class_type", "")), node.get("inputs") or {}
    facts = facts_of(name)
    if facts is None:
        letters = "".join(filter(str.isalnum, name)).lower()
        return Effect.GENERATES if any(word in letters for word in GENERATING_WORDS) else Effect.UNKNOWN
    if facts.effect_when is not None:
        given, values, other = facts.effect_when
        if any(inputs.get(given) is value or inputs.get(given) == value for value in values):
            return other
    return facts.effect
