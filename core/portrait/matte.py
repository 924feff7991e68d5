"""The person's matte: coarse from a segmentation network, then sharp at every hair of the full picture.

Three steps. A trimap: pixels well inside the matte are the person, pixels well outside are not, a band between is
open. In the band, the colours of person and background nearby are known, and a pixel's place on the line between
the two colours is its alpha, as far as the two differ and the pixel lies on the line; elsewhere the coarse matte
holds. A small guided filter on the picture removes the noise of this without losing the edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from ..imaging.filters import box, fill_unknown, find_regions, grow, guided_filter, shrink, touches_border
from ..imaging.tensors import joined, planes, resize
from ..models.runtimes import run_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnxruntime

FREE_SIZE = 1024
"""Side of the square input for a network whose graph leaves the size open: what IS-Net was trained with."""

FAINT = 0.1
"""Alpha from which a pixel belongs to a region when specks are looked for."""

PART = 0.15
"""A region that is detached from the largest one stays when it has at least this share of its size."""

UNDECIDED = 0.05
"""A matte with more than this share of half-covered pixels is looked at a second time, with a margin."""

MARGIN = 0.2
"""That margin, in grey, as a share of the width: a tight close-up then looks like a portrait to the network."""

PINHOLE = 0.002
"""A hole inside the person is filled when it is smaller than this share of the person."""


@dataclass(frozen=True)
class Normalisation:
    """How a network wants its pixels: divided by the picture's maximum or not, then (x - mean) / std.

    `longest`: where its graph leaves the size open, the longer side in pixels, the picture's proportions kept and both
    sides multiples of `STEP`; 0 for a square of `FREE_SIZE`.
    """

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    by_maximum: bool = True
    longest: int = 0


IMAGENET = Normalisation()
"""U-2-Net's own: data_loader.py (ToTensorLab) of github.com/xuebinqin/U-2-Net."""

CENTRED = Normalisation(mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0), by_maximum=False)
"""IS-Net's own: Inference.py of github.com/xuebinqin/DIS."""


MODNET = Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), by_maximum=False, longest=512)
"""MODNet's own: onnx/inference_onnx.py of github.com/ZHKKKe/MODNet."""

STEP = 32
"""Sides of MODNet's input are multiples of this."""

ENLARGED = 1.5
"""A small photo is enlarged at most this much for MODNet: enlarged twice it is so blurred that the network sees
nobody. Of 20 photos of LFW (250 pixels) it lost the person or the face in 9 at 512 pixels, in 3 at 384, by eye."""


def normalisation_for(name: str) -> Normalisation:
    """By the network's name: IS-Net and BRIA's RMBG are centred, MODNet has its own form, others follow U-2-Net."""
    lowered = name.lower()
    if "modnet" in lowered:
        return MODNET
    return CENTRED if any(family in lowered for family in ("isnet", "is-net", "rmbg")) else IMAGENET


