"""Every preset in every dialect: nothing empty or contradictory, short enough, silent about who the person is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from likeness_studio.core.prompting import (
    SUITS_THE_ROLE,
    UNSPECIFIED,
    Brief,
    Dialect,
    Kind,
    by_vocabulary,
    negative,
    plain,
    positive,
    preset_files,
    resolve,
    says,
    write,
)
from likeness_studio.tests.core.prompting.snapshots import write as write_snapshots

SNAPSHOTS = Path(__file__).parent / "snapshots"
PRESETS = preset_files.built_in()
ALL = [preset for kind in Kind for preset in PRESETS.by_kind[kind].values()]
NAMES = [f"{preset.kind}-{preset.name}" for preset in ALL]
COMBINATIONS = 600

GENDER = "he she his her him hers man men woman women male female boy girl lady ladies gentleman gentlemen guy mother"
GENDER += " father mum dad masculine feminine handsome pretty beautiful gorgeous businessman businesswoman waitress"
GENDER += " actress chairman spokesman craftsman cameraman salesman saleswoman policeman fireman housewife bride groom"
AGE = "young old older younger elderly aged youthful teen teenage child adult senior junior mature baby middle-aged"
ETHNICITY = "caucasian asian african european american latino latina hispanic arab indian chinese japanese korean"
ETHNICITY += " western eastern oriental ethnic ethnicity race skinned blonde blond brunette jewish muslim christian"
JUNK = "8k 4k uhd hdr masterpiece trending artstation award-winning hyperrealistic photorealistic ultra-detailed"
JUNK += " unreal best amazing stunning perfect"


PAGES = write_snapshots.pages()


def words_of(preset):
    texts = [words for wordings in preset.wordings.values() for words in wordings]
    return " ".join([*texts, preset.pose, preset.pose_tags, preset.lens, preset.place, preset.colour, preset.name])


def well_formed(text, dialect):
    """Whether a prompt has no empty part, no double space, no dangling word and matching brackets."""
    assert text == text.strip(" ,")
    assert not re.search(r"  |, ?,|\(\)|\( |,\.|\.\.|\s[,.;]|[{}]", text), text
    assert not re.search(r"\b(with|in|on|against|of|wearing|and|has|wears|to)[,.]", text), text
    assert not re.search(r"\b(\w+) \1\b", text), text
    assert not re.search(r"\b[Aa] [aeio]|\b[Aa]n [^aeiouh8AEIOU]", text), text
    assert text.count("(") == text.count(")")
    if dialect is not Dialect.TAGS:
        for part in re.split(r"(?<=\.) ", text):
            assert re.match(r"[A-Z0-9]", part), part
            assert part.endswith(".")


def test_there_is_enough_to_choose_from():
    assert len(PRESETS.by_kind[Kind.ROLE]) >= 15
    assert len(PRESETS.by_kind[Kind.SETTING]) >= 20
    for kind in Kind:
        assert UNSPECIFIED not in PRESETS.by_kind[kind]
        assert SUITS_THE_ROLE not in PRESETS.by_kind[kind]


@pytest.mark.parametrize("preset", ALL, ids=NAMES)
def test_a_preset_says_nothing_of_gender_age_or_ethnicity_and_no_junk(preset):
    said = set(plain(words_of(preset).replace("-", " ")).split()) | set(plain(words_of(preset)).split())
    assert not said & set(" ".join((GENDER, AGE, ETHNICITY, JUNK)).split())


def test_the_style_says_nothing_of_gender_age_or_ethnicity_either():
    rows = [*PRESETS.style.closing.values(), *PRESETS.style.negative.values()]
    said = set(plain(" ".join(word for row in rows for word in row)).split())
    assert not said & set(" ".join((GENDER, AGE, ETHNICITY, JUNK)).split())


@pytest.mark.parametrize("dialect", Dialect, ids=[dialect.key for dialect in Dialect])
@pytest.mark.parametrize("preset", ALL, ids=NAMES)
def test_a_preset_in_every_wording_is_well_formed_and_fits(preset, dialect, clip_words):
    """Alone and among the defaults of the other fields."""
    for words in preset.wordings[dialect]:
        only = replace(preset, wordings=dict.fromkeys(Dialect, (words,)))
        presets = PRESETS.merged(preset_files.Presets({preset.kind: {preset.name: only}}, preset_files.Style()))
        for choices in ({preset.kind: preset.name}, write_snapshots.DEFAULTS | {preset.kind: preset.name}):
            parts = resolve(Brief(choices), dialect, presets)
            text = positive(parts, dialect)
            well_formed(text, dialect)
            assert by_vocabulary(text, dialect, clip_words).fits, text
            unwanted, _ = negative(parts, dialect, presets.style.negative.get(dialect, ()))
            assert (unwanted != "") is dialect.has_negative
            if unwanted:
                well_formed(unwanted, Dialect.TAGS)
                assert by_vocabulary(unwanted, dialect, clip_words).fits
        assert says(text, words.replace("{colour}", preset.colour)) or preset.kind is not Kind.SETTING


@pytest.mark.parametrize("dialect", Dialect, ids=[dialect.key for dialect in Dialect])
def test_whole_combinations_are_well_formed_without_contradiction_and_fit(dialect, clip_words):
    for brief in write_snapshots.briefs(PRESETS, COMBINATIONS, seed=11):
        prompt = write(brief, dialect, PRESETS, lambda text: by_vocabulary(text, dialect, clip_words))
        well_formed(prompt.positive, dialect)
        assert prompt.length is not None
        assert prompt.length.fits
        assert prompt.negative_length is None or prompt.negative_length.fits
        for word in prompt.negative.split(", ") if prompt.negative else []:
            assert not says(prompt.positive, word)
        _claims_agree(prompt.parts.used, prompt.positive)
        _tone_agrees(prompt.positive, prompt.negative)


def _claims_agree(used, text):
    claims: dict[str, str] = {}
    for kind, name in used.items():
        for key, value in PRESETS.get(Kind(kind), name).claims.items():
            assert claims.setdefault(key, value) == value, text
    gaze_aside = claims.get("gaze") == "aside"
    assert not (gaze_aside and re.search(r"into the camera|on the camera|direct gaze|level gaze", text)), text
    assert not (re.search("out of focus|blurred", text) and "clearly recognisable" in text)
    assert not (claims.get("place") == "outdoors" and re.search(r"window light|indoors|backdrop", text)), text


def _tone_agrees(text, unwanted):
    assert not ("high-key" in text and "overexposed" in unwanted)
    assert not ("low-key" in text and "underexposed" in unwanted)
    assert not ("split lighting" in text.lower() and "shadow" in unwanted)


def test_suggestions_of_roles_exist():
    for role in PRESETS.by_kind[Kind.ROLE].values():
        assert set(role.suits) == {"setting", "attire"}
        for kind, name in role.suits.items():
            PRESETS.get(Kind(kind), name)


@pytest.mark.parametrize("name", PAGES)
def test_the_snapshot_was_read_after_the_last_change(name):
    """After a change of wordings: run tests/core/prompting/snapshots/write.py and read the difference."""
    assert (SNAPSHOTS / name).read_text(encoding="utf-8") == PAGES[name]
