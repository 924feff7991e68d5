"""Try Strengths and Compare Likeness, executed as the executor does, on a real face."""

import json

import pytest
import torch
from PIL import ImageFilter

from likeness_studio.core import host
from likeness_studio.core.choices import DEFAULT_STRICTNESS
from likeness_studio.core.errors import LabelsMismatch, NothingToCompare
from likeness_studio.core.imaging import from_pil, load_photo, to_pil
from likeness_studio.nodes.compare import CompareLikeness, TryStrengths
from likeness_studio.nodes.identity import EnrollIdentity
from likeness_studio.runner.backends import Folders, LocalEngine
from likeness_studio.runner.report import write_report
from likeness_studio.runner.workflow import Workflow

RADII = (0, 2, 4, 8, 20)


@pytest.fixture
def place(tmp_path):
    folders = [tmp_path / name for name in ("input", "output", "temp")]
    with host.use(host.LocalHost(*folders)) as surroundings:
        yield surroundings


@pytest.fixture(scope="module")
def photo(astronaut):
    return load_photo(astronaut)[0]


@pytest.fixture(scope="module")
def blurred(photo):
    return [from_pil(to_pil(photo[0]).filter(ImageFilter.GaussianBlur(radius))) for radius in RADII]


@pytest.fixture
def compare(place, photo):
    identity = EnrollIdentity.execute(
        photos=[photo], several_faces=["refuse"], min_face=[48], on_refused=["stop"], name=["Eileen"]
    )[0]

    def go(images, **more):
        return CompareLikeness.execute(
            images=images,
            identity=[identity],
            strictness=[DEFAULT_STRICTNESS],
            custom_threshold=[0.4],
            several_faces=["refuse"],
            min_face=[48],
            axis=["blur"],
            **more,
        )

    return go


def test_strengths_and_labels_belong_together():
    assert TryStrengths.execute("0.1 0.30", "").args == ([0.1, 0.3], ["0.1", "0.3"])
    assert TryStrengths.execute("1", "model A")[1] == ["model A · 1"]


@pytest.mark.models
def test_likeness_falls_with_blur_and_no_face_has_no_number(compare, blurred, place):
    output = compare(blurred, labels=[str(radius) for radius in RADII])
    grid, plot, text = output.args
    report = json.loads(text)
    pictures = report["pictures"]
    assert [picture["label"] for picture in pictures] == [str(radius) for radius in RADII]
    assert [picture["value"] for picture in pictures] == list(RADII)
    cosines = [picture["cosine"] for picture in pictures[:4]]
    assert cosines == sorted(cosines, reverse=True)
    assert cosines[0] > 0.95
    assert [picture["outcome"] for picture in pictures] == ["pass", "pass", "fail", "fail", "no_face"]
    assert pictures[-1]["cosine"] is None
    assert pictures[-1]["score"] is None
    assert report["best"] == "0"
    assert report["passed"] == 2
    assert report["threshold"] == pytest.approx(0.42, abs=0.02)
    assert grid.ndim == plot.ndim == 4
    assert grid.shape[0] == plot.shape[0] == 1
    assert "likeness" not in output.ui
    assert output.ui["comparison"] == [report]
    assert len(output.ui["images"]) == 2
    assert (place.temp_dir / output.ui["images"][1]["filename"]).is_file()
    assert "20: no face" in output.ui["text"][0]


@pytest.mark.models
def test_branches_are_series_and_batches_share_a_label(compare, blurred):
    output = compare(
        [torch.cat(blurred[:2])],
        labels=["a · 1"],
        images_2=[blurred[1], blurred[2]],
        labels_2=["b · 1", "b · 2"],
        images_3=[blurred[0]],
    )
    pictures = json.loads(output[2])["pictures"]
    assert [(picture["series"], picture["value"]) for picture in pictures] == [
        ("a", 1.0), ("a", 1.0), ("b", 1.0), ("b", 2.0), ("", None),
    ]  # fmt: skip
    assert pictures[1]["cosine"] == pictures[2]["cosine"]


@pytest.mark.models
def test_pictures_of_different_sizes_stand_in_one_grid(compare, blurred):
    small = torch.nn.functional.interpolate(blurred[0].permute(0, 3, 1, 2), (300, 260)).permute(0, 2, 3, 1)
    assert compare([blurred[0], small])[0].shape[0] == 1


