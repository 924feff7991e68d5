"""Find out from the graph what a judgement is not worth: the judge steered the generator, or the face was pasted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..graph import upstream
from ..node_facts import facts_of

STEERED_BY = {
    "instantid": "insightface/antelopev2",
    "pulid": "insightface/antelopev2",
    "ipadapterfaceid": "insightface/buffalo_l",
    "ipadapterunifiedloaderfaceid": "insightface/buffalo_l",
    "photomakerencodeplus": "insightface/buffalo_l",
    "photomakerinsightface": "insightface/buffalo_l",
    "infiniteyou": "insightface/antelopev2",
    "reactor": "insightface/buffalo_l",
}
"""What a node class whose name contains the key conditions on, or swaps faces with; lower case, letters only."""


def steering_recognisers(prompt: Mapping[str, Any] | None) -> dict[str, str]:
    """Recognisers that steer generation in an API-format graph: node id -> recogniser.

    A node with an input `enabled` that is off, such as Swap Face or ReActor, steers nothing.
    """
    found = {}
    for node_id, node in (prompt or {}).items():
        if (node.get("inputs") or {}).get("enabled") is False:
            continue
        name = "".join(filter(str.isalnum, str(node.get("class_type", "")))).lower()
        facts = facts_of(node.get("class_type", ""))
        if facts is not None and facts.swaps_by is not None:
            found[node_id] = facts.swaps_by
        for part, recogniser in STEERED_BY.items():
            if part in name:
                found[node_id] = recogniser
    return found


def _pastes_face(node: Mapping[str, Any]) -> bool:
    facts = facts_of(node.get("class_type", ""))
    return facts is not None and facts.pastes_face


def independence_warnings(engine: str, prompt: Mapping[str, Any] | None) -> list[str]:
    """A warning for each node that was steered by the recogniser family that now judges.

    Packs of insightface are trained on overlapping data with one loss, so each of them counts as the same judge.
    """
    family = engine.split("/")[0]
    return [
        f"Node {node_id} is conditioned on {recogniser} and {engine} judges the result: a generator fools the "
        "recogniser that it was steered by, so check with another engine."
        for node_id, recogniser in steering_recognisers(prompt).items()
        if recogniser.split("/")[0] == family
    ]


def restored_warnings(prompt: Mapping[str, Any] | None, judge: str | None) -> list[str]:
    """A warning for each Restore Face among what the node with the id `judge` depends on, or in the whole graph where
    that is not known: the photo's own face is always like the person."""
    graph = prompt or {}
    seen = upstream(graph, [judge]) if judge is not None and judge in graph else graph
    return [
        f"Node {node_id} (Restore Face) put the photo's own face into what is judged here: that it is like the person "
        "says nothing about the generator; to judge that, take the pictures from before it."
        for node_id in graph
        if node_id in seen and _pastes_face(graph[node_id])
    ]
