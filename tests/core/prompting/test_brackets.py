"""Prompts with thousands of brackets: their weights are read in a moment, and never end in a RecursionError."""

from __future__ import annotations

import time

import pytest

from likeness_studio.core.prompting.wording import balanced, plain, segments, unweighted

TEXTS = {
    "in one another": "(" * 20_000 + "x" + ")" * 20_000,
    "with weights": "(" * 20_000 + "x" + ":1.1)" * 20_000,
    "open": "(a" * 20_000,
    "closed": "a)" * 20_000,
    "side by side": "(a:1.1)" * 20_000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("read", [segments, unweighted, balanced, plain])
def test_thousands_of_brackets_take_no_time(read, text):
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 3


def test_brackets_that_people_write_are_weights():
    (found,) = segments("(" * 60 + "x" + ")" * 60)
    assert found == ("x", pytest.approx(1.1**60))
