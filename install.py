"""What ComfyUI Manager runs after it has cloned the pack: adds the few packages that are missing, and nothing else.

Standard library only. It may run any number of times, does nothing when all is there, never replaces a package that
works, and never fails an installation: what it cannot do, it says, and the pack still loads without.
"""

import sys

if sys.path and sys.path[0].replace("\\", "/") == __file__.replace("\\", "/").rpartition("/")[0]:
    del sys.path[0]  # a re.py beside this file is not Python's own

import platform
import re
import shutil
import subprocess
import tempfile
from importlib import metadata
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"
ONNXRUNTIME = "onnxruntime>=1.17"
_LINE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:>=\s*(?P<least>[0-9][0-9.]*))?")
_CLAUSE = re.compile(r"(\w+) (==|!=) '([^']*)'")
_LIMIT = 1800
"""Seconds after which an installer that hangs is given up."""


def say(text: str) -> None:
    """A line in ComfyUI Manager's log."""
    print(f"[Likeness Studio] {text}", flush=True)


def _numbers(version: str) -> list[int]:
    """The leading numbers of a version, without trailing zeros, for comparing."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(number) for number in match[0].split(".")] if match else [0]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


def _applies(marker: str) -> bool:
    """Whether an environment marker of requirements.txt holds here; those are comparisons joined by "or"."""
    facts = {"sys_platform": sys.platform, "platform_machine": platform.machine()}
    clauses = _CLAUSE.findall(marker)
    return not clauses or any((facts[name] == value) is (sign == "==") for name, sign, value in clauses)


def missing(requirements: str) -> list[str]:
    """Those lines of a requirements text whose package is absent or older than its lower bound."""
    wanted = []
    for line in requirements.splitlines():
        plain = line.split("#")[0].strip()
        match = _LINE.match(plain)
        if match is None or not _applies(plain.partition(";")[2]):
            continue
        try:
            installed = metadata.version(match["name"])
        except Exception:  # noqa: BLE001 - not there, or its metadata is damaged in one of many ways
            installed = None
        if not isinstance(installed, str):
            wanted.append(plain)
            continue
        if match["least"] and _numbers(installed) < _numbers(match["least"]):
            wanted.append(plain)
    return wanted


def has_onnxruntime() -> bool:
    """Whether any distribution of onnxruntime is there: -gpu, -directml, -openvino and others share the module.

    An uninstalled one can leave an empty folder behind; that does not count.
    """
    places = [place for place in sys.path if place]
    spec = PathFinder.find_spec("onnxruntime", places)
    return spec is not None and spec.origin is not None


def installer() -> list[str] | None:
    """The command that installs into this very Python, or None."""
    if find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--retries", "1"]
    if find_spec("uv"):
        return [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
    uv = shutil.which("uv")
    return [uv, "pip", "install", "--python", sys.executable] if uv else None


def install(packages: list[str]) -> bool:
    """Install `packages`; say how it went."""
    command = installer()
    by_hand = f"install by hand: {sys.executable} -m pip install {' '.join(repr(name) for name in packages)}"
    if command is None:
        say(f"This Python has neither pip nor uv; {by_hand}")
        return False
    try:
        with tempfile.TemporaryDirectory() as empty:  # python -m looks for modules where it is started
            done = subprocess.run(
                [*command, *packages],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_LIMIT,
                check=False,
                cwd=empty,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"{' '.join(packages)} could not be installed ({error}); {by_hand}")
        return False
    if done.returncode != 0:
        reasons = re.findall(r"^(?:ERROR|error): (.+)$", done.stdout, re.MULTILINE)
        reason = reasons[-1] if reasons else f"the installer ended with code {done.returncode}"
        say(f"{' '.join(packages)} could not be installed ({reason}); {by_hand}")
        return False
    say(f"Installed {', '.join(packages)}.")
    return True


def main() -> int:
    """Install what is missing; always 0, because the pack loads anyway and says itself what it lacks."""
    packages = missing(REQUIREMENTS.read_text(encoding="utf-8"))
    if not has_onnxruntime():
        packages.append(ONNXRUNTIME)
    if not packages:
        say("All requirements are there already; nothing to install.")
        return 0
    say(f"Installing {', '.join(packages)}.")
    if install(packages) and ONNXRUNTIME in packages:
        say("onnxruntime runs on the CPU; for an NVIDIA GPU put onnxruntime-gpu in its place.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
