"""Debian's Chromium, driven over its DevTools protocol by pipes: no server, no driver, no network."""

import base64
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")
MISSING = not CHROMIUM.exists() and "AUDITLIB_REQUIRE_BROWSER" not in os.environ
"""Whether browser tests are skipped. CI sets the variable: there a missing browser is a failure."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
PATIENCE = 60.0

# The browser reads from descriptor 3 and writes to descriptor 4; they may be taken by each other.
MOVE = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Chromium:
    """A running browser; ``open`` gives a page."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Return the answer to one command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first event that is wanted, past or to come."""
        for event in self.events:
            if wanted(event):
                return event
        while True:
            event = self._receive()
            self.events.append(event)
            if wanted(event):
                return event

    def _receive(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError("Chromium does not answer")
            received = os.read(self._read, 1 << 16)
            if not received:
                raise ConnectionError("Chromium has ended")
            self._buffer += received
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(
        self,
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        ignore_policy: bool = False,
    ) -> "Page":
        """Return a loaded page; ``ignore_policy`` switches its Content-Security-Policy off."""
        self.events.clear()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", session)
        if ignore_policy:
            self.call("Page.setBypassCSP", session, enabled=True)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            session,
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.light(session, dark=dark)
        self.call("Page.navigate", session, url=url)
        self.wait(
            lambda e: e.get("method") == "Page.loadEventFired" and e.get("sessionId") == session
        )
        return Page(self, session)

    def light(self, session: str, *, dark: bool) -> None:
        """Set what colours a page is asked to have."""
        scheme = "dark" if dark else "light"
        self.call(
            "Emulation.setEmulatedMedia",
            session,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )


class Page:
    """A loaded page."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser, self._session = browser, session

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression is worth in the page."""
        answer = self._browser.call(
            "Runtime.evaluate", self._session, expression=expression, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def settled(self, expression: str) -> Any:
        """Return what the promise of a JavaScript expression comes to."""
        answer = self._browser.call(
            "Runtime.evaluate",
            self._session,
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def darken(self) -> None:
        """Show the page as one who prefers the dark sees it."""
        self._browser.light(self._session, dark=True)

    def press(self, key: str) -> None:
        """Press a key that has a name, such as Tab."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._browser.call(
                "Input.dispatchKeyEvent",
                self._session,
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )

    def close(self) -> None:
        """Close the page."""
        self._browser.call("Page.close", self._session)

    def events(self, method: str) -> list[dict[str, Any]]:
        """Return what the page reported under one name."""
        self.value("1")  # a round trip brings in what is on its way
        return [
            e["params"]
            for e in self._browser.events
            if e.get("method") == method and e.get("sessionId") == self._session
        ]

    @property
    def requests(self) -> list[str]:
        """Every address the page asked for."""
        return [e["request"]["url"] for e in self.events("Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[str]:
        """Everything on its console, and every exception."""
        logged = [e["entry"]["text"] for e in self.events("Log.entryAdded")]
        logged += [str(e["args"]) for e in self.events("Runtime.consoleAPICalled")]
        return logged + [str(e["exceptionDetails"]) for e in self.events("Runtime.exceptionThrown")]

    def screenshot(self, path: Path) -> Path:
        """Write a picture of the whole page."""
        size = self._browser.call("Page.getLayoutMetrics", self._session)["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        answer = self._browser.call(
            "Page.captureScreenshot", self._session, captureBeyondViewport=True, clip=clip
        )
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def pdf(self, path: Path) -> Path:
        """Write the page as it prints."""
        answer = self._browser.call(
            "Page.printToPDF", self._session, preferCSSPageSize=True, printBackground=True
        )
        path.write_bytes(base64.b64decode(answer["data"]))
        return path


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process, if need be by force."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def chromium(reached: str = "") -> Iterator[Chromium]:
    """Run a browser with a profile of its own and end it.

    Nothing can be reached, whatever a page asks for, but the one host that is named.
    """
    rules = "MAP * ~NOTFOUND" + (f", EXCLUDE {reached}" if reached else "")
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", MOVE, str(to_browser), str(to_us), str(CHROMIUM)),
                *(*FLAGS, f"--host-resolver-rules={rules}", f"--user-data-dir={profile}"),
                "about:blank",
            ],
            pass_fds=(to_browser, to_us),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(to_us)
        try:
            yield Chromium(from_us, from_browser)
        finally:
            end(process)
            os.close(from_us)
            os.close(from_browser)