def matte(
    image: torch.Tensor,
    session: onnxruntime.InferenceSession,
    normalisation: Normalisation = IMAGENET,
    on_picture: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """MASK [B,H,W] in 0..1, 1 = person, for IMAGE [B,H,W,3]; at the network's resolution, enlarged smoothly.

    `session` is an ONNX network with one input [1 or batch, 3, height, width] whose first output is alpha or logits.
    Raises ModelTooSlow.
    """
    masks = []
    for picture in image.detach().cpu().split(1):
        alpha = tidy(coarse_alpha(planes(picture), session, normalisation))
        enlarged = F.interpolate(
            torch.from_numpy(alpha)[None, None], size=image.shape[1:3], mode="bilinear", align_corners=False
        )
        masks.append(enlarged[:, 0])
        on_picture()
    return joined(masks).to(image.device)


def coarse_alpha(
    picture: torch.Tensor, session: onnxruntime.InferenceSession, normalisation: Normalisation
) -> np.ndarray:
    """Alpha [h,w] of a picture [1,3,H,W] on the network's own grid; where it cannot decide, it looks with a margin."""

    def look(seen: torch.Tensor) -> np.ndarray:
        return look_once(seen, session, normalisation)

    alpha = look(picture)
    if _undecided(alpha) > UNDECIDED:
        second = _with_margin(picture, look)
        alpha = second if _undecided(second) < _undecided(alpha) else alpha
    return alpha


def look_once(
    picture: torch.Tensor, session: onnxruntime.InferenceSession, normalisation: Normalisation, scale: float = 1.0
) -> np.ndarray:
    """Alpha [h,w] of a picture [1,3,H,W], seen once; an open size is multiplied by `scale`."""
    socket = session.get_inputs()[0]
    height, width = _input_size(socket.shape[2:4], picture.shape[-2:], normalisation, scale)
    half = "float16" in socket.type
    feed = _normalised(resize(picture, height, width).clamp(0, 1), normalisation).numpy()
    given = {socket.name: feed.astype(np.float16) if half else feed}
    output = run_network(session, [session.get_outputs()[0].name], given)
    return _unit(np.asarray(output[0], dtype=np.float32).reshape(height, width))


def _input_size(
    stated: Sequence[int | str], size: Sequence[int], normalisation: Normalisation, scale: float
) -> tuple[int, int]:
    """Height and width of a network's input for a picture of `size`; what the graph states is kept."""
    if normalisation.longest:
        longer = max(size)
        factor = scale * min(normalisation.longest, ENLARGED * longer) / longer
        free = [max(STEP, round(side * factor / STEP) * STEP) for side in size]
    else:
        free = [FREE_SIZE, FREE_SIZE]
    height, width = (there if isinstance(there, int) else own for there, own in zip(stated, free, strict=True))
    return height, width


def tidy(alpha: np.ndarray) -> np.ndarray:
    """Alpha [H,W] without specks away from the person and without pinholes in the person."""
    parts = find_regions(alpha > FAINT)
    if not len(parts.sizes):
        return np.zeros_like(alpha, np.float32)
    weights = np.bincount(parts.labels.ravel(), alpha.ravel(), minlength=len(parts.sizes) + 1)[1:]
    kept = np.concatenate([[False], weights >= PART * weights.max()])
    alpha = np.where(kept[parts.labels], alpha, 0).astype(np.float32)
    holes = find_regions(alpha < 0.5)
    tiny = (holes.sizes < PINHOLE * float((alpha >= 0.5).sum())) & ~touches_border(holes)
    return np.where(np.concatenate([[False], tiny])[holes.labels], np.float32(1), alpha)


def _undecided(alpha: np.ndarray) -> float:
    """The share of pixels that are neither person nor background."""
    return float(((alpha > 0.1) & (alpha < 0.9)).mean())


def _with_margin(picture: torch.Tensor, look: Callable[[torch.Tensor], np.ndarray]) -> np.ndarray:
    """Look at [1,3,H,W] with a grey margin above and beside it; the body still runs out at the bottom."""
    height, width = picture.shape[-2:]
    margin = max(1, round(MARGIN * width))
    seen = torch.from_numpy(look(F.pad(picture, (margin, margin, margin, 0), value=0.5)))[None, None]
    size = seen.shape[-2:]
    seen = F.interpolate(seen, size=(height + margin, width + 2 * margin), mode="bilinear", align_corners=False)
    return F.interpolate(seen[..., margin:, margin : margin + width], size=size, mode="area")[0, 0].numpy()


def _normalised(small: torch.Tensor, how: Normalisation) -> torch.Tensor:
    if how.by_maximum:
        small = small / small.amax().clamp_min(1e-6)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (how.mean, how.std))
    return (small - mean) / std


def _unit(alpha: np.ndarray) -> np.ndarray:
    """Logits become probabilities; what is already in 0..1 stays."""
    if alpha.min() < -0.01 or alpha.max() > 1.01:
        alpha = 1 / (1 + np.exp(-alpha.clip(-30, 30)))
    return alpha.clip(0, 1)


COARSE = 320
"""Pixels on the longer side of the grid on which the trimap is made: U-2-Net's own grid."""

FIELDS = 512
"""Pixels on the longer side of the grid on which the colours nearby are estimated."""

SURE = 0.92
"""Coarse alpha from which a pixel counts as person, and one minus which it counts as background."""

BACK_DOUBT, FRONT_DOUBT = 8.0, 2.0
"""How much less the colours count where those of the background or the person vary nearby (a flag, a pattern)."""

SPREAD_RADIUS = 4
"""Pixels of the fields' grid over which that variance is averaged."""

REACH = 0.3
"""Colours never lift alpha above the coarse alpha divided by this: where the network sees nothing at all, what looks
like the person's colour is furniture. On 12 P3M pictures the error in the edge band falls from 0.066 to 0.065, and
what is wrongly kept outside from 0.025 to 0.021."""

EPSILON = 1e-5
"""The guided filter's, in squared colour units."""

FLOOR = 0.08
"""Alpha below this is background, above one minus this is person."""


@dataclass(frozen=True)
class Band:
    """How wide the open band is, in pixels of the coarse grid."""

    margin: int = 3
    reach: int = 9


