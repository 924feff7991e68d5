"""Files of other kinds that were put among the LoRAs: what they are and where they belong, by their tensors' names."""

from __future__ import annotations

import re
from collections.abc import Iterable

_KINDS = (
    (r"(?m)^lora_controlnet$", "a Control LoRA", "controlnet"),
    (r"(?m)^(control_model\.|controlnet_|input_hint_block|zero_convs|.*control_add_embedding)", "a ControlNet",
     "controlnet"),
    (r"(?m)^(ip_adapter|image_proj)\.", "an IP-Adapter", "ipadapter"),
    (r"(?m)^model\.diffusion_model\.", "a checkpoint", "checkpoints"),
    (r"(?m)^(string_to_param|emb_params$|clip_[lg]$|t5xxl$)", "a textual inversion (embedding)", "embeddings"),
    (r"motion_modules\.", "a motion module of AnimateDiff", "animatediff_models"),
    (r"(?m)^(first_stage_model\.)?(encoder|decoder)\.(conv_in|mid|down|up|conv1|layers)[._]", "a VAE", "vae"),
    (r"(?m)^(diffusion_model\.)?(input_blocks|down_blocks|double_blocks|joint_blocks|transformer_blocks|blocks)\."
     r".*\.weight$", "a whole diffusion model", "diffusion_models"),
    (r"(?m)^(text_model\.encoder|transformer\.resblocks|encoder\.block|model\.layers)\.", "a text encoder",
     "text_encoders"),
)  # fmt: skip
"""What names of tensors tell, in this order, and the folder of ComfyUI's models that such files belong into."""


def stranger(names: Iterable[str]) -> str | None:
    """What a file without a single LoRA layer is, as words to end a sentence with; None where its names do not tell."""
    text = "\n".join(names)
    if "lora" in text.lower() and not re.search(_KINDS[0][0], text):
        return None
    for pattern, kind, folder in _KINDS:
        if re.search(pattern, text):
            return f"{kind}, which belongs into models/{folder}"
    return None
