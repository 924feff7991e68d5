"""How good reference photos are as photos: looked at before they are enrolled, where the networks for it are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import DependencyMissing, ModelMissing
from ..faces.choose import SeveralFaces
from ..models import store

if TYPE_CHECKING:
    import torch

    from ..faces.engines import FaceEngine
    from ..quality.usable_photo import Usability

POOR_PHOTOS = ("mention", "refuse")
"""What to do with a photo that is a poor one."""

NETWORKS = ("face_mesh", "iris")
"""What the measures need; not fetched unless poor photos are to be refused."""


@dataclass(frozen=True)
class Looked:
    """What was found, one for each photo; empty where nothing was looked at, and then `note` says why."""

    found: list[Usability] = field(default_factory=list)
    note: str = ""

    @property
    def poor(self) -> dict[int, str]:
        """The photos by index that are not usable, and why, with what to do."""
        return {
            index: " ".join([each.headline, *(check.advice for check in each.problems)])
            for index, each in enumerate(self.found)
            if not each.usable
        }

    def of(self, index: int) -> dict[str, Any]:
        """What a report says of one photo."""
        if index >= len(self.found):
            return {}
        found = self.found[index]
        return {"quality": {"verdict": str(found.verdict), "says": found.headline, "advice": found.advice()}}


def look_over(
    engine: FaceEngine, pictures: Sequence[torch.Tensor], several: SeveralFaces, *, must: bool = False
) -> Looked:
    """Judge pictures [H,W,3] as reference photos.

    Without the networks, or without their runtime, nothing is looked at and the note says so; with `must` the
    networks are fetched, and ModelMissing or DependencyMissing is raised where they cannot be had.
    """
    if not must and any(store.locate(name) is None for name in NETWORKS):
        return Looked(note=_unseen(f"the networks {' and '.join(NETWORKS)} are not on this machine"))
    from ..host import Progress
    from ..quality.usable_photo import usable

    largest = several is not SeveralFaces.REFUSE
    progress = Progress(len(pictures))
    found = []
    try:
        for picture in pictures:
            found.append(usable(picture, engine, largest=largest))
            progress.step()
    except (DependencyMissing, ModelMissing) as error:
        if must:
            raise
        return Looked(note=_unseen(str(error).rstrip(".")))
    return Looked(found)


def _unseen(why: str) -> str:
    return f"How good the photos are was not looked at: {why}."
