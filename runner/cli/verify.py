"""`likeness verify`: what a picture file says of its making, and whether its content credentials are intact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import FAILED, VERDICT_FAILED, clean, current_output, json_option, told_as_usage

if TYPE_CHECKING:
    from ...core.provenance.verify_file import Checked, Credentials
    from ...core.provenance.xmp import Claims
    from ..api.lookups import VerifiedFile


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="LIKENESS_C2PA_TRUST",
    help="Certificates of authorities that you trust, PEM. Without it no signer is trusted.",
)
@json_option
@click.pass_context
def verify(context: click.Context, files: tuple[Path, ...], trust: Path | None) -> None:
    """Say what picture FILES claim of their making, and check their content credentials (C2PA).

    Nothing is sent anywhere. Exit code 3 when a file was altered after it was signed, 1 when one cannot be read; a file
    without credentials is no failure.
    """
    from ..api.lookups import verify_files

    out = current_output()
    told: list[VerifiedFile] = []

    def show(file: VerifiedFile) -> None:
        said = [clean(file.error)] if file.checked is None else _lines(file.checked)
        out.say(("\n" if told else "") + "\n".join([clean(file.path), *(f"  {line}" for line in said)]))
        told.append(file)

    with told_as_usage():
        found = verify_files(files, trust, on_event=show)
    out.result(found.as_dict(), lambda: None)
    if found.altered or found.unreadable:
        context.exit(VERDICT_FAILED if found.altered else FAILED)


def _lines(checked: Checked) -> list[str]:
    """What a person reads of one file."""
    from ...core.provenance.verify_file import State

    lines = [f"picture      {checked.format}, {checked.width} x {checked.height} pixels"]
    if checked.claims is not None:
        lines += _claimed(checked.claims)
    if checked.unreadable:
        lines.append(f"claims       {clean(checked.unreadable)}")
    if checked.traces:
        lines.append(f"traces       {clean(checked.traces)}")
    lines += _credentials(checked.credentials)
    if checked.claims is not None and checked.credentials.state is not State.INTACT:
        lines.append("No intact signature covers what the file claims: anybody may have written it.")
    if not checked.known:
        lines.append("Nothing is known of how this picture was made: the file does not say.")
    return lines


def _claimed(claims: Claims) -> list[str]:
    from ...core.provenance.source_types import short

    lines = []
    if claims.source_type:
        lines.append(f"source type  {clean(short(claims.source_type))} (IPTC)")
    for name, value in (("tool", claims.tool), ("creator", claims.creator)):
        if value:
            lines.append(f"{name:12} {clean(value)}")
    record = claims.record
    if record is None:
        return lines
    lines.append(f"generative   {record.generative.value}: {record.statement}")
    lines += [f"             - {clean(reason)}" for reason in record.reasons]
    if record.steps:
        lines.append(f"steps        {clean('; '.join(record.steps))}")
    lines += [f"model        {clean(name)} ({clean(licence)})" for name, licence in record.models]
    if record.document:
        lines.append(f"document     {clean(record.document)}")
    if record.edits is not None:
        lines.append(f"edits        {clean('; '.join(record.edits)) or 'none beyond cutting, turning and resizing'}")
    if record.workflow_hash:
        lines.append(f"workflow     {clean(record.workflow_hash[:12])}")
    return lines


def _credentials(found: Credentials) -> list[str]:
    from ...core.provenance.credentials import INSTALL
    from ...core.provenance.source_types import short
    from ...core.provenance.verify_file import State

    said = {
        State.NONE: "no credentials: never signed, or saved again by a program that drops them",
        State.ELSEWHERE: "kept on a server, which is not asked",
        State.NOT_CHECKED: f"there are some; to check them: {INSTALL}",
        State.ALTERED: "ALTERED: the file is not what was signed, or its credentials are damaged",
        State.EXPIRED: "unchanged, and the certificate was not valid at the time that is known",
        State.INTACT: "intact: nothing was changed since it was signed",
    }
    lines = [f"credentials  {said[found.state]}"]
    if found.problems:
        lines.append(f"             {clean(', '.join(found.problems))}")
    if found.signer or found.issuer:
        trusted = "trusted" if found.trusted else "not trusted: its authority is none that you gave with --trust"
        lines.append(f"signed by    {clean(found.signer)}, {clean(found.issuer)} ({trusted})")
    if found.signed_at:
        lines.append(f"signed at    {clean(found.signed_at)}")
    if found.generator:
        lines.append(f"signed with  {clean(found.generator)}")
    if found.actions:
        lines.append(f"actions      {clean(', '.join(each.removeprefix('c2pa.') for each in found.actions))}")
    if found.source_types:
        lines.append(f"says         {clean(', '.join(map(short, found.source_types)))} (IPTC)")
    return lines
