"""``--set`` with any words on the real workflows: set, or an error of the registry; ValueError from `parse` alone."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from likeness_studio.core.errors import LikenessError
from likeness_studio.runner.backends import local_catalog, local_classes, plan
from likeness_studio.runner.workflow import Catalog, Setting, apply_setting, bundled, load
from likeness_studio.runner.workflow.overrides import parse_setting
from likeness_studio.tests.fuzz.mutations import QUICK, explained

WORKFLOWS = {name: load(name) for name in bundled()}
PLACES = [
    (name, target, socket)
    for name, workflow in WORKFLOWS.items()
    for node in workflow
    for target in (node.title, node.id)
    for socket in node.inputs
]
CATALOGS = {"known": local_catalog(), "empty": {}}
WORDS = st.one_of(
    st.text(max_size=20),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["true", "off", "0x", "0xFF", "-0", "1_000", "9" * 5000, "٣", "1e400", "[1,2]", "{}", "\x00", ""]),
)


def applies_or_says_why(name: str, setting: Setting, catalog: Catalog) -> None:
    workflow = WORKFLOWS[name].copy()
    before = workflow.to_api()
    try:
        apply_setting(workflow, setting, catalog)
    except LikenessError as error:
        explained(error)
        assert workflow.to_api() == before, "a refused value changes nothing"
        return
    node = workflow.find(setting.target)
    assert setting.input in node.inputs
    json.dumps(workflow.to_api(), allow_nan=False)
    try:
        plan(workflow, local_classes(), local_catalog())
    except LikenessError as error:
        explained(error)


@QUICK
@given(text=st.text(max_size=60), name=st.sampled_from(sorted(WORKFLOWS)))
@example(text="a.b=c", name="studio_headshot")
@example(text=".=", name="studio_headshot")
def test_any_words(text: str, name: str):
    try:
        setting = parse_setting(text)
    except ValueError:
        return
    applies_or_says_why(name, setting, CATALOGS["known"])


@QUICK
@given(place=st.sampled_from(PLACES), value=WORDS, catalog=st.sampled_from(sorted(CATALOGS)))
def test_any_value_at_every_place(place: tuple[str, str, str], value: str, catalog: str):
    name, target, socket = place
    setting = parse_setting(f"{target}.{socket}={value}")
    assert (setting.target, setting.input) == (target, socket)
    applies_or_says_why(name, setting, CATALOGS[catalog])


@QUICK
@given(
    name=st.sampled_from(sorted(WORKFLOWS)),
    target=st.one_of(st.text(max_size=12), st.sampled_from([target for _, target, _ in PLACES])),
    socket=st.one_of(st.text(max_size=12), st.sampled_from([socket for _, _, socket in PLACES])),
    value=WORDS,
)
def test_any_place(name: str, target: str, socket: str, value: str):
    applies_or_says_why(name, Setting(target, socket, value), CATALOGS["known"])
