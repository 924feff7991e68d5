"""Words for generators: professional prompts, traits to keep, subject tokens, descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .brief import (
        CAPTION,
        FIELDS,
        MEASURED,
        SUITS_THE_ROLE,
        UNSPECIFIED,
        Brief,
        Description,
        Dialect,
        Kind,
        lines,
        phrases,
    )
    from .measure_background import Background, background, colour_name
    from .measure_photo import Measured, face_light, framing, measure, pose_words
    from .parts import resolve
    from .preset_files import Presets, Style, built_in
    from .read_caption import describe
    from .subject_token import RARE, Scheme, judge, make_token, phrase, rank, rare_entries
    from .token_count import CHUNK, SIZE, Vocabulary, by_encoder, by_vocabulary, clip_chunks, readable
    from .traits import NOT_SAID, keep_traits, kinds
    from .wording import NAMES, balanced, in_words, plain, says, segments, unweighted, with_article
    from .write_prompt import negative, positive, write

__getattr__ = lazy(
    __name__,
    {
        ".brief": ("Brief CAPTION Description Dialect FIELDS Kind lines MEASURED phrases SUITS_THE_ROLE UNSPECIFIED"),
        ".token_count": "by_encoder by_vocabulary CHUNK clip_chunks readable SIZE Vocabulary",
        ".measure_background": "Background background colour_name",
        ".measure_photo": "face_light framing measure Measured pose_words",
        ".parts": "resolve",
        ".preset_files": "built_in Presets Style",
        ".read_caption": "describe",
        ".subject_token": "judge make_token phrase rank RARE rare_entries Scheme",
        ".traits": "keep_traits kinds NOT_SAID",
        ".wording": "balanced in_words NAMES plain says segments unweighted with_article",
        ".write_prompt": "negative positive write",
    },
)
