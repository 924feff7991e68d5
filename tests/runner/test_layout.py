"""The canvas opens readable: every workflow fits a small window at a zoom where texts can be read, nothing overlaps."""

from __future__ import annotations

import json
import re
import tomllib
from itertools import combinations
from pathlib import Path

import pytest

from likeness_studio.runner.workflow import bundled

ROOT = Path(__file__).parents[2]
TITLE = 30
"""Height of a node's title, which is above its place, and of a folded node."""
FOLDED_LETTERS, FOLDED_EDGES = 20, 60
"""A folded node shows so many letters of its title, and has so much beside them."""
NARROW, NARROW_LETTER, LETTER = frozenset(" ()-.fijlrt"), 4.2, 7.9
"""Widths of letters in Arial of 14 pixels."""

VIEW, FILLED, EDGE = (1326, 728), 0.75, 10
"""What ComfyUI 0.3.64 has for the canvas in a window of 1366 x 768 beside its bars (newer versions have more), how
much of it an opened workflow may fill, and what is left free around it (litegraph's fitToBounds, createBounds)."""
LEAST_ZOOM = 0.6
FIRST = {
    "enroll_identity": "Photos of one person",
    "keep_the_best": "Candidates",
    "merge_loras": "Subject LoRA",
    "check_likeness": "Reference photo",
    "check_id_photo": "Photo to check",
    "check_selfie": "Photo to check",
}


def workflow(name):
    return json.loads((ROOT / "workflows" / f"{name}.json").read_text())


def title_of(node):
    return node.get("title") or node["type"].removeprefix("Likeness")


def box(node):
    """Left, top, right, bottom of a node as the canvas draws it."""
    (x, y), (width, height) = node["pos"], node["size"]
    if node["flags"].get("collapsed"):
        letters = sum(NARROW_LETTER if letter in NARROW else LETTER for letter in title_of(node))
        return x, y - TITLE, x + min(width, FOLDED_EDGES + letters), y
    return x, y - TITLE, x + width, y + height


def around(boxes):
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def overlap(one, two):
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


@pytest.mark.parametrize("name", bundled())
def test_it_opens_at_a_zoom_that_can_be_read(name):
    left, top, right, bottom = around(map(box, workflow(name)["nodes"]))
    extent = right - left + 2 * EDGE, bottom - top + 2 * EDGE
    assert min(FILLED * have / need for have, need in zip(VIEW, extent, strict=True)) >= LEAST_ZOOM


@pytest.mark.parametrize("name", bundled())
def test_no_two_nodes_overlap(name):
    for one, two in combinations(workflow(name)["nodes"], 2):
        assert not overlap(box(one), box(two)), f"{title_of(one)} and {title_of(two)}"


@pytest.mark.parametrize("name", bundled())
def test_groups_lead_through_it_and_hold_every_node(name):
    drawn = workflow(name)
    groups = [(x, y, x + width, y + height) for x, y, width, height in (group["bounding"] for group in drawn["groups"])]
    for one, two in combinations(groups, 2):
        assert not overlap(one, two)
    for node in drawn["nodes"]:
        left, top, right, bottom = box(node)
        inside = [each for each in groups if each[0] < left and each[1] < top and right < each[2] and bottom < each[3]]
        assert len(inside) == 1, title_of(node)
    steps = [
        group for group in sorted(drawn["groups"], key=lambda each: each["bounding"][:2]) if group["title"][0].isdigit()
    ]
    assert [group["title"][0] for group in steps] == [str(number) for number in range(1, len(steps) + 1)]


@pytest.mark.parametrize("name", bundled())
def test_the_first_step_is_at_the_top_left_with_the_note_beside_it(name):
    nodes = {title_of(node): node for node in workflow(name)["nodes"]}
    first = nodes[FIRST.get(name, "Photo")]
    assert first["pos"] == [0, 0]
    assert not first["flags"].get("collapsed")
    assert nodes["Read me"]["pos"][0] < 400


@pytest.mark.parametrize("name", bundled())
def test_titles_of_folded_nodes_are_shown_whole_and_what_a_note_names_is_not_folded(name):
    (note,) = (node for node in workflow(name)["nodes"] if node["type"] == "MarkdownNote")
    steps = note["widgets_values"][0].partition("**Run**")[0]
    for node in workflow(name)["nodes"]:
        if node["flags"].get("collapsed"):
            assert len(title_of(node)) <= FOLDED_LETTERS, title_of(node)
            assert f"**{title_of(node)}**" not in steps


def test_the_template_browser_has_the_order_of_the_list():
    script = (ROOT / "web" / "templates.js").read_text()
    order = re.search(r"const ORDER = \[(.*?)\];", script, re.DOTALL)
    assert order
    assert re.findall(r'"(\w+)"', order[1]) == list(tomllib.loads((ROOT / "workflows" / "about.toml").read_text()))
