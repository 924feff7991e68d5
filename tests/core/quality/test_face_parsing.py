"""The optional face parser without its weights: the network's form, the map's geometry, and clear refusals."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from likeness_studio.core.errors import ModelCorrupt
from likeness_studio.core.imaging import Cut
from likeness_studio.core.models import manifest
from likeness_studio.core.quality import CLASSES, BiSeNet, Parsing
from likeness_studio.core.quality import face_parsing as parsing


def test_the_network_gives_a_score_per_class_and_pixel():
    network = BiSeNet(len(CLASSES)).eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 64, 96)).shape == (1, 19, 64, 96)


def test_its_parts_are_named_as_in_the_published_checkpoint():
    names = set(BiSeNet(19).state_dict())
    assert {"cp.resnet.layer4.1.bn2.running_var", "cp.arm32.bn_atten.weight", "cp.conv_avg.conv.weight"} <= names
    assert {"ffm.convblk.conv.weight", "ffm.conv2.weight", "conv_out.conv_out.weight"} <= names


def test_weights_with_other_parts_are_refused(tmp_path):
    file = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, file)
    with pytest.raises(ModelCorrupt):
        parsing._network(file)


def test_weights_of_another_size_are_refused(tmp_path):
    file = tmp_path / "small.safetensors"
    state = BiSeNet(19).state_dict()
    state["conv_out.conv_out.weight"] = torch.zeros(3, 256, 1, 1)
    save_file(state, file)
    with pytest.raises(ModelCorrupt):
        parsing._network(file)


def test_a_parsing_is_read_on_another_cut_of_the_photo():
    labels = np.zeros((512, 512), np.uint8)
    labels[:256, :256] = CLASSES.index("hat")
    labels[256:, 256:] = CLASSES.index("skin")
    whole = Parsing(labels, Cut(100.0, 100.0, 200.0, 200.0, (0.0, 0.0), 0.0))
    half = whole.on(Cut(150.0, 150.0, 100.0, 100.0, (0.0, 0.0), 0.0), 40)
    assert half.of("skin").all()
    beyond = whole.on(Cut(100.0, 100.0, 400.0, 400.0, (0.0, 0.0), 0.0), 40)
    assert beyond.of("hat")[10:20, 10:20].all()
    assert beyond.of("skin")[20:30, 20:30].all()
    assert beyond.of("background").sum() == 40 * 40 - 200


def test_the_weights_are_never_a_default():
    model = manifest.models()[parsing.MODEL]
    assert model.commercial == "unclear"
    assert model.file.endswith(".safetensors")
    assert all(source.pickle for source in model.sources if isinstance(source, manifest.UrlSource))
