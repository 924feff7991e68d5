"""The socket types of the prompting nodes."""

from __future__ import annotations

from ..schema import io

DescriptionType = io.Custom("LIKENESS_DESCRIPTION")
