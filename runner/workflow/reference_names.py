"""What the user called each photo of a person: the step that enrolls sees pictures, and people see files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...core.errors import EnrollmentRefused, LikenessError, PhotoError
from ...core.imaging.files import check_whole
from ..errors import NodeFailed, ServerExecutionError
from .input_files import safe_name

if TYPE_CHECKING:
    from .graph import Workflow
    from .input_files import Given, InputPhoto

ENROLLS = "LikenessEnrollIdentity"
"""The node class that makes a person of photos, as graphs call it."""

SAVES, DEFAULT_FILE = "LikenessSaveIdentity", "identities/person"
"""The node class that writes a person to a file, and what it calls that unless it is told."""

SOCKETS = ("photos", *(f"photos_{number}" for number in range(2, 9)))

_REFUSED = re.compile(r"(\d+) of (\d+) reference photos cannot be used\. ")
_PHOTO = re.compile(r"\bPhoto (\d+): ")


def reference_names(workflow: Workflow, node_id: str, photos: Sequence[InputPhoto]) -> list[str]:
    """The names of the photos that a node enrolls, in its order; none where other steps lie between, or none enrolls.

    `workflow` is as it ran, `photos` are the files that its nodes read. Damaged ones among several were left out.
    """
    node = workflow.nodes.get(node_id)
    if node is None or node.class_type != ENROLLS:
        return []
    found: list[str] = []
    for socket in SOCKETS:
        link = node.links.get(socket)
        if link is None:
            continue
        origin = workflow.nodes.get(link[0])
        if origin is None or origin.file_kind is None:
            return []
        files = sorted((each for each in photos if each.node == origin.id), key=lambda each: each.staged)
        found += [each.name for each in files if origin.file_kind == "photo" or _can_be_read(each)]
    return found


def _can_be_read(photo: InputPhoto) -> bool:
    try:
        check_whole(photo.path)
    except PhotoError:
        return False
    return True


def name_references(workflow: Workflow, photos: Sequence[InputPhoto], ui: dict[str, dict[str, list[Any]]]) -> None:
    """Give each photo in the reports of enrollments the name of its file, as far as it is known for sure.

    What was left out of a folder is called as the user calls it, too.
    """
    for node_id, shown in ui.items():
        _name_left_out([each for each in photos if each.node == node_id], shown)
        for report in shown.get("enrollment") or ():
            entries = report.get("photos") if isinstance(report, dict) else None
            names = reference_names(workflow, node_id, photos) if isinstance(entries, list) else []
            if not isinstance(entries, list) or len(names) != len(entries):
                continue
            report["photos"] = [
                entry | {"name": name} if isinstance(entry, dict) else entry
                for entry, name in zip(entries, names, strict=True)
            ]


def name_persons(workflow: Workflow, given: Sequence[Given], photos: Sequence[InputPhoto]) -> None:
    """Call a person that has no name after the folder of their photos; so is the file that it is saved in.

    `workflow` is changed: it is the copy that runs. A name or a file that the user chose stays.
    """
    folders = {each.path.resolve() for each in given if each.path.is_dir()}
    for node in workflow:
        link = node.links.get(SOCKETS[0]) if node.class_type == ENROLLS else None
        homes = {each.path.resolve().parent for each in photos if link is not None and each.node == link[0]}
        if len(homes) != 1 or not homes <= folders or node.inputs.get("name") != "":
            continue
        (home,) = homes
        node.inputs["name"] = home.name
        for saver in workflow:
            saved = saver.links.get("identity") if saver.class_type == SAVES else None
            if saved is not None and saved[0] == node.id and saver.inputs.get("filename") == DEFAULT_FILE:
                saver.inputs["filename"] = f"{DEFAULT_FILE.rpartition('/')[0]}/{safe_name(home.name)}"


def _name_left_out(photos: Sequence[InputPhoto], shown: dict[str, list[Any]]) -> None:
    own = {each.staged: each.name for each in photos}
    left_out = [entry for entry in shown.get("left_out") or () if isinstance(entry, dict) and entry.get("name") in own]
    for entry in left_out:
        staged, name = entry["name"], own[entry["name"]]
        entry |= {"name": name, "reason": str(entry.get("reason")).replace(staged, name, 1)}
        shown["text"] = [str(text).replace(staged, name, 1) for text in shown.get("text") or ()]


def name_in_error(workflow: Workflow, photos: Sequence[InputPhoto], error: LikenessError) -> None:
    """Let an error of an enrollment name files where it numbers photos; that of a single photo speaks of it alone."""
    if not isinstance(error, NodeFailed | ServerExecutionError):
        return
    cause = type(error.cause) if isinstance(error, NodeFailed) else error.cause
    text = str(error)
    counted = _REFUSED.search(text)
    if cause is not EnrollmentRefused or counted is None:
        return
    names = reference_names(workflow, error.node_id, photos)
    if len(names) != int(counted[2]):
        return
    if len(names) == 1:
        text = text.replace(counted[0], f"{names[0]} cannot be used. ", 1)
        text = _PHOTO.sub("", text, count=1)
    else:
        text = _PHOTO.sub(lambda found: f"{names[int(found[1]) - 1]}: ", text)
    error.args = (text,)
