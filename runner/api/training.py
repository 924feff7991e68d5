"""Training a small network on one's own photos: what is saved when, and how it is stopped and goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import Interrupted
from ...core.interrupt import Stopped, never
from ..errors import Misuse, OutputUnwritable

if TYPE_CHECKING:
    from ...core.training.tiny_vae_data import Photos
    from ...core.training.tiny_vae_train import Measured, Progress, Training

SAVE_SECONDS = 60
DEFAULT_MINUTES = 20.0


@dataclass(frozen=True)
class PhotoRead:
    """A photo was read, or is about to be where `number` is 0."""

    number: int
    total: int


@dataclass(frozen=True)
class TrainingBegun:
    """The photos are read: how many are trained on and held out, which were left out and why, and where it runs."""

    photos: int
    held_out: int
    refused: tuple[str, ...]
    device: str
    step: int


@dataclass(frozen=True)
class TrainedNetwork:
    """A finished training: the network, a picture of held-out photos, and the figures of the report (JSON)."""

    file: Path
    picture: Path
    report: Path
    figures: dict[str, Any]

    @property
    def psnr(self) -> float:
        """In dB, of the held-out photos."""
        return float(self.figures["measured"]["psnr"])

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return self.figures


def train_tiny_vae(
    data: Iterable[str | Path],
    output: str | Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    size: int = 256,
    crop: int = 64,
    batch: int = 8,
    rate: float = 5e-4,
    photos: int = 4000,
    family: str = "sd15",
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    on_event: Callable[[PhotoRead | TrainingBegun | Progress | Measured], None] = lambda event: None,
    stopped: Stopped = never,
) -> TrainedNetwork:
    """Train a tiny autoencoder (TAESD's architecture) on the photos of the folders `data`, into `output`.

    A tenth of the photos (at most `photos`) is never trained on and measured instead. It ends after `minutes` (20) or
    `steps`. Once `stopped`, what there is is saved, Interrupted is raised, and the same call with `resume` goes on.
    Raises Misuse, DependencyMissing, OutputUnwritable, and what reading the photos and the training raise.
    """
    from ...core.training.tiny_vae_train import Settings, files_of
    from ..backends.execute import check_writable

    target = Path(output)
    if steps is not None and minutes is not None:
        raise Misuse("Give --steps or --minutes, not both.")
    if target.suffix != ".safetensors":
        raise Misuse(f"--output {target} must end in .safetensors.")
    if crop % 8:
        raise Misuse(f"--crop {crop} must be a multiple of 8, the pixels to a latent.")
    there = next((file for file in files_of(target) if file.exists()), None)
    if there is not None and not resume:
        raise Misuse(f"{there} exists; give --resume to go on with its training, or another --output.")
    if steps is None and minutes is None:
        minutes = DEFAULT_MINUTES
    settings = Settings(size=size, crop=crop, batch=batch, rate=rate, steps=steps, minutes=minutes, seed=seed)

    from ...core.host import torch_device
    from ...core.training import tiny_vae_train as engine

    check_writable(target.parent)
    with _writing(target):
        place = torch_device(device)
        read = _read([Path(folder) for folder in data], photos, size, on_event, stopped)
        if resume:
            training = engine.load_state(engine.state_file(target), settings, place, read)
        else:
            training = engine.start(settings, place, read)
        held_out = sum(map(len, read.held_out))
        on_event(TrainingBegun(read.count, held_out, tuple(read.refused), str(training.device), training.step))
        saver = _Saver(training, target, family)

        def on_progress(progress: Progress) -> None:
            on_event(progress)
            saver.save_in_time()

        whole = engine.train(training, read, on_progress, on_event, stopped)
        engine.save_whole(training, target, family)
        if whole:
            figures = engine.finish(training, read, training.history[-1], target, family)
            return TrainedNetwork(target, Path(figures["picture"]), target.with_suffix(".json"), figures)
    raise Interrupted(
        f"The training was stopped after {training.step} steps; {target} holds what there is, and "
        "the same command with --resume goes on."
    )


class _Saver:
    """Saves a training once a minute."""

    def __init__(self, training: Training, output: Path, family: str) -> None:
        self._training, self._output, self._family = training, output, family
        self._saved = time.monotonic()

    def save_in_time(self) -> None:
        from ...core.training.tiny_vae_train import save_whole

        if time.monotonic() - self._saved > SAVE_SECONDS:
            save_whole(self._training, self._output, self._family)
            self._saved = time.monotonic()


def _read(data: list[Path], limit: int, size: int, on_event: Callable[[PhotoRead], None], stopped: Stopped) -> Photos:
    from ...core.training import tiny_vae_data

    on_event(PhotoRead(0, 0))
    folders = tiny_vae_data.split(tuple(data), limit)
    total = sum(len(folder.training) + len(folder.held_out) for folder in folders)
    number = 0

    def on_photo() -> None:
        nonlocal number
        number += 1
        on_event(PhotoRead(number, total))
        if stopped():
            raise Interrupted("The training was stopped before it began; nothing was written.")

    return tiny_vae_data.load(folders, size, on_photo)


@contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Clear words when a file of the training cannot be written."""
    from safetensors import SafetensorError

    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, SafetensorError) as error:
        raise OutputUnwritable(
            f"{output} cannot be written ({error}); make room, or choose another --output."
        ) from error
