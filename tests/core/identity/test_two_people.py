"""Photos of two people are no identity, and copies of one photo count once."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from likeness_studio.core.faces import Face, Subject
from likeness_studio.core.identity import enroll, judge_references

KNOWN: Any = SimpleNamespace(key="yunet-sface")
"""An engine of which only the calibration is asked."""


def _people(seed, counts, spread=0.9) -> list[Any]:
    """Subjects with embeddings round one centre for each of `counts`: photos of one person agree by about 0.55."""
    rng, found = np.random.default_rng(seed), []
    for count in counts:
        centre = rng.normal(size=128) / np.sqrt(128)
        for _ in range(count):
            vector = centre + spread * rng.normal(size=128) / np.sqrt(128)
            found.append(Subject(Face((0, 0, 9, 9), np.zeros((5, 2)), 0.9, vector / np.linalg.norm(vector))))
    return found


@pytest.mark.parametrize("count", [2, 3, 5])
def test_photos_of_two_people_are_no_identity(count):
    """Each agrees with the mean of all by about 0.6, so no single photo is an outlier."""
    for seed in range(20):
        references = judge_references(KNOWN, _people(seed, [count, count]))
        assert not any(reference.accepted for reference in references)


@pytest.mark.parametrize(("counts", "refused"), [([4, 2], {4, 5}), ([2, 5], {0, 1}), ([6, 3], {6, 7, 8}), ([7], set())])
def test_a_clear_majority_is_the_person(counts, refused):
    for seed in range(20):
        references = judge_references(KNOWN, _people(seed, counts))
        assert {each.index for each in references if not each.accepted} == refused


def test_a_third_person_is_taken_out_too():
    references = judge_references(KNOWN, _people(3, [5, 1, 2]))
    assert [reference.accepted for reference in references] == [True] * 5 + [False] * 3


def test_copies_of_one_photo_count_once():
    """Three copies have no baseline: they cannot agree with anything."""
    (photo,) = _people(1, [1])
    noisy = [replace(photo, face=replace(photo.face, embedding=photo.face.embedding + 1e-3 * k)) for k in range(3)]
    for each in noisy:
        each.face.embedding[:] /= np.linalg.norm(each.face.embedding)
    references = judge_references(KNOWN, noisy)
    assert [each.copy_of for each in references] == [None, 0, 0]
    assert all(each.accepted for each in references)
    assert references[2].as_dict()["notes"] == ["It is the same photo as photo 1, and counts once."]


@pytest.mark.models
def test_copies_do_not_outvote(engine, portrait):
    """Two photos of one person and four copies of a photo of another: nobody has a majority."""
    photos = [portrait("obama"), portrait("obama2"), *[portrait("biden")] * 4]
    identity, references = enroll(engine, photos, leave_out=True)
    assert [reference.accepted for reference in references] == [True, True, False, False, False, False]
    assert (identity.photos, len(identity.agreement)) == (2, 2)
