"""What the judging nodes do alike: choose the gate, judge, and show the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core import host
from ..core.choices import EVEN_STRICTNESS, STRICTNESS, FacePolicy
from ..core.identity.calibration import calibration_of
from ..core.node_facts import MESH
from ..core.outcome_words import LIKENESS, PICTURE
from .schema import io, ui
from .sockets import CUSTOM, first_given

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine
    from ..core.identity.enrollment import Identity
    from ..core.identity.verdict import Gate, Judgement, Verdict
    from ..core.quality.picture_verdict import PictureVerdict


def pictures_of(batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The pictures [H,W,3] of a list of batches, one by one; they may differ in size."""
    return [picture[..., :3] for batch in batches for picture in batch]


def gate_for(engine: FaceEngine, strictness: str, custom_threshold: float) -> Gate:
    """The threshold that the user chose, as a gate for this engine."""
    from ..core.identity.verdict import Gate

    if strictness == CUSTOM:
        return Gate.custom(custom_threshold)
    if strictness in EVEN_STRICTNESS:
        return Gate.even(calibration_of(engine.key), EVEN_STRICTNESS[strictness])
    return Gate.measured(calibration_of(engine.key), STRICTNESS[strictness])


def judge(
    node: type[io.ComfyNode],
    engine: FaceEngine,
    identity: Identity,
    pictures: list[torch.Tensor],
    gate: Gate,
    several_faces: str,
    min_face: int,
) -> Judgement:
    """Check likeness, and warn when in the graph of `node` the judge steered the generator, or a face was pasted."""
    from ..core.identity import independence
    from ..core.identity.verdict import check_likeness

    judgement = check_likeness(engine, identity, pictures, gate, FacePolicy(several_faces), min_face)
    prompt, run = getattr(node.hidden, "prompt", None), host.current_run()
    own = None if run is None else run.node
    judgement.doubts.extend(
        [
            *independence.compared_with_itself(prompt, own),
            *independence.loose_threshold(engine.key, gate),
            *independence.independence_warnings(engine.key, prompt),
            *independence.restored_warnings(prompt, own),
        ]
    )
    judgement.warnings.extend(judgement.doubts)
    judgement.told.extend([*independence.loaded_people(prompt, own), *independence.own_pixels(prompt, own)])
    return judgement


@dataclass(frozen=True, eq=False)
class JudgedImages:
    """What a judging node was given, and what became of it. `pictures` are [H,W,3], in the order of the verdicts."""

    engine: FaceEngine
    gate: Gate
    pictures: list[torch.Tensor]
    judgement: Judgement
    quality: list[PictureVerdict]
    identity: Identity

    def report(self, **more: Any) -> dict[str, Any]:
        """The report on likeness with the verdict on each picture in it, as ``images[].picture``, and `more`."""
        report: dict[str, Any] = self.judgement.as_dict() | {"identity_sha256": self.identity.sha256}
        for image, picture in zip(report["images"], self.quality, strict=True):
            image["picture"] = picture.as_dict()
        return report | more

    def faces(self) -> torch.Tensor:
        """The pictures with face boxes and verdicts, as one IMAGE [B,H,W,3]."""
        from ..core.faces.annotate import batch_of

        return batch_of([_verdict_picture(self.pictures[each.index], each) for each in self.judgement.verdicts])

    def shown(self, node: type[io.ComfyNode], report: Mapping[str, Any], faces: torch.Tensor) -> dict[str, Any]:
        """What the canvas and the runner are told: the `faces`, the networks that were used, the `report`."""
        from ..core.models import store

        seen = store.used(*MESH) if any(each.checks for each in self.quality) else []
        images = ui.PreviewImage(faces, cls=node).as_dict()["images"]
        return {"images": images, "models": [*self.engine.models, *seen], "likeness": [report]}

    def summary(self) -> str:
        """The judgement in a few lines for the canvas."""
        lines = [
            f"Picture {each.index + 1}: {each.outcome.replace('_', ' ')}. {each.reason}"
            for each in self.judgement.verdicts
        ]
        lines += [
            f"Picture {number}: {PICTURE[each.outcome].word}. {' '.join(each.reasons)}".rstrip()
            for number, each in enumerate(self.quality, 1)
        ]
        return "\n".join([*lines, *self.judgement.warnings])


def judge_images(
    node: type[io.ComfyNode],
    images: list[torch.Tensor],
    identity: list[Identity],
    engine: list[FaceEngine] | None,
    strictness: list[str],
    custom_threshold: list[float],
    several_faces: list[str],
    min_face: list[int],
) -> JudgedImages:
    """Judge every picture of the batches `images` by the inputs of a node that is given lists."""
    from ..core.faces.engines import engine_of
    from ..core.quality.picture_verdict import judge_picture

    chosen = first_given(engine) or engine_of(identity[0].engine)
    pictures = pictures_of(images)
    gate = gate_for(chosen, strictness[0], custom_threshold[0])
    judgement = judge(node, chosen, identity[0], pictures, gate, several_faces[0], min_face[0])
    quality = [judge_picture(pictures[each.index], each.subject.face) for each in judgement.verdicts]
    return JudgedImages(chosen, gate, pictures, judgement, quality, identity[0])


def _verdict_picture(picture: torch.Tensor, verdict: Verdict) -> Any:
    from ..core.faces.annotate import annotate

    words = str(verdict.outcome).replace("_", " ")
    label = words if verdict.cosine is None else f"{words} {verdict.cosine:.2f}"
    return annotate(picture, verdict.subject.face, label, LIKENESS[verdict.outcome].tone.label)
