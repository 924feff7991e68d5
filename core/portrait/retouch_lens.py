"""Takes a close camera's perspective out of a face: drawn again as from a metre and a half.

From near, what is nearer to the camera looks larger: the nose grows, the ears go. By how much follows from the
camera's distance and each point's depth, d / (d + z). The mesh gives the depth, not the distance: along what 30 cm do
to the mesh, 60 official portraits scatter by 0.42 of it (standard deviation). So the distance is given, or follows from
the lens.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from ..faces.mesh import EYE_CORNERS, OVAL, FaceMesh
from ..imaging.filters import distance_to, inside_outlines, smooth, soft_blur
from ..imaging.tensors import pixels, planes
from ..quality.aligned_face import Portrait
from .retouch_step import Step, nothing_done

AS_FROM = 150.0
"""Centimetres: ISO/IEC 39794-5 advises 1.2 to 2.5 m between camera and subject."""

NEAREST, FAR_ENOUGH = 20.0, 80.0
"""Nearer than the first counts as it; from the second on there is no fault: the nose is at most 3 % too large."""

PUPILS_MM = 63.0
"""Between the pupils of adults (Dodgson 2004), standard deviation 3.7: so exact is a distance by the lens."""

DIAGONAL_MM = 43.27
"""Of a frame of 36 x 24 mm, which equivalent focal lengths are told for."""

FALLS_OFF = 1.3
"""So many eye distances outside the face nothing moves any more."""

LARGEST_DEPTH = 1.1
"""Depths beyond this, in eye distances, are cut off: the mesh's sides are the least sure."""

TURN = 25.0
"""A head that is turned further, in degrees, is left alone: one of its sides is not seen."""

CELL = 24
"""Cells of the coarse grid for one eye distance: the field is smooth."""


def distance_by_lens(mesh: FaceMesh, height: int, width: int, focal: float) -> float:
    """The camera's distance in cm by its equivalent focal length in mm; right only for a photo that was not cropped."""
    eyes = max(mesh.eye_distance, 1.0)
    return PUPILS_MM * focal / DIAGONAL_MM * math.hypot(height, width) / eyes / 10


def undo_perspective(portrait: Portrait, strength: float, distance: float, focal: float = 0.0) -> Step:
    """Draw the face as from `AS_FROM`. `distance` in cm, `focal` in mm (equivalent): 0 where they are not known."""
    photo, mesh = portrait.photo, portrait.mesh
    if distance <= 0 and focal <= 0:
        why = "The camera's distance is not known, and a face alone does not tell it: give it, or the focal length."
        return nothing_done("lens_distortion", photo, why)
    known = "as given"
    if distance <= 0:
        distance, known = distance_by_lens(mesh, photo.shape[0], photo.shape[1], focal), "by the focal length"
    measured = {"camera_distance_cm": round(distance, 1), "known": known}
    if distance >= FAR_ENOUGH:
        return nothing_done("lens_distortion", photo, f"The camera was {distance:.0f} cm away: far enough.", measured)
    turn = turned_by(mesh)
    if turn > TURN:
        return nothing_done("lens_distortion", photo, f"The head is turned by {turn:.0f} degrees.", measured)
    used = max(distance, NEAREST)
    moved, largest = render_from(photo, mesh, used, AS_FROM, strength)
    settings = {"from_cm": round(used, 1), "as_from_cm": AS_FROM, "largest_move": round(largest, 4)}
    said = f"Drawn as from {AS_FROM / 100:g} m; the camera was {distance:.0f} cm away ({known})."
    return Step("lens_distortion", moved, measured, settings, said)


def turned_by(mesh: FaceMesh) -> float:
    """How far the head is turned to the side, in degrees, by the depth of the face's two sides."""
    left, right = mesh.points[234], mesh.points[454]
    across = right - left
    return float(np.degrees(np.arctan2(abs(across[2]), np.hypot(across[0], across[1]))))


def render_from(
    photo: torch.Tensor, mesh: FaceMesh, near: float, far: float, strength: float = 1.0
) -> tuple[torch.Tensor, float]:
    """`photo` [H,W,3], taken from `near` cm, as from `far`; and the largest move in eye distances.

    The middle of the eyes stays where it is and keeps its size. Neither distance needs to be the larger one.
    """
    height, width = photo.shape[:2]
    unit = mesh.eye_distance
    cell = unit / CELL
    rows, columns = max(2, round(height / cell)), max(2, round(width / cell))
    ratio = _ratios(mesh, (rows, columns), (height, width), near, far) * strength
    eyes = np.mean([eye.centre for eye in mesh.eyes], 0)
    y = (torch.arange(rows) + 0.5) * height / rows - 0.5 - float(eyes[1])
    x = (torch.arange(columns) + 0.5) * width / columns - 0.5 - float(eyes[0])
    away = torch.stack([x[None].expand(rows, columns), y[:, None].expand(rows, columns)])
    # Each place of the result asks where it comes from: p = q / exp(ratio(p)), by fixed point; the field is gentle.
    place = away.clone()
    for _ in range(8):
        grid = torch.stack(
            [(place[0] + float(eyes[0]) + 0.5) / width * 2 - 1, (place[1] + float(eyes[1]) + 0.5) / height * 2 - 1], -1
        )
        here = F.grid_sample(ratio[None, None], grid[None], padding_mode="border", align_corners=False)[0, 0]
        place = away * torch.exp(-here)
    shift = place - away
    fine = F.interpolate(shift[None], (height, width), mode="bicubic", align_corners=False)[0]
    moves = fine.norm(dim=0)
    column, row = torch.arange(width).float(), torch.arange(height).float()
    grid = torch.stack(
        [(column[None] + fine[0] + 0.5) / width * 2 - 1, (row[:, None] + fine[1] + 0.5) / height * 2 - 1], -1
    )
    source = planes(photo[None]).float()
    drawn = F.grid_sample(source, grid[None], mode="bicubic", padding_mode="border", align_corners=False)
    result = pixels(drawn)[0].clamp(0, 1)
    still = (moves < 0.02)[..., None]
    return torch.where(still, photo, result), float(moves.max()) / unit


def _ratios(mesh: FaceMesh, size: tuple[int, int], photo: tuple[int, int], near: float, far: float) -> torch.Tensor:
    """The logarithm of how much larger each place [rows,columns] of the photo becomes."""
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

    unit = mesh.eye_distance
    scale = np.array([size[1] / photo[1], size[0] / photo[0]])
    spots = (mesh.points[:, :2] + 0.5) * scale - 0.5
    corners = [corner for eye in EYE_CORNERS for corner in eye]
    depth = (mesh.points[:, 2] - mesh.points[corners, 2].mean()) / unit
    depth = np.clip(depth, -LARGEST_DEPTH, LARGEST_DEPTH) * PUPILS_MM / 10
    rows, columns = np.mgrid[: size[0], : size[1]]
    inside = LinearNDInterpolator(spots, depth)(columns, rows)
    outline = list(OVAL)
    beyond = NearestNDInterpolator(spots[outline], depth[outline])(columns, rows)
    z = np.where(np.isnan(inside), beyond, inside)
    ratio = torch.from_numpy(np.log(far / (far + z) * (near + z) / near)).float()
    face = inside_outlines(spots[outline], height=size[0], width=size[1])
    weight = 1 - smooth(distance_to(face, FALLS_OFF * CELL + 1) / (FALLS_OFF * CELL))
    return soft_blur((ratio * weight)[None, None], 0.12 * CELL)[0, 0]
