"""The LoRA nodes: load a stack, look into a file, merge several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..core import host
from ..core.choices import PRECISIONS
from ..core.errors import LikenessError
from ..core.errors.formats import NoLoraChosen
from ..core.node_facts import Effect, NodeFacts
from .schema import io, newer
from .sockets import LORA, NONE, LorasType, Row, Stack, row_inputs, rows_of

if TYPE_CHECKING:
    from ..core.lora.merge import Merged, Source
    from .lora_patching import Outcome

Stamp = tuple[str, int, int]


class LoadLoraStack(io.ComfyNode):
    """Put several LoRAs on a model."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES, shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadLoraStack",
            display_name="Load LoRA Stack",
            category=LORA,
            **newer(cls.FACTS, "multiple loras", "lora chain", "power lora loader"),
            description=(
                "Puts any number of LoRAs on a model, in order. Each file is checked first: its format, its base "
                "model, and how many of its keys the model has. Changing a strength reads no file again."
            ),
            inputs=[
                io.Model.Input("model", tooltip="The diffusion model."),
                *row_inputs(two_strengths=True),
                io.Clip.Input("clip", optional=True, tooltip="The text encoder. Without one its keys are not used."),
                LorasType.Input(
                    "loras",
                    optional=True,
                    tooltip="Rows of another Load LoRA Stack, which come first. Rows already on the model stay single.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model with the LoRAs on it."),
                io.Clip.Output(display_name="clip", tooltip="The text encoder with the LoRAs on it."),
                io.String.Output(
                    "trigger_words",
                    display_name="trigger words",
                    tooltip="The words that the active LoRAs' metadata name, in order, with commas between.",
                ),
                LorasType.Output(
                    display_name="loras", tooltip="The active rows, for another stack or for Merge LoRAs."
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: each LoRA with base model, matched keys, trigger words and warnings.",
                ),
            ],
        )

    @classmethod
    def execute(cls, model: Any, clip: Any | None = None, loras: Stack | None = None, **rows: Any) -> io.NodeOutput:
        from ..core.lora.lora_file import joined_words
        from .lora_patching import apply_stack

        stack = Stack(rows_of(rows), loras)
        changed, changed_clip, outcomes = apply_stack(model, clip, stack)
        words = joined_words([outcome.file.trigger_words for outcome in outcomes])
        report = {"loras": [_told(outcome) for outcome in outcomes], "trigger_words": words}
        text = "\n".join(_said(outcome) for outcome in outcomes) or "No LoRA is active: the model is unchanged."
        return io.NodeOutput(
            changed,
            changed_clip,
            ", ".join(words),
            stack,
            json.dumps(report, indent=2, ensure_ascii=False),
            ui={"text": [text], "loras": [report]},
        )

    @classmethod
    def fingerprint_inputs(cls, **rows: Any) -> list[Stamp | str]:
        """Load again when a file of an active row changed."""
        return _stamps([row.lora for row in rows_of(rows)])


class InspectLora(io.ComfyNode):
    """Look into a LoRA file."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessInspectLora",
            display_name="Inspect LoRA",
            category=LORA,
            **newer(cls.FACTS, "lora info", "trigger words", "lora metadata"),
            description=(
                "Says what a LoRA file holds: base model, format, rank and alpha per block, how strongly each block is "
                "changed, training tags and settings, licence and hashes."
            ),
            is_output_node=True,
            inputs=[
                io.Combo.Input(
                    "lora",
                    options=[NONE, *host.model_files("loras")],
                    default=NONE,
                    tooltip="A file of the loras folder. Pickles are refused: safetensors only.",
                ),
            ],
            outputs=[
                io.String.Output("report", display_name="report", tooltip="JSON: everything that was found."),
                io.String.Output(
                    "trigger_words",
                    display_name="trigger words",
                    tooltip="The words that its metadata name, with commas between; empty if there are none.",
                ),
                io.Image.Output(
                    "norms",
                    display_name="norms",
                    tooltip="A chart: how much each block is changed at strength 1 (Frobenius norm), rank and alpha.",
                ),
            ],
        )

    @classmethod
    def execute(cls, lora: str) -> io.NodeOutput:
        from ..core.imaging.encode import NOTHING_STATED, save_preview
        from ..core.lora.inspect import Block, chart, inspect, text_of
        from ..core.lora.lora_file import open_lora

        if lora == NONE:
            raise NoLoraChosen("Inspect LoRA was given no file; choose one in its list.")
        file = open_lora(lora)
        progress = host.Progress(len(file.layers.found))
        found = inspect(file, progress.step)
        blocks = {name: Block(**block) for name, block in found["blocks"].items()}
        subtitle = f"{found['base_model']}: change of each block at strength 1, as Frobenius norm"
        picture = chart(found["file"], subtitle, blocks)
        return io.NodeOutput(
            json.dumps(found, indent=2, ensure_ascii=False),
            ", ".join(found["trigger_words"]),
            picture,
            ui={"text": [text_of(found)], "lora": [found], "images": save_preview(picture, NOTHING_STATED)},
        )

    @classmethod
    def fingerprint_inputs(cls, lora: str) -> list[Stamp | str]:
        """Read again when the file changed."""
        return _stamps([lora])


class MergeLoras(io.ComfyNode):
    """Add LoRAs up in one file."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessMergeLoras",
            display_name="Merge LoRAs",
            category=LORA,
            **newer(cls.FACTS, "lora merge", "combine loras"),
            description=(
                "Adds LoRAs of one base model up with weights, reduces the sum to a rank by singular values, and "
                "writes it with its sources' names, hashes and licences into output/loras, where ComfyUI finds it."
            ),
            is_output_node=True,
            inputs=[
                io.Int.Input(
                    "rank",
                    default=0,
                    min=0,
                    max=1024,
                    tooltip="Largest rank of a layer. 0 keeps the exact sum, whose rank is the sum of the ranks.",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default="float16",
                    tooltip="Numbers in the file. float16 is usual; float32 is twice as large and exact.",
                ),
                io.String.Input(
                    "filename",
                    default="merged",
                    tooltip="Name inside output/loras; .safetensors is added. A file that is there is never replaced.",
                ),
                *row_inputs(two_strengths=False),
                LorasType.Input(
                    "loras", optional=True, tooltip="Rows of Load LoRA Stack, which come first, with their strengths."
                ),
            ],
            outputs=[
                io.String.Output("file", display_name="file", tooltip="The file that was written."),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: sources with weights and hashes, rank, and what the reduction lost.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, rank: int, precision: str, filename: str, loras: Stack | None = None, **rows: Any
    ) -> io.NodeOutput:
        from ..core.lora.merge import common_family, facts_of, layer_count, merge, metadata_of, place, save

        path = place(filename)
        chosen = Stack(rows_of(rows), loras).all_rows()
        if not chosen:
            raise NoLoraChosen("Merge LoRAs was given no active row; choose LoRAs and weights other than 0.")
        sources = [_source(row) for row in chosen]
        progress = host.Progress(layer_count(sources))
        merged = merge(sources, rank, precision, progress.step)
        family = common_family(sources)
        facts = [facts_of(source) for source in sources]
        written = save(merged, metadata_of(path.stem, merged, family, rank, facts), path)
        report = _merge_report(written, merged, family.name, rank, precision, facts)
        return io.NodeOutput(
            str(written),
            json.dumps(report, indent=2, ensure_ascii=False),
            ui={"text": [_merge_text(report)], "saved": [str(written)], "merged": [report]},
        )

    @classmethod
    def fingerprint_inputs(cls, **rows: Any) -> list[Stamp | str]:
        """Merge again when a file changed."""
        return _stamps([row.lora for row in rows_of(rows)])


