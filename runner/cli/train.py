"""`likeness train`: networks that are small enough to be trained on one's own photos and machine."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.errors import Interrupted
from ..errors import OutputUnwritable
from .output import Output, current_output, json_option

if TYPE_CHECKING:
    from ...core.training.tiny_vae_data import Photos
    from ...core.training.tiny_vae_train import Measured, Progress, Settings, Training

SAVE_SECONDS = 60
DEFAULT_MINUTES = 20.0


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
    from ...core.training.tiny_vae_train import Settings, files_of

    if steps is not None and minutes is not None:
        raise click.UsageError("Give --steps or --minutes, not both.")
    if output.suffix != ".safetensors":
        raise click.UsageError(f"--output {output} must end in .safetensors.")
    if crop % 8:
        raise click.UsageError(f"--crop {crop} must be a multiple of 8, the pixels to a latent.")
    there = next((file for file in files_of(output) if file.exists()), None)
    if there is not None and not resume:
        raise click.UsageError(f"{there} exists; give --resume to go on with its training, or another --output.")
    if steps is None and minutes is None:
        minutes = DEFAULT_MINUTES
    settings = Settings(size=size, crop=crop, batch=batch, rate=rate, steps=steps, minutes=minutes, seed=seed)
    _Session(current_output(), settings, output, family).run(data, limit, device, resume)


class _Session:
    """One training as the command runs it: what is printed, what is saved when, and how it is stopped."""

    def __init__(self, out: Output, settings: Settings, output: Path, family: str) -> None:
        self.out = out
        self.settings = settings
        self.output = output
        self.family = family
        self._saved = time.monotonic()

    def run(self, data: tuple[Path, ...], limit: int, device: str, resume: bool) -> None:
        from ...core.host import torch_device
        from ...core.training import tiny_vae_train as engine
        from ...core.training import tiny_vae_train as session

        _check_folder(self.output)
        with _first_signal() as stopped, _writing(self.output):
            place = torch_device(device)
            photos = self._photos(data, limit, stopped)
            if resume:
                training = engine.load_state(session.state_file(self.output), self.settings, place, photos)
            else:
                training = engine.start(self.settings, place, photos)
            self._begin(training, photos)
            with _line_of(self.out) as line:
                whole = engine.train(
                    training,
                    photos,
                    lambda progress: self._on_progress(training, progress, line),
                    lambda measured: self._on_measured(measured, line),
                    stopped.is_set,
                )
            session.save_whole(training, self.output, self.family)
            if whole:
                values = session.finish(training, photos, training.history[-1], self.output, self.family)
                self.out.result(values, lambda: self._show(values))
        if not whole:
            raise Interrupted(
                f"The training was stopped after {training.step} steps; {self.output} holds what there is, and "
                "the same command with --resume goes on."
            )

    def _photos(self, data: tuple[Path, ...], limit: int, stopped: threading.Event) -> Photos:
        from ...core.training import tiny_vae_data as engine

        self.out.say("Reading photos ...")
        folders = engine.split(data, limit)
        total = sum(len(folder.training) + len(folder.held_out) for folder in folders)
        number = 0
        with _line_of(self.out) as line:

            def on_photo() -> None:
                nonlocal number
                number += 1
                line.show(f"photo {number} of {total}")
                if stopped.is_set():
                    raise Interrupted("The training was stopped before it began; nothing was written.")

            return engine.load(folders, self.settings.size, on_photo)

    def _begin(self, training: Training, photos: Photos) -> None:
        for refused in photos.refused:
            self.out.say(f"Left out  {refused}")
        held_out = sum(map(len, photos.held_out))
        where = f"{training.device}, from step {training.step}"
        self.out.say(f"{photos.count} photos to train on, {held_out} held out; on {where}.")

    def _on_progress(self, training: Training, progress: Progress, line: _Line) -> None:
        from ...core.training import tiny_vae_train as session

        if self.out.as_json:
            if progress.step % 10 == 0:
                self.out.line({"event": "progress"} | asdict(progress))
        else:
            line.show(
                f"{progress.done:4.0%}  step {progress.step}  loss {progress.loss:.4f}"
                f"  {progress.megapixels:.2f} megapixels/s  {_minutes(progress.left)} left"
            )
        if time.monotonic() - self._saved > SAVE_SECONDS:
            session.save_whole(training, self.output, self.family)
            self._saved = time.monotonic()

    def _on_measured(self, measured: Measured, line: _Line) -> None:
        line.clear()
        if self.out.as_json:
            self.out.line({"event": "measured"} | asdict(measured))
        else:
            self.out.say(
                f"step {measured.step:6d}  {_minutes(measured.seconds)}  held-out PSNR {measured.psnr:.2f} dB"
                f"  latents {measured.latent_mean:+.2f} +- {measured.latent_deviation:.2f}"
            )

    def _show(self, values: dict[str, Any]) -> None:
        measured = values["measured"]
        self.out.say(f"Saved    {values['file']}")
        self.out.say(f"Picture  {values['picture']}")
        held_out = values["held_out"]
        self.out.say(f"PSNR     {measured['psnr']:.2f} dB on {held_out} held-out photo{'s' * (held_out != 1)}")
        for folder, value in measured["folders"].items():
            self.out.say(f"         {value:.2f} dB in {folder}")
        self.out.say(f"Time     {_minutes(measured['seconds'])} of training on {values['device']}")


def _check_folder(output: Path) -> None:
    """Find out before the training, not after it, that its files cannot be written."""
    with _writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output.parent).close()


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


class _Line:
    """A line on a terminal that is written over; nothing where standard error is a file."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._width = 0

    def show(self, text: str) -> None:
        if self._shown:
            click.echo("\r" + text.ljust(self._width), nl=False, err=True)
            self._width = len(text)

    def clear(self) -> None:
        if self._width:
            click.echo("\r" + " " * self._width + "\r", nl=False, err=True)
            self._width = 0


@contextmanager
def _line_of(out: Output) -> Iterator[_Line]:
    line = _Line(sys.stderr.isatty() and not out.as_json)
    try:
        yield line
    finally:
        line.clear()


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
