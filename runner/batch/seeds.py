"""New seeds for another try of the same job: made of its key, so that a repeated batch makes the same pictures."""

from __future__ import annotations

import hashlib

from ..errors import NothingToVary
from ..workflow.graph import Node, Workflow

SEED_INPUTS = ("seed", "noise_seed")
"""What nodes call the number that their noise comes from."""

SURROUNDINGS = frozenset({"LikenessStudioBackdrop"})
"""Nodes of ours whose seed only draws what is behind the person: another one makes the same face again."""

SEED_BITS = 31
"""Every node takes seeds of this many bits."""


def seed_inputs(workflow: Workflow) -> list[tuple[Node, str]]:
    """The inputs whose seed can change the person: plain whole numbers of that name, not those of SURROUNDINGS."""
    return [
        (node, name)
        for node in workflow
        if node.class_type not in SURROUNDINGS
        for name in SEED_INPUTS
        if isinstance(node.inputs.get(name), int) and not isinstance(node.inputs[name], bool)
    ]


def require_seeds(workflow: Workflow) -> None:
    """Raise NothingToVary when every try of `workflow` would give the same face."""
    if seed_inputs(workflow):
        return
    surroundings = [node.title for node in workflow if node.class_type in SURROUNDINGS]
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
    for place, (node, name) in enumerate(seed_inputs(workflow)):
        node.inputs[name] = (seed + place) % (1 << SEED_BITS)
    return workflow
