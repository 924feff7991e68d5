"""What a graph tells of a picture's making: which steps generate, which are unknown, and what IPTC calls the result."""

import pytest

from likeness_studio.core import host
from likeness_studio.core.errors.formats import GenerationFound
from likeness_studio.core.node_facts import Effect, facts_of
from likeness_studio.core.provenance import SILENT, UNKNOWN, Generative, Origin, effect, this_run
from likeness_studio.core.provenance import source_types as iptc
from likeness_studio.core.provenance.trace import trace
from likeness_studio.nodes.extension import node_classes
from likeness_studio.runner.backends import CORE_NODES

CAPTURE = iptc.VOCABULARY + "digitalCapture"
CAPTURED = Origin(Generative.NONE, CAPTURE)
MADE = Origin(Generative.SOME, iptc.GENERATED, "it says that it was generated (trainedAlgorithmicMedia)")
OPEN = Origin(Generative.UNKNOWN, None, "its XMP cannot be read")


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


PHOTO = node("LoadImage", image="me.jpg")
CROP = {"1": PHOTO, "2": node("ImageCrop", image=["1", 0], width=9), "9": node("SaveImage", images=["2", 0])}
COMPOSED = {
    "1": PHOTO,
    "2": node("LikenessMattePerson", image=["1", 0], model="u2net"),
    "3": node("LikenessStudioBackdrop", size_like=["1", 0]),
    "4": node("LikenessComposePortrait", foreground=["1", 0], mask=["2", 0], backdrop=["3", 0]),
    "9": node("SaveImage", images=["4", 0]),
}
IMG2IMG = {
    "1": PHOTO,
    "2": node("VAEEncode", pixels=["1", 0], vae=["5", 2]),
    "3": node("KSampler", model=["5", 0], positive=["6", 0], negative=["6", 0], latent_image=["2", 0]),
    "4": node("VAEDecode", samples=["3", 0], vae=["5", 2]),
    "5": node("CheckpointLoaderSimple", ckpt_name="a.safetensors"),
    "6": node("CLIPTextEncode", clip=["5", 1], text="x"),
    "9": node("SaveImage", images=["4", 0]),
}


def looking(origin):
    return lambda _: origin


@pytest.mark.parametrize("node_class", [*node_classes(), *CORE_NODES], ids=lambda each: each.GET_SCHEMA().node_id)
def test_every_node_of_the_pack_and_every_carried_one_is_on_the_list(node_class):
    assert facts_of(node_class.GET_SCHEMA().node_id) is not None, "give it FACTS, or core's node a row in node_facts.py"


def test_outputs_with_a_picture_are_those_of_the_nodes():
    for node_class in node_classes():
        schema = node_class.GET_SCHEMA()
        facts = facts_of(schema.node_id)
        if facts is None or facts.pictures is None:
            continue
        pictures = tuple(slot for slot, socket in enumerate(schema.outputs) if socket.io_type == "IMAGE")
        assert facts.pictures == pictures


@pytest.mark.parametrize(
    ("graph", "origin", "generative", "source_type"),
    [
        (CROP, SILENT, Generative.NONE, None),
        (CROP, CAPTURED, Generative.NONE, CAPTURE),
        (CROP, MADE, Generative.SOME, iptc.GENERATED),
        (CROP, OPEN, Generative.UNKNOWN, None),
        (COMPOSED, SILENT, Generative.NONE, iptc.COMPOSITE),
        (COMPOSED, CAPTURED, Generative.NONE, iptc.COMPOSITE),
        (COMPOSED, MADE, Generative.SOME, iptc.COMPOSITE_SYNTHETIC),
        (IMG2IMG, SILENT, Generative.SOME, iptc.EDITED_BY_GENERATION),
        (IMG2IMG, CAPTURED, Generative.SOME, iptc.EDITED_BY_GENERATION),
    ],
)
def test_what_a_graph_tells(graph, origin, generative, source_type):
    making = trace(graph, ["9"], looking(origin))
    assert (making.generative, making.source_type) == (generative, source_type)
    assert bool(making.reasons) == (generative is not Generative.NONE)


def test_a_picture_from_words_alone_is_generated():
    graph = IMG2IMG | {"2": node("EmptyLatentImage", width=64)}
    assert trace(graph, ["9"], looking(SILENT)).source_type == iptc.GENERATED


def test_a_photo_that_only_steers_is_not_edited():
    graph = IMG2IMG | {"2": node("EmptyLatentImage"), "6": node("ApplySomething", image=["1", 0])}
    making = trace(graph, ["9"], looking(SILENT))
    assert making.source_type == iptc.GENERATED
    assert {step.name: step.seen for step in making.steps}["LoadImage"] is False


def test_an_adjusted_photo_is_algorithmically_altered():
    graph = CROP | {"2": node("ImageSharpen", image=["1", 0])}
    assert trace(graph, ["9"], looking(CAPTURED)).source_type == iptc.ENHANCED


def test_a_drawn_picture_is_made_by_an_algorithm():
    graph = {"1": node("EmptyImage"), "9": node("SaveImage", images=["1", 0])}
    assert trace(graph, ["9"], looking(SILENT)).source_type == iptc.ALGORITHMIC


def test_an_unknown_node_lets_nothing_be_claimed():
    graph = CROP | {"2": node("SomebodysBeautifier", image=["1", 0])}
    making = trace(graph, ["9"], looking(SILENT))
    assert (making.generative, making.source_type) == (Generative.UNKNOWN, None)
    assert making.reasons == ("what SomebodysBeautifier (node 2) does is not known",)
    with pytest.raises(
        GenerationFound,
        match=r"^The file cannot state .*: what SomebodysBeautifier \(node 2\) does is not "
        r"known; take that out of the workflow, .*\.$",
    ):
        making.refuse_generation()


