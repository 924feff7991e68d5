"""Start, find and stop managed servers: what the command line and Python programs use."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ...core.errors import Interrupted
from ...core.host import state_dir
from ...core.interrupt import Stopped, never
from ..errors import NoManagedServer, PackNotInstalled, PortTaken, ServerStartFailed
from . import installation, state
from . import installation as pack
from . import options as places
from . import options as ports
from .child import since_start, tail
from .options import DEFAULT_NAME, Options, Place, command, url
from .processes import ProcessId, detach
from .state import ServerState

Say = Callable[[str], None]

LOG_LINES = 15
"""How many lines of the log an error carries."""

_TICK_SECONDS = 0.1
_SUPERVISOR_SECONDS = 30.0
_LOCK_SECONDS = 60.0
_SPARE_SECONDS = 5.0


def _silent(_: str) -> None:
    """For callers that want no words."""


class Managed:
    """One server of this machine that a supervisor of ours looks after."""

    def __init__(self, name: str, url: str, already_running: bool = False) -> None:
        self.name, self.url, self.already_running = name, url, already_running

    def status(self) -> ServerState:
        """What is known about it now. Raises NoManagedServer when it was forgotten."""
        known = state.read(self.name)
        if known is None:
            raise _none_of(self.name)
        return known

    def log(self, lines: int = LOG_LINES) -> list[str]:
        """The last lines of ComfyUI's output."""
        return tail(Place(self.name).log, lines)

    def log_of_start(self, lines: int = LOG_LINES) -> list[str]:
        """The same without what earlier starts printed."""
        return since_start(self.log(lines))

    def not_applied(self, options: Options, given: Collection[str]) -> list[str]:
        """Which of the `given` fields of `options` it runs with otherwise; they would need a stop and a start.

        Of the limits only `hang` is compared.
        """
        known = self.status()
        running = Options.read(known.options)
        running = replace(running, port=known.port, base=running.base or Path(known.comfyui))
        return [name for name in given if _comparable(options, name) != _comparable(running, name)]

    def stop(self) -> bool:
        """End the supervisor and ComfyUI, and whatever a dead supervisor left; whether anything was running.

        Waits for a start of the same server that is under way. Raises NoManagedServer.
        """
        self.status()
        with _starting(self.name, never):
            return self._stop()

    def _stop(self) -> bool:
        known = self.status()
        supervisor = known.supervisor if known.supervisor and known.supervisor.alive() else None
        left = known.server if known.server and known.server.alive() else None
        if supervisor:
            patience = Options.read(known.options).limits.grace + _SPARE_SECONDS
            supervisor.send(signal.SIGTERM)
            if not supervisor.wait_gone(patience):
                supervisor.kill_tree()
        _clean_up(self.name, state.STOPPED)
        return bool(supervisor or left)

    def restart(self, say: Say = _silent, stopped: Stopped = never) -> Managed:
        """Stop it and start it again as it was started, on the same port."""
        known = self.status()
        options = replace(Options.read(known.options), port=known.port)
        self.stop()
        return start(options, say, stopped)


def start(options: Options, say: Say = _silent, stopped: Stopped = never) -> Managed:
    """Start a ComfyUI under a supervisor and wait until it is ready; one that runs already is returned as it is.

    `say` gets what a person should know; `stopped` is asked while waiting. Raises BadServerName, ComfyUINotFound,
    PackNotInstalled, PortTaken, ServerStartFailed, and Interrupted after taking back what was begun.
    """
    Place(options.name).make()
    with _starting(options.name, stopped):
        running = find(options.name)
        if running is not None:
            running.already_running = True
        else:
            running = _launch(options, say)
    if options.wait > 0:
        _wait_ready(running, options.wait, stopped)
        if not running.already_running:
            _say_how_the_pack_loaded(running, say)
    return running


def find(name: str = DEFAULT_NAME) -> Managed | None:
    """The managed server of that name if its supervisor runs, else None. Raises BadServerName."""
    known = state.read(name)
    if known is None or known.state not in state.RUNNING or known.supervisor is None:
        return None
    return Managed(name, known.url)


