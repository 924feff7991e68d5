"""Make the README's picture of a contact sheet: a batch of a public-domain photo, photographed in Chromium.

.venv/bin/python docs/contact_sheet.py
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from pathlib import Path

import skimage
from PIL import Image

from likeness_studio.runner.batch import BatchOptions, run_batch

ROOT = Path(__file__).parents[1]
SIZE = {"width": 1180, "height": 985}

ROWS = (
    ("collins", "collins.jpg", "light grey"),
    ("collins_navy", "collins.jpg", "navy"),
    ("collins_warm", "collins.jpg", "warm grey"),
    ("collins_white", "collins.jpg", "white"),
    ("cut_off", "cut_off.jpg", "light grey"),
    ("no_person", "no_person.png", "light grey"),
    ("small", "small.jpg", "light grey"),
    ("two_people", "two_people.jpg", "light grey"),
)


def photos(folder: Path) -> Path:
    """The photos, some of them no good, and the table that names them."""
    demo = ROOT / "runner" / "demo.jpg"
    shutil.copy(demo, folder / "collins.jpg")
    shutil.copy(Path(skimage.__file__).parent / "data" / "chelsea.png", folder / "no_person.png")
    (folder / "cut_off.jpg").write_bytes(demo.read_bytes()[: demo.stat().st_size // 3])
    with Image.open(demo) as opened:
        photo = opened.convert("RGB")
    pair = Image.new("RGB", (2 * photo.width, photo.height))
    pair.paste(photo, (0, 0))
    pair.paste(photo, (photo.width, 0))
    pair.save(folder / "two_people.jpg")
    photo.resize((60, 60)).save(folder / "small.jpg")
    table = folder / "team.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("name", "photo", "Backdrop.colour"), *ROWS])
    return table


def main() -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        table = photos(Path(folder))
        result = run_batch(BatchOptions("studio_headshot", table, Path(folder) / "out"))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport=SIZE)
        page.goto(result.sheet.as_uri())
        page.wait_for_timeout(1000)
        shot = Path(folder) / "sheet.png"
        page.screenshot(path=shot)
        browser.close()
        with Image.open(shot) as picture:
            picture.convert("RGB").save(ROOT / "docs" / "contact_sheet.jpg", quality=85)


if __name__ == "__main__":
    main()
