"""A TOML table is read strictly, and whatever is in a file ends in one sentence with its name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pytest

from likeness_studio.core.errors import PresetInvalid
from likeness_studio.core.toml_tables import MOST_BYTES, read_tables


class Size(StrEnum):
    SMALL = "small"


@dataclass(frozen=True)
class Hat:
    name: str
    size: Size
    brims: tuple[int, ...] = ()
    price: float = 0.0
    band: dict[str, str] | None = None


@pytest.fixture
def hats(tmp_path):
    def write(text):
        file = tmp_path / "hats.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_tables(file, Hat, PresetInvalid)

    return write


def test_only_what_toml_lacks_is_converted(hats):
    found = hats('[bowler]\nsize = "small"\nbrims = [3, 4]\nprice = 20\n[fez]\nsize = "small"')
    assert found == {"bowler": Hat("bowler", Size.SMALL, (3, 4), 20.0), "fez": Hat("fez", Size.SMALL)}
    assert hats("") == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("size = 3", r"line 2, \[bowler\] key size is 3 and should be 'small'"),
        ('size = "small"\nprice = true', r"line 3, .*key price is True and should be a valid number"),
        ('size = "small"\nprice = "20"', r"key price is '20' and should be a valid number"),
        ('size = "small"\nbrims = [3.0]', r"key brims is 3\.0 and should be a valid integer"),
        ("brims = []", r"line 1, \[bowler\] key size is missing"),
        ('size = "small"\nprize = 3', r"line 3, .*key prize is not known here; did you mean price\?$"),
        ('size = "small"\nzzz = 3', r"key zzz is not known here; known keys are band, brims, price, size\.$"),
        ('size = "small"\nname = "fez"', r"key name is not known here"),
        ("size = 2026-11-20", r"\[bowler\] holds what no such table has .*put dates into quotes"),
        ("size" + ".a" * 3000 + " = 1", r"\[bowler\] holds what no such table has"),
        ("size = 0x" + "f" * 9000, r"\[bowler\] holds what no such table has"),
        ("size = " + "9" * 5000, r"hats\.toml is not TOML"),
        ("size = " + "[" * 5000, r"hats\.toml is not TOML"),
        ('size = "small\n', r"hats\.toml is not TOML: .*line 2.*correct"),
        (b"\xff\xfe", r"hats\.toml cannot be read .*UTF-8"),
        ("#" * MOST_BYTES, r"hats\.toml is larger than 1,000,000 bytes"),
        ("[[fez]]", r"\[fez\] must be a table"),
    ],
)
def test_a_fault_is_a_sentence_with_file_line_table_key_and_value(hats, line, said):
    text = b"[bowler]\n" + (line if isinstance(line, bytes) else line.encode())
    if line == "[[fez]]":
        text = line.encode()
    with pytest.raises(PresetInvalid, match=said) as caught:
        hats(text)
    assert "hats.toml" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.toml cannot be read"):
        read_tables(tmp_path / "gone.toml", Hat)
