"""The parts of a managed server: ComfyUI and its Python found, the pack, ports, logs, names; and the commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3
from click.testing import CliRunner

from likeness_studio.runner import managed
from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import (
    BadServerName,
    ComfyUINotFound,
    NoManagedServer,
    OutputUnwritable,
    PackNotInstalled,
    PortTaken,
)
from likeness_studio.runner.managed import installation, processes, state
from likeness_studio.runner.managed import installation as pack
from likeness_studio.runner.managed import options as places
from likeness_studio.runner.managed import options as ports
from likeness_studio.runner.managed.child import Child, RotatingLog, follow, tail
from likeness_studio.runner.managed.options import Limits, Options, Place, command
from likeness_studio.runner.managed.processes import ProcessId

STAND_IN = Path(__file__).with_name("managed_comfyui.py")
LIKENESS = [sys.executable, "-P", "-c", "from likeness_studio.runner.cli import main; main(prog_name='likeness')"]


@pytest.fixture(autouse=True)
def state_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LIKENESS_STATE", str(tmp_path / "state"))
    for name in ("COMFYUI_PATH", "COMFYUI_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path / "state"
    for known in managed.statuses():
        managed.Managed(known.name, "").stop()


@pytest.fixture
def comfyui(tmp_path):
    """A folder that passes for ComfyUI's, with comfy-cli as well; its main.py stands for the server."""
    folder = tmp_path / "ComfyUI"
    for name in ("comfy", "comfy_extras", "comfy_api"):
        (folder / name).mkdir(parents=True)
    shutil.copy(STAND_IN, folder / "main.py")
    for name in ("nodes.py", "execution.py", "folder_paths.py"):
        (folder / name).touch()
    return folder


def known_of(name) -> Any:
    """What is known about a server; untyped, because the tests know what is there."""
    return state.read(name)


def process_of(pid) -> Any:
    return ProcessId.of(pid)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


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
        with pytest.raises(ComfyUINotFound, match="--comfyui"):
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
        with pytest.raises(PackNotInstalled, match="by hand"):
            pack.put_into(tmp_path)
        assert not any(link.iterdir())

    def test_comfyuis_log_says_how_often_the_pack_was_loaded(self, tmp_path):
        (tmp_path / "a").symlink_to(pack.ROOT)
        log = f"""Import times for custom nodes:
   0.0 seconds: {tmp_path}/websocket_image_save.py
   0.1 seconds: {tmp_path}/a
   1.2 seconds: {pack.ROOT}
   1.3 seconds: {pack.ROOT}
   0.3 seconds (IMPORT FAILED): {pack.ROOT}
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


class TestPorts:
    def test_a_port_with_a_listener_is_not_free(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            assert not ports.is_free("127.0.0.1", port)
            assert not ports.is_free("0.0.0.0", port)
            assert not ports.wait_free("127.0.0.1", port, 0.2)
            with pytest.raises(PortTaken):
                ports.choose("127.0.0.1", port)
        assert ports.wait_free("127.0.0.1", port, 2)
        assert ports.choose("127.0.0.1", port) == port

    def test_a_port_given_to_another_is_passed_over(self):
        first = ports.choose("127.0.0.1", None)
        assert ports.choose("127.0.0.1", None, {first}) > first
        with pytest.raises(PortTaken, match="8188"):
            ports.choose("127.0.0.1", None, range(8188, 8388))

    @pytest.mark.parametrize(
        ("listen", "loopback", "host"),
        [
            ("127.0.0.1", True, "127.0.0.1"),
            ("::1", True, "::1"),
            ("localhost", True, "localhost"),
            ("0.0.0.0", False, "127.0.0.1"),
            ("0.0.0.0,::", False, "127.0.0.1"),
            ("127.0.0.1,192.168.0.7", False, "127.0.0.1"),
            ("gpu-box", False, "gpu-box"),
        ],
    )
    def test_what_can_be_reached_from_outside(self, listen, loopback, host):
        assert ports.is_loopback(listen) is loopback
        assert ports.reachable_host(listen) == host


class TestLog:
    def test_the_tail_reaches_into_the_older_log_and_leaves_bars_out(self, tmp_path):
        log = RotatingLog(tmp_path / "a.log", 100)
        for number in range(30):
            log.write(f"line {number}\n".encode())
        log.write(b" 0%\r50%\r100%\nl\xc3\xa4st\xff\n")
        log.close()
        assert (tmp_path / "a.log").stat().st_size <= 100
        assert tail(tmp_path / "a.log", 3) == ["line 29", "100%", "läst\ufffd"]
        assert tail(tmp_path / "a.log", 14)[0] == "line 18"
        assert tail(tmp_path / "a.log", 0) == []
        assert tail(tmp_path / "none.log", 5) == []

    def test_long_logs_are_read_from_their_end(self, tmp_path):
        (tmp_path / "a.log").write_bytes(b"".join(b"%07d\n" % number for number in range(50_000)))
        assert tail(tmp_path / "a.log", 20_000) == [f"{number:07d}" for number in range(30_000, 50_000)]

    def test_a_rotation_that_fails_loses_words_and_nothing_else(self, tmp_path):
        """Else the reader of ComfyUI's output ends, and ComfyUI stops as soon as nobody reads it."""
        (tmp_path / "a.log.1" / "in the way").mkdir(parents=True)
        log = RotatingLog(tmp_path / "a.log", 10)
        for _ in range(3):
            log.write(b"12345678\n")
        (tmp_path / "a.log.1" / "in the way").rmdir()
        (tmp_path / "a.log.1").rmdir()
        log.write(b"again\n")
        log.close()
        assert tail(tmp_path / "a.log", 1) == ["again"]

    def test_following_goes_on_past_a_rotation(self, tmp_path):
        log = RotatingLog(tmp_path / "a.log", 50)
        log.write(b"before\n")
        ended = threading.Event()

        def write():
            for number in range(40):
                log.write(f"l\u00efne {number}\n".encode())
                time.sleep(0.05)
            ended.set()

        reader = follow(tmp_path / "a.log", ended.is_set)
        threading.Timer(0.3, write).start()
        text = "".join(reader)
        assert text.splitlines() == [f"l\u00efne {number}" for number in range(40)]


