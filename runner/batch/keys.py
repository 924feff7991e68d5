"""What makes a job the same job, and the seeds that follow from that for another try of it."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ...core.errors import LikenessError, PhotoMissing
from ...core.files import file_sha256
from ...core.node_facts import facts_of
from ..errors import NothingToVary, ServerRefused, ServerUnreachable
from ..workflow.graph import Node, Workflow
from ..workflow.input_files import Given, assign_input_files, named_files, photos_in
from ..workflow.overrides import Setting
from .job_records import JobSpec

FRESH_NS = 2_000_000_000
"""A file that was changed so recently may change again within the same time stamp: its hash is not kept."""

AWAY = (ServerUnreachable, ServerRefused)
"""Errors that say nothing about a workflow."""

HashOf = Callable[[Path], str]


class HashCache(Protocol):
    """Where hashes of files are kept between runs: the ledger."""

    def known_hash(self, path: Path, size: int, mtime_ns: int) -> str | None:
        """The hash of a file of that size and time, or None."""
        ...

    def remember_hash(self, path: Path, size: int, mtime_ns: int, sha256: str) -> None:
        """Keep a hash."""
        ...


def file_hash(path: Path, cache: HashCache | None = None) -> str:
    """The sha256 of a file as 64 hex digits, from `cache` where size and time are the same. Raises OSError."""
    absolute, stat = path.absolute(), path.stat()
    if cache is not None and (known := cache.known_hash(absolute, stat.st_size, stat.st_mtime_ns)):
        return known
    digest = file_sha256(path)
    if cache is not None and time.time_ns() - stat.st_mtime_ns > FRESH_NS:
        cache.remember_hash(absolute, stat.st_size, stat.st_mtime_ns, digest)
    return digest


def content_hash(path: Path, hash_of: HashOf = file_hash) -> str:
    """What is in a file, or in a folder's photos in their order.

    Something that cannot be read stands for its own path: it is another job once it can be.
    """
    try:
        return " ".join(hash_of(file) for file in photos_in(path)) if path.is_dir() else hash_of(path)
    except (OSError, ValueError, PhotoMissing):
        return f"unreadable {path}"


def job_key(graph: str, files: Mapping[str, Sequence[str]], settings: Iterable[Setting] = ()) -> str:
    """64 hex digits for a graph's hash, the content hashes of the files by node, and settings not yet in the graph."""
    words = [graph, {node: list(hashes) for node, hashes in files.items()}, [str(setting) for setting in settings]]
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()


def batch_keys(
    specs: Sequence[JobSpec],
    with_settings: Callable[[tuple[Setting, ...]], Workflow],
    hash_of: HashOf = file_hash,
    search: Sequence[Path] = (),
) -> list[str]:
    """The keys of a batch's jobs, all different.

    `with_settings` gives the workflow with some settings applied; it is asked once for each set of settings, and a
    job whose settings do not fit gets a key all the same. Files that the workflow itself names count with their
    content where they are in a `search` folder, else by name. Names of the user's photos do not count: a renamed
    photo is the same job. The second of two equal jobs has a key of its own.
    """
    graphs: dict[tuple[Setting, ...], tuple[Workflow, str] | None] = {}
    keys = []
    for spec in specs:
        if spec.settings not in graphs:
            graphs[spec.settings] = _graph(with_settings, spec.settings)
        graph = graphs[spec.settings]
        if graph is None:
            files = _by_target(spec.photos, hash_of)
            keys.append(job_key("", files, spec.settings))
        else:
            keys.append(job_key(graph[1], _files(graph[0], spec.photos, hash_of, search)))
    return distinct(keys)


def distinct(keys: Iterable[str]) -> list[str]:
    """The keys, where the n-th repetition of one is replaced by a key made of it and n."""
    seen: Counter[str] = Counter()
    found = []
    for key in keys:
        seen[key] += 1
        found.append(key if seen[key] == 1 else hashlib.sha256(f"{key} {seen[key]}".encode()).hexdigest())
    return found


def _graph(
    with_settings: Callable[[tuple[Setting, ...]], Workflow], settings: tuple[Setting, ...]
) -> tuple[Workflow, str] | None:
    """The graph with its hash; None when the settings do not fit it, which a server that is away does not say."""
    try:
        workflow = with_settings(settings)
    except AWAY:
        raise
    except LikenessError:
        return None
    return workflow, workflow.hash


def _files(
    workflow: Workflow, photos: Sequence[Given], hash_of: HashOf, search: Sequence[Path]
) -> dict[str, list[str]]:
    """The content of all files that a job reads: the user's by node, and those that the workflow names.

    Raises FilesNotAllowed.
    """
    try:
        placed = assign_input_files(workflow, photos)
    except (LikenessError, OSError):
        files = _by_target(photos, hash_of)
        taken = {given.target for given in photos if given.target is not None}
        placed = {node.id for node in workflow.file_nodes() if taken & {node.id, node.title}}
    else:
        files = {node: [content_hash(path, hash_of) for path in paths] for node, paths in placed.items()}
    named = named_files(workflow, placed, search)
    for node in (node for node in workflow.file_nodes() if node.id not in placed):
        own = str(node.inputs.get(node.file_input or "") or "")
        files[f"{node.id} itself"] = [own, *(content_hash(path, hash_of) for path in named.get(node.id, ()))]
    return files


def _by_target(photos: Sequence[Given], hash_of: HashOf) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for given in photos:
        files.setdefault(f"for {given.target or 'any'}", []).append(content_hash(given.path, hash_of))
    return files


SEED_INPUTS = ("seed", "noise_seed")
"""What nodes call the number that their noise comes from."""

SEED_BITS = 31
"""Every node takes seeds of this many bits."""


def seed_inputs(workflow: Workflow) -> list[tuple[Node, str]]:
    """The inputs whose seed can change the person: plain whole numbers of that name."""
    return [
        (node, name)
        for node in workflow
        if _seeds_face(node)
        for name in SEED_INPUTS
        if isinstance(node.inputs.get(name), int) and not isinstance(node.inputs[name], bool)
    ]


def _seeds_face(node: Node) -> bool:
    """Whether another seed of `node` makes another face: not one that only draws what is behind the person."""
    facts = facts_of(node.class_type)
    return facts is None or facts.seeds_face


def require_seeds(workflow: Workflow) -> None:
    """Raise NothingToVary when every try of `workflow` would give the same face."""
    if seed_inputs(workflow):
        return
    surroundings = [node.title for node in workflow if not _seeds_face(node)]
    if surroundings:
        raise NothingToVary(
            f"The only seed of {workflow.name} is that of {' and '.join(surroundings)}, which moves the background and "
            "not the face, so that another try gets the same verdict; leave --until-pass out."
        )
    raise NothingToVary(
        f"{workflow.name} has no node with a seed, so that another try gives the same picture; leave --until-pass out."
    )


def seed_for(key: str, attempt: int) -> int | None:
    """The seed of a job's n-th try. The first keeps the seeds of the workflow: None."""
    if attempt <= 1:
        return None
    digest = hashlib.sha256(f"{key} {attempt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)


def reseeded(workflow: Workflow, seed: int | None) -> Workflow:
    """A copy of `workflow` with another seed in every node of `seed_inputs`; itself without one."""
    if seed is None:
        return workflow
    workflow = workflow.copy()
    for number, (node, name) in enumerate(seed_inputs(workflow)):
        node.inputs[name] = (seed + number) % (1 << SEED_BITS)
    return workflow
