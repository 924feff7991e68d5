"""Mattes of peers, made in an environment of their own for matting.py: `--export FOLDER` there, this, `--peers FOLDER`.

    PYTHON matting_peers.py FOLDER [--rembg] [--mediapipe] [--hivision CHECKOUT MODNET.onnx] [--isnet FILE]

Reads FOLDER/pictures/*.png and writes FOLDER/PEER/*.png beside seconds.json, processor seconds for each picture. Every
peer's own code runs, with its own sizes and clean-up. Needs numpy, Pillow, onnxruntime and the peers.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
from PIL import Image

Matte = Callable[[np.ndarray], np.ndarray]
"""A picture [H,W,3] uint8 to a matte [H,W] uint8."""


def rembg_peer(name: str) -> Matte:
    """rembg's session with its own sizes and normalisation."""
    from rembg import new_session, remove

    session = new_session(name)
    return lambda picture: np.asarray(remove(Image.fromarray(picture), session=session, only_mask=True).convert("L"))


def mediapipe_peer() -> Matte:
    """MediaPipe's selfie segmentation, the general model."""
    import mediapipe

    selfie = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
    return lambda picture: (selfie.process(picture).segmentation_mask * 255).clip(0, 255).astype(np.uint8)


def hivision_peer(checkout: str, weights: str) -> Matte:
    """HivisionIDPhotos' matting by MODNet (photographic portrait matting), in its own code."""
    sys.modules["gradio"] = MagicMock()  # a filter that is off draws a demo page of its own when it is imported
    sys.path.insert(0, checkout)
    from hivision.creator import human_matting

    human_matting.WEIGHTS["modnet_photographic_portrait_matting"] = weights

    def cut(picture: np.ndarray) -> np.ndarray:
        context = SimpleNamespace(processing_image=picture[:, :, ::-1].copy(), matting_image=None)
        human_matting.extract_human_modnet_photographic_portrait_matting(context)
        return np.asarray(context.matting_image)[:, :, 3]

    return cut


def isnet_peer(weights: str) -> Matte:
    """IS-Net at 1024 x 1024, in the form in which @imgly/background-removal feeds it."""
    import onnxruntime

    session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    kind = np.float16 if "float16" in given.type else np.float32

    def cut(picture: np.ndarray) -> np.ndarray:
        small = Image.fromarray(picture).resize((1024, 1024), Image.Resampling.BILINEAR)
        feed = ((np.asarray(small, np.float32) - 128) / 256).transpose(2, 0, 1)[None].astype(kind)
        found = np.asarray(session.run(None, {given.name: feed})[0], np.float32)[0, 0]
        matte = Image.fromarray((found * 255).clip(0, 255).astype(np.uint8))
        return np.asarray(matte.resize((picture.shape[1], picture.shape[0]), Image.Resampling.BILINEAR))

    return cut


def main() -> None:
    """Make every peer's mattes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rembg", nargs="*", metavar="MODEL", help="names of rembg's models")
    parser.add_argument("--mediapipe", action="store_true")
    parser.add_argument("--hivision", nargs=2, metavar=("CHECKOUT", "MODNET"))
    parser.add_argument("--isnet", help="an IS-Net ONNX file")
    args = parser.parse_args()
    peers: dict[str, Matte] = {f"rembg {name}": rembg_peer(name) for name in args.rembg or ()}
    if args.mediapipe:
        peers["MediaPipe selfie"] = mediapipe_peer()
    if args.hivision:
        peers["HivisionIDPhotos MODNet"] = hivision_peer(*args.hivision)
    if args.isnet:
        peers["IS-Net (imgly)"] = isnet_peer(args.isnet)
    pictures = sorted((args.folder / "pictures").glob("*.png"))
    for name, cut in peers.items():
        folder, seconds = args.folder / name, {}
        folder.mkdir(exist_ok=True)
        for path in pictures:
            picture = np.asarray(Image.open(path).convert("RGB"))
            start = time.process_time()
            matte = cut(picture)
            seconds[path.stem] = time.process_time() - start
            Image.fromarray(matte).save(folder / path.name)
        (folder / "seconds.json").write_text(json.dumps(seconds))
        print(name, len(pictures), flush=True)


if __name__ == "__main__":
    main()
