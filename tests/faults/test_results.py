"""What is collected: all of it, from where it is, to where it belongs, and never outside of the output folder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from likeness_studio.core.errors import UnsafePath
from likeness_studio.runner import errors
from likeness_studio.runner.backends import Folders
from likeness_studio.tests.conftest import ComfyUIServer
from likeness_studio.tests.faults.graphs import colour, colour_of, node, picture, run_on, through
from likeness_studio.tests.faults.proxy import Proxy
from likeness_studio.tests.faults.wrongs import answer, body_cut, changed

pytestmark = pytest.mark.comfyui


def cacheable(rgb: int, name: str) -> dict[str, Any]:
    """A job whose node for saving has no filename_prefix: the second time the server runs nothing at all."""
    graph = picture(rgb)
    graph["2"] = node("FaultSave", "Save", images=["1", 0], name=name)
    return graph


def test_fault_05_fully_cached_prompt(server: ComfyUIServer, proxy: Proxy, new_folders: Callable[[str], Folders]):
    rgb = colour()
    run_on(server.url, cacheable(rgb, "cached.png"), new_folders("first"))
    made = (server.output / "cached.png").stat().st_mtime_ns
    result = run_on(proxy.url, cacheable(rgb, "cached.png"), new_folders("second"))
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert (server.output / "cached.png").stat().st_mtime_ns == made, "the server must not have run it again"
    assert len(proxy.seen("POST", "/prompt")) == 1


def test_fault_05_same_graph_twice_gives_its_outputs_twice(server: ComfyUIServer, new_folders):
    rgb = colour()
    for name in ("first", "second", "third"):
        result = run_on(server.url, picture(rgb), new_folders(name))
        assert [colour_of(file.path) for file in result.outputs] == [rgb]


def test_fault_06_cached_output_was_deleted_on_the_server(server: ComfyUIServer, proxy: Proxy, new_folders):
    rgb = colour()
    first = run_on(server.url, cacheable(rgb, "deleted.png"), new_folders("first"))
    assert first.notes == []
    (server.output / "deleted.png").unlink()
    result = run_on(proxy.url, cacheable(rgb, "deleted.png"), new_folders("second"))
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert len(proxy.seen("POST", "/prompt")) == 2
    assert any("deleted.png" in note for note in result.notes), result.notes


def test_fault_06_an_output_that_stays_away_is_an_error(proxy: Proxy, folders: Folders):
    proxy.on("GET", "/view", answer(404))
    with pytest.raises(errors.OutputMissing, match=r"\.png"):
        run_on(proxy.url, picture(colour()), folders)
    assert len(proxy.seen("POST", "/prompt")) == 2, "one rerun, not more"
    assert list(folders.output.iterdir()) == []


def test_fault_06_a_download_that_breaks_in_the_middle_is_fetched_again(proxy: Proxy, folders: Folders):
    proxy.on("GET", "/view", body_cut, times=1)
    rgb = colour()
    result = run_on(proxy.url, picture(rgb), folders)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert list(folders.output.iterdir()) == [result.outputs[0].path]
    assert len(proxy.seen("POST", "/prompt")) == 1


def test_fault_06_a_download_that_always_breaks_leaves_no_half_file(proxy: Proxy, folders: Folders):
    proxy.on("GET", "/view", body_cut)
    with pytest.raises(errors.RunnerError):
        run_on(proxy.url, picture(colour()), folders, outage_seconds=1.0)
    assert list(folders.output.iterdir()) == []


def test_fault_07_temporary_pictures_are_kept_apart(server: ComfyUIServer, new_folders):
    def graph() -> dict[str, Any]:
        made = picture(colour())
        return made | {"3": node("PreviewImage", "Look", images=["1", 0])}

    plain, asked = new_folders("plain"), new_folders("asked")
    result = run_on(server.url, graph(), plain)
    assert (len(result.outputs), result.previews, list(plain.temp.iterdir())) == (1, [], [])
    result = run_on(server.url, graph(), asked, previews=True)
    assert [file.path for file in result.outputs] == list(asked.output.iterdir())
    assert [file.path for file in result.previews] == list(asked.temp.iterdir())
    assert [file.title for file in result.previews] == ["Look"]


def test_fault_13_two_clients_write_the_same_filename_at_once(server: ComfyUIServer, folders: Folders, new_folders):
    """Each gets its own picture; in one local folder neither overwrites the other."""
    colours = [colour() for _ in range(6)]
    found: dict[int, list[Path]] = {}

    def body(rgb: int) -> None:
        result = run_on(server.url, picture(rgb, "same"), folders)
        found[rgb] = [file.path for file in result.outputs]

    threads = [threading.Thread(target=body, args=(rgb,)) for rgb in colours]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {rgb: [colour_of(path) for path in paths] for rgb, paths in found.items()} == {c: [c] for c in colours}
    assert len({paths[0] for paths in found.values()}) == len(list(folders.output.iterdir())) == 6


def test_fault_13_the_job_id_on_the_server_is_not_in_local_names(server: ComfyUIServer, new_folders):
    names = []
    for name in ("a", "b"):
        made = new_folders(name)
        run_on(server.url, picture(colour(), "clean"), made)
        names.append([path.name for path in made.output.iterdir()])
    assert names == [["clean_00001_.png"]] * 2
    there = {path.name for path in server.output.glob("*clean*")}
    assert len(there) == 2
    assert "clean_00001_.png" not in there


def test_fault_14_subfolders_and_types(server: ComfyUIServer, folders: Folders):
    rgb = colour()
    graph = picture(rgb, "plain") | {
        "3": node("SaveImage", "Deep", images=["1", 0], filename_prefix="a/b c/ü/deep"),
        "4": node("SaveImage", "Same name elsewhere", images=["1", 0], filename_prefix="other/plain"),
        "5": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "6": node("SaveLatent", "Latent", samples=["5", 0], filename_prefix="latents/l"),
        "7": node(
            "SaveAnimatedWEBP",
            "Film",
            images=["1", 0],
            filename_prefix="films/f",
            fps=6.0,
            lossless=True,
            quality=80,
            method="default",
        ),
        "8": node("PreviewImage", "Look", images=["1", 0]),
    }
    result = run_on(server.url, graph, folders, previews=True)
    where = {file.title: file.path.relative_to(folders.output).parent.as_posix() for file in result.outputs}
    assert where == {
        "Save": ".",
        "Deep": "a/b c/ü",
        "Same name elsewhere": "other",
        "Latent": "latents",
        "Film": "films",
    }
    by_title = {file.title: file.path for file in result.outputs}
    assert by_title["Same name elsewhere"].name == by_title["Save"].name
    assert by_title["Latent"].suffix == ".latent"
    assert by_title["Film"].read_bytes()[8:12] == b"WEBP"
    assert colour_of(by_title["Deep"]) == rgb
    assert [file.path.parent for file in result.previews] == [folders.temp]


def test_fault_18_black_picture_of_nan(server: ComfyUIServer, folders: Folders):
    with pytest.raises(errors.OutputBlank) as caught:
        run_on(server.url, through(picture(colour()), "FaultNotANumber"), folders)
    assert caught.value.code == "output_blank"


def test_fault_18_one_black_picture_among_good_ones(server: ComfyUIServer, folders: Folders):
    graph = through(picture(colour()), "FaultNotANumber")
    graph["3"] = node("SaveImage", "Good", images=["1", 0], filename_prefix="good")
    with pytest.raises(errors.OutputBlank, match=r"fault_00001_\.png"):
        run_on(server.url, graph, folders)


def test_fault_18_a_dark_picture_is_not_blank(server: ComfyUIServer, folders: Folders):
    result = run_on(server.url, picture(0x000001), folders)
    assert [colour_of(file.path) for file in result.outputs] == [1]


HOSTILE = [
    {"filename": "../evil.png"},
    {"filename": "../../evil.png"},
    {"filename": "evil.png", "subfolder": ".."},
    {"filename": "evil.png", "subfolder": "a/../../b"},
    {"filename": "evil.png", "subfolder": "OUTSIDE"},
    {"filename": "OUTSIDE/evil.png"},
    {"filename": "evil\x00.png"},
    {"filename": "..\\evil.png"},
    {"filename": "new\nline.png"},
    {"filename": ".."},
    {"filename": "."},
    {"filename": ""},
    {"filename": "x" * 5000 + ".png"},
    {"filename": "evil.png", "subfolder": "link"},
    {"filename": "link/evil.png"},
]
UNUSUAL = [
    {"filename": "C:\\evil.png"},
    {"filename": "-rf *.png"},
    {"filename": "%2e%2e%2fevil.png"},
    {"filename": "evil.png", "subfolder": ["a"]},
    {"filename": "evil.png", "subfolder": {"a": 1}},
    {"filename": "x" * 200 + ".png"},
]
PICTURE = (Path(__file__).parents[2] / "runner" / "demo.jpg").read_bytes()


def announce(proxy: Proxy, file: dict[str, Any]) -> None:
    """Let the server name this file as its only result, and have it."""

    def rename(entries: dict[str, Any]) -> dict[str, Any]:
        for entry in entries.values():
            for shown in entry["outputs"].values():
                shown["images"] = [{"subfolder": "", "type": "output"} | file]
        return entries

    proxy.on("GET", "/history", changed(rename))
    proxy.on("GET", "/view", answer(200, PICTURE, "image/png"))


@pytest.mark.parametrize("file", HOSTILE, ids=lambda file: repr(file)[:60])
def test_fault_20_names_from_the_server_stay_in_the_output_folder(
    proxy: Proxy, folders: Folders, tmp_path: Path, file: dict[str, Any]
):
    """OUTSIDE is the absolute path of another folder, and `link` in the output folder leads there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    file = {key: value.replace("OUTSIDE", str(outside)) for key, value in file.items()}
    (folders.output / "link").symlink_to(outside, target_is_directory=True)
    announce(proxy, file)
    before = everything(tmp_path)
    with pytest.raises((UnsafePath, errors.OutputUnwritable)):
        run_on(proxy.url, picture(colour()), folders)
    assert everything(tmp_path) - before == set()


