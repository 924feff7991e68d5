"""Derives from the graph itself how a picture was made: what each node does to pixels, which steps generate, and the
same in the words of C2PA.

A node without facts is unknown, and nothing is stated about a picture that it had a part in. Nodes whose pixels
come out of a trained network that was made to invent them generate; that includes a VAE's decoder, also without a
sampler before it, networks that enlarge or restore, and Swap Face, whose network draws a new face. Restore Face does
not: it moves the photo's own pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import Any

from ..errors.formats import GenerationFound
from ..graph import links
from ..node_facts import EDITED, Effect, facts_of
from . import source_types as iptc
from .credentials import Action
from .source_types import GENERATED
from .xmp import Generative, Origin

GENERATING_WORDS = (
    "ksampler",
    "samplercustom",
    "vaedecode",
    "inpaint",
    "outpaint",
    "txt2img",
    "img2img",
    "texttoimage",
    "imagetoimage",
    "faceswap",
    "swapface",
    "reactor",
    "restoreface",
    "facerestore",
    "facedetailer",
    "ultimatesdupscale",
    "upscalewithmodel",
    "supir",
    "photomakerencode",
    "openai",
    "dalle",
    "stabilitystable",
    "ideogram",
    "recraft",
    "fluxpro",
    "fluxkontext",
    "geminiimage",
)
"""Words in the class names of other packs and of nodes that call services: a picture made by one is generated. A name
without any of them is unknown, not harmless."""

PIXELS_OF_LATENTS = frozenset({"latent_image", "samples", "pixels", "image", "images"})
"""Inputs of a generating node by which a photo's own pixels go on; by the others (prompts, references) they do not."""


def effect(node: Mapping[str, Any]) -> Effect:
    """What a node of an API-format graph does: as its facts say, also for the values that it was given."""
    name, inputs = str(node.get("class_type", "")), node.get("inputs") or {}
    facts = facts_of(name)
    if facts is None:
        letters = "".join(filter(str.isalnum, name)).lower()
        return Effect.GENERATES if any(word in letters for word in GENERATING_WORDS) else Effect.UNKNOWN
    if facts.effect_when is not None:
        given, values, other = facts.effect_when
        if any(inputs.get(given) is value or inputs.get(given) == value for value in values):
            return other
    if facts.retouches and not is_on(inputs, facts.retouches):
        return Effect.PASSES
    return facts.effect


def is_on(inputs: Mapping[str, Any], switches: Iterable[str]) -> bool:
    """Whether any of the switches or strengths is on; one that comes by a link may be."""
    return any(inputs.get(name) not in (None, False, 0) for name in switches)


Look = Callable[[Mapping[str, Any]], Origin]
MISSING: Mapping[str, Any] = MappingProxyType({"class_type": "(missing)"})
"""Stands for a node that a link names and the graph does not have: nothing is known of it."""

NOTHING_MORE: Mapping[str, Effect] = MappingProxyType({})


@dataclass(frozen=True)
class Step:
    """A node that the picture depends on. `seen`: its pixels reach the picture, and not only its numbers or masks."""

    id: str
    name: str
    effect: Effect
    seen: bool

    def __str__(self) -> str:
        return f"{self.name}: {self.effect.value}"

    @property
    def place(self) -> str:
        """The node as messages name it."""
        return f"{self.name} (node {self.id[:20]})"


@dataclass(frozen=True)
class Making:
    """How a picture was made. `source_type` is an IPTC identifier, None where nothing can be claimed."""

    generative: Generative
    source_type: str | None
    steps: tuple[Step, ...] = ()
    reasons: tuple[str, ...] = ()

    def refuse_generation(self) -> None:
        """Raises GenerationFound unless the statement "no generative step was used" can be made."""
        if self.generative is not Generative.NONE:
            raise GenerationFound(
                f"The file cannot state that no generative step was used: {'; '.join(self.reasons[:3])}; take that out "
                "of the workflow, or do not declare it."
            )


UNKNOWN = Making(Generative.UNKNOWN, None, reasons=("the workflow is not known here",))


def trace(
    graph: Mapping[str, Any],
    nodes: Iterable[str],
    look: Look,
    known: Mapping[str, Effect] = NOTHING_MORE,
) -> Making:
    """The making of what `nodes` of an API-format graph give; `look` says where the photos of a reading node come from.

    `known` are effects by class that hold for this graph, such as of a Make ID Photo that is known to have made no
    edits. The nodes themselves count too. Generation counts wherever it is, also where only a mask was made of it.
    """
    steps = _steps(graph, nodes, lambda node: known.get(_name(node)) or effect(node))
    origins = {step.id: look(graph[step.id]) for step in steps if step.effect is Effect.READS}
    made = [step for step in steps if step.effect is Effect.GENERATES]
    unknown = [step for step in steps if step.effect is Effect.UNKNOWN]
    told = [(step, origins[step.id]) for step in steps if step.id in origins]
    reasons = [f"{step.place} generates pixels" for step in made]
    reasons += [_told(step, origin) for step, origin in told if origin.generative is Generative.SOME]
    if reasons:
        return Making(Generative.SOME, _source_type(steps, origins), tuple(steps), tuple(reasons))
    reasons = [f"what {step.place} does is not known" for step in unknown]
    reasons += [_told(step, origin) for step, origin in told if origin.generative is Generative.UNKNOWN]
    if reasons:
        return Making(Generative.UNKNOWN, None, tuple(steps), tuple(reasons))
    return Making(Generative.NONE, _source_type(steps, origins), tuple(steps))


