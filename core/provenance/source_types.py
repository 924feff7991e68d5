"""IPTC's vocabulary for where a picture comes from (Digital Source Type NewsCodes, release of 2024-10-23)."""

from __future__ import annotations

from typing import Final

VOCABULARY: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""What the terms' identifiers start with; http is part of the name."""

ALGORITHMIC = VOCABULARY + "algorithmicMedia"
"""Made by an algorithm alone, from no sampled content."""

ENHANCED = VOCABULARY + "algorithmicallyEnhanced"
"""Modified by algorithm without a change of the main content, set up by a human."""

COMPOSITE = VOCABULARY + "composite"
"""A mix of several elements, of which each may be generated or not."""

COMPOSITE_SYNTHETIC = VOCABULARY + "compositeSynthetic"
"""A mix of several elements of which at least one is generated."""

EDITED_BY_GENERATION = VOCABULARY + "compositeWithTrainedAlgorithmicMedia"
"""A picture that a generative model augmented, corrected or enhanced, such as by inpainting."""

GENERATED = VOCABULARY + "trainedAlgorithmicMedia"
"""Made by a model that was trained on captured content."""

GENERATIVE = frozenset({GENERATED, EDITED_BY_GENERATION, COMPOSITE_SYNTHETIC})
"""What says that generation had a part."""

UNDECIDED = frozenset({COMPOSITE, VOCABULARY + "virtualRecording"})
"""What leaves open whether generation had a part."""


TERMS = (
    "digitalCapture",
    "computationalCapture",
    "negativeFilm",
    "positiveFilm",
    "print",
    "minorHumanEdits",
    "humanEdits",
    "compositeWithTrainedAlgorithmicMedia",
    "algorithmicallyEnhanced",
    "softwareImage",
    "digitalArt",
    "digitalCreation",
    "dataDrivenMedia",
    "trainedAlgorithmicMedia",
    "algorithmicMedia",
    "screenCapture",
    "virtualRecording",
    "composite",
    "compositeCapture",
    "compositeSynthetic",
)
"""All terms, the retired ones too."""


def normalised(value: str) -> str:
    """A term as the vocabulary writes it: some programs write https, the qcode ``digsrctype:…`` or the bare term."""
    text = value.strip()
    if text.lower().startswith("https://cv.iptc.org/"):
        text = "http" + text[len("https") :]
    bare = text[len("digsrctype:") :] if text.lower().startswith("digsrctype:") else text
    if bare.lower().startswith(VOCABULARY.lower()):
        bare = bare[len(VOCABULARY) :]
    known = {term.lower(): term for term in TERMS}.get(bare.lower())
    if known is not None:
        return VOCABULARY + known
    return VOCABULARY + bare if bare and ":" not in bare and "/" not in bare else text


def short(value: str) -> str:
    """The bare term of one of the vocabulary, anything else unchanged."""
    return value.removeprefix(VOCABULARY)


COMPOSED = frozenset({COMPOSITE, VOCABULARY + "compositeCapture"})
"""Several pictures in one: a replaced background is that, too."""

CHANGED = frozenset(
    {ALGORITHMIC, ENHANCED}
    | {VOCABULARY + term for term in ("humanEdits", "softwareImage", "digitalArt", "digitalCreation")}
    | {VOCABULARY + term for term in ("virtualRecording", "dataDrivenMedia", "compositeSynthetic")}
)
"""What is no photo, or was edited. Minor edits are not among them: cutting is one."""
