"""What the tests of batches share: a workflow file, a display that remembers, and the rows of a ledger."""

from __future__ import annotations

import json

from likeness_studio.runner.batch.ledger import Ledger


def write(path, graph):
    path.write_text(json.dumps(graph), "utf-8")
    return str(path)


class Recorder:
    def __init__(self):
        self.events, self.views = [], []

    def update(self, view):
        self.views.append(view)

    def event(self, event):
        self.events.append(event)

    def of(self, kind):
        return [event.values for event in self.events if event.kind == kind]


def rows(folder):
    with Ledger.read(folder) as ledger:
        return {row.name: row for row in ledger.rows()}
