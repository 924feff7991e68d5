"""What Retouch Photo does to planted faults, to photos without one, and to the likeness.

    .venv/bin/python benchmarks/portrait/retouch.py --photos DIR --count 40 --write

Official portraits (`--photos`; taken in the order of the hash of their names) get one fault each: light taken away or
added, a cast of warm or blue light, red pupils, shine on forehead, nose and cheeks, the perspective of 30 cm. The error
is measured beside the portrait without the fault, before and after the retouch, and so is the likeness. The perspective
is planted by the warp that takes it out again, with the other photo's mesh: that shows that the mesh of a distorted
face leads back, not that a lens is modelled exactly.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.errors import LikenessError
from likeness_studio.core.faces.engines import load_engine
from likeness_studio.core.imaging.colour import luminance, to_display, to_lab, to_linear
from likeness_studio.core.imaging.files import load_photo, to_pil
from likeness_studio.core.portrait.retouch import Retouched, Retouches, retouch
from likeness_studio.core.portrait.retouch_lens import AS_FROM, render_from
from likeness_studio.core.quality.aligned_face import Portrait, look_at
from likeness_studio.core.quality.light import PUPIL

NEAR = 30.0
"""Centimetres: an arm's length bent."""

SPOTS = {"forehead": (151, 0.25), "nose": (4, 0.1), "left cheek": (50, 0.14), "right cheek": (280, 0.14)}
"""Where skin shines: a point of the mesh, and the size of the shine in eye distances."""

SHINE = 0.3
"""Linear light that is added in the middle of a spot."""


def _lit(stops: float) -> Callable[[Portrait], torch.Tensor]:
    return lambda seen: to_display((to_linear(seen.photo) * 2**stops).clamp(0, 1))


def _cast(red: float, blue: float) -> Callable[[Portrait], torch.Tensor]:
    gains = torch.exp(torch.tensor([red, 0.0, blue]))
    return lambda seen: to_display((to_linear(seen.photo) * gains).clamp(0, 1))


def _away(seen: Portrait, x: float, y: float) -> torch.Tensor:
    height, width = seen.photo.shape[:2]
    columns, rows = torch.arange(width).float(), torch.arange(height).float()[:, None]
    return torch.hypot(columns[None] - x, rows - y)


def pupils(seen: Portrait) -> torch.Tensor:
    """Bool [H,W]: both pupils."""
    return torch.stack([_away(seen, *eye.iris) <= PUPIL * eye.radius for eye in seen.mesh.eyes]).any(0)


def _red(seen: Portrait) -> torch.Tensor:
    photo = seen.photo.clone()
    for eye in seen.mesh.eyes:
        edge = (1 - (_away(seen, *eye.iris) / eye.radius - 0.4) / 0.1).clamp(0, 1)[..., None]
        photo = torch.lerp(photo, torch.maximum(photo, torch.tensor([0.8, 0.15, 0.12])), edge)
    return photo


def _spots(seen: Portrait) -> torch.Tensor:
    """How much each pixel shines, [H,W] in 0..1."""
    unit = seen.mesh.eye_distance
    bells = [
        torch.exp(-((_away(seen, *seen.mesh.points[point, :2]) / (size * unit)) ** 2)) for point, size in SPOTS.values()
    ]
    return torch.stack(bells).amax(0)


def _shiny(seen: Portrait) -> torch.Tensor:
    linear = to_linear(seen.photo)
    fine = luminance(linear)
    coarse = torch.nn.functional.avg_pool2d(fine[None, None], 9, 1, 4)[0, 0]
    pores = (fine / coarse.clamp_min(1e-3)).clamp(0.7, 1.4)
    return to_display((linear + (SHINE * _spots(seen) * pores)[..., None]).clamp(0, 1))


def _near(seen: Portrait) -> torch.Tensor:
    return render_from(seen.photo, seen.mesh, AS_FROM, NEAR)[0]