class TestState:
    @pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 65, "-x", "a\n"])
    def test_a_name_never_leaves_its_folder(self, name):
        with pytest.raises(BadServerName):
            Place(name)

    def test_what_is_written_is_read(self):
        gone = ProcessId(1, "of another boot")
        state.ServerState("a", url="http://x", state="stopped", supervisor=gone, jobs=3).write()
        known = known_of("a")
        assert (known.url, known.jobs, known.supervisor, known.state) == ("http://x", 3, gone, "stopped")
        stray = places.root() / "servers" / "not a name"
        stray.mkdir()
        (stray / "server.json").write_text("{}")
        assert places.names() == ["a"]

    @pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"name": 1, "supervisor": 5}', '{"supervisor": {}}'])
    def test_a_damaged_file_is_no_server(self, text):
        Place("a").make()
        Place("a").state.write_text(text)
        assert state.read("a") is None
        assert managed.find("a") is None

    def test_a_state_folder_that_cannot_be_written_is_an_error(self, tmp_path, monkeypatch):
        (tmp_path / "file").touch()
        monkeypatch.setenv("LIKENESS_STATE", str(tmp_path / "file"))
        with pytest.raises(OutputUnwritable, match="LIKENESS_STATE"):
            managed.start(Options())

    def test_options_survive_the_state_file(self, tmp_path):
        options = Options("a", tmp_path, None, True, 5, "::1", 7, tmp_path, ("--x", "1"), 3.0, False, Limits(hang=9))
        assert Options.read(json.loads(json.dumps(options.as_dict()))) == options

    def test_the_state_folder_is_the_users(self, monkeypatch, tmp_path):
        monkeypatch.delenv("LIKENESS_STATE")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path))
        assert places.root().is_relative_to(tmp_path)
        assert places.root().name == "likeness-studio"

    def test_an_unknown_name_is_an_error_and_a_url_is_not(self):
        with pytest.raises(NoManagedServer, match="'default' is running"):
            managed.resolve("@default")
        assert managed.resolve("http://gpu-box:8188") == "http://gpu-box:8188"
        with pytest.raises(BadServerName):
            managed.resolve("@../default")


