"""The prompting nodes a user can drag."""

from __future__ import annotations

from ..schema import io
from .prompt_node import ProfessionalPrompt
from .token_node import SubjectToken

NODES: list[type[io.ComfyNode]] = [ProfessionalPrompt, SubjectToken]
