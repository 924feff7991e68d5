"""Preset files of the user's own: merged over ours, and every error says which file, where, and what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from likeness_studio.core.errors import PresetInvalid, PresetUnknown
from likeness_studio.core.prompting import SUITS_THE_ROLE, Brief, Dialect, Kind, positive, preset_files, resolve
from likeness_studio.nodes.prompting import ProfessionalPrompt

GOOD = """
[setting."our lobby"]
words = ["a lobby with oak slats", "an oak-panelled lobby"]
tags = "(lobby, oak slats:1.1)"
depth = true
claims = { place = "indoors" }

[attire."charcoal suit"]
words = "a charcoal suit from our own tailor"
"""

DEFAULTS: dict[str, Any] = {
    each.id: each.default for each in ProfessionalPrompt.GET_SCHEMA().inputs if not each.optional
}


@pytest.fixture
def user_file(model_dir):
    def write(text, name="mine.toml"):
        folder = model_dir / "presets"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder / name

    return write


def options(socket):
    schema = ProfessionalPrompt.GET_SCHEMA()
    return next(each for each in schema.inputs if each.id == socket).options["options"]


def test_a_users_preset_is_listed_and_written(user_file):
    user_file(GOOD)
    assert "our lobby" in options("setting")
    presets = preset_files.load()
    said = {
        dialect: positive(resolve(Brief({Kind.SETTING: "our lobby"}), dialect, presets), dialect) for dialect in Dialect
    }
    assert "(lobby, oak slats:1.1)" in said[Dialect.TAGS]
    assert "In a lobby with oak slats." in said[Dialect.SENTENCES]
    assert "taken in a lobby with oak slats." in said[Dialect.PROSE]
    assert "Change the background to a lobby with oak slats." in said[Dialect.EDIT]


def test_a_users_preset_with_a_known_name_replaces_ours_and_no_other(user_file):
    user_file(GOOD)
    presets = preset_files.load()
    assert presets.get(Kind.ATTIRE, "charcoal suit").wordings[Dialect.PROSE] == ("a charcoal suit from our own tailor",)
    assert len(presets.by_kind[Kind.ATTIRE]) == len(preset_files.built_in().by_kind[Kind.ATTIRE])
    assert presets.style == preset_files.built_in().style


def test_a_file_that_changes_is_read_again(user_file):
    file = user_file(GOOD)
    before = ProfessionalPrompt.fingerprint_inputs()
    assert "our lobby" in options("setting")
    file.write_text(GOOD.replace("our lobby", "our new lobby"))
    assert "our new lobby" in options("setting")
    assert "our lobby" not in options("setting")
    assert ProfessionalPrompt.fingerprint_inputs() != before


BROKEN = {
    "not toml": ('[role."x"]\nwords = "a\n', r"mine\.toml is not TOML: .*line 2.*correct"),
    "not text": (b"\xff\xfe\x00", r"mine\.toml cannot be read .*UTF-8"),
    "unknown kind": ('[hat."bowler"]\nwords = "a bowler"', r"\[hat\] is no kind of preset; use one of role"),
    "unknown dialect": (
        '[role."x"]\nwords = "x"\nflux = "x"',
        r'mine\.toml, line 3, \[role\."x"\] key flux is not known here; known keys are',
    ),
    "no wording": (
        '[role."x"]\ntags = "x"',
        r'line 1, \[role\."x"\] has no wording for SDXL sentences; add a key words',
    ),
    "empty list": ('[role."x"]\nwords = []', r"line 2, .*key words has no wording"),
    "empty text": ('[role."x"]\nwords = [" "]', r"line 2, .*key words must be text in quotes"),
    "number": ('[role."x"]\nwords = 3', r"line 2, .*key words must be text in quotes, or a list"),
    "list of numbers": ('[role."x"]\n\nwords = [3]', r"line 3, .*key words must be text in quotes, or a list"),
    "full stop": ('[light."x"]\nwords = "soft light."', r"has 'soft light\.'; leave out commas, full stops"),
    "brackets": ('[light."x"]\nwords = "y"\ntags = "(soft light:1.1"', r"line 3, .*brackets do not match"),
    "field": ('[light."x"]\nwords = "{color} light"', r"only \{colour\} is filled in"),
    "claims": ('[light."x"]\nwords = "y"\nclaims = ["indoors"]', r"key claims is \['indoors'\] and should be a table"),
    "claims of numbers": (
        '[light."x"]\nwords = "y"\nclaims = { key = 1 }',
        r"key claims is 1 and should be a valid string",
    ),
    "depth": ('[setting."x"]\nwords = "a y"\ndepth = "yes"', r"key depth is 'yes' and should be a valid boolean"),
    "focus": (
        '[framing."x"]\nwords = "portrait"\nfocus = "soft"',
        r"key focus is 'soft' and should be '', 'shallow' or 'deep'",
    ),
    "place of a light": ('[light."x"]\nwords = "y"\nplace = "in"', r"key place is not known here"),
    "a preset that is text": ('[role]\nx = "y"', r'\[role\."x"\] must be a table'),
    "a kind that is text": ('role = "y"', r"\[role\] must hold tables"),
    "reserved": ('[role.unspecified]\nwords = "x"', r"is a name that the node uses itself"),
    "pose": ('[framing."x"]\nwords = "portrait"\npose = "left"', r"key pose is 'left' and should be a table"),
    "pose key": (
        '[framing."x"]\nwords = "portrait"\npose = { word = "left" }',
        r"line 3, .*key pose has a key word, which is not known here",
    ),
    "style": ('[style]\nflux = ["x"]', r"\[style\] key flux is not known"),
    "style negative of prose": ('[style.negative]\nprose = ["x"]', r"key negative has a key prose, which is not known"),
    "line end": ('[light."x"]\nwords = """soft\nlight"""', r"key words has 'soft\\nlight'; leave out .* line ends"),
    "brackets the wrong way": ('[light."x"]\nwords = "soft) (light"', r"key words .*brackets do not match"),
    "brackets of a lens": ('[framing."x"]\nwords = "portrait"\nlens = "a (lens"', r"line 3, .*lens .*do not match"),
    "brackets of avoid": ('[light."x"]\nwords = "y"\navoid = ["(z"]', r"line 3, .*avoid .*brackets do not match"),
    "colour of a light": ('[light."x"]\nwords = "{colour} light"', r"only in a setting"),
    "suits": (
        '[role."x"]\nwords = "x"\nsuits = { light = "window" }',
        r"line 3, .*key suits is 'light' and should be 'setting' or 'attire'",
    ),
    "too large": ("#" * 1_000_001, r"mine\.toml is larger than 1,000,000 bytes"),
    "place a number": ('[setting."x"]\nwords = "a y"\nplace = 1', r"key place is 1 and should be a valid string"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named_with_its_line_or_key(case, user_file):
    text, message = BROKEN[case]
    user_file(text)
    with pytest.raises(PresetInvalid, match=message) as caught:
        preset_files.load()
    assert "mine.toml" in str(caught.value)


def test_a_broken_file_breaks_neither_the_list_nor_other_files(user_file, caplog):
    user_file("[role", "broken.toml")
    user_file(GOOD, "good.toml")
    assert {"our lobby", "modern office"} <= set(options("setting"))
    assert "broken.toml" in caplog.text
    with pytest.raises(PresetInvalid, match=r"broken\.toml"):
        ProfessionalPrompt.execute(**DEFAULTS)


def test_a_broken_file_is_read_and_logged_once_until_it_changes(user_file, caplog, monkeypatch):
    file = user_file("[role", "broken.toml")
    read = []
    original = preset_files.read
    monkeypatch.setattr(preset_files, "read", lambda path: read.append(path) or original(path))
    for _ in range(3):
        options("setting")
    assert read == [file]
    assert caplog.text.count("is not TOML") == 1
    for _ in range(2):
        with pytest.raises(PresetInvalid, match=file.name):
            preset_files.load()
    file.write_text(GOOD)
    assert "our lobby" in options("setting")
    assert preset_files.load().get(Kind.SETTING, "our lobby").depth


def test_a_changed_file_changes_what_comfyui_compares(user_file):
    before = ProfessionalPrompt.fingerprint_inputs()
    file = user_file(GOOD)
    added = ProfessionalPrompt.fingerprint_inputs()
    times = file.stat()
    file.write_text(GOOD.replace("slats", "tiles"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert before != added != ProfessionalPrompt.fingerprint_inputs() != before
    inputs: dict[str, Any] = DEFAULTS | {"setting": "our lobby"}
    assert "oak tiles" in ProfessionalPrompt.execute(**inputs).args[0]


def test_of_two_files_the_later_name_counts_and_the_first_folder_before_others(
    user_file, model_dir, tmp_path, monkeypatch
):
    lobby = '[setting."our lobby"]\nwords = "a {}"'
    user_file(lobby.format("b"), "b.toml")
    user_file(lobby.format("a"), "a.toml")
    other = tmp_path / "other" / "presets"
    other.mkdir(parents=True)
    (other / "z.toml").write_text(lobby.format("z"))
    monkeypatch.setattr(preset_files.host, "model_dirs", lambda: [model_dir, other.parent])
    assert preset_files.load().get(Kind.SETTING, "our lobby").wordings[Dialect.PROSE] == ("a b",)
    assert options("setting").count("our lobby") == 1


def test_a_file_that_goes_while_it_is_looked_at_is_left_out(user_file, monkeypatch):
    file = user_file(GOOD)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([file, file.with_name("gone.toml")]))
    assert "our lobby" in options("setting")


def test_a_role_that_suggests_what_is_not_there_is_named(user_file):
    user_file('[role."sommelier"]\nwords = "sommelier"\nsuits = { setting = "cellar" }')
    brief = Brief({Kind.ROLE: "sommelier", Kind.SETTING: SUITS_THE_ROLE})
    with pytest.raises(
        PresetUnknown,
        match=r"^The role 'sommelier' suggests the setting 'cellar', which is not there; correct .*mine\.toml\.$",
    ):
        resolve(brief, Dialect.TAGS, preset_files.load())


def test_a_link_to_nowhere_and_a_folder_are_no_preset_files(model_dir):
    folder = model_dir / "presets"
    (folder / "folder.toml").mkdir(parents=True)
    (folder / "gone.toml").symlink_to(model_dir / "nothing.toml")
    assert "modern office" in options("setting")
    assert preset_files.load() == preset_files.built_in()


def test_a_preset_that_is_not_there_is_named():
    with pytest.raises(PresetUnknown, match=r"no setting preset called 'moon'; choose one of seamless white"):
        resolve(Brief({Kind.SETTING: "moon"}), Dialect.TAGS, preset_files.built_in())
