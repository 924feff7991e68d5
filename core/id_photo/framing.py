"""Where to cut an ID photo: the frame for which it is most probable that every rule of the document holds.

Geometry only. A frame is told by three numbers: its height, the eye line's share of it from the bottom, and its shift
to the side. All that documents ask for follows from these and from the head, which is known with an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..choices import HeadSize, Size
from ..errors.formats import SizeNotDefined
from ..imaging.warp import Cut, rotate
from .document import MM_PER_INCH, Document, Range

if TYPE_CHECKING:
    from .head import Head


def picture_size(document: Document, size: Size) -> tuple[int, int, float]:
    """Width and height in pixels, and pixels per inch. Raises SizeNotDefined.

    A print has millimetres x dpi / 25.4 pixels, rounded: up to 0.05 mm off at 300 dpi. "auto" is the print where there
    is one. An upload that is also a print gets the density at which it has the print's width.
    """
    width_mm, height_mm, pixels = document.width_mm, document.height_mm, document.pixels
    if size is not Size.UPLOAD and width_mm is not None and height_mm is not None:
        width, height = (round(mm * document.dpi / MM_PER_INCH) for mm in (width_mm, height_mm))
        return width, height, float(document.dpi)
    if size is Size.PRINT or pixels is None:
        kind, other = ("a print", "upload") if size is Size.PRINT else ("an upload", "print")
        raise SizeNotDefined(f"{document.title} ({document.id}) has no size for {kind}; choose {other} or auto.")
    density = float(document.dpi) if width_mm is None else round(pixels[0] * MM_PER_INCH / width_mm, 2)
    return *pixels, density


EXACT = 0.005
"""Standard error of a share that is left when the head is known exactly: whole pixels, and how an official reads."""

CENTRED = Range(-0.05, 0.05)
"""The head's middle beside the picture's, as a share of its width: ISO/IEC 39794-5, D.1.4.3.2 (45 to 55 %)."""

CENTRE_ERROR = 0.012
"""Standard error of the head's middle, as a share of the picture's width."""

HEAD_ADVICE = Range(0.4, 0.6)
"""Head height where a document has no rule for it: head and shoulders, room for the office's own crop."""

ROOM_ADVICE = Range(0.25, 0.5)
"""Of what the head leaves free of the height, the share above it, where no rule says where the head is."""

WHOLE = Range(0.0, 1.0)
"""Room above the head, where the document has no other rule for it: the head is to be in the picture."""

HAIR_ADVICE = Range(0.015, 1.0)
"""Room above the hair: no rule wants it cut, also where the crown is what counts."""

ADVICE_WEIGHT = 0.1
"""How much advice counts beside a rule."""

BROKEN = 1e4
"""What a broken rule counts, in logarithms of probability."""

FREE_ERROR = 0.02
"""Standard error that advice is treated with."""

EYE_ERROR = 0.02
"""Standard error of the eye line, in eye distances."""

HEAD_WIDTH_ERROR = 0.05
"""Standard error of the head's width, as a share of it."""

CUT_SLACK = 0.0005
"""How far the place where the photo cuts the person off may reach into a frame, as a share of its height."""

STEPS = (49, 49, 21)
"""Heights, eye lines and shifts that are tried in each of `ROUNDS`, the next one finer round the best."""

ROUNDS = 3

LARGEST_SHIFT = 0.12
"""No frame is tried in which the head's middle is further beside the picture's, as a share of its width."""

LARGEST_HEAD = 0.96
"""No frame is tried in which the head takes more of the height than this."""

AIM_WIDTH = 0.02
"""Half of the range, as a share of the rule's own, that is left of it when the head is to be smaller or larger."""


AIMS = {HeadSize.SMALLER: 0.25, HeadSize.LARGER: 0.75}
"""Where in the rule's range the head is to be, for other than the safest place."""


@dataclass(frozen=True)
class Fit:
    """How a frame keeps one rule: `value` with its standard error `sigma`, and the limits, as shares of a side.

    `binding` is False for advice, which no document asks for.
    """

    name: str
    value: float
    sigma: float
    limits: Range
    binding: bool = True

    @property
    def met(self) -> bool:
        """Whether the value is within the limits."""
        return self.value in self.limits

    @property
    def margin(self) -> float:
        """The distance to the nearer limit in standard errors; negative outside of them."""
        return min(self.value - self.limits.low, self.limits.high - self.value) / self.sigma


@dataclass(frozen=True)
class Framing:
    """A frame and how it keeps the rules. `beyond`: how far it leaves the photo, by side, in pixels of the photo."""

    cut: Cut
    fits: tuple[Fit, ...]
    beyond: dict[str, float] = field(default_factory=dict)

    @property
    def broken(self) -> list[Fit]:
        """The rules that do not hold."""
        return [fit for fit in self.fits if fit.binding and not fit.met]


