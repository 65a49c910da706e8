"""The real AWS CLI, started once: each ``aws`` that a script calls is a fork of one process.

The CLI takes a second to start and to load what it knows of EC2, which is most of what a script of
some dozen calls would cost. Arguments are parsed and requests are made by the CLI's own code, told
by the environment of each call where AWS is and who asks.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"."], [1, 2])
    told = {{name: value for name, value in os.environ.items() if name.startswith("AWS_")}}
    server.sendall(json.dumps([os.getcwd(), told, *sys.argv[1:]]).encode() + b"\\n")
    answer = server.recv(16)
sys.exit(int(answer or 255))
"""


class AwsCli:
    """A folder with a command ``aws``, for the front of a script's ``PATH``.

    Parameters
    ----------
    environment
        What the CLI is started with: ``AWS_DATA_PATH`` holds for every call.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def __enter__(self) -> "AwsCli":
        # The path of a socket may have no more than about a hundred characters.
        self._folder = tempfile.TemporaryDirectory(prefix="aws-")
        self.folder = Path(self._folder.name)
        address = self.folder / "socket"
        client = self.folder / "aws"
        client.write_text(CLIENT.format(python=sys.executable, address=str(address)), "utf-8")
        client.chmod(0o755)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.aws_cli", str(address)],
            cwd=ROOT,
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline(), "the AWS CLI did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.kill()
        self._server.communicate()
        self._folder.cleanup()


def serve(address: str) -> None:
    """Answer calls one after the other, until killed."""
    from awscli.clidriver import create_clidriver

    driver = create_clidriver()
    driver.session.get_service_model("ec2")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)  # noqa: T201 # whoever started this waits for it
        while True:
            client, _ = server.accept()
            with client:
                _, outputs, _, _ = socket.recv_fds(client, 1, 2)
                with client.makefile("rb") as lines:
                    folder, told, *arguments = json.loads(lines.readline())
                child = os.fork()
                if child == 0:
                    _call(driver, client, outputs, folder, told, arguments)
                for output in outputs:
                    os.close(output)
                os.waitpid(child, 0)


def _call(driver, client, outputs, folder, told, arguments) -> None:
    """Make one call in a process of its own, and end that."""
    status = 255
    try:
        for number, output in enumerate(outputs, 1):
            os.dup2(output, number)
        os.chdir(folder)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(told)
        status = driver.main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 255
    finally:
        client.sendall(str(status).encode())
        os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
