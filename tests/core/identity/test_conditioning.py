"""The judge must not be the recogniser that the generator was steered by."""

import pytest

from likeness_studio.core.identity import independence_warnings, restored_warnings


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
