"""A workflow against what a server says of its nodes: every problem at once, and nothing that is not sure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from ...core.errors import LikenessError, PhotoMissing
from ...core.host import model_dirs
from ..errors import GraphCycle, ModelFileMissing, NodeClassMissing, NotAnOption, NothingToRun
from .graph import Node, Workflow
from .object_info import MODEL_SUFFIXES, Catalog
from .sources import CORE, Sources, read
from .validate import Finding, NodeCheck, needed

LISTS_FILES = frozenset({"LoadLatent"})
"""Core classes that read a file of the input folder by a list that nothing marks as such; they check it themselves."""


@dataclass
class Findings:
    """What is wrong (`problems`), and what may be wrong but only the server can say (`doubts`)."""

    problems: list[LikenessError] = field(default_factory=list)
    doubts: list[LikenessError] = field(default_factory=list)


def check(workflow: Workflow, catalog: Catalog, *, files_follow: bool = True) -> list[LikenessError]:
    """Every sure problem of `workflow` on a server whose nodes are described by `catalog`; empty when it can run.

    With `files_follow` the user's photos are still to be uploaded, so that their names are not looked up. Without it
    a photo that is not in the server's input folder is a PhotoMissing. The others are NodeClassMissing (one for each
    class), ModelFileMissing (one for each file), NothingToRun, GraphCycle, InputRequired, BadLink, WrongType,
    OutOfRange and NotAnOption. The file that the workflow came from says where packs and models can be had.
    """
    return examine(workflow, catalog, files_follow=files_follow).problems


def examine(workflow: Workflow, catalog: Catalog, *, files_follow: bool = True, strict: bool = False) -> Findings:
    """The same, with what is not sure: foreign nodes may accept more than their description says.

    `strict` is for the local engine, which takes no words for truth values.
    """
    sources = read(workflow.canvas, workflow)
    found = Findings(_missing_classes(workflow, catalog, sources))
    try:
        nodes = needed(workflow, catalog)
    except (NothingToRun, GraphCycle) as problem:
        found.problems.append(problem)
        nodes = list(workflow)
    findings: list[Finding] = []
    for node in nodes:
        if node.class_type in catalog:
            node_check = NodeCheck(workflow, node, catalog, strict=strict)
            node_check.step()
            findings += node_check.findings
            if not files_follow:
                found.problems += _photo_missing(node, catalog)
    models = [finding for finding in findings if _names_model(finding)]
    found.problems += _missing_models(models, sources, here=strict)
    for finding in findings:
        if finding not in models:
            sure = finding.sure and _list_is_complete(finding)
            (found.problems if sure else found.doubts).append(finding.problem)
    return found


def _list_is_complete(finding: Finding) -> bool:
    """Whether a value outside of the list is wrong for certain."""
    return not (isinstance(finding.problem, NotAnOption) and finding.node.class_type in LISTS_FILES)


def _missing_classes(workflow: Workflow, catalog: Catalog, sources: Sources) -> list[LikenessError]:
    """A NodeClassMissing for each class that `catalog` lacks."""
    titles: dict[str, list[str]] = {}
    for node in workflow:
        if node.class_type not in catalog:
            titles.setdefault(node.class_type, []).append(node.title)
    return [_class_missing(name, used, sources.pack(name), catalog) for name, used in titles.items()]


def _class_missing(name: str, titles: list[str], pack: dict[str, str], catalog: Catalog) -> NodeClassMissing:
    others = [title for title in dict.fromkeys(titles) if title != name]
    used = f" (used by {', '.join(map(repr, others))})" if others else ""
    version = f" {pack['version']}" if "version" in pack else ""
    if pack.get("id") == CORE:
        how = f"it is part of ComfyUI{version}; update ComfyUI there"
    elif pack:
        how = f"it comes with the pack {pack['id']}{version}; install or update it there and restart ComfyUI: "
        how += pack["install"]
    else:
        close = difflib.get_close_matches(name, catalog, n=1, cutoff=0.85)
        meant = f"did you mean {close[0]!r}? Else " if close else ""
        how = f"{meant}search for the pack that has it in ComfyUI Manager, install it there and restart ComfyUI"
    return NodeClassMissing(f"The server has no node class {name}{used}; {how}.", name, titles, pack)


def _names_model(finding: Finding) -> bool:
    """Whether the value names a model file: then a server's list is complete, whoever wrote the node."""
    return (
        isinstance(finding.problem, NotAnOption)
        and isinstance(finding.value, str)
        and finding.value.lower().endswith(MODEL_SUFFIXES)
        and not finding.socket.names_upload
    )


def _missing_models(findings: list[Finding], sources: Sources, *, here: bool) -> list[LikenessError]:
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        by_file.setdefault(finding.value, []).append(finding)
    return [_model_missing(name, users, sources, here=here) for name, users in by_file.items()]


def _model_missing(name: str, users: list[Finding], sources: Sources, *, here: bool) -> ModelFileMissing:
    first = users[0]
    model = sources.model(name, first.node.class_type, first.socket.name)
    inputs = [f"{user.node.title}.{user.socket.name}" for user in users]
    root = str(model_dirs()[0]) if here else "models"
    folder = f"{root}/{model['directory']}" if "directory" in model else "the folder of that kind of model"
    there = "" if here else " there"
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    alike = [str(choice) for choice in first.socket.choices or ()]
    alike = [choice for choice in alike if choice.replace("\\", "/").rpartition("/")[2].lower() == base]
    if alike:
        how = f"it has {alike[0]!r}: choose that one"
    elif "url" in model:
        how = f"fetch {model['url']} into {folder}{there}"
    else:
        how = f"put it into {folder}{there}, or choose another"
    digest = f" ({model.get('hash_type', 'hash')} {model['hash']})" if model.get("hash") and not alike else ""
    where = "This machine" if here else "The server"
    return ModelFileMissing(
        f"{where} has no model file {name!r} for {', '.join(inputs)}; {how}{digest}.", inputs, model
    )


def _photo_missing(node: Node, catalog: Catalog) -> list[LikenessError]:
    name = node.inputs.get(node.file_input or "")
    socket = catalog[node.class_type].by_name.get(node.file_input or "")
    plain = isinstance(name, str) and "/" not in name and "[" not in name
    if node.file_kind != "photo" or socket is None or socket.choices is None or not plain or name in socket.choices:
        return []
    where = f"{node.title}.{node.file_input}"
    return [PhotoMissing(f"{where} names {name!r}, which is not in the server's input folder; give a photo for it.")]
