"""Notebooks run by papermill, each in a kernel of its own that costs next to nothing.

Where the system can fork (Linux), one process imports what notebooks need and judges the snapshot,
once; every kernel is a copy of it, begun in milliseconds, and what a notebook does to its copy
touches no other. What else a report makes of the judged account is made in such copies too. Elsewhere
every kernel is an interpreter of its own that does all of that again.
"""

import base64
import contextlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from auditlib.language import VARIABLE, current, use
from auditlib.own import ONE_THREAD, own_process

__all__ = ["Copies", "EndedError", "ForkServer", "Forked", "begun_early", "executed", "fork_server"]

PROVISIONER = "auditlib-forked"
"""The name under which pyproject.toml announces :class:`Forked` to jupyter_client."""

_USED = (
    "auditlib.answers",
    "auditlib.changes.plans",
    "auditlib.comparison",
    "auditlib.display",
    "auditlib.drawing",
    "auditlib.previewed",
    "auditlib.report",
    "auditlib.timeline",
    "IPython.core.completerlib",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "ipykernel.debugger",
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "matplotlib.backends.backend_svg",
    "sqlite3",
)
"""What notebooks and their kernels import, so that no kernel has to."""

_Made = TypeVar("_Made")

_A_MOMENT = 0.02
"""Seconds between two looks whether a copy has ended."""


def executed(
    node: Any,
    parameters: Mapping[str, object],
    folder: Path,
    home: Path,
    copies: "Copies | None" = None,
) -> Any:
    """Return a notebook once it is run; its kernel stands in ``folder`` and has its own ``home``.

    To be called in a thread of its own: the event loop that nbclient leaves there is closed.

    Parameters
    ----------
    node
        The notebook as nbformat reads it; it is changed.
    home
        Where IPython keeps its profile, in place of the user's, whose start-up files would change
        results.
    copies
        Of what process the kernel is to be a copy; without one it is a new interpreter.

    Raises
    ------
    papermill.exceptions.PapermillExecutionError
        When a cell failed.
    """
    from jupyter_core.utils import ensure_event_loop
    from papermill.execute import execute_notebook

    try:
        return execute_notebook(
            node,
            None,
            parameters=dict(parameters),
            progress_bar=False,
            kernel_manager_class=_kernel_manager(home, copies),
            resources={"metadata": {"path": str(folder)}},
        )
    finally:
        ensure_event_loop().close()


