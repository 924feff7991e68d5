"""dlib's recogniser and its fusion with SFace: by choice, said when the package is missing, cosines that add up."""

import sys

import numpy as np
import pytest

from likeness_studio.core.choices import DLIB_ENGINE, ENGINES, FUSED_ENGINE, STRICTNESS
from likeness_studio.core.errors import DependencyMissing
from likeness_studio.core.faces import dlib_engine, engine_of, find_subject, load_engine
from likeness_studio.core.identity import calibration_of
from likeness_studio.core.identity.enrollment import COPY, embedding_of
from likeness_studio.core.models import manifest, store

KEYS = (DLIB_ENGINE, FUSED_ENGINE)


@pytest.fixture
def no_engine_is_kept():
    load_engine.cache_clear()
    yield
    load_engine.cache_clear()


@pytest.mark.parametrize("name", KEYS)
def test_without_the_package_the_error_says_what_to_install(name, monkeypatch, tmp_path, no_engine_is_kept):
    monkeypatch.setitem(sys.modules, "dlib", None)
    monkeypatch.setattr(store, "path", lambda name: tmp_path / name)
    with pytest.raises(DependencyMissing, match="pip install dlib-bin") as raised:
        load_engine(name, device="cpu")
    assert raised.value.code == "dependency_missing"


def test_importing_the_engines_does_not_import_dlib():
    assert "dlib" not in vars(dlib_engine)
    assert set(KEYS) < set(ENGINES)


def test_the_joined_cosine_is_the_weighted_mean_of_both():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2, 2, 128))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    (a, b), (c, d) = vectors
    share = dlib_engine.SFACE_SHARE
    joined = dlib_engine.join(a, c), dlib_engine.join(b, d)
    assert float(joined[0] @ joined[1]) == pytest.approx(share * float(a @ b) + (1 - share) * float(c @ d))
    assert np.linalg.norm(joined[0]) == pytest.approx(1.0)


@pytest.mark.parametrize("key", KEYS)
def test_each_has_thresholds_of_its_own(key):
    calibration = calibration_of(key)
    assert not calibration.borrowed
    thresholds = [calibration.threshold(fmr) for fmr in STRICTNESS.values()]
    assert thresholds == sorted(thresholds)


def test_the_weights_may_be_used_commercially():
    model = manifest.models()["dlib_resnet"]
    assert (model.commercial, model.size) == ("yes", 22466066)


@pytest.mark.models
@pytest.mark.parametrize("key", KEYS)
def test_it_tells_people_apart(key, portraits, no_engine_is_kept):
    pytest.importorskip("dlib", reason="install the dlib extra to test its engines")
    if store.locate("dlib_resnet") is None:
        pytest.skip("fetch dlib_resnet to test dlib's engines")
    from likeness_studio.core.imaging import load_photo

    engine = engine_of(key, "cpu")
    found = [find_subject(engine, load_photo(portraits / f"{name}.jpg")[0][0]) for name in ("obama", "obama2", "biden")]
    own, again, other = (embedding_of(subject) for subject in found)
    gate = calibration_of(key).threshold(1e-3)
    assert float(own @ other) < gate < float(own @ again)
    assert float(np.linalg.norm(own)) == pytest.approx(1.0)
    assert {"yunet", "dlib_resnet"} <= {model["name"] for model in engine.models}


@pytest.mark.parametrize(("key", "limit"), [("yunet-sface", 0.985), (DLIB_ENGINE, 0.9984), (FUSED_ENGINE, 0.9925)])
def test_what_counts_as_a_copy_goes_by_the_spread_of_the_engines_cosines(key, limit):
    threshold = calibration_of(key).threshold(1e-4)
    assert 1 - COPY * (1 - threshold) == pytest.approx(limit, abs=2e-4)
