"""What the fuzz tests of files share: damage to a text and to the tree that it holds, and what an error must be."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from likeness_studio.core.errors import LikenessError, registry

QUICK = settings(
    max_examples=120,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


def explained(error: LikenessError) -> None:
    """An error that a person and a program can act on."""
    assert error.code in registry()
    assert str(error)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["class_type", "LikenessFrame", "LoadImage", "1", "-1", "\ud800", "../../x", "\x00"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """`content` with pieces cut out, doubled, or overwritten by any bytes."""
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(content)))
        end = min(len(content), begin + draw(st.integers(0, 40)))
        piece = draw(st.one_of(st.binary(max_size=8), st.just(content[begin:end] * 2), st.sampled_from(_JSON_PIECES)))
        content = content[:begin] + piece + content[end:]
    return content


_JSON_PIECES = [b"{", b"}", b"[", b"]", b"null", b"NaN", b"1e999", b"-", b'"', b"," * 3, b"[" * 2000, b"9" * 5000]


@st.composite
def damaged_tree(draw: st.DrawFn, tree: Any) -> Any:
    """A copy of `tree` with some of its parts replaced by anything, left out, or put elsewhere."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 4))):
        place = tree
        while isinstance(place, dict | list) and place:
            key = draw(st.sampled_from(sorted(place, key=str) if isinstance(place, dict) else range(len(place))))
            deeper = isinstance(place[key], dict | list) and place[key]
            if deeper and draw(st.integers(0, 3)):
                place = place[key]
                continue
            match draw(st.sampled_from(["replace", "drop", "repeat"])):
                case "replace":
                    place[key] = draw(VALUES)
                case "drop":
                    del place[key]
                case "repeat":
                    place[key] = copy.deepcopy(tree) if draw(st.booleans()) else [place[key], place[key]]
            break
    return tree
