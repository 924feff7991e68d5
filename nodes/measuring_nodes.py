"""Two nodes that measure what lies between them: time and memory of a stage, whatever it is made of."""

from __future__ import annotations

import json
from typing import Any

from ..core.compare.comparison import summary_of
from ..core.compare.stopwatch import Stopwatch, stage_fingerprint
from ..core.host import torch_device
from .compare_sockets import CATEGORY, StopwatchType
from .schema import io


class StartMeasuring(io.ComfyNode):
    """The beginning of a stage."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessStartMeasuring",
            display_name="Start Measuring",
            category=CATEGORY,
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
        return stage_fingerprint()

    @classmethod
    def execute(cls, value: list[Any]) -> io.NodeOutput:
        """Start."""
        return io.NodeOutput(value, Stopwatch(torch_device()))


class StopMeasuring(io.ComfyNode):
    """The end of a stage."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessStopMeasuring",
            display_name="Stop Measuring",
            category=CATEGORY,
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
        """Read the watch."""
        entry = stopwatch[0].read(name[0].strip() or "Stage", len(value)).as_dict()
        return io.NodeOutput(value, json.dumps(entry), ui={"measured": [entry], "text": [summary_of(entry)]})
