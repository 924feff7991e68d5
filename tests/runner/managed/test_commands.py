"""`likeness server`: what is printed, the exit codes, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from click.testing import CliRunner

from likeness_studio.runner.cli import main
from likeness_studio.runner.managed import installation as pack
from likeness_studio.tests.runner.managed.servers import free_port, known_of

LIKENESS = [sys.executable, "-P", "-c", "from likeness_studio.runner.cli import main; main(prog_name='likeness')"]


class TestCommands:
    @pytest.fixture
    def words(self, comfyui, tmp_path):
        """What starts the stand-in (see stand_in.py) by the command line."""
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
