"""Make the README's pictures of a report and of a contact sheet, of a public-domain photo, photographed in Chromium.

.venv/bin/python docs/page_pictures.py
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from pathlib import Path

import skimage
from PIL import Image

from likeness_studio import run
from likeness_studio.runner.batch import BatchOptions, run_batch

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "runner" / "demo.jpg"
SHEET, REPORT = (1180, 985), (900, 600)

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
    shutil.copy(DEMO, folder / "collins.jpg")
    shutil.copy(Path(skimage.__file__).parent / "data" / "chelsea.png", folder / "no_person.png")
    (folder / "cut_off.jpg").write_bytes(DEMO.read_bytes()[: DEMO.stat().st_size // 3])
    with Image.open(DEMO) as opened:
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

    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        run("studio_headshot", [DEMO], folder / "first")
        report = run("studio_headshot", [DEMO], folder / "run").html
        sheet = run_batch(BatchOptions("studio_headshot", photos(folder), folder / "out")).sheet
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for page_file, name, size in ((report, "report", REPORT), (sheet, "contact_sheet", SHEET)):
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            page.goto(page_file.as_uri())
            page.wait_for_timeout(1000)
            shot = folder / f"{name}.png"
            page.screenshot(path=shot, full_page=size is REPORT)
            with Image.open(shot) as picture:
                picture.convert("RGB").save(ROOT / "docs" / f"{name}.jpg", quality=85)
        browser.close()


if __name__ == "__main__":
    main()
