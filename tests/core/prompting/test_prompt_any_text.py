"""Whatever a person types, a prompt comes out, what was typed is in it, and the count is that of the text."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likeness_studio.core.prompting import (
    CHUNK,
    Brief,
    Dialect,
    Kind,
    Scheme,
    Vocabulary,
    balanced,
    by_vocabulary,
    clip_chunks,
    judge,
    lines,
    make_token,
    phrases,
    segments,
    write,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
MARKS = st.text("ab (),:.1\\\n'", max_size=60)
ANY = TEXT | MARKS
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(ANY, ANY, ANY, ANY, st.sampled_from(Dialect), st.integers(0, 2**32 - 1))
def test_any_text_makes_a_prompt(presets, clip_words, subject, additions, avoid, traits, dialect, variation):
    brief = Brief(
        {kind: next(iter(presets.by_kind[kind])) for kind in Kind},
        subject=subject,
        additions=phrases(additions) if dialect is Dialect.TAGS else lines(additions),
        avoid=phrases(avoid),
        traits=phrases(traits),
        variation=variation,
    )
    prompt = write(brief, dialect, presets, lambda text: by_vocabulary(text, dialect, clip_words))
    for addition in brief.additions:
        said = balanced(addition) if dialect.has_negative else addition
        assert said[1:].strip(" ,;") in prompt.positive
    if dialect.has_negative:
        assert balanced(prompt.positive) == prompt.positive
        assert balanced(prompt.negative) == prompt.negative
    assert bool(prompt.negative) is dialect.has_negative
    assert prompt.length is not None
    assert prompt.length.chunks >= 1
    assert prompt.report(variation)
    assert prompt.summary()


@QUICK
@given(st.text("ab (),:1.\\", max_size=80))
def test_no_letter_is_lost_between_weights(text):
    """Brackets and numbers that are weights go, letters stay in their order."""
    kept = "".join(part for part, _ in segments(text))
    letters = iter(text)
    assert all(letter in letters for letter in kept)
    assert [letter for letter in kept if letter in "ab"] == [letter for letter in text if letter in "ab"]


@QUICK
@given(st.lists(st.integers(0, 200), max_size=6))
def test_chunks_hold_every_piece_in_order_and_no_more_than_fits(clip_words, lengths):
    (piece,) = clip_words.pieces("suit")
    chunks = clip_chunks([[piece] * length for length in lengths])
    assert sum(map(len, chunks)) == sum(lengths)
    assert all(len(chunk) <= CHUNK for chunk in chunks)
    assert all(chunks[1:])


@QUICK
@given(TEXT.filter(str.strip), st.integers(-25, 25))
def test_any_name_makes_a_rare_entry_and_can_be_judged(clip_words: Vocabulary, name, shift):
    assert judge(make_token(name, Scheme.RARE_ENTRY, shift), name, clip_words).good
    assert judge(make_token(name, Scheme.AS_GIVEN, shift), name, clip_words).words
