"""From a brief to its parts in one dialect: wordings chosen, contradictions found and resolved, gaps filled."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace

from ..errors import PresetUnknown
from .brief import PERSON, SUITS_THE_ROLE, UNSPECIFIED, Brief, Dialect, Kind
from .preset_files import Preset, Presets
from .wording import balanced, in_words, listed, noun_phrase, says, unweighted, without_article

POSE = "pose"
_AGAINST_GAZE = {"camera": "profile view", "aside": "facing the camera"}
"""What a described pose may not say beside a gaze that a preset claims."""
_SAID_OTHERWISE = {
    ("gaze", "camera"): re.compile(
        r"(?<![\w-])(?:(?:look|gaz|glanc)(?:s|es|ing) (?:\w+ly )?(?:away|aside|down|up|out|off|back|past|over|sideways"
        r"|(?:at|to|into|towards?) (?!the (?:camera|lens|viewer)))|eyes closed|closed eyes|profile view|side view)",
        re.IGNORECASE,
    ),
    ("body", "standing"): re.compile(r"\b(?:seated|sitting|sits|kneeling|wheelchair)\b", re.IGNORECASE),
}
"""Words of a user's own that contradict what a framing's pose claims."""
_THERE = " in the background"


@dataclass(frozen=True)
class Parts:
    """The phrases of one prompt; an empty one is not said.

    shot: "half-length portrait"; lens: "an 85 mm lens at f/2.8"; setting: "in a modern office"; scene: the same
    without its joining word; focus: "shallow" when the setting is blurred, "deep" when it is recognisable, else "".
    notes: what was left out or filled in, and why. used: the preset or source of each kind.
    """

    subject: str
    role: str = ""
    shot: str = ""
    lens: str = ""
    pose: str = ""
    attire: str = ""
    expression: str = ""
    light: str = ""
    setting: str = ""
    scene: str = ""
    focus: str = ""
    traits: tuple[str, ...] = ()
    additions: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    wanted_away: tuple[str, ...] = ()
    allows: tuple[str, ...] = ()
    closing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    used: dict[str, str] = field(default_factory=dict)


def resolve(brief: Brief, dialect: Dialect, presets: Presets) -> Parts:
    """The parts of `brief` in the words of `dialect`. Raises PresetUnknown and BadColour."""
    notes: list[str] = []
    brief = _readable(brief, dialect)
    wanted_away = tuple(dict.fromkeys((*brief.avoid, *brief.avoid_traits)))
    chosen = _without_contradictions(_chosen(brief, presets, notes), notes)
    words = {kind: _wording(preset, dialect, brief.variation) for kind, preset in chosen.items()}
    parts = Parts(
        subject=_subject(brief.subject),
        role=words.get(Kind.ROLE, ""),
        attire=words.get(Kind.ATTIRE, ""),
        expression=words.get(Kind.EXPRESSION, ""),
        light=words.get(Kind.LIGHT, ""),
        traits=brief.traits,
        additions=brief.additions,
        avoid=tuple(word for preset in chosen.values() for word in preset.avoid),
        wanted_away=wanted_away,
        allows=tuple(word for preset in chosen.values() for word in preset.allows),
        closing=_closing(presets.style.closing.get(dialect, ()), wanted_away, notes),
        used={kind.value: preset.name for kind, preset in chosen.items()},
    )
    parts = _with_framing(parts, chosen, words.get(Kind.FRAMING, ""), dialect, notes)
    parts = _with_setting(parts, chosen, words.get(Kind.SETTING, ""), brief.colour, notes)
    parts = _described(parts, brief, dialect, chosen, notes)
    return replace(parts, notes=tuple(notes))


def _readable(brief: Brief, dialect: Dialect) -> Brief:
    """What the user typed, so that no bracket of it spoils the weights of other parts, or is read out in prose."""
    clean = balanced if dialect.has_negative else unweighted

    def each(phrases: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(clean(phrase) for phrase in phrases)

    return replace(
        brief,
        subject=clean(brief.subject),
        colour=clean(brief.colour),
        traits=each(brief.traits),
        additions=each(brief.additions) if dialect.has_negative else brief.additions,
        avoid=each(brief.avoid),
        avoid_traits=each(brief.avoid_traits),
        described={kind: clean(words) for kind, words in brief.described.items()},
    )


def _subject(text: str) -> str:
    subject = " ".join(text.split()).strip(" ,;")
    return subject if any(map(str.isalnum, subject)) and without_article(subject).lower() != PERSON else PERSON


def _closing(usual: tuple[str, ...], wanted_away: tuple[str, ...], notes: list[str]) -> tuple[str, ...]:
    """Our closing words without those that say what the user does not want."""
    unwanted = {words: word for words in usual for word in wanted_away if says(words, word)}
    notes += [f"{words!r} was left out: {word!r} is to be avoided." for words, word in unwanted.items()]
    return tuple(words for words in usual if words not in unwanted)


def _chosen(brief: Brief, presets: Presets, notes: list[str]) -> dict[Kind, Preset]:
    """The presets that the brief names, with "suits the role" looked up."""
    chosen: dict[Kind, Preset] = {}
    for kind in Kind:
        name = brief.choice(kind)
        if name == SUITS_THE_ROLE:
            role = chosen.get(Kind.ROLE)
            name = role.suits.get(kind.value, UNSPECIFIED) if role else UNSPECIFIED
            if name == UNSPECIFIED:
                why = f"the role {role.name!r} suggests none" if role else "no role is chosen"
                notes.append(f"The {kind} is not specified: {why}.")
            elif role and name not in presets.by_kind[kind]:
                raise PresetUnknown(
                    f"The role {role.name!r} suggests the {kind} {name!r}, which is not there; correct {role.source}."
                )
        if name != UNSPECIFIED:
            chosen[kind] = presets.get(kind, name)
    return chosen


def _without_contradictions(chosen: dict[Kind, Preset], notes: list[str]) -> dict[Kind, Preset]:
    """Of two presets that claim different things, the one whose kind comes later in `Kind` is left out."""
    kept: dict[Kind, Preset] = {}
    claimed: dict[str, tuple[str, Preset]] = {}
    for kind in Kind:
        preset = chosen.get(kind)
        if preset is None:
            continue
        clash = next((key for key, value in preset.claims.items() if key in claimed and claimed[key][0] != value), None)
        if clash is None:
            kept[kind] = preset
            claimed |= {key: (value, preset) for key, value in preset.claims.items()}
            continue
        value, other = claimed[clash]
        notes.append(
            f"The {kind} {preset.name!r} was left out: it says {clash}: {preset.claims[clash]}, "
            f"and the {other.kind} {other.name!r} says {clash}: {value}."
        )
    return kept


def _wording(preset: Preset, dialect: Dialect, variation: int) -> str:
    wordings = preset.wordings[dialect]
    if variation == 0:
        return wordings[0]
    seed = hashlib.sha256(f"{variation}/{preset.kind}/{preset.name}".encode()).digest()
    return wordings[int.from_bytes(seed[:8], "big") % len(wordings)]


def _with_framing(parts: Parts, chosen: dict[Kind, Preset], shot: str, dialect: Dialect, notes: list[str]) -> Parts:
    framing = chosen.get(Kind.FRAMING)
    if framing is None:
        return parts
    pose = framing.pose_tags if dialect is Dialect.TAGS else framing.pose
    own = _contradicting((parts.subject, *parts.traits, *parts.additions), framing.pose_claims)
    if own and pose:
        notes.append(f"{pose!r} was left out: you say {own!r}.")
        pose = ""
    for preset in chosen.values():
        for key, value in framing.pose_claims.items():
            if preset.claims.get(key, value) != value and pose:
                notes.append(
                    f"{pose!r} was left out: the {preset.kind} {preset.name!r} says {key}: {preset.claims[key]}."
                )
                pose = ""
    return replace(parts, shot=shot, lens=framing.lens, pose=pose)


def _contradicting(said: tuple[str, ...], claims: dict[str, str]) -> str:
    """The first of the user's phrases that contradicts a claim, else ""."""
    against = [words for claim, words in _SAID_OTHERWISE.items() if claim in claims.items()]
    return next((phrase for phrase in said for words in against if words.search(phrase)), "")


