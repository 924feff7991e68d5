"""Captions of a data set: what varies from photo to photo is named, measured or as the data set says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import FaceNotUsable, PhotoError
from ..imaging.files import load_photo, to_pil
from ..prompting.measure_photo import measure
from ..prompting.read_caption import describe
from ..prompting.wording import listed, sentence
from ..toml_tables import read_tables

if TYPE_CHECKING:
    from ..faces.engines import FaceEngine
    from ..prompting.captioner_models import Captioner
    from .data import Manifest, Photo

Style = Literal["sentence", "tags"]

SUBJECT = "a person"
PERSON, JUDGED = "person", "judged"
LOOKS, WITH = ("look",), ("hair", "face", "worn")
"""Kinds of words that follow the person as they are, and those that follow "with"."""

PICTURE = ("framing", "pose", "light", "background", "sharpness")
SEEN = ("expression", "hair", "facial_hair", "glasses", "head_covering", "jewellery", "attire")
"""Fields of a description, in the order in which they are said; the second ones come from a captioner."""


@dataclass(frozen=True)
class AttributeWords:
    """What is said of an attribute: `says` where it is true, `otherwise` where it is false; empty is nothing."""

    name: str
    says: str
    kind: str
    otherwise: str = ""


@cache
def known_words() -> dict[str, AttributeWords]:
    """The attributes of caption_words.toml by name."""
    return read_tables(Path(__file__).with_name("caption_words.toml"), AttributeWords)


def words_of(attributes: Mapping[str, bool], chosen: Sequence[str] | None = None) -> dict[str, list[str]]:
    """What is said of a photo's attributes, by kind of word.

    `chosen`: the names that are said; without them all but what annotators judged.
    """
    said: dict[str, list[str]] = {}
    for name, holds in attributes.items():
        own = known_words().get(name) or AttributeWords(name, name.replace("_", " ").strip().lower(), "face")
        if name not in chosen if chosen is not None else own.kind == JUDGED:
            continue
        word = own.says if holds else own.otherwise
        if word:
            said.setdefault(own.kind, []).append(word)
    return said


def write_caption(
    subject: str, fields: Mapping[str, str], attributes: Mapping[str, Sequence[str]], style: Style
) -> str:
    """A caption of a photo of `subject` from the fields of its description and the words of its attributes.

    The person is only called what `subject` says: "a man" stands there when no other is given.
    """
    person = attributes.get(PERSON, [SUBJECT])[0] if subject == SUBJECT else subject
    looks = [*(word for kind in (*LOOKS, JUDGED) for word in attributes.get(kind, ())), *_held(fields, ("expression",))]
    own = [word for kind in WITH for word in attributes.get(kind, ())]
    own += _held(fields, [name for name in SEEN if name != "expression"])
    around = _held(fields, [name for name in PICTURE if name != "framing"])
    framing = fields.get("framing", "")
    if style == "tags":
        return ", ".join(["photo", person, *([framing] if framing else []), *looks, *own, *around])
    text = f"{framing} of {person}" if framing else f"photo of {person}"
    text += f", {', '.join(looks)}" if looks else ""
    text += f", with {listed(own)}" if own else ""
    text += f", {', '.join(around)}" if around else ""
    return sentence(text)


def _held(fields: Mapping[str, str], names: Sequence[str]) -> list[str]:
    return [fields[name] for name in names if fields.get(name)]


def caption_photos(
    manifest: Manifest,
    *,
    engine: FaceEngine | None = None,
    captioner: Captioner | None = None,
    subject: str = SUBJECT,
    style: Style = "sentence",
    attributes: Sequence[str] | None = None,
    on_photo: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Manifest, list[str]]:
    """The manifest with a caption for each photo, and what could not be measured of which photo.

    `engine`: finds the face by which pose, framing, light and background are measured; without one, and where no one
    face is found, only attributes are said. `captioner`: also reads hair, clothes and expression. `attributes`: as for
    `words_of`.
    """
    made: list[Photo] = []
    unseen: list[str] = []
    on_photo(0, len(manifest.photos))
    for number, photo in enumerate(manifest.photos, start=1):
        fields: Mapping[str, str] = {}
        if engine is not None:
            try:
                fields = _described(manifest.unchanged_path(photo), engine, captioner)
            except (PhotoError, FaceNotUsable) as error:
                unseen.append(f"{photo.file}: {error}")
        text = write_caption(subject, fields, words_of(photo.attributes, attributes), style)
        made.append(replace(photo, caption=text))
        on_photo(number, len(manifest.photos))
    return replace(manifest, photos=tuple(made)), unseen


def _described(path: Path, engine: FaceEngine, captioner: Captioner | None) -> Mapping[str, str]:
    picture = load_photo(path, first=True)[0]
    sentences = captioner.sentences(to_pil(picture[0]), lambda: None) if captioner else None
    return describe(measure(picture, None, engine), sentences).fields