def _kernel_manager(home: Path, copies: "Copies | None") -> type:
    """Return a kernel manager that runs this very interpreter, whatever kernels are installed.

    The kernel does not look into the folder it stands in for modules: a client's folder could hold
    a ``pandas.py``.
    """
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import default

    class ThisInterpreter(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            described = get_kernel_dict(
                extra_arguments=["--InteractiveShellApp.ignore_cwd=True", "--log-level=50"],
                python_arguments=["-P"],
            )
            if copies is not None:
                described["metadata"] = {"kernel_provisioner": {"provisioner_name": PROVISIONER}}
            env = {"IPYTHONDIR": str(home), VARIABLE: current()}
            return KernelSpec(resource_dir="", env=env, **described)

    class ThisKernelManager(AsyncKernelManager):
        copies_of = copies

        @default("kernel_spec_manager")
        def _this_interpreter(self) -> KernelSpecManager:
            return ThisInterpreter()

        @default("transport_encryption")
        def _encrypted(self) -> str:
            return "auto"

    return ThisKernelManager


# -- the side of the report -----------------------------------------------------------------------


_READY: list["ForkServer"] = []
"""Begun, and not yet told what to open."""


@contextmanager
def begun_early() -> Iterator[None]:
    """Have the process that kernels are copies of import what it needs while others do the same.

    The next :func:`fork_server` takes it; one that nobody took is ended.
    """
    if sys.platform == "linux":
        _READY.append(ForkServer())
    try:
        yield
    finally:
        while _READY:
            _READY.pop().kill()


@contextmanager
def fork_server(folder: Path, opened: Mapping[str, str]) -> Iterator["ForkServer | None"]:
    """Start the process that kernels are copies of; ``None`` where the system cannot fork safely.

    Parameters
    ----------
    folder
        Where it stands, as the kernels will.
    opened
        The ``snapshot``, ``accepted`` and ``today`` with which notebooks will open the audit.
    """
    if sys.platform != "linux":
        yield None
        return
    server = _READY.pop() if _READY else ForkServer()
    server.open(folder, opened)
    try:
        yield server
    finally:
        server.close()


class ForkServer:
    """A process with everything imported and one audit judged, which forks when it is asked to.

    Attributes
    ----------
    copies
        Of that process.
    copies_with_fixes
        Of a copy of it that has worked out, beside, what the fix of every finding would do; asked
        for by :meth:`work_out_fixes`. Whoever asks for one waits until that is done.
    """

    def __init__(self) -> None:
        ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
        ends = [end.fileno() for end in theirs]
        self._process = subprocess.Popen(  # noqa: S603 # this very interpreter
            # -P: modules are not looked for in the folder it stands in
            [sys.executable, "-P", "-m", __name__, *map(str, ends)],
            # Threads do not survive a fork; numpy's would be started at its import.
            env={**os.environ, VARIABLE: current(), **dict.fromkeys(ONE_THREAD, "1")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=ends,
            start_new_session=True,  # Ctrl-C is for the report, which closes this
        )
        for end in theirs:
            end.close()
        self.copies, self.copies_with_fixes = map(Copies, ours)

    def open(self, folder: Path, opened: Mapping[str, str]) -> None:
        """Have an audit opened and judged, by what stands in a folder; once, before anything is asked."""
        told = {"opened": dict(opened), "folder": str(folder), "language": current()}
        self.copies.tell(told)

    def work_out_fixes(self) -> None:
        """Have what the fix of every finding would do worked out, for copies that show it."""
        self.copies.tell({"fixes": True})

    def kill(self) -> None:
        """End the process whatever it is about: it has no kernels yet."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """End the process, and with it every kernel that is left."""
        self.copies_with_fixes.close()
        self.copies.close()
        self._process.wait()


class EndedError(RuntimeError):
    """The process that was asked is gone: killed, or out of memory."""


class Copies:
    """The way to a process that forks: a line of JSON for each request and each answer."""

    def __init__(self, way: socket.socket) -> None:
        self._one_at_a_time = threading.Lock()
        self._way = way
        self._answers = way.makefile("r", encoding="utf-8")

    def tell(self, request: Mapping[str, object]) -> None:
        """Send what has no answer; that the process has ended is said when something is asked."""
        with contextlib.suppress(OSError):
            self._way.sendall(json.dumps(request).encode() + b"\n")

    def ask(self, request: Mapping[str, object]) -> Any:
        """Return the answer to a request.

        Raises
        ------
        EndedError
            When the process is gone.
        """
        with self._one_at_a_time:
            try:
                self.tell(request)
                return json.loads(self._answers.readline())
            except (OSError, ValueError):
                raise EndedError("the process that kernels are forked from has ended") from None

    def made(self, function: Callable[..., _Made], *given: object) -> _Made:
        """Return what a function makes of the audit and what is given, in a copy of the process.

        Parameters
        ----------
        function
            One of a module; the audit comes first. What is given and what it makes can be pickled.

        Raises
        ------
        Exception
            What the function raised.
        EndedError
            When the process, or its copy, is gone.
        """
        call = base64.b64encode(pickle.dumps((function, given))).decode()
        with tempfile.TemporaryDirectory(prefix="auditlib-") as folder:
            file = Path(folder, "made")
            pid = self.ask({"call": call, "file": str(file)})
            while (ended := self.ask({"pid": pid})) is None:
                time.sleep(_A_MOMENT)
            if ended:
                raise EndedError("a copy of the process that kernels are forked from has ended")
            made, error = pickle.loads(file.read_bytes())  # noqa: S301 # written by our own copy
        if error is not None:
            raise error
        return made  # type: ignore[no-any-return]

    def close(self) -> None:
        """Let the process end, which nobody will ask anything more."""
        self._answers.close()
        self._way.close()


class Forked(LocalProvisioner):
    """How jupyter_client starts a kernel that is a copy of its manager's fork server."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel; see ``KernelProvisionerBase``."""
        manager: Any = self.parent
        started = _Process(manager.copies_of, cmd, kwargs["cwd"], kwargs["env"])
        self.process: Any = started
        self.pid = self.pgid = started.pid
        self.cwd = kwargs["cwd"]
        return self.connection_info


class _Process:
    """A process of the server, as ``subprocess.Popen`` shows one of our own."""

    stdin = stdout = stderr = None

    def __init__(self, copies: Copies, argv: list[str], cwd: str, env: Mapping[str, str]) -> None:
        self._copies = copies
        self._ended: int | None = None
        self.pid: int = copies.ask({"argv": argv, "cwd": str(cwd), "env": dict(env)})

    def poll(self) -> int | None:
        """Return how it ended; ``None`` while it runs."""
        if self._ended is None:
            self._ended = self._copies.ask({"pid": self.pid})
        return self._ended

    wait = poll  # asked only once it has ended

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


# -- the side of the server -----------------------------------------------------------------------


def _serve(way: int, *further: int) -> Mapping[str, Any] | None:
    """Answer requests until there are none; in a copy, return what was asked for.

    Parameters
    ----------
    way
        The file descriptor by which requests come and answers go.
    further
        The one of the copy that works out fixes.
    """
    requests = os.fdopen(way, encoding="utf-8", closefd=False)
    running: set[int] = set()
    beside = 0
    for line in requests:
        request = json.loads(line)
        if "opened" in request:
            os.chdir(request["folder"])
            use(request["language"])
            _prepare(**request["opened"])
            continue
        if "fixes" in request:
            beside = os.fork()
            _close(*further if beside else [way])
            if not beside:
                _prepare_fixes()
                # From now on it ends with its kernels, when its way is closed.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                return _serve(*further)
            further = ()
            continue
        if pid := request.get("pid"):
            ended, status = os.waitpid(pid, os.WNOHANG)
            running.discard(ended)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            answer = os.fork()
            if not answer:
                os.setsid()
                _close(way, *further)
                return dict(request)
            running.add(answer)
        try:
            os.write(way, json.dumps(answer).encode() + b"\n")
        except OSError:  # the report was killed while it waited for this
            break
    for pid in running:  # the report is gone
        for kill in (os.killpg, os.kill):  # which has no group yet just after its fork
            with contextlib.suppress(OSError):
                kill(pid, signal.SIGKILL)
    if beside:
        os.kill(beside, signal.SIGTERM)
        os.waitpid(beside, 0)
    return None


def _close(*descriptors: int) -> None:
    """Close what a copy must not hold: whoever waits for its end would wait for the copy's."""
    for descriptor in descriptors:
        os.close(descriptor)


_FOR_GOOD = contextlib.ExitStack()
_OPENED: list[str] = []
"""With what the audit was opened: snapshot, accepted and today."""


def _import() -> None:
    """Import what notebooks use, and read what no snapshot changes."""
    from importlib import import_module

    _FOR_GOOD.enter_context(own_process())
    for name in _USED:
        import_module(name)
    from auditlib import display, drawing

    display.read_templates()
    drawing.find_fonts()


def _prepare(snapshot: str, accepted: str, today: str, earlier: str = "") -> None:
    """Judge the snapshot; ``earlier`` is the one before it."""
    import gc

    from auditlib import audit, errors

    _OPENED[:] = snapshot, accepted, today
    with contextlib.suppress(errors.AuditError):  # the notebook will say it
        audit.keep_open(snapshot, accepted, today, earlier)
    gc.freeze()  # what is here is never garbage; looking at it would copy it into every kernel


def _prepare_fixes() -> None:
    """Work out the fixes of what is open, and keep what comes of it as the rest."""
    import gc

    from auditlib import audit

    with contextlib.suppress(Exception):  # the notebook that asks for it will say it
        audit.keep_proposals()
    gc.freeze()


def _make(call: str, file: str) -> None:
    """Write what a function makes of the audit that was opened, or what it raised."""
    from auditlib.audit import open_audit

    function, given = pickle.loads(base64.b64decode(call))  # noqa: S301 # from the report
    snapshot, accepted, today = _OPENED
    told: tuple[object, Exception | None]
    try:
        audit = open_audit(snapshot or None, accepted or None, today=today)
        told = (function(audit, *given), None)
    except Exception as error:
        told = (None, error)
    Path(file).write_bytes(pickle.dumps(told))


def _become_kernel(request: Mapping[str, Any]) -> None:
    """Turn this copy into the kernel that was asked for."""
    from ipykernel.kernelapp import launch_new_instance

    server = os.getppid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    argv = request["argv"]
    # A kernel ends with the process that started it, also when that was killed. ipykernel looks for
    # that in the environment at its import, which was before.
    launch_new_instance(argv[argv.index("ipykernel_launcher") + 1 :], parent_handle=server)


if __name__ == "__main__":
    _import()
    if request := _serve(*map(int, sys.argv[1:])):
        if "call" in request:
            _make(**request)
        else:
            _become_kernel(request)
