"""LiteRT interpreters (the runtime of .tflite networks): one per model file, shared, on the CPU."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DependencyMissing, ModelCorrupt
from .safety import refuse_pickle

if TYPE_CHECKING:
    from pathlib import Path

_networks: dict[tuple[str, int], Network] = {}
_lock = threading.Lock()


class Network:
    """A .tflite network with one input. Threads take turns: an interpreter has one set of tensors."""

    def __init__(self, path: Path) -> None:
        runtime = _runtime()
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
    key = (str(path.resolve()), path.stat().st_mtime_ns)
    with _lock:
        if key not in _networks:
            _networks[key] = Network(path)
        return _networks[key]


def _runtime() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise DependencyMissing(
            f"ai-edge-litert is needed to find the dense landmarks of a face and cannot be imported ({error}); install"
            f" it with: {sys.executable} -m pip install ai-edge-litert"
        ) from error
    return interpreter
