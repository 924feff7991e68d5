"""The judging nodes: check likeness, gate by likeness, keep the best."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, ClassVar

from ..core import host
from ..core.choices import OnNone
from ..core.node_facts import ENGINE, MESH, Effect, NodeFacts
from .schema import io, newer
from .sockets import IDENTITY, IdentityType, engine_input, min_face_input, several_input, strictness_inputs

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine
    from ..core.identity.enrollment import Identity


class GateByLikeness(io.ComfyNode):
    """Let pictures through that are the person."""

    FACTS: ClassVar = NodeFacts(Effect.PASSES, loads=MESH, judges="identity")

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessGate",
            display_name="Gate by Likeness",
            category=IDENTITY,
            **newer(cls.FACTS, "face similarity filter", "likeness threshold", "reject other faces"),
            description=(
                "Lets through those pictures of a batch that are still the person, each with its score beside the "
                "person's own baseline, and gives out the others apart. Warns when the judge is the recogniser that "
                "the generator was steered by."
            ),
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The pictures to judge, such as a sampler's batch."),
                IdentityType.Input("identity", tooltip="The person, from Enroll Identity or Load Identity."),
                io.Combo.Input(
                    "on_none",
                    options=[choice.value for choice in OnNone],
                    default=OnNone.BEST_ANYWAY.value,
                    tooltip="What to do when no picture passes.",
                ),
                *strictness_inputs(),
                several_input(person_known=True),
                min_face_input(),
                engine_input(),
            ],
            outputs=[
                io.Image.Output(
                    "passed",
                    display_name="passed",
                    tooltip="The pictures that pass, in their order. When none does: the best one, unless the node "
                    "stops then.",
                    is_output_list=True,
                ),
                io.Image.Output(
                    "failed",
                    display_name="failed",
                    tooltip="The pictures that do not pass. When all do, the nodes connected here are skipped.",
                    is_output_list=True,
                ),
                io.Boolean.Output(
                    "all_passed", display_name="all passed", tooltip="True when every picture is the person."
                ),
                io.Float.Output(
                    "scores",
                    display_name="scores",
                    tooltip="Each picture's cosine, -1 to 1, in the order of the input; 'not a number' without a face.",
                    is_output_list=True,
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: each picture's verdict, score and reason, the person's baseline, and warnings.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: list[torch.Tensor],
        identity: list[Identity],
        on_none: list[str],
        strictness: list[str],
        custom_threshold: list[float],
        several_faces: list[str],
        min_face: list[int],
        engine: list[FaceEngine] | None = None,
    ) -> io.NodeOutput:
        from ..core.identity.verdict import keep_best, rank
        from .judging import judge_images

        judged = judge_images(cls, images, identity, engine, strictness, custom_threshold, several_faces, min_face)
        pictures, verdicts = judged.pictures, judged.judgement.verdicts
        ranked = keep_best(rank(judged.judgement, pictures), len(pictures), OnNone(on_none[0]), judged.gate.threshold)
        passed = sorted(each.index for each in ranked)
        failed = [verdict.index for verdict in verdicts if not verdict.passed]
        report = judged.report(kept=passed, failed=failed)
        return io.NodeOutput(
            [pictures[index][None] for index in passed],
            [pictures[index][None] for index in failed] or [host.nothing()],
            judged.judgement.all_passed,
            [math.nan if verdict.cosine is None else verdict.cosine for verdict in verdicts],
            json.dumps(report, indent=2),
            ui=judged.shown(cls, report, judged.faces()) | {"text": [judged.summary()]},
        )


class CheckLikeness(io.ComfyNode):
    """Judge whether pictures still show the person."""

    FACTS: ClassVar = NodeFacts(Effect.COMBINES, pictures=(2,), loads=(*ENGINE, *MESH), judges="identity")

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessCheckLikeness",
            display_name="Check Likeness",
            category=IDENTITY,
            **newer(cls.FACTS, "face similarity", "face verification", "compare faces", "same person"),
            description=(
                "Compares pictures with an enrolled person and says for each whether it is still that person, by a "
                "threshold with a measured false match rate, beside the person's own photo-to-photo baseline."
            ),
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The pictures to judge."),
                IdentityType.Input("identity", tooltip="The person, from Enroll Identity or Load Identity."),
                *strictness_inputs(),
                several_input(person_known=True),
                min_face_input(),
                engine_input(),
            ],
            outputs=[
                io.Boolean.Output(
                    "all_passed", display_name="all passed", tooltip="True when every picture is the person."
                ),
                io.Float.Output(
                    "best_score",
                    display_name="best score",
                    tooltip="The highest cosine of the batch, -1 to 1; 'not a number' without a face.",
                ),
                io.Image.Output(
                    "annotated",
                    display_name="annotated",
                    tooltip="The pictures with face boxes and verdicts.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: verdict, cosine, calibrated score and reason for each picture.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: list[torch.Tensor],
        identity: list[Identity],
        strictness: list[str],
        custom_threshold: list[float],
        several_faces: list[str],
        min_face: list[int],
        engine: list[FaceEngine] | None = None,
    ) -> io.NodeOutput:
        from .judging import judge_images

        judged = judge_images(cls, images, identity, engine, strictness, custom_threshold, several_faces, min_face)
        faces, report = judged.faces(), judged.report()
        best = math.nan if judged.judgement.best is None else judged.judgement.best
        return io.NodeOutput(
            judged.judgement.all_passed,
            best,
            faces,
            json.dumps(report, indent=2),
            ui=judged.shown(cls, report, faces) | {"text": [judged.summary()]},
        )


class KeepBest(io.ComfyNode):
    """Keep the pictures of a batch that are most like the person."""

    FACTS: ClassVar = NodeFacts(Effect.PASSES, loads=MESH, judges="identity", shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessKeepBest",
            display_name="Keep the Best",
            category=IDENTITY,
            **newer(cls.FACTS, "best of batch", "pick best", "face similarity ranking"),
            description=(
                "Ranks a batch by likeness, then by sharpness and exposure of the face, and keeps the best that pass."
            ),
            is_input_list=True,
            hidden=[io.Hidden.prompt],
            inputs=[
                io.Image.Input("images", tooltip="The pictures to choose from."),
                IdentityType.Input("identity", tooltip="The person, from Enroll Identity or Load Identity."),
                io.Int.Input("keep", default=1, min=1, max=64, tooltip="How many to keep at most."),
                io.Combo.Input(
                    "on_none",
                    options=[choice.value for choice in OnNone],
                    default=OnNone.BEST_ANYWAY.value,
                    tooltip="What to do when no picture passes.",
                ),
                *strictness_inputs(),
                several_input(person_known=True),
                min_face_input(),
                engine_input(),
            ],
            outputs=[
                io.Image.Output(
                    "kept",
                    display_name="kept",
                    tooltip="The kept pictures, the best first.",
                    is_output_list=True,
                ),
                io.Boolean.Output(
                    "passed",
                    display_name="passed",
                    tooltip="True when the kept pictures passed the likeness check.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: the ranking of all pictures and the verdicts.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: list[torch.Tensor],
        identity: list[Identity],
        keep: list[int],
        on_none: list[str],
        strictness: list[str],
        custom_threshold: list[float],
        several_faces: list[str],
        min_face: list[int],
        engine: list[FaceEngine] | None = None,
    ) -> io.NodeOutput:
        from ..core.identity.verdict import keep_best, rank
        from .judging import judge_images

        judged = judge_images(cls, images, identity, engine, strictness, custom_threshold, several_faces, min_face)
        ranked = rank(judged.judgement, judged.pictures)
        kept = keep_best(ranked, keep[0], OnNone(on_none[0]), judged.gate.threshold)
        report = judged.report(kept=[each.index for each in kept], ranking=[each.as_dict() for each in ranked])
        return io.NodeOutput(
            [judged.pictures[each.index][None] for each in kept],
            all(each.passed for each in kept),
            json.dumps(report, indent=2),
            ui=judged.shown(cls, report, judged.faces()),
        )
