"""The `likeness` command: one file for each command group, one output object for people and for programs.

Command modules are imported when they are called, so that ``likeness --help`` stays quick.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, ClassVar

import click

from ...core import __version__
from ...core.errors import Interrupted, LikenessError
from .output import FAILED, INTERRUPTED, Output


class LazyGroup(click.Group):
    """Knows its commands by name and one line of help, and imports one when it is called."""

    commands_by_name: ClassVar[dict[str, tuple[str, str]]] = {
        "demo": ("run:demo", "Make a studio headshot of the demo photo and show the evidence."),
        "run": ("run:run", "Run a workflow, here or on a ComfyUI server."),
        "batch": ("batch:batch", "Run a workflow over many photos, here or on many servers."),
        "compare": ("compare:compare", "Try models and settings on one photo, and compare the likeness."),
        "headshot": ("headshot:headshot", "Make studio headshots of photos, checked to be the same person."),
        "id": ("id:id_command", "Make passport, visa and profile photos by the rules; nothing is generated."),
        "sheet": ("sheet:sheet", "Lay ID photos out on paper in exact size, as PDF or PNG."),
        "check": ("check:check", "Judge photos by the rules of a document, or as reference photos."),
        "collect": ("collect:collect", "Gather the pictures of a batch in one folder, under their own names."),
        "status": ("batch:status", "Show how a batch is getting on."),
        "retry": ("batch:retry", "Run failed or unconfirmed jobs of a batch again."),
        "doctor": ("doctor:doctor", "Say what is missing, here, on a server, or for a workflow."),
        "workflows": ("workflows:workflows", "List the workflows that come with the pack, and what each needs."),
        "inspect": ("inspect:inspect", "List what can be set in a workflow."),
        "documents": ("documents:documents", "List the documents that ID photos can be made for, and their rules."),
        "verify": ("verify:verify", "Say how a picture was made, and whether it was altered since it was signed."),
        "models": ("models:models", "List, fetch and verify model files."),
        "dataset": ("dataset:dataset", "Make, screen and describe data sets to train on."),
        "train": ("train:train", "Train a small network on your own photos."),
        "server": ("server:server", "Start, watch and stop a ComfyUI server on this machine."),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a newcomer needs them."""
        return list(self.commands_by_name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name."""
        if cmd_name not in self.commands_by_name:
            return None
        module, attribute = self.commands_by_name[cmd_name][0].split(":")
        return getattr(import_module(f".{module}", __name__), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self.commands_by_name.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See early whether a program is reading: then wrong usage is told in JSON too."""
        ctx.ensure_object(Output).as_json = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; our errors become one line and an exit code."""
        output = ctx.ensure_object(Output)
        try:
            return super().invoke(ctx)
        except LikenessError as error:
            if os.environ.get("LIKENESS_DEBUG"):
                raise
            output.error(error)
            _leave(ctx, INTERRUPTED if isinstance(error, Interrupted) else FAILED)
        except click.UsageError as error:
            if output.as_json:
                output.usage(error)
            raise
        except KeyboardInterrupt:
            output.error(Interrupted("The run was stopped."))
            _leave(ctx, INTERRUPTED)
        finally:
            output.close()


def _leave(ctx: click.Context, code: int) -> None:
    """Exit; at once where a stopped run is still in native code, which no Python exit can break off."""
    interrupt = sys.modules.get(__name__.removesuffix("runner.cli") + "core.interrupt")
    if interrupt is not None and interrupt.work_is_left():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    ctx.exit(code)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="likeness")
def main() -> None:
    """A photo of you goes in, a professional picture comes out, and the software proves that it is still you."""
