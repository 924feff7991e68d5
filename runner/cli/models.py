"""`likeness models`: which weights there are, under which terms, where they lie, and whether they are intact."""

from __future__ import annotations

from typing import Any, Protocol

import click

from ...nodes.errors import ModelCorrupt
from ...nodes.models import store
from ...nodes.models.disk import megabytes


class Output(Protocol):
    """What the commands need of the shared output object."""

    def result(self, data: dict[str, Any]) -> None:
        """The command's result for programs (printed with --json only)."""
        ...

    def line(self, text: str) -> None:
        """A line for people."""
        ...

    def table(self, columns: list[str], rows: list[list[str]]) -> None:
        """A table for people."""
        ...


@click.group()
def models() -> None:
    """The model files: list them, fetch them, check them."""


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


@models.command("list")
@click.pass_obj
def list_models(out: Output) -> None:
    """Every known model, its licence, and where its file is on this machine."""
    rows = [_row(name) for name in store.names()]
    out.table(
        ["name", "use", "size", "licence of the weights", "commercial", "on this machine"],
        [
            [
                row["name"],
                row["use"],
                megabytes(row["size"]),
                row["licence"],
                row["commercial"],
                row["path"] or "no",
            ]
            for row in rows
        ],
    )
    out.result({"models": rows})


@models.command("get")
@click.argument("names", nargs=-1, required=True)
@click.option("--quiet", is_flag=True, help="Print nothing unless something goes wrong.")
@click.pass_obj
def get_models(out: Output, names: tuple[str, ...], quiet: bool) -> None:
    """Fetch models by NAME, unless they are there already; a damaged file is replaced."""
    files = store.get(*names, quiet=quiet)
    if not quiet:
        for name, file in zip(names, files, strict=True):
            out.line(f"{name}: {file}")
    out.result({"models": [_row(name) for name in names]})


@models.command("verify")
@click.argument("names", nargs=-1)
@click.pass_obj
def verify_models(out: Output, names: tuple[str, ...]) -> None:
    """Hash the files of models by NAME (of all, without one) and compare with the manifest.

    Ends with an error when a file is not what it must be. Models that are not on this machine are no error.
    """
    checks = store.verify(*names)
    words = {
        "ok": "as the manifest says",
        "missing": "not on this machine",
        "corrupt": "NOT what the manifest says",
        "unpinned": "your own file; the manifest does not know it",
    }
    out.table(
        ["name", "state", "file"],
        [[check.name, words[check.state], str(check.path or "")] for check in checks],
    )
    out.result(
        {
            "models": [
                {
                    "name": check.name,
                    "state": check.state,
                    "path": str(check.path) if check.path else None,
                    "sha256": check.sha256,
                }
                for check in checks
            ]
        }
    )
    corrupt = sorted({check.name for check in checks if check.state == "corrupt"})
    if corrupt:
        raise ModelCorrupt(
            f"The file of {' and of '.join(corrupt)} differs from the manifest; fetch it again with:"
            f" likeness models get {' '.join(corrupt)}"
        )
