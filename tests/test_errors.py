"""The error registry: every code is unique, explained, and on its page. `raised_codes` proves that each is raised."""

import ast
import copy
import pickle
import re
import runpy
from pathlib import Path

import pytest

import likeness_studio.runner.errors as runner_errors
from likeness_studio.core.errors import LikenessError, PhotoMissing, registry

ROOT = Path(__file__).parents[1]
FILES = [path for room in ("core", "nodes", "runner") for path in sorted((ROOT / room).rglob("*.py"))]
ERRORS = {code: cls for code, cls in registry().items() if cls.__module__.startswith("likeness_studio")}
BARE = {"Exception", "BaseException", "RuntimeError"}
DEFAULTS = {
    "NodeFailed": ("Glass", "1", ValueError("broken")),
    "ServerExecutionError": ("Glass", "1", "ValueError", "broken"),
    "WorkflowInvalid": ([PhotoMissing("Gone.")],),
    "NodeClassMissing": ("Gone.", "Glass", ["Glass"], {}),
    "ModelFileMissing": ("Gone.", ["Glass.model"], {}),
}
"""What the errors that write their own message are made from."""


def abstract(cls=LikenessError):
    """The classes without a code, from `cls` down."""
    found = [] if cls.code else [cls]
    return found + [each for below in cls.__subclasses__() for each in abstract(below)]


def bare(source):
    """The lines of a source that raise an exception which says nothing of what happened."""
    raised = [(node.lineno, node.exc) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Raise)]
    return [line for line, exc in raised if getattr(getattr(exc, "func", exc), "id", "") in BARE]


def is_a_sentence(text):
    """One sentence: a capital (or the name comfy-cli) first, a full stop last and none between."""
    return re.fullmatch(r"(?:[A-Z]|comfy-cli).*[^.\s]\.", text) and not re.search(r"[.!?] [A-Z]|\s\s|\n", text)


@pytest.mark.parametrize("code", ERRORS)
def test_a_code_is_explained(code):
    error = ERRORS[code]
    assert re.fullmatch(r"[a-z][a-z_]+", code)
    assert is_a_sentence(error.meaning)
    assert is_a_sentence(error.hint)
    assert {"code", "meaning", "hint"} <= set(vars(error)), "it has those of the class above it"


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_speaks_to_people_and_to_programs(code):
    cls = ERRORS[code]
    error = cls(*DEFAULTS.get(cls.__name__, ("It broke.",)))
    assert isinstance(error, LikenessError)
    assert str(error).strip()
    told = {"code": code, "message": str(error), "meaning": cls.meaning, "hint": cls.hint}
    assert error.as_dict() | told == error.as_dict()
    assert cls.hint not in str(error)


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_crosses_processes_as_it_is(code):
    error = ERRORS[code](*DEFAULTS.get(ERRORS[code].__name__, ("It broke.",)))
    error.add_note("seen on gpu-box")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert (str(other), other.args, other.code, other.hint) == (str(error), error.args, error.code, error.hint)
        assert other.as_dict() == error.as_dict()
        assert repr(vars(other)) == repr(vars(error))


def test_what_an_error_was_told_besides_its_message_crosses_too():
    refused = pickle.loads(pickle.dumps(runner_errors.ServerRefused("No.", 401)))
    unreachable = pickle.loads(pickle.dumps(runner_errors.ServerUnreachable("No.", sent=False)))
    cause = pickle.loads(pickle.dumps(runner_errors.NodeFailed("Photo", "1", PhotoMissing("Gone.")))).cause
    assert (refused.status, unreachable.sent) == (401, False)
    assert (type(cause), str(cause)) == (PhotoMissing, "Gone.")


def test_a_cause_that_only_one_library_knows_crosses_by_its_words():
    class Unreadable(Exception):
        def __init__(self, code, handle):
            super().__init__(f"CUDA says {code}")
            self.handle = handle

    error = runner_errors.NodeFailed("Decode", "8", Unreadable(2, lambda: None))
    other = pickle.loads(pickle.dumps(error))
    assert str(other) == str(error)
    assert str(other.cause) == "Unreadable: CUDA says 2"
    assert other.as_dict() == error.as_dict()


def test_no_two_hints_or_meanings_are_the_same():
    said = [text for cls in ERRORS.values() for text in (cls.meaning, cls.hint)]
    assert sorted(set(said)) == sorted(said)


def test_the_hint_of_a_cause_is_given():
    cause = PhotoMissing("me.jpg is not there.")
    here = runner_errors.NodeFailed("Photo", "1", cause).as_dict()
    there = runner_errors.ServerExecutionError("Photo", "1", "PhotoMissing", str(cause)).as_dict()
    for told in (here, there):
        assert (told["code"], told["meaning"], told["hint"]) == (
            "photo_missing",
            PhotoMissing.meaning,
            PhotoMissing.hint,
        )


def test_classes_without_a_code_say_nothing_that_would_be_shown():
    groups = [cls for cls in abstract() if cls.__module__.startswith("likeness_studio")]
    assert runner_errors.RunnerError in groups
    assert [cls.__name__ for cls in groups if cls.meaning or cls.hint] == []


def test_all_of_the_runners_errors_come_from_one_place():
    own = {cls.__name__ for cls in ERRORS.values() if cls.__module__.startswith(runner_errors.__name__)}
    assert len(own) > 40
    assert own <= set(runner_errors.__all__)


def test_the_page_is_up_to_date():
    made = runpy.run_path(str(ROOT / "docs" / "errors.py"))["page"]()
    assert (ROOT / "docs" / "errors.md").read_text("utf-8") == made, "run: python docs/errors.py"
    for code, cls in ERRORS.items():
        assert f"**{cls.__name__}**: `{code}`" in made
        assert f"| `{code}` | {cls.meaning} | {cls.hint} |" in made


def test_nothing_raises_a_bare_exception():
    assert {path: lines for path in FILES if (lines := bare(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "planted", ["raise Exception", "raise RuntimeError('It broke.')", "raise BaseException from None"]
)
def test_a_planted_bare_exception_is_found(planted):
    assert bare(planted) == [1]
