"""Five LoRAs on SD 1.5: our Load LoRA Stack beside five chained LoraLoader nodes of ComfyUI, in one process.

    COMFYUI_PYTHON benchmarks/generation/lora_speed.py --comfyui COMFYUI_PATH --out benchmarks/generation/lora_speed.md

Run it with ComfyUI's Python. The benchmark makes the LoRAs itself: kohya's format, rank 32, every layer of the UNet's
attention and feed-forward and of the text encoder (264, as kohya's trainer makes them), in float16. The model has
SD 1.5's architecture and random weights. In every round both sides run one after the other, in an order that is drawn,
so that a busy machine hits both. ComfyUI's side is what its executor does: a node runs again when its own strength or
an earlier node's output changed, and each node keeps the file that it read last. Ours includes the check for changed
files and, where a file is new, for numbers that are not finite, which reads all of it; ComfyUI's side maps the file and
reads it only while it patches the weights. Files are in the page cache for both.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import platform
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
COUNT, RANK = 5, 32
UNET = {
    "use_checkpoint": False,
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "use_spatial_transformer": True,
    "legacy": False,
    "adm_in_channels": None,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2, 2],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth_middle": 1,
    "use_linear_in_transformer": False,
    "context_dim": 768,
    "num_heads": 8,
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "use_temporal_attention": False,
    "use_temporal_resblock": False,
}
"""The UNet of SD 1.5."""


class Comfy:
    """The modules of ComfyUI and a model of SD 1.5's architecture with random weights."""

    def __init__(self, comfyui: Path, base: Path) -> None:
        (base / "likeness_studio").symlink_to(ROOT)
        (base / "models" / "loras").mkdir(parents=True)
        sys.argv = [sys.argv[0], "--cpu", "--base-directory", str(base)]
        sys.path[:0] = [str(comfyui), str(base)]
        import comfy.options  # pyright: ignore[reportMissingImports]

        comfy.options.enable_args_parsing()
        import comfy.model_patcher  # pyright: ignore[reportMissingImports]
        import comfy.sd  # pyright: ignore[reportMissingImports]
        import comfy.supported_models  # pyright: ignore[reportMissingImports]

        import nodes  # pyright: ignore[reportMissingImports]

        self.loader = nodes.LoraLoader  # pyright: ignore[reportAttributeAccessIssue]
        config = comfy.supported_models.SD15(UNET)
        config.set_inference_dtype(torch.float32, None)
        unet = config.get_model({}, "")
        self.clip = comfy.sd.CLIP(config.clip_target({}), parameters=0)
        cpu = torch.device("cpu")
        self.model = comfy.model_patcher.ModelPatcher(unet, cpu, cpu)
        for module in (unet, self.clip.cond_stage_model):
            for weight in module.parameters():
                weight.data.uniform_(-0.02, 0.02)
        self.clear_mapped, self.run = _ours()

    def make_loras(self, folder: Path) -> list[str]:
        """Write the files."""
        from safetensors.torch import save_file

        from likeness_studio.nodes import host

        found: dict[str, torch.Size] = {}
        sides = (
            (
                host.lora_names(model=self.model),
                self.model.model.state_dict(),
                r"lora_unet_(down|mid|up)_.*attentions_\d+_(proj|.*(attn|ff))",
            ),
            (host.lora_names(clip=self.clip), self.clip.cond_stage_model.state_dict(), r"lora_te_"),
        )
        for names, weights, wanted in sides:
            for name, weight in names.items():
                if re.match(wanted, name) and weight in weights and weights[weight].ndim > 1:
                    found[name] = weights[weight].shape
        files = []
        for number in range(COUNT):
            tensors = {}
            for name, shape in found.items():
                kernel = [1] * (len(shape) - 2)
                tensors[f"{name}.lora_up.weight"] = torch.randn(shape[0], RANK, *kernel).mul_(0.01).half()
                tensors[f"{name}.lora_down.weight"] = torch.randn(RANK, shape[1], *kernel).mul_(0.01).half()
                tensors[f"{name}.alpha"] = torch.tensor(16.0)
            files.append(f"lora_{number}.safetensors")
            save_file(tensors, folder / files[-1], {"ss_base_model_version": "sd_v1"})
        print(f"{len(found)} layers, {(folder / files[0]).stat().st_size / 2**20:.1f} MiB a file", file=sys.stderr)
        return files


def _ours() -> tuple[Any, Any]:
    from likeness_studio.core.lora import lora_file as files
    from likeness_studio.nodes import lora_patching as apply
    from likeness_studio.nodes.lora import LoadLoraStack

    def clear() -> None:
        files._files.clear()
        apply._mapped.clear()
        apply._targets.clear()

    def run(model: Any, clip: Any, names: list[str], strengths: list[float]) -> Any:
        rows: dict[str, Any] = {}
        for number, (name, strength) in enumerate(zip(names, strengths, strict=True), 1):
            rows |= {f"on_{number}": True, f"lora_{number}": name}
            rows |= {f"strength_model_{number}": strength, f"strength_clip_{number}": strength}
        LoadLoraStack.fingerprint_inputs(model=None, clip=None, **rows)
        return LoadLoraStack.execute(model, clip, **rows).args[:2]

    return clear, run


class Core:
    """Five chained LoraLoader nodes, with the outputs that ComfyUI's executor keeps of each."""

    def __init__(self, comfy: Comfy) -> None:
        self.comfy = comfy
        self.nodes = [comfy.loader() for _ in range(COUNT)]
        self.outputs: list[Any] = [None] * COUNT
        self.strengths: list[float | None] = [None] * COUNT

    def run(self, names: list[str], strengths: list[float]) -> Any:
        value = (self.comfy.model, self.comfy.clip)
        stale = False
        for number, strength in enumerate(strengths):
            stale = stale or self.strengths[number] != strength
            if stale:
                self.outputs[number] = self.nodes[number].load_lora(*value, names[number], strength, strength)
                self.strengths[number] = strength
            value = self.outputs[number]
        return value


