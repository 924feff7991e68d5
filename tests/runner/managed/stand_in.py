"""Stands for ComfyUI where the supervisor's own behaviour is tested: crashes, hangs and job counts at will, in no time.

A real ComfyUI takes ten seconds to start, cannot be told to hang, and does not crash on request; it has its own tests
in test_real.py. This one has ComfyUI's command line, its `/system_stats`, `/queue` and `/history`, and prints
its line for a finished prompt. POST /job finishes one; /hang, /die, /busy, /history and /spawn do what they say.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

arguments = argparse.ArgumentParser()
for name in ("listen", "port", "base-directory", "temp-directory", "exit", "slow", "ignore"):
    arguments.add_argument(f"--{name}")
for name in ("cpu", "disable-auto-launch", "crash-second-time"):
    arguments.add_argument(f"--{name}", action="store_true")
chosen = arguments.parse_args()
work = {"busy": False, "history": {}, "hang": False}


class Handler(BaseHTTPRequestHandler):
    def answer(self, values):
        while work["hang"]:
            time.sleep(0.1)
        body = json.dumps(values).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        pages = {
            "/system_stats": {"system": {"argv": sys.argv}},
            "/queue": {"queue_running": [1] if work["busy"] else [], "queue_pending": []},
            "/history": work["history"],
            "/pid": os.getpid(),
        }
        self.answer(pages[self.path.split("?")[0]])

    def do_POST(self):
        name = self.path[1:]
        if name == "job":
            sys.stdout.write("Prompt executed in 0.01 seconds\n")  # at once: several threads say it
            sys.stdout.flush()
        elif name == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif name == "spawn":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            self.answer(child.pid)
            return
        elif name == "history":
            work["history"] = {} if work["history"] else {"an-id": {}}
        else:
            work[name] = not work[name]
        self.answer({})

    def log_message(self, format, *args):  # noqa: A002 - the base class's name
        pass


if chosen.exit:
    print("Torch not compiled with CUDA enabled", flush=True)
    sys.exit(int(chosen.exit))
if chosen.ignore:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
started = Path(chosen.temp_directory) / "started"
if chosen.crash_second_time and started.exists():
    sys.exit(7)
started.parent.mkdir(parents=True, exist_ok=True)
started.touch()
time.sleep(float(chosen.slow or 0))
if (said := Path(chosen.base_directory) / "say.txt").exists():
    print(said.read_text(), flush=True)
print("Starting server", flush=True)
ThreadingHTTPServer((chosen.listen, int(chosen.port)), Handler).serve_forever()
