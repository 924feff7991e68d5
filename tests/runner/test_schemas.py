"""The types of the reports: what producers give is in them, anything may come in, and what came goes out unchanged."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness_studio.core.id_photo import Compliance
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.provenance import Record
from likeness_studio.runner.backends import RunResult
from likeness_studio.runner.report.batch_schemas import REPORTS
from likeness_studio.runner.report.schemas import ComplianceReport, LikenessReport, ProvenanceReport, RunReport

DOCS = Path(__file__).parents[2] / "docs"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_the_pages_are_those_of_the_types():
    pages = runpy.run_path(str(DOCS / "schemas.py"))["pages"]()
    assert {path.name for path in (DOCS / "schemas").iterdir()} == {path.name for path in pages} - {"schemas.md"}
    for path, text in pages.items():
        assert path.read_text("utf-8") == text, "run: python docs/schemas.py"


@pytest.mark.parametrize("kind", REPORTS)
@given(data=st.data())
def test_anything_may_come_in_and_goes_out_unchanged(kind, data):
    names = [field.alias or name for name, field in kind.model_fields.items()]
    values = data.draw(st.dictionaries(st.sampled_from(names) | st.text(max_size=5), VALUES, max_size=6))
    report = kind.read(values)
    assert report.as_dict() is not values
    assert json.dumps(report.as_dict()) == json.dumps(values)
    assert json.dumps(report.model_dump()) == json.dumps(values)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (RunReport, RunResult("w", "0" * 64, "local").as_dict()),
        (ProvenanceReport, Record().as_dict()),
        (ComplianceReport, Compliance(document("icao"), [], 3, 4).as_dict()),
    ],
)
def test_what_is_given_has_a_type(kind, values):
    assert values.keys() <= kind.model_fields.keys()


def test_the_kept_pictures_are_those_that_count():
    images = [{"index": 0, "passed": False}, {"index": 1, "passed": True}]
    report = LikenessReport.read({"images": images, "kept": [1], "all_passed": False})
    assert report.passed
    assert [image.index for image in report.judged] == [1]
    assert not LikenessReport.read({"images": images, "all_passed": False}).passed
