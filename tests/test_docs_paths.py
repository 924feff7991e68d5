"""Paths of this project that the pages for people name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")])
PATH = re.compile(
    r"\b(?:core|nodes|runner|tests|benchmarks|docs|web|workflows)/[\w./*-]+\.(?:py|toml|md|json|jpg|svg|csv)\b"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_a_page_names_are_there(page):
    named = set(PATH.findall(page.read_text("utf-8")))
    assert [name for name in sorted(named) if not any(ROOT.glob(name)) and not any(page.parent.glob(name))] == []
