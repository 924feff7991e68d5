"""One person's matte from two networks that fail in different ways: the face says who is meant and what to believe.

U-2-Net looks for what stands out: it keeps faces, loses dark suits and takes flags along. MODNet looks for people: it
keeps suits and single hairs, and now and then erases a face or takes a neighbour along. Where both agree there is
nothing to decide. A piece that one of them alone claims is believed by where it lies from the face that is meant, in
distances between the eyes, and by whether the other one sees the rest of the person at all. What they differ on is also
the doubt that is handed on.

The constants were chosen by eye on 60 portraits (40 official ones of 1,024 pixels, 20 of LFW with 250), and what
happens without a face on P3M's 12 demo pictures; the portraits of benchmarks/portrait/matting.py were not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..imaging.filters import find_regions, grow, shrink, touches_border
from .matte import tidy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..faces.face import Face

SOLID = 0.5
"""Alpha from which a pixel counts as person where the two mattes are compared."""

SLACK, SLACK_WITHOUT_FACE = 0.12, 0.015
"""What is narrower than this is the edge's and not somebody's: in eye distances, or in shares of the longer side."""

SHOULDERS = ((0.0, 0.0), (0.9, -0.1), (2.0, 0.1), (3.0, 0.5), (4.0, 1.3), (5.0, 3.0), (6.5, 8.0))
"""The line above which no shoulder is: (to the side of the chin, below the chin), in eye distances of 63 mm. Adults'
shoulders end 3.2 to 4 to the side (Gordon et al., ANSUR 1988, bideltoid breadth 49 cm) and 1 to 2 below."""

CHIN = 1.9
"""From the eyes to below the chin, in eye distances."""

FACE_LOST, BODY_LOST = 0.9, 0.6
"""A network that covers less of the face than this, or less of the torso than this times the other, lost it."""

AIR = 0.3
"""A piece of which more lies in the air beside the head is a flag, a wall or a neighbour."""

LOCK = 0.8
"""An ear or a lock of hair is smaller than this, in squared eye distances."""

FAINT = 0.1
"""Alpha above which pixels hang together: what touches nothing of the person by more than this is an island."""

SLIVER = 0.15
"""A smaller share of a piece than this is no part by itself: it goes with the rest."""

LARGE = 0.03
"""Without a face U-2-Net alone is believed on what is larger than this share of what both see: smaller ones are gaps
between arm and body that it fills."""

STRAY = 0.2
"""A share of the cut-out beside the head from which it is told, also where both networks see it: raised hands, flags,
microphones and very wide hair."""

ASIDE = 2.0
"""So many times more what one network alone sees round and beside the head is doubted than the same in the body."""

LOOK_AT = 0.032
"""Doubt from which a person should look at the cut-out; benchmarks/README.md says how often that is right."""

ONE_ONLY = "{share:.0%} of the cut-out was seen by one of two networks only, {where}."
BESIDE = "{share:.0%} of the cut-out lies beside the head: a raised hand, a flag or another person."
FACE_GAP = "One network did not see all of the face; it was put back."
NO_FACE = "No face was found, so that nothing says which person is meant."


@dataclass(frozen=True, eq=False)
class Zones:
    """Where a face's own person is to be expected: boolean maps [h,w]. The first five share no pixel.

    `core` is the face between the brows, the ears and the chin, `oval` the face with forehead and ears, `head` hair and
    hats, `body` what lies below the shoulders' line, `air` the rest. `torso` is the middle of the body, `raised`
    reaches a little above the shoulders' line, `above_brow` is the upper part of the picture. `unit` is the distance
    between the eyes as seen from the front, in pixels.
    """

    unit: float
    core: np.ndarray
    oval: np.ndarray
    head: np.ndarray
    body: np.ndarray
    air: np.ndarray
    torso: np.ndarray
    raised: np.ndarray
    above_brow: np.ndarray


@dataclass(frozen=True, eq=False)
class Fused:
    """Alpha [h,w] in 0..1, and the pieces [h,w] that one network alone claims: those `kept` and those `dropped`.

    As shares of the cut-out, 0..1: `one_only` is what one network alone sees at the person, `aside` what of it lies
    round and beside the head, `unsteady` what of the rest changes when both look again (all of it, until they do),
    `stray` what both see beside the head, `split` what ends where a rule ended and no outline is. `where` most of the
    pieces lie; `gap`: one network did not see all of the face. `face`: whether one says who is meant.
    """

    alpha: np.ndarray
    kept: np.ndarray
    dropped: np.ndarray
    one_only: float
    aside: float
    unsteady: float
    stray: float
    split: float
    where: str
    gap: bool
    face: bool

    @property
    def doubt(self) -> float:
        """The share of the cut-out that is in question, 0..1; without anybody in it, all."""
        return min(1.0, self.unsteady + ASIDE * self.aside + (self.stray if self.stray > STRAY else 0.0))

    @property
    def questioned(self) -> bool:
        """Whether what one network alone sees is reason enough to look."""
        return self.unsteady + ASIDE * self.aside >= LOOK_AT

    @property
    def reasons(self) -> list[str]:
        """Why it is in question, in sentences."""
        if not (self.alpha > SOLID).any():
            return ["Nobody was found."]
        said = {
            ONE_ONLY.format(share=min(1.0, self.one_only), where=self.where): self.questioned,
            NO_FACE: not self.face,
            BESIDE.format(share=self.stray): self.stray > STRAY,
            FACE_GAP: self.gap and self.questioned,
        }
        return [sentence for sentence, holds in said.items() if holds]

    def seen_again(self, others: Sequence[Fused], face: Face) -> Fused:
        """The same cut-out, doubted no more than it differs from `others`, which are of other looks at the picture.

        The networks differ on a dark suit before a dark wall in every eighth portrait; where the same comes of both
        each time, it is as a rule right. Not so beside the head, where both take the same flag for hair each time.
        """
        radius = max(1, round(SLACK * zones_of(face, *self.alpha.shape).unit))
        solid = self.alpha > SOLID
        changed = [float(gross(solid ^ (other.alpha > SOLID), radius).sum()) for other in others]
        steady = max(self.split, float(np.mean(changed)) / max(1.0, float(solid.sum())))
        return replace(self, unsteady=min(self.unsteady, steady))


def zones_of(face: Face, height: int, width: int) -> Zones:
    """The zones of a `face`, which is given in pixels of the grid of `height` x `width`."""
    eyes = face.landmarks[:2].mean(0)
    unit = max(1.0, face.frontal_eye_distance)
    angle = np.radians(face.roll)
    cos, sin = np.cos(angle), np.sin(angle)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    x, y = (columns - eyes[0]) / unit, (rows - eyes[1]) / unit
    across, down = cos * x + sin * y, cos * y - sin * x
    nose = (face.landmarks[2] - eyes) / unit
    turned = float(cos * nose[0] + sin * nose[1])
    middle = across + 0.5 * turned
    core = (across / 0.8) ** 2 + ((down - 0.45) / 1.1) ** 2 < 1
    oval = ((middle / 1.15) ** 2 + ((down - 0.35) / 1.75) ** 2 < 1) & ~core
    # Heads lean and bodies stay upright; a photo that lies on its side is turned as a whole.
    leans = abs(face.roll) < 40
    beside, below = (x + CHIN * sin, y - CHIN * cos) if leans else (across, down - CHIN)
    line = np.interp(np.abs(beside), *np.array(SHOULDERS).T)
    body = (below > line) & ~core & ~oval
    head = (np.abs(middle) < 1.55 + 0.4 * abs(turned)) & (down > -3.2) & (down < 2.2) & ~core & ~oval & ~body
    torso = (np.abs(beside) < 1.8) & (below > 0.5) & (below < 3)
    return Zones(unit, core, oval, head, body, ~(core | oval | head | body), torso, below > line - 0.6, down < -0.6)


def fuse(broad: np.ndarray, fine: np.ndarray, face: Face | None) -> Fused:
    """Join U-2-Net's matte `broad` and MODNet's `fine`, both [h,w] in 0..1 on one grid.

    `face` is that of the person who is meant, in pixels of the grid. Without one what is joined to what both see stays,
    and specks go as `tidy` has it.
    """
    zones = None if face is None else zones_of(face, *fine.shape)
    radius = max(1, round(SLACK_WITHOUT_FACE * max(fine.shape) if zones is None else SLACK * zones.unit))
    by_broad, by_fine = broad > SOLID, fine > SOLID
    only_broad, only_fine = gross(by_broad & ~by_fine, radius), gross(by_fine & ~by_broad, radius)
    if zones is None:
        sure = by_broad & by_fine
        kept_broad = _regions(only_broad, at=sure, least=LARGE * float(sure.sum()))
        kept_fine = _regions(only_fine, at=sure, least=0)
    else:
        kept_broad = _believed(only_broad, zones, _lost(by_fine, by_broad, zones), eager=False)
        kept_fine = _believed(only_fine, zones, _lost(by_broad, by_fine, zones), eager=True)
    dropped = (only_broad & ~kept_broad) | (only_fine & ~kept_fine)
    alpha = np.where(_grown(kept_broad, radius), np.maximum(broad, fine), fine)
    near = _grown(dropped, radius) & ~_grown((by_broad & by_fine) | kept_broad | kept_fine, max(1, radius // 3))
    alpha = np.where(dropped | near, 0, alpha)
    if zones is not None:
        alpha = _joined_to_face(np.where(zones.core, np.maximum(alpha, broad), alpha), zones, radius)
    else:
        alpha = tidy(alpha)
    alpha = alpha.astype(np.float32)
    split = _split(only_broad, kept_broad) | _split(only_fine, kept_fine)
    return _weigh(alpha, (kept_broad | kept_fine, dropped, split), by_broad & by_fine, zones, radius)


def _regions(claimed: np.ndarray, at: np.ndarray, least: float) -> np.ndarray:
    """The regions of `claimed` that touch `at` and have more than `least` pixels."""
    regions = find_regions(claimed)
    touching = np.zeros(len(regions.sizes) + 1, bool)
    touching[regions.labels[_grown(at, 2)]] = True
    touching[0] = False
    touching[1:] &= regions.sizes > least
    return touching[regions.labels]


@dataclass(frozen=True)
class _Lost:
    """What a network did not see of what it should have."""

    face: bool
    body: bool


def _lost(seen: np.ndarray, other: np.ndarray, zones: Zones) -> _Lost:
    """What the network that saw `seen` lost, beside the `other`."""

    def share(of: np.ndarray, zone: np.ndarray) -> float:
        return float(of[zone].mean()) if zone.any() else 1.0

    return _Lost(share(seen, zones.core) < FACE_LOST, share(seen, zones.torso) < BODY_LOST * share(other, zones.torso))


def _believed(claimed: np.ndarray, zones: Zones, lost: _Lost, eager: bool) -> np.ndarray:
    """What one network alone claims and is likely to be the person's; `lost` is what the other one did not see.

    `eager`: the claim is by the network that knows people, so that a large piece within the body's reach is believed
    although the other one sees the rest of the body.
    """
    kept = claimed & zones.core
    regions = find_regions(claimed)
    for index, size in enumerate(regions.sizes, 1):
        piece = regions.labels == index
        in_air, in_head = piece & zones.air, piece & zones.head
        aloft = float(in_air.sum()) > AIR * size
        small = size < LOCK * zones.unit**2
        hat = float((piece & zones.above_brow).sum()) > 0.6 * size and float(in_air.sum()) < 0.1 * size
        if lost.body or (eager and not aloft):
            kept |= piece & (zones.body | zones.raised if lost.body else zones.body)
        if lost.face or small or eager:
            kept |= piece & zones.oval
        if lost.face or hat or (not aloft and (small or eager or lost.body)):
            kept |= in_head
        if float((kept & piece).sum()) < SLIVER * size:
            kept &= ~piece | zones.core
    return kept


def _split(claimed: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """What is `kept` of pieces that the zones cut in two: an edge there is the zones' and nobody's outline."""
    split = np.zeros_like(kept)
    regions = find_regions(claimed)
    for index, size in enumerate(regions.sizes, 1):
        piece = regions.labels == index
        if SLIVER < float((kept & piece).sum()) / size < 1 - SLIVER:
            split |= piece & kept
    return split


def _joined_to_face(alpha: np.ndarray, zones: Zones, radius: int) -> np.ndarray:
    """Alpha [h,w] without what hangs on the face's person by a thread or not at all, and without holes in the head."""
    thin = max(1, radius // 2)
    solid = alpha > 0.3
    parts = find_regions(_shrunk(solid, thin) | (zones.core & solid))
    at_face = parts.labels[zones.core]
    at_face = at_face[at_face > 0]
    if not len(at_face):
        return alpha
    own = parts.labels == np.bincount(at_face).argmax()
    islands = find_regions(alpha > FAINT)
    joined = (islands.labels == 0) | np.isin(islands.labels, np.unique(islands.labels[own]))
    alpha = np.where(_grown(own, 2 * thin + radius) & joined, alpha, 0)
    holes = find_regions(alpha < SOLID)
    in_face = np.bincount(holes.labels[zones.core | zones.oval], minlength=len(holes.sizes) + 1)[1:]
    small = holes.sizes < 0.002 * float((alpha >= SOLID).sum())
    filled = ~touches_border(holes) & ((in_face > 0.5 * holes.sizes) | small)
    return np.where(np.concatenate([[False], filled])[holes.labels], 1, alpha)


def _weigh(
    alpha: np.ndarray,
    pieces: tuple[np.ndarray, np.ndarray, np.ndarray],
    both: np.ndarray,
    zones: Zones | None,
    radius: int,
) -> Fused:
    """The cut-out with what is in question of it; the `pieces` are those kept, dropped and split."""
    kept, dropped, split = pieces
    person = alpha > SOLID
    area = float(person.sum())
    if not area:
        return Fused(alpha, kept, dropped, 1.0, 0.0, 1.0, 0.0, 0.0, "", gap=False, face=zones is not None)
    regions = find_regions(dropped)
    touching = np.unique(regions.labels[_grown(person, 2 * radius)])
    at_edge = float(regions.sizes[touching[touching > 0] - 1].sum())
    one_only = min(1.0, (float((kept & person).sum()) + at_edge) / area)
    where = most_of(kept | dropped, zones)
    if zones is None:
        return Fused(alpha, kept, dropped, one_only, 0.0, one_only, 0.0, 0.0, where, gap=False, face=False)
    stray = float((gross(person & both, radius) & zones.air).sum()) / area
    in_two = float((split & person).sum()) / area
    gap = float((kept & zones.core).sum()) > 0.1 * float(zones.core.sum())
    claimed = (kept & person) | np.isin(regions.labels, touching[touching > 0])
    aside = min(one_only, float((claimed & ~zones.body & ~zones.core).sum()) / area)
    return Fused(alpha, kept, dropped, one_only, aside, one_only - aside, stray, in_two, where, gap=gap, face=True)


def most_of(pieces: np.ndarray, zones: Zones | None) -> str:
    """Where most of `pieces` [h,w] lie, in words."""
    if zones is None:
        return "somewhere in the picture"
    places = {
        "in the face": zones.core | zones.oval,
        "round the head": zones.head,
        "in the body": zones.body,
        "beside the head": zones.air,
    }
    return max(places, key=lambda place: int((pieces & places[place]).sum()))


def gross(mask: np.ndarray, radius: int) -> np.ndarray:
    """Those pixels of `mask` that belong to something wider than `radius` pixels."""
    return mask & _grown(_shrunk(mask, max(1, radius // 2)), radius) if mask.any() else mask


def _grown(mask: np.ndarray, radius: int) -> np.ndarray:
    return grow(torch.from_numpy(mask)[None, None].float(), radius)[0, 0].numpy() > 0.5


def _shrunk(mask: np.ndarray, radius: int) -> np.ndarray:
    return shrink(torch.from_numpy(mask)[None, None].float(), radius)[0, 0].numpy() > 0.5
