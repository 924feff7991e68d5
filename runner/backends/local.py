"""Run a workflow in this process: the zero-setup default where every node is ours or a carried core node."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ...core import host
from ...core.errors import Interrupted, LikenessError
from ...core.files import make_private_folder
from ...core.interrupt import Stopped, never
from ..errors import InputRequired, NodeFailed
from ..workflow.graph import Workflow, load
from ..workflow.object_info import Catalog
from ..workflow.preflight import Findings
from ..workflow.validate import Step
from .base import Event, Folders, OnEvent, RunsUnderWay, ignore
from .local_nodes import describe, findings_here, local_catalog, local_classes, overridden, plan
from .result import NodeTime, RunResult
from .saved_files import collect_files

if TYPE_CHECKING:
    from ...nodes.schema import io

if TYPE_CHECKING:
    from ...nodes.schema import io
    from ..workflow.preflight import Findings
    from .base import Fact

Classes = Mapping[str, type["io.ComfyNode"]]

ENGINE = "local"
"""What reports have as the engine of a run here."""


@dataclass(frozen=True)
class Computed:
    """What a node gave: a list of values for each output, and what it shows."""

    outputs: list[list[Any]]
    ui: dict[str, list[Any]]


class LocalEngine:
    """Runs workflows and keeps the results of the last one: what has not changed is not computed again.

    Raises what `validate.plan` raises, NodeFailed, and Interrupted.
    """

    name = "this machine"
    remote = False
    capacity = 1
    resumable = False

    def __init__(self, classes: Classes | None = None) -> None:
        self.affinity = ""
        self._given = classes
        self._cache: dict[str, Computed] = {}
        self._under_way = RunsUnderWay()

    @cached_property
    def _classes(self) -> Classes:
        return local_classes() if self._given is None else self._given

    @cached_property
    def _catalog(self) -> Catalog:
        return local_catalog() if self._given is None else describe(self._given)

    def resting(self) -> bool:
        """Never: this process takes work as long as it is there."""
        return False

    def wait_ready(self, stopped: Stopped = never) -> None:
        """Nothing has to be waited for."""

    def probe(self, timeout: float) -> LikenessError | None:
        """None: whoever asks is this process."""
        return None

    def catalog(self) -> Catalog:
        """The node classes of this process. Imports torch."""
        return self._catalog

    def load(self, source: str | Path) -> Workflow:
        """Read a workflow; see `Backend`."""
        return load(source, self.catalog)

    def check(self, workflow: Workflow) -> Findings:
        """What is wrong with `workflow` here; nodes that are not carried are one NeedsServer."""
        return findings_here(workflow, self._catalog)

    def facts(self) -> list[Fact]:
        """Nothing: what there is to know of this machine is known without a backend."""
        return []

    def cancel(self, prompt_id: str) -> None:
        """Stop a run before its next node or step; see `Backend`."""
        self._under_way.stop(prompt_id)

    def close(self) -> None:
        """Forget the results of the last run."""
        self._cache.clear()

    def run(
        self,
        workflow: Workflow,
        folders: Folders,
        on_event: OnEvent = ignore,
        stopped: Stopped = never,
        *,
        prompt_id: str | None = None,
        resume: bool = False,
    ) -> RunResult:
        """Run `workflow`; see `Backend`. A run here has no life after its process: there is no resuming.

        torch is imported only once the graph is known to be right: wrong settings are answered at once.
        """
        for folder in (folders.output, folders.temp):
            make_private_folder(folder)
        try:
            with self._under_way.enter(prompt_id or str(uuid.uuid4()), stopped) as interrupted:
                surroundings = host.LocalHost(
                    folders.input, folders.output, folders.temp, interrupted=interrupted, graph=workflow.to_api()
                )
                with host.use(surroundings):
                    run = _Run(self, workflow, surroundings, on_event)
                    import torch

                    with torch.inference_mode():
                        return run.finish()
        except KeyboardInterrupt as error:
            raise Interrupted("The run was stopped.") from error


class _Run:
    """One pass over one workflow."""

    def __init__(self, engine: LocalEngine, workflow: Workflow, place: host.LocalHost, on_event: OnEvent) -> None:
        self.classes = engine._classes
        self.engine, self.workflow, self.place, self.on_event = engine, workflow, place, on_event
        self.steps = plan(workflow, self.classes, engine._catalog)
        self.signatures: dict[str, str] = {}
        self.computed: dict[str, Computed] = {}
        titles = {node.id: node.title for node in workflow}
        self.result = RunResult(
            workflow.name, workflow.hash, ENGINE, titles=titles, place=engine.name, remote=engine.remote
        )

    def finish(self) -> RunResult:
        began = time.perf_counter()
        self.on_event(Event("start", total=len(self.steps)))
        try:
            for index, step in enumerate(self.steps):
                host.check_interrupted()
                self._one(index, step)
        finally:
            self.engine._cache = {self.signatures[node_id]: entry for node_id, entry in self.computed.items()}
        self.result.seconds = time.perf_counter() - began
        self.result.ui = {node_id: entry.ui for node_id, entry in self.computed.items() if entry.ui}
        collect_files(self.result, self.place.output_dir, self.place.temp_dir)
        return self.result

    def _one(self, index: int, step: Step) -> None:
        node = step.node
        self.place.node = node.id
        event = partial(Event, node=node.id, title=node.title, index=index, total=len(self.steps))
        signature = self.signatures[node.id] = self._signature(step)
        kept = self.engine._cache.get(signature)
        began = time.perf_counter()
        if kept is not None and self._files_exist(kept):
            self.computed[node.id] = kept
            self.on_event(event("cached"))
        else:
            kept = None
            self.on_event(event("node"))
            self.place.on_progress = lambda done, steps: self.on_event(event("progress", done=done, steps=steps))
            self.computed[node.id] = self._execute(step)
            self.on_event(event("node_done", seconds=round(time.perf_counter() - began, 4)))
        seconds = time.perf_counter() - began
        self.result.times.append(NodeTime(node.id, node.title, node.class_type, seconds, kept is not None))

    def _signature(self, step: Step) -> str:
        """What a node's result depends on: two equal signatures mean equal results. As a hash: the words of a chain of
        nodes would double with each of them."""
        cls = self.classes[step.node.class_type]
        schema = cls.GET_SCHEMA()
        links = {name: [self.signatures[origin], slot] for name, (origin, slot) in step.links.items()}
        own_id = step.node.id if schema.not_idempotent or _hidden_names(schema) & {"unique_id", "dynprompt"} else None
        parts = [step.node.class_type, own_id, step.values, links, self._fingerprint(cls, step)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()

    @staticmethod
    def _fingerprint(node_class: type[io.ComfyNode], step: Step) -> Any:
        ask = overridden(node_class, "fingerprint_inputs")
        if ask is None:
            return None
        try:
            answer = ask(**step.values, **dict.fromkeys(step.links))
        except (LikenessError, OSError):
            answer = float("nan")
        never_equal = answer != answer
        return secrets.token_hex(8) if never_equal else answer

    def _files_exist(self, kept: Computed) -> bool:
        """Whether the pictures of a cached node are in the folders of this run."""
        folders = {"output": self.place.output_dir, "temp": self.place.temp_dir}
        pictures = [picture for picture in kept.ui.get("images", []) if isinstance(picture, dict)]
        return all(
            (folders[picture["type"]] / picture["subfolder"] / picture["filename"]).is_file() for picture in pictures
        )

    def _execute(self, step: Step) -> Computed:
        node = step.node
        cls = self.classes[node.class_type]
        schema = cls.GET_SCHEMA()
        inputs = {name: [value] for name, value in step.values.items()}
        for name, (origin, slot) in step.links.items():
            inputs[name] = self.computed[origin].outputs[slot]
        try:
            runnable = _with_hidden(cls, self._hidden(node.id))
            calls = slices(inputs, whole=schema.is_input_list)
            results = [self._call(runnable, arguments) for arguments in calls]
            return Computed(_merge_outputs(schema, results), _merge_ui([result.ui for result in results]))
        except Interrupted:
            raise
        except Exception as error:
            raise NodeFailed(node.title, node.id, error) from error

    @staticmethod
    def _call(node_class: type[io.ComfyNode], arguments: dict[str, Any]) -> io.NodeOutput:
        host.check_interrupted()
        if _has_nothing(arguments.values()):
            return _nothing_of(node_class)
        return node_class.execute(**arguments)

    def _hidden(self, node_id: str) -> SimpleNamespace:
        canvas = self.workflow.canvas
        return SimpleNamespace(
            unique_id=node_id,
            prompt=self.workflow.to_api(),
            extra_pnginfo=None if canvas is None else {"workflow": canvas},
            dynprompt=None,
        )


def _hidden_names(schema: io.Schema) -> set[str]:
    return {hidden.name for hidden in schema.hidden}


def _with_hidden(cls: type[io.ComfyNode], hidden: SimpleNamespace) -> type[io.ComfyNode]:
    """A class made for one execution, so that two runs never see one another's hidden values."""
    return type(cls.__name__, (cls,), {"hidden": hidden, "__module__": cls.__module__})