class TestProcesses:
    def test_a_process_is_told_from_another_with_its_pid(self):
        me = process_of(os.getpid())
        assert me.alive()
        assert not ProcessId(me.pid, me.stamp + "0").alive()

    def test_one_that_ended_and_was_not_collected_is_gone(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        known = process_of(child.pid)
        assert known.alive()
        child.kill()
        assert known.wait_gone(10)
        assert ProcessId.of(child.pid) is None
        child.wait()

    def test_psutil_tells_the_same_as_proc(self):
        """What macOS and Windows use works here as well."""
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        stamp = processes._stamp_elsewhere(child.pid)
        assert stamp
        assert stamp == processes._stamp_elsewhere(child.pid)
        child.kill()
        time.sleep(0.2)
        assert processes._stamp_elsewhere(child.pid) == ""
        child.wait()
        assert processes._stamp_elsewhere(child.pid) == ""


class TestAnotherPython:
    """ComfyUI's Python has modules of its own; ours would be found before them, and it would not start."""

    def test_comfyui_does_not_get_where_our_python_finds_its_modules(self, tmp_path, monkeypatch):
        for name in processes.OF_OUR_PYTHON:
            monkeypatch.setenv(name, str(tmp_path / "ours"))
        monkeypatch.setenv("HF_HOME", "kept")
        ended = threading.Event()
        says = "import os, sys; print(sorted(os.environ), os.environ['HF_HOME'], sys.path)"
        log = RotatingLog(tmp_path / "log")
        child = Child([sys.executable, "-c", says], tmp_path, log, lambda jobs: None, ended.set)
        assert ended.wait(30)
        (said,) = tail(tmp_path / "log", 9)
        assert "'PYTHONUNBUFFERED'" in said
        assert "kept" in said
        assert str(tmp_path / "ours") not in said
        assert not [name for name in processes.OF_OUR_PYTHON if f"'{name}'" in said]
        assert child.exit_code() in {0, None}


def test_the_command_line_keeps_to_this_machine_and_to_its_own_temporary_files(tmp_path):
    words = command(Options("a", cpu=True, extra=("--lowvram",)), tmp_path, Path("python"), 8199)
    assert words[:6] == ["python", str(tmp_path / "main.py"), "--listen", "127.0.0.1", "--port", "8199"]
    assert words[words.index("--temp-directory") + 1] == str(Place("a").temp)
    assert words[-1] == "--lowvram"
    words = command(Options("a", extra=("--temp-directory", "/x")), tmp_path, Path("python"), 8199)
    assert words.count("--temp-directory") == 1
    assert "--cpu" not in words


class TestCommands:
    @pytest.fixture
    def words(self, comfyui, tmp_path):
        """What starts the stand-in (see managed_comfyui.py) by the command line."""
        port = str(free_port())
        chosen = ["--comfyui", str(comfyui), "--python", sys.executable, "--base", str(tmp_path / "base")]
        return ["server", "start", *chosen, "--cpu", "--port", port]

    def call(self, *words):
        return CliRunner().invoke(main, list(words))

    def test_start_status_logs_restart_stop(self, words):
        assert self.call("server", "status").exit_code == 1
        started = self.call(*words)
        assert started.exit_code == 0, started.output
        assert f"http://127.0.0.1:{words[-1]}" in started.stdout
        again = self.call(*words)
        assert again.exit_code == 0
        assert "runs already" in again.stdout
        assert f"http://127.0.0.1:{words[-1]}" in again.stdout
        table = self.call("server", "status")
        assert table.exit_code == 0
        assert "ready" in table.stdout
        assert self.call("server", "logs", "-n", "1").stdout == "Starting server\n"
        restarted = self.call("server", "restart", "--json")
        assert json.loads(restarted.stdout)["server"]["url"] == f"http://127.0.0.1:{words[-1]}"
        stopped = self.call("server", "stop")
        assert stopped.stdout == "@default was stopped\n"
        assert self.call("server", "status", "--name", "default").exit_code == 1
        assert self.call("server", "stop").stdout == "@default was not running\n"

    def test_json_has_what_a_program_needs(self, words):
        started = self.call(*words, "--json", "--recycle-after", "9", "--name", "gpu.1")
        (line,) = started.stdout.splitlines()
        said = json.loads(line)
        assert said["already_running"] is False
        assert said["server"]["recycle_after"] == 9
        assert said["server"]["ready"] is True
        status = json.loads(self.call("server", "status", "--json").stdout)
        assert [known["name"] for known in status["servers"]] == ["gpu.1"]
        assert json.loads(self.call("server", "stop", "--all", "--json").stdout)["stopped"] == ["gpu.1"]

    def test_other_options_for_a_running_server_are_said_and_the_same_ones_are_not(self, words, tmp_path):
        assert self.call(*words, "--recycle-after", "9").exit_code == 0
        for same in (["server", "start"], [*words, "--recycle-after", "9", "--wait", "60"]):
            outcome = self.call(*same)
            assert (outcome.exit_code, outcome.stderr) == (0, "")
        other = ["--comfyui", "/nope", "--recycle-after", "5", "--hang-after", "9", "--", "--lowvram"]
        outcome = self.call("server", "start", *other)
        assert outcome.exit_code == 1
        assert "runs already" in outcome.stdout
        assert "--comfyui, --recycle-after, --hang-after, words after --." in outcome.stderr
        assert "likeness server stop --name default" in outcome.stderr
        said = json.loads(self.call("server", "start", "--port", "1", "--listen", "0.0.0.0", "--json").stdout)
        assert said["not_applied"] == ["--port", "--listen"]

    def test_the_port_of_another_managed_server_is_called_its_own(self, words):
        assert self.call(*words).exit_code == 0
        outcome = self.call(*words, "--name", "x")
        assert outcome.exit_code == 1
        assert "port_taken" in outcome.stderr
        assert "managed server @default" in outcome.stderr

    def test_without_leave_to_install_nothing_is_changed(self, words, tmp_path):
        outcome = self.call(*words, "--no-install")
        assert outcome.exit_code == 1
        assert "pack_not_installed" in outcome.stderr
        assert not (tmp_path / "base").exists()
        assert pack.put_into(tmp_path / "base" / "custom_nodes") is True
        assert self.call(*words, "--no-install").exit_code == 0
        assert "custom_nodes" in self.call("server", "start", "--help").stdout

    def test_missing_packages_are_not_installed_without_leave(self, words, tmp_path, comfyui):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
        pack.put_into(tmp_path / "base" / "custom_nodes")
        bare = str(tmp_path / "bare" / "bin" / "python")
        outcome = self.call(*words, "--python", bare, "--no-install")
        assert outcome.exit_code == 1
        assert f"[pack_not_installed] {bare} lacks" in outcome.stderr
        assert "--no-install" in outcome.stderr

    def test_words_after_two_dashes_go_to_comfyui(self, words):
        failed = self.call(*words, "--", "--exit", "3")
        assert failed.exit_code == 1
        assert "server_start_failed" in failed.stderr
        assert "Torch not compiled with CUDA enabled" in failed.stderr
        assert self.call("server", "status").exit_code == 1

    @pytest.mark.parametrize(
        ("words", "code", "text"),
        [
            (["stop", "--name", "x"], 1, "no_managed_server"),
            (["logs", "--name", "x"], 1, "no_managed_server"),
            (["restart"], 1, "no_managed_server"),
            (["status", "--name", "../x"], 1, "bad_server_name"),
            (["start", "--comfyui", "/nowhere"], 1, "comfyui_not_found"),
            (["stop", "--name", "x"], 1, "likeness server start --name x."),
            (["stop", "--all", "--name", "x"], 2, "--all or --name"),
            (["start", "--port", "0"], 2, "port"),
            (["start", "--recycle-after", "0"], 2, "recycle-after"),
            (["start", "--", "--port=1"], 2, "before the --"),
        ],
    )
    def test_errors_have_codes(self, words, code, text):
        outcome = self.call("server", *words)
        assert outcome.exit_code == code
        assert text in outcome.stderr

    def test_ctrl_c_during_the_wait_takes_back_what_was_started(self, words):
        process = subprocess.Popen(
            [*LIKENESS, *words, "--", "--slow", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 30
        while not ((known := known_of("default")) and known.server) and time.monotonic() < deadline:
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - began < 2
        assert process.returncode == 130
        assert "interrupted" in said
        assert known.server.wait_gone(5)
        assert known.supervisor.wait_gone(5)

    def test_ctrl_c_ends_following_the_log(self, words):
        self.call(*words)
        process: Any = subprocess.Popen(
            [*LIKENESS, "server", "logs", "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout.readline().startswith("[likeness] ComfyUI is started at ")
        assert process.stdout.readline() == "Starting server\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (130, "", "")

    def test_a_closed_terminal_leaves_the_server_running(self, words):
        process = subprocess.Popen([*LIKENESS, *words], stdout=subprocess.PIPE, start_new_session=True)
        process.communicate(timeout=60)
        known = known_of("default")
        assert os.getsid(known.supervisor.pid) == known.supervisor.pid
        assert os.getsid(known.supervisor.pid) != process.pid
        assert known.server.alive()
