"""What record.py runs: words of the ``likeness`` command, where later cases may need earlier ones, and their photos."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

BUNDLED = (
    *("check_id_photo", "check_likeness", "check_selfie", "compare_models", "edit_headshot", "enroll_identity"),
    *("id_photo", "id_photo_sheet", "img2img_headshot_sd15", "img2img_headshot_sdxl", "keep_the_best", "lora_headshot"),
    *("merge_loras", "new_background_sd15", "new_background_sdxl", "reference_profile", "studio_headshot"),
)
COMMANDS = ("run", "batch", "compare", "id", "sheet", "check", "status", "retry", "doctor", "inspect", "verify")
FAST = ["--set", "Sampler.steps=2", "--set", "Sampler.cfg=1.0"]
SMALL = ["--set", "Frame.width=256", "--set", "Frame.height=320"]
GENERATED: dict[str, list[str]] = {
    "img2img_headshot_sd15": [*FAST, *SMALL, "--set", "Variants.amount=2", "--set", "Sampler.denoise=0.1"],
    "new_background_sd15": [*FAST, *SMALL],
    "lora_headshot": [*FAST, "--set", "Size.width=256", "--set", "Size.height=320", "--set", "Size.batch_size=1"],
    "reference_profile": [
        *(*FAST, "--set", "Frame reference.width=256", "--set", "Frame reference.height=320"),
        *("--set", "Sampler.denoise=0.1", "--input", "Reference picture=photos/b1.jpg"),
    ],
    "compare_models": [*FAST, *SMALL, "--set", "Denoise.values=0.1, 0.9"],
}
"""Small enough for a CPU, as in tests/comfyui/test_generation_workflows.py."""


@dataclass(frozen=True)
class Case:
    """One run of the command; `{out}` stands for the case's folder and `{server}` for the server's address."""

    name: str
    words: tuple[str, ...]
    needs: tuple[str, ...] = ()
    json: bool = True

    def photos(self) -> list[str]:
        """Photos that must be there, those that are wrong on purpose aside."""
        words = [word.rpartition("=")[2] for word in self.words]
        return [word for word in words if word.startswith("photos/") and "missing" not in word]


def run(name: str, workflow: str, *words: str, needs: tuple[str, ...] = ()) -> Case:
    return Case(name, ("run", workflow, "-o", "{out}", *words), needs)


def identify(name: str, photo: str, *words: str) -> Case:
    return Case(name, ("id", photo, "-o", "{out}", *words))


def local_cases() -> list[Case]:
    """What runs in the command's own process."""
    return [*_workflows(), *_id_photos(), *_batches(), *_texts(), *_refusals()]


def server_cases() -> list[Case]:
    """What needs a ComfyUI server with a checkpoint of Stable Diffusion 1.5's architecture."""
    server = ("-s", "{server}")
    generated = [
        run(f"server_{name}", name, *server, *settings, "-i", "Photo=photos/a1.jpg")
        for name, settings in GENERATED.items()
    ]
    return [
        run("server_studio_headshot", "studio_headshot", *server, "-i", "photos/a1.jpg"),
        run("server_id_photo", "id_photo", *server, "-i", "photos/a1.jpg"),
        run("server_enroll_identity", "enroll_identity", *server, "-i", "photos/enroll"),
        *generated,
        Case("server_batch", ("batch", "studio_headshot", "-i", "photos/batch", "-o", "{out}", *server, *SMALL)),
    ]


