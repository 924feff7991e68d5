"""Subject tokens: each scheme, how CLIP splits the result, and whether it is judged rightly."""

from __future__ import annotations

import json
import re

import pytest

from likeness_studio.core.errors import NameUnusable
from likeness_studio.core.prompting import RARE, Scheme, judge, make_token, phrase, rank, rare_entries
from likeness_studio.nodes.prompting import SubjectToken


@pytest.mark.parametrize(
    ("name", "scheme", "shift", "token"),
    [
        ("Maria", Scheme.CAESAR, 3, "pduld"),
        ("xyz", Scheme.CAESAR, 3, "abc"),
        ("abc", Scheme.CAESAR, -1, "zab"),
        ("Zoë Łuczak", Scheme.CAESAR, 0, "zoeluczak"),
        ("Maria Jones", Scheme.CONSONANTS, 3, "mrjns"),
        ("Maria", Scheme.REVERSED, 3, "airam"),
        ("  ohwx  v2 ", Scheme.AS_GIVEN, 3, "ohwx v2"),
    ],
)
def test_schemes(name, scheme, shift, token):
    assert make_token(name, scheme, shift) == token


def test_a_shift_back_gives_the_name_again():
    for shift in range(-25, 26):
        assert make_token(make_token("maria", Scheme.CAESAR, shift), Scheme.CAESAR, -shift) == "maria"


def test_the_rare_entry_is_the_same_for_the_same_name_and_spread_over_names():
    assert make_token("Maria Jones", Scheme.RARE_ENTRY) == make_token(" maria  jones", Scheme.RARE_ENTRY)
    made = {make_token(f"name {number}", Scheme.RARE_ENTRY) for number in range(2000)}
    assert made == set(rare_entries())
    assert make_token("李小龍", Scheme.RARE_ENTRY) in rare_entries()


def test_every_rare_entry_is_one_rare_piece_and_no_word(clip_words):
    assert len(rare_entries()) == len(set(rare_entries())) > 100
    for entry in rare_entries():
        (piece,) = clip_words.pieces(entry)
        assert piece.entry >= RARE, entry
        assert clip_words.entry_of(entry) == piece.entry
        assert judge(entry, "x", clip_words).good
        assert re.fullmatch(r"[^aeiou]+|ohwx", entry), entry


@pytest.mark.parametrize(
    ("token", "good", "words"),
    [
        ("sks", True, "Good: 'sks' is one piece, rank 47,625 of 48,894, which is rare."),
        ("man", False, "Bad: 'man' is one piece, rank 275 of 48,894; the generator knows it as a word already. Better"),
        ("pduld", False, "Bad: 'pduld' becomes 3 pieces, some of them common: p (rank 0) + du (rank"),
    ],
)
def test_judgement(clip_words, token, good, words):
    judgement = judge(token, "Maria", clip_words)
    assert judgement.good is good
    assert judgement.words.startswith(words)
    if not good:
        (suggestion,) = re.findall(r"Better: '(\w+)'", judgement.words)
        assert judge(suggestion, "Maria", clip_words).good


def test_ranks_follow_the_frequency_of_merges(clip_words):
    (first, second) = (clip_words.pieces(word)[0] for word in ("the", "portrait"))
    assert 0 < rank(first) < rank(second)
    assert clip_words.entry_of("portrait") == second.entry
    assert clip_words.entry_of("pduld") is None


@pytest.mark.parametrize(
    ("token", "noun", "context", "said"),
    [
        ("sks", "person", "in a garden", "a sks person in a garden"),
        ("ohwx", "person", "", "an ohwx person"),
        ("sks", "", "", "a sks"),
        ("sks", " older  person ", " at  work ", "a sks older person at work"),
    ],
)
def test_the_phrase(token, noun, context, said):
    assert phrase(token, noun, context) == said


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("", Scheme.RARE_ENTRY), ("李", Scheme.CAESAR), ("12", Scheme.REVERSED), ("Aoi", Scheme.CONSONANTS)],
)
def test_a_name_that_leaves_nothing_is_refused(name, scheme):
    with pytest.raises(NameUnusable, match=r"rare vocabulary entry|is empty"):
        make_token(name, scheme)


def test_the_node(clip_words):
    output = SubjectToken.execute("Maria", "Caesar cipher", 3, "person", "in a garden")
    assert output.args[:2] == ("pduld", "a pduld person in a garden")
    report = json.loads(output.args[2])
    assert [piece["text"] for piece in report["pieces"]] == ["p", "du", "ld"]
    assert report["good"] is False
    assert output.ui["text"][0].startswith("a pduld person in a garden\nBad: ")


def test_without_the_vocabulary_the_token_is_made_and_not_judged(model_dir, monkeypatch):
    monkeypatch.setenv("LIKENESS_OFFLINE", "1")
    output = SubjectToken.execute("Maria", "rare vocabulary entry", 3, "person", "")
    assert output.args[0] in rare_entries()
    assert "could not be judged" in json.loads(output.args[2])["judgement"]


def test_half_an_emoji_in_a_name_is_no_crash():
    assert make_token("An\ud83d", Scheme.RARE_ENTRY) == make_token("An?", Scheme.RARE_ENTRY)
