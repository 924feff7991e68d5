"""The carried core nodes; that they equal core's is held on a real ComfyUI in test_client.py."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from likeness_studio.core import host
from likeness_studio.core.imaging import expand_prefix
from likeness_studio.runner.backends import core_nodes, core_picture_nodes


@pytest.fixture
def photos(folders):
    with host.use(host.LocalHost(folders.input, folders.output, folders.temp)):
        yield folders.input


def test_mask_of_a_transparent_picture(photos):
    Image.new("RGBA", (4, 2), (10, 20, 30, 51)).save(photos / "glass.png")
    mask = core_nodes.LoadImageMask.execute("glass.png", "alpha").args[0]
    assert mask.shape == (1, 2, 4)
    assert torch.allclose(mask, torch.tensor(0.8))
    red = core_nodes.LoadImageMask.execute("glass.png", "red").args[0]
    assert torch.allclose(red, torch.tensor(10 / 255))


def test_mask_of_an_opaque_picture_is_empty_and_of_its_size(photos):
    Image.new("RGB", (4, 2)).save(photos / "solid.png")
    mask = core_nodes.LoadImageMask.execute("solid.png", "alpha").args[0]
    assert mask.shape == (1, 2, 4)
    assert mask.sum() == 0


def test_batch_of_two_sizes_takes_the_first(photos):
    batch = core_nodes.ImageBatch.execute(torch.zeros(1, 10, 20, 3), torch.ones(2, 30, 30, 3)).args[0]
    assert batch.shape == (3, 10, 20, 3)


def test_batch_of_two_kinds_has_alpha():
    batch = core_nodes.ImageBatch.execute(torch.zeros(1, 10, 20, 3), torch.zeros(1, 10, 20, 4)).args[0]
    assert batch.shape == (2, 10, 20, 4)
    assert batch[:, 0, 0, 3].tolist() == [1, 0]


@pytest.mark.parametrize(("pictures", "masks"), [(3, 2), (2, 3), (1, 3), (3, 1)])
def test_the_shorter_of_pictures_and_masks_begins_again(pictures, masks):
    image = torch.arange(pictures).float().reshape(-1, 1, 1, 1).expand(-1, 2, 2, 3)
    alpha = torch.arange(masks).float().reshape(-1, 1, 1).expand(-1, 2, 2)
    joined = core_nodes.JoinImageWithAlpha.execute(image, alpha).args[0]
    assert joined[:, 0, 0, 0].tolist() == [number % pictures for number in range(3)]
    assert joined[:, 0, 0, 3].tolist() == [1 - number % masks for number in range(3)]


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"])
def test_scale_keeps_proportions_for_a_side_of_zero(method):
    scaled = core_nodes.ImageScale.execute(torch.rand(2, 10, 20, 3), method, 40, 0, "disabled").args[0]
    assert scaled.shape == (2, 20, 40, 3)


def test_scale_with_no_size_changes_nothing():
    image = torch.rand(1, 3, 4, 3)
    assert core_nodes.ImageScale.execute(image, "area", 0, 0, "center").args[0] is image


@pytest.mark.parametrize(
    ("source", "text"),
    [("word", "word"), (3, "3"), (True, "True"), (None, "None"), ([1, "é"], '[\n    1,\n    "é"\n]')],
)
def test_preview_any_shows_text(source, text):
    output = core_nodes.PreviewAny.execute(source)
    assert (output.args, output.ui) == ((text,), {"text": [text]})


def test_date_words_in_prefixes():
    now = (2026, 3, 4, 5, 6, 7, 0, 0, 0)
    import time

    expanded = expand_prefix("%date:yyyy-MM-dd%/%year%%month%_%width%_%unknown%", 10, 20, time.struct_time(now))
    assert expanded == "2026-03-04/202603_10_%unknown%"


def test_manager_sees_no_node_of_ours_in_the_core_nodes():
    """ComfyUI Manager lists classes that derive from io.ComfyNode directly and name a literal node_id."""
    import ast
    from pathlib import Path

    direct = []
    for module in (core_nodes, core_picture_nodes):
        text = Path(str(module.__file__)).read_text("utf-8")
        classes = [item for item in ast.parse(text).body if isinstance(item, ast.ClassDef)]
        direct += [item.name for item in classes if any(ast.unparse(base).endswith("ComfyNode") for base in item.bases)]
        assert 'node_id="' not in text
    assert direct == ["Carried"]


def test_a_picture_gets_an_alpha_channel_and_says_its_size():
    image, mask = torch.rand(1, 4, 6, 3), torch.zeros(1, 2, 3)
    mask[:, 0] = 1
    joined = core_nodes.JoinImageWithAlpha.execute(image, mask).args[0]
    assert joined.shape == (1, 4, 6, 4)
    assert (joined[0, 0, :, 3] == 0).all()
    assert (joined[0, 3, :, 3] == 1).all()
    assert core_nodes.GetImageSize.execute(joined).args == (6, 4, 1)