def _weights(pair: Any, comfy: Comfy) -> tuple[float, dict[str, torch.Tensor]]:
    """Seconds that patching the weights takes, and some of the patched weights."""
    start = time.perf_counter()
    cpu = torch.device("cpu")
    pair[0].patch_model(cpu)
    pair[1].patcher.patch_model(cpu)
    seconds = time.perf_counter() - start
    kept = {name: weight.clone() for name, weight in list(comfy.model.model.state_dict().items())[::40]}
    pair[0].unpatch_model(cpu)
    pair[1].patcher.unpatch_model(cpu)
    return seconds, kept


def measure(comfy: Comfy, names: list[str], rounds: int, seed: int) -> dict[str, dict[str, list[float]]]:
    """Seconds by case and side."""
    chance = random.Random(seed)
    times: dict[str, dict[str, list[float]]] = {}

    def timed(case: str, side: str, run: Any, strengths: list[float]) -> Any:
        gc.collect()
        start = time.perf_counter()
        result = run(strengths)
        times.setdefault(case, {}).setdefault(side, []).append(time.perf_counter() - start)
        return result

    for turn in range(rounds + 1):
        strengths = [round(chance.uniform(0.2, 1), 3) for _ in range(COUNT)]
        comfy.clear_mapped()
        core = Core(comfy)
        sides = {
            "ours": lambda s: comfy.run(comfy.model, comfy.clip, names, s),
            "core": lambda s, core=core: core.run(names, s),
        }
        pairs = {}
        for changed in range(-1, COUNT):
            case = "five LoRAs, cold" if changed < 0 else f"strength {changed + 1} of {COUNT} changed"
            if changed >= 0:
                strengths[changed] = round(strengths[changed] + 0.1, 3)
            for side in chance.sample(list(sides), 2):
                pairs[side] = timed(case, side, sides[side], list(strengths))
        if turn % 4 == 1:
            patched = {side: _weights(pairs[side], comfy) for side in chance.sample(list(pairs), 2)}
            for side, (seconds, _) in patched.items():
                times.setdefault("patching the weights", {}).setdefault(side, []).append(seconds)
            same = [torch.equal(patched["ours"][1][name], patched["core"][1][name]) for name in patched["ours"][1]]
            if not all(same):
                raise SystemExit("The two sides did not give the same weights.")
        if turn == 0:
            times.clear()
    return times


def summary(times: dict[str, dict[str, list[float]]], rounds: int) -> dict[str, Any]:
    """Medians, spreads and ratios of the same round."""
    single = [case for case in times if case.startswith("strength")]
    times["one strength changed, mean of the five"] = {
        side: [sum(values) / COUNT for values in zip(*(times[case][side] for case in single), strict=True)]
        for side in ("ours", "core")
    }
    rows = {}
    for case, sides in times.items():
        ratios = torch.tensor(sides["ours"]) / torch.tensor(sides["core"])
        row: dict[str, Any] = {"n": len(ratios)}
        for side, values in (*sides.items(), ("ratio", ratios)):
            each = torch.as_tensor(values, dtype=torch.float64) * (1 if side == "ratio" else 1000)
            row[side] = [round(float(torch.quantile(each, part)), 4) for part in (0.5, 0.1, 0.9)]
        rows[case] = row
    return {
        "rows": rows,
        "rounds": rounds,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "torch": torch.__version__,
        "date": f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}",
        "load_average": round(os.getloadavg()[0], 2),
    }


def markdown(found: dict[str, Any]) -> str:
    """The tables."""
    lines = [
        "# Five LoRAs on SD 1.5, beside five chained LoraLoader nodes",
        "",
        f"{found['date']}, {found['machine']}, torch {found['torch']}, {found['rounds']} rounds, load average "
        f"{found['load_average']} at the end. Both sides in one process, in an order drawn for each round. Medians, "
        "with the 10 % and 90 % quantiles; the ratio is of the same round, ours over core's.",
        "",
        "| step | ours, ms | core, ms | ratio |",
        "|---|---|---|---|",
    ]
    for case, row in found["rows"].items():
        if case != "patching the weights":
            cells = [f"{row[side][0]:.1f} ({row[side][1]:.1f} to {row[side][2]:.1f})" for side in ("ours", "core")]
            ratio = "{:.3f} ({:.3f} to {:.3f})".format(*row["ratio"])
            lines.append(f"| {case} | {' | '.join(cells)} | {ratio} |")
    row = found["rows"]["patching the weights"]
    lines += [
        "",
        "Before it samples, ComfyUI adds the patches to the weights, the same patches for both; checked to give the "
        "same weights bit for bit.",
        "",
        "| step | ours, ms | core, ms | ratio |",
        "|---|---|---|---|",
        "| patching the weights | {:.0f} ({:.0f} to {:.0f}) ".format(*row["ours"])
        + "| {:.0f} ({:.0f} to {:.0f}) ".format(*row["core"])
        + "| {:.3f} ({:.3f} to {:.3f}) |".format(*row["ratio"]),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and write tables and their numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comfyui", type=Path, default=os.environ.get("COMFYUI_PATH"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    args = parser.parse_args()
    out = args.out.resolve()
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        base = Path(folder)
        comfy = Comfy(Path(args.comfyui), base)
        names = comfy.make_loras(base / "models" / "loras")
        found = summary(measure(comfy, names, args.rounds, args.seed), args.rounds)
    out.write_text(markdown(found))
    out.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    print(markdown(found))


if __name__ == "__main__":
    main()
