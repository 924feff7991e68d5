"""Tries with new seeds: until it passes, the best of those that do not, and whose seed counts."""

from __future__ import annotations

import pytest

from likeness_studio.nodes.schema import io
from likeness_studio.runner import errors
from likeness_studio.runner.backends import describe, local, local_classes, local_nodes
from likeness_studio.runner.batch.job_records import BatchOptions
from likeness_studio.runner.batch.keys import SEED_BITS, require_seeds, reseeded, seed_for
from likeness_studio.runner.batch.ledger import Ledger
from likeness_studio.runner.batch.run import resume, run_batch
from likeness_studio.tests.runner.batches import rows, write


class Judge(io.ComfyNode):
    """Shows a likeness verdict that depends on the seed alone."""

    calls: list[int] = []  # noqa: RUF012
    passing: set[int] = set()  # noqa: RUF012
    scores: dict[int, float] = {}  # noqa: RUF012

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TestJudge",
            inputs=[io.Image.Input("image"), io.Int.Input("seed", default=0)],
            outputs=[io.Image.Output()],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image: object, seed: int) -> io.NodeOutput:
        cls.calls.append(seed)
        passed, score = seed in cls.passing, cls.scores.get(seed, 0.1)
        report = {
            "all_passed": passed,
            "best": score,
            "threshold": 0.4,
            "images": [{"passed": passed, "cosine": score}],
        }
        return io.NodeOutput(image, ui={"likeness": [report]})


@pytest.fixture
def judge(monkeypatch):
    classes = {**local_classes(), "TestJudge": Judge}
    for module in (local, local_nodes):
        monkeypatch.setattr(module, "local_classes", lambda: classes)
        monkeypatch.setattr(module, "local_catalog", lambda: describe(classes))
    Judge.calls, Judge.passing, Judge.scores = [], set(), {}
    return Judge


@pytest.fixture
def judged(tmp_path, make):
    graph = {
        "1": make("LoadImage", "Photo", image=""),
        "2": make("TestJudge", "Judge", image=["1", 0], seed=7),
        "3": make("SaveImage", "Save", images=["2", 0], filename_prefix="picture"),
    }
    return write(tmp_path / "judged.json", graph)


def test_until_pass_takes_the_first_that_passes(judge, judged, photos, tmp_path):
    table = tmp_path / "one.csv"
    table.write_text("photo\nphotos/a.jpg\n")
    options = BatchOptions(judged, table, tmp_path / "out", until_pass=True, attempts=5)
    run_batch(BatchOptions(judged, table, tmp_path / "dry", until_pass=True, attempts=3))
    seeds = list(judge.calls)
    assert seeds[0] == 7
    assert len(set(seeds)) == 3, "a new seed each time"
    judge.calls.clear()
    judge.passing = {seeds[1]}
    assert run_batch(options).counts.passed == 1
    assert judge.calls == seeds[:2], "the same seeds in the same order, and none after the one that passes"
    row = rows(tmp_path / "out")["a"]
    assert [attempt.outcome for attempt in row.attempts] == ["not_confirmed", "passed"]
    assert [attempt.seed for attempt in row.attempts] == [None, seeds[1]]


def test_until_pass_keeps_the_best_when_none_passes(judge, judged, tmp_path, photos):
    table = tmp_path / "one.csv"
    table.write_text("photo\nphotos/a.jpg\n")
    run_batch(BatchOptions(judged, table, tmp_path / "dry", until_pass=True, attempts=4))
    seeds = list(judge.calls)
    judge.scores = {seeds[2]: 0.35}
    result = run_batch(BatchOptions(judged, table, tmp_path / "out", until_pass=True, attempts=4))
    row = rows(tmp_path / "out")["a"]
    assert (result.counts.not_confirmed, row.score) == (1, 0.35)
    assert len(row.attempts) == 4
    assert len(list((tmp_path / "out" / "a").iterdir())) == 1


def test_until_pass_needs_a_seed(mirror, photos, tmp_path):
    with pytest.raises(
        errors.NothingToVary,
        match=r"^mirror has no node with a seed, so that another try gives the same picture; leave --until-pass out\.$",
    ):
        run_batch(BatchOptions(mirror, photos, tmp_path / "out", until_pass=True, attempts=3))


def test_until_pass_does_not_take_the_backdrops_seed_for_the_faces(workflow, make, photos, tmp_path):
    """Another backdrop behind the same face gets the same verdict: four tries would be three for nothing."""
    graph = workflow({"1": make("LikenessStudioBackdrop", "Wall", seed=3), "2": make("TestJudge", "Judge")})
    with pytest.raises(errors.NothingToVary, match="Wall"):
        require_seeds(graph)
    graph.nodes["3"] = workflow({"3": make("KSampler", seed=5)}).nodes["3"]
    require_seeds(graph)
    changed = reseeded(graph, 77)
    assert changed.nodes["3"].inputs["seed"] == 77
    assert changed.nodes["1"].inputs["seed"] == 3, "the backdrop stays the one that was chosen"
    with pytest.raises(errors.NothingToVary):
        run_batch(BatchOptions("studio_headshot", photos, tmp_path / "out", until_pass=True, attempts=3))


def test_retry_runs_what_was_chosen_as_before(judge, judged, photos, tmp_path):
    options = BatchOptions(judged, photos, tmp_path / "out")
    assert run_batch(options).counts.not_confirmed == 3
    judge.passing = {7}
    with Ledger.open(options.output) as ledger:
        ledger.retry(names=["b"])
    result = resume(options.output)
    assert (result.jobs_run, result.counts.passed, result.counts.not_confirmed) == (1, 1, 2)


def test_a_retry_until_it_passes_has_seeds_of_its_own(judge, judged, photos, tmp_path):
    """The same seeds would give the same pictures again."""
    table = tmp_path / "one.csv"
    table.write_text("photo\nphotos/a.jpg\n")
    options = BatchOptions(judged, table, tmp_path / "out", until_pass=True, attempts=3)
    run_batch(options)
    for tries in (6, 9):
        with Ledger.open(options.output) as ledger:
            assert ledger.retry(not_confirmed=True) == 1
        resume(options.output)
        assert len(set(judge.calls)) == len(judge.calls) == tries


def test_seeds_are_new_and_the_same_each_time(workflow, make):
    graph = workflow({"1": make("KSampler", seed=5, steps=3), "2": make("RandomNoise", noise_seed=["1", 0])})
    seeds = [seed_for("key", attempt) for attempt in range(1, 50)]
    assert seeds[0] is None
    assert len(set(seeds)) == 49
    assert all(seed is not None and 0 <= seed < 1 << SEED_BITS for seed in seeds[1:])
    assert seeds == [seed_for("key", attempt) for attempt in range(1, 50)]
    changed = reseeded(graph, seeds[1])
    assert changed.nodes["1"].inputs["seed"] == seeds[1]
    assert changed.nodes["2"].inputs["noise_seed"] == ["1", 0], "a linked seed stays linked"
    assert graph.nodes["1"].inputs["seed"] == 5