def test_the_statement_is_refused_where_a_sampler_is_and_given_where_none_is():
    with pytest.raises(GenerationFound, match=r"KSampler \(node 3\)"):
        trace(IMG2IMG, ["9"], looking(SILENT)).refuse_generation()
    with pytest.raises(GenerationFound, match="it says that it was generated"):
        trace(CROP, ["9"], looking(MADE)).refuse_generation()
    trace(CROP, ["9"], looking(SILENT)).refuse_generation()


def test_only_what_the_picture_depends_on_counts():
    both = {**{f"a{key}": value for key, value in IMG2IMG.items()}, **CROP}
    assert trace(both, ["9"], looking(SILENT)).generative is Generative.NONE


def test_generation_counts_also_where_only_a_mask_was_made_of_it():
    graph = COMPOSED | IMG2IMG | {"9": COMPOSED["9"], "4": COMPOSED["4"], "3": COMPOSED["3"]}
    graph |= {"2": node("LikenessMattePerson", image=["7", 0]), "7": node("KSampler", latent_image=["8", 0])}
    assert trace(graph, ["9"], looking(SILENT)).generative is Generative.SOME


@pytest.mark.parametrize(
    ("made", "does"),
    [
        (node("LikenessSwapFace", enabled=True), Effect.GENERATES),
        (node("LikenessSwapFace", enabled=["5", 0]), Effect.GENERATES),
        (node("LikenessSwapFace", enabled=False), Effect.PASSES),
        (node("LikenessSwapFace"), Effect.PASSES),
        (node("LikenessRestoreFace"), Effect.COMBINES),
        (node("LikenessMakeIDPhoto", background="keep"), Effect.CUTS),
        (node("LikenessMakeIDPhoto", background="plain"), Effect.COMBINES),
        (node("ReActorFaceSwap"), Effect.GENERATES),
        (node("KSampler (Efficient)"), Effect.GENERATES),
        (node("VAEDecodeTiled"), Effect.GENERATES),
        (node("OpenAIGPTImage1"), Effect.GENERATES),
        (node("ImageUpscaleWithModel"), Effect.GENERATES),
        (node("ksampler"), Effect.GENERATES),
        (node("LoadImage "), Effect.UNKNOWN),
        (node("Restyle"), Effect.UNKNOWN),
        ({}, Effect.UNKNOWN),
    ],
)
def test_what_nodes_do(made, does):
    assert effect(made) is does


def test_a_judgement_beside_the_picture_is_no_composite():
    graph = {
        "1": PHOTO,
        "2": node("LikenessCheckLikeness", image=["1", 0]),
        "3": node("LikenessGate", image=["1", 0], passed=["2", 0]),
        "9": node("SaveImage", images=["3", 0]),
    }
    assert trace(graph, ["9"], looking(CAPTURED)).source_type == CAPTURE
    assert trace(graph | {"9": node("SaveImage", images=["2", 2])}, ["9"], looking(CAPTURED)).source_type == (
        iptc.COMPOSITE
    )


def test_two_photos_with_different_sources_have_none():
    graph = {"1": PHOTO, "2": node("LoadImage", image="b"), "3": node("ImageBatch", image1=["1", 0], image2=["2", 0])}
    origins = {"me.jpg": CAPTURED, "b": SILENT}
    making = trace(graph, ["3"], lambda each: origins[each["inputs"]["image"]])
    assert (making.generative, making.source_type) == (Generative.NONE, None)


def test_the_steps_come_in_the_order_of_work_from_the_last():
    names = [step.name for step in trace(COMPOSED, ["9"], looking(SILENT)).steps]
    assert (names[0], names[1], names[-1]) == ("SaveImage", "LikenessComposePortrait", "LoadImage")


def test_a_graph_with_a_ring_or_a_missing_node_ends():
    graph = {"1": node("ImageCrop", image=["2", 0]), "2": node("ImageCrop", image=["1", 0]), "3": node("X", a=["7", 0])}
    assert len(trace(graph, ["1", "3"], looking(SILENT)).steps) == 4


def test_nothing_is_claimed_outside_of_a_run(tmp_path):
    assert this_run() == UNKNOWN
    with host.use(host.LocalHost(tmp_path, tmp_path, tmp_path, graph=CROP)):
        assert this_run() == UNKNOWN
    with host.use(host.LocalHost(tmp_path, tmp_path, tmp_path, graph=CROP, node="77")):
        assert this_run() == UNKNOWN
    with host.use(host.LocalHost(tmp_path, tmp_path, tmp_path, graph=IMG2IMG, node="9")):
        assert this_run().generative is Generative.SOME


def test_what_a_link_names_and_the_graph_does_not_have_is_unknown():
    graph = {"2": node("ImageCrop", image=["7", 0], size=[512, 512]), "9": node("SaveImage", images=["2", 0])}
    making = trace(graph, ["9"], looking(SILENT))
    assert (making.generative, making.reasons) == (Generative.UNKNOWN, ("what (missing) (node 7) does is not known",))
    assert trace(graph | {"7": PHOTO}, ["9"], looking(SILENT)).generative is Generative.NONE


def test_a_node_that_only_resizes_for_a_generator_does_not_generate():
    graph = {"7": PHOTO, "9": {"class_type": "FluxKontextImageScale", "inputs": {"image": ["7", 0]}}}
    assert trace(graph, ["9"], looking(SILENT)).generative is Generative.NONE
