"""What a model's weights allow, worked out without ComfyUI."""

import pytest
import torch

from likeness_studio.core.errors.formats import LoraFileDamaged
from likeness_studio.core.lora import open_path
from likeness_studio.nodes import host
from likeness_studio.nodes.lora_patching import _check_growth, fits_shape, target_of


class Holder:
    """A MODEL of one packed and one plain weight."""

    def __init__(self) -> None:
        self.model = torch.nn.Module()
        self.model.register_buffer("packed", torch.zeros(64, 1, dtype=torch.uint8))
        self.model.register_buffer("plain", torch.zeros(24, 8))


def test_a_quantised_weight_is_not_compared_by_its_packed_shape(monkeypatch, formats, tmp_path):
    monkeypatch.setattr(
        host,
        "lora_names",
        lambda model, clip: {"a": "packed", "b": "plain", "c": ("plain", (0, 8, 8)), "d": ("packed", (0, 8, 8))},
    )
    target = target_of(Holder())
    made = formats.make("kohya")
    layer = next(iter(open_path(made.save(tmp_path / "a.safetensors"), "a").layers.found.values()))
    assert target.shape("a") == target.shape("d") == ()
    assert fits_shape(layer, ())
    assert target.shape("b") == (24, 8)
    assert target.shape("c") == (8, 8)
    assert target.shape("nowhere") is None


@pytest.mark.parametrize("size", [[2**20, 2**20], [0, 8], [-8, 8]])
def test_a_weight_is_not_enlarged_beyond_any_memory(size, formats, tmp_path):
    file = open_path(formats.make("kohya").save(tmp_path / "a.safetensors"), "a.safetensors")
    _check_growth(file, ["x"], {"x.reshape_weight": torch.tensor([8, 8])})
    with pytest.raises(LoraFileDamaged, match=r"a\.safetensors.*'x'"):
        _check_growth(file, ["x"], {"x.reshape_weight": torch.tensor(size)})
