"""One cause, one failure: rules that are broken only because another one is are not judged beside it."""

from __future__ import annotations

from dataclasses import replace

from ..quality.limits import Check, Outcome

PATTERNED = "Not judged: the background is not plain."
DARK = "Not judged: the photo is too dark."

CAUSES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("under_exposure", DARK, ("background_lightness", "background_colour", "background_shadow")),
    ("background_uniformity", PATTERNED, ("background_shadow", "background_pattern")),
    ("background_pattern", PATTERNED, ("background_shadow",)),
)
"""What fails, what is then said of other rules, and of which."""

BLACK_AND_WHITE = "The photo is black and white; use a colour photo."


def by_cause(checks: list[Check], *, grey: bool = False) -> list[Check]:
    """The checks, those not judged that did not pass for a cause that fails itself. `grey`: there is no colour."""
    broken = {check.name for check in checks if check.outcome is Outcome.FAIL}
    reasons: dict[str, str] = {}
    for cause, words, names in CAUSES:
        if cause in broken:
            reasons = dict.fromkeys(names, words) | reasons
    found = []
    for check in checks:
        wrong = check.outcome in (Outcome.FAIL, Outcome.UNCERTAIN)
        if wrong and check.name in reasons:
            check = Check(
                *(check.name, check.title, check.group, Outcome.NOT_MEASURED),
                limit=check.limit,
                detail=reasons[check.name],
                source=check.source,
            )
        elif wrong and grey and check.name == "natural_colour":
            check = replace(check, advice=BLACK_AND_WHITE, failing="black and white")
        found.append(check)
    return found
