"""Say where two records of record.py differ.

``python compare.py A B [--tolerance 0] [--ignore PATTERN…] [--common]`` prints a line for each difference and exits
with 1 if there is any. With a tolerance, numbers that differ by no more than it are the same, and so are pictures of
one size and mode whose mean in each channel differs by no more. A and B are record.json or the folders that hold it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST = 160
"""Characters of a value that are shown."""


def read(place: Path) -> dict[str, Any]:
    """A record by its file or its folder."""
    return json.loads((place / "record.json" if place.is_dir() else place).read_text("utf-8"))


def differences(before: Any, after: Any, tolerance: float, place: str = "") -> Iterator[tuple[str, str]]:
    """Place and description of each difference between two JSON values."""
    if isinstance(before, dict) and isinstance(after, dict):
        alike = tolerance > 0 and _same_pictures(before, after, tolerance)
        for key in sorted(before.keys() | after.keys()):
            inside = f"{place}/{key}"
            if key not in after:
                yield inside, f"is gone: {_short(before[key])}"
            elif key not in before:
                yield inside, f"is new: {_short(after[key])}"
            elif not (alike and key in {"pixels", "bytes"}):
                yield from differences(before[key], after[key], tolerance, inside)
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield place, f"has {len(after)} entries, not {len(before)}"
        for number, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from differences(one, other, tolerance, f"{place}[{number}]")
    elif not _same(before, after, tolerance):
        yield place, f"{_short(before)} -> {_short(after)}"


def _same(before: Any, after: Any, tolerance: float) -> bool:
    if _is_number(before) and _is_number(after):
        return before == after or abs(before - after) <= tolerance
    return type(before) is type(after) and before == after


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_pictures(before: dict[str, Any], after: dict[str, Any], tolerance: float) -> bool:
    if "pixels" not in before or "pixels" not in after:
        return False
    means = zip(before["mean"], after["mean"], strict=False)
    shape = all(before[key] == after[key] for key in ("size", "mode"))
    return shape and all(abs(one - other) <= tolerance for one, other in means)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST else f"{text[:MOST]}…"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--tolerance", type=float, default=0.0)
    parser.add_argument("--ignore", nargs="+", default=[], help="regular expressions of places that may differ")
    parser.add_argument("--common", action="store_true", help="compare only the cases that both have")
    given = parser.parse_args()
    before, after = read(given.before), read(given.after)
    if given.common:
        both = before.keys() & after.keys()
        before, after = ({name: record[name] for name in both} for record in (before, after))
    found = 0
    for place, what in differences(before, after, given.tolerance):
        if not any(re.search(pattern, place) for pattern in given.ignore):
            found += 1
            print(f"{place[1:]}: {what}")
    print(f"{found} differences in {len(before.keys() | after.keys())} cases.", file=sys.stderr)
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
