"""The judge must not be the recogniser that the generator was steered by."""

import pytest

from likeness_studio.core.choices import STRICTNESS
from likeness_studio.core.identity import independence_warnings, restored_warnings
from likeness_studio.core.identity.calibration import calibration_of
from likeness_studio.core.identity.independence import (
    OWN_PIXELS,
    compared_with_itself,
    loaded_people,
    loose_threshold,
    own_pixels,
)
from likeness_studio.core.identity.verdict import Gate


@pytest.mark.parametrize(
    "class_type", ["ApplyInstantID", "ApplyPulidFlux", "IPAdapterFaceID", "ReActorFaceSwap", "PhotoMakerEncodePlus"]
)
def test_a_steering_node_is_recognised(class_type):
    graph = {"3": {"class_type": "KSampler"}, "7": {"class_type": class_type}}
    (warning,) = independence_warnings("insightface/buffalo_l", graph)
    assert warning.startswith("Node 7 ")
    assert independence_warnings("yunet-sface", graph) == []


def test_a_graph_without_steering_gives_no_warning():
    assert independence_warnings("insightface/buffalo_l", {"1": {"class_type": "KSampler"}}) == []
    assert independence_warnings("insightface/buffalo_l", None) == []


PASTED = {
    "1": {"class_type": "VAEDecode", "inputs": {}},
    "2": {"class_type": "LikenessRestoreFace", "inputs": {"original": ["9", 0], "generated": ["1", 0]}},
    "3": {"class_type": "ImageScale", "inputs": {"image": ["2", 0]}},
    "4": {"class_type": "LikenessGate", "inputs": {"images": ["3", 0]}},
    "5": {"class_type": "LikenessCheckLikeness", "inputs": {"images": ["1", 0]}},
}


@pytest.mark.parametrize(("judge", "warned"), [("4", True), ("5", False), (None, True), ("4.0.7", True)])
def test_a_face_that_was_pasted_before_the_judgement_is_said(judge, warned):
    """Where it is not known which node judges, one warning too many is better than none."""
    warnings = restored_warnings(PASTED, judge)
    assert bool(warnings) is warned
    assert all(text.startswith("Node 2 (Restore Face) put the photo's own face") for text in warnings)


def test_no_graph_has_no_pasted_face():
    assert restored_warnings(None, "4") == []
    assert restored_warnings({"4": PASTED["5"]}, "4") == []


PHOTO = {"class_type": "LoadImage", "inputs": {"image": "a.jpg"}}
CUT = {"class_type": "ImageCrop", "inputs": {"image": ["1", 0]}}
FOREIGN_LOADER = {"class_type": "LoadManyImages (pack)", "inputs": {"folder": "x"}}
FOREIGN = {"class_type": "Beautify (pack)", "inputs": {"image": ["1", 0]}}
DECODED = {"class_type": "VAEDecode", "inputs": {"samples": ["20", 0], "vae": ["20", 2]}}
SAMPLED = {"class_type": "KSampler", "inputs": {}}


def judged(images, photos, **nodes):
    """A graph in which node 9 compares `images` with the person enrolled from `photos`."""
    enroll = {"class_type": "LikenessEnrollIdentity", "inputs": {"photos": photos}}
    check = {"class_type": "LikenessCheckLikeness", "inputs": {"images": images, "identity": ["8", 0]}}
    return {"1": PHOTO, "20": SAMPLED, "8": enroll, "9": check} | {name[1:]: node for name, node in nodes.items()}


@pytest.mark.parametrize(
    ("graph", "warned"),
    [
        (judged(["2", 0], ["1", 0], n2=DECODED), False),
        (judged(["2", 0], ["3", 0], n2=DECODED, n3=CUT), False),
        (judged(["2", 0], ["4", 0], n2=DECODED, n4=FOREIGN_LOADER), False),
        (judged(["2", 0], ["2", 0], n2=DECODED), True),
        (judged(["1", 0], ["1", 0]), True),
        (judged(["2", 0], ["3", 0], n2=DECODED, n3={"class_type": "ImageScale", "inputs": {"image": ["2", 0]}}), True),
        (judged(["2", 0], ["5", 0], n2=DECODED, n5=FOREIGN), True),
    ],
)
def test_a_person_enrolled_from_what_the_graph_made_is_said(graph, warned):
    found = compared_with_itself(graph, "9")
    assert bool(found) is warned, found
    assert all("node" in text.lower() for text in found)
    assert compared_with_itself(graph, None) == compared_with_itself(None, "9") == []


def test_a_second_socket_of_photos_counts_too():
    graph = judged(["2", 0], ["1", 0], n2=DECODED)
    graph["8"]["inputs"] = {"photos": ["1", 0], "photos_2": ["2", 0]}
    assert "compared with themselves" in compared_with_itself(graph, "9")[0]
    del graph["8"]["inputs"]["photos_2"]


@pytest.mark.parametrize("engine", ["yunet-sface", "insightface/buffalo_l"])
def test_a_typed_threshold_below_the_measured_ones_is_said(engine):
    lowest = min(calibration_of(engine).point(fmr).threshold for fmr in STRICTNESS.values())
    assert loose_threshold(engine, Gate.custom(lowest)) == []
    assert loose_threshold(engine, Gate.measured(calibration_of(engine), max(STRICTNESS.values()))) == []
    (said,) = loose_threshold(engine, Gate.custom(lowest - 0.05))
    assert said.endswith("strangers pass it.")


def test_a_saved_person_is_said_by_name():
    graph = judged(["1", 0], ["1", 0])
    graph["8"] = {"class_type": "LikenessLoadIdentity", "inputs": {"filename": "ann.safetensors"}}
    (said,) = loaded_people(graph, "9")
    assert "'ann.safetensors'" in said
    assert compared_with_itself(graph, "9") == []


def test_what_was_not_generated_is_expected_to_be_alike():
    compose = {"class_type": "LikenessComposePortrait", "inputs": {"foreground": ["1", 0]}}
    assert own_pixels(judged(["2", 0], ["1", 0], n2=compose), "9") == [OWN_PIXELS]
    for made in (DECODED, FOREIGN):
        assert own_pixels(judged(["2", 0], ["1", 0], n2=made), "9") == []
    assert own_pixels(None, None) == []
