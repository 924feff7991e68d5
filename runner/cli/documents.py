"""`likeness documents`: which documents there are rules for, what these ask, and where each figure comes from."""

from __future__ import annotations

import textwrap

import click

from ...core.id_photo.document import EDITS, Document, facts, length, size
from ..api.lookups import document_values, get_document, list_documents
from .output import current_output, echo, json_option, print_columns

WIDTH = 100
"""Columns that a document's texts are folded to."""


@click.command()
@click.argument("document_id", metavar="[DOCUMENT]", required=False)
@click.option("--country", help="Only those of one country: its name, or the first letters of the ids (us, de, in).")
@json_option
def documents(document_id: str | None, country: str | None) -> None:
    """List the documents that an ID photo can be made for, or show the rules of one DOCUMENT with their sources."""
    if document_id and country:
        raise click.UsageError("Give a document or --country, not both.")
    out = current_output()
    if document_id:
        one = get_document(document_id)
        out.result({"document": document_values(one)}, lambda: _show(one))
        return
    found = list_documents(country)
    out.result({"documents": [document_values(each) for each in found]}, lambda: _list(found))


def _list(found: list[Document]) -> None:
    titles = ("document", "what it is", "size", "head", "edits", "sure")
    rows = [
        (
            each.id,
            each.title,
            size(each),
            length(each.head, each.height_mm) or "no rule",
            EDITS[each.edits],
            each.confidence,
        )
        for each in found
    ]
    print_columns(titles, rows)
    echo("\nlikeness documents DOCUMENT shows all rules of one, and where they come from.")


def _show(document: Document) -> None:
    echo(f"{document.id}: {document.title} ({document.country}, {document.kind})\n")
    for title, text in facts(document):
        echo(_folded(f"{title:15} ", text))
    for title, texts in (
        ("Notes", document.notes),
        ("Where sources disagree", document.disputes),
        ("Sources", tuple(f"{each.url} ({each.checked}): {each.says}" for each in document.sources)),
    ):
        if texts:
            echo(f"\n{title}")
        for text in texts:
            echo(_folded("- ", text))


def _folded(start: str, text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