def _told(step: Step, origin: Origin) -> str:
    return f"the photo of {step.place}: {origin.reason}"


def _steps(graph: Mapping[str, Any], nodes: Iterable[str], does: Callable[[Mapping[str, Any]], Effect]) -> list[Step]:
    """Everything that `nodes` depend on and themselves, what comes last first."""
    seen: dict[str, bool] = {}
    pending = [(node_id, True) for node_id in nodes]
    while pending:
        node_id, visible = pending.pop()
        if node_id in seen and (seen[node_id] or not visible):
            continue
        seen[node_id] = visible
        node = graph.get(node_id) or MISSING
        here = does(node)
        for name, (origin, slot) in links(node).items():
            if str(origin) not in graph and not isinstance(origin, str):
                continue
            pending.append((str(origin), visible and _goes_on(here, name) and _gives_picture(graph, str(origin), slot)))
    nodes_seen = {each: graph.get(each) or MISSING for each in _last_first(graph, seen)}
    return [Step(each, _name(node), does(node), seen[each]) for each, node in nodes_seen.items()]


def _last_first(graph: Mapping[str, Any], nodes: Iterable[str]) -> list[str]:
    """In the reverse of the order of work; as they come where the graph has a ring and never worked."""
    found = {each: graph.get(each) or MISSING for each in nodes}
    needs = {
        each: sorted({str(link[0]) for link in links(node).values()} & found.keys()) for each, node in found.items()
    }
    try:
        return list(TopologicalSorter(needs).static_order())[::-1]
    except CycleError:
        return list(needs)


def _name(node: Mapping[str, Any]) -> str:
    return str(node.get("class_type", ""))[:80]


def _goes_on(here: Effect, name: str) -> bool:
    """Whether the pixels that a node gets by the input `name` go on into its picture."""
    if here is Effect.GENERATES:
        return name in PIXELS_OF_LATENTS
    return here is not Effect.ANALYSES


def _gives_picture(graph: Mapping[str, Any], node_id: str, slot: Any) -> bool:
    node = graph.get(node_id) or {}
    facts = facts_of(node.get("class_type", ""))
    return facts is None or facts.pictures is None or slot in facts.pictures


def _source_type(steps: list[Step], origins: Mapping[str, Origin]) -> str | None:
    """The IPTC term; see docs/provenance.md for why which."""
    seen = [step for step in steps if step.seen]
    effects = {step.effect for step in seen}
    photos = [origins[step.id] for step in seen if step.id in origins]
    if any(step.effect is Effect.GENERATES for step in steps):
        return iptc.EDITED_BY_GENERATION if photos else iptc.GENERATED
    if any(origin.generative is Generative.SOME for origin in origins.values()):
        if Effect.COMBINES in effects or len(photos) > 1:
            return iptc.COMPOSITE_SYNTHETIC
        return next((origin.source_type for origin in photos if origin.source_type in iptc.GENERATIVE), iptc.GENERATED)
    if Effect.COMBINES in effects:
        return iptc.COMPOSITE
    if not photos:
        return iptc.ALGORITHMIC if Effect.DRAWS in effects else None
    if Effect.ADJUSTS in effects:
        return iptc.ENHANCED
    types = {origin.source_type for origin in photos}
    return types.pop() if len(types) == 1 else None


NO_ACTION = "c2pa.unknown"
"""Action of the C2PA specification 2.2, 18.15, of nodes that nothing is known of."""

OF_EFFECT = {
    Effect.ADJUSTS: EDITED,
    Effect.COMBINES: EDITED,
    Effect.GENERATES: EDITED,
    Effect.UNKNOWN: NO_ACTION,
}


def actions_of(steps: Sequence[Step], edits: Iterable[str] = ()) -> list[Action]:
    """Actions for the steps whose pixels are seen (`steps` start at the end of the graph), and for an ID photo's edits.

    A generating step carries IPTC's term for it, so that a reader of the manifest alone sees it.
    """
    actions: list[Action] = []
    for step in reversed(steps):
        if not step.seen and step.effect is not Effect.GENERATES:
            continue
        facts = facts_of(step.name)
        if facts is not None and facts.actions and step.effect is not Effect.PASSES:
            actions += [Action(action, step.name) for action in facts.actions]
        elif step.effect in OF_EFFECT:
            generated = GENERATED if step.effect is Effect.GENERATES else None
            actions.append(Action(OF_EFFECT[step.effect], step.name, generated))
    return actions + [Action(EDITED, edit) for edit in edits]
