"""Make docs/compliance.md: what is measured on an ID photo, by whose definition, and what is asked of it.

.venv/bin/python docs/compliance.py
"""

from __future__ import annotations

from pathlib import Path

from likeness_studio.core.faces import load_engine
from likeness_studio.core.id_photo import About, limits_for, matte_of, measure_all, table
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.quality import Limit
from likeness_studio.core.quality.usable_photo import limits as usable_limits

PAGE = Path(__file__).with_suffix(".md")
PHOTO = Path(__file__).parent.parent / "runner" / "demo.jpg"
GENERAL = "icao"

INTRO = """\
# What is checked on an ID photo

This page is made from the tables of limits by `python docs/compliance.py`.

*Check ID Photo* and `likeness check` measure a photo and hold every figure against a limit. A measure does not judge:
its definition is that of ISO/IEC 29794-5 as OFIQ implements it, wherever there is one, and each says where ours
differs. The limits are ours, chosen on real portraits with planted faults (`benchmarks/id_photo`), or the document's.

A check **passes**, **fails**, or is **uncertain**. Where a rule has one figure, such as a head height, it is uncertain
when the figure lies within one standard error of the value. Where a limit has two, what is between them is uncertain,
and so is a value beyond both when *asked* lies within one standard error of it. A rule that is broken only because
another is, such as a shadow on a patterned background, is not judged. Of a photo that lies on its side or on its head
only that is judged. `likeness check` also believes what a file says of its making (XMP, content credentials): edits
that the document forbids break the rule on changes.
A photo passes only when nothing fails and nothing is uncertain. *Asked* is what passes for certain, for the general
document of ICAO; other documents put their own figures in, or leave a rule out. A rule of a head covering with an
exception for religion or health never fails for certain: a person must decide. Mean and variance of the luminance are
measured and have no limit, because they depend on the tone of the skin.

No program can tell whether the photo is recent, whether it looks like the person today, or how well it was printed. A
passed check is no promise that an office accepts the photo.

| Rule | Asked | Whose definition |
|---|---|---|
"""

SELFIE = """
## As a reference photo

*Check Selfie*, *Enroll Identity* and `likeness check` without a document ask for less. A photo that fails one of these
is of no use for enrolment, generation or training; what is uncertain could be better.

| Rule | Asked |
|---|---|
"""


def page() -> str:
    """The whole page."""
    rules = document(GENERAL)
    photo = load_photo(PHOTO)[0][0]
    seen = measure_all(photo, load_engine(), rules, matte_of(photo, None, "u2netp"), About())
    measures = {measure.name: measure for measure in seen.measures}
    asked = limits_for(rules)
    lines = []
    for name, general in table().items():
        limit = asked[name]
        measure = measures.get(name)
        words = limit.words(measure.unit if measure else "") if isinstance(limit, Limit) else "by the document"
        source = measure.source if measure and measure.source else "the document"
        lines.append(f"| {general.title} | {words} | {source.rstrip('.')} |")
    loose = [
        f"| {limit.title} | {limit.words(measures[name].unit if name in measures else '')} |"
        for name, limit in usable_limits().items()
    ]
    return INTRO + "\n".join(lines) + "\n" + SELFIE + "\n".join(loose) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
