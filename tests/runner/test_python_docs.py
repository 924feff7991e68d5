"""The examples of docs/python.md, run as they stand: in this process, and on a real server."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
SERVER = re.compile(r'"http://gpu-[a-z0-9]+:8188"')


@pytest.fixture
def desk(tmp_path, astronaut, monkeypatch):
    """A folder with the files that the examples name."""
    shutil.copy(astronaut, tmp_path / "me.jpg")
    shutil.copy(astronaut, tmp_path / "result.png")
    for folder in ("photos", "faces"):
        (tmp_path / folder).mkdir()
    with Image.open(astronaut) as photo:
        for number in range(4):
            photo.convert("RGB").rotate(3 * number).save(tmp_path / "faces" / f"{number}.jpg")
    shutil.copy(astronaut, tmp_path / "photos" / "me.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(code: str, capsys: pytest.CaptureFixture[str]) -> str:
    exec(compile(code, str(PAGE), "exec"), {"__name__": "example"})
    return capsys.readouterr().out


@pytest.mark.models
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_runs_in_this_process(desk, capsys, number):
    if "train_tiny_vae" in EXAMPLES[number]:
        pytest.importorskip("diffusers", reason="install the generation extra to train the tiny autoencoder")
    local = re.sub(r"servers=\(.*\),\n", "servers=(),\n", EXAMPLES[number])
    check(number, run(SERVER.sub("", local), capsys), desk)


@pytest.mark.models
@pytest.mark.comfyui
@pytest.mark.parametrize("number", [n for n, code in enumerate(EXAMPLES) if SERVER.search(code)])
def test_every_example_runs_on_a_server(desk, capsys, comfyui_server, number):
    check(number, run(SERVER.sub(f'"{comfyui_server.url}"', EXAMPLES[number]), capsys), desk)


def check(number: int, printed: str, desk: Path) -> None:
    if number == 0:
        assert printed.startswith("True\n")
        assert (desk / "headshots" / "headshot_00001_.png").is_file()
    elif number == 2:
        assert "Save headshot (" in printed
        assert " s, the server worked " in printed
    elif number == 3:
        assert printed == "", "nothing keeps a bundled workflow from running"
    elif number == 4:
        assert "start ComfyUI first" in printed
    elif number == 5:
        assert "1 of 1 are confirmed" in printed
        assert "me passed" in printed
    elif number == 6:
        assert "navy · match_light 0 0.9" in printed
        assert "compare.html has all 4" in printed
    elif number > 6:
        for words in CALLS[number - 7]:
            assert words in printed
    else:
        assert "True" in printed


CALLS = (
    ("['studio_headshot']", "Backdrop ['Backdrop.", "True"),
    ("True report.html", "Likeness 0."),
    ("me.headshot.jpg True 0.9", "['1-me.png', '2-me.png'] [] contact_sheet.html"),
    ("1 done; 1 confirmed", "['me.jpg']"),
    ("['navy', 'white'] True",),
    ("me.us-passport.jpg", "me.linkedin.jpg", "No generative step"),
    ("sheet.pdf", "prints", "us-passport"),
    ("US passport", "True []"),
    ("4 CC0", "dataset_report.html True"),
    ("vae.safetensors True",),
)
"""What the examples of each command as a call print."""
