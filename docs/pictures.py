"""Make the pictures of the README, the template browser and the registry from a finished `make demo`.

.venv/bin/likeness demo && .venv/bin/python docs/pictures.py

The plot in docs/likeness_against_denoise.jpg is what the workflow compare_models made of the demo photo, on a server
with a checkpoint of random weights (tests/comfyui/random_weights.py). It is made when this has been run before:

.venv/bin/likeness run compare_models --server URL --input Photo=runner/demo.jpg --set Sampler.steps=4 \\
  --set Sampler.cfg=1 --set "Frame.crop=tight portrait" --set Frame.width=256 --set Frame.height=320 \\
  --set "Denoise.values=0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8" --set Compare.several_faces=largest

Pictures of the other generative workflows are pictures of their graphs: tests/comfyui/draw_workflows.py --covers.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps

from likeness_studio.core.faces import GOOD_COLOUR, contact_sheet, load_engine
from likeness_studio.core.faces.annotate import annotate
from likeness_studio.core.imaging import load_photo, to_pil
from likeness_studio.core.imaging.colour import to_display, to_linear
from likeness_studio.core.portrait.retouch import Retouches, retouch

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "runner" / "demo.jpg"
RUN = ROOT / "output" / "demo"
ID = ROOT / "output" / "id"
COMPARISON = ROOT / "output" / "compare_models"
PAPER, INK = "#f4f4f2", "#22282b"
HEIGHT, GAP = 640, 32


def titled(picture: Image.Image, text: str, colour: str) -> Image.Image:
    """The picture with a line of text below it."""
    sheet = Image.new("RGB", (picture.width, picture.height + 56), PAPER)
    sheet.paste(picture, (0, 0))
    ImageDraw.Draw(sheet).text((2, picture.height + 14), text, fill=colour, font=ImageFont.load_default(26))
    return sheet


def row(pictures: list[Image.Image]) -> Image.Image:
    """Pictures side by side on paper."""
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) + 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures) + GAP), PAPER)
    x = GAP
    for picture in pictures:
        sheet.paste(picture, (x, GAP))
        x += picture.width + GAP
    return sheet


def scaled(picture: Image.Image, height: int = HEIGHT) -> Image.Image:
    return picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.LANCZOS)


def boxed(photo: torch.Tensor, label: str) -> Image.Image:
    return annotate(photo, load_engine(device="cpu").detect(photo)[0], label, GOOD_COLOUR)


def likeness_against_denoise() -> None:
    """The newest plot and the pictures that it is about, side by side; without a comparison nothing."""
    plots, grids = (sorted(COMPARISON.glob(f"comparison_{kind}_*.png")) for kind in ("plot", "grid"))
    if not (plots and grids):
        return
    plot = Image.open(plots[-1]).convert("RGB")
    grid = scaled(Image.open(grids[-1]).convert("RGB"), plot.height)
    sheet = Image.new("RGB", (plot.width + grid.width, plot.height), "white")
    sheet.paste(plot, (0, 0))
    sheet.paste(grid, (plot.width, 0))
    sheet.save(ROOT / "docs" / "likeness_against_denoise.jpg", quality=88)


def id_photo() -> None:
    """An ID photo's overlay beside the printed sheet, and the covers of the ID photo workflows; made after:

    for DOCUMENT in schengen-visa us-passport: .venv/bin/likeness id runner/demo.jpg --document DOCUMENT --out output/id
    .venv/bin/likeness check runner/demo.jpg --out output/id/selfie
    .venv/bin/likeness run id_photo_sheet --input Photo=runner/demo.jpg --set "Print sheet.paper=A4" --output output/id
    """
    names = ("demo.schengen-visa.overlay.png", "id_photo_sheet_00001.png", "demo.us-passport.overlay.png")
    files = [*(ID / name for name in names), *(ID / "selfie" / "overlays").glob("*.jpg")]
    if len(files) < 4 or not all(file.exists() for file in files):
        return
    drawn, sheet, american, selfie = (
        ImageOps.expand(scaled(Image.open(file).convert("RGB")), 1, "#c9cac7") for file in files[:4]
    )
    row([drawn, sheet]).save(ROOT / "docs" / "id_photo.jpg", quality=88)
    covers = {"id_photo": drawn, "id_photo_sheet": sheet, "check_id_photo": american, "check_selfie": selfie}
    for name, cover in covers.items():
        ImageOps.pad(cover, (768, 512), color=PAPER).save(ROOT / "workflows" / f"{name}.jpg", quality=82)


def retouched() -> None:
    """The cover of retouch_photo: the demo photo, taken 1.6 stops too dark, before and after."""
    dark = to_display(to_linear(load_photo(DEMO)[0][0]) * 2**-1.6)
    found = retouch(dark, load_engine(device="cpu"), Retouches(exposure=1.0))
    cover = row([scaled(to_pil(dark)), scaled(to_pil(found.photo))])
    ImageOps.pad(cover, (768, 512), color=PAPER).save(ROOT / "workflows" / "retouch_photo.jpg", quality=82)


def main() -> None:
    likeness_against_denoise()
    id_photo()
    retouched()
    report = json.loads((RUN / "report.json").read_text())
    before = Image.open(DEMO).convert("RGB")
    after = Image.open(sorted(RUN.glob("headshot_*.png"))[-1]).convert("RGB")
    likeness = report["likeness"][0]
    verdict = f"After: same person, {likeness['best']:.2f} (threshold {likeness['threshold']:.2f})"
    pair = row([titled(scaled(before), "Before", INK), titled(scaled(after), verdict, GOOD_COLOUR)])
    pair.save(ROOT / "docs" / "before_after.jpg", quality=88)

    banner = row([scaled(before, 520), scaled(after, 520)])
    ImageOps.pad(banner, (1344, 576), color=PAPER).save(ROOT / "web" / "banner.jpg", quality=85)

    photo = load_photo(DEMO)[0][0]
    crop = load_photo(sorted(RUN.glob("headshot_*.png"))[-1])[0][0]
    covers = {
        "studio_headshot": row([scaled(before), scaled(after)]),
        "check_likeness": row([scaled(boxed(photo, "reference")), scaled(boxed(crop, f"pass {likeness['best']:.2f}"))]),
        "enroll_identity": to_pil(contact_sheet([boxed(photo, "accepted"), boxed(crop, "accepted")])[0]),
        "keep_the_best": scaled(boxed(crop, f"best {likeness['best']:.2f}")),
    }
    for name, cover in covers.items():
        ImageOps.pad(cover, (768, 512), color=PAPER).save(ROOT / "workflows" / f"{name}.jpg", quality=82)


if __name__ == "__main__":
    main()
