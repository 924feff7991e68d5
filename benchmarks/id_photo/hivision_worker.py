"""HivisionIDPhotos as a process that makes ID photos on demand: started by speed.py with the Python of its own venv.

    PYTHON hivision_worker.py CHECKOUT U2NET.onnx

Its own matting weights are no part of its repository, so u2net takes their place in its `matting_handler`, the hook
that it has for that; everything else is its own code, in the order of its inference.py: ID photo with face alignment,
background, file with DPI. Reads lines of JSON (photo, out, height, width) and answers each with the seconds it took.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from unittest.mock import MagicMock

sys.modules["gradio"] = MagicMock()  # a filter that is off draws a demo page of its own when it is imported
sys.path.insert(0, sys.argv[1])

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from hivision import IDCreator  # noqa: E402
from hivision.utils import add_background, save_image_dpi_to_bytes  # noqa: E402

MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def plugged(session: onnxruntime.InferenceSession):
    """A matting handler with u2net, in the form of those that HivisionIDPhotos has."""

    def handler(ctx) -> None:
        picture = ctx.processing_image
        small = cv2.resize(picture, (320, 320), interpolation=cv2.INTER_AREA)[:, :, ::-1].astype(np.float32)
        feed = ((small / max(small.max(), 1e-6) - MEAN) / STD).transpose(2, 0, 1)[None]
        found = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: feed})
        alpha = np.asarray(found[0])[0, 0]
        alpha = cv2.resize((alpha.clip(0, 1) * 255).astype(np.uint8), (picture.shape[1], picture.shape[0]))
        ctx.processing_image = cv2.merge((*cv2.split(picture), alpha))
        ctx.matting_image = ctx.processing_image.copy()

    return handler


def make(creator: IDCreator, job: dict) -> float:
    """One photo from its file to the finished file; seconds."""
    began = time.perf_counter()
    result = creator(cv2.imread(job["photo"]), size=(job["height"], job["width"]), face_alignment=True)
    picture = add_background(result.standard, bgr=(255, 255, 255))
    save_image_dpi_to_bytes(picture.astype(np.uint8)[:, :, ::-1], job["out"], dpi=300)
    return time.perf_counter() - began


def main() -> None:
    """Answer until the input ends."""
    creator = IDCreator()
    creator.matting_handler = plugged(onnxruntime.InferenceSession(sys.argv[2], providers=["CPUExecutionProvider"]))
    for line in sys.stdin:
        with contextlib.redirect_stdout(io.StringIO()):
            seconds = make(creator, json.loads(line))
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
