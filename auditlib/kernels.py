"""Notebooks run by papermill, each in a kernel of its own that costs next to nothing.

Where the system can fork (Linux), one process imports what notebooks need and judges the snapshot,
once; every kernel is a copy of it, begun in milliseconds, and what a notebook does to its copy
touches no other. Elsewhere every kernel is an interpreter of its own that does all of that again.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from auditlib.language import VARIABLE, current

__all__ = ["ForkServer", "Forked", "executed", "fork_server"]

PROVISIONER = "auditlib-forked"
"""The name under which pyproject.toml announces :class:`Forked` to jupyter_client."""

_USED = (
    "auditlib.comparison",
    "auditlib.display",
    "auditlib.previewed",
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "matplotlib.backends.backend_svg",
)
"""What notebooks and their kernels import, so that no kernel has to."""

_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def executed(
    node: Any,
    parameters: Mapping[str, object],
    folder: Path,
    home: Path,
    server: "ForkServer | None" = None,
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
    server
        The process whose copy the kernel is to be; without one it is a new interpreter.

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
            kernel_manager_class=_kernel_manager(home, server),
            resources={"metadata": {"path": str(folder)}},
        )
    finally:
        ensure_event_loop().close()


def _kernel_manager(home: Path, server: "ForkServer | None") -> type:
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
            if server is not None:
                described["metadata"] = {"kernel_provisioner": {"provisioner_name": PROVISIONER}}
            env = {"IPYTHONDIR": str(home), VARIABLE: current()}
            return KernelSpec(resource_dir="", env=env, **described)

    class ThisKernelManager(AsyncKernelManager):
        fork_server = server

        @default("kernel_spec_manager")
        def _this_interpreter(self) -> KernelSpecManager:
            return ThisInterpreter()

        @default("transport_encryption")
        def _encrypted(self) -> str:
            return "auto"

    return ThisKernelManager


# -- the side of the report -----------------------------------------------------------------------


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
    server = ForkServer(folder, opened)
    try:
        yield server
    finally:
        server.close()


class ForkServer:
    """A process with everything imported and one audit judged, which forks when it is asked to."""

    def __init__(self, folder: Path, opened: Mapping[str, str]) -> None:
        self._one_at_a_time = threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603 # this very interpreter
            # -P: modules are not looked for in the folder it stands in
            [sys.executable, "-P", "-m", __name__],
            cwd=folder,
            # Threads do not survive a fork; numpy's would be started at its import.
            env={**os.environ, VARIABLE: current(), **dict.fromkeys(_ONE_THREAD, "1")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is for the report, which closes this
        )
        with contextlib.suppress(OSError):  # that it has ended already is said when it is asked
            self._tell(opened)

    def _tell(self, request: Mapping[str, object]) -> None:
        assert self._process.stdin is not None  # noqa: S101 # it was asked for
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def work_out_fixes(self) -> None:
        """Have what the fix of every finding would do worked out before any kernel starts."""
        with contextlib.suppress(OSError):
            self._tell({"fixes": True})

    def ask(self, request: Mapping[str, object]) -> Any:
        """Return the answer to a request.

        Raises
        ------
        RuntimeError
            When the process is gone.
        """
        assert self._process.stdout is not None  # noqa: S101 # it was asked for
        with self._one_at_a_time:
            try:
                self._tell(request)
                return json.loads(self._process.stdout.readline())
            except (OSError, ValueError):
                raise RuntimeError("the process that kernels are forked from has ended") from None

    def close(self) -> None:
        """End the process, and with it every kernel that is left."""
        with contextlib.suppress(OSError), self._process:
            self._process.stdin.close()  # type: ignore[union-attr]


class Forked(LocalProvisioner):
    """How jupyter_client starts a kernel that is a copy of its manager's fork server."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel; see ``KernelProvisionerBase``."""
        manager: Any = self.parent
        started = _Process(manager.fork_server, cmd, kwargs["cwd"], kwargs["env"])
        self.process: Any = started
        self.pid = self.pgid = started.pid
        self.cwd = kwargs["cwd"]
        return self.connection_info


class _Process:
    """A process of the server, as ``subprocess.Popen`` shows one of our own."""

    stdin = stdout = stderr = None

    def __init__(
        self, server: ForkServer, argv: list[str], cwd: str, env: Mapping[str, str]
    ) -> None:
        self._server = server
        self._ended: int | None = None
        self.pid: int = server.ask({"argv": argv, "cwd": str(cwd), "env": dict(env)})

    def poll(self) -> int | None:
        """Return how it ended; ``None`` while it runs."""
        if self._ended is None:
            self._ended = self._server.ask({"pid": self.pid})
        return self._ended

    wait = poll  # asked only once it has ended

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


# -- the side of the server -----------------------------------------------------------------------


def _serve() -> Mapping[str, Any] | None:
    """Answer requests until there are none; in a copy, return what was asked for."""
    answers = os.fdopen(os.dup(1), "w")
    _silence(1)
    _prepare(json.loads(sys.stdin.readline()))
    running: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "fixes" in request:
            _prepare_fixes()
            continue
        if pid := request.get("pid"):
            ended, status = os.waitpid(pid, os.WNOHANG)
            running.discard(ended)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            answer = os.fork()
            if not answer:
                answers.close()
                return dict(request)
            running.add(answer)
        print(json.dumps(answer), file=answers, flush=True)
    for pid in running:  # the report is gone
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    return None


_FOR_GOOD = contextlib.ExitStack()


def _prepare(opened: Mapping[str, str]) -> None:
    """Import what notebooks use and judge the snapshot."""
    import gc
    from importlib import import_module

    from auditlib import audit, errors
    from auditlib.own import own_process

    _FOR_GOOD.enter_context(own_process())
    for name in _USED:
        import_module(name)
    with contextlib.suppress(errors.AuditError):  # the notebook will say it
        audit.keep_open(opened["snapshot"], opened["accepted"], opened["today"])
    gc.freeze()  # what is here is never garbage; looking at it would copy it into every kernel


def _prepare_fixes() -> None:
    """Work out the fixes of what is open, and keep what comes of it as the rest."""
    import gc

    from auditlib import audit

    with contextlib.suppress(Exception):  # the notebook that asks for it will say it
        audit.keep_proposals()
    gc.freeze()


def _become_kernel(request: Mapping[str, Any]) -> None:
    """Turn this copy into the kernel that was asked for."""
    from ipykernel.kernelapp import launch_new_instance

    server = os.getppid()
    os.setsid()
    for number in (0, 1, 2):
        _silence(number)
    os.chdir(request["cwd"])
    os.environ.clear()
    # A kernel ends with the process that started it, also when that was killed.
    os.environ.update(request["env"], JPY_PARENT_PID=str(server))
    argv = request["argv"]
    launch_new_instance(argv[argv.index("ipykernel_launcher") + 1 :])


def _silence(number: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, number)
    os.close(nothing)


if __name__ == "__main__":
    if request := _serve():
        _become_kernel(request)