@dataclass(frozen=True)
class Fault:
    """What is planted, what takes it away, and by what the error is told: `unit`."""

    plant: Callable[[Portrait], torch.Tensor]
    take: Retouches
    error: Callable[[torch.Tensor, Portrait], float | None]
    unit: str


def _stops(photo: torch.Tensor, seen: Portrait) -> float:
    """Of the middle tones of the face."""
    low, high = seen.mesh.points[:, :2].min(0).astype(int), seen.mesh.points[:, :2].max(0).astype(int)
    face = (slice(low[1], high[1]), slice(low[0], high[0]))
    tones = [float(luminance(to_linear(each[face])).median()) for each in (photo, seen.photo)]
    return abs(float(np.log2((tones[0] + 1e-4) / (tones[1] + 1e-4))))


def _colours(photo: torch.Tensor, seen: Portrait) -> float:
    return float((to_lab(photo) - to_lab(seen.photo))[..., 1:].norm(dim=-1).mean())


def _in_pupils(photo: torch.Tensor, seen: Portrait) -> float:
    where = pupils(seen)
    return float((to_lab(photo[where]) - to_lab(seen.photo[where])).norm(dim=-1).mean())


def _in_spots(photo: torch.Tensor, seen: Portrait) -> float:
    where = _spots(seen) > 0.5
    return float((to_lab(photo[where]) - to_lab(seen.photo[where])).norm(dim=-1).mean())


def _shape(photo: torch.Tensor, seen: Portrait) -> float | None:
    """Mean distance of the mesh's points from those of the undistorted face, in % of the eye distance."""
    try:
        found = look_at(photo, load_engine(), policy=FacePolicy.LARGEST).mesh
    except LikenessError:
        return None
    away = np.hypot(*(found.points[:, :2] - seen.mesh.points[:, :2]).T)
    return float(100 * away.mean() / seen.mesh.eye_distance)


LIGHT, WHITE = Retouches(exposure=1), Retouches(white_balance=1)
FAULTS = {
    "2 stops too dark": Fault(_lit(-2), LIGHT, _stops, "stops"),
    "1.2 stops too dark": Fault(_lit(-1.2), LIGHT, _stops, "stops"),
    "0.6 stops too bright": Fault(_lit(0.6), LIGHT, _stops, "stops"),
    "1 stop too bright": Fault(_lit(1), LIGHT, _stops, "stops"),
    "warm light": Fault(_cast(0.2, -0.45), WHITE, _colours, "a*b*"),
    "blue light": Fault(_cast(-0.25, 0.35), WHITE, _colours, "a*b*"),
    "red pupils": Fault(_red, Retouches(red_eye=True), _in_pupils, "Lab, pupils"),
    "shine": Fault(_shiny, Retouches(shine=1), _in_spots, "Lab, spots"),
    "from 30 cm": Fault(_near, Retouches(lens_distortion=1, camera_distance=NEAR), _shape, "% of eye distance"),
}
ALL = Retouches(exposure=1, white_balance=1, red_eye=True, shine=1)


