"""The runtimes of the networks: onnxruntime sessions and LiteRT interpreters, one per model file, shared."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DependencyMissing, ModelCorrupt, ModelTooSlow
from .manifest import refuse_pickle, words_instead

if TYPE_CHECKING:
    import onnxruntime

log = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "gpu")
"""``auto`` takes a GPU where onnxruntime has one, ``gpu`` insists on it."""

_CPU = "CPUExecutionProvider"
_GPU = ("CUDAExecutionProvider", "ROCMExecutionProvider", "MIGraphXExecutionProvider", "DmlExecutionProvider")
_LOG_ERRORS_ONLY = 3

_sessions: dict[tuple[str, int, str], onnxruntime.InferenceSession] = {}
_lock = threading.Lock()


def session(path: Path, device: str = "auto") -> onnxruntime.InferenceSession:
    """The session of the ONNX file at `path` on `device` (one of `DEVICES`), made once and then shared.

    Raises DependencyMissing without onnxruntime, or for ``gpu`` when onnxruntime has no GPU that works; ModelCorrupt
    when the file is not a model; UnsafeWeights when it is a pickle; ValueError for another device name.
    """
    if device not in DEVICES:
        raise ValueError(f"The device {device!r} is not one of {', '.join(DEVICES)}.")
    refuse_pickle(path)
    _refuse_words(path)
    key = (str(path.resolve()), path.stat().st_mtime_ns, device)
    with _lock:
        if key not in _sessions:
            _sessions[key] = _open(path, device)
        return _sessions[key]


MOST_SECONDS = 300.0
"""For one picture: the slowest matte that is in use (BiRefNet at 1024 pixels) takes 40 s on two cores."""


def run_network(session: onnxruntime.InferenceSession, outputs: list[str] | None, feed: dict[str, Any]) -> list[Any]:
    """The outputs of an ONNX network that a user may have brought; one that loops without end is broken off.

    Raises ModelTooSlow after `MOST_SECONDS`.
    """
    runtime = _runtime()
    options = runtime.RunOptions()
    ending = threading.Timer(MOST_SECONDS, setattr, (options, "terminate", True))
    ending.daemon = True
    ending.start()
    try:
        return list(session.run(outputs, feed, options))
    except runtime.capi.onnxruntime_pybind11_state.Fail as error:
        if not options.terminate:
            raise
        raise ModelTooSlow(f"The network did not answer within {MOST_SECONDS:g} seconds; use another file.") from error
    finally:
        ending.cancel()


def _refuse_words(path: Path) -> None:
    text = words_instead(path)
    if text is not None:
        raise ModelCorrupt(f"{path} is {text} and no model; get the file itself from its source.")


def release() -> None:
    """Drop every cached session and the memory it holds."""
    with _lock:
        _sessions.clear()


def threads() -> int:
    """The number of cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def silence_telemetry() -> None:
    """Keep onnxruntime from recording usage events and sending them to its vendor. Call before importing it."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def _runtime() -> Any:
    silence_telemetry()
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyMissing(
            f"onnxruntime is needed to run the face and matte models and cannot be imported ({error}); install it"
            f" with: {sys.executable} -m pip install onnxruntime"
        ) from error
    return onnxruntime


def _providers(runtime: Any, device: str) -> list[str]:
    """The GPU's provider first, where `device` allows one and this onnxruntime has it; the CPU last."""
    there = runtime.get_available_providers()
    gpu = [provider for provider in _GPU if provider in there][:1]
    if device == "gpu" and not gpu:
        raise DependencyMissing(
            f"The device gpu was asked for and this onnxruntime ({runtime.__version__}) only has"
            f" {', '.join(there)}; choose auto or cpu, or replace onnxruntime by onnxruntime-gpu"
            " (onnxruntime-directml on Windows without NVIDIA)."
        )
    return [_CPU] if device == "cpu" else [*gpu, _CPU]


def _open(path: Path, device: str) -> onnxruntime.InferenceSession:
    runtime = _runtime()
    providers = _providers(runtime, device)
    if providers[0] == "CUDAExecutionProvider" and hasattr(runtime, "preload_dlls"):
        runtime.preload_dlls()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = _LOG_ERRORS_ONLY
    # Idle onnxruntime threads that spin steal the cores from torch's own threads between two networks.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    errors = runtime.capi.onnxruntime_pybind11_state
    broken = (errors.InvalidProtobuf, errors.InvalidGraph, errors.InvalidArgument, errors.NoModel, errors.Fail)
    try:
        opened = runtime.InferenceSession(str(path), options, providers=providers)
    except (*broken, errors.NotImplemented, errors.RuntimeException) as error:
        raise ModelCorrupt(
            f"onnxruntime {runtime.__version__} cannot load {path} ({str(error).strip()}); use another file."
        ) from error
    if device == "gpu" and opened.get_providers()[0] == _CPU:
        raise DependencyMissing(
            f"The device gpu was asked for and onnxruntime could not start {providers[0]} (its CUDA or cuDNN"
            " libraries are missing or of another version); choose auto or cpu, or install matching ones."
        )
    return opened


_networks: dict[tuple[str, int], Network] = {}
_litert_lock = threading.Lock()


class Network:
    """A .tflite network with one input. Threads take turns: an interpreter has one set of tensors."""

    def __init__(self, path: Path) -> None:
        runtime = _litert_runtime()
        try:
            # The faster XNNPACK kernels announce themselves on stderr and cannot be silenced; they would save 15 ms a
            # face, and the landmarks differ by less than a hundred-thousandth of the eye distance.
            kernels = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            self._interpreter = runtime.Interpreter(
                model_path=str(path), num_threads=1, experimental_op_resolver_type=kernels
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelCorrupt(f"LiteRT cannot load {path} ({str(error).strip()}); use another file.") from error
        (self._input,) = self._interpreter.get_input_details()
        self._outputs = {output["name"]: output["index"] for output in self._interpreter.get_output_details()}
        self._turn = threading.Lock()

    @property
    def side(self) -> int:
        """The side of the square input, in pixels."""
        return int(self._input["shape"][1])

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs by name for `pixels` [1,side,side,3] float32 in 0..1."""
        with self._turn:
            self._interpreter.set_tensor(self._input["index"], np.ascontiguousarray(pixels, np.float32))
            self._interpreter.invoke()
            return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}


def network(path: Path) -> Network:
    """The network of the .tflite file at `path`, made once and then shared.

    Raises DependencyMissing without ai-edge-litert, ModelCorrupt when the file is not a network, UnsafeWeights for
    another kind of file.
    """
    refuse_pickle(path)
    _refuse_words(path)
    key = (str(path.resolve()), path.stat().st_mtime_ns)
    with _litert_lock:
        if key not in _networks:
            _networks[key] = Network(path)
        return _networks[key]


def _litert_runtime() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise DependencyMissing(
            f"ai-edge-litert is needed to find the dense landmarks of a face and cannot be imported ({error}); install"
            f" it with: {sys.executable} -m pip install ai-edge-litert"
        ) from error
    return interpreter
