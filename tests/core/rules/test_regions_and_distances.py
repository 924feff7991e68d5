"""Connected regions and distances, beside the plainest way to work them out."""

import numpy as np
import pytest
import torch

from likeness_studio.core.imaging import EXACT, distance_to, find_regions, touches_border


def random_mask(seed, height=40, width=56, share=0.55):
    return np.random.default_rng(seed).random((height, width)) < share


def flooded(mask):
    """The regions as sets of pixels, by flood fill."""
    left, regions = {tuple(spot) for spot in np.argwhere(mask)}, []
    while left:
        edge = [left.pop()]
        region = set(edge)
        while edge:
            row, column = edge.pop()
            near = {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)} & left
            left -= near
            region |= near
            edge += near
        regions.append(frozenset(region))
    return set(regions)


@pytest.mark.parametrize("seed", range(4))
def test_regions_are_those_of_a_flood_fill(seed):
    mask = random_mask(seed)
    found = find_regions(mask)
    sets = [frozenset(map(tuple, np.argwhere(found.labels == number + 1))) for number in range(len(found.sizes))]
    assert set(sets) == flooded(mask)
    assert [len(each) for each in sets] == found.sizes.tolist()
    assert bool((found.labels[~mask] == 0).all())
    rim = {(row, column) for row, column in np.ndindex(mask.shape) if row in (0, 39) or column in (0, 55)}
    assert touches_border(found).tolist() == [bool(each & rim) for each in sets]


@pytest.mark.parametrize("whole", [True, False])
def test_one_region_or_none(whole):
    found = find_regions(np.full((5, 7), whole))
    assert found.sizes.tolist() == [35] * whole
    assert bool((found.labels == whole).all())


@pytest.mark.parametrize("limit", [0.5, 1.0, 3.0, 7.5, 40.0])
@pytest.mark.parametrize("share", [0.0, 0.002, 0.05, 1.0])
def test_distances_are_those_to_the_nearest_pixel(limit, share):
    mask = random_mask(5, share=share)
    wanted = np.full(mask.shape, limit)
    for row, column in np.argwhere(mask):
        rows, columns = np.indices(mask.shape)
        wanted = np.minimum(wanted, np.hypot(rows - row, columns - column))
    found = distance_to(torch.from_numpy(mask), limit)
    assert found.dtype == torch.float32
    assert found.numpy() == pytest.approx(wanted, abs=1e-4)


def test_a_far_limit_is_near_enough_and_exact_close_by():
    mask = torch.zeros(260, 700, dtype=torch.bool)
    mask[100:104, 20:22] = True
    exact = distance_to(mask[:, :EXACT], EXACT)
    far = distance_to(mask, 500.0)
    assert torch.equal(torch.minimum(far, torch.tensor(float(EXACT)))[:, :EXACT], exact)
    assert float(far[102, 421]) == pytest.approx(400, abs=0.015 * 500)
