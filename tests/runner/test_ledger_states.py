"""The ledger's states: any order of calls, beside a plain dictionary that says what the ledger must hold."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from likeness_studio.core.errors import PhotoMissing
from likeness_studio.runner.batch.job_records import JobSpec, Planned
from likeness_studio.runner.batch.ledger import Ledger

SERVER, OTHER = "http://one:8188", "http://two:8188"


class Model(RuleBasedStateMachine):
    """Any order of calls, checked after each."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledger = Ledger.open(self.folder)
        self.state: dict[str, str] = {}
        self.current: list[str] = []
        self.resumable: set[str] = set()
        self.finished = Counter()
        self.retried = Counter()

    @rule(names=st.lists(st.sampled_from("abcdefgh"), unique=True))
    def plan(self, names):
        self.ledger.plan([Planned(f"key-{name}", JobSpec(name)) for name in names])
        self.current = names
        for name in names:
            self.state.setdefault(name, "pending")

    @rule(server=st.sampled_from([SERVER, OTHER]))
    def lease(self, server):
        waiting = [name for name in self.current if self.state[name] == "pending"]
        leased = self.ledger.lease(server)
        assert (leased is None) == (not waiting)
        if leased is not None:
            assert leased.spec.name in waiting
            assert (leased.resume is not None) == (leased.spec.name in self.resumable)
            self.state[leased.spec.name] = "leased"

    def pick(self, data):
        return data.draw(st.sampled_from(sorted(name for name, state in self.state.items() if state == "leased")))

    @precondition(lambda self: "leased" in self.state.values())
    @rule(data=st.data(), server=st.sampled_from([SERVER, OTHER]))
    def begin(self, data, server):
        name = self.pick(data)
        self.ledger.begin(f"key-{name}", server, "p", 1)
        self.resumable.add(name)

    @precondition(lambda self: "leased" in self.state.values())
    @rule(data=st.data(), how=st.sampled_from(["done", "failed", "stop", "fault"]))
    def finish(self, data, how):
        name = self.pick(data)
        key = f"key-{name}"
        if how == "done":
            self.ledger.done(key, verdict="passed", score=1, folder=name, server=SERVER, seconds=1, result={})
        elif how == "failed":
            self.ledger.failed(key, error=PhotoMissing("x"))
        else:
            self.ledger.release(key, counts=how == "fault")
        self.state[name] = how if how in {"done", "failed"} else "pending"
        self.resumable.discard(name)
        self.finished[name] += how == "done"

    @rule(failed=st.booleans(), names=st.sets(st.sampled_from("abcdefgh")))
    def retry(self, failed, names):
        names &= set(self.current)
        expected = {
            name
            for name in self.current
            if (self.state[name] in {"done", "failed"} and name in names) or (failed and self.state[name] == "failed")
        }
        assert self.ledger.retry(failed=failed, names=names) == len(expected)
        self.retried.update(name for name in expected if self.state[name] == "done")
        self.state.update(dict.fromkeys(expected, "pending"))

    @rule()
    def reopen(self):
        self.ledger.close()
        self.ledger = Ledger.open(self.folder)
        leased = [name for name, state in self.state.items() if state == "leased"]
        assert self.ledger.recover() == len(leased)
        self.state.update(dict.fromkeys(leased, "pending"))

    @invariant()
    def agrees(self):
        rows = list(self.ledger.rows(all_plans=True))
        assert {row.name: row.state for row in rows} == self.state
        assert len(rows) == len({row.key for row in rows}) == len(self.state)
        assert [row.name for row in self.ledger.rows()] == self.current
        counts = self.ledger.counts()
        assert counts.total == counts.pending + counts.leased + counts.done + counts.failed == len(self.current)
        assert counts.passed == counts.done
        for row in rows:
            assert sum(each.outcome is None for each in row.attempts) == (row.name in self.resumable)
            assert self.finished[row.name] == self.retried[row.name] + (row.state == "done")

    def teardown(self):
        self.ledger.close()
        shutil.rmtree(self.folder)


Model.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestModel = Model.TestCase
