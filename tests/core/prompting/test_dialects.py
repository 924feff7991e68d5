"""One meaning in four dialects; contradictions are found, resolved and said; what is unspecified is filled or kept."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from likeness_studio.core.errors import BadColour
from likeness_studio.core.prompting import (
    NAMES,
    SUITS_THE_ROLE,
    Brief,
    Dialect,
    Kind,
    Presets,
    Style,
    built_in,
    in_words,
    lines,
    negative,
    phrases,
    positive,
    resolve,
    segments,
    unweighted,
    with_article,
    write,
)

LAWYER = {
    Kind.ROLE: "lawyer",
    Kind.SETTING: "modern office",
    Kind.ATTIRE: "charcoal suit",
    Kind.LIGHT: "window",
    Kind.FRAMING: "head and shoulders, 85 mm",
    Kind.EXPRESSION: "slight smile",
}


@pytest.fixture
def say(presets):
    def write_it(choices, dialect, **fields):
        return positive(resolve(Brief(choices, **fields), dialect, presets), dialect)

    return write_it


def test_one_meaning_in_four_dialects(say):
    assert say(LAWYER, Dialect.TAGS).startswith(
        "professional portrait photo of a lawyer, (charcoal suit:1.1), white shirt, slight natural smile, "
    )
    assert say(LAWYER, Dialect.SENTENCES).startswith(
        "Professional head-and-shoulders portrait photograph of a lawyer wearing a tailored charcoal suit with a white "
        "shirt, with a slight, natural smile, looking into the camera. In a modern office"
    )
    assert "The person wears a tailored charcoal suit" in say(LAWYER, Dialect.PROSE)
    edit = say(LAWYER, Dialect.EDIT)
    assert "of the same person, a lawyer." in edit
    assert "Change the background to a modern office with glass partitions, softly out of focus." in edit
    assert "Relight the portrait with soft window light from one side." in edit


KEPT = {
    Kind.EXPRESSION: "the expression",
    Kind.ATTIRE: "the clothing",
    Kind.FRAMING: "the framing",
    Kind.SETTING: "the background",
}


@pytest.mark.parametrize("kind", KEPT)
def test_an_edit_keeps_what_it_does_not_change_and_only_that(say, kind):
    def keeping(choices):
        return next(part for part in say(choices, Dialect.EDIT).split(". ") if part.startswith("Keep the facial"))

    assert KEPT[kind] not in keeping({kind: LAWYER[kind]})
    for other, words in KEPT.items():
        assert (words in keeping({kind: LAWYER[kind]})) is (other is not kind)
    for always in ("facial features", "hair", "skin tone"):
        assert always in keeping(LAWYER)


def test_only_two_dialects_have_a_negative(presets):
    for dialect in Dialect:
        parts = resolve(Brief(LAWYER, avoid=("hat",)), dialect, presets)
        text, _ = negative(parts, dialect, presets.style.negative.get(dialect, ()))
        assert ("hat" in text) is dialect.has_negative
        assert ("hat" in positive(parts, dialect)) is not dialect.has_negative


@pytest.mark.parametrize("dialect", Dialect)
def test_what_the_prompt_asks_for_is_not_avoided(presets, dialect):
    brief = Brief(LAWYER, traits=("round glasses",), avoid_traits=("glasses", "beard"))
    prompt = write(brief, dialect, presets, None)
    assert "'glasses' is not avoided: the prompt asks for it." in prompt.notes
    where = prompt.negative if dialect.has_negative else prompt.positive
    assert "beard" in where
    assert "no glasses" not in prompt.positive
    assert "glasses" not in prompt.negative


CONTRADICTIONS = [
    ({Kind.SETTING: "garden", Kind.LIGHT: "window"}, "window light", "The light 'window' was left out: it says place"),
    ({Kind.SETTING: "library", Kind.LIGHT: "golden hour"}, "golden-hour", "The light 'golden hour' was left out"),
    ({Kind.SETTING: "seamless white", Kind.LIGHT: "low key"}, "low-key", "The light 'low key' was left out"),
    ({Kind.SETTING: "seamless navy", Kind.LIGHT: "high key"}, "high-key", "The light 'high key' was left out"),
    ({Kind.SETTING: "plain wall", Kind.FRAMING: "environmental, 35 mm"}, "environmental", "surroundings: plain"),
    ({Kind.FRAMING: "profile view, 105 mm", Kind.EXPRESSION: "direct look"}, "direct gaze", "gaze: aside"),
    (
        {Kind.FRAMING: "half length, 85 mm", Kind.EXPRESSION: "thoughtful, looking away"},
        "into the camera",
        "'looking into the camera' was left out",
    ),
]


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(("choices", "gone", "note"), CONTRADICTIONS)
def test_a_contradiction_is_resolved_and_said(presets, dialect, choices, gone, note):
    prompt = write(Brief(choices), dialect, presets, None)
    assert gone not in prompt.positive.lower()
    assert any(note in each for each in prompt.notes)


def test_what_suits_the_role(presets):
    brief = Brief({Kind.ROLE: "nurse", Kind.SETTING: SUITS_THE_ROLE, Kind.ATTIRE: SUITS_THE_ROLE})
    parts = resolve(brief, Dialect.PROSE, presets)
    assert parts.used == {"role": "nurse", "setting": "hospital corridor", "attire": "medical scrubs"}
    without = resolve(Brief({Kind.ATTIRE: SUITS_THE_ROLE}), Dialect.PROSE, presets)
    assert without.notes == ("The attire is not specified: no role is chosen.",)
    assert without.attire == ""


def test_variation_is_seeded_and_changes_words_not_meaning(presets):
    said = [write(Brief(LAWYER, variation=number), Dialect.PROSE, presets, None) for number in (*range(40), *range(40))]
    assert [each.positive for each in said[:40]] == [each.positive for each in said[40:]]
    assert len({each.positive for each in said}) > 10
    assert {tuple(each.parts.used.items()) for each in said} == {tuple(said[0].parts.used.items())}
    for kind, name in LAWYER.items():
        first = presets.get(kind, name).wordings[Dialect.PROSE][0]
        assert first in said[0].positive


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("person", "of a lawyer,"),
        ("sks woman", "of a sks woman, a lawyer,"),
        ("a nbl person in a garden", "of a nbl person in a garden, a lawyer,"),
        ("old friend", "of an old friend, a lawyer,"),
        ("Maria Jones", "of Maria Jones, a lawyer,"),
        ("", "of a lawyer,"),
        (" , ", "of a lawyer,"),
        ("A person", "of a lawyer,"),
    ],
)
def test_the_subject(say, subject, said):
    assert said in say(LAWYER, Dialect.PROSE, subject=subject)


def test_traits_and_additions(say):
    traits, additions = ("wearing round glasses", "grey beard"), ("hands folded on the table",)
    tags = say(LAWYER, Dialect.TAGS, traits=traits, additions=additions)
    assert "(wearing round glasses:1.2), (grey beard:1.2)" in tags
    assert ", hands folded on the table, " in tags
    prose = say(LAWYER, Dialect.PROSE, traits=traits, additions=additions)
    assert "Recognisable features: round glasses, grey beard." in prose
    assert " Hands folded on the table. " in prose
    assert "Keep these features of the person: round glasses, grey beard." in say(LAWYER, Dialect.EDIT, traits=traits)


def test_a_description_fills_what_is_unspecified_and_nothing_else(say, presets):
    described = {
        "attire": "dark suit",
        "expression": "broad smile",
        "setting": "plain light grey background",
        "light": "even light on the face, overexposed face",
        "framing": "head and shoulders",
        "pose": "head turned slightly to the left",
    }
    said = say({}, Dialect.PROSE, described=described)
    assert said.startswith(
        "A professional head-and-shoulders portrait photograph of a person, taken against a plain light grey "
        "background. The person wears a dark suit and has a broad smile, with the head turned slightly to the left. "
        "The portrait is lit with even light on the face."
    )
    chosen = say(LAWYER, Dialect.PROSE, described=described)
    assert "dark suit" not in chosen
    assert "broad smile" not in chosen
    assert "grey background" not in chosen
    assert "overexposed" not in said
    smiling = say({}, Dialect.SENTENCES, described={"expression": "smiling", "attire": "blue scrubs"})
    assert smiling.startswith("Professional portrait photograph of a person wearing blue scrubs, smiling.")
    office = say({}, Dialect.SENTENCES, described={"setting": "office with shelves"})
    assert "With an office with shelves in the background." in office
    parts = resolve(Brief({}, described=described), Dialect.EDIT, presets)
    assert "the background" in positive(parts, Dialect.EDIT)
    assert "The description is not used" in parts.notes[0]


def test_the_brand_colour_is_said_in_words(presets):
    brand = {Kind.SETTING: "brand colour"}
    for colour, words in (("#12494f", "deep teal"), ("dark green", "dark green"), ("", "deep teal")):
        parts = resolve(Brief(brand, colour=colour), Dialect.EDIT, presets)
        assert f"backdrop in {words}." in positive(parts, Dialect.EDIT)
    unused = resolve(Brief(LAWYER, colour="red"), Dialect.EDIT, presets)
    assert unused.notes == ("The colour 'red' is not used: the setting has no place for one.",)
    for name, value in NAMES.items():
        assert in_words(value) == name
    with pytest.raises(BadColour, match="'#12'"):
        in_words("#12")


def test_phrases_and_lines():
    assert phrases("a, (b, c:1.2),\n d ,, a") == ("a", "(b, c:1.2)", "d")
    assert phrases("(never closed, b") == ("(never closed, b",)
    assert phrases(r"f\(x, y") == (r"f\(x", "y")
    assert lines(" One thing.\n\n Another,  thing \n") == ("One thing.", "Another, thing")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("HR manager", "an HR manager"),
        ("UX designer", "a UX designer"),
        ("NASA engineer", "a NASA engineer"),
        ("X-ray technician", "an X-ray technician"),
        ("T-shirt maker", "a T-shirt maker"),
        ("European diplomat", "a European diplomat"),
        ("usher", "an usher"),
        ("ukulele player", "a ukulele player"),
        ("unidentified guest", "an unidentified guest"),
        ("the guest", "the guest"),
        ("", ""),
    ],
)
def test_a_role_has_an_article_even_with_a_capital(word, said):
    assert with_article(word) == said


def test_a_role_of_initials_is_no_name(presets):
    role = replace(presets.get(Kind.ROLE, "lawyer"), wordings=dict.fromkeys(Dialect, ("HR manager",)))
    merged = presets.merged(Presets({Kind.ROLE: {"lawyer": role}}, Style()))
    for dialect in Dialect:
        for subject in ("person", "Maria Jones"):
            assert "an HR manager" in write(Brief(LAWYER, subject=subject), dialect, merged, None).positive


@pytest.mark.parametrize("dialect", [Dialect.TAGS, Dialect.SENTENCES])
def test_a_lonely_bracket_leaves_the_weights_of_the_others(presets, dialect):
    brief = Brief(
        LAWYER | {Kind.SETTING: "brand colour"},
        subject="lawyer :(",
        colour="red)",
        traits=("smile :)", "grey (short beard"),
        additions=("(a lighthouse:1.3)", "(never closed", "pier)"),
        avoid=("hat)", "(beret"),
    )
    prompt = write(brief, dialect, presets, None)
    weights = {words.strip(): weight for words, weight in segments(f"{prompt.positive} | {prompt.negative}")}
    assert weights["a lighthouse"] == 1.3
    if dialect is Dialect.TAGS:
        assert weights["charcoal suit"] == 1.1
        assert weights["seamless red) background"] == 1.2
        assert weights["low quality"] == 1.2
        assert weights["smile :)"] == 1.2
    assert "(never closed" in unweighted(prompt.positive)
    assert "(beret" in unweighted(prompt.negative)


@pytest.mark.parametrize("dialect", [Dialect.PROSE, Dialect.EDIT])
def test_weights_are_not_read_out_in_prose(presets, dialect):
    brief = Brief(LAWYER, traits=("(round glasses:1.2)",), avoid=("(hat:1.3)",), avoid_traits=("((beard))",))
    said = write(brief, dialect, presets, None).positive
    assert "round glasses" in said
    assert "hat" in said
    assert "beard" in said
    assert "(" not in said
    assert "1." not in said


@pytest.mark.parametrize("dialect", [Dialect.SENTENCES, Dialect.PROSE, Dialect.EDIT])
def test_an_embedding_is_found_by_its_name(say, dialect):
    said = say(LAWYER, dialect, additions=("embedding:mine", "drawn as embedding:other", "A lighthouse"))
    assert " embedding:mine Drawn as embedding:other A lighthouse." in said


def test_what_the_user_avoids_is_not_among_our_closing_words(presets):
    for dialect in Dialect:
        prompt = write(Brief(LAWYER, avoid=("skin texture",)), dialect, presets, None)
        assert any("is to be avoided" in note for note in prompt.notes) is ("skin texture" in CLOSING[dialect])
        where = prompt.negative if dialect.has_negative else prompt.positive.rpartition(". ")[2]
        assert "skin texture" in where
        assert prompt.positive.lower().count("skin texture") == (not dialect.has_negative)


CLOSING = {dialect: " ".join(words).lower() for dialect, words in built_in().style.closing.items()}


@pytest.mark.parametrize("dialect", [Dialect.TAGS, Dialect.SENTENCES, Dialect.PROSE])
@pytest.mark.parametrize(
    ("choices", "pose", "kept", "gone"),
    [
        ({Kind.EXPRESSION: "thoughtful, looking away"}, "facing the camera, chin raised", "chin raised", "facing"),
        ({Kind.EXPRESSION: "direct look"}, "profile view to the left", "gaze", "profile view"),
        ({Kind.EXPRESSION: "direct look"}, "three-quarter view to the left", "three-quarter view to the left", "\0"),
        ({Kind.FRAMING: "head and shoulders, turned, 85 mm"}, "facing the camera", "eyes on the camera", "facing"),
        ({Kind.FRAMING: "full length, 50 mm"}, "facing the camera", "looking into the camera", "facing"),
        ({Kind.FRAMING: "profile view, 105 mm"}, "facing the camera", "seen from the side", "facing"),
        ({Kind.FRAMING: "half length, 85 mm"}, "chin raised", "chin raised", "looking into"),
    ],
)
def test_a_described_pose_contradicts_nothing_that_was_chosen(presets, dialect, choices, pose, kept, gone):
    prompt = write(Brief(choices, described={"pose": pose}), dialect, presets, None)
    assert kept in prompt.positive
    assert gone not in prompt.positive
    left_out = [note for note in prompt.notes if "The description's" in note]
    assert bool(left_out) is (gone in pose)


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        ("office in the background", "taken with an office in the background."),
        ("american flag and shelves in the background", "taken with an american flag and shelves in the background."),
        ("large building in the background", "taken with a large building in the background."),
        (
            "blurred background, office and flag in the background",
            "taken against a blurred background with an office and a flag behind.",
        ),
        ("brick wall", "taken against a brick wall."),
    ],
)
def test_a_described_background_is_joined_as_people_say_it(say, scene, said):
    assert said in say({}, Dialect.PROSE, described={"setting": scene})


def test_only_what_the_prompt_says_is_called_used(presets):
    described = {"framing": "two thirds", "pose": "facing the camera", "light": "overexposed face", "attire": "suit"}
    parts = resolve(Brief({Kind.EXPRESSION: "thoughtful, looking away"}, described=described), Dialect.TAGS, presets)
    assert parts.used == {"expression": "thoughtful, looking away", "attire": "the description"}
    close = resolve(Brief({}, described={"framing": "close-up of the face"}), Dialect.PROSE, presets)
    assert close.shot == "close-up portrait"


def test_a_colour_in_numbers_is_never_put_into_a_prompt(presets):
    brand = {Kind.SETTING: "brand colour"}
    bare = write(Brief(brand, colour="12494F"), Dialect.TAGS, presets, None)
    assert "(seamless deep teal background:1.2)" in bare.positive
    assert "12494F is said as 'deep teal': text encoders know colours by name." in bare.notes
    named = write(Brief(brand, colour="  a deep\n red. "), Dialect.TAGS, presets, None)
    assert "(seamless deep red background:1.2)" in named.positive
    assert named.notes == ()
    for word in ("facade", "Pantone 300", "lab coat white"):
        assert in_words(word) == word
    for colour in ("rgb(18, 73, 79)", "hsl(1 2 3)", "RGBA 1 2 3 4", "#12494g"):
        with pytest.raises(BadColour, match=re.escape(colour)):
            in_words(colour)


@pytest.mark.parametrize("dialect", [Dialect.TAGS, Dialect.SENTENCES, Dialect.PROSE])
@pytest.mark.parametrize(
    ("addition", "kept"),
    [
        ("looking out of the window", False),
        ("The person is glancing aside", False),
        ("eyes closed", False),
        ("looking directly at the camera", True),
        ("looks at a screen", False),
        ("looking relaxed", True),
        ("a good-looking desk", True),
    ],
)
def test_where_the_user_says_that_the_eyes_go_counts(presets, dialect, addition, kept):
    prompt = write(Brief(LAWYER, additions=(addition,)), dialect, presets, None)
    assert ("looking into the camera" in prompt.positive) is kept
    assert any("you say" in note for note in prompt.notes) is not kept


@pytest.mark.parametrize("dialect", [Dialect.TAGS, Dialect.SENTENCES, Dialect.PROSE])
def test_a_person_in_a_wheelchair_does_not_stand(presets, dialect):
    standing = {Kind.FRAMING: "full length, 50 mm"}
    assert "standing" in write(Brief(standing), dialect, presets, None).positive
    prompt = write(Brief(standing, traits=("seated in a wheelchair",)), dialect, presets, None)
    assert "full-length" in prompt.positive
    assert "standing" not in prompt.positive
