"""Makes an environment for each peer outside the project, with exact versions.

    python benchmarks/runner/peers/install.py --into DIR [NAME…]

Every peer gets `DIR/NAME` (a venv) and a line in `DIR/installed.json`: its version, or why it could not be installed.
An environment that already holds the pinned version is left alone, so that the command can be repeated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "comfy-cli": ("comfy-cli==1.23.0",),
    "comfy-sdk": ("comfy-sdk==0.5.0", "comfy-api-proxy==0.1.6"),
    "comfykit": ("comfykit==0.1.12",),
    "comfy-api-simplified": ("comfy-api-simplified==1.6.0",),
    "comfy-headless": ("comfy-headless[standard]==3.1.1",),
    "comfy-script": ("comfy-script[client,runtime,no-ui]==0.6.1",),
    "comfy-catapult": ("comfy-catapult==3.0.0",),
}
"""What pip is told for each peer; the first is the peer itself. Bare polling needs no environment."""

SECONDS = 900


def python_of(folder: Path) -> Path:
    return folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def installed_version(python: Path, distribution: str) -> str | None:
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def install(name: str, into: Path) -> dict[str, str]:
    """The version installed, or the reason why not, under the keys `version` or `reason`."""
    wanted = REQUIREMENTS[name]
    distribution, version = wanted[0].split("[")[0].split("==")[0], wanted[0].split("==")[1]
    folder = into / name
    python = python_of(folder)
    if not python.exists():
        venv.create(folder, with_pip=True)
    if installed_version(python, distribution) != version:
        command = [python, "-m", "pip", "install", "--quiet", *wanted]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return {"reason": f"pip did not end within {SECONDS} s"}
        if done.returncode:
            return {"reason": (done.stderr.strip() or f"pip ended with {done.returncode}")[-600:]}
    found = installed_version(python, distribution)
    return {"version": found} if found else {"reason": "pip reported success, but the package is not there"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True, help="folder for the environments, outside the project")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(REQUIREMENTS)}; default: all")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in REQUIREMENTS]
    if unknown:
        parser.error(f"no such peer: {', '.join(unknown)}; there are {', '.join(REQUIREMENTS)}")
    into: Path = arguments.into.resolve()
    into.mkdir(parents=True, exist_ok=True)
    record = into / "installed.json"
    report: dict[str, dict[str, str]] = json.loads(record.read_text()) if record.exists() else {}
    for name in arguments.names or REQUIREMENTS:
        report[name] = install(name, into)
        record.write_text(json.dumps(report, indent=2) + "\n")
        print(f"{name:22} {report[name].get('version') or 'NOT INSTALLED: ' + report[name]['reason']}", flush=True)
    return 0 if all("version" in report[name] for name in arguments.names or REQUIREMENTS) else 1


if __name__ == "__main__":
    sys.exit(main())
