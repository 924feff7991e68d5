"""Fetch the portraits that the identity tests compare: several real photos of one person, and one of another.

They are official White House portraits, shipped in the source package of face_recognition 1.3.0 on the package
index. Nothing of that package is installed; each photo is checked by sha256 and kept in the per-user cache.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import platformdirs

PACKAGE = "face_recognition==1.3.0"
INSIDE = "face_recognition-1.3.0/tests/test_images"
PHOTOS = {
    "obama.jpg": "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
    "obama2.jpg": "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
    "obama3.jpg": "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
    "biden.jpg": "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
}


def folder() -> Path:
    """Where the photos are kept: LIKENESS_TEST_PHOTOS or the per-user cache."""
    override = os.environ.get("LIKENESS_TEST_PHOTOS")
    return Path(override) if override else Path(platformdirs.user_cache_dir("likeness-studio")) / "test-photos"


def missing() -> list[str]:
    """Photos that are not there, or are not what they should be."""
    found = folder()
    return [
        name
        for name, digest in PHOTOS.items()
        if not (found / name).is_file() or hashlib.sha256((found / name).read_bytes()).hexdigest() != digest
    ]


def fetch() -> Path:
    """Make sure that every photo is there; return the folder."""
    target = folder()
    if not missing():
        return target
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temp:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, "--dest", temp, PACKAGE], check=True)
        with tarfile.open(next(Path(temp).glob("*.tar.gz"))) as archive:
            for name in PHOTOS:
                member = archive.extractfile(f"{INSIDE}/{name}")
                if member is not None:
                    (target / name).write_bytes(member.read())
    if wrong := missing():
        raise SystemExit(f"The test photos {', '.join(wrong)} are missing or damaged after the download; try again.")
    return target


if __name__ == "__main__":
    print(f"Test photos: {fetch()}")
