"""The training loop of the tiny autoencoder, and the files of one training: state, figures, a picture to look at."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open

from ..errors import TrainingDiverged, TrainingStateInvalid
from ..files import write_whole
from ..imaging.encode import drawn_file
from ..imaging.files import to_pil
from ..provenance.save import stated, tool
from ..provenance.source_types import EDITED_BY_GENERATION
from ..provenance.xmp import Generative, Record
from . import tiny_vae
from .tiny_vae import LATENT_NOISE, initialise, loss, psnr
from .tiny_vae_data import Photos

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

COLOUR_CROPS = 256
"""Crops that the first weights take their colours from."""

WARM_UP = 0.05
"""Share of the training in which the learning rate rises; then it falls along a cosine."""

LAST_RATE = 0.01
"""The learning rate at the end, as a share of the highest."""

LARGEST_GRADIENT = 1.0

MEASURED_TIMES = 10
"""How often the held-out photos are measured on the way."""


@dataclass(frozen=True)
class Settings:
    """How to train. `steps` or `minutes` says how long: the schedule runs along the one that is given."""

    size: int = 256
    crop: int = 64
    batch: int = 16
    rate: float = 5e-4
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0


@dataclass
class Progress:
    """Where a training stands; `done` is in 0..1, `seconds` is the time spent training in all, also before a stop."""

    step: int
    done: float
    seconds: float
    loss: float
    left: float
    megapixels: float


@dataclass
class Measured:
    """PSNR in dB of held-out photos, mean of each folder and of all, and the latents' mean and standard deviation."""

    step: int
    seconds: float
    psnr: float
    folders: dict[str, float]
    latent_mean: float
    latent_deviation: float


@dataclass
class Training:
    """A training at some step: all that decides how it goes on."""

    settings: Settings
    model: AutoencoderTiny
    optimizer: torch.optim.AdamW
    generator: torch.Generator
    device: torch.device
    step: int = 0
    seconds: float = 0.0
    history: list[Measured] = field(default_factory=list)

    @property
    def done(self) -> float:
        """The share of the training that is behind, 0..1."""
        if self.settings.steps is not None:
            return min(self.step / self.settings.steps, 1.0)
        return min(self.seconds / (60.0 * (self.settings.minutes or 1.0)), 1.0)


def start(settings: Settings, device: torch.device, photos: Photos) -> Training:
    """A training at its first step, from the colours of `photos`. Raises DependencyMissing without diffusers."""
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = tiny_vae.make()
        generator = torch.Generator().manual_seed(settings.seed)
        initialise(model, photos.crops(COLOUR_CROPS, settings.crop, generator))
        model = model.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        optimizer = torch.optim.AdamW(model.parameters(), lr=settings.rate, betas=(0.9, 0.99), weight_decay=1e-4)
    return Training(settings, model, optimizer, generator, device)