def resolve(address: str) -> str:
    """The URL of the managed server for ``@NAME``; any other address as it is. Raises NoManagedServer."""
    if not address.startswith("@"):
        return address
    found = find(address[1:])
    if found is None:
        raise _none_of(address[1:])
    return found.url


def is_managed(address: str) -> bool:
    """Whether a managed server has this URL."""
    return any(known.url == address and known.state in state.RUNNING for known in statuses())


def being_recycled(address: str) -> bool:
    """Whether the managed server at this URL is due to be recycled, or is just being.

    Who keeps it busy should give it no more work until it is back: the supervisor waits for a moment without any.
    """
    return any(known.recycling for known in statuses() if known.url == address and known.state in state.RUNNING)


def statuses() -> list[ServerState]:
    """All servers that were ever started, by name."""
    return [known for name in places.names() if (known := state.read(name)) is not None]


def _comparable(options: Options, name: str) -> object:
    """The value of a field; of a Python the link is kept, which tells one virtual environment from another."""
    if name == "limits":
        return options.limits.hang
    value = getattr(options, name)
    if name == "python" and value:
        path = Path(shutil.which(value) or value).expanduser()
        return path.parent.resolve() / path.name
    return value.expanduser().resolve() if isinstance(value, Path) else value


def _none_of(name: str) -> NoManagedServer:
    running = [known.name for known in statuses() if known.state in state.RUNNING]
    there = f"running: {', '.join(running)}" if running else "none is running"
    chosen = "" if name == DEFAULT_NAME else f" --name {name}"
    return NoManagedServer(f"No managed server {name!r} is running ({there}); start it: likeness server start{chosen}.")


def _launch(options: Options, say: Say) -> Managed:
    """Prepare ComfyUI and start its supervisor."""
    _clean_up(options.name)
    comfyui = installation.find_comfyui(options.comfyui)
    python = installation.find_python(comfyui, options.python)
    base = options.base.expanduser().resolve() if options.base else None
    options = replace(options, comfyui=comfyui, python=python, base=base)
    _prepare_pack((base or comfyui) / "custom_nodes", python, options.install, say)
    with _lock(state_dir() / "servers" / ".ports.lock"):
        known = _describe(options, comfyui, python)
        known.write()
        Place(options.name).supervisor_log.unlink(missing_ok=True)
        words = [sys.executable, "-P", "-m", state.SUPERVISOR, options.name]
        supervisor = detach(words, Place(options.name).supervisor_log, {state.WHERE: str(state_dir())})
    _wait_for_supervisor(options.name, supervisor)
    if not ports.is_loopback(options.listen):
        say(f"Others can reach {known.url} on {options.listen}, and ComfyUI has no password.")
    return Managed(options.name, known.url)


def _describe(options: Options, comfyui: Path, python: Path) -> ServerState:
    """The state file to begin with; the port is chosen here."""
    given = state.ports_given(options.name)
    if options.port is not None and options.port in given:
        owner = given[options.port]
        raise PortTaken(
            f"Port {options.port} is that of the managed server @{owner}; leave out --port, or stop that one: "
            f"likeness server stop --name {owner}."
        )
    port = ports.choose(options.listen, options.port, given)
    return ServerState(
        name=options.name,
        url=url(options, port),
        comfyui=str(comfyui),
        python=str(python),
        started=state.now(),
        recycle_after=options.recycle_after,
        log=str(Place(options.name).log),
        command=command(options, comfyui, python, port),
        folder=str(comfyui),
        options=options.as_dict(),
    )


def _prepare_pack(custom_nodes: Path, python: Path, install: bool, say: Say) -> None:
    if pack.put_into(custom_nodes, install):
        say(f"Linked the pack into {custom_nodes}.")
    missing = pack.missing_packages(python)
    if missing and not install:
        raise PackNotInstalled(
            f"{python} lacks {', '.join(missing)}, which the pack needs; leave out --no-install, or install them there."
        )
    if missing:
        say(f"{python} lacks {', '.join(missing)}, which the pack needs; installing.")
        pack.install_packages(python, say)


