"""What a photo's file says of how it was made, for the check of an ID photo: only the runner reads both."""

from __future__ import annotations

from pathlib import Path

from ..core.id_photo.history import History
from ..core.provenance.record import Claims, Generative
from ..core.provenance.source_types import ALGORITHMIC, COMPOSITE, ENHANCED, GENERATIVE, VOCABULARY, short
from ..core.provenance.verify_file import check_file

COMPOSED = frozenset({COMPOSITE, VOCABULARY + "compositeCapture"})
"""Several pictures in one: a replaced background is that, too."""

CHANGED = frozenset(
    {ALGORITHMIC, ENHANCED}
    | {VOCABULARY + term for term in ("humanEdits", "softwareImage", "digitalArt", "digitalCreation")}
    | {VOCABULARY + term for term in ("virtualRecording", "dataDrivenMedia", "compositeSynthetic")}
)
"""What is no photo, or was edited. Minor edits are not among them: cutting is one."""


def read_history(path: Path) -> History:
    """What the file at `path` says, in XMP, in content credentials or by what generating programs leave in it.

    A statement that speaks against the photo is believed from anybody. Raises what `check_file` raises.
    """
    seen = check_file(path)
    claims = seen.claims or Claims()
    record = claims.record
    sources = [each for each in (claims.source_type, *seen.credentials.source_types) if each]
    generated = [f"its source is {short(each)}" for each in sources if each in GENERATIVE]
    if not generated and seen.origin.generative is Generative.SOME:
        generated = [seen.origin.reason]
    changed = [f"its source is {short(each)}" for each in sources if each in CHANGED - GENERATIVE]
    composed = [f"its source is {short(each)}" for each in sources if each in COMPOSED]
    return History(
        edits=None if record is None else record.edits,
        changed=tuple(dict.fromkeys(generated + changed)),
        composed=tuple(dict.fromkeys(composed)),
    )