def train(
    training: Training,
    photos: Photos,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_measured: Callable[[Measured], None] = lambda measured: None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Train to the end; False when `stopped` said so between two steps. Held-out photos are measured on the way.

    Random numbers come from the training's own generator on the CPU, so that a training that was stopped goes on as if
    it had not been. Raises TrainingDiverged.
    """
    with torch.inference_mode(False), torch.enable_grad():
        while training.done < 1.0:
            if stopped():
                return False
            tenth, begun = int(training.done * MEASURED_TIMES), time.monotonic()
            value = _step(training, photos)
            training.seconds += time.monotonic() - begun
            on_progress(_progress(training, value))
            if int(training.done * MEASURED_TIMES) > tenth:
                training.history.append(measure(training, photos))
                on_measured(training.history[-1])
    return True


def _step(training: Training, photos: Photos) -> float:
    settings, device = training.settings, training.device
    for group in training.optimizer.param_groups:
        group["lr"] = settings.rate * schedule(training.done)
    pictures = photos.crops(settings.batch, settings.crop, training.generator)
    side = settings.crop // tiny_vae.STRIDE
    noise = LATENT_NOISE * torch.randn(settings.batch, 4, side, side, generator=training.generator)
    pictures = pictures.to(device, memory_format=torch.channels_last)
    with _precision(device):
        latents = tiny_vae.encode(training.model, pictures)
        decoded = tiny_vae.decode(training.model, latents + noise.to(device))
    value = loss(pictures, decoded.float(), latents.float()).total
    if not math.isfinite(value.item()):
        raise TrainingDiverged(
            f"The loss is {value.item()} at step {training.step} with a rate of {settings.rate:g}; give a lower --rate."
        )
    training.optimizer.zero_grad(set_to_none=True)
    value.backward()
    torch.nn.utils.clip_grad_norm_(training.model.parameters(), LARGEST_GRADIENT)
    training.optimizer.step()
    training.step += 1
    return value.item()


def schedule(done: float) -> float:
    """The learning rate as a share of the highest, when `done` of the training (0..1) is behind."""
    if done < WARM_UP:
        return (done + 1e-3) / (WARM_UP + 1e-3)
    cosine = 0.5 + 0.5 * math.cos(math.pi * (done - WARM_UP) / (1.0 - WARM_UP))
    return LAST_RATE + (1.0 - LAST_RATE) * cosine


def measure(training: Training, photos: Photos) -> Measured:
    """PSNR of the held-out photos in full precision, each photo by itself, then averaged."""
    by_folder: dict[str, float] = {}
    every, latents = [], []
    with torch.no_grad():
        for folder, pictures in zip(photos.folders, photos.held_out, strict=True):
            values = []
            for picture in pictures:
                on_device = picture.to(training.device, memory_format=torch.channels_last)
                latent = tiny_vae.encode(training.model, on_device)
                values.append(psnr(on_device, tiny_vae.decode(training.model, latent).clamp(0.0, 1.0)))
                latents.append(latent.flatten().cpu())
            by_folder[str(folder)] = sum(values) / len(values)
            every += values
    codes = torch.cat(latents)
    return Measured(
        training.step, training.seconds, sum(every) / len(every), by_folder, codes.mean().item(), codes.std().item()
    )


def save_state(training: Training, file: Path) -> None:
    """Write all that decides how the training goes on: weights, optimizer, random numbers, step, time and history."""
    tensors = {f"model.{key}": value.detach().cpu() for key, value in training.model.state_dict().items()}
    for index, values in training.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value).detach().cpu() for key, value in values.items()}
    tensors = {key: value.contiguous() for key, value in tensors.items()}
    tensors["generator"] = training.generator.get_state()
    about = {
        "settings": asdict(training.settings),
        "step": training.step,
        "seconds": training.seconds,
        "history": [asdict(measured) for measured in training.history],
    }
    tiny_vae.write(file, tensors, {"likeness_training": json.dumps(about)})


def load_state(file: Path, settings: Settings, device: torch.device, photos: Photos) -> Training:
    """The training that `save_state` wrote. Raises TrainingStateInvalid when it is none or had other settings."""
    training = start(settings, device, photos)
    try:
        with safe_open(file, "pt") as content:
            about = json.loads((content.metadata() or {})["likeness_training"])
            tensors = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118 - no mapping
        _same_settings(file, about["settings"], settings)
        training.model.load_state_dict({key: tensors[f"model.{key}"] for key in training.model.state_dict()})
        training.optimizer.load_state_dict(_optimizer_state(training.optimizer, tensors))
        training.generator.set_state(tensors["generator"])
        training.step, training.seconds = int(about["step"]), float(about["seconds"])
        training.history = [Measured(**measured) for measured in about["history"]]
    except (OSError, SafetensorError, AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingStateInvalid(
            f"{file} is no state of a training ({type(error).__name__}: {error}); start anew without --resume."
        ) from error
    return training


def _same_settings(file: Path, before: dict[str, Any], now: Settings) -> None:
    differing = [f"{key} {before.get(key)}" for key, value in asdict(now).items() if before.get(key) != value]
    if differing:
        raise TrainingStateInvalid(
            f"The training in {file.name} was started with {', '.join(differing)}; give the same, or start anew "
            "without --resume."
        )


def _optimizer_state(optimizer: torch.optim.AdamW, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = value
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}


def _progress(training: Training, value: float) -> Progress:
    done = training.done
    left = training.seconds * (1.0 - done) / done if done else math.inf
    pixels = training.step * training.settings.batch * training.settings.crop**2 / 1e6
    return Progress(training.step, done, training.seconds, value, left, pixels / max(training.seconds, 1e-9))


def _precision(device: torch.device) -> torch.autocast:
    """bfloat16 where the processor or the graphics card multiplies it faster: twice as fast on two AVX-512 cores."""
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16, enabled=torch.cuda.is_bf16_supported())
    fast = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return torch.autocast("cpu", torch.bfloat16, enabled=device.type == "cpu" and fast is not None and bool(fast()))


SHOWN = 8
"""Held-out photos in the picture: as many columns."""

CELL = 192


DECODED = Record(
    Generative.SOME,
    EDITED_BY_GENERATION,
    reasons=("The lower row is what an autoencoder made of the photos above it.",),
    tool=" ".join(tool()).strip(),
)
"""What the picture says of its making."""


def state_file(output: Path) -> Path:
    """Where the training of `output` goes on from."""
    return output.with_suffix(".state.safetensors")


def files_of(output: Path) -> list[Path]:
    """All files that a training writes."""
    return [output, state_file(output), output.with_suffix(".json"), output.with_suffix(".jpg")]


def save_whole(training: Training, output: Path, family: str) -> None:
    """Write the autoencoder as it is now, and the state."""
    about = {"steps": str(training.step), "seconds": f"{training.seconds:.0f}"}
    if training.history:
        about["psnr"] = f"{training.history[-1].psnr:.2f}"
    tiny_vae.save(training.model, output, family, about)
    save_state(training, state_file(output))


def finish(training: Training, photos: Photos, measured: Measured, output: Path, family: str) -> dict[str, Any]:
    """Write the report (JSON) and the picture beside the autoencoder; return what the report says."""
    sheet = output.with_suffix(".jpg")
    write_whole(sheet, drawn_file(draw(training, photos), "jpeg", stated(DECODED)), private=True)
    values = {
        "file": str(output),
        "picture": str(sheet),
        "family": family,
        "photos": photos.count,
        "held_out": sum(map(len, photos.held_out)),
        "refused": photos.refused,
        "device": str(training.device),
        "threads": torch.get_num_threads(),
        "finished": training.done >= 1.0,
        "settings": asdict(training.settings),
        "measured": asdict(measured),
        "history": [asdict(each) for each in training.history],
    }
    write_whole(output.with_suffix(".json"), json.dumps(values, indent=2) + "\n", private=True)
    return values


def draw(training: Training, photos: Photos) -> Image.Image:
    """Held-out photos above what the autoencoder makes of them, the folders in turn."""
    longest = max(map(len, photos.held_out))
    turns = [pictures[index] for index in range(longest) for pictures in photos.held_out if index < len(pictures)]
    shown = turns[:SHOWN]
    sheet = Image.new("RGB", (CELL * len(shown), 2 * CELL))
    for column, picture in enumerate(shown):
        decoded = tiny_vae.reconstruct(training.model, picture.to(training.device)).cpu()
        for row, image in enumerate((picture, decoded)):
            cell = to_pil(image[0].permute(1, 2, 0)).resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(cell, (CELL * column, CELL * row))
    return sheet
