"""Traits to keep: nothing guessed, the user's word first, phrases that work as tags and inside sentences."""

import json
import re

import pytest

from likeness_studio.core.prompting import FIELDS, NOT_SAID, Description, keep_traits, kinds
from likeness_studio.core.prompting.read_caption import read_caption
from likeness_studio.nodes.prompting import KeepTraits

EVERY = [(kind.name, choice.name) for kind in kinds().values() for choice in kind.choices.values()]


def _described(**fields):
    return Description(fields, sources=dict.fromkeys(fields, "caption"))


def test_nothing_said_is_nothing_kept():
    kept = keep_traits(dict.fromkeys(kinds(), NOT_SAID))
    assert (kept.traits, kept.avoid) == ("", "")
    assert kept.report["not_said"] == list(kinds())
    assert kept.report["traits"] == []


def test_the_example_of_the_help_page():
    kept = keep_traits({"glasses": "thin frame", "facial_hair": "short beard", "facial_hair_colour": "grey"})
    assert kept.traits == "wearing glasses with a thin frame, short grey beard"
    assert keep_traits({"glasses": "no glasses"}).avoid == "glasses, sunglasses"
    assert keep_traits({"glasses": "no glasses"}).traits == ""


@pytest.mark.parametrize(("kind", "answer"), EVERY, ids=[f"{kind}={answer}" for kind, answer in EVERY])
def test_every_answer_says_something_and_contradicts_nothing(kind, answer):
    kept = keep_traits({kind: answer})
    if kind == "facial_hair_colour":
        assert kept.traits == ""
        assert "left out" in kept.report["notes"][0]
        return
    assert kept.traits or kept.avoid
    assert not re.search(r"\b(wo)?m[ae]n\b|\bmale\b|\bfemale\b|\bhis\b|\bher\b", kept.traits)
    for term in filter(None, kept.avoid.split(", ")):
        assert not re.search(rf"\b{re.escape(term)}\b", kept.traits)
    assert "not avoided" not in " ".join(kept.report["notes"])
    for other in kinds()[kind].choices[answer].excludes:
        assert other in kinds()


def test_hair_is_one_phrase():
    said = {"hair": "short", "hair_texture": "curly", "hair_colour": "salt-and-pepper"}
    assert keep_traits(said).traits == "short curly salt-and-pepper hair"
    assert keep_traits({"hair_colour": "dark brown"}).traits == "dark brown hair"
    assert keep_traits({"hair": "bald"}).traits == "bald head"


def test_a_description_fills_only_what_is_not_said():
    description = _described(glasses="wearing round glasses", hair="long hair", hair_colour="brown hair", attire="suit")
    kept = keep_traits({"hair_colour": "grey"}, description=description)
    assert kept.traits == "wearing round glasses, long grey hair"
    sources = {row["trait"]: row["source"] for row in kept.report["traits"]}
    assert sources == {"glasses": "caption", "hair": "caption", "hair_colour": "user"}
    assert any("'brown'" in note and "'grey' counts" in note for note in kept.report["notes"])


def test_the_user_overrules_glasses_of_the_description():
    kept = keep_traits({"glasses": "no glasses"}, description=_described(glasses="wearing glasses"))
    assert kept.traits == ""
    assert kept.avoid == "glasses, sunglasses"
    assert "the description says 'wearing glasses'" in kept.report["notes"][0]


def test_no_glasses_of_a_description_is_avoided():
    kept = keep_traits({}, description=_described(glasses="no glasses"))
    assert (kept.traits, kept.avoid) == ("", "glasses, sunglasses")


def test_bald_and_hair_do_not_go_together():
    both = keep_traits({"hair": "bald", "hair_colour": "brown", "hair_texture": "wavy"})
    assert both.traits == "bald head"
    assert len(both.report["notes"]) == 2
    of_description = keep_traits({"hair_colour": "grey"}, description=_described(hair="bald head"))
    assert of_description.traits == "grey hair"
    assert "does not go with" in of_description.report["notes"][0]
    of_user = keep_traits({"hair": "bald"}, description=_described(hair_colour="brown hair"))
    assert of_user.traits == "bald head"


def test_a_hijab_covers_the_hair():
    kept = keep_traits({"head_covering": "hijab", "hair": "long"})
    assert kept.traits == "wearing a hijab"
    assert "Hair 'long' does not go with head covering 'hijab'" in kept.report["notes"][0]


def test_clean_shaven_has_no_colour():
    kept = keep_traits({"facial_hair": "clean-shaven", "facial_hair_colour": "grey"})
    assert kept.traits == "clean-shaven"


def test_the_colour_of_a_described_beard_is_replaced():
    kept = keep_traits({"facial_hair_colour": "white"}, description=_described(facial_hair="full grey beard"))
    assert kept.traits == "full white beard"
    both = keep_traits({"facial_hair_colour": "grey"}, description=_described(facial_hair="short beard and moustache"))
    assert both.traits == "short grey beard and moustache"


def test_free_text_is_kept_once_and_not_avoided():
    kept = keep_traits({"glasses": "no glasses"}, "  round   glasses,\nmole on the left cheek;Round glasses, ,")
    assert kept.traits == "round glasses, mole on the left cheek"
    assert "glasses" not in kept.avoid.split(", ")
    assert any("'glasses' is asked for" in note for note in kept.report["notes"])


def test_a_weight_of_free_text_is_not_cut_apart():
    kept = keep_traits({}, "(freckles, mole:1.2); dimples")
    assert kept.report["more"] == ["(freckles, mole:1.2)", "dimples"]


def test_what_captions_say_can_be_kept():
    caption = "A man with a short grey beard and short curly hair wearing thin wire-rimmed glasses and a black turban."
    description = _described(**read_caption([caption]))
    kept = keep_traits({"head_covering": "no head covering"}, description=description)
    assert kept.traits == "wearing thin wire-rimmed glasses, short grey beard, short curly hair"
    assert set(kinds()) - {"facial_hair_colour", "age_group"} <= set(FIELDS)


def test_the_node_gives_words_avoid_and_report():
    output = KeepTraits.execute(more="gap between the front teeth", glasses="rimless", hair=NOT_SAID)
    assert output[0] == "wearing rimless glasses, gap between the front teeth"
    assert output[1] == "sunglasses"
    report = json.loads(output[2])
    assert report["traits"] == [{"trait": "glasses", "value": "wearing rimless glasses", "source": "user"}]
    assert report["more"] == ["gap between the front teeth"]
    assert output.ui["text"][0].startswith("Keep: wearing rimless glasses")


def test_every_widget_begins_unsaid():
    widgets = {socket.id: socket.options for socket in KeepTraits.GET_SCHEMA().inputs if "options" in socket.options}
    assert list(widgets) == list(kinds())
    for options in widgets.values():
        assert options["options"][0] == options["default"] == NOT_SAID
