"""Make docs/documents.md from the table of documents: what each asks of its photo, and where that comes from.

.venv/bin/python docs/documents.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from likeness_studio.core.id_photo import EDITS, Document, facts, length, size
from likeness_studio.core.id_photo.documents import documents

PAGE = Path(__file__).with_suffix(".md")
INTRO = """\
# Documents

This page is made from `core/id_photo/documents/*.toml` by `python docs/documents.py`. `likeness documents` lists the
same, `likeness documents us-passport` shows one, and `--json` gives either to a program.

**Ask the office.** Rules change, offices read them in their own way, and many of these figures were not read on the
office's own page. Nothing here is legal advice, and a photo that keeps all rules below can still be refused.

How sure an entry is: **high**, the office's text was read and a second source agrees; **medium**, one of both, or
sources disagree in something; **low**, neither, or they disagree in what matters. Each source says when it was read,
and by whom where it was not by us. `quoted by dweekly/visa-photo` means the verbatim copies of official pages in that
public repository, `by passport-photo-specs` the data set named below. A photo is made to keep all ranges of its
document at once, with the largest margin; where there is no rule, none is checked.

*Edits* is what may be done to the picture beyond cutting, turning, resizing and compressing. For nearly all official
documents that is nothing, not even another background; where no rule was found it is nothing too. *Taken by* says who
must take the photo: what is made here is then not accepted, and is for checking only.

Figures from "passport-photo-specs by PixID" (<https://pixid.studio>, <https://doi.org/10.5281/zenodo.23321885>),
licensed under [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), are used where a source names it. They were
checked against other sources, converted and extended; errors are ours.
"""
TABLE = """
## All documents

| Document | What it is | Size | Head | Eye line | Edits | Sure |
| --- | --- | --- | --- | --- | --- | --- |
"""


def row(document: Document) -> str:
    """A line of the table."""
    cells = (
        f"[`{document.id}`](#{document.id})",
        document.title,
        size(document),
        length(document.head, document.height_mm) or "no rule",
        length(document.eyes, document.height_mm) or "no rule",
        EDITS[document.edits],
        document.confidence,
    )
    return f"| {' | '.join(cells)} |"


def section(document: Document) -> Iterator[str]:
    """All that is known of one document."""
    yield f"### {document.id}"
    yield ""
    yield f"{document.title}. Kind: {document.kind}."
    yield ""
    yield from (f"- **{title}**: {text}" for title, text in facts(document))
    yield from _list("Notes", document.notes)
    yield from _list("Where sources disagree", document.disputes)
    yield from _list("Sources", (f"<{each.url}>, {each.checked}: {each.says}" for each in document.sources))
    yield ""


def _list(title: str, texts: Iterable[str]) -> Iterator[str]:
    lines = [f"- {text}" for text in texts]
    if lines:
        yield from ("", f"{title}:", "", *lines)


def page() -> str:
    """The whole page."""
    found = list(documents().values())
    lines = [INTRO + TABLE + "\n".join(map(row, found)), ""]
    for country, group in groupby(found, key=lambda each: each.country):
        lines += [f"## {country}", ""]
        lines += [line for each in group for line in section(each)]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
