"""Thresholds that are even across groups: where they come from, and how a node offers them."""

import pytest

from likeness_studio.benchmarks.identity import calibration_table
from likeness_studio.core.choices import DEFAULT_STRICTNESS, EVEN_STRICTNESS, STRICTNESS
from likeness_studio.core.errors import CalibrationMissing
from likeness_studio.core.faces import YuNetSFace
from likeness_studio.core.identity import Calibration, Gate, calibration_of, check_likeness, table
from likeness_studio.core.identity import calibration as module
from likeness_studio.nodes.judging import gate_for
from likeness_studio.nodes.sockets import CUSTOM, strictness_inputs

MEASURED = ("yunet-sface", "insightface/buffalo_s")


class Named(YuNetSFace):
    """An engine that has a name and nothing more: that is all that gate_for asks."""

    def __init__(self, key):
        self.key = key


@pytest.mark.parametrize("key", MEASURED)
def test_an_even_threshold_is_stricter_than_the_plain_one_and_costs_something(key):
    known = table()[key]
    assert [point.fmr for point in known.even] == list(EVEN_STRICTNESS.values())
    for point in known.even:
        assert known.threshold(point.fmr) < point.threshold < 1
        assert 0 <= point.fnmr < 0.5
        assert point.how in ("counted", "modelled")
    first, second = known.even
    assert first.threshold < second.threshold
    assert first.fnmr <= second.fnmr


@pytest.mark.parametrize("key", MEASURED)
@pytest.mark.parametrize("strictness", EVEN_STRICTNESS)
def test_the_gate_says_whose_threshold_it_is(key, strictness):
    gate = gate_for(Named(key), strictness, 0.99)
    point = calibration_of(key).even_point(EVEN_STRICTNESS[strictness])
    assert (gate.threshold, gate.fmr, gate.every_group) == (point.threshold, point.fmr, True)
    assert "official portraits of 535 members of the US Congress" in gate.source
    assert f"{point.group}, {point.how}" in gate.source
    assert f"{point.fnmr:.1%} of genuine pairs fail" in gate.source


def test_the_default_and_every_old_choice_stay_what_they_were():
    combo = strictness_inputs()[0]
    assert combo.options["default"] == DEFAULT_STRICTNESS == "strict (1 in 10,000)"
    assert combo.options["options"] == [*STRICTNESS, *EVEN_STRICTNESS, CUSTOM]
    for strictness, rate in STRICTNESS.items():
        assert gate_for(Named("yunet-sface"), strictness, 0.99) == Gate.measured(calibration_of("yunet-sface"), rate)


def test_a_pack_that_was_not_measured_borrows_the_even_threshold_and_says_so():
    gate = gate_for(Named("insightface/buffalo_l"), next(iter(EVEN_STRICTNESS)), 0.0)
    assert gate.threshold == calibration_of("insightface/buffalo_s").even[0].threshold
    assert "borrowed from insightface/buffalo_s, because insightface/buffalo_l was not measured" in gate.source


def test_an_engine_without_an_even_threshold_is_an_error_with_a_way_out():
    bare = Calibration("mine", "a test", "2026-11-20", 1.0, 0.0, ())
    with pytest.raises(
        CalibrationMissing,
        match=r"^A threshold for mine that is even across groups of people was not "
        r"measured at a .* of 0\.001; choose another strictness\.$",
    ):
        Gate.even(bare, 1e-3)
    with pytest.raises(CalibrationMissing, match=r"0\.5"):
        calibration_of("yunet-sface").even_point(0.5)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    path = tmp_path / "calibration.toml"
    path.write_text(module.TABLE.read_text())
    monkeypatch.setattr(calibration_table, "TABLE", path)
    monkeypatch.setattr(module, "TABLE", path)
    module.table.cache_clear()
    yield path
    module.table.cache_clear()


def test_each_benchmark_keeps_what_the_other_wrote(copy):
    before = copy.read_text()
    known = table()["yunet-sface"]
    points = [vars(point) for point in known.points]
    calibration_table.write_points("yunet-sface", known.source, known.date, known.slope, known.offset, points)
    calibration_table.write_even(
        "yunet-sface", known.even_source, known.even_date, [vars(point) for point in known.even]
    )
    assert copy.read_text() == before
    calibration_table.write_points("yunet-sface", "new", known.date, 1.5, -2.5, points[:1])
    module.table.cache_clear()
    changed = table()
    assert (changed["yunet-sface"].source, changed["yunet-sface"].slope) == ("new", 1.5)
    assert changed["yunet-sface"].even == known.even
    assert changed["insightface/buffalo_s"].points == calibration_of("insightface/buffalo_s").points


@pytest.mark.models
@pytest.mark.parametrize("strictness", EVEN_STRICTNESS)
def test_a_person_still_passes_and_a_stranger_does_not(engine, portrait, strictness):
    from likeness_studio.core.identity import enroll

    person = enroll(engine, [portrait("obama"), portrait("obama2")])[0]
    gate = gate_for(engine, strictness, 0.0)
    judgement = check_likeness(engine, person, [portrait("obama3"), portrait("biden")], gate)
    assert [verdict.passed for verdict in judgement.verdicts] == [True, False]
    report = judgement.as_dict()
    assert (report["fmr"], report["every_group"]) == (EVEN_STRICTNESS[strictness], True)
    assert "of any group of 30 people and more" in report["threshold_source"]
