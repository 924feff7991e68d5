"""The three rooms: who may import whom, and no circles. docs/architecture.md draws what is held here."""

import ast
import functools
import runpy
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("core", "nodes", "runner")
ENGINE = ("local", "local_nodes", "core_nodes", "core_picture_nodes")
MEETING = frozenset(f"runner/backends/{name}.py" for name in ENGINE)
"""Where nodes and runner meet: the engine that executes node classes, and core's few nodes that it carries."""

KNOW_COMFYUI = frozenset({"nodes/host.py", "nodes/schema.py"})
COMFYUI = frozenset({"comfy", "comfy_api", "comfy_execution", "folder_paths", "nodes", "server", "execution"})
OUTER_WORLD = frozenset({"httpx", "requests", "urllib3", "websocket", "aiohttp"})


def module_of(file: Path) -> str:
    """``core.faces.mesh`` for its file; a package is named without ``__init__``."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


parsed = functools.cache(ast.parse)
"""Every file is asked several questions."""

FILES = {module_of(file): file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))}


def imports(tree: ast.AST, *, lazy: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that happen at run time: not those for types, and those inside functions only where `lazy`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            yield from imports(ast.Module(node.orelse, []), lazy=lazy)
        elif lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports(node, lazy=lazy)


def own(source: str, module: str, *, package: bool = False, lazy: bool = True) -> set[str]:
    """The modules of this project that the source of `module` imports."""
    home = module.split(".") if package else module.split(".")[:-1]
    found = set()
    for node in imports(parsed(source), lazy=lazy):
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = [*home[: len(home) - node.level + 1], *(node.module.split(".") if node.module else [])]
        whole = ".".join(base)
        found |= {f"{whole}.{name.name}" if f"{whole}.{name.name}" in FILES else whole for name in node.names}
    return found - {module, ""}


def foreign(source: str) -> set[str]:
    """The packages from outside that a source imports anywhere, by their first name."""
    found = set()
    for node in imports(parsed(source), lazy=True):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def arrows(*, lazy: bool) -> dict[str, set[str]]:
    """Every module with those that it imports."""
    return {
        module: own(file.read_text("utf-8"), module, package=file.name == "__init__.py", lazy=lazy)
        for module, file in FILES.items()
    }


def folder_of(module: str) -> str:
    """``core/faces`` for every module below it; files beside the folders of a room stand for themselves."""
    parts = FILES[module].relative_to(ROOT).parts if module in FILES else tuple(module.split("."))
    return "/".join(parts[:2]) if len(parts) > 2 else module.replace(".", "/")


def wrong_rooms(module: str, imported: Iterable[str]) -> list[str]:
    """The imports that the rule of the rooms forbids."""
    room, file = module.split(".")[0], FILES[module].relative_to(ROOT).as_posix() if module in FILES else ""
    rooms = {"core": {"core"}, "nodes": {"core", "nodes"}, "runner": {"core", "runner"}}[room]
    allowed = rooms | ({"nodes"} if file in MEETING else set())
    return [f"{module} -> {each}" for each in sorted(imported) if each.split(".")[0] not in allowed]


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """One circle of the graph, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("module", FILES)
def test_a_room_imports_only_what_it_may(module):
    file = FILES[module]
    assert wrong_rooms(module, own(file.read_text("utf-8"), module, package=file.name == "__init__.py")) == []


@pytest.mark.parametrize("module", [each for each in FILES if each.startswith("core")])
def test_core_knows_no_comfyui_and_no_network(module):
    used = foreign(FILES[module].read_text("utf-8"))
    assert not used & COMFYUI
    assert not used & {"click"}
    assert module.startswith("core.models") or not used & OUTER_WORLD


def test_only_two_files_know_comfyui():
    know = {
        file.relative_to(ROOT).as_posix() for file in FILES.values() if foreign(file.read_text("utf-8")) & COMFYUI
    } | {"nodes/host.py"}
    assert know == KNOW_COMFYUI


def test_no_circle_of_files_at_run_time():
    assert circle(arrows(lazy=False)) == []


def test_no_circle_of_files_even_where_imports_wait_in_functions():
    assert circle(arrows(lazy=True)) == []


def test_no_circle_of_folders():
    folders: dict[str, set[str]] = {}
    for module, imported in arrows(lazy=True).items():
        own_folder = folder_of(module)
        folders.setdefault(own_folder, set()).update(folder_of(each) for each in imported)
    assert circle({name: to - {name} for name, to in folders.items()}) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.faces.mesh", "from ...nodes.schema import io"),
        ("core.faces.mesh", "def later():\n    from ...runner import Client"),
        ("nodes.identity", "from ..runner.client import Client"),
        ("runner.batch.run", "from ...nodes.extension import node_classes"),
    ],
)
def test_a_planted_wrong_import_is_found(module, source):
    assert wrong_rooms(module, own(source, module)) != []


def test_a_planted_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []


def test_imports_for_types_are_no_arrows():
    source = "if TYPE_CHECKING:\n    from ...nodes.schema import io"
    assert own(source, "core.faces.mesh") == set()


@pytest.mark.parametrize("module", FILES)
def test_a_file_says_which_role_it_is(module):
    assert ast.get_docstring(parsed(FILES[module].read_text("utf-8"))), "the first line says why the file exists"


@pytest.mark.parametrize("folder", [*ROOMS, "tests", "benchmarks", "docs"])
def test_a_file_is_one_role(folder):
    sizes = {file: len(file.read_text("utf-8").splitlines()) for file in (ROOT / folder).rglob("*.py")}
    assert [f"{file}: {size} lines" for file, size in sizes.items() if size > 400] == [], "two ideas: make two files"


def test_the_map_is_up_to_date():
    made = runpy.run_path(str(ROOT / "docs" / "architecture.py"))
    assert made["PAGE"].read_text("utf-8") == made["page"](), "run python docs/architecture.py"
