"""The words by which people choose: what widgets, options and the API offer, without the engines behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MIN_FACE = 48
"""Default smallest face, as the shorter side of its box in pixels. Recognisers see 112 x 112; below half of that the
crop is mostly interpolation."""


class FacePolicy(StrEnum):
    """Which face of a picture of several is meant.

    STRICT: none, and every face counts, however small; documents ask for that. All others leave background faces out
    of account: REFUSE takes none of several people, LARGEST and CENTRAL take one, and so does LIKEST, which looks at
    every face and can be asked for where a person is known.
    """

    STRICT = "strict"
    REFUSE = "refuse"
    LARGEST = "largest"
    CENTRAL = "most central"
    LIKEST = "most like the person"


STRICTNESS = {
    "lenient (1 in 100)": 1e-2,
    "standard (1 in 1,000)": 1e-3,
    "strict (1 in 10,000)": 1e-4,
    "very strict (1 in 100,000)": 1e-5,
}
"""How many strangers may pass, as the user chooses it, and the false match rate that it stands for."""


EVEN_STRICTNESS = {
    "even across groups (1 in 1,000)": 1e-3,
    "even across groups (1 in 10,000)": 1e-4,
}
"""The same for every group of people that was large enough to measure: of no group may more strangers pass. What it
costs in right people refused depends on the photos: docs/fairness.md."""


DEFAULT_STRICTNESS = "strict (1 in 10,000)"


class OnNone(StrEnum):
    """What to do when no picture passes."""

    BEST_ANYWAY = "best anyway, marked as failed"
    STOP = "stop with an error"


DEFAULT_ENGINE = "yunet-sface"


DLIB_ENGINE = "yunet-dlib"


FUSED_ENGINE = "yunet-sface+dlib"


ENGINES = (DEFAULT_ENGINE, "insightface", DLIB_ENGINE, FUSED_ENGINE)
"""Engines by name. The first is the default; of all but insightface's the weights may be used commercially."""


POOR_PHOTOS = ("mention", "refuse")
"""What to do with a photo that is a poor one."""


class Background(StrEnum):
    """What becomes of the photo's background."""

    KEEP = "keep"
    ALLOWED = "as the document allows"
    PLAIN = "plain"


BACKGROUNDS: Sequence[str] = tuple(Background)


class Size(StrEnum):
    """Which of a document's sizes is made."""

    AUTO = "auto"
    PRINT = "print"
    UPLOAD = "upload"


class HeadSize(StrEnum):
    """How large the head is made within what the document allows."""

    SAFEST = "safest"
    SMALLER = "smaller"
    LARGER = "larger"


CELL = 8
"""Side in pixels of what becomes one latent value in Stable Diffusion 1.5, SDXL, SD 3 and Flux."""


class Protect(StrEnum):
    """What must not change."""

    FACE = "face"
    HEAD = "face and hair"
    PERSON = "whole person"


class Placement(StrEnum):
    """Where the original face goes."""

    SAME = "same place"
    ALIGN = "align to the new face"


@dataclass(frozen=True)
class Preset:
    """A way to cut. `aspect`: width by height. `head`: crown to chin as a share of the frame. `room`: share above."""

    aspect: float
    head: float
    room: float


SQUARE = "square profile"

PRESETS = {
    "head and shoulders": Preset(4 / 5, 0.46, 0.11),
    SQUARE: Preset(1.0, 0.56, 0.11),
    "tight portrait": Preset(4 / 5, 0.64, 0.08),
}


FULL = "full original"


CROPS = (*PRESETS, FULL)
"""Names of the crops. `FULL` keeps as much of the photo as the asked proportions allow."""


OFFICE, LIBRARY = "blurred office", "blurred library"
ROOMS = (OFFICE, LIBRARY)
SEAMLESS_PAPER, GRADIENT = "seamless paper", "gradient"
BACKDROP_STYLES = (SEAMLESS_PAPER, GRADIENT, *ROOMS)
"""Backdrop styles by name."""


PERSON_MATTE = "u2net + modnet"
"""The cut-out by two networks and the face that says who is meant; other names are single networks."""


def models_behind(matte: str) -> tuple[str, ...]:
    """The models of the store behind a choice of matte; none for ``none`` or no choice."""
    if matte in ("", "none"):
        return ()
    return ("u2net", "modnet", "yunet") if matte == PERSON_MATTE else (matte,)


PAPER_COLOURS = {
    "studio grey": "#8d9399",
    "light grey": "#c9cdd1",
    "white": "#f3f3f1",
    "charcoal": "#3d4146",
    "navy": "#22324d",
    "corporate blue": "#4a6a8c",
    "slate": "#5b6b78",
    "teal": "#3f6f73",
    "forest": "#35513f",
    "burgundy": "#5a2a35",
    "sand": "#c6b8a2",
    "warm grey": "#a39a90",
}
"""Backdrop colours by name."""


PRECISIONS = ("float32", "float16", "bfloat16")
"""How a merged LoRA's numbers are stored."""
