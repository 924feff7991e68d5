"""The comparing nodes: try strengths, measure a stage, compare likeness."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.errors import NothingToCompare
from ..core.host import torch_device
from ..core.node_facts import Effect, NodeFacts
from .schema import io, newer, ui
from .sockets import (
    COMPARE,
    IdentityType,
    StopwatchType,
    engine_input,
    min_face_input,
    several_input,
    strictness_inputs,
)

if TYPE_CHECKING:
    import torch

    from ..core.compare.time_and_memory import Stopwatch
    from ..core.faces.engines import FaceEngine
    from ..core.identity.enrollment import Identity


class StartMeasuring(io.ComfyNode):
    """The beginning of a stage."""

    FACTS: ClassVar = NodeFacts(Effect.PASSES)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessStartMeasuring",
            display_name="Start Measuring",
            category=COMPARE,
            **newer(cls.FACTS, "timer", "benchmark", "stopwatch"),
            description=(
                "Passes anything through and starts a stopwatch for time and memory. What lies between this node and "
                "Stop Measuring is one stage; it stays cached as long as nothing in it changes."
            ),
            is_input_list=True,
            not_idempotent=True,
            inputs=[io.AnyType.Input("value", tooltip="What the stage works on: a picture, a latent, anything.")],
            outputs=[
                io.AnyType.Output(display_name="value", tooltip="The same value, for the stage.", is_output_list=True),
                StopwatchType.Output(
                    "stopwatch", display_name="stopwatch", tooltip="The running watch, for Stop Measuring."
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **_: Any) -> Any:
        """Another value whenever the stage will be computed again."""
        from ..core.compare.time_and_memory import stage_fingerprint

        return stage_fingerprint()

    @classmethod
    def execute(cls, value: list[Any]) -> io.NodeOutput:
        from ..core.compare.time_and_memory import Stopwatch

        return io.NodeOutput(value, Stopwatch(torch_device()))


class StopMeasuring(io.ComfyNode):
    """The end of a stage."""

    FACTS: ClassVar = NodeFacts(Effect.PASSES)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessStopMeasuring",
            display_name="Stop Measuring",
            category=COMPARE,
            **newer(cls.FACTS, "timer", "benchmark", "stopwatch", "memory use"),
            description=(
                "Passes anything through and says how many seconds the stage since Start Measuring took and how much "
                "memory it needed at most. A list is waited for as a whole."
            ),
            is_input_list=True,
            is_output_node=True,
            not_idempotent=True,
            inputs=[
                io.AnyType.Input("value", tooltip="The result of the stage."),
                StopwatchType.Input("stopwatch", tooltip="From the Start Measuring node where the stage begins."),
                io.String.Input("name", default="Stage", tooltip="What the stage is called in reports."),
            ],
            outputs=[
                io.AnyType.Output(display_name="value", tooltip="The same value, to go on with.", is_output_list=True),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: the stage's name, seconds, peak memory in bytes and device.",
                ),
            ],
        )

    @classmethod
    def execute(cls, value: list[Any], stopwatch: list[Stopwatch], name: list[str]) -> io.NodeOutput:
        from ..core.compare.comparison import summary_of

        entry = stopwatch[0].read(name[0].strip() or "Stage", len(value)).as_dict()
        return io.NodeOutput(value, json.dumps(entry), ui={"measured": [entry], "text": [summary_of(entry)]})


MORE = (2, 3, 4)
"""Further branches of the graph whose pictures can be compared with the first one's."""