@pytest.mark.parametrize("file", UNUSUAL, ids=lambda file: repr(file)[:60])
def test_fault_20_unusual_names_are_files_in_the_output_folder(
    proxy: Proxy, folders: Folders, tmp_path: Path, file: dict[str, Any]
):
    announce(proxy, file)
    before = everything(tmp_path)
    result = run_on(proxy.url, picture(colour()), folders)
    assert [saved.path.read_bytes() for saved in result.outputs] == [PICTURE]
    made = everything(tmp_path) - before
    assert all(folders.output in path.parents for path in made)
    assert [path for path in made if path.is_file()] == [saved.path for saved in result.outputs]


def test_fault_20_a_link_in_place_of_the_file_is_not_followed(proxy: Proxy, folders: Folders, tmp_path: Path):
    """The names that our picture could get are taken by links, to a file elsewhere and to nothing."""
    precious, here = tmp_path / "precious.txt", folders.output / "here.txt"
    precious.write_text("mine")
    here.write_text("mine too")
    (folders.output / "linked_00001_.png").symlink_to(here)
    (folders.output / "linked_00001__2.png").symlink_to(precious)
    (folders.output / "linked_00001__3.png").symlink_to(tmp_path / "dangling.txt")
    rgb = colour()
    result = run_on(proxy.url, picture(rgb, "linked"), folders)
    assert (precious.read_text(), here.read_text()) == ("mine", "mine too")
    assert not (tmp_path / "dangling.txt").exists()
    assert colour_of(result.outputs[0].path) == rgb
    assert not result.outputs[0].path.is_symlink()


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))
