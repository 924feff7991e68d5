"""The bundled studio_headshot with what a person asks of a headshot: background, cut, size, format, whose face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.choices import BACKDROP_STYLES, CROPS, PAPER_COLOURS, SEAMLESS_PAPER
from ...core.errors import BadColour, PhotoMissing
from ...core.imaging.colour import parse_colour
from ...core.imaging.encode import Form
from ...core.imaging.files import SUFFIXES
from ..errors import Misuse
from .graph import Node, Workflow, did_you_mean, load
from .input_files import IDENTITY_SUFFIX, Given

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADSHOT = "studio_headshot"
"""The workflow by its name."""

PHOTO, PERSON, REFERENCES, BEHIND = "Photo", "Person", "Reference photos", "Background picture"
"""Titles of the nodes that read files."""

TRANSPARENT = "transparent"
STUDIO_GREY = next(iter(PAPER_COLOURS))


@dataclass(frozen=True)
class Behind:
    """What stands behind the person: a picture, or nothing (`transparent`), or a backdrop of a style and a colour."""

    style: str = SEAMLESS_PAPER
    colour: str = STUDIO_GREY
    picture: Path | None = None
    transparent: bool = False

    @classmethod
    def read(cls, text: str) -> Behind:
        """Read ``transparent``, a picture's path, a colour, or a style with or without one, such as ``gradient navy``.

        Raises PhotoMissing for a picture that is not there, and Misuse.
        """
        words = " ".join(text.strip().lower().replace("_", " ").split())
        if words == TRANSPARENT:
            return cls(transparent=True)
        path = Path(text).expanduser()
        if path.is_file():
            return cls(picture=path)
        if path.suffix.lower() in SUFFIXES:
            raise PhotoMissing(f"There is no picture at {path} for the background; check the path.")
        style = next((each for each in BACKDROP_STYLES if words == each or words.startswith(f"{each} ")), None)
        colour = words if style is None else words.removeprefix(style).strip() or STUDIO_GREY
        try:
            parse_colour(colour)
        except BadColour as error:
            known = (TRANSPARENT, *BACKDROP_STYLES, *PAPER_COLOURS)
            hint = did_you_mean(words, known, limit=len(known))
            raise Misuse(f"--background {text!r} is no picture, style or colour (#rrggbb or a name){hint}") from error
        return cls(style or SEAMLESS_PAPER, colour)


def crop_named(text: str) -> str:
    """The cut that a person means: its name, or what it begins with, such as ``square``. Raises Misuse."""
    words = " ".join(text.strip().lower().replace("-", " ").replace("_", " ").split())
    found = [crop for crop in CROPS if crop == words] or [crop for crop in CROPS if words and crop.startswith(words)]
    if len(found) != 1:
        raise Misuse(f"--crop {text!r} is no way to cut{did_you_mean(words, CROPS)}")
    return found[0]


@dataclass(frozen=True)
class HeadshotChoices:
    """What to make of a photo. `width` in pixels; `quality` of JPEG and WebP.

    `person`: more photos of the person, or a saved identity, to compare the headshot with. `retouch`: names of
    `RETOUCHES`; where one finds no fault, it changes nothing.
    """

    behind: Behind = Behind()
    crop: str = CROPS[0]
    width: int = 800
    form: Form = "jpeg"
    quality: int = 95
    person: tuple[Path, ...] = ()
    retouch: tuple[str, ...] = ()


RETOUCHES: dict[str, Any] = {"exposure": 1.0, "white-balance": 1.0, "red-eye": True, "shine": 0.7}
"""What ``--retouch`` names, and the strength that it then has. The lens is not among them: it takes a distance."""


def retouches_named(text: str) -> tuple[str, ...]:
    """The retouches that a person lists, such as ``exposure,red-eye``. Raises Misuse."""
    names = tuple(dict.fromkeys(name for word in text.split(",") if (name := word.strip().lower().replace("_", "-"))))
    for name in names:
        if name not in RETOUCHES:
            raise Misuse(f"--retouch {name!r} is no retouch{did_you_mean(name, list(RETOUCHES), limit=4)}")
    return names


def headshot_workflow(choices: HeadshotChoices) -> Workflow:
    """The graph with the choices in it; `headshot_files` says which files it reads. Raises Misuse."""
    workflow = load(HEADSHOT)
    workflow.set("Frame.crop", choices.crop)
    workflow.set("Frame.width", choices.width)
    workflow.set("Backdrop.style", choices.behind.style)
    workflow.set("Backdrop.colour", choices.behind.colour)
    picture: list[Any] = list(workflow.find("Save headshot").inputs["images"])
    if choices.behind.transparent:
        picture = _without_background(workflow)
    elif choices.behind.picture is not None:
        _before_picture(workflow)
    _retouch(workflow, choices.retouch)
    _save_as(workflow, picture, choices)
    _compare_with(workflow, choices.person)
    return workflow


def headshot_files(photo: Path, choices: HeadshotChoices) -> list[Given]:
    """The files of one headshot, by the nodes that read them."""
    given = [Given(photo, PHOTO)]
    if choices.behind.picture is not None:
        given.append(Given(choices.behind.picture, BEHIND))
    saved = _saved_identity(choices.person)
    return given + [Given(path, PERSON if saved else REFERENCES) for path in choices.person]


def _saved_identity(person: Sequence[Path]) -> bool:
    saved = [path for path in person if path.suffix.lower() == IDENTITY_SUFFIX]
    if saved and len(person) > 1:
        raise Misuse("--person takes photos, folders of photos, or one saved identity; give one or the other.")
    return bool(saved)


def _add(workflow: Workflow, class_type: str, title: str, **inputs: Any) -> str:
    """A new node; its id."""
    node_id = str(max(int(each.id) for each in workflow) + 1)
    workflow.nodes[node_id] = Node(node_id, class_type, title, inputs)
    return node_id


def _retouch(workflow: Workflow, names: Sequence[str]) -> None:
    """The photo retouched before it is cut out; the person is still enrolled from the photo as it came."""
    if not names:
        return
    photo = [workflow.find(PHOTO).id, 0]
    users = [(node, name) for node in workflow for name, value in node.inputs.items() if value == photo]
    off = {"exposure": 0.0, "white_balance": 0.0, "red_eye": False, "shine": 0.0, "lens_distortion": 0.0}
    off |= {"camera_distance": 0.0, "focal_length": 0.0}
    on = {name.replace("-", "_"): RETOUCHES[name] for name in names}
    policy = workflow.find("Frame").inputs["several_faces"]
    inputs = off | on | {"image": photo, "several_faces": policy, "engine": [workflow.find("Face engine").id, 0]}
    added = _add(workflow, "LikenessRetouchPhoto", "Retouch", **inputs)
    for node, name in users:
        if node.title != PERSON:
            node.inputs[name] = [added, 0]


def _without_background(workflow: Workflow) -> list[Any]:
    """The framed person with the mask as alpha channel. The check sees just these pixels, before the backdrop."""
    for name in ("light_wrap", "contact_shadow", "match_light", "match_colour"):
        workflow.set(f"Compose.{name}", 0.0)
    frame = workflow.find("Frame").id
    around = _add(workflow, "InvertMask", "Surroundings", mask=[frame, 1])
    return [_add(workflow, "JoinImageWithAlpha", "Transparent", image=[frame, 0], alpha=[around, 0]), 0]


def _before_picture(workflow: Workflow) -> None:
    """The person before a picture, which is scaled until it fills the frame, and cut in its middle."""
    frame = workflow.find("Frame").id
    size = _add(workflow, "GetImageSize", "Frame size", image=[frame, 0])
    read = _add(workflow, "LoadImage", BEHIND, image="")
    sizes = {"width": [size, 0], "height": [size, 1]}
    scaled = _add(
        workflow, "ImageScale", "Fill the frame", image=[read, 0], upscale_method="lanczos", crop="center", **sizes
    )
    workflow.remove([workflow.find("Backdrop").id])
    workflow.find("Compose").inputs["background"] = [scaled, 0]


def _save_as(workflow: Workflow, picture: list[Any], choices: HeadshotChoices) -> None:
    node = workflow.find("Save headshot")
    node.class_type = "LikenessSaveWithProvenance"
    node.inputs = {
        "images": picture,
        "filename_prefix": "headshot",
        "format": choices.form,
        "quality": choices.quality,
        "declare": "what the graph shows",
        "creator": "",
        "include_workflow": False,
        "sign": False,
    }


def _compare_with(workflow: Workflow, person: Sequence[Path]) -> None:
    """One bad photo among several of the person is left out; a saved identity takes the place of the enrollment."""
    node = workflow.find(PERSON)
    if _saved_identity(person):
        node.class_type, node.inputs = "LikenessLoadIdentity", {"filename": ""}
        workflow.remove([workflow.find(REFERENCES).id])
    elif person:
        node.inputs["on_refused"] = "leave out"