def _say_how_the_pack_loaded(server: Managed, say: Say) -> None:
    """ComfyUI reads other folders than the one looked at as well, and its log has what came of it."""
    good, bad = pack.loaded("\n".join(server.log_of_start(pack.LOG_LINES)))
    if len(good) > 1:
        say(f"ComfyUI loaded the pack {len(good)} times; leave one of: {', '.join(good)}.")
    for folder in bad:
        say(f"ComfyUI could not load the pack from {folder}; see: likeness server logs --name {server.name}.")


def _wait_for_supervisor(name: str, supervisor: ProcessId | None) -> None:
    """Wait until the supervisor has taken over the state file."""
    deadline = time.monotonic() + _SUPERVISOR_SECONDS
    while time.monotonic() < deadline:
        known = state.read(name)
        if known is not None and known.supervisor is not None:
            return
        if supervisor is None or not supervisor.alive():
            break
        time.sleep(_TICK_SECONDS)
    if supervisor is not None:
        supervisor.kill_tree()
    known = state.read(name)
    if known is not None and known.supervisor is None:
        known.state, known.last_error = state.FAILED, "The supervisor did not start."
        known.write()
    if known is None or known.supervisor is None:
        raise ServerStartFailed("The supervisor did not start.", tail(Place(name).supervisor_log, LOG_LINES))


def _wait_ready(server: Managed, seconds: float, stopped: Stopped) -> None:
    """Wait until it is; when that fails or is broken off, end what was started here."""
    try:
        _poll_ready(server, seconds, stopped)
    except BaseException:
        if not server.already_running and server.status().state in state.RUNNING:
            server.stop()
        raise


def _poll_ready(server: Managed, seconds: float, stopped: Stopped) -> None:
    deadline = time.monotonic() + seconds
    while not _is_ready(server):
        _check_stopped(stopped)
        if time.monotonic() >= deadline:
            raise ServerStartFailed(
                f"The server {server.name!r} was not ready within {seconds:g} s; give it more time with --wait.",
                server.log_of_start(),
            )
        time.sleep(_TICK_SECONDS)


def _is_ready(server: Managed) -> bool:
    """Whether it is. Raises ServerStartFailed when it never will be."""
    known = server.status()
    if known.state in state.RUNNING:
        server.url = known.url
        return known.state == state.READY
    reason = (known.last_error or "it was stopped").rstrip(".")
    raise ServerStartFailed(
        f"The server {server.name!r} did not come up: {reason}.{_hint(server)}", server.log_of_start()
    )


def _check_stopped(stopped: Stopped) -> None:
    if stopped():
        raise Interrupted("The start was stopped; what it had begun was taken back.")


def _hint(server: Managed) -> str:
    text = "\n".join(server.log_of_start(40))
    no_gpu = "NVIDIA driver" in text or "not compiled with CUDA" in text or "No CUDA GPUs" in text
    return " Without a GPU, start it with --cpu." if no_gpu else ""


def _clean_up(name: str, word: str | None = None) -> None:
    """End what a supervisor that is gone has left, and say in the state file that nothing runs.

    A process is ended only when it is the very one that was started here: its start time is compared, too.
    """
    known = state.read(name)
    if known is None:
        return
    if known.server is not None:
        known.server.kill_tree()
        known.server.wait_gone(_SPARE_SECONDS)
    known.state = word or known.state
    known.supervisor = known.server = None
    known.recycling = False
    known.write()
    shutil.rmtree(Place(name).temp, ignore_errors=True)


@contextmanager
def _starting(name: str, stopped: Stopped) -> Iterator[None]:
    """One start at a time for each name: the second one waits and finds the first one's server."""
    with _lock(Place(name).folder / "start.lock", stopped):
        yield


@contextmanager
def _lock(path: Path, stopped: Stopped = never) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        _check_stopped(stopped)
        try:
            lock.acquire(timeout=_TICK_SECONDS)
            break
        except Timeout:
            if time.monotonic() >= deadline:
                raise ServerStartFailed(
                    f"Another start holds {path} for more than {_LOCK_SECONDS:g} s; wait for it, or end it."
                ) from None
    try:
        yield
    finally:
        lock.release()