def _workflows() -> Iterator[Case]:
    identity = "enroll/identities/enroll.safetensors"
    yield run("headshot", "studio_headshot", "-i", "photos/a1.jpg")
    navy = ("--set", "Backdrop.colour=navy", "--set", "Frame.crop=square profile")
    yield run("headshot_navy", "studio_headshot", "-i", "photos/a1.jpg", "-i", "Reference photos=photos/person/", *navy)
    yield run(
        "headshot_astronaut", "studio_headshot", "-i", "photos/astronaut.png", "--set", "Matte Person.model=u2netp"
    )
    yield run("headshot_synthetic", "studio_headshot", "-i", "photos/synthetic0.jpg")
    for number in range(3):
        yield run(f"headshot_portrait{number}", "studio_headshot", "-i", f"photos/portrait{number}.jpg")
    for name in ("two.png", "nobody.png", "damaged.jpg", "missing.jpg"):
        yield run(f"headshot_{name.partition('.')[0]}", "studio_headshot", "-i", f"photos/{name}")
    first = ("-i", "Reference photo=photos/a1.jpg")
    yield run("likeness_same", "check_likeness", *first, "-i", "Photo to check=photos/a2.jpg")
    yield run("likeness_other", "check_likeness", *first, "-i", "Photo to check=photos/b1.jpg")
    more = ("-i", "More reference photos=photos/person/", "-i", "Photo to check=photos/two.png")
    yield run("likeness_more", "check_likeness", *first, *more, "--set", "Likeness.several_faces=largest")
    yield run("enroll", "enroll_identity", "-i", "photos/enroll")
    yield run("enroll_stop", "enroll_identity", "-i", "photos/enroll", "--set", "Person.on_refused=stop")
    yield run("enroll_damaged", "enroll_identity", "-i", "photos/batch")
    for name in ("candidates", "strangers"):
        words = ("-i", f"Candidates=photos/{name}", "-i", f"Person={identity}")
        yield run(f"keep_{name}", "keep_the_best", *words, needs=("enroll",))
    yield run("id_photo", "id_photo", "-i", "photos/a1.jpg")
    yield run(
        "id_photo_png",
        "id_photo",
        "-i",
        "photos/a2.jpg",
        "--set",
        "ID photo.document=linkedin",
        "--set",
        "Save ID photo.format=png",
    )
    yield run("id_photo_sheet", "id_photo_sheet", "-i", "photos/a1.jpg")
    yield run("check_selfie", "check_selfie", "-i", "photos/a2.jpg")
    yield run("check_selfie_two", "check_selfie", "-i", "photos/two.png")
    yield Case(
        "compare",
        (
            "compare",
            "studio_headshot",
            "-i",
            "photos/a1.jpg",
            "-o",
            "{out}",
            *SMALL,
            "--vary",
            "Backdrop.colour=navy,warm grey",
        ),
    )


def _id_photos() -> Iterator[Case]:
    for short, document in {
        "us": "us-passport",
        "schengen": "schengen-visa",
        "de": "de-passport",
        "uk": "uk-passport-digital",
        "linkedin": "linkedin",
    }.items():
        yield identify(f"id_{short}", "photos/a1.jpg", "-d", document)
    yield identify("id_sheet", "photos/astronaut.png", "-d", "us-passport", "-d", "jp-passport", "--sheet", "a4")
    yield identify("id_plain_refused", "photos/a1.jpg", "-d", "de-passport", "--background", "plain")
    yield identify("id_plain", "photos/a1.jpg", "-d", "linkedin", "--background", "plain")
    yield identify("id_folder", "photos/batch", "-d", "cv", "--largest", "--head-size", "smaller")
    yield identify("id_portrait", "photos/portrait0.jpg", "-d", "us-visa", "-d", "xing", "--size", "upload")
    yield Case("check_document", ("check", "id_us/a1.us-passport.jpg", "-d", "us-passport", "-o", "{out}"), ("id_us",))
    yield Case(
        "check_wrong_document", ("check", "id_us/a1.us-passport.jpg", "-d", "jp-passport", "-o", "{out}"), ("id_us",)
    )
    yield Case(
        "check_uncut", ("check", "photos/a2.jpg", "photos/synthetic1.jpg", "-d", "us-visa", "--uncut", "-o", "{out}")
    )
    yield Case("check_as_selfie", ("check", "photos/a3.jpg", "photos/two.png", "photos/damaged.jpg", "-o", "{out}"))
    made = "id_us/a1.us-passport.jpg"
    yield run("check_id_photo", "check_id_photo", "-i", made, needs=("id_us",))
    yield Case("sheet_pdf", ("sheet", made, "-o", "{out}/sheet.pdf", "--document", "us-passport"), ("id_us",))
    yield Case(
        "sheet_png",
        ("sheet", made, "-o", "{out}/sheet.png", "--size", "51x51", "--paper", "a5", "--count", "3"),
        ("id_us",),
    )
    yield Case("sheet_no_size", ("sheet", "photos/a1.jpg", "-o", "{out}/sheet.pdf"))
    saved = ("headshot/headshot_00001_.png", "id_photo/id_photo_00001_.jpg")
    yield Case("verify", ("verify", made, "photos/a1.jpg", *saved), ("id_us", "headshot", "id_photo"))
    yield Case("verify_missing", ("verify", "photos/missing.jpg", "photos/damaged.jpg"))


