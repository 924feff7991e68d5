"""The prompting nodes a user can drag."""

from __future__ import annotations

from .describe import DescribePhoto
from .prompting import ProfessionalPrompt
from .schema import io
from .token_node import SubjectToken
from .traits_node import KeepTraits

NODES: list[type[io.ComfyNode]] = [DescribePhoto, KeepTraits, ProfessionalPrompt, SubjectToken]