def _with_setting(parts: Parts, chosen: dict[Kind, Preset], words: str, colour: str, notes: list[str]) -> Parts:
    setting, framing = chosen.get(Kind.SETTING), chosen.get(Kind.FRAMING)
    if colour.strip() and (setting is None or not setting.coloured):
        notes.append(f"The colour {colour.strip()!r} is not used: the setting has no place for one.")
    if setting is None:
        return parts
    if setting.coloured:
        named = in_words(colour) or setting.colour or "neutral grey"
        if colour.strip() and named not in " ".join(colour.split()):
            notes.append(f"{colour.strip()} is said as {named!r}: text encoders know colours by name.")
        words = words.replace("{colour}", named)
    focus = framing.focus if framing and setting.depth else ""
    return replace(parts, setting=f"{setting.place} {words}", scene=words, focus=focus)


def _described(parts: Parts, brief: Brief, dialect: Dialect, chosen: dict[Kind, Preset], notes: list[str]) -> Parts:
    """Fill what is unspecified with what was read off a photo. An edited photo shows it already."""
    if not brief.described:
        return parts
    if dialect is Dialect.EDIT:
        notes.append("The description is not used: an edit instruction keeps what it does not name.")
        return parts
    words = {kind: _tidy(text) for kind, text in brief.described.items() if _open(brief, kind)}
    words[POSE] = _pose_that_fits(words.get(POSE, ""), chosen, notes)
    words[Kind.FRAMING] = _shot(words.get(Kind.FRAMING, ""), dialect)
    words = {kind: text for kind, text in words.items() if text}
    filled: dict[str, str] = {}
    for kind in (Kind.ATTIRE, Kind.EXPRESSION, Kind.LIGHT):
        if kind in words:
            filled[kind] = words[kind] if dialect is Dialect.TAGS else noun_phrase(words[kind])
    if Kind.FRAMING in words:
        filled["shot"] = words[Kind.FRAMING]
    if scene := words.get(Kind.SETTING):
        filled |= {"scene": scene, "setting": _behind(scene)}
    if POSE in words:
        filled[POSE] = words[POSE] if dialect is Dialect.TAGS else _posture(words[POSE])
    if filled.get(Kind.EXPRESSION, "").endswith("ing") and dialect is not Dialect.TAGS:
        filled[POSE] = ", ".join(part for part in (filled.pop(Kind.EXPRESSION), filled.get(POSE, parts.pose)) if part)
    sources = dict.fromkeys(words, "the description")
    return replace(parts, **filled, used=parts.used | sources)


