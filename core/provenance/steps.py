"""What each known node does to pixels: the list that a statement about the making of a picture rests on.

A node that is not listed is unknown, and nothing is stated about a picture that it had a part in. Nodes whose pixels
come out of a trained network that was made to invent them generate; that includes a VAE's decoder, also without a
sampler before it, networks that enlarge or restore, and Swap Face, whose network draws a new face. Restore Face does
not: it moves the photo's own pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


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


MAKE_ID_PHOTO, SWAP_FACE = "LikenessMakeIDPhoto", "LikenessSwapFace"

_BY_EFFECT = {
    Effect.READS: "LoadImage LoadImageMask LoadImageOutput LikenessLoadPhotos",
    Effect.DRAWS: "EmptyImage SolidMask LikenessStudioBackdrop",
    Effect.PASSES: (
        "ImageFromBatch RepeatImageBatch RebatchImages GetImageSize PreviewImage SaveImage MaskPreview "
        "LikenessGate LikenessKeepBest LikenessStartMeasuring LikenessStopMeasuring LikenessSaveWithProvenance "
        "LikenessEnrollIdentity"
    ),
    Effect.CUTS: (
        "ImageScale ImageScaleBy ImageScaleToTotalPixels ImageScaleToMaxDimension ImageCrop ImageFlip ImageRotate "
        "ImageBatch SplitImageWithAlpha LikenessFrameHeadshot"
    ),
    Effect.ADJUSTS: (
        "ImageInvert ImageBlur ImageSharpen ImageQuantize ImageAddNoise ImagePadForOutpaint ResizeAndPadImage Canny "
        "Morphology ImageRGBToYUV ImageYUVToRGB JoinImageWithAlpha MaskToImage LikenessRefineMatte"
    ),
    Effect.COMBINES: (
        "ImageBlend ImageStitch ImageCompositeMasked PorterDuffImageComposite "
        "LikenessComposePortrait LikenessRestoreFace LikenessCompareLikeness LikenessCheckLikeness "
        "LikenessMakeIDPhoto LikenessCheckIDPhoto LikenessCheckSelfie LikenessPrintSheet"
    ),
    Effect.ANALYSES: (
        "ImageToMask ImageColorToMask InvertMask CropMask FeatherMask GrowMask MaskComposite ThresholdMask "
        "PreviewAny PrimitiveString PrimitiveStringMultiline PrimitiveInt PrimitiveFloat PrimitiveBoolean "
        "CaseConverter RegexExtract RegexMatch RegexReplace StringCompare StringConcatenate StringContains "
        "StringLength StringReplace StringSubstring StringTrim "
        "LikenessLoadFaceEngine LikenessLoadIdentity LikenessSaveIdentity LikenessMattePerson LikenessProtectFace "
        "LikenessProfessionalPrompt LikenessSubjectToken LikenessKeepTraits LikenessDescribePhoto "
        "LikenessLoadLoraStack LikenessInspectLora LikenessMergeLoras LikenessTryStrengths"
    ),
    Effect.GENERATES: (
        "KSampler KSamplerAdvanced SamplerCustom SamplerCustomAdvanced VAEDecode VAEDecodeTiled ImageUpscaleWithModel "
        "LikenessSwapFace"
    ),
}

EFFECTS: dict[str, Effect] = {name: effect for effect, names in _BY_EFFECT.items() for name in names.split()}
"""Effects by class: this pack's nodes and core's of ComfyUI 0.3.64 that are known."""

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

PICTURE_OUTPUTS: dict[str, tuple[int, ...]] = {
    "LikenessCheckLikeness": (2,),
    "LikenessEnrollIdentity": (1,),
    "LikenessMakeIDPhoto": (0, 2),
    "LikenessCheckIDPhoto": (1,),
    "LikenessCheckSelfie": (1,),
    "GetImageSize": (),
}
"""Outputs with a picture, of nodes that also give numbers or texts. By the others no pixels go on."""

PIXELS_OF_LATENTS = frozenset({"latent_image", "samples", "pixels", "image", "images"})
"""Inputs of a generating node by which a photo's own pixels go on; by the others (prompts, references) they do not."""


def effect(node: Mapping[str, Any]) -> Effect:
    """What a node of an API-format graph does. Swap Face that is switched off passes its picture on, and Make ID Photo
    that keeps the background only cuts."""
    name, inputs = str(node.get("class_type", "")), node.get("inputs") or {}
    known = EFFECTS.get(name)
    if name == SWAP_FACE and inputs.get("enabled", False) is False:
        return Effect.PASSES
    if name == MAKE_ID_PHOTO and inputs.get("background") == "keep":
        return Effect.CUTS
    if known is not None:
        return known
    letters = "".join(filter(str.isalnum, name)).lower()
    return Effect.GENERATES if any(word in letters for word in GENERATING_WORDS) else Effect.UNKNOWN
