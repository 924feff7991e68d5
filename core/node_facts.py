"""What is known of a node class besides its sockets: what it does to pixels, reads, loads and judges.

This pack's nodes each state their own facts (`FACTS` on the class); core's nodes of ComfyUI have one table here. A
class that is in neither is not known, and nothing is claimed of what it had a part in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Effect(StrEnum):
    """What a node does to the pixels of the picture that is saved in the end."""

    READS = "reads"
    """Brings a picture file in."""
    DRAWS = "draws"
    """Makes pixels by a formula, from no picture and no trained network."""
    PASSES = "passes on"
    """Selects whole pictures, shows or saves them, as they are."""
    CUTS = "cuts"
    """Cuts, turns or resizes."""
    ADJUSTS = "adjusts"
    """Changes values by a formula or by given colours: light, sharpness, margins."""
    COMBINES = "combines"
    """Puts several pictures, or a picture and drawn lines or colours, into one."""
    ANALYSES = "analyses"
    """Gives masks, numbers, texts, settings: nothing of what is seen in the picture."""
    GENERATES = "generates"
    """Lets a trained network make pixels."""
    UNKNOWN = "unknown"
    """Not on the list."""


FileKind = Literal["photo", "folder", "identity", "audio", "video"]

ENGINE = ("yunet", "sface")
"""The networks of the default face engine: used by a node that takes an engine and was given none."""

MESH = ("face_mesh", "iris")
"""The networks of the dense landmarks, on which a photo's quality is measured."""

CROPPED, RESIZED, TURNED = "c2pa.cropped", "c2pa.resized", "c2pa.orientation"
COLOURED, EDITED = "c2pa.color_adjustments", "c2pa.edited"
"""Actions of the C2PA specification 2.2, 18.15."""


@dataclass(frozen=True)
class NodeFacts:
    """The facts of one node class.

    `effect_when`: an input, values of it, and the effect that the node has with one of these. `pictures`: the outputs
    with a picture, of a node that also gives numbers or texts; None where every output counts. `reads`: the input that
    names the user's own file or folder, and what is in it. `loads`: networks that no input names; a face engine that
    is given takes the place of `ENGINE`. `judges`: whether it says yes or no to a picture, and by what. `actions`:
    what it does to the picture in the words of C2PA. `seeds_face`: whether another seed makes another face.
    `retouches`: switches and strengths by which it changes how the person looks; with all off it passes pictures on.
    `pastes_face`: the photo's own face goes into its picture. `swaps_by`: the recogniser that steers its new face.
    `shows`: it is no output node, and reports are made of what it shows.
    """

    effect: Effect
    effect_when: tuple[str, tuple[object, ...], Effect] | None = None
    pictures: tuple[int, ...] | None = None
    reads: tuple[str, FileKind] | None = None
    loads: tuple[str, ...] = ()
    judges: Literal["identity", "rules"] | None = None
    actions: tuple[str, ...] = ()
    seeds_face: bool = True
    pastes_face: bool = False
    swaps_by: str | None = None
    retouches: tuple[str, ...] = ()
    shows: bool = False


_BY_EFFECT = {
    Effect.READS: "LoadImageOutput",
    Effect.DRAWS: "EmptyImage SolidMask",
    Effect.PASSES: "ImageFromBatch RepeatImageBatch RebatchImages PreviewImage SaveImage MaskPreview",
    Effect.CUTS: "ImageBatch SplitImageWithAlpha",
    Effect.ADJUSTS: (
        "ImageInvert ImageBlur ImageSharpen ImageQuantize ImageAddNoise ImagePadForOutpaint ResizeAndPadImage Canny "
        "Morphology ImageRGBToYUV ImageYUVToRGB JoinImageWithAlpha MaskToImage"
    ),
    Effect.COMBINES: "ImageBlend ImageStitch ImageCompositeMasked PorterDuffImageComposite",
    Effect.ANALYSES: (
        "ImageToMask ImageColorToMask InvertMask CropMask FeatherMask GrowMask MaskComposite ThresholdMask "
        "PreviewAny PrimitiveString PrimitiveStringMultiline PrimitiveInt PrimitiveFloat PrimitiveBoolean "
        "CaseConverter RegexExtract RegexMatch RegexReplace StringCompare StringConcatenate StringContains "
        "StringLength StringReplace StringSubstring StringTrim"
    ),
    Effect.GENERATES: (
        "KSampler KSamplerAdvanced SamplerCustom SamplerCustomAdvanced VAEDecode VAEDecodeTiled ImageUpscaleWithModel"
    ),
}

CORE_NODES: Mapping[str, NodeFacts] = {
    **{name: NodeFacts(effect) for effect, names in _BY_EFFECT.items() for name in names.split()},
    "LoadImage": NodeFacts(Effect.READS, reads=("image", "photo")),
    "LoadImageMask": NodeFacts(Effect.READS, reads=("image", "photo")),
    "LoadAudio": NodeFacts(Effect.ANALYSES, reads=("audio", "audio")),
    "LoadVideo": NodeFacts(Effect.READS, reads=("file", "video")),
    "GetImageSize": NodeFacts(Effect.PASSES, pictures=()),
    "ImageCrop": NodeFacts(Effect.CUTS, actions=(CROPPED,)),
    "ImageScale": NodeFacts(Effect.CUTS, actions=(RESIZED,)),
    "ImageScaleBy": NodeFacts(Effect.CUTS, actions=(RESIZED,)),
    "ImageScaleToTotalPixels": NodeFacts(Effect.CUTS, actions=(RESIZED,)),
    "ImageScaleToMaxDimension": NodeFacts(Effect.CUTS, actions=(RESIZED,)),
    "FluxKontextImageScale": NodeFacts(Effect.CUTS, actions=(RESIZED,)),
    "ImageFlip": NodeFacts(Effect.CUTS, actions=(TURNED,)),
    "ImageRotate": NodeFacts(Effect.CUTS, actions=(TURNED,)),
}
"""Core's nodes of ComfyUI 0.3.64 that are known."""

OUR_PREFIX = "Likeness"

_describe: Callable[[], Mapping[str, NodeFacts]] | None = None
_ours: Mapping[str, NodeFacts] | None = None


def set_facts_of_our_nodes(describe: Callable[[], Mapping[str, NodeFacts]]) -> None:
    """Say who knows the facts of this pack's nodes; `describe` is asked once, when a fact of one is first needed."""
    global _describe, _ours
    _describe, _ours = describe, None


def facts_of_our_nodes() -> Mapping[str, NodeFacts]:
    """The facts of this pack's nodes, by class."""
    global _ours
    if _ours is None:
        _ours = {} if _describe is None else dict(_describe())
    return _ours


def facts_of(class_type: object) -> NodeFacts | None:
    """The facts of a node class by the name that graphs give it; None where nothing is known."""
    name = str(class_type)
    return facts_of_our_nodes().get(name) if name.startswith(OUR_PREFIX) else CORE_NODES.get(name)
