"""The ledger when something breaks: kills, full disks and damaged files."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import suppress

import pytest

from likeness_studio.runner.batch.job_records import JobSpec, Leased, Planned
from likeness_studio.runner.batch.ledger import FILE, Ledger
from likeness_studio.runner.batch.result_folders import is_active
from likeness_studio.runner.errors import LedgerBusy, LedgerMissing, LedgerUnreadable, OutputUnwritable

SERVER = "http://one:8188"


def jobs(*names: str) -> list[Planned]:
    return [Planned(f"key-{name}", JobSpec(name)) for name in names]


def take(ledger: Ledger) -> Leased:
    leased = ledger.lease(SERVER)
    assert leased is not None
    return leased


def finish(ledger: Ledger, leased: Leased, text: str = "") -> None:
    ledger.done(
        leased.key, verdict="passed", score=1.0, folder=leased.folder, server=SERVER, seconds=1.0, result={"text": text}
    )


KILLED = """
    import sys, time
    from pathlib import Path
    from likeness_studio.runner.batch.job_records import JobSpec, Planned
    from likeness_studio.runner.batch.ledger import Ledger
    ledger = Ledger.open(Path(sys.argv[1]))
    ledger.plan([Planned(f"key-{name}", JobSpec(name)) for name in "abc"])
    leased = ledger.lease("http://one:8188")
    ledger.begin(leased.key, "http://one:8188", "p-a", 1)
    ledger.done(leased.key, verdict="passed", score=1.0, folder="a", server="http://one:8188", seconds=1.0, result={})
    leased = ledger.lease("http://one:8188")
    ledger.begin(leased.key, "http://one:8188", "p-b", 2)
    ledger.lease("http://two:8188")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_runner_leaves_a_ledger_that_goes_on(tmp_path):
    folder = tmp_path / "batch"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(LedgerBusy):
            Ledger.open(folder)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with Ledger.read(folder) as reader:
        assert not reader.active
        assert (reader.counts().done, reader.counts().leased) == (1, 2)
    with Ledger.open(folder) as ledger:
        ledger.plan(jobs("a", "b", "c"))
        assert ledger.recover() == 2
        leased = take(ledger)
        assert leased.resume is not None
        assert (leased.spec.name, leased.resume.prompt_id, leased.resume.seed) == ("b", "p-b", 2)
        assert take(ledger).resume is None
        assert ledger.lease(SERVER) is None


def fill(ledger):
    """Finish jobs until the disk is full; how many were finished."""
    for finished in range(2000):
        leased = take(ledger)
        try:
            finish(ledger, leased, "x" * 20_000)
        except OutputUnwritable:
            return finished
    return None


def test_a_full_file_loses_nothing(tmp_path):
    folder = tmp_path / "batch"
    with Ledger.open(folder) as ledger:
        ledger.plan(jobs(*(f"job_{number}" for number in range(2000))))
        pages = ledger.query("PRAGMA page_count")[0][0]
        ledger.query(f"PRAGMA max_page_count = {pages + 60}")
        finished = fill(ledger)
        assert finished
        assert ledger.counts().done == finished
        assert ledger.counts().leased == 1
    with Ledger.open(folder) as ledger:
        assert ledger.recover() == 1
        assert ledger.counts().done == finished
        assert ledger.query("PRAGMA integrity_check")[0][0] == "ok"
        finish(ledger, take(ledger))


FULL_DISK = """
    import subprocess, sys
    from pathlib import Path
    disk = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=True)
    from likeness_studio.runner.batch.job_records import JobSpec, Planned
    from likeness_studio.runner.batch.ledger import Ledger
    from likeness_studio.runner.errors import OutputUnwritable
    with Ledger.open(disk) as ledger:
        ledger.plan([Planned(f"key-{number}", JobSpec(f"job_{number}")) for number in range(100)])
        finished = 0
        try:
            while leased := ledger.lease("s"):
                values = {"verdict": "passed", "score": 1.0, "folder": "x", "server": "s", "seconds": 1.0}
                ledger.done(leased.key, result={"text": "x" * 20_000}, **values)
                finished += 1
        except OutputUnwritable as error:
            print(error)
        assert ledger.counts().done == finished, (ledger.counts(), finished)
        assert ledger.query("PRAGMA integrity_check")[0][0] == "ok"
    print(finished)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        Ledger.open(disk)
    except OutputUnwritable as error:
        print(error)
    with Ledger.read(disk) as ledger:
        print(ledger.counts().done)
"""


def can_mount():
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(
            ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True
        ).returncode
    )


