"""ComfyUI and its Python are found, and the pack is put there: what a managed server needs before it starts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from likeness_studio.runner.errors import (
    ComfyUINotFound,
    PackNotInstalled,
)
from likeness_studio.runner.managed import installation
from likeness_studio.runner.managed import installation as pack


class TestInstallation:
    def test_the_option_wins_over_the_environment(self, comfyui, tmp_path, monkeypatch):
        monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
        assert installation.find_comfyui(comfyui) == comfyui
        monkeypatch.setenv("COMFYUI_PATH", str(comfyui))
        assert installation.find_comfyui() == comfyui

    @pytest.mark.parametrize("source", ["--comfyui", "COMFYUI_PATH"])
    def test_a_wrong_folder_is_an_error_that_names_its_source(self, source, tmp_path, monkeypatch):
        monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
        with pytest.raises(ComfyUINotFound, match=f"{source} is {tmp_path}"):
            installation.find_comfyui(tmp_path if source == "--comfyui" else None)

    def test_comfy_cli_knows_its_workspace(self, comfyui, tmp_path, monkeypatch):
        """The real comfy-cli, with a configuration of its own."""
        comfy = shutil.which("comfy") or Path(sys.executable).with_name("comfy")
        if not Path(comfy).exists():
            pytest.skip("comfy-cli is not installed")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("DO_NOT_TRACK", "1")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "home" / ".config").mkdir(parents=True)
        assert installation.comfy_cli_workspace() is None
        subprocess.run([comfy, "--skip-prompt", "set-default", str(comfyui)], check=True, capture_output=True)
        assert installation.comfy_cli_workspace() == comfyui
        assert installation.find_comfyui() == comfyui

    def test_an_older_comfy_cli_answers_in_a_sentence(self, tmp_path):
        assert list(installation._folders_said("Target ComfyUI path: /some/where/ComfyUI\n")) == [
            Path("/some/where/ComfyUI")
        ]

    def test_without_any_it_says_what_to_do(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        with pytest.raises(
            ComfyUINotFound, match=r"^No ComfyUI was found; give its folder with --comfyui, or set COMFYUI_PATH\.$"
        ):
            installation.find_comfyui()

    def test_the_python_beside_comfyui_is_taken_and_not_resolved(self, comfyui, monkeypatch):
        assert installation.find_python(comfyui) == Path(sys.executable)
        for folder in (comfyui.parent / ".venv", comfyui / "venv"):
            (folder / "bin").mkdir(parents=True)
            (folder / "bin" / "python").symlink_to(sys.executable)
            assert installation.find_python(comfyui) == folder / "bin" / "python"
        monkeypatch.setenv("COMFYUI_PYTHON", "/bin/sh")
        assert installation.find_python(comfyui) == Path("/bin/sh")
        assert installation.find_python(comfyui, Path(sys.executable)) == Path(sys.executable)

    def test_a_python_that_is_none_is_an_error(self, comfyui, tmp_path):
        with pytest.raises(ComfyUINotFound, match="--python"):
            installation.find_python(comfyui, tmp_path)


class TestPack:
    def test_a_link_a_copy_and_a_clone_each_count_as_the_pack(self, tmp_path):
        for how in ("link", "copy"):
            nodes = tmp_path / how
            nodes.mkdir()
            if how == "link":
                (nodes / "x").symlink_to(pack.ROOT)
            else:
                shutil.copytree(pack.ROOT / "nodes", nodes / "Likeness_Studio" / "nodes")
            before = sorted(nodes.iterdir())
            assert pack.put_into(nodes) is False
            assert sorted(nodes.iterdir()) == before

    def test_a_disabled_one_and_other_packs_do_not_count(self, tmp_path):
        (tmp_path / "other" / "nodes").mkdir(parents=True)
        (tmp_path / "other" / "nodes" / "extension.py").write_text("class OtherExtension: ...")
        (tmp_path / "likeness-studio.disabled").symlink_to(pack.ROOT)
        assert pack.put_into(tmp_path) is True
        assert pack.present(tmp_path) == [tmp_path / "likeness-studio"]

    def test_a_dead_link_is_replaced_and_a_foreign_folder_is_not(self, tmp_path):
        link = tmp_path / "likeness-studio"
        link.symlink_to(tmp_path / "gone")
        assert pack.put_into(tmp_path) is True
        assert pack.is_pack(link)
        link.unlink()
        link.mkdir()
        with pytest.raises(
            PackNotInstalled, match=r"^The pack cannot be put into .* \(File exists\); link .* there by hand\.$"
        ):
            pack.put_into(tmp_path)
        assert not any(link.iterdir())

    @pytest.mark.parametrize("before", ["", "\x1b[32m[INFO]\x1b[0m "], ids=["0.3.64", "0.33.0"])
    def test_comfyuis_log_says_how_often_the_pack_was_loaded(self, tmp_path, before):
        (tmp_path / "a").symlink_to(pack.ROOT)
        log = f"""Import times for custom nodes:
{before}   0.0 seconds: {tmp_path}/websocket_image_save.py
{before}   0.1 seconds: {tmp_path}/a
{before}   1.2 seconds: {pack.ROOT}
{before}   1.3 seconds: {pack.ROOT}
{before}   0.3 seconds (IMPORT FAILED): {pack.ROOT}
"""
        assert pack.loaded(log) == ([f"{tmp_path}/a", str(pack.ROOT)], [str(pack.ROOT)])

    @pytest.fixture
    def bare_python(self, tmp_path):
        """A Python with nothing installed, and no installer."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
        return tmp_path / "bare" / "bin" / "python"

    def test_missing_packages_are_found_in_the_python_that_will_run_it(self, bare_python):
        assert pack.missing_packages(Path(sys.executable)) == []
        found = pack.missing_packages(bare_python)
        assert any(name.startswith("urllib3") for name in found)
        assert any(name.startswith("onnxruntime") for name in found)

    def test_our_own_packages_are_not_taken_for_those_of_the_python_that_will_run_it(self, bare_python, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", str(Path(urllib3.__file__).parents[1]))
        assert any(name.startswith("urllib3") for name in pack.missing_packages(bare_python))

    def test_a_pack_without_its_installer_asks_for_nothing(self, bare_python, tmp_path):
        assert pack.missing_packages(bare_python, tmp_path) == []

    def test_our_installer_is_run_there_and_its_words_are_passed_on(self, bare_python, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        said = []
        pack.install_packages(bare_python, said.append)
        assert "neither pip nor uv" in " ".join(said)
        assert str(bare_python) in " ".join(said)
