"""A server that gives again what the stand-in for AWS answered, each time after the same wait.

The stand-in works out every answer, one after the other, and takes longer for that than AWS: what
is timed against it is mostly its own time. So a collection is made twice. The first asks the
stand-in, through this server, which keeps what it was asked and what it was answered; the second,
which is timed, gets the kept answers: after ``latency`` seconds, however many are asked for at once.
"""

import asyncio
import contextlib
import http.client
import re
from collections.abc import Callable

_SCOPE = re.compile(rb"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
_Key = tuple[bytes, ...]


class Replay:
    """Answers on a free port of the loopback; ``url`` is its address."""

    def __init__(self, standin: str, latency: float) -> None:
        self._host, _, port = standin.removeprefix("http://").partition(":")
        self._port = int(port)
        self._latency = latency
        self._kept: dict[_Key, bytes] = {}
        self.url = ""

    async def serve(self, ready: Callable[[], object], until: Callable[[], object]) -> None:
        """Serve until ``until``, which waits in a thread, returns."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready()
        await asyncio.to_thread(until)
        server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError
        ):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head[:-4].split(b"\r\n")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(b":") for line in lines)
                }
                body = await reader.readexactly(int(headers.get(b"content-length", 0)))
                scope = _SCOPE.search(headers.get(b"authorization", b""))
                target = headers.get(b"x-amz-target", b"")
                key = (first, *(scope.groups() if scope else ()), target, body)
                if key in self._kept:
                    await asyncio.sleep(self._latency)
                else:
                    self._kept[key] = await asyncio.to_thread(self._answer, first, headers, body)
                writer.write(self._kept[key])
                await writer.drain()
        writer.close()

    def _answer(self, first: bytes, headers: dict[bytes, bytes], body: bytes) -> bytes:
        method, path, _ = first.decode().split(" ")
        asked = http.client.HTTPConnection(self._host, self._port)
        sent = {name.decode(): value.decode() for name, value in headers.items()}
        asked.request(method, path, body, {k: v for k, v in sent.items() if k != "connection"})
        answer = asked.getresponse()
        data = answer.read()
        asked.close()
        kept = [(k, v) for k, v in answer.getheaders() if k.lower() in {"content-type", "x-amzn-errortype"}]  # fmt: skip
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{k}: {v}" for k, v in kept)]
        return "\r\n".join([*lines, f"content-length: {len(data)}", "", ""]).encode() + data