def refine_alpha(image: torch.Tensor, mask: torch.Tensor, band: Band | None = None) -> torch.Tensor:
    """A sharp matte [B,H,W] for IMAGE `image` [B,H,W,3] from a coarse MASK [B,h,w] of any size, all in 0..1.

    `band.margin`: what is nearer than this to a soft or uncertain pixel is open. `band.reach`: what is further than
    this from the outline is closed, so that soft patches inside a suit become solid.
    """
    band = band or Band()
    source, coarse = planes(image).contiguous(), planes(mask)
    height, width = source.shape[-2:]
    inside, outside = _trimap(coarse, band, height, width)
    size = _grid(height, width, FIELDS)
    small = resize(source, *size)
    alpha = _by_colour(small, resize(coarse, *size), resize(inside, *size), resize(outside, *size))
    alpha = guided_filter(small, alpha, max(1, round(max(size) / COARSE)), EPSILON, large=source)
    alpha = _levels(alpha, FLOOR, 1 - FLOOR)
    closed_in = _levels(resize(inside, height, width), 0.5, 1.0)
    closed_out = _levels(resize(outside, height, width), 0.5, 1.0)
    return torch.maximum(alpha, closed_in).mul_(1 - closed_out)[:, 0]


def _levels(tensor: torch.Tensor, low: float, high: float) -> torch.Tensor:
    return ((tensor - low) / (high - low)).clamp_(0, 1)


def _grid(height: int, width: int, longest: int) -> tuple[int, int]:
    scale = min(1.0, longest / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _trimap(coarse: torch.Tensor, band: Band, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Surely person and surely background, [B,1,h,w] of 0 and 1 on the coarse grid."""
    small = resize(coarse, *_grid(height, width, COARSE))
    solid = (small > 0.5).float()
    inside = shrink((small > SURE).float(), band.margin)
    outside = shrink((small < 1 - SURE).float(), band.margin)
    inside = torch.maximum(inside, shrink(solid, band.reach))
    outside = torch.maximum(outside, shrink(1 - solid, band.reach))
    return inside, outside * (1 - grow(inside, 1))


def _by_colour(source: torch.Tensor, coarse: torch.Tensor, inside: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
    """Alpha [B,1,h,w] from the colours nearby where they tell, from the coarse matte where not."""
    front, front_spread = _layer(source, inside)
    back, back_spread = _layer(source, outside)
    line = front - back
    offset = source - back
    length = (line * line).sum(1, keepdim=True)
    place = ((offset * line).sum(1, keepdim=True) / (length + 1e-4)).clamp_(0, 1)
    miss = (offset - place * line).square_().sum(1, keepdim=True)
    doubt = 0.04 + BACK_DOUBT * back_spread + FRONT_DOUBT * front_spread
    trust = length / (length + doubt) * torch.exp(-miss / (0.15 * length + 0.003))
    return torch.minimum(coarse + trust * (place - coarse), coarse / REACH)


def _layer(source: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Colours [B,3,h,w] of the nearest `known` area, and how much they vary there (variance [B,1,h,w])."""
    squares = (source * source).sum(1, keepdim=True)
    filled = fill_unknown(torch.cat([source, squares], 1), known.floor())
    colours = filled[:, :3]
    spread = filled[:, 3:] - (colours * colours).sum(1, keepdim=True)
    return colours, box(spread.clamp_min_(0), SPREAD_RADIUS)


BORDER_POINTS = 96
"""How many points of each side of the photo are looked at."""


def border_points(height: int, width: int, mask: np.ndarray | None) -> np.ndarray:
    """Points [N,2] on the photo's border where the photo cuts the person off; all of the border without a matte.

    `mask` is the matte [h,w] at any scale.
    """
    xs = np.linspace(0, width, BORDER_POINTS)
    ys = np.linspace(0, height, BORDER_POINTS)
    sides = [
        (np.stack([xs, np.zeros_like(xs)], 1)),
        (np.stack([xs, np.full_like(xs, height)], 1)),
        (np.stack([np.zeros_like(ys), ys], 1)),
        (np.stack([np.full_like(ys, width), ys], 1)),
    ]
    points = np.concatenate(sides)
    if mask is None:
        return points
    column = np.clip(points[:, 0] * mask.shape[1] / width, 0, mask.shape[1] - 1).astype(int)
    row = np.clip(points[:, 1] * mask.shape[0] / height, 0, mask.shape[0] - 1).astype(int)
    return points[mask[row, column] > 0.3]
