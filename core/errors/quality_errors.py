"""What can go wrong when photos are judged."""

from __future__ import annotations

from . import LikenessError


class LimitsInvalid(LikenessError):
    """A table of limits cannot be used as it is written."""

    code = "limits_invalid"
    meaning = "A table of limits has an unknown key, a wrong type or a bound that contradicts itself."
    hint = "Correct the limit that is named in the message, or take the table as it comes with the pack."
