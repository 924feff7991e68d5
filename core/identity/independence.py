"""What a graph can do to make a verdict on likeness worth little: said first, whoever drew the graph.

A generator that was steered by the recogniser that judges, the photo's own face pasted back, pictures that are compared
with themselves, a threshold that somebody typed, a person whom the run did not enroll.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..choices import STRICTNESS
from ..graph import links, upstream
from ..node_facts import Effect, facts_of
from .calibration import calibration_of

if TYPE_CHECKING:
    from .verdict import Gate

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


OWN_PIXELS = "Nothing in the picture was generated, so that a high likeness was to be expected."

ENROLLS = "LikenessEnrollIdentity"
"""The class whose pictures say who the person is."""

MADE = frozenset({Effect.GENERATES, Effect.COMBINES, Effect.UNKNOWN})
"""Effects of nodes whose pictures are nobody's photo any more."""


def compared_with_itself(prompt: Mapping[str, Any] | None, judge: str | None) -> list[str]:
    """A warning for each enrollment that the node `judge` compares with, whose photos this graph made itself.

    Such a person passes whatever was generated. Loaded, cut and chosen photos are photos; what was generated or put
    together, and what comes of a node that nothing is known of, is not.
    """
    graph = prompt or {}
    if judge is None or judge not in graph:
        return []
    judged = links(graph[judge])
    pictures = judged.get("images")
    found = []
    for node_id in sorted(upstream(graph, [str(judged["identity"][0])] if "identity" in judged else [])):
        if graph[node_id].get("class_type") != ENROLLS:
            continue
        photos = [link for name, link in links(graph[node_id]).items() if name.startswith("photos")]
        made = [each for each in sorted(upstream(graph, [str(link[0]) for link in photos])) if _made(graph[each])]
        if pictures is not None and any(list(link) == list(pictures) for link in photos):
            found.append(f"The pictures are compared with themselves: node {node_id} enrolled the person from them.")
        elif made:
            found.append(
                f"Node {node_id} enrolled the person from a picture that this graph made (node {made[0]}), not from a "
                "photo."
            )
    return found


def _made(node: Mapping[str, Any]) -> bool:
    """Whether a node's pictures are no photos; one that is not known may load them where nothing leads to it."""
    facts = facts_of(node.get("class_type", ""))
    return bool(links(node)) if facts is None else facts.effect in MADE


def loose_threshold(engine: str, gate: Gate) -> list[str]:
    """A warning where a typed threshold lies below every one that was measured for `engine`."""
    lowest = min(calibration_of(engine).point(fmr).threshold for fmr in STRICTNESS.values())
    if gate.fmr is not None or gate.threshold >= lowest:
        return []
    return [
        f"The threshold {gate.threshold:.2f} was typed in and lies below every one that was measured (the lowest is "
        f"{lowest:.2f}): strangers pass it."
    ]


def loaded_people(prompt: Mapping[str, Any] | None, judge: str | None) -> list[str]:
    """What to say of each saved identity that the node `judge` compares with: this run did not see whose photos."""
    graph = prompt or {}
    if judge is None or judge not in graph or "identity" not in (judged := links(graph[judge])):
        return []
    return [
        f"The person is the saved identity {name!r}: this run did not see the photos that it was enrolled from."
        for name in _saved(graph, upstream(graph, [str(judged["identity"][0])]))
    ]


def _saved(graph: Mapping[str, Any], nodes: Iterable[str]) -> list[str]:
    found = []
    for node_id in sorted(nodes):
        facts = facts_of(graph[node_id].get("class_type", ""))
        if facts is not None and facts.reads is not None and facts.reads[1] == "identity":
            found.append(str((graph[node_id].get("inputs") or {}).get(facts.reads[0])))
    return found


def own_pixels(prompt: Mapping[str, Any] | None, judge: str | None) -> list[str]:
    """What to say where the judged pictures are a photo's own pixels for certain."""
    graph = prompt or {}
    if judge is None or judge not in graph or "images" not in (judged := links(graph[judge])):
        return []
    seen = [facts_of(graph[each].get("class_type", "")) for each in upstream(graph, [str(judged["images"][0])])]
    known = [facts for facts in seen if facts is not None and facts.effect not in (Effect.GENERATES, Effect.UNKNOWN)]
    return [OWN_PIXELS] if len(known) == len(seen) else []
