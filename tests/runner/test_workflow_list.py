"""`likeness workflows`: every bundled workflow, what it does and needs, told fast and without torch."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from click.testing import CliRunner

from likeness_studio import list_workflows
from likeness_studio.runner.cli import main
from likeness_studio.runner.workflow.graph import bundled

ROOT = Path(__file__).parents[2]


def test_every_bundled_workflow_is_listed_and_stands_in_the_readme():
    found = list_workflows()
    assert sorted(each.name for each in found) == bundled()
    readme = (ROOT / "README.md").read_text()
    missing = [each.does for each in found if each.does not in readme and not shared_row(each.does)]
    assert not missing, "the README and the command say the same"


def shared_row(does: str) -> bool:
    """The README has one row for what differs in the model only, or in the form of the result."""
    return "SD 1.5" in does or does.startswith(("The same ", "A passport", "Does a finished", "Is a photo", "Light,"))


def test_what_runs_here_is_what_this_process_has_nodes_for():
    from likeness_studio.runner.backends import local_catalog
    from likeness_studio.runner.workflow import load

    catalog = local_catalog()
    for each in list_workflows():
        assert each.runs_here == all(node.class_type in catalog for node in load(each.name)), each.name


def test_models_and_packs_are_named():
    found = {each.name: each for each in list_workflows()}
    assert {"u2net", "modnet", "yunet", "sface"} <= {model.name for model in found["studio_headshot"].models}
    assert found["studio_headshot"].needs == "this machine"
    redrawn = found["img2img_headshot_sd15"]
    assert "v1-5-pruned-emaonly-fp16.safetensors" in redrawn.needs
    assert "ComfyUI server" in redrawn.needs
    assert "KSampler" in redrawn.nodes


def test_the_command_lists_them_for_people_and_programs():
    shown = CliRunner().invoke(main, ["workflows"])
    assert shown.exit_code == 0
    assert (
        shown.output.index("studio_headshot") < shown.output.index("On a ComfyUI server") < shown.output.index("sdxl")
    )
    values = json.loads(CliRunner().invoke(main, ["workflows", "--json"]).stdout)
    assert {"name", "does", "needs", "runs_here", "models", "nodes"} <= values["workflows"][0].keys()


def test_it_is_quick_and_needs_no_torch():
    code = (
        "import sys; from click.testing import CliRunner; from likeness_studio.runner.cli import main;"
        "assert CliRunner().invoke(main, ['workflows']).exit_code == 0; assert 'torch' not in sys.modules"
    )
    began = time.process_time()
    subprocess.run([sys.executable, "-c", code], check=True)
    assert time.process_time() - began < 5
