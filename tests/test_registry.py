"""What the Comfy registry asks of a pack, asked by its own tool."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_comfy_node_validate_is_clean():
    comfy = Path(sys.executable).parent / "comfy"
    if not comfy.exists():
        pytest.skip("install comfy-cli to validate the pack for the registry")
    result = subprocess.run(
        [comfy, "--skip-prompt", "--no-enable-telemetry", "node", "validate"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert "warning" not in output.lower()
