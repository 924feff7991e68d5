"""The suite's own plugins: `raised_codes` on a small tree with a product and its errors; a clone of any name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ERRORS = """
class Broken(Exception):
    code = ""

class Torn(Broken):
    code = "torn"

class Burnt(Broken):
    code = "burnt"
    def __init__(self, message, heat):
        super().__init__(message)

def raise_it(error):
    raise error
"""
PRODUCT = """
from errors import Broken, Burnt, Torn, raise_it

def tear():
    raise Torn("It is torn.")

def burn():
    raise_it(Burnt("It is burnt.", heat=3))

def vague():
    raise Broken("It broke.")
"""
CONFTEST = """
import sys
from pathlib import Path
HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))
import errors
from likeness_studio.tests.raised_codes import RaisedCodes

def pytest_configure(config):
    plugin = RaisedCodes(errors.Broken, lambda: ["torn", "burnt"], [HERE / "product.py"], [HERE / "errors.py"])
    config.pluginmanager.register(plugin)
"""
RAISES = """
import product, pytest, errors
def test_{name}():
    with pytest.raises(errors.Broken):
        {call}
"""


@pytest.fixture
def tree(tmp_path):
    """The tree; its tests tear, and do nothing more."""
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = checks\n")
    (tmp_path / "errors.py").write_text(ERRORS)
    (tmp_path / "product.py").write_text(PRODUCT)
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "conftest.py").write_text(CONFTEST)
    add(tmp_path, "tear", "product.tear()")
    return tmp_path


def add(tree, name, call):
    (tree / "checks" / f"test_{name}.py").write_text(RAISES.format(name=name, call=call))


def pytest_in(tree, *words):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "xdist.plugin", *words]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tree, env=alone, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_whole_run_fails_where_an_error_was_never_raised(tree, workers):
    returned, said = pytest_in(tree, workers)
    assert returned == 1
    assert "1 passed" in said
    assert "no error with the code burnt in this run" in said


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_whole_run_passes_where_all_were_raised(tree, workers):
    add(tree, "burn", "product.burn()")
    returned, said = pytest_in(tree, workers)
    assert (returned, "errors that nothing raised" in said) == (0, False)


def test_an_error_that_a_test_makes_itself_does_not_count(tree):
    add(tree, "burn", "raise errors.Burnt('It is burnt.', heat=3)")
    assert pytest_in(tree)[0] == 1


@pytest.mark.parametrize(
    "words",
    [
        ["-k", "tear"],
        ["checks/test_tear.py"],
        ["--deselect", "checks/test_other.py::test_other"],
        ["--ignore", "checks/test_other.py"],
        ["-k", "tear", "-n1"],
    ],
    ids=" ".join,
)
def test_a_part_of_the_tests_proves_nothing(tree, words):
    add(tree, "other", "product.tear()")
    assert pytest_in(tree, *words)[0] == 0


def test_a_run_that_was_stopped_says_nothing_of_codes(tree):
    add(tree, "aaa_fails", "pass")
    returned, said = pytest_in(tree, "-x")
    assert returned == 1
    assert "errors that nothing raised" not in said


def test_naming_the_whole_folder_is_a_whole_run(tree):
    assert pytest_in(tree, "checks")[0] == 1


@pytest.mark.parametrize("words", [["-n0"], ["-n2"], ["checks/test_vague.py"]], ids=" ".join)
def test_an_error_without_a_code_fails_any_run(tree, words):
    add(tree, "burn", "product.burn()")
    add(tree, "vague", "product.vague()")
    returned, said = pytest_in(tree, *words)
    assert returned == 1
    assert "made Broken, which has no code" in said


def test_the_suite_runs_in_a_folder_that_is_named_as_the_repository(tmp_path):
    """A clone is called likeness-studio, which is no name of a package."""
    clone, here = tmp_path / "likeness-studio", Path(__file__).parent
    (clone / "tests").mkdir(parents=True)
    for name in ("__init__.py", "pyproject.toml"):
        shutil.copy(here.parent / name, clone / name)
    shutil.copy(here / "conftest.py", clone / "tests")
    (clone / "tests" / "test_tear.py").write_text("def test_tear(): pass")
    returned, said = pytest_in(clone, "tests/test_tear.py")
    assert (returned, "1 passed" in said) == (0, True), said
