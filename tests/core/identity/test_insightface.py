"""The insightface engine with a real pack. Its weights are for research only, so only tests of this engine use them."""

from pathlib import Path

import pytest

from likeness_studio.core.errors import DependencyMissing, EngineMismatch, ModelMissing, UnsafePath
from likeness_studio.core.faces import InsightFaceEngine, engine_of, load_engine
from likeness_studio.core.identity import Gate, calibration_of, check_likeness, enroll

pytestmark = pytest.mark.insightface


RESEARCH_MODELS = Path(__file__).parents[3] / ".venv" / "research-models"
"""Where `make test` puts them: apart from the user's own models."""


@pytest.fixture(scope="module")
def research_engine():
    pytest.importorskip("insightface", reason="install the insightface extra to test its engine")
    with pytest.MonkeyPatch.context() as patch:
        if RESEARCH_MODELS.is_dir():
            patch.setenv("LIKENESS_MODELS", str(RESEARCH_MODELS))
        try:
            return load_engine("insightface", "buffalo_s", "cpu")
        except ModelMissing as error:
            pytest.skip(str(error))


def test_it_tells_people_apart(research_engine, portrait):
    person, _ = enroll(research_engine, [portrait("obama"), portrait("obama2")])
    gate = Gate.measured(calibration_of(research_engine.key), 1e-4)
    judgement = check_likeness(research_engine, person, [portrait("obama3"), portrait("biden"), portrait("demo")], gate)
    assert [verdict.passed for verdict in judgement.verdicts] == [True, False, False]


def test_its_licence_is_said(research_engine):
    (model,) = research_engine.models
    assert model["commercial"] == "no"
    assert "non-commercial" in model["licence"]


def test_landmarks_agree_with_the_default_engine(research_engine, engine, portrait):
    theirs, ours = research_engine.detect(portrait("obama"))[0], engine.detect(portrait("obama"))[0]
    assert abs(theirs.landmarks - ours.landmarks).max() < 0.15 * ours.eye_distance


def test_an_identity_of_one_engine_is_not_judged_by_the_other(research_engine, engine, portrait):
    person, _ = enroll(research_engine, [portrait("obama")])
    with pytest.raises(EngineMismatch, match="buffalo_s"):
        check_likeness(engine, person, [portrait("obama")], Gate.custom(0.4))
    assert engine_of(person.engine, "cpu") is research_engine


def test_a_pack_that_is_not_there_is_not_downloaded():
    with pytest.raises(ModelMissing, match="nothing_l"):
        InsightFaceEngine("nothing_l", "cpu")


def test_a_pack_name_never_leaves_the_folder():
    with pytest.raises(UnsafePath):
        InsightFaceEngine("../../etc", "cpu")


def test_without_the_package_it_says_what_to_install(monkeypatch, tmp_path):
    import sys

    pack = tmp_path / "insightface" / "models" / "buffalo_x"
    pack.mkdir(parents=True)
    (pack / "det.onnx").write_bytes(b"")
    monkeypatch.setenv("LIKENESS_MODELS", str(tmp_path))
    monkeypatch.setitem(sys.modules, "insightface.app", None)
    with pytest.raises(DependencyMissing, match=r"pip install"):
        InsightFaceEngine("buffalo_x", "cpu")
