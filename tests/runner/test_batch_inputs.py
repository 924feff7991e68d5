"""A batch's inputs: folders and tables as jobs with stable names and keys, and clear errors for broken tables."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness_studio.core.errors import LikenessError
from likeness_studio.runner.api import run_batch
from likeness_studio.runner.batch import keys
from likeness_studio.runner.batch.inputs import read_inputs, safe_name, with_unique_names
from likeness_studio.runner.batch.job_records import JobSpec
from likeness_studio.runner.batch.keys import batch_keys, content_hash, distinct, file_hash, job_key
from likeness_studio.runner.batch.ledger import Ledger
from likeness_studio.runner.errors import (
    BatchInputsInvalid,
    FilesNotAllowed,
    LedgerBusy,
    OutputUnwritable,
    ServerRefused,
    ServerUnreachable,
    UnknownInput,
)
from likeness_studio.runner.workflow import Given, Setting, Workflow


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def table(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def names(jobs: list[JobSpec]) -> list[str]:
    return [job.name for job in jobs]


def test_a_folder_of_photos(tmp_path):
    touch(
        tmp_path, "p10.jpg", "p2.JPG", "notes.txt", ".hidden.png", "._p2.jpg", "sub/other.jpg", "Zoë B.webp", "p2.png"
    )
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere.png")
    inputs = read_inputs(tmp_path)
    assert names(inputs.jobs) == ["lost", "p2", "p2_2", "p10", "Zoë_B"]
    assert inputs.jobs[1] == JobSpec("p2", (Given(tmp_path / "p2.JPG"),))
    assert [path.name for path in inputs.left_out] == ["notes.txt", "sub"]


def test_a_folder_of_folders(tmp_path):
    touch(tmp_path, "Anna/1.jpg", "Anna/2.jpg", "bert 2/x.png", "bert 10/x.png", "empty/readme.md", ".git/x.png")
    inputs = read_inputs(tmp_path)
    assert names(inputs.jobs) == ["Anna", "bert_2", "bert_10"]
    assert inputs.jobs[0].photos == (Given(tmp_path / "Anna"),)
    assert [path.name for path in inputs.left_out] == ["empty"]


def test_a_relative_folder_gives_whole_paths(tmp_path, monkeypatch):
    touch(tmp_path, "in/me.jpg")
    monkeypatch.chdir(tmp_path)
    (job,) = read_inputs(Path("in")).jobs
    assert job.photos[0].path == tmp_path / "in" / "me.jpg"


@pytest.mark.parametrize("make", [lambda p: p, lambda p: p / "no", lambda p: touch(p, "me.jpg") / "me.jpg"])
def test_what_is_no_batch_is_refused(tmp_path, make):
    with pytest.raises(BatchInputsInvalid, match=re.escape(str(tmp_path))):
        read_inputs(make(tmp_path))


def test_csv_columns(tmp_path):
    touch(tmp_path, "in/me.jpg")
    path = table(
        tmp_path,
        "jobs.csv",
        "name,photo,Reference photos,Backdrop.colour, Frame v1.5.width \n"
        'Anna K.,in/me.jpg,refs,"navy, dark",512\n'
        "\n"
        ",in/me.jpg,,,\n"
        ",/abs/x.png,\n",
    )
    first, second, third = read_inputs(path).jobs
    assert first.name == "Anna_K"
    assert first.photos == (Given(tmp_path / "in/me.jpg"), Given(tmp_path / "refs", "Reference photos"))
    assert first.settings == (Setting("Backdrop", "colour", "navy, dark"), Setting("Frame v1.5", "width", "512"))
    assert second == JobSpec("me", (Given(tmp_path / "in/me.jpg"),))
    assert third.photos[0].path == Path("/abs/x.png")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_csv_as_spreadsheets_write_it(tmp_path, separator, encoding, ending):
    lines = [
        separator.join(cells) for cells in (["Photo", "Backdrop.colour"], ["Zoë.jpg", "blue"], ["b.jpg", "x\u2028y"])
    ]
    (first, second) = read_inputs(table(tmp_path, "jobs.csv", ending.join(lines).encode(encoding))).jobs
    assert (first.name, first.photos, first.settings[0].value) == ("Zoë", (Given(tmp_path / "Zoë.jpg"),), "blue")
    assert second.settings[0].value == "x\u2028y"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no jobs"),
        ("photo\n", "no jobs"),
        ("photo,photo \nx.jpg,y.jpg", "line 1: the column 'photo' is there twice"),
        ("photo,,name\nx.jpg,,", "column 2 has no title"),
        ("photo,.width\nx.jpg,3", "does not name a setting"),
        ("photo,name\nx.jpg,a\ny.jpg,b,c\n", "line 3: there are 3 cells and only 2 columns"),
        ('photo,name\n"x.jpg,a\n', "mend the quotes"),
        ('photo\n"x"y.jpg\n', "line 2 is not CSV"),
        (b"photo\nx.jpg\nZo\xeb.jpg\n", "line 3 is not UTF-8"),
        ("photo\nx\0.jpg\n", "line 2: .* no file name can have"),
        (f"photo\n{'x' * 300}.jpg\n", "line 2: .* longer than"),
        ("photo\n~nobody-has-this-name/x.jpg\n", "home folder"),
    ],
)
def test_broken_csv(tmp_path, text, message):
    with pytest.raises(BatchInputsInvalid, match=message):
        read_inputs(table(tmp_path, "jobs.csv", text))


def test_jsonl(tmp_path):
    lines = [
        "\ufeff# three jobs",
        '{"name": "anna", "inputs": ["me.jpg"], "set": {"Backdrop.colour": "navy", "Frame.width": 512}}',
        "",
        '{"inputs": {"Photo": "me.jpg", "Reference photos": ["a.jpg", "b/"]}, "set": {"A.on": true, "A.x": 0.5}}',
        '  {"inputs": "me.jpg"}\r',
        '{"set": {"A.b": "1"}}',
    ]
    anna, me, again, bare = read_inputs(table(tmp_path, "jobs.jsonl", "\n".join(lines))).jobs
    assert anna == JobSpec(
        "anna", (Given(tmp_path / "me.jpg"),), (Setting("Backdrop", "colour", "navy"), Setting("Frame", "width", "512"))
    )
    assert me.photos[1:] == (Given(tmp_path / "a.jpg", "Reference photos"), Given(tmp_path / "b", "Reference photos"))
    assert me.settings == (Setting("A", "on", "true"), Setting("A", "x", "0.5"))
    assert (me.name, again.name, bare.name) == ("me", "me_2", "job_4")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"inputs": ["a.jpg"]', "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON"),
        ("[1]", "line 2: it is not an object"),
        ('{"input": "a.jpg"}', "did you mean 'inputs'"),
        ('{"name": 3}', "the name 3 is not text"),
        ('{"inputs": [3]}', "the input 3 is not a path"),
        ('{"inputs": {"Photo": {"a": "b"}}}', "are not paths"),
        ('{"inputs": {" ": "b"}}', "empty title"),
        ('{"inputs": [" "]}', "a path is empty"),
        ('{"set": ["a"]}', "not an object"),
        ('{"set": {"width": 3}}', "'width' does not name a setting"),
        ('{"set": {"A.b": null}}', "neither text nor a number"),
        ('{"inputs": "\\ud800.jpg"}', "no file name can have"),
        ('{"set": {"A.b": "\\u0000"}}', "no file name can have"),
        (b"\xff\xff", "line 2 is not UTF-8"),
    ],
)
def test_broken_jsonl(tmp_path, line, message):
    content = b'{"name": "fine"}\n' + (line if isinstance(line, bytes) else line.encode())
    with pytest.raises(BatchInputsInvalid, match=message):
        read_inputs(table(tmp_path, "jobs.jsonl", content))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("me at home", "me_at_home"),
        ("../../etc/passwd", "etc_passwd"),
        ("Ольга", "Ольга"),
        ("Zoe\u0308", "Zoë"),
        (".", "photo"),
        ("CON", "CON_"),
        ("a\x1b[31m", "a_31m"),
        ("漢" * 100, "漢" * 40),
        (os.fsdecode(b"a\xff"), "a"),
    ],
)
def test_safe_names(name, safe):
    assert safe_name(name) == safe


@given(st.lists(st.sampled_from(["a", "A", "a_2", "a_3", "b"]), max_size=12))
def test_names_are_unique_stable_and_kept_where_they_can_be(given_names):
    jobs = [JobSpec(name) for name in given_names]
    unique = names(with_unique_names(jobs))
    assert len({name.casefold() for name in unique}) == len(jobs)
    assert unique == names(with_unique_names(jobs))
    firsts = {name.casefold(): name for name in reversed(given_names)}
    assert set(firsts.values()) <= set(unique)


CSV_TEXT = st.lists(
    st.lists(
        st.sampled_from(["photo", "name", "A.b", "x.jpg", '"', "", "~", "a\nb", "\0", "é", ".", "\ud800"]), max_size=5
    ),
    max_size=6,
).map(lambda rows: "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass"))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "inputs", "set", "A.b", "", "Photo"]), inner, max_size=3)
    ),
    max_leaves=8,
)
JSON_LINES = st.lists(JSON_VALUES, max_size=4).map(lambda values: "\n".join(map(json.dumps, values)).encode())


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200) | CSV_TEXT | JSON_LINES)
def test_any_bytes_are_jobs_or_an_error_of_ours(tmp_path_factory, suffix, content):
    path = table(tmp_path_factory.getbasetemp(), f"fuzz.{suffix}", content)
    try:
        jobs = read_inputs(path).jobs
    except LikenessError as error:
        assert str(path) in str(error)  # noqa: PT017 - any other error must surface
        return
    assert jobs
    assert len({job.name.casefold() for job in jobs}) == len(jobs)
    for job in jobs:
        assert job.name
        assert "/" not in job.name
        assert not job.name.startswith(".")
        for photo in job.photos:
            photo.path.exists()
            str(photo.path).encode()


GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}, "_meta": {"title": "Photo"}},
    "2": {"class_type": "LoadImage", "inputs": {"image": "wall.png"}, "_meta": {"title": "Wall"}},
    "3": {"class_type": "EmptyImage", "inputs": {"width": 8}, "_meta": {"title": "Blank"}},
}


def keys_of(*specs: JobSpec, graph=GRAPH, search=(), hash_of=file_hash, allowed=True) -> list[str]:
    def with_settings(chosen: tuple[Setting, ...]) -> Workflow:
        workflow = Workflow.from_api("test", graph).allowing_files(allowed)
        for setting in chosen:
            if setting.target != "Blank":
                raise UnknownInput("No.")
            workflow.find("Blank").inputs[setting.input] = setting.value
        return workflow

    return batch_keys(specs, with_settings, hash_of, search)


def spec(*paths: Path, target: str | None = None, **chosen: str) -> JobSpec:
    return JobSpec(
        "x", tuple(Given(p, target) for p in paths), tuple(Setting("Blank", k, v) for k, v in chosen.items())
    )


def test_a_key_is_the_content_and_never_the_name(tmp_path):
    touch(tmp_path, "a.jpg", "b.jpg")
    first, second = keys_of(spec(tmp_path / "a.jpg"), spec(tmp_path / "b.jpg"))
    assert first != second
    assert len(first) == 64
    (tmp_path / "a.jpg").rename(tmp_path / "renamed.jpg")
    assert keys_of(replace(spec(tmp_path / "renamed.jpg"), name="other")) == [first]
    assert keys_of(spec(tmp_path / "renamed.jpg", target="Photo")) == [first], "the same node by its title"
    assert keys_of(spec(tmp_path / "renamed.jpg", target="Wall")) != [first]
    (tmp_path / "renamed.jpg").write_bytes(b"new")
    assert keys_of(spec(tmp_path / "renamed.jpg")) != [first]


def test_a_key_depends_on_settings_and_graph(tmp_path):
    photo = touch(tmp_path, "a.jpg") / "a.jpg"
    plain, wide, odd = keys_of(spec(photo), spec(photo, width="9"), JobSpec("x", (), (Setting("No", "b", "c"),)))
    assert len({plain, wide, odd}) == 3
    changed = {**GRAPH, "3": {**GRAPH["3"], "inputs": {"width": 99}}}
    assert keys_of(spec(photo), graph=changed) != [plain]
    chosen = {**GRAPH, "1": {**GRAPH["1"], "inputs": {"image": "other.png"}}}
    assert keys_of(spec(photo), graph=chosen) == [plain], "the node was given a photo: the one it names is not read"
    wall = {**GRAPH, "2": {**GRAPH["2"], "inputs": {"image": "sea.png"}}}
    assert keys_of(spec(photo), graph=wall) != [plain], "the other node still reads the picture that it names"


def test_a_key_depends_on_what_is_in_the_workflows_own_files(tmp_path):
    photo = touch(tmp_path, "a.jpg", "wall.png") / "a.jpg"
    before = keys_of(spec(photo), search=[tmp_path])
    (tmp_path / "wall.png").write_bytes(b"another wall")
    assert keys_of(spec(photo), search=[tmp_path]) != before
    with pytest.raises(FilesNotAllowed, match=r"'Wall' reads .*wall\.png"):
        keys_of(spec(photo), search=[tmp_path], allowed=False)


def test_copies_each_have_a_key(tmp_path):
    touch(tmp_path, "a.jpg")
    one, two, three = keys_of(*[spec(tmp_path / "a.jpg")] * 3)
    assert len({one, two, three}) == 3
    assert keys_of(spec(tmp_path / "a.jpg")) == [one]
    assert distinct(["k", "l", "k"])[:2] == ["k", "l"]


def test_folders_and_missing_files_have_content_too(tmp_path):
    touch(tmp_path, "anna/1.jpg", "anna/2.jpg", "anna/notes.txt", "empty/notes.txt")
    before = content_hash(tmp_path / "anna")
    (tmp_path / "anna/notes.txt").write_bytes(b"changed")
    assert content_hash(tmp_path / "anna") == before
    (tmp_path / "anna/2.jpg").write_bytes(b"changed")
    assert content_hash(tmp_path / "anna") != before
    missing = [spec(tmp_path / "no.jpg"), spec(tmp_path / "none.jpg"), spec(tmp_path / "empty")]
    assert len(set(keys_of(*missing))) == 3
    touch(tmp_path, "no.jpg")
    assert keys_of(missing[0]) != keys_of(missing[0], hash_of=lambda path: "x")
    assert job_key("g", {"1": ["a"]}) != job_key("g", {"2": ["a"]}) != job_key("g", {}, [Setting("A", "b", "c")])


def test_photos_are_read_once(tmp_path, monkeypatch):
    old, fresh = touch(tmp_path, "old.jpg", "fresh.jpg") / "old.jpg", tmp_path / "fresh.jpg"
    os.utime(old, (1e9, 1e9))
    with Ledger.open(tmp_path / "batch") as ledger:
        before = [file_hash(path, ledger) for path in (old, fresh)]
        digests = []
        real = keys.hashlib.file_digest
        monkeypatch.setattr(keys.hashlib, "file_digest", lambda *args: digests.append(args) or real(*args))
        assert [file_hash(path, ledger) for path in (old, fresh)] == before
        assert len(digests) == 1, "only the photo that was just written is read again"
        os.utime(old, (1e9, 1e9 + 1))
        assert file_hash(old, ledger) == before[0]
        assert len(digests) == 2


@pytest.mark.parametrize("error", [ServerUnreachable("away"), ServerRefused("no", 500)])
def test_a_server_that_is_away_gives_no_job_another_key(tmp_path, error):
    """A key without the graph would make a finished job a new one."""

    def with_settings(settings):
        raise error

    with pytest.raises(type(error)):
        batch_keys([spec(*touch(tmp_path, "a.jpg").iterdir(), colour="navy")], with_settings)


@pytest.mark.parametrize("error", [LedgerBusy("locked"), OutputUnwritable("full")])
def test_a_ledger_that_fails_gives_no_photo_another_hash(tmp_path, error):
    class Failing:
        def known_hash(self, path, size, mtime_ns):
            raise error

        def remember_hash(self, path, size, mtime_ns, sha256):
            raise AssertionError

    photo = touch(tmp_path, "a.jpg") / "a.jpg"
    with pytest.raises(type(error)):
        content_hash(photo, lambda path: file_hash(path, Failing()))


def test_all_faults_of_a_table_are_told_at_once(tmp_path):
    text = "photo,name,A.b\nx.jpg,a,1\ny.jpg,b,1,9\n~nobody-has-this-name/x.jpg,c,1\n"
    with pytest.raises(BatchInputsInvalid, match=r"2 faults, and nothing was run:\n.*line 3: .*\n.*line 4: ") as found:
        read_inputs(table(tmp_path, "jobs.csv", text))
    assert "line 2" not in str(found.value)
    with pytest.raises(BatchInputsInvalid, match=r"line 1: .*\n.*line 3 is not JSON"):
        read_inputs(table(tmp_path, "jobs.jsonl", '{"name": 3}\n{"name": "a"}\n{"name"\n'))


def test_settings_that_do_not_fit_are_told_for_all_rows_before_any_job(mirror, photos, tmp_path):
    rows = [
        "name,photo,Save.filename_prefix,Negative.strength,Savr.x",
        "fine,a.jpg,x,,",
        "one,b.jpg,,2,",
        "two,c.jpg,,,3",
    ]
    source = table(photos, "jobs.csv", "\n".join(rows))
    with pytest.raises(BatchInputsInvalid, match=r"2 faults.*\n.*one: .*strength.*\n.*two: .*Savr"):
        run_batch(mirror, source, tmp_path / "out")
    assert not (tmp_path / "out" / "fine").exists()
