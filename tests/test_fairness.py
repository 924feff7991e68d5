"""The arithmetic of the fairness report against cases whose answer is known, and its page against its results."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, norm

from likeness_studio.benchmarks.fairness import people as labels
from likeness_studio.benchmarks.fairness.even import Everybody, Ordered, moments, up
from likeness_studio.benchmarks.fairness.intervals import (
    draws,
    exact,
    mean_rate,
    pair_rate,
    pair_sum,
    pair_weight,
    share,
)

ROOT = Path(__file__).parents[1]


def symmetric(n, seed=0, mean=0.1, spread=0.09):
    """Scores of n people: pairs independent and normal."""
    upper = np.triu(np.random.default_rng(seed).normal(mean, spread, (n, n)), 1)
    return upper + upper.T + np.eye(n)


@pytest.mark.parametrize(("count", "total"), [(0, 465), (1, 31), (7, 52), (52, 52), (300, 142845)])
def test_the_exact_interval_leaves_its_tails_outside(count, total):
    low, high = exact(count, total)
    assert low <= count / total <= high
    if count:
        assert binom.sf(count - 1, total, low) == pytest.approx(0.025, rel=1e-6)
    if count < total:
        assert binom.cdf(count, total, high) == pytest.approx(0.025, rel=1e-6)


def test_nobody_of_nobody_is_no_rate():
    assert share(0, 0).as_dict() == {"count": 0, "total": 0, "rate": None, "low": None, "high": None}
    assert pair_rate(np.ones((1, 1), bool), draws(1, 10)).as_dict()["rate"] is None


def test_a_drawn_person_makes_no_pair_with_itself():
    weights = np.array([[2.0, 1, 0], [3.0, 0, 0], [1.0, 1, 1]])
    assert pair_weight(weights).tolist() == [2, 0, 3]
    scores = np.array([[9.0, 1, 2], [1, 9, 4], [2, 4, 9]]) * (1 - np.eye(3))
    assert pair_sum(scores, weights).tolist() == [2, 0, 7]


def test_the_share_of_pairs_ignores_the_diagonal_and_its_interval_holds_it():
    passing = np.eye(40, dtype=bool)
    passing[3, 7] = passing[7, 3] = True
    found = pair_rate(passing, draws(40, 500))
    assert (found.count, found.total) == (1, 780)
    assert found.low <= 1 / 780 <= found.high
    assert found.high >= exact(1, 780)[1]


def test_one_face_like_many_others_widens_the_interval_beyond_that_of_pairs():
    spread_out, one_person = np.zeros((60, 60), bool), np.zeros((60, 60), bool)
    for left in range(0, 60, 2):
        spread_out[left, left + 1] = spread_out[left + 1, left] = True
    one_person[0, 1:31] = one_person[1:31, 0] = True
    weights = draws(60, 1000)
    apart, together = pair_rate(spread_out, weights), pair_rate(one_person, weights)
    assert apart.count == together.count == 30
    assert together.high > 1.5 * exact(30, 1770)[1]
    assert apart.high < together.high


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        alike = rng.normal(0, 0.05, 50)
        scores = symmetric(50, seed) + alike[:, None] + alike[None]
        truth = norm.sf(0.25, 0.1, np.sqrt(0.09**2 + 2 * 0.05**2))
        found = pair_rate(scores >= 0.25, draws(50, 200, seed))
        held += found.low <= truth <= found.high
    assert held >= 53


def test_attempts_of_one_person_are_not_independent():
    failed = np.zeros((50, 8), bool)
    failed[:5] = True
    found = mean_rate(failed, draws(50, 1000))
    assert (found.count, found.total) == (40, 400)
    assert found.high > exact(40, 400)[1]


def test_at_the_threshold_no_more_than_the_rate_passes():
    scores = symmetric(120)
    ordered = Ordered(scores)
    pairs = scores[np.triu_indices(120, 1)]
    for rate in (0.1, 0.01, 0.001):
        threshold = ordered.at_rate(rate)
        assert (pairs >= threshold).mean() <= rate < (pairs >= threshold - 0.002).mean() + 0.002
    assert up(0.25) > 0.25
    assert up(0.25) == pytest.approx(0.2501)


def test_too_few_pairs_are_not_counted_and_more_are():
    for people, told in ((77, False), (78, True)):
        assert (Ordered(symmetric(people)).least_allowed(1e-3) is not None) is told
    scores = symmetric(200)
    least = Ordered(scores).least_allowed(1e-2)
    assert least is not None
    passing = int((scores[np.triu_indices(200, 1)] >= least).sum())
    assert exact(passing, 19900, 0.05)[1] <= 1e-2 < exact(passing + 1, 19900, 0.05)[1]


def test_moments_are_those_of_the_pairs():
    scores = symmetric(30)
    pairs = scores[np.triu_indices(30, 1)]
    mean, spread = moments(scores, np.ones((1, 30)))
    assert mean[0] == pytest.approx(pairs.mean())
    assert spread[0] == pytest.approx(pairs.std())
    assert np.isnan(moments(scores, np.array([[5.0, *[0] * 29]]))[0][0])


def test_a_group_of_lookalikes_asks_for_more_and_the_model_knows_how_much():
    """60 people of 400 are more alike: where their own pairs tell the rate, model and count agree."""
    scores = symmetric(400, 3)
    scores[:60, :60] += 0.08 * (1 - np.eye(60))
    everybody = Everybody(scores, draws(400, 300), 1e-2)
    alike, others = everybody.bound(np.arange(60)), everybody.bound(np.arange(60, 400))
    assert others.how == "counted"
    assert others.threshold >= others.point
    assert alike.expected == pytest.approx(alike.point, abs=0.02)
    assert alike.expected == pytest.approx(0.18 + 2.33 * 0.09, abs=0.02)
    assert alike.threshold > others.threshold
    strict = Everybody(scores, draws(400, 300), 1e-3).bound(np.arange(60))
    assert (strict.counted, strict.how) == (None, "modelled")
    assert strict.threshold == strict.modelled > strict.expected


def test_people_are_read_and_grouped(tmp_path):
    house = tmp_path / "us-house"
    (house / "data").mkdir(parents=True)
    rows = ["a1,ann,female,asian-american,1976-01-03", "b2,ben,male,white-american,1976-01-04"]
    (house / "data" / "us-house.csv").write_text(
        "\n".join(["bioguide,name_slug,gender,ethnicity,date_of_birth", *rows])
    )
    (tmp_path / "b2.jpg").touch()
    ann, ben = labels.read_people([house], tmp_path)
    assert (ann.age, ann.band, ann.other) == (45, "45 to 54", None)
    assert (ben.age, ben.band, ben.other) == (44, "under 45", tmp_path / "b2.jpg")
    groups = {(group.kind, group.name): group for group in labels.groups_of([ann, ben])}
    assert groups["everybody", "everybody"].members == (0, 1)
    assert groups["ethnicity and gender", "Asian women"].members == (0,)
    assert all(group.few for group in groups.values())


def test_one_picture_is_told_from_two_photos():
    from PIL import Image

    from likeness_studio.benchmarks.fairness.same_picture import SAME, correlations

    with Image.open(ROOT / "runner" / "demo.jpg") as opened:
        face = opened.convert("L").crop((150, 20, 300, 170))
    base = np.asarray(face.resize((112, 112)), np.float32) / 255
    squeezed = np.asarray(face.crop((6, 3, 146, 149)).resize((112, 112)), np.float32) / 255
    other = np.random.default_rng(0).random((112, 112)).astype(np.float32)
    same, mirrored, noise = correlations(
        np.stack([base, base, base]), np.stack([0.3 + 0.5 * squeezed, base[:, ::-1], other])
    )
    assert same >= SAME
    assert mirrored < SAME
    assert noise < 0.3


def test_the_page_and_its_plots_are_made_from_the_results():
    made = runpy.run_path(str(ROOT / "docs" / "fairness.py"))["files"]()
    assert len(made) == 3
    for path, text in made.items():
        assert path.read_text("utf-8") == text, "run: python docs/fairness.py"
