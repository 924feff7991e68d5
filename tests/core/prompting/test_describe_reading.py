"""Captions as captioning models write them, and what may be read out of them."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness_studio.core.prompting import CAPTION, FIELDS, MEASURED, Measured, describe
from likeness_studio.core.prompting.read_caption import read_caption, vocabulary

LONG = (
    "The image is a portrait of a middle-aged African American man with short, curly gray hair and a beard. He is "
    "wearing a dark blue suit jacket, a white collared shirt, and a red striped tie. He has a slight smile on his face "
    "and is looking directly at the camera. The background is blurred and appears to be an office with a bookshelf."
)
CAPTIONS = [
    (
        LONG,
        {
            "facial_hair": "beard",
            "hair": "short hair",
            "hair_texture": "curly hair",
            "hair_colour": "grey hair",
            "expression": "slight smile",
            "attire": "dark blue suit jacket, white collared shirt and red striped tie",
            "background": "blurred background, office and bookshelf in the background",
        },
    ),
    (
        "The image shows a young woman wearing black-rimmed glasses and a white lab coat. She has long brown hair and "
        "is smiling broadly. In the background, there is a plain gray wall.",
        {
            "glasses": "wearing black-rimmed glasses",
            "attire": "white lab coat",
            "hair": "long hair",
            "hair_colour": "brown hair",
            "expression": "broad smile",
            "background": "plain grey wall",
        },
    ),
    (
        "a man with no glasses wearing a black t - shirt and a chef ' s jacket",
        {"glasses": "no glasses", "attire": "black t-shirt and chef's jacket"},
    ),
    (
        "The background is blurred, but it appears to be an office with large windows.",
        {"background": "blurred background, office and large windows in the background"},
    ),
    ("a man wearing a suit and tie with glasses", {"attire": "suit and tie", "glasses": "wearing glasses"}),
    ("a close up of a man with a beard and a tie", {"facial_hair": "beard", "attire": "tie"}),
    (
        "a bald man without glasses, wearing a navy blue polo shirt, against a dark grey background",
        {
            "glasses": "no glasses",
            "hair": "bald head",
            "attire": "navy blue polo shirt",
            "background": "dark grey background",
        },
    ),
    (
        "a woman wearing a black hijab and a beige cardigan with a serious expression",
        {"head_covering": "wearing a black hijab", "attire": "beige cardigan", "expression": "serious expression"},
    ),
    (
        "An astronaut in an orange space suit holds a helmet. The background features an American flag.",
        {"attire": "orange space suit", "background": "american flag in the background"},
    ),
    (
        "a man wearing a turban and a long white beard is not smiling",
        {"head_covering": "wearing a turban", "facial_hair": "long white beard"},
    ),
    (
        "Their hair is short and black. They are standing in a library.",
        {"hair": "short hair", "hair_colour": "black hair", "background": "library in the background"},
    ),
    ("a blonde woman with her hair in a bun", {"hair": "tied-back hair", "hair_colour": "blond hair"}),
    (
        "a person with freckles, pearl earrings and a hearing aid, clean shaven, laughing",
        {
            "skin_details": "freckles",
            "jewellery": "wearing pearl earrings",
            "aids": "hearing aid",
            "facial_hair": "clean-shaven",
            "expression": "laughing",
        },
    ),
    ("a man at a table with wine glasses, another man behind him wearing a red hat", {}),
    ("two glasses of water stand on top of the table", {}),
    ("a woman with a man in the background", {}),
    ("", {}),
    ("[DEC] ! ### <loc_12> ぁ", {}),
]


@pytest.mark.parametrize(("caption", "fields"), CAPTIONS, ids=range(len(CAPTIONS)))
def test_captions(caption, fields):
    assert read_caption([caption]) == fields


def test_several_sentences_are_one_answer():
    said = ["a man in a suit", "the person is wearing a grey suit and a blue tie", "the background is blurry"]
    assert read_caption(said) == {"attire": "grey suit and blue tie", "background": "blurred background"}


@pytest.mark.parametrize(
    "sentence", ["She is wearing no glasses.", "He isn't wearing glasses", "a person without glasses"]
)
def test_a_denial_is_no_glasses(sentence):
    assert read_caption([sentence]) == {"glasses": "no glasses"}


def test_a_denial_ends_at_the_comma():
    fields = read_caption(["a man not smiling, wearing glasses and a hat"])
    assert fields == {"glasses": "wearing glasses", "head_covering": "wearing a hat"}


GENDER = ["man", "woman", "male", "female", "boy", "girl", "lady", "gentleman", "he", "she"]
ETHNICITY = ["asian", "african", "european", "hispanic", "caucasian", "latino", "indian", "arab"]
AGE = ["young", "old", "elderly", "middle-aged", "teenage", "senior"]


@pytest.mark.parametrize("who", [*GENDER, *ETHNICITY, *AGE])
def test_who_somebody_is_is_never_said(who):
    caption = f"a portrait of a {who} {who} person with brown hair in a blue suit standing in front of a wall, smiling"
    words = re.findall(r"[a-z-]+", " ".join(read_caption([caption]).values()))
    assert who not in words
    every = {word for noun in vocabulary().nouns.values() for words in noun for word in words}
    every |= {word for words in vocabulary().modifiers.values() for word in words}
    assert who not in every


WORDS = sorted({word for caption, _ in CAPTIONS for word in caption.split()} | set(GENDER) | set(ETHNICITY) | set(AGE))


@given(st.lists(st.sampled_from([*WORDS, ",", ".", "and", "no"]), max_size=40).map(" ".join) | st.text(max_size=80))
def test_nothing_but_the_vocabulary_is_read(caption):
    known = vocabulary()
    every = {word for nouns in known.nouns.values() for noun in nouns for word in noun}
    every |= {word for words in known.modifiers.values() for word in words}
    every |= {word for phrase in known.expression for word in phrase.split()}
    every |= {"a", "an", "and", "no", "wearing", "hair", "head", "bald", "shaved", "tied-back", "clean-shaven"}
    for name, phrase in read_caption([caption]).items():
        assert name in FIELDS
        if name != "background":
            assert set(re.findall(r"[^\s,]+", phrase)) <= every


def _measured(uniformity):
    words = {"pose": "facing the camera", "background": f"{uniformity} grey background", "sharpness": "sharp focus"}
    return Measured(
        words, {"background": {"uniformity": uniformity}, "pose": {"yaw_degrees": 1.0}, "light": {"stops": 1}}
    )


def test_a_measured_plain_background_counts_more_than_a_caption():
    for uniformity, source in (("plain", MEASURED), ("gradient", MEASURED), ("busy", CAPTION), ("blurred", CAPTION)):
        found = describe(_measured(uniformity), ["a person in front of a bookshelf"], "blip")
        assert found.sources["background"] == source
    assert found.fields["background"] == "bookshelf in the background"
    assert (found.sources["pose"], found.models) == (MEASURED, ["blip"])


def test_the_text_is_plain_sentences():
    text = describe(_measured("plain"), [LONG], "florence").text
    assert text == (
        "A person: short curly grey hair, beard, slight smile, dark blue suit jacket, white collared shirt and red "
        "striped tie, facing the camera. The picture: plain grey background, sharp focus."
    )
    assert describe(_measured("plain")).text == (
        "A person: facing the camera. The picture: plain grey background, sharp focus."
    )


def test_fields_as_json_name_their_source():
    found = json.loads(describe(_measured("plain"), ["a person with glasses"], "blip").to_json())
    assert found["fields"]["glasses"] == {"value": "wearing glasses", "source": "caption"}
    assert found["fields"]["pose"] == {
        "value": "facing the camera",
        "source": "measured",
        "numbers": {"yaw_degrees": 1.0},
    }
    assert found["fields"]["light"]["value"] is None
    assert found["caption"] == "a person with glasses"
    assert set(found["fields"]) <= set(FIELDS)
