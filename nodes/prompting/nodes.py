"""The prompting nodes a user can drag."""

from __future__ import annotations

from ..schema import io
from .describe_node import DescribePhoto
from .prompt_node import ProfessionalPrompt
from .token_node import SubjectToken
from .traits_node import KeepTraits

NODES: list[type[io.ComfyNode]] = [DescribePhoto, KeepTraits, ProfessionalPrompt, SubjectToken]