def measure(seen: Portrait, name: str, fault: Fault, folder: Path | None) -> dict[str, Any]:
    """The errors before and after, and the likeness to the portrait without the fault."""
    engine = load_engine()
    # As a file has it: in 8 bits.
    planted = (fault.plant(seen) * 255).round() / 255
    found: Retouched = retouch(planted, engine, fault.take, FacePolicy.LARGEST)
    step = found.report["retouches"][0]
    if folder is not None:
        both = torch.cat([seen.photo, planted, found.photo], 1)
        to_pil(both).resize((both.shape[1] // 2, both.shape[0] // 2)).save(folder / f"{name}.jpg", quality=90)
    before, after = fault.error(planted, seen), fault.error(found.photo, seen)
    return {
        "done": step["done"],
        "refused": found.report["likeness"]["refused"],
        "before": before,
        "after": after,
        "cosine": found.report["likeness"]["cosine"],
        "true_before": _cosine(engine, seen, planted),
        "true_after": _cosine(engine, seen, found.photo),
    }


def _cosine(engine: Any, seen: Portrait, photo: torch.Tensor) -> float | None:
    faces = engine.detect(photo)
    if not faces:
        return None
    face = max(faces, key=lambda each: each.size)
    return float(engine.embed(seen.photo, seen.face).embedding @ engine.embed(photo, face).embedding)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line for each fault: medians, and the lowest likeness."""
    lines = [
        "| planted | photos | retouched | refused | error in | before | after | made worse | likeness of the planted "
        "to the portrait: median, lowest | after the retouch | after beside before: median, lowest |",
        "|" + "---|" * 11,
    ]
    for name, fault in FAULTS.items():
        some = [row for row in rows if row["fault"] == name]
        done = [row for row in some if row["done"]]
        known = [row for row in done if row["before"] is not None and row["after"] is not None]
        if not some:
            continue
        worse = sum(row["after"] > row["before"] for row in known)
        cells = [name, len(some), len(done), sum(row["refused"] for row in some), fault.unit]
        cells += [_middle(known, "before"), _middle(known, "after"), worse]
        cells += [f"{_middle(done, key, 3)}, {_lowest(done, key)}" for key in ("true_before", "true_after", "cosine")]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _middle(rows: list[dict[str, Any]], key: str, digits: int = 2) -> str:
    values = [row[key] for row in rows if row[key] is not None]
    return f"{np.median(values):.{digits}f}" if values else "-"


def _lowest(rows: list[dict[str, Any]], key: str) -> str:
    values = [row[key] for row in rows if row[key] is not None]
    return f"{min(values):.3f}" if values else "-"


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--skip", type=int, default=0, help="leave out so many photos at the beginning")
    parser.add_argument("--only", help="one fault")
    parser.add_argument("--pictures", type=Path, help="a folder for portrait, planted and retouched side by side")
    parser.add_argument("--rows", type=Path, help="a JSON file for every row, outside the project: it names photos")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    photos = [path for path in args.photos.iterdir() if path.suffix == ".jpg"]
    by_hash = sorted(photos, key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
    rows: list[dict[str, Any]] = []
    sound: list[dict[str, bool]] = []
    for photo in by_hash[args.skip : args.skip + args.count]:
        try:
            seen = look_at(load_photo(photo)[0][0], load_engine(), policy=FacePolicy.LARGEST)
        except LikenessError as error:
            print(photo.name, error)
            continue
        for name, fault in FAULTS.items():
            if args.only in (None, name):
                folder = args.pictures / photo.stem if args.pictures else None
                if folder is not None:
                    folder.mkdir(parents=True, exist_ok=True)
                rows.append({"photo": photo.name, "fault": name} | measure(seen, name, fault, folder))
                print(photo.name, rows[-1], flush=True)
        report = retouch(seen.photo, load_engine(), ALL, FacePolicy.LARGEST).report
        sound.append({each["name"]: each["done"] for each in report["retouches"]})
    if args.rows:
        args.rows.write_text(json.dumps(rows, indent=1) + "\n")
    names = ("exposure", "white_balance", "red_eye", "shine")
    told = [f"{name.replace('_', ' ')} {sum(each[name] for each in sound)}" for name in names]
    text = "\n".join(
        [
            "# Retouching: planted faults, and photos without one",
            "",
            f"`python benchmarks/portrait/retouch.py --photos DIR --count {args.count} --skip {args.skip}`, official "
            "portraits of the House. Medians over the retouched; likeness is the cosine of yunet-sface.",
            "",
            *table(rows),
            "",
            f"The {len(sound)} portraits as they are, all of these on: retouched for {', '.join(told)}.",
            "",
        ]
    )
    print(text)
    if args.write:
        Path(__file__).with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
