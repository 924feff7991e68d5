"""`likeness train`: networks that are small enough to be trained on one's own photos and machine."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import Output, current_output, json_option, status_line, told_as_usage

if TYPE_CHECKING:
    from ...core.training.tiny_vae_train import Measured, Progress
    from ..api.training import PhotoRead, TrainingBegun
    from .output import StatusLine


@click.group()
def train() -> None:
    """Train a small network on your own photos."""


@train.command("tiny-vae")
@click.option(
    "--data", multiple=True, required=True, type=click.Path(path_type=Path), help="A folder of photos; may be repeated."
)
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="FILE.safetensors to write.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="How long to train [default: 20].")
@click.option("--steps", type=click.IntRange(1), help="How many steps to train, instead of minutes.")
@click.option("--size", type=click.IntRange(64, 1024), default=256, show_default=True, help="Side that it is made for.")
@click.option("--crop", type=click.IntRange(32, 512), default=64, show_default=True, help="Side of the crops.")
@click.option("--batch", type=click.IntRange(1, 512), default=8, show_default=True, help="Crops in a step.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), default=5e-4, show_default=True, help="Learning rate.")
@click.option("--photos", "limit", type=click.IntRange(2), default=4000, show_default=True, help="Photos to read.")
@click.option("--family", type=click.Choice(["sd15", "sdxl"]), default="sd15", show_default=True, help="Its models.")
@click.option("--seed", type=int, default=0, show_default=True, help="For weights, crops and noise.")
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True)
@click.option("--resume", is_flag=True, help="Go on with the training that was stopped.")
@json_option
def tiny_vae(
    data: tuple[Path, ...],
    output: Path,
    minutes: float | None,
    steps: int | None,
    size: int,
    crop: int,
    batch: int,
    rate: float,
    limit: int,
    family: str,
    seed: int,
    device: str,
    resume: bool,
) -> None:
    """Train a tiny autoencoder (TAESD's architecture) that ComfyUI's Load VAE reads.

    A tenth of the photos is never trained on and measured instead. Ctrl-C saves what there is; --resume goes on.

    Exit codes: 0 done, 1 failed, 2 usage, 130 stopped.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait halve a shared machine
    from ..api.training import train_tiny_vae

    out = current_output()
    with _first_signal() as stopped, status_line(out) as line, told_as_usage():
        trained = train_tiny_vae(
            data,
            output,
            minutes=minutes,
            steps=steps,
            size=size,
            crop=crop,
            batch=batch,
            rate=rate,
            photos=limit,
            family=family,
            seed=seed,
            device=device,
            resume=resume,
            on_event=_Teller(out, line),
            stopped=stopped.is_set,
        )
        line.clear()
    out.result(trained.as_dict(), lambda: _show(out, trained.as_dict()))


class _Teller:
    """Says how a training is getting on."""

    def __init__(self, out: Output, line: StatusLine) -> None:
        self.out, self.line = out, line

    def __call__(self, event: PhotoRead | TrainingBegun | Progress | Measured) -> None:
        from ...core.training.tiny_vae_train import Progress
        from ..api.training import PhotoRead, TrainingBegun

        if isinstance(event, PhotoRead):
            if event.number:
                self.line.show(f"photo {event.number} of {event.total}")
            else:
                self.out.say("Reading photos ...")
        elif isinstance(event, TrainingBegun):
            self._begun(event)
        elif isinstance(event, Progress):
            self._progress(event)
        else:
            self._measured(event)

    def _begun(self, begun: TrainingBegun) -> None:
        self.line.clear()
        for refused in begun.refused:
            self.out.say(f"Left out  {refused}")
        where = f"{begun.device}, from step {begun.step}"
        self.out.say(f"{begun.photos} photos to train on, {begun.held_out} held out; on {where}.")

    def _progress(self, progress: Progress) -> None:
        if self.out.as_json:
            if progress.step % 10 == 0:
                self.out.line({"event": "progress"} | asdict(progress))
            return
        self.line.show(
            f"{progress.done:4.0%}  step {progress.step}  loss {progress.loss:.4f}"
            f"  {progress.megapixels:.2f} megapixels/s  {_minutes(progress.left)} left"
        )

    def _measured(self, measured: Measured) -> None:
        self.line.clear()
        if self.out.as_json:
            self.out.line({"event": "measured"} | asdict(measured))
            return
        self.out.say(
            f"step {measured.step:6d}  {_minutes(measured.seconds)}  held-out PSNR {measured.psnr:.2f} dB"
            f"  latents {measured.latent_mean:+.2f} +- {measured.latent_deviation:.2f}"
        )


def _show(out: Output, values: dict[str, Any]) -> None:
    measured = values["measured"]
    out.say(f"Saved    {values['file']}")
    out.say(f"Picture  {values['picture']}")
    held_out = values["held_out"]
    out.say(f"PSNR     {measured['psnr']:.2f} dB on {held_out} held-out photo{'s' * (held_out != 1)}")
    for folder, value in measured["folders"].items():
        out.say(f"         {value:.2f} dB in {folder}")
    out.say(f"Time     {_minutes(measured['seconds'])} of training on {values['device']}")


@contextmanager
def _first_signal() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets: the step is ended and saved; the second one breaks it off."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def on_signal(*_: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds < 1e6 else "? min"
