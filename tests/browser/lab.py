"""A JupyterLab that serves one folder to this machine alone, with nothing of the user's around it."""

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from auditlib.engagement import lab_command
from tests.browser.chromium import Chromium, Page, end

HOST = "127.0.0.1"
PATIENCE = 120.0


@contextmanager
def server(folder: Path, home: Path) -> Iterator[str]:
    """Run JupyterLab as ``auditlib lab`` does and return its address, token included."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    places = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    process = subprocess.Popen(
        [
            *lab_command(folder, browser=False),
            f"--ServerApp.ip={HOST}",
            f"--ServerApp.port={port}",
            f"--IdentityProvider.token={token}",
            "--ServerApp.allow_root=True",
            "--LabApp.expose_app_in_browser=True",
        ],
        env={**os.environ, **{place: str(home / place.lower()) for place in places}},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://{HOST}:{port}"
        _wait_for(f"{address}/api/status?token={token}", process)
        yield f"{address}/lab?reset&token={token}"
    finally:
        end(process)


def _wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 # our own server
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError("JupyterLab does not start")


class Lab:
    """JupyterLab as a person has it before them."""

    def __init__(self, browser: Chromium, address: str) -> None:
        self.page: Page = browser.open(address)
        self.until("window.jupyterapp")
        self.page.settled("window.jupyterapp.restored.then(() => 0)")
        self.until(
            "window.jupyterapp?.shell?.layoutModified && !document.querySelector('#jupyterlab-splash')"
        )

    def run_all(self, name: str) -> dict[str, Any]:
        """Open a notebook, run all of it and return it as the page then holds it."""
        self.page.value(f"window.ended = false; ({RUN_ALL})({json.dumps(name)}); 0")
        self.until("window.ended")
        return json.loads(self.page.value("window.ended"))

    def close(self) -> None:
        """Close the notebook before us and end its kernel."""
        self.page.settled(CLOSE)

    def until(self, expression: str) -> None:
        """Wait until a JavaScript expression comes true."""
        until = time.monotonic() + PATIENCE
        while not self.page.value(f"Boolean({expression})"):
            if time.monotonic() > until:
                raise TimeoutError(f"JupyterLab: {expression} does not come true")
            time.sleep(0.1)


RUN_ALL = """
async name => {
  try {
    const {commands, shell} = window.jupyterapp;
    const widget = await commands.execute('docmanager:open', {path: name, factory: 'Notebook'});
    await widget.context.ready;
    await widget.sessionContext.ready;
    shell.activateById(widget.id);
    await commands.execute('notebook:run-all-cells');
    await widget.sessionContext.session.kernel.info;
    window.ended = JSON.stringify(widget.context.model.toJSON());
  } catch (error) {
    window.ended = JSON.stringify({failed: String(error && error.stack || error)});
  }
}
"""
CLOSE = """
(async () => {
  const widget = window.jupyterapp.shell.currentWidget;
  await widget.context.save();
  await widget.sessionContext.shutdown();
  widget.dispose();
})()
"""
