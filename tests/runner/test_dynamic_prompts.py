"""Choices and comments in prompt texts; what the canvas makes of them is in the graphs of test_convert_canvas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness_studio.runner.workflow import resolve


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, (weighted:1.2)", "plain, (weighted:1.2)"),
        ("a /* b\nc */ d // e\nf", "a  d \nf"),
        (r"\{kept\} and \|", "{kept} and |"),
        ("{one}", "one"),
        ("{open", "open"),
        ("closed} | loose", "closed} | loose"),
        ("{a|a} {b{c|c}|bc}", "a bc"),
        ("{}", ""),
        ("end\\", "end\\"),
    ],
)
def test_texts(text, expected):
    assert resolve(text, "1.text") == expected


def test_the_place_and_the_text_decide():
    text = "{red|green|blue|teal|navy|grey|sand|white} tie"
    assert resolve(text, "1.text") == resolve(text, "1.text")
    found = {resolve(text, f"{place}.text") for place in range(200)}
    assert found == {f"{colour} tie" for colour in ("red", "green", "blue", "teal", "navy", "grey", "sand", "white")}
    assert len({resolve(text + " " * number, "1.text").split()[0] for number in range(50)}) > 1


@given(st.text(alphabet="ab{}|\\/* \n", max_size=40))
def test_any_text_is_resolved_the_same_each_time(text):
    assert resolve(text, "p") == resolve(text, "p")


@given(st.text(alphabet="ab, ()", max_size=40))
def test_a_text_without_marks_stays(text):
    assert resolve(text, "p") == text