def _batches() -> Iterator[Case]:
    words = ("batch", "studio_headshot", "-i", "photos/batch", "-o", "batch", *SMALL)
    yield Case("batch", (*words, "--reports"))
    yield Case("batch_again", words, ("batch",))
    yield Case("batch_status", ("status", "batch"), ("batch",))
    yield Case("batch_status_text", ("status", "batch", "--failed"), ("batch",), json=False)
    yield Case("batch_retry", ("retry", "batch", "--failed"), ("batch",))


def _texts() -> Iterator[Case]:
    yield Case("help", ("--help",), json=False)
    for command in COMMANDS:
        yield Case(f"help_{command}", (command, "--help"), json=False)
    yield Case("documents", ("documents",))
    yield Case("documents_one", ("documents", "jp-passport"), json=False)
    for name in BUNDLED:
        yield Case(f"inspect_{name}", ("inspect", name))
    yield Case("inspect_text", ("inspect", "studio_headshot"), json=False)
    yield Case("headshot_text", ("run", "studio_headshot", "-i", "photos/a1.jpg", "-o", "{out}", *SMALL), json=False)


def _refusals() -> Iterator[Case]:
    photo = ("-i", "photos/a1.jpg")
    yield Case("no_workflow", ("run", "studio_headshoot", *photo))
    yield Case("no_document", ("id", "photos/a1.jpg", "-d", "us-pasport", "-o", "{out}"))
    yield run("no_setting", "studio_headshot", *photo, "--set", "Backdrop.color=navy")
    yield run("wrong_value", "studio_headshot", *photo, "--set", "Backdrop.colour=plaid")
    yield run("no_server", "studio_headshot", *photo, "-s", "http://127.0.0.1:9")
    yield run("needs_server", "img2img_headshot_sd15", *photo)
    yield Case("no_option", ("run", "studio_headshot", "--nonsense"))
    yield Case("no_batch", ("status", "photos"))


def prepare_photos(folder: Path, faces: Path, photos: Path | None, portraits: Path | None) -> None:
    """Lay the photos out under fixed names: sources, folders of them, and damaged and awkward ones."""
    for name in ("person", "batch", "candidates", "strangers", "enroll"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise SystemExit("Install scikit-image, which has the photo of the astronaut.")
    with Image.open(Path(found.origin).parent / "data" / "astronaut.png") as picture:
        astronaut = picture.convert("RGB")
    astronaut.save(folder / "astronaut.png")
    for name, source in {"a1": "obama", "a2": "obama2", "a3": "obama3", "b1": "biden"}.items():
        shutil.copyfile(faces / f"{source}.jpg", folder / f"{name}.jpg")
    for number, path in enumerate(sorted(photos.glob("person[01]_[01].jpg")) if photos else []):
        shutil.copyfile(path, folder / f"synthetic{number}.jpg")
    for number, path in enumerate(sorted(portraits.glob("*.jpg"))[:3] if portraits else []):
        shutil.copyfile(path, folder / f"portrait{number}.jpg")
    with Image.open(folder / "b1.jpg") as picture:
        other = ImageOps.fit(picture.convert("RGB"), (512, 512), centering=(0.5, 0.2))
    both = Image.new("RGB", (1024, 512))
    both.paste(astronaut, (0, 0))
    both.paste(other, (512, 0))
    both.save(folder / "two.png")
    Image.fromarray(np.fromfunction(lambda y, x, _: (x + y) % 256, (400, 300, 3)).astype(np.uint8)).save(
        folder / "nobody.png"
    )
    (folder / "damaged.jpg").write_bytes((folder / "a1.jpg").read_bytes()[:20_000])
    for name, members in {
        "person": ["a2.jpg", "a3.jpg"],
        "batch": ["a1.jpg", "astronaut.png", "damaged.jpg", "two.png"],
        "candidates": ["a2.jpg", "b1.jpg", "astronaut.png"],
        "strangers": ["b1.jpg", "astronaut.png"],
        "enroll": ["a1.jpg", "a2.jpg", "a3.jpg", "two.png", "nobody.png"],
    }.items():
        for member in members:
            shutil.copyfile(folder / member, folder / name / member)