def _pose_that_fits(pose: str, chosen: dict[Kind, Preset], notes: list[str]) -> str:
    """A described pose without what the chosen presets contradict. A framing that poses the person says all of it."""
    framing = chosen.get(Kind.FRAMING)
    if pose and framing and ("gaze" in framing.claims or set(framing.pose_claims) - {"gaze"}):
        notes.append(f"The description's {pose!r} is not used: the framing {framing.name!r} has a pose of its own.")
        return ""
    parts = pose.split(", ")
    for preset in chosen.values():
        against = _AGAINST_GAZE.get(preset.claims.get("gaze", ""), "\0")
        for part in [part for part in parts if against in part]:
            parts.remove(part)
            notes.append(f"The description's {part!r} is not used: the {preset.kind} is {preset.name!r}.")
    return ", ".join(parts)


def _open(brief: Brief, kind: str) -> bool:
    """Whether the user left a kind to the description; a pose is no choice of the node."""
    return kind == POSE or brief.choice(Kind(kind)) == UNSPECIFIED


def _shot(framing: str, dialect: Dialect) -> str:
    """A described framing as the kind of shot, "" when it is none."""
    framing = framing.split(",")[0].strip()
    if framing == "close-up of the face":
        return "close-up portrait"
    if framing.endswith(("portrait", "headshot")):
        return framing
    if framing != "head and shoulders":
        return ""
    return framing if dialect is Dialect.TAGS else "head-and-shoulders portrait"


def _tidy(text: str) -> str:
    """A described phrase without what the sentence around it says already, and without faults of exposure."""
    parts = (" ".join(part.split()).strip(" .;") for part in text.split(","))
    text = ", ".join(part for part in parts if part and "exposed" not in part)
    for opening in ("wearing ", "dressed in ", "with ", "in front of ", "lit with ", "lit by "):
        text = text.removeprefix(opening)
    return text


def _posture(pose: str) -> str:
    """A described pose as it follows the person in a sentence."""
    parts = pose.split(", ")
    return ", ".join(
        f"with the {part}" if part.startswith(("head ", "chin ")) else f"in {part}" if " view" in part else part
        for part in parts
    )


def _behind(scene: str) -> str:
    """A described background as it follows the person in a sentence."""
    if scene.endswith(_THERE):
        surfaces, _, things = scene.removesuffix(_THERE).rpartition(", ")
        seen = listed(map(noun_phrase, things.split(" and ")))
        return (
            f"against {listed(map(noun_phrase, surfaces.split(', ')))} with {seen} behind"
            if surfaces
            else (f"with {seen}{_THERE}")
        )
    if scene.endswith((" background", " backdrop", " wall")):
        return f"against {noun_phrase(scene)}"
    return f"with {noun_phrase(scene)}{_THERE}"
