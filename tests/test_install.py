"""install.py as ComfyUI Manager runs it: in a Python of its own, with and without packages, pip and network."""

import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
INSTALL = ROOT / "install.py"


@pytest.fixture(scope="module")
def install():
    spec = importlib.util.spec_from_file_location("likeness_install", INSTALL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A Python with nothing in it but pip."""
    place = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    return place / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def run(python, tmp_path, *options, **environment):
    clean = {"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", **environment}
    return subprocess.run(
        [str(python), *options, str(INSTALL)], cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=120
    )


def shelve(folder, name, version):
    """A wheel that only has a name, a version and an empty module."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}/__init__.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def test_it_does_nothing_when_all_is_there(tmp_path):
    done = run(sys.executable, tmp_path)
    assert done.returncode == 0
    assert "nothing to install" in done.stdout
    assert done.stderr == ""


def test_without_pip_it_says_so_and_does_not_fail(bare, tmp_path):
    done = run(bare, tmp_path, "-S")
    assert done.returncode == 0
    assert "neither pip nor uv" in done.stdout


def test_it_fails_softly_without_network_and_installs_what_is_missing_once(bare, tmp_path):
    alone = run(bare, tmp_path)
    assert alone.returncode == 0
    assert "could not be installed" in alone.stdout
    assert "install by hand" in alone.stdout
    assert "Traceback" not in alone.stdout + alone.stderr
    versions = {
        "ai_edge_litert": "2.1.0",
        "filelock": "3.12",
        "urllib3": "2.2.0",
        "pydantic": "2.7",
        "pillow_heif": "0.18.0",
        "platformdirs": "4.0.0",
        "reportlab": "4.2.0",
        "scipy": "1.10.0",
        "onnxruntime": "1.20.0",
    }
    for name, version in versions.items():
        shelve(tmp_path, name, version)
    first = run(bare, tmp_path, PIP_FIND_LINKS=str(tmp_path))
    for name, version in (
        ("filelock", "3.12"),
        ("urllib3", "2.2"),
        ("pydantic", "2.7"),
        ("pillow-heif", "0.18"),
        ("reportlab", "4.2"),
        ("scipy", "1.10"),
        ("onnxruntime", "1.17"),
    ):
        assert f"{name}>={version}" in first.stdout.partition("Installed ")[2]
    second = run(bare, tmp_path, PIP_FIND_LINKS=str(tmp_path))
    assert "nothing to install" in second.stdout
    assert (first.returncode, second.returncode) == (0, 0)


@pytest.mark.parametrize(
    ("installed", "least", "too_old"),
    [
        ("3.12", "3.12", False),
        ("3.12.0", "3.12", False),
        ("3.9", "3.12", True),
        ("4", "3.12", False),
        ("3.12.1rc1", "3.12", False),
        ("1.17.0+cpu", "1.17", False),
    ],
)
def test_lower_bounds(install, monkeypatch, installed, least, too_old):
    monkeypatch.setattr(install.metadata, "version", lambda name: installed)
    assert bool(install.missing(f"# a comment\n\npackage>={least}  # why\n")) is too_old


@pytest.mark.parametrize(
    ("system", "machine", "wanted"),
    [("linux", "x86_64", True), ("win32", "AMD64", True), ("darwin", "arm64", True), ("darwin", "x86_64", False)],
)
def test_a_package_without_wheels_for_this_machine_is_not_asked_for(install, monkeypatch, system, machine, wanted):
    """ai-edge-litert has none for Macs with Intel processors; pip would skip it there, again at every start."""
    monkeypatch.setattr(install.sys, "platform", system)
    monkeypatch.setattr(install.platform, "machine", lambda: machine)
    monkeypatch.setattr(install.metadata, "version", lambda name: "0")
    asked = install.missing((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert any(line.startswith("ai-edge-litert") for line in asked) is wanted
    assert any(line.startswith("filelock") for line in asked)


def test_another_distribution_of_onnxruntime_is_left_alone(install, monkeypatch, tmp_path):
    """onnxruntime-gpu and the rest share the module; a folder left by an uninstall is none."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert not install.has_onnxruntime()
    (tmp_path / "onnxruntime").mkdir()
    assert not install.has_onnxruntime()
    (tmp_path / "onnxruntime" / "__init__.py").write_text("")
    assert install.has_onnxruntime()


def test_requirements_are_lower_bounds_only_and_leave_comfyuis_packages_alone():
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    named = [line for line in lines if line]
    assert all(re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", line.partition(";")[0]) for line in named)
    bare_names = {line.split(">=")[0] for line in named}
    assert not any(re.match(r"torch|numpy|opencv|onnxruntime|pillow$", name) for name in bare_names)


def test_requirements_are_part_of_the_package():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        plain = line.split("#")[0].strip()
        assert not plain or f'"{plain}"' in text


def test_it_needs_only_the_standard_library():
    source = INSTALL.read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE)) - {"__future__"}
    assert named <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("options", [(), ("-P",)])
def test_modules_beside_the_pack_and_where_it_is_started_are_not_imported(tmp_path, options):
    pack = tmp_path / "above" / "pack"
    pack.mkdir(parents=True)
    for name in ("install.py", "requirements.txt"):
        (pack / name).write_bytes((ROOT / name).read_bytes())
    for name in ("json", "re", "platform", "shutil", "subprocess", "tempfile", "importlib", "__future__", "pip"):
        for folder in (pack, pack.parent):
            (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write(__file__)")
    for place in (pack, pack.parent):
        done = subprocess.run(
            [sys.executable, *options, pack / "install.py"],
            cwd=place,
            env={"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()


def test_a_managed_server_imports_nothing_from_the_folder_above_the_pack(tmp_path):
    from likeness_studio.runner.managed.installation import install_packages, missing_packages

    pack = tmp_path / "above" / "pack"
    pack.mkdir(parents=True)
    for name in ("install.py", "requirements.txt"):
        (pack / name).write_bytes((ROOT / name).read_bytes())
    for name in ("json", "pathlib", "re", "importlib"):
        (pack.parent / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write(__file__)")
    assert missing_packages(Path(sys.executable), pack) == []
    install_packages(Path(sys.executable), lambda line: None, pack)
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()


@pytest.mark.parametrize(
    "answer", [None, 7, KeyError("Version"), TypeError("x"), UnicodeDecodeError("utf-8", b"", 0, 1, "x")]
)
def test_odd_metadata_of_a_package_is_no_failure(install, monkeypatch, answer):
    def version(name):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(install.metadata, "version", version)
    assert install.missing("click>=8\n") == ["click>=8"]
