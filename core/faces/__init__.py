"""Faces: detectors and recognisers, which face is meant, dense landmarks, and the way a face looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .annotate import GOOD_COLOUR, contact_sheet
    from .choose import Outcome, Subject, choose_face, detect_faces, find_subject, find_subjects, steady_landmarks
    from .dlib_engine import Fusion, YuNetDlib
    from .engines import FaceEngine, YuNetSFace, engine_of, load_engine
    from .face import ARCFACE_TEMPLATE, Face, align
    from .insightface_engine import InsightFaceEngine
    from .mesh import CHIN, LOWER_LIP_OUTSIDE, MOUTH_CORNERS, OVAL, PAIRS, UPPER_LIP, Chin, Eye, FaceMesh, find_mesh
    from .pose import EYES_APART, NEUTRAL_PITCH, NOSE_DEPTH, NOSE_DOWN, Pose, pose_from_mesh, pose_from_points
    from .yunet_sface import INPUT, Letterbox, decode, suppress

__getattr__ = lazy(
    __name__,
    {
        ".annotate": "contact_sheet GOOD_COLOUR",
        ".choose": "choose_face detect_faces find_subject find_subjects Outcome steady_landmarks Subject",
        ".dlib_engine": "Fusion YuNetDlib",
        ".engines": "engine_of FaceEngine load_engine YuNetSFace",
        ".face": "align ARCFACE_TEMPLATE Face",
        ".insightface_engine": "InsightFaceEngine",
        ".mesh": "CHIN Chin Eye FaceMesh find_mesh LOWER_LIP_OUTSIDE MOUTH_CORNERS OVAL PAIRS UPPER_LIP",
        ".pose": "EYES_APART NEUTRAL_PITCH NOSE_DEPTH NOSE_DOWN Pose pose_from_mesh pose_from_points",
        ".yunet_sface": "decode INPUT Letterbox suppress",
    },
)
