"""A pytest plugin: a run of the whole suite fails where the product never raised one of its errors.

What is recorded is that product code made an instance while the suite ran, in this process. An error that a test makes
itself does not count, nor one of a process that a test starts. Any run fails where the product made an error of a class
without a code, which is only there to be caught.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

HANDED_OVER = "raised_codes"
NARROWING = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly")
"""Options of pytest after which a run is not the whole suite."""


class RaisedCodes:
    """Records which errors with a code product code makes, and names at the end those that it did not make.

    `root` is the root class of the errors, `codes` gives all codes, `product` are the folders of product code, `errors`
    those where the errors themselves are defined: who made one is the first caller outside of these.
    """

    def __init__(
        self, root: type[Exception], codes: Callable[[], Iterable[str]], product: Iterable[Path], errors: Iterable[Path]
    ) -> None:
        self._root, self._codes = root, codes
        self._product, self._errors = tuple(product), (Path(__file__), *errors)
        self._place = functools.cache(self._place_of)
        self._all_there = True
        self.raised: set[str] = set()
        self.without_code: set[str] = set()
        self.missing: list[str] = []

    def _place_of(self, name: str) -> str:
        file = Path(name).resolve()
        if any(file.is_relative_to(each) for each in self._errors):
            return "errors"
        return "product" if any(file.is_relative_to(each) for each in self._product) else "elsewhere"

    def _note(self, error: Any) -> None:
        frame = sys._getframe(2)
        while frame and self._place(frame.f_code.co_filename) == "errors":
            frame = frame.f_back
        if not frame or self._place(frame.f_code.co_filename) != "product":
            return
        if error.code:
            self.raised.add(error.code)
        else:
            self.without_code.add(type(error).__name__)

    def pytest_sessionstart(self) -> None:
        plain, note = self._root.__init__, self._note

        def recording(error: Any, *words: Any, **more: Any) -> None:
            note(error)
            plain(error, *words, **more)

        self._root.__init__ = recording  # type: ignore[method-assign]

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._all_there = self._all_there and not items

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        """Join what a worker of pytest-xdist has seen; one that crashed has seen what nobody knows."""
        raised, without_code, all_there = getattr(node, "workeroutput", {}).get(HANDED_OVER, ([], [], False))
        self.raised |= set(raised)
        self.without_code |= set(without_code)
        self._all_there = self._all_there and all_there and error is None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if hasattr(session.config, "workeroutput"):
            vars(session.config)["workeroutput"][HANDED_OVER] = (
                sorted(self.raised),
                sorted(self.without_code),
                self._all_there,
            )
            return
        if self._all_there and is_whole(session, exitstatus):
            self.missing = sorted(set(self._codes()) - self.raised)
        if self.missing or self.without_code:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.without_code:
            terminalreporter.section("errors without a code", red=True, bold=True)
            terminalreporter.write_line(f"The product made {', '.join(sorted(self.without_code))}, which has no code.")
        if self.missing:
            terminalreporter.section("errors that nothing raised", red=True, bold=True)
            terminalreporter.write_line(
                f"The product raised no error with the code {', '.join(self.missing)} in this run of all tests: write a"
                " test that makes it, or take the error out."
            )


def is_whole(session: pytest.Session, exitstatus: int) -> bool:
    """Whether all tests of the test folders were run to the end."""
    config = session.config
    folders = {(config.rootpath / each).resolve() for each in config.getini("testpaths")}
    asked = {(config.invocation_params.dir / each).resolve() for each in config.args}
    return (
        asked in (folders, {config.rootpath.resolve()})
        and not any(getattr(config.option, name, None) for name in NARROWING)
        and not (session.shouldfail or session.shouldstop)
        and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    )
