"""`likeness models`: which weights there are, under which terms, where they lie, and whether they are intact."""

from __future__ import annotations

import click

from ...core.models.transfer import megabytes
from ..api import lookups as api
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
    found = api.list_models()
    titles = ("name", "use", "size", "licence of the weights", "commercial", "on this machine")
    cells = [
        (each.name, each.use, megabytes(each.size), each.licence, each.commercial, str(each.path or "no"))
        for each in found
    ]
    values = {"models": [each.as_dict() for each in found]}
    current_output().result(values, lambda: print_columns(titles, cells))


@models.command("get")
@click.argument("names", nargs=-1, required=True)
@click.option("--quiet", is_flag=True, help="Print nothing unless something goes wrong.")
@json_option
def get_models(names: tuple[str, ...], quiet: bool) -> None:
    """Fetch models by NAME, unless they are there already; a damaged file is replaced."""
    out = current_output()
    found = api.get_models(*names, quiet=quiet or out.as_json)

    def show() -> None:
        for each in found:
            if not quiet:
                out.say(f"{each.name}: {each.path}")

    out.result({"models": [each.as_dict() for each in found]}, show)


@models.command("verify")
@click.argument("names", nargs=-1)
@json_option
def verify_models(names: tuple[str, ...]) -> None:
    """Hash the files of models by NAME (of all, without one) and compare with the manifest.

    Ends with an error when a file is not what it must be. A model that is not on this machine is no error.
    """
    found = api.verify_models(*names)
    cells = [(check.name, WORDS[check.state], str(check.path or "")) for check in found.checks]
    current_output().result(found.as_dict(), lambda: print_columns(("name", "state", "file"), cells))
    found.refuse_corrupt()
