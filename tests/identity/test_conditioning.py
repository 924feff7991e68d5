"""The judge must not be the recogniser that the generator was steered by."""

import pytest

from likeness_studio.nodes.identity.conditioning import independence_warnings


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
