"""`likeness models`: which weights there are, under which terms, where they lie, and whether they are intact."""

from __future__ import annotations

from typing import Any

import click

from ...core.errors import ModelCorrupt
from ...core.models import store
from ...core.models.transfer import megabytes
from .output import current_output, json_option, print_columns

WORDS = {
    "ok": "as the manifest says",
    "missing": "not on this machine",
    "corrupt": "NOT what the manifest says",
    "unpinned": "your own file; the manifest does not know it",
}


@click.group()
def models() -> None:
    """The model files: list them, fetch them, check them."""


@models.command("list")
@json_option
def list_models() -> None:
    """List every known model, its licence, and where its file is on this machine."""
    rows = [_row(name) for name in store.names()]
    titles = ("name", "use", "size", "licence of the weights", "commercial", "on this machine")
    cells = [
        (
            row["name"],
            row["use"],
            megabytes(row["size"]),
            row["licence"],
            row["commercial"],
            row["path"] or "no",
        )
        for row in rows
    ]
    current_output().result({"models": rows}, lambda: print_columns(titles, cells))


@models.command("get")
@click.argument("names", nargs=-1, required=True)
@click.option("--quiet", is_flag=True, help="Print nothing unless something goes wrong.")
@json_option
def get_models(names: tuple[str, ...], quiet: bool) -> None:
    """Fetch models by NAME, unless they are there already; a damaged file is replaced."""
    out = current_output()
    files = store.get(*names, quiet=quiet or out.as_json)

    def show() -> None:
        for name, file in zip(names, files, strict=True):
            if not quiet:
                out.say(f"{name}: {file}")

    out.result({"models": [_row(name) for name in names]}, show)


@models.command("verify")
@click.argument("names", nargs=-1)
@json_option
def verify_models(names: tuple[str, ...]) -> None:
    """Hash the files of models by NAME (of all, without one) and compare with the manifest.

    Ends with an error when a file is not what it must be. A model that is not on this machine is no error.
    """
    checks = store.verify(*names)
    corrupt = sorted({check.name for check in checks if check.state == "corrupt"})
    found = [
        {
            "name": check.name,
            "state": check.state,
            "path": str(check.path) if check.path else None,
            "sha256": check.sha256,
        }
        for check in checks
    ]
    cells = [(check.name, WORDS[check.state], str(check.path or "")) for check in checks]
    current_output().result({"models": found}, lambda: print_columns(("name", "state", "file"), cells))
    if corrupt:
        raise ModelCorrupt(
            f"The file of {' and of '.join(corrupt)} differs from the manifest; fetch it again with:"
            f" likeness models get {' '.join(corrupt)}"
        )


def _row(name: str) -> dict[str, Any]:
    model = store.entry(name)
    place = store.locate(name)
    return {
        "name": model.name,
        "use": model.use,
        "size": model.size,
        "licence": model.licence,
        "commercial": model.commercial,
        "about": model.about,
        "sha256": model.sha256,
        "path": str(place) if place else None,
    }