def _stamps(names: list[str]) -> list[Stamp | str]:
    """What changes when one of the files does. A file that is not there is for `execute` to complain about."""
    from ..core.lora.header import stamp_of

    found: list[Stamp | str] = []
    for name in names:
        try:
            found.append(stamp_of(host.model_file("loras", name)))
        except (LikenessError, OSError):
            found.append(name)
    return found


def _source(row: Row) -> Source:
    from ..core.lora.lora_file import open_lora
    from ..core.lora.merge import Source

    return Source(open_lora(row.lora), row.model, row.clip)


def _told(outcome: Outcome) -> dict[str, Any]:
    file = outcome.file
    return {
        "lora": file.name,
        "strength_model": outcome.row.model,
        "strength_clip": outcome.row.clip,
        "base_model": file.family.name,
        "base_model_from": file.family.why,
        "matched": outcome.matched,
        "keys": outcome.of,
        "matched_text_encoder": outcome.matched_text,
        "keys_text_encoder": outcome.of_text,
        "already_applied": outcome.already,
        "trigger_words": file.trigger_words,
        "warnings": outcome.warnings,
    }


def _said(outcome: Outcome) -> str:
    file = outcome.file
    keys = f"{outcome.matched} of {outcome.of} keys"
    if outcome.of_text:
        keys += f", {outcome.matched_text} of {outcome.of_text} in the text encoder"
    lines = [f"{file.name} ({file.family.name}) at {outcome.row.model:g}/{outcome.row.clip:g}: {keys}"]
    if outcome.already:
        lines.append("  is on the model already and was not added again")
    if file.trigger_words:
        lines.append(f"  trigger words: {', '.join(file.trigger_words)}")
    lines += [f"  warning: {warning}" for warning in outcome.warnings]
    return "\n".join(lines)


def _merge_report(
    written: Path, merged: Merged, family: str, rank: int, precision: str, facts: list[dict[str, Any]]
) -> dict[str, Any]:
    from ..core.lora.merge import forbids_merging

    worst = max(merged.errors.items(), key=lambda item: item[1], default=("", 0.0))
    return {
        "file": str(written),
        "base_model": family,
        "sources": facts,
        "rank": rank,
        "largest_rank": max(merged.ranks.values(), default=0),
        "precision": precision,
        "layers": len(merged.ranks) + sum(name.endswith((".diff", ".diff_b")) for name in merged.tensors),
        "relative_error": merged.error,
        "worst_layer": worst[0],
        "worst_relative_error": worst[1],
        "warnings": merged.warnings
        + [
            f"the licence of {each['file']} ({each['licence']}) seems to forbid merging"
            for each in facts
            if forbids_merging(each["licence"])
        ],
    }


def _merge_text(report: dict[str, Any]) -> str:
    sources = " + ".join(f"{each['weight']:g} x {each['file']}" for each in report["sources"])
    lines = [
        f"{sources} ({report['base_model']})",
        "Licences: " + "; ".join(f"{each['file']}: {each['licence']}" for each in report["sources"]),
        f"{report['layers']} layers, rank up to {report['largest_rank']}, {report['precision']}",
    ]
    if report["rank"] == 0:
        lines.append("The exact sum: nothing was cut off.")
    else:
        lines.append(
            f"The reduction to rank {report['rank']} lost {report['relative_error']:.2%} of the change's norm, at "
            f"worst {report['worst_relative_error']:.2%} in {report['worst_layer']}."
        )
    lines += [f"Warning: {warning}" for warning in report["warnings"]]
    return "\n".join([*lines, report["file"]])
