"""Find out which face recogniser a generator was steered by: a judge must not be the one that was optimised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STEERED_BY = {
    "instantid": "insightface/antelopev2",
    "pulid": "insightface/antelopev2",
    "ipadapterfaceid": "insightface/buffalo_l",
    "ipadapterunifiedloaderfaceid": "insightface/buffalo_l",
    "photomakerencodeplus": "insightface/buffalo_l",
    "photomakerinsightface": "insightface/buffalo_l",
    "infiniteyou": "insightface/antelopev2",
    "reactor": "insightface/buffalo_l",
    "likenessswapface": "insightface/buffalo_l",
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
        for part, recogniser in STEERED_BY.items():
            if part in name:
                found[node_id] = recogniser
    return found


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
