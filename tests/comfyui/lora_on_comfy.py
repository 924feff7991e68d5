"""Runs with ComfyUI's Python and ComfyUI on the path: LoRAs put on a real, narrow SD 1.5; prints JSON of what happened.

    PYTHON lora_on_comfy.py COMFYUI FOLDER REQUEST.json

FOLDER holds `likeness_studio` (a link to the pack) and `models/loras`.
"""

import json
import sys
from pathlib import Path

COMFYUI, FOLDER, REQUEST = sys.argv[1:4]
sys.argv = [sys.argv[0], "--cpu", "--base-directory", FOLDER]
sys.path[:0] = [COMFYUI, FOLDER]

import comfy.options  # noqa: E402  # pyright: ignore[reportMissingImports]

comfy.options.enable_args_parsing()

import comfy.model_management  # noqa: E402  # pyright: ignore[reportMissingImports]
import comfy.model_patcher  # noqa: E402  # pyright: ignore[reportMissingImports]
import comfy.sd  # noqa: E402  # pyright: ignore[reportMissingImports]
import comfy.supported_models  # noqa: E402  # pyright: ignore[reportMissingImports]
import comfy.utils  # noqa: E402  # pyright: ignore[reportMissingImports]
import folder_paths  # noqa: E402  # pyright: ignore[reportMissingImports]
import torch  # noqa: E402

from likeness_studio.core.errors import LikenessError  # noqa: E402
from likeness_studio.core.lora import LoraFile  # noqa: E402
from likeness_studio.nodes.lora_patching import apply_stack  # noqa: E402
from likeness_studio.nodes.sockets import Row, Stack  # noqa: E402

CPU = torch.device("cpu")


def unet(width, context, config_class="SD15"):
    """The real architecture, narrow, with random weights."""
    config = getattr(comfy.supported_models, config_class)(
        {
            "image_size": 32,
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": width,
            "num_res_blocks": [2, 2, 2, 2],
            "channel_mult": [1, 2, 4, 4],
            "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
            "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
            "transformer_depth_middle": 1,
            "context_dim": context,
            "num_heads": 8,
            "use_linear_in_transformer": False,
            "adm_in_channels": None,
            "use_spatial_transformer": True,
            "use_temporal_attention": False,
            "legacy": False,
        }
    )
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model({}, "")
    generator = torch.Generator().manual_seed(7)
    for weight in model.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.02
    return comfy.model_patcher.ModelPatcher(model, CPU, CPU)


def text_encoder():
    """The text encoder of SD 1.5 with random weights."""
    config = comfy.supported_models.SD15({"context_dim": 768, "model_channels": 320})
    clip = comfy.sd.CLIP(config.clip_target({}), parameters=0)
    generator = torch.Generator().manual_seed(8)
    for weight in clip.cond_stage_model.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.02
    return clip


def weights_of(patcher):
    """All weights while the patches are on."""
    patcher.patch_model(CPU)
    found = {name: weight.detach().clone() for name, weight in patcher.model.state_dict().items()}
    patcher.unpatch_model(CPU)
    return found


def ours(model, clip, rows, more):
    """The rows in one stack; `more` are those of a second node that gets the first one's model, CLIP and list."""
    stack = Stack(tuple(Row(*row) for row in rows))
    found = apply_stack(model, clip, stack)
    if more:
        found = apply_stack(*found[:2], Stack(tuple(Row(*row) for row in more), stack))
    return found


class Reads:
    """How often a file was read."""

    count = 0
    real = LoraFile.read

    @staticmethod
    def counted(file, names=None):
        Reads.count += 1
        return Reads.real(file, names)


LoraFile.read = Reads.counted  # pyright: ignore[reportAttributeAccessIssue]


def core(model, clip, rows):
    for name, strength, text in rows:
        if strength or text:
            lora = comfy.utils.load_torch_file(folder_paths.get_full_path_or_raise("loras", name), safe_load=True)
            model, clip = comfy.sd.load_lora_for_models(model, clip, lora, strength, text)
    return model, clip


def changes(patched, before):
    """The changed weights, by name."""
    after = weights_of(patched)
    return {name: after[name] - before[name] for name in after if not torch.equal(after[name], before[name])}


def main():
    request = json.loads(Path(REQUEST).read_text())
    model, encoder = unet(request.get("width", 32), 768), None
    before = weights_of(model)
    answers = []
    for case in request["cases"]:
        rows, more, clip = case["rows"], case.get("more", []), None
        Reads.count = 0
        if case.get("clip"):
            clip = encoder = encoder or text_encoder()
        before_text = weights_of(clip.patcher) if clip else {}
        try:
            patched, patched_clip, outcomes = ours(model, clip, rows, more)
        except LikenessError as error:
            answers.append({"code": error.code, "message": str(error)})
            continue
        reads = Reads.count
        same = core(model, clip, rows + more)
        found = changes(patched, before)
        by_core = changes(same[0], before)
        if clip and patched_clip and same[1]:
            found |= changes(patched_clip.patcher, before_text)
            by_core |= changes(same[1].patcher, before_text)
        if case.get("save"):
            torch.save(found, case["save"])
        answers.append(
            {
                "identity": patched is model and patched_clip is clip,
                "changed": sorted(found),
                "as_core": found.keys() == by_core.keys()
                and all(torch.equal(found[name], by_core[name]) for name in found),
                "outcomes": [[each.matched, each.of, each.matched_text, each.of_text] for each in outcomes],
                "warnings": [each.warnings for each in outcomes],
                "reads": reads,
                "untouched": all(torch.equal(value, before[name]) for name, value in weights_of(model).items()),
            }
        )
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