def test_a_disk_that_is_really_full_and_then_read_only(tmp_path):
    if not can_mount():
        pytest.skip("a small disk of its own cannot be mounted here")
    command = ["unshare", "-rm", sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path)]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert outcome.returncode == 0, outcome.stderr
    message, finished, refused, found = outcome.stdout.strip().splitlines()
    assert "full" in message
    assert 5 < int(finished) < 60
    assert "Read-only" in refused
    assert found == finished


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputUnwritable, match="choose another --output"):
        Ledger.open(tmp_path / "file" / "batch")


@pytest.mark.parametrize("opened", [Ledger.open, Ledger.read])
@pytest.mark.parametrize("damage", ["noise", "newer", "other", "tables"])
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path, opened, damage):
    path = tmp_path / FILE
    if damage == "noise":
        path.write_bytes(b"not a database" * 1000)
    else:
        with sqlite3.connect(path) as made:
            made.execute("CREATE TABLE photos (x)")
            made.execute(
                {"newer": "PRAGMA user_version = 99", "tables": "PRAGMA user_version = 1"}.get(damage, "SELECT 1")
            )
        made.close()
    before = path.read_bytes()
    with pytest.raises(LedgerUnreadable, match=FILE.replace(".", "[.]")), opened(tmp_path) as ledger:
        ledger.counts()
    if damage != "tables":
        assert path.read_bytes() == before
    assert not is_active(tmp_path)


def test_a_runner_that_was_killed_before_it_made_its_tables(tmp_path):
    (tmp_path / FILE).touch()
    with pytest.raises(LedgerMissing, match=r"^The batch in .* has not begun yet; look again in a moment\.$"):
        Ledger.read(tmp_path)
    Ledger.open(tmp_path).close()
    Ledger.read(tmp_path).close()


STARTS = """
    import shutil, sys
    from pathlib import Path
    from likeness_studio.runner.batch.job_records import JobSpec, Planned
    from likeness_studio.runner.batch.ledger import Ledger
    for number in range(40):
        folder = Path(sys.argv[1]) / str(number)
        for jobs in (50, 60):
            with Ledger.open(folder) as ledger:
                ledger.plan([Planned(f"key-{job}", JobSpec(f"job_{job}")) for job in range(jobs)])
"""


def test_a_reader_sees_a_whole_ledger_at_any_moment_of_a_start(tmp_path):
    seen = set()
    command = [sys.executable, "-c", textwrap.dedent(STARTS), str(tmp_path)]
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            for folder in sorted(tmp_path.iterdir(), key=lambda path: int(path.name))[-2:]:
                with suppress(LedgerMissing), Ledger.read(folder) as reader:
                    seen.add(reader.counts().total)
    assert process.returncode == 0
    assert {50, 60} <= seen <= {0, 50, 60}


def test_a_torn_file_is_an_error_of_ours(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        ledger.plan(jobs(*(f"job_{number}" for number in range(500))))
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(LedgerUnreadable, match="move it away"), Ledger.open(tmp_path) as ledger:
        list(ledger.rows())


def test_a_damaged_row_names_the_job(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        ledger.plan(jobs("anna"))
    with sqlite3.connect(tmp_path / FILE) as broken:
        broken.execute("UPDATE jobs SET spec = '[1'")
    broken.close()
    with Ledger.read(tmp_path) as ledger, pytest.raises(LedgerUnreadable, match="anna"):
        list(ledger.rows())
    with sqlite3.connect(tmp_path / FILE) as broken:
        broken.execute("""UPDATE jobs SET spec = '{"photos": [], "settings": []}', result = '{'""")
    broken.close()
    with Ledger.read(tmp_path) as ledger, pytest.raises(LedgerUnreadable, match="retry"):
        ledger.row("key-anna")


def test_an_emptied_ledger_is_named_and_not_begun_anew(tmp_path):
    with Ledger.open(tmp_path):
        pass
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "ledger.sqlite").touch()
    Ledger.open(tmp_path).close()
    (tmp_path / "anna").mkdir()
    with (tmp_path / "ledger.sqlite").open("wb"):
        pass
    for name in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(LedgerUnreadable, match=r"ledger\.sqlite is empty"):
        Ledger.open(tmp_path)
    (tmp_path / "ledger.sqlite").unlink()
    Ledger.open(tmp_path).close()


@pytest.mark.skipif(os.name != "posix", reason="this system locks no folders")
def test_a_deleted_lock_file_lets_no_second_runner_in(tmp_path):
    with Ledger.open(tmp_path):
        (tmp_path / "ledger.lock").unlink()
        with pytest.raises(LedgerBusy):
            Ledger.open(tmp_path)
    Ledger.open(tmp_path).close()
