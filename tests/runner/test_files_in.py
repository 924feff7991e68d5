"""Photos from anywhere reach the right nodes under safe names."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from likeness_studio.core.errors import PhotoMissing
from likeness_studio.runner import errors
from likeness_studio.runner.cli import main
from likeness_studio.runner.workflow import Given, from_object_info, safe_name, stage_input_files
from likeness_studio.runner.workflow.input_files import parse_given
from likeness_studio.runner.workflow.overrides import apply_settings, parse_setting


@pytest.fixture
def graph(workflow, make):
    return workflow(
        {
            "1": make("LoadImage", "Second (optional)", image=""),
            "2": make("LoadImage", "Photo", image="example.png"),
            "3": make("LikenessLoadPhotos", "References", folder=""),
            "4": make("ImageBatch", image1=["2", 0], image2=["1", 0]),
            "5": make("LikenessLoadIdentity", "Person", filename="p.safetensors"),
        }
    )


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(path.name.encode())
    return path


def test_required_photos_come_first_then_optional_then_the_folder(graph, tmp_path):
    paths = [photo(tmp_path / "mine" / name) for name in ("a b.jpg", "ü.png", "c.jpg", "d.jpg")]
    staged, used = stage_input_files(graph, [Given(path) for path in paths], tmp_path / "in")
    assert staged.nodes["2"].inputs["image"] == "a_b.jpg"
    assert staged.nodes["1"].inputs["image"] == "u.png"
    assert staged.nodes["3"].inputs["folder"] == "photos_3"
    assert sorted(path.name for path in (tmp_path / "in" / "photos_3").iterdir()) == ["c.jpg", "d.jpg"]
    assert {(use.title, use.name) for use in used} >= {("Photo", "a b.jpg"), ("References", "d.jpg")}
    assert graph.nodes["2"].inputs["image"] == "example.png"


def test_named_photos_folders_and_identities(graph, tmp_path):
    folder = photo(tmp_path / "refs" / "x.jpg").parent
    photo(folder / "notes.txt")
    person = photo(tmp_path / "me.safetensors")
    given_ = [parse_given(f"Photo={photo(tmp_path / 'p.jpg')}"), parse_given(str(folder)), parse_given(str(person))]
    staged, used = stage_input_files(graph, given_, tmp_path / "in")
    assert [use.name for use in used] == ["p.jpg", "x.jpg", "me.safetensors"]
    assert staged.nodes["5"].inputs["filename"] == "me.safetensors"
    assert "1" not in staged.nodes
    assert staged.nodes["4"].inputs == {"image1": ["2", 0]}


def test_two_photos_of_one_name_do_not_meet(graph, tmp_path):
    given_ = [Given(photo(tmp_path / folder / "me.jpg")) for folder in ("a", "b")]
    staged, _ = stage_input_files(graph, given_, tmp_path / "in")
    assert (staged.nodes["2"].inputs["image"], staged.nodes["1"].inputs["image"]) == ("me_2.jpg", "me.jpg")


def test_the_workflows_own_photo_is_found_in_the_search_folders_only(graph, tmp_path):
    photo(tmp_path / "near" / "example.png")
    graph.allow_files = True
    staged, used = stage_input_files(graph, [], tmp_path / "in", [tmp_path / "near"])
    assert [use.name for use in used] == ["example.png"]
    graph.nodes["2"].inputs["image"] = "../near/example.png"
    assert stage_input_files(graph, [], tmp_path / "in2", [tmp_path / "in"])[1] == []
    assert staged.nodes["2"].inputs["image"] == "example.png"


@pytest.fixture
def downloads(tmp_path):
    """A folder with private pictures, and a workflow that somebody sent."""
    for name in ("passport.jpg", "sub/me.jpg"):
        photo(tmp_path / "downloads" / name)
    (tmp_path / "downloads" / "loop").symlink_to(tmp_path / "downloads")
    return tmp_path / "downloads"


@pytest.mark.parametrize(("node", "name"), [("2", "passport.jpg"), ("2", "./sub/../passport.jpg"), ("3", "sub")])
def test_a_file_that_only_the_workflow_names_is_asked_for(graph, downloads, tmp_path, node, name):
    graph.nodes[node].inputs[graph.nodes[node].file_input] = name
    with pytest.raises(errors.FilesNotAllowed, match=re.escape(str((downloads / name).resolve()))):
        stage_input_files(graph, [], tmp_path / "in", [downloads])
    assert stage_input_files(graph.copy().allowing_files(), [], tmp_path / "in", [downloads])[1]
    title = graph.nodes[node].title
    chosen = graph.copy()
    chosen.set(f"{title}.{graph.nodes[node].file_input}", name)
    assert stage_input_files(chosen, [], tmp_path / "in", [downloads])[1]
    mine = Given(photo(tmp_path / "mine.jpg"), title)
    assert [use.name for use in stage_input_files(graph, [mine], tmp_path / "in", [downloads])[1]] == ["mine.jpg"]


@pytest.mark.parametrize("name", [".", "./", "sub/..", "sub\\..", " . ", "./sub/../.", "loop"])
@pytest.mark.parametrize("allowed", [False, True])
def test_the_whole_folder_beside_a_workflow_is_never_read(graph, downloads, tmp_path, name, allowed):
    graph.nodes["3"].inputs["folder"] = name
    graph.allow_files = allowed
    used = []
    with pytest.raises(errors.FilesNotAllowed) if name != "loop" else nullcontext():
        used = stage_input_files(graph, [], tmp_path / "in", [downloads])[1]
    assert not used


def test_all_files_are_named_at_once(graph, downloads, tmp_path):
    graph.nodes["2"].inputs["image"], graph.nodes["3"].inputs["folder"] = "passport.jpg", "sub"
    with pytest.raises(errors.FilesNotAllowed, match=r"'Photo' reads .*passport\.jpg, 'References' reads .*sub;"):
        stage_input_files(graph, [], tmp_path / "in", [downloads])


def test_what_is_chosen_by_set_is_the_users_word(graph, downloads, tmp_path):
    apply_settings(graph, [parse_setting("Photo.image=passport.jpg")], from_object_info({}))
    assert [use.name for use in stage_input_files(graph, [], tmp_path / "in", [downloads])[1]] == ["passport.jpg"]


def test_the_command_asks_for_what_a_workflow_names(downloads, tmp_path, monkeypatch):
    """The real command: nothing is read, and it is said what would have been."""
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "passport.jpg"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    Image.new("RGB", (8, 8), "red").save(downloads / "passport.jpg")
    (downloads / "shared.json").write_text(json.dumps(graph))
    told = CliRunner().invoke(main, ["run", str(downloads / "shared.json"), "-o", str(tmp_path / "out"), "--json"])
    assert told.exit_code == 1
    assert '"files_not_allowed"' in told.output
    assert not list((tmp_path / "out").glob("*.png"))
    allowed = ["run", str(downloads / "shared.json"), "-o", str(tmp_path / "out"), "--json", "--allow-files"]
    assert CliRunner().invoke(main, allowed).exit_code == 0
    assert list((tmp_path / "out").glob("*.png"))


def test_links_to_the_users_file_and_follows_symlinks(graph, tmp_path):
    target = photo(tmp_path / "real.jpg")
    (tmp_path / "link.jpg").symlink_to(target)
    stage_input_files(graph, [Given(tmp_path / "link.jpg")], tmp_path / "in")
    staged = tmp_path / "in" / "link.jpg"
    assert staged.read_bytes() == b"real.jpg"
    assert not staged.is_symlink()


def test_a_folder_by_name_turns_load_image_into_load_photos(graph, tmp_path):
    photo(tmp_path / "mine" / "a.jpg")
    photo(tmp_path / "mine" / "b.jpg")
    staged, used = stage_input_files(graph, [Given(tmp_path / "mine", "Photo")], tmp_path / "in")
    assert staged.nodes["2"].class_type == "LikenessLoadPhotos"
    assert staged.nodes["2"].inputs == {"folder": "photos_2"}
    assert [file.name for file in used] == ["a.jpg", "b.jpg"]
    assert graph.nodes["2"].class_type == "LoadImage"


def test_a_folder_cannot_take_the_place_of_a_photo_whose_mask_is_used(graph, tmp_path):
    graph.nodes["4"].inputs["image1"] = ["2", 1]
    photo(tmp_path / "mine" / "a.jpg")
    with pytest.raises(
        errors.PhotoNotPlaced, match=r"^Photo also gives a mask, which a folder of photos cannot; name one file\.$"
    ):
        stage_input_files(graph, [Given(tmp_path / "mine", "Photo")], tmp_path / "in")


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        (["missing.jpg"], PhotoMissing),
        (["Photo=missing.jpg"], PhotoMissing),
        (["Nobody={p}"], errors.UnknownTitle),
        (["ImageBatch={p}"], errors.UnknownInput),
        (["Photo={p}", "Photo={p}"], errors.PhotoNotPlaced),
        (["Photo={empty}"], PhotoMissing),
        (["{empty}"], PhotoMissing),
        (["{empty}", "References={empty}", "{s}", "{s}"], errors.PhotoNotPlaced),
    ],
)
def test_what_cannot_be_placed_is_said(graph, tmp_path, texts, error):
    (tmp_path / "empty").mkdir()
    names = {"p": photo(tmp_path / "p.jpg"), "empty": tmp_path / "empty", "s": photo(tmp_path / "s.safetensors")}
    with pytest.raises(error):
        stage_input_files(graph, [parse_given(text.format(**names)) for text in texts], tmp_path / "in")


def test_a_column_that_is_no_nodes_title_is_named(graph, tmp_path):
    """A table's ``colour`` was meant as a setting; that of a node is a photo that is missing."""
    with pytest.raises(errors.UnknownTitle, match=r"called 'colour', and there is no photo .*as Title\.input\.$"):
        stage_input_files(graph, [Given(tmp_path / "navy", "colour")], tmp_path / "run")
    title = graph.file_nodes()[0].title
    with pytest.raises(PhotoMissing, match=re.escape(f"navy for {title!r}; check the path.")):
        stage_input_files(graph, [Given(tmp_path / "navy", title)], tmp_path / "run")


def test_a_path_with_an_equals_sign_is_a_path(tmp_path):
    path = photo(tmp_path / "a=b.jpg")
    assert parse_given(str(path)) == Given(path)


@given(st.text(min_size=1))
def test_safe_names_are_safe(name):
    safe = safe_name(name)
    assert safe
    assert safe.isascii()
    assert not set(safe) & set('/\\:*?"<>| \0')
    assert not safe.startswith(".")