@dataclass(frozen=True)
class Lengths:
    """What is known of the head in level pixels of the photo: heights above the chin, and standard errors.

    `eyes`, `top` (as the document means it) and `hair` are above the chin; `width` is of the head without the ears.
    """

    eyes: float
    top: float
    hair: float | None
    width: float | None
    eye_sigma: float
    chin_sigma: float
    top_sigma: float
    hair_sigma: float

    @classmethod
    def of(cls, head: Head, document: Document, width: float | None) -> Lengths:
        """The lengths of `head` for `document`."""
        top, top_sigma = head.top(document.head_top)
        hair = None if head.hair is None else head.chin - head.hair
        lengths = head.chin - head.eyes, head.chin - top
        return cls(*lengths, hair, width, EYE_ERROR * head.unit, head.chin_sigma, top_sigma, head.hair_sigma)


@dataclass(frozen=True, eq=False)
class _Term:
    """One rule over many frames: values and standard errors that broadcast over (heights, eye lines, shifts)."""

    name: str
    value: np.ndarray
    sigma: np.ndarray
    limits: Range
    binding: bool = True


def _terms(
    lengths: Lengths, document: Document, aim: HeadSize, aspect: float, frames: tuple[np.ndarray, ...]
) -> Iterator[_Term]:
    """Every rule and every piece of advice, for frames of these heights, eye lines and shifts."""
    tall, eyes, shift = frames
    known = lengths.chin_sigma / tall, lengths.top_sigma / tall
    head, both = lengths.top / tall, np.hypot(*known)
    room = 1 - eyes - (lengths.top - lengths.eyes) / tall
    if document.head is None:
        yield _Term("head height", head, np.maximum(both, FREE_ERROR), HEAD_ADVICE, binding=False)
    else:
        yield _Term("head height", head, both, document.head)
        if aim in AIMS:
            at = document.head.low + AIMS[aim] * (document.head.high - document.head.low)
            slack = AIM_WIDTH * (document.head.high - document.head.low)
            yield _Term("head height aimed at", head, 0 * tall, Range(at - slack, at + slack), binding=False)
    if document.eyes is not None:
        yield _Term("eye line", eyes, lengths.eye_sigma / tall, document.eyes)
    if document.room is not None:
        yield _Term("room above the head", room, known[1], document.room)
    else:
        yield _Term("whole head", room, known[1], WHOLE)
    if document.chin is not None:
        yield _Term("chin above the bottom", eyes - lengths.eyes / tall, known[0], document.chin)
    if document.eyes is None and document.room is None and document.chin is None:
        share = room / np.maximum(1 - head, 1e-6)
        yield _Term("share of the room above", share, FREE_ERROR + 0 * share, ROOM_ADVICE, binding=False)
    if document.head_width is not None and lengths.width is not None:
        width = lengths.width / (tall * aspect)
        yield _Term("head width", width, HEAD_WIDTH_ERROR * width, document.head_width)
    if lengths.hair is not None:
        above = 1 - eyes - (lengths.hair - lengths.eyes) / tall
        yield _Term("room above the hair", above, lengths.hair_sigma / tall, HAIR_ADVICE, binding=False)
    yield _Term("off centre", shift, CENTRE_ERROR + 0 * shift, CENTRED)


def _score(terms: Iterator[_Term]) -> np.ndarray:
    """The logarithm of the probability that all rules hold, taking their errors as independent and normal.

    Where not all can hold, as many as possible do: a broken rule outweighs all doubts.
    """
    total = np.zeros((1, 1, 1))
    for term in terms:
        sigma = np.hypot(term.sigma, EXACT)
        low, high = (term.value - term.limits.low) / sigma, (term.limits.high - term.value) / sigma
        sure = torch.special.log_ndtr(torch.from_numpy(np.stack(np.broadcast_arrays(low, high)))).sum(0).numpy()
        total = total + (sure - BROKEN * ((low < 0) | (high < 0)) if term.binding else ADVICE_WEIGHT * sure)
    return total


