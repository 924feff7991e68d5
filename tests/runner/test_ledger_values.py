"""A ledger that somebody wrote values into: each ends in one sentence, and nothing outside the batch is touched."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from likeness_studio.core.errors import LikenessError
from likeness_studio.runner.api.workflows import batch_status, collect_pictures, retry_batch, set_back
from likeness_studio.runner.batch.contact_sheet import write_sheet
from likeness_studio.runner.batch.job_records import BatchOptions, JobSpec, Planned
from likeness_studio.runner.batch.ledger import FILE, Ledger
from likeness_studio.runner.batch.result_folders import RECORD, WORK, ResultFolders
from likeness_studio.runner.batch.verdict_tables import write_verdicts
from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import LedgerUnreadable

SERVER = "http://one:8188"
DEEP = "[" * 100_000
TEXTS = ["", "null", "[]", "1", '"text"', DEEP, '{"a": ' * 50_000, "{", "NaN"]


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """Two jobs that are done, one that failed, one that waits; and a folder beside them that is none of theirs."""
    folder = tmp_path / "around" / "batch"
    (tmp_path / "around" / "mine").mkdir(parents=True)
    (tmp_path / "around" / "mine" / "diary.txt").write_text("mine")
    with Ledger.open(folder) as ledger:
        ledger.config = BatchOptions("no_such.json", tmp_path / "photos", folder).as_config()
        ledger.plan([Planned(f"key-{name}", JobSpec(name)) for name in "abcd"])
        for name in "ab":
            leased = ledger.lease(SERVER)
            assert leased is not None
            ledger.begin(leased.key, SERVER, "prompt", 1)
            (folder / name).mkdir()
            (folder / name / "p.png").write_bytes(b"png")
            result = {"outputs": [{"file": f"{name}/p.png"}], "seconds": 1.0}
            values = {"folder": name, "server": SERVER, "seconds": 1.0, "result": result}
            ledger.done(leased.key, verdict="not_confirmed", score=0.5, **values)
        leased = ledger.lease(SERVER)
        assert leased is not None
        ledger.failed(leased.key, error=LedgerUnreadable("for instance"), server=SERVER, seconds=1.0)
    return folder


def write(batch: Path, table: str, column: str, value: object) -> None:
    """What somebody with an editor for databases does: SQLite takes anything anywhere."""
    with sqlite3.connect(batch / FILE) as ledger:
        ledger.execute("PRAGMA ignore_check_constraints = ON")
        where = {"config": "name = 'batch'", "attempts": "1"}.get(table, "name = 'a'")
        ledger.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", [value])
    ledger.close()


def look(batch: Path) -> None:
    batch_status(batch, failed=True)
    with Ledger.read(batch) as ledger:
        rows = list(ledger.rows(all_plans=True))
        write_verdicts(rows, batch)
        write_sheet(rows, batch, title="x", counts=ledger.counts(), thumbs=batch / "thumbs")
    collect_pictures(batch, unconfirmed=True)


def work(batch: Path) -> None:
    """Other names for the jobs, so that folders move; then the next job, from whose folder all is removed."""
    with Ledger.open(batch) as ledger:
        ledger.recover()
        ledger.plan([Planned(f"key-{name}", JobSpec(f"new_{name}")) for name in "bacd"])
        ledger.retry(names=["new_a"])
        while leased := ledger.lease(SERVER):
            folders = ResultFolders(batch)
            folders.drop(leased.folder)
            folders.vacate(leased.folder)
            ledger.begin(leased.key, SERVER, None)
            ledger.release(leased.key, counts=False)
            break


def resume(batch: Path) -> None:
    retry_batch(batch, failed=True)


def sentence(use: Callable[[Path], None], batch: Path) -> str:
    """What is said of it; empty where the values did no harm."""
    try:
        use(batch)
    except LikenessError as error:
        return str(error)
    return ""


COLUMNS = {
    "jobs": "key name home spec affinity state released counted_from verdict score folder server seconds finished "
    "error_code error result place",
    "attempts": "server prompt_id seed started seconds outcome score error_code error number",
    "config": "value",
}
VALUES = [
    b"\xff\xfe",
    b"",
    "",
    "text",
    "..",
    ".",
    "../mine",
    "/",
    ".work",
    "a\0b",
    "x" * 100_000,
    -1,
    2**63 - 1,
    1e300,
    float("inf"),
    DEEP,
    '{"outputs": [{"file": 1}]}',
    '{"outputs": 5, "photos": 5}',
    '{"outputs": [[]], "photos": [[[], {}]], "settings": [[1, 2, 3, 4]]}',
    '{"photos": [["\\u0000", "x"]], "settings": []}',
    '{"photos": [], "settings": [["a", "b", {"c": NaN}]]}',
]


@pytest.mark.parametrize("column", [f"{table}.{name}" for table, names in COLUMNS.items() for name in names.split()])
def test_any_value_anywhere_ends_in_a_sentence_and_touches_nothing_else(batch, column):
    table, name = column.split(".")
    whole = (batch / FILE).read_bytes()
    for value in VALUES:
        for use in (look, work, resume):
            for log in batch.glob(f"{FILE}-*"):
                log.unlink()
            (batch / FILE).write_bytes(whole)
            write(batch, table, name, value)
            said = sentence(use, batch)
            assert "\n" not in said
            assert len(said) < 1000
            assert (batch.parent / "mine" / "diary.txt").read_text() == "mine"
            assert (batch / FILE).is_file()


@pytest.mark.parametrize(
    ("column", "value"),
    [("spec", DEEP), ("spec", "5"), ("result", DEEP), ("result", "[]"), ("home", "../mine"), ("state", "lost")],
)
def test_a_value_that_no_batch_wrote_is_named(batch, column, value):
    write(batch, "jobs", column, value)
    with pytest.raises(LedgerUnreadable):
        look(batch)
    outcome = CliRunner().invoke(main, ["status", str(batch)] if column == "state" else ["collect", str(batch)])
    assert outcome.exit_code != 0
    assert "ledger_unreadable" in outcome.output
    assert "Traceback" not in outcome.output


@pytest.mark.parametrize("text", TEXTS)
def test_what_a_batch_was_started_with_is_checked(batch, text):
    write(batch, "config", "value", text)
    with pytest.raises(LedgerUnreadable):
        retry_batch(batch, failed=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("attempts", "5"), ("attempts", 0), ("in_flight", 1e9), ("wait_seconds", "x"), ("servers", [5]), ("inputs", "\0")],
)
def test_an_option_of_the_wrong_kind_is_refused(batch, name, value):
    with Ledger.read(batch) as ledger:
        config = ledger.config
    write(batch, "config", "value", json.dumps(config | {name: value}))
    with pytest.raises(LedgerUnreadable, match="does not say how the batch was started"):
        retry_batch(batch, failed=True)


@pytest.mark.parametrize("text", [*TEXTS, '{"verdict": "best", "score": 1, "result": {"seconds": 1, "outputs": []}}'])
def test_the_record_of_a_try_that_is_none_is_left_out(batch, text):
    place = batch / WORK / "d" / "1"
    place.mkdir(parents=True)
    (place / RECORD).write_text(text)
    assert ResultFolders(batch).earlier("d", [1]) == []


def test_statements_that_a_ledger_brings_along_are_not_obeyed(batch):
    with sqlite3.connect(batch / FILE) as ledger:
        ledger.execute("CREATE TRIGGER t AFTER UPDATE ON jobs BEGIN SELECT no_such_function(1); END")
    ledger.close()
    with pytest.raises(LedgerUnreadable):
        set_back(batch, failed=True)