@pytest.mark.models
def test_labels_that_do_not_fit_are_refused(compare, blurred):
    with pytest.raises(LabelsMismatch):
        compare(blurred, labels=["1", "2"])


@pytest.mark.models
def test_an_empty_list_of_pictures_is_refused(compare):
    with pytest.raises(NothingToCompare):
        compare([])


@pytest.mark.models
def test_measured_stages_come_into_the_report(compare, blurred):
    stage = {"name": "sampler", "seconds": 1.5, "peak_memory_bytes": 2**30, "device": "cpu"}
    one = json.dumps(stage)
    each = json.loads(compare(blurred[:2], measured=[one, json.dumps(stage | {"seconds": 2.5})])[2])
    assert [picture["measured"]["seconds"] for picture in each["pictures"]] == [1.5, 2.5]
    assert each["measured"] == []
    together = compare(blurred[:2], measured=[one])
    report = json.loads(together[2])
    assert report["measured"] == [stage]
    assert "measured" not in report["pictures"][0]
    assert "sampler: 1.50 s, at most 1,024 MB on cpu" in together.ui["text"][0]
    assert json.loads(compare(blurred[:1], measured=["not json", "[]"])[2])["measured"] == []


@pytest.mark.models
def test_several_reference_photos_give_the_plot_a_baseline(place, photo, portraits, blurred):
    photos = [load_photo(portraits / f"{name}.jpg")[0] for name in ("obama", "obama2", "obama3")]
    identity = EnrollIdentity.execute(
        photos=photos, several_faces=["refuse"], min_face=[48], on_refused=["stop"], name=[""]
    )[0]
    output = CompareLikeness.execute(
        images=photos,
        identity=[identity],
        strictness=[DEFAULT_STRICTNESS],
        custom_threshold=[0.4],
        several_faces=["refuse"],
        min_face=[48],
        axis=["photo"],
    )
    assert json.loads(output[2])["baseline"]["photos"] == 3
    blue = (output[1][0] * 255 - torch.tensor([0x3A, 0x6E, 0xA8])).abs().amax(dim=-1) < 12
    assert blue.sum() > 400, "the line of the person's own median"


@pytest.mark.models
def test_a_comparison_is_no_verdict_and_is_in_the_report(astronaut, tmp_path):
    """A graph in this process: six backdrops, each with its likeness."""
    import shutil

    folders = Folders(*(tmp_path / name for name in ("input", "output", "temp")))
    folders.input.mkdir()
    shutil.copy(astronaut, folders.input / "me.jpg")
    result = LocalEngine().run(Workflow.from_api("compare", graph("0, 0.5, 1")), folders)
    assert result.verdict is None
    (report,) = result.comparisons
    assert [picture["label"] for picture in report["pictures"]] == ["light · 0", "light · 0.5", "light · 1"]
    assert all(picture["passed"] for picture in report["pictures"])
    html = write_report(result, tmp_path)[0].read_text("utf-8")
    assert "Pictures were compared." in html
    assert "3 of 3 pictures show the same person." in html
    assert 'class="chart"' in html
    assert "comparisons" in json.loads((tmp_path / "report.json").read_text("utf-8"))


def graph(values):
    node = lambda kind, **inputs: {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}}  # noqa: E731
    judged = {"strictness": DEFAULT_STRICTNESS, "custom_threshold": 0.4, "several_faces": "refuse", "min_face": 48}
    return {
        "1": node("LoadImage", image="me.jpg"),
        "2": node(
            "LikenessEnrollIdentity", photos=["1", 0], several_faces="refuse", min_face=48, on_refused="stop", name=""
        ),
        "3": node("LikenessMattePerson", image=["1", 0], model="u2net", device="auto"),
        "4": node(
            "LikenessStudioBackdrop", style="seamless paper", colour="navy", width=512, height=512, light=0.5,
            vignette=0.3, seed=0, size_like=["1", 0],
        ),
        "5": node("LikenessTryStrengths", values=values, series="light"),
        "6": node(
            "LikenessComposePortrait", foreground=["1", 0], mask=["3", 0], background=["4", 0], light_wrap=0.25,
            contact_shadow=0.0, match_light=["5", 0], match_colour=0.25, hue_limit=2.0,
        ),
        "7": node(
            "LikenessCompareLikeness", images=["6", 0], identity=["2", 0], axis="match_light", labels=["5", 1], **judged
        ),
    }  # fmt: skip
