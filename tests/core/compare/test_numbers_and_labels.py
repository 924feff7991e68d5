"""The values to try and the labels of the pictures that came of them."""

import pytest

from likeness_studio.core.compare import MOST_VALUES, Label, numbers, of_branches, spread, written
from likeness_studio.core.errors import BadNumbers, LabelsMismatch


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.1, 0.3, 0.5", [0.1, 0.3, 0.5]),
        ("1;2\n3  4,", [1.0, 2.0, 3.0, 4.0]),
        ("-1e-2 .5", [-0.01, 0.5]),
        ("0.5, 0.1, 0.5", [0.5, 0.1, 0.5]),
    ],
)
def test_numbers_come_in_their_order(text, found):
    assert numbers(text) == found


@pytest.mark.parametrize("text", ["", " , ;", "0.1, half", "nan", "0.1 inf", "1_000", "0x10"])
def test_what_is_no_list_of_numbers_is_refused(text):
    with pytest.raises(BadNumbers):
        numbers(text)


def test_too_many_numbers_are_refused_with_both_counts():
    with pytest.raises(
        BadNumbers, match=f"{MOST_VALUES + 1} values are more than the {MOST_VALUES} of one run; leave some out"
    ):
        numbers(" ".join(["0.5"] * (MOST_VALUES + 1)))


@pytest.mark.parametrize(
    ("text", "series", "words", "value"),
    [
        ("0.1", "", "0.1", 0.1),
        ("model A · 0.3", "model A", "0.3", 0.3),
        ("a · b · -2", "a · b", "-2", -2.0),
        ("model A", "", "model A", None),
        ("model A · soft", "model A", "soft", None),
    ],
)
def test_a_label_is_a_series_and_a_value(text, series, words, value):
    assert Label.read(text) == Label(text, series, words, value)


def test_what_is_written_is_read_back():
    label = Label.read(written(" model A ", 0.25))
    assert (label.series, label.value) == ("model A", 0.25)
    assert written("", 3.0) == "3"


def test_a_large_number_is_written_as_it_was_typed():
    assert written("", 1234567.0) == "1234567"
    assert written("", 0.1) == "0.1"


def test_branches_with_the_same_labels_are_series():
    labels = of_branches([(["0.1", "a · 0.2"], [1, 1]), ([], []), (["0.1"], [1])])
    assert [(label.text, label.series, label.value) for label in labels] == [
        ("images · 0.1", "images", 0.1),
        ("images · a · 0.2", "images · a", 0.2),
        ("images 3 · 0.1", "images 3", 0.1),
    ]
    assert [Label.read(label.text) for label in labels] == labels
    assert [label.text for label in of_branches([([], [2]), ([], [1])])] == [
        "images · picture 1", "images · picture 2", "images 2 · picture 1",
    ]  # fmt: skip
    assert [label.text for label in of_branches([(["0.1"], [2]), (["0.2"], [1])])] == ["0.1", "0.1", "0.2"]


def test_labels_go_to_the_pictures_of_their_batch():
    assert [label.text for label in spread(["a", "b"], [2, 1])] == ["a", "a", "b"]
    assert [label.text for label in spread(["a", "b", "c"], [2, 1])] == ["a", "b", "c"]
    assert [label.text for label in spread([], [2])] == ["picture 1", "picture 2"]


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(
        LabelsMismatch, match=r"^There are 2 labels for 3 pictures in 1 entries; give one label for each\.$"
    ):
        spread(["a", "b"], [3])
