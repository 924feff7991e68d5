"""The steps of a graph in the words of C2PA: what was done to the picture, in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .credentials import Action
from .source_types import GENERATED
from .steps import MAKE_ID_PHOTO, Effect
from .trace import Step

CROPPED, RESIZED, TURNED, EDITED, UNKNOWN = (
    f"c2pa.{word}" for word in ("cropped", "resized", "orientation", "edited", "unknown")
)
"""Actions of the C2PA specification 2.2, 18.15."""

OF_CLASS: dict[str, tuple[str, ...]] = {
    MAKE_ID_PHOTO: (TURNED, CROPPED, RESIZED),
    "LikenessFrameHeadshot": (TURNED, CROPPED, RESIZED),
    "ImageCrop": (CROPPED,),
    "ImageScale": (RESIZED,),
    "ImageScaleBy": (RESIZED,),
    "ImageScaleToTotalPixels": (RESIZED,),
    "ImageScaleToMaxDimension": (RESIZED,),
    "ImageFlip": (TURNED,),
    "ImageRotate": (TURNED,),
}
"""What the known nodes do that cut, turn or resize."""

OF_EFFECT = {
    Effect.ADJUSTS: EDITED,
    Effect.COMBINES: EDITED,
    Effect.GENERATES: EDITED,
    Effect.UNKNOWN: UNKNOWN,
}


def actions_of(steps: Sequence[Step], edits: Iterable[str] = ()) -> list[Action]:
    """Actions for the steps whose pixels are seen (`steps` start at the end of the graph), and for an ID photo's edits.

    A generating step carries IPTC's term for it, so that a reader of the manifest alone sees it.
    """
    actions: list[Action] = []
    for step in reversed(steps):
        if not step.seen and step.effect is not Effect.GENERATES:
            continue
        if step.name in OF_CLASS:
            actions += [Action(action, step.name) for action in OF_CLASS[step.name]]
        elif step.effect in OF_EFFECT:
            generated = GENERATED if step.effect is Effect.GENERATES else None
            actions.append(Action(OF_EFFECT[step.effect], step.name, generated))
    return actions + [Action(EDITED, edit) for edit in edits]