class TryStrengths(io.ComfyNode):
    """A list of numbers, so that what follows runs once for each."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessTryStrengths",
            display_name="Try Strengths",
            category=COMPARE,
            **newer(cls.FACTS, "sweep", "xy plot", "parameter grid"),
            description=(
                "Gives several numbers one after another, so that the nodes that follow run once for each: denoise, "
                "LoRA strength, guidance. Compare Likeness shows what came of it."
            ),
            inputs=[
                io.String.Input(
                    "values",
                    default="0.1, 0.3, 0.5",
                    tooltip="The numbers to try, with a decimal point and separated by commas.",
                ),
                io.String.Input(
                    "series",
                    default="",
                    tooltip="Stands before each label, as in 'model A · 0.3': one line of the plot has one series.",
                ),
            ],
            outputs=[
                io.Float.Output("value", display_name="value", tooltip="Each number in turn.", is_output_list=True),
                io.String.Output(
                    "label",
                    display_name="label",
                    tooltip="The label of each number, for Compare Likeness.",
                    is_output_list=True,
                ),
            ],
        )

    @classmethod
    def execute(cls, values: str, series: str) -> io.NodeOutput:
        from ..core.compare.labels import numbers, written

        found = numbers(values)
        return io.NodeOutput(found, [written(series, value) for value in found])


class CompareLikeness(io.ComfyNode):
    """Which way of making the picture keeps the person?"""

    FACTS: ClassVar = NodeFacts(Effect.COMBINES)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessCompareLikeness",
            display_name="Compare Likeness",
            category=COMPARE,
            **newer(cls.FACTS, "face similarity grid", "xy plot", "compare faces"),
            description=(
                "Shows pictures that were made in different ways side by side, each with its likeness, and plots "
                "likeness against the value that was varied, with the threshold and the person's own baseline."
            ),
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The pictures to compare, such as those of VAE Decode."),
                IdentityType.Input("identity", tooltip="The person, from Enroll Identity or Load Identity."),
                *strictness_inputs(),
                several_input(person_known=True),
                min_face_input(),
                io.String.Input("axis", default="value", tooltip="What was varied, such as denoise."),
                io.String.Input(
                    "labels",
                    optional=True,
                    force_input=True,
                    tooltip="A label for each picture, from Try Strengths: '0.3' or 'model A · 0.3'.",
                ),
                io.String.Input(
                    "measured",
                    optional=True,
                    force_input=True,
                    tooltip="Reports of Stop Measuring: one for each picture, or of all together.",
                ),
                engine_input(),
                *(
                    socket
                    for number in MORE
                    for socket in (
                        io.Image.Input(
                            f"images_{number}", optional=True, tooltip="Pictures of another branch of the graph."
                        ),
                        io.String.Input(
                            f"labels_{number}",
                            optional=True,
                            force_input=True,
                            tooltip="Their labels. A branch with the labels of another one becomes a series.",
                        ),
                    )
                ),
            ],
            outputs=[
                io.Image.Output("grid", display_name="grid", tooltip="The pictures with labels and likeness."),
                io.Image.Output("plot", display_name="plot", tooltip="Likeness against the value that was varied."),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: label, outcome, cosine, calibrated score and reason of each picture.",
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
        axis: list[str],
        labels: list[str] | None = None,
        measured: list[str] | None = None,
        engine: list[FaceEngine] | None = None,
        **more: list[Any],
    ) -> io.NodeOutput:
        from ..core.compare.comparison import Compared, Comparison, read_measured
        from ..core.compare.labels import of_branches
        from ..core.faces.engines import engine_of
        from ..core.imaging.files import from_pil, to_pil
        from ..core.imaging.plot import plot
        from .judging import gate_for, judge, pictures_of

        branches = [(images, labels or [])]
        branches += [(more.get(f"images_{number}") or [], more.get(f"labels_{number}") or []) for number in MORE]
        batches = [batch for pictures, _ in branches for batch in pictures]
        if not any(len(batch) for batch in batches):
            raise NothingToCompare("There is no picture to compare; connect one that is there in every run.")
        names = of_branches([(words, [len(each) for each in pictures]) for pictures, words in branches])
        pictures = pictures_of(batches)
        chosen = engine[0] if engine else engine_of(identity[0].engine)
        gate = gate_for(chosen, strictness[0], custom_threshold[0])
        judgement = judge(cls, chosen, identity[0], pictures, gate, several_faces[0], min_face[0])
        each, together = read_measured(measured or [], [len(batch) for batch in batches])
        compared = [Compared(*row) for row in zip(names, judgement.verdicts, each, strict=True)]
        comparison = Comparison(compared, judgement, axis[0].strip() or "value", together)
        sheet = from_pil(comparison.grid([to_pil(picture) for picture in pictures]))
        chart = from_pil(plot(comparison.chart(), f"Likeness against {comparison.axis}"))
        report = comparison.as_dict()
        shown = [
            *ui.PreviewImage(sheet, cls=cls).as_dict()["images"],
            *ui.PreviewImage(chart, cls=cls).as_dict()["images"],
        ]
        return io.NodeOutput(
            sheet,
            chart,
            json.dumps(report, indent=2),
            ui={
                "images": shown,
                "models": chosen.models,
                "comparison": [report],
                "text": [comparison.summary()],
            },
        )