def slices(inputs: dict[str, list[Any]], *, whole: bool) -> list[dict[str, Any]]:
    """The arguments of each call of a node: one call for each item of the longest list; shorter ones repeat their last.

    A node that takes lists (`whole`) is called once. Raises InputRequired when a list is empty.
    """
    if whole:
        return [dict(inputs)]
    empty = [name for name, values in inputs.items() if not values]
    if empty:
        raise InputRequired(f"the list given to {', '.join(empty)} is empty, so that there is nothing to work on")
    calls = max((len(values) for values in inputs.values()), default=1)
    return [{name: values[min(i, len(values) - 1)] for name, values in inputs.items()} for i in range(calls)]


def _has_nothing(arguments: Iterable[Any]) -> bool:
    """Whether an input is `host.Nothing`, alone or in a list."""
    return any(
        isinstance(item, host.Nothing)
        for value in arguments
        for item in (value if isinstance(value, list) else [value])
    )


def _nothing_of(node_class: type[io.ComfyNode]) -> io.NodeOutput:
    """The outputs of a node that was left out, as ComfyUI leaves a node out that gets an ExecutionBlocker."""
    from ...nodes.schema import io

    outputs = node_class.GET_SCHEMA().outputs
    return io.NodeOutput(*([host.Nothing()] if each.is_output_list else host.Nothing() for each in outputs))


def _merge_outputs(schema: io.Schema, results: list[io.NodeOutput]) -> list[list[Any]]:
    merged: list[list[Any]] = []
    for slot, socket in enumerate(schema.outputs):
        values = [result.args[slot] for result in results]
        merged.append([item for value in values for item in value] if socket.is_output_list else values)
    return merged


def _merge_ui(shown: list[Any]) -> dict[str, list[Any]]:
    """What the calls of one node show, joined by key."""
    merged: dict[str, list[Any]] = {}
    for ui in shown:
        for key, values in (ui if isinstance(ui, dict) else ui.as_dict() if ui is not None else {}).items():
            merged.setdefault(key, []).extend(values)
    return merged