@dataclass(frozen=True, eq=False)
class Bounds:
    """Where a frame may lie. `width`, `height`: of the photo in pixels. `cuts`: points [N,2] of its border.

    A frame stays inside the photo, unless `cuts` are given: then it may go beyond the border, where a plain
    background is put, but must not have one of these points inside, at which the border cuts the person off.
    """

    width: int
    height: int
    cuts: np.ndarray | None = None

    def allow(self, head: Head, aspect: float, frames: tuple[np.ndarray, ...]) -> np.ndarray:
        """Which frames may be taken, over (heights, eye lines, shifts)."""
        if self.cuts is not None:
            return self._free_of_cuts(head, aspect, frames)
        shape = np.broadcast_shapes(*(axis.shape for axis in frames))
        allowed = np.ones(shape, bool)
        for x, y in _corners(head, aspect, frames):
            spots = rotate(np.stack(np.broadcast_arrays(x, y), -1).reshape(-1, 2), head.pivot, head.roll)
            inside = ((spots >= 0) & (spots <= [self.width, self.height])).all(1)
            allowed &= np.broadcast_to(inside.reshape(np.broadcast_shapes(x.shape, y.shape)), shape)
        return allowed

    def _free_of_cuts(self, head: Head, aspect: float, frames: tuple[np.ndarray, ...]) -> np.ndarray:
        """Count the points inside each frame: those within its columns and within its rows, height by height."""
        points = rotate(np.asarray(self.cuts, np.float64), head.pivot, -head.roll)
        slack = CUT_SLACK * frames[0]
        _, (right, top), (left, bottom), _ = _corners(head, aspect, frames)
        x, y = points[:, 0], points[:, 1]
        across = ((x > (left + slack)[..., None]) & (x < (right - slack)[..., None])).astype(np.float32)
        down = ((y > (top + slack)[..., None]) & (y < (bottom - slack)[..., None])).astype(np.float32)
        return np.einsum("aep,asp->aes", down[:, :, 0], across[:, 0]) == 0

    def hold(self, cut: Cut) -> bool:
        """Whether this frame may be taken."""
        if self.cuts is None:
            low, high = _reach(cut)
            return bool((low >= 0).all() and (high <= [self.width, self.height]).all())
        inside = rotate(np.asarray(self.cuts, np.float64), cut.pivot, -cut.angle) - [cut.x, cut.y]
        slack = CUT_SLACK * cut.height
        return not (np.abs(inside) < np.array([cut.width, cut.height]) / 2 - slack).all(1).any()

    def beyond(self, cut: Cut) -> dict[str, float]:
        """By how many pixels a frame leaves the photo on each side; sides that it does not leave are not named."""
        low, high = _reach(cut)
        sides = {"above": -low[1], "left": -low[0], "below": high[1] - self.height, "right": high[0] - self.width}
        return {side: float(length) for side, length in sides.items() if length > 0.5}


def _reach(cut: Cut) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest x and y of the frame's corners, in pixels of the photo."""
    half = np.array([cut.width, cut.height]) / 2
    corners = cut.to_photo(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + [cut.x, cut.y])
    return corners.min(0), corners.max(0)


def _corners(head: Head, aspect: float, frames: tuple[np.ndarray, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The four corners in level pixels: top left, top right, bottom left, bottom right."""
    tall, eyes, shift = frames
    wide = tall * aspect
    left = head.centre - wide / 2 - shift * wide
    bottom = head.eyes + eyes * tall
    xs, ys = (left, left + wide), (bottom - tall, bottom)
    return [(x, y) for y in ys for x in xs]


def choose_frame(
    head: Head,
    document: Document,
    aspect: float,
    bounds: Bounds | None = None,
    aim: HeadSize = HeadSize.SAFEST,
    width: float | None = None,
) -> Framing | None:
    """The best frame of width / height `aspect` for `head`, or None where `bounds` allow none at all.

    `width`: of the head without the ears, in pixels of the photo, where it is known. Without `bounds` the frame may
    lie anywhere. The rules' standard errors come from `head`; where not all rules can hold, as few as possible are
    broken, by as little as possible.
    """
    lengths = Lengths.of(head, document, width)
    wanted = document.head or HEAD_ADVICE
    lowest, highest = 0.55 * wanted.low, max(1.1 * wanted.high, LARGEST_HEAD)
    spans = [(lengths.top / highest, lengths.top / lowest), (0.2, 0.95), (-LARGEST_SHIFT, LARGEST_SHIFT)]
    best: tuple[float, ...] | None = None
    for _ in range(ROUNDS):
        axes = [np.linspace(*span, count) for span, count in zip(spans, STEPS, strict=True)]
        frames = (axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :])
        score = _score(_terms(lengths, document, aim, aspect, frames))
        if bounds is not None:
            score = np.where(bounds.allow(head, aspect, frames), score, -np.inf)
        at = np.unravel_index(int(np.argmax(score)), score.shape)
        if not np.isfinite(score[at]):
            break
        best = tuple(float(axis[index]) for axis, index in zip(axes, at, strict=True))
        steps = [axis[1] - axis[0] for axis in axes]
        spans = [(value - 1.5 * step, value + 1.5 * step) for value, step in zip(best, steps, strict=True)]
    return None if best is None else _framing(head, lengths, document, aspect, aim, bounds, best)


def _framing(
    head: Head,
    lengths: Lengths,
    document: Document,
    aspect: float,
    aim: HeadSize,
    bounds: Bounds | None,
    best: tuple[float, ...],
) -> Framing:
    tall, eyes, shift = best
    wide = tall * aspect
    cut = Cut(head.centre - shift * wide, head.eyes + (eyes - 0.5) * tall, wide, tall, head.pivot, head.roll)
    frames = tuple(np.full((1, 1, 1), value) for value in best)
    fits = tuple(
        Fit(
            term.name,
            float(np.broadcast_to(term.value, (1, 1, 1)).item()),
            float(np.hypot(term.sigma, EXACT).reshape(-1)[0]),
            term.limits,
            term.binding,
        )
        for term in _terms(lengths, document, aim, aspect, frames)
    )
    return Framing(cut, fits, {} if bounds is None else bounds.beyond(cut))
