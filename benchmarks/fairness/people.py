"""The people of the fairness report: official portraits with labels, a second photo where there is one, and groups.

Nothing of this is in the project: the photos and labels are public data sets whose folders are given on the command
line. The labels were put there by others; the report uses them as they are.
"""

from __future__ import annotations

import argparse
import csv
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TAKEN = datetime.date(2021, 1, 3)
"""The day on which ages are counted: the first of the Congress whose members these are. When a portrait was taken is
not known."""

ENOUGH = 30
"""From so many people on, figures of a group are used to choose anything."""

ETHNICITIES = {
    "white-american": "white",
    "african-american": "Black",
    "hispanic-american": "Hispanic",
    "asian-american": "Asian",
    "native-american": "Native American",
    "multi-racial-american": "several (as labelled)",
    "pacific-islander": "Pacific Islander",
    "middle-eastern-american": "Middle Eastern",
}
"""The labels, and how the report names them."""

GENDERS = {"female": "women", "male": "men"}
BANDS = (
    (0, 45, "under 45"),
    (45, 55, "45 to 54"),
    (55, 65, "55 to 64"),
    (65, 75, "65 to 74"),
    (75, 200, "75 and more"),
)
KINDS = ("everybody", "gender", "ethnicity", "age", "ethnicity and gender")


@dataclass(frozen=True)
class Person:
    """One person: portrait in colour, a second public photo or None, and the labels."""

    id: str
    portrait: Path
    other: Path | None
    gender: str
    ethnicity: str
    age: int

    @property
    def band(self) -> str:
        """The age band in words."""
        return next(name for low, high, name in BANDS if low <= self.age < high)


@dataclass(frozen=True)
class Group:
    """Some of the people. members: their places in the list of all."""

    kind: str
    name: str
    members: tuple[int, ...]

    @property
    def few(self) -> bool:
        """Whether it has too few people to choose anything by."""
        return len(self.members) < ENOUGH


def read_people(houses: list[Path], directory: Path | None) -> list[Person]:
    """The people of CivilServiceUSA repositories (us-senate, us-house); `directory`: second photos by bioguide id."""
    people = []
    for house in houses:
        table = next((house / "data").glob("us-*.csv"))
        with table.open(encoding="utf-8", newline="") as lines:
            people += [_person(row, house, directory) for row in csv.DictReader(lines)]
    return people


def _person(row: dict[str, str], house: Path, directory: Path | None) -> Person:
    born = datetime.date.fromisoformat(row["date_of_birth"])
    age = TAKEN.year - born.year - ((TAKEN.month, TAKEN.day) < (born.month, born.day))
    portrait = house / "images" / "headshots" / "1024x1024" / f"{row['name_slug']}.jpg"
    other = directory / f"{row['bioguide']}.jpg" if directory else None
    found = other if other and other.is_file() else None
    return Person(row["bioguide"], portrait, found, GENDERS[row["gender"]], ETHNICITIES[row["ethnicity"]], age)


def groups_of(people: list[Person]) -> list[Group]:
    """Every group with at least one person: of each kind in the order of KINDS, the larger first but ages in order."""
    ways: dict[str, Callable[[Person], str]] = {
        "everybody": lambda _: "everybody",
        "gender": lambda person: person.gender,
        "ethnicity": lambda person: person.ethnicity,
        "age": lambda person: person.band,
        "ethnicity and gender": lambda person: f"{person.ethnicity} {person.gender}",
    }
    groups = []
    for kind in KINDS:
        names: dict[str, list[int]] = {}
        for place, person in enumerate(people):
            names.setdefault(ways[kind](person), []).append(place)
        order = [name for *_, name in BANDS if name in names]
        if kind != "age":
            order = sorted(names, key=lambda name: (-len(names[name]), name))
        groups += [Group(kind, name, tuple(names[name])) for name in order]
    return groups


def add_people(parser: argparse.ArgumentParser) -> None:
    """The arguments that name the data."""
    parser.add_argument("--house", type=Path, action="append", required=True, help="a CivilServiceUSA data set folder")
    parser.add_argument("--directory", type=Path, help="folder of second photos, named by bioguide id")
