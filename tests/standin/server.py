"""The server: moto's, in a thread of this process, behind a layer that logs, fails and pages."""

import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from unittest.mock import patch

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")

import boto3
import botocore.session
import moto.backends
from botocore.config import Config
from moto.acm.models import acm_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.models import get_account_id_from
from moto.moto_api._internal import mock_random
from moto.moto_api._internal.models import moto_api_backend
from moto.server import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from tests.standin import clientvpn, corrections, others, speed, wire
from tests.standin.others import OTHERS
from tests.standin.switches import SWITCHES, Switches
from tests.standin.wire import Call, Request, Response, folded

__all__ = ["ACCOUNT", "StandIn"]

ACCOUNT = "111122223333"
"""The account of callers without an assumed role."""

_SERVICES = (
    "acm",
    "awslambda",
    "cloudtrail",
    "ds",
    "ec2",
    "iam",
    "logs",
    "organizations",
    "s3",
    "servicequotas",
    "sts",
)

_BUILDER = "standin-builder"
"""Access key of the client that builds worlds: not logged, never refused, never paged."""


@dataclass(kw_only=True)
class _Fault:
    """Something that happens to calls that match, so many times or for ever."""

    service: str
    operation: str
    region: str | None
    resource: str | None
    times: int | None
    does: Callable[[Call, dict[str, Any]], Response | None]

    def takes(self, call: Call) -> bool:
        return (
            self.times != 0
            and self.service in {"*", call.service}
            and self.operation in {"*", folded(call.operation)}
            and self.region in {None, call.region}
            and (self.resource is None or call.names(self.resource))
        )


@dataclass(kw_only=True)
class _Trigger:
    service: str
    operation: str
    region: str | None
    act: Callable[[], object]


class _Handler(MotoRequestHandler):
    # Connections are kept open, as AWS keeps them; botocore's pool is then used as in reality.
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any, **__: Any) -> None:
        """Stay silent."""


class StandIn:
    """AWS, as far as the kit reads and writes it, on a free loopback port.

    ``with StandIn() as aws`` starts it; ``aws.url`` is its address. One per process: the services'
    state belongs to the process.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        with patch.dict(os.environ, self._clean_environment):
            # Read now, and once: what a test does to the configuration is not for the builder.
            os.environ.pop("AWS_PROFILE", None)
            core = botocore.session.Session()
            core.get_scoped_config()
        self._session = boto3.session.Session(botocore_session=core)
        self._clients: dict[tuple[str, str, str], Any] = {}
        _install_once()
        self._app = DomainDispatcherApplication(create_backend_app)
        for service in _SERVICES:
            # Made now: an application made on demand draws random ids, on the first demand only.
            self._app.app_instances[service] = create_backend_app(service)
        self.world = ""  # what a test built there, for others that only read it
        self._clear()

    def _clear(self) -> None:
        self.account = ACCOUNT
        self.page_size: int | None = None
        self._calls: list[Call] = []
        self._faults: list[_Fault] = []
        self._triggers: list[_Trigger] = []

    # -- life -------------------------------------------------------------------------------------

    def __enter__(self) -> "StandIn":
        self._server = make_server(
            "127.0.0.1", self._port, self._wsgi, True, request_handler=_Handler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.reset()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._wake.set()
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reset(self, seed: int = 0) -> None:
        """Empty the world, take away every fault, and start the ids anew from the seed."""
        self.world = ""
        self._wake.set()
        self._wake = threading.Event()
        self._clear()
        SWITCHES.reset()
        OTHERS.reset()
        moto_api_backend.reset()
        mock_random.seed(seed)

    def forget(self) -> None:
        """Take away faults, triggers and the record of calls; the world stays as it is."""
        self._clear()

    # -- addresses and clients --------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The endpoint URL."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}"

    def client(self, service: str, region: str = "ap-northeast-1") -> Any:
        """Return the boto3 client to build worlds with: off the record, beyond faults and paging."""
        return self._client(service, region, _BUILDER)

    def caller(self, service: str, region: str = "ap-northeast-1") -> Any:
        """Return a boto3 client that is treated as any caller."""
        return self._client(service, region, "testing")

    def _client(self, service: str, region: str, key: str) -> Any:
        if (service, region, key) not in self._clients:
            self._clients[service, region, key] = self._session.client(
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id=key,
                aws_secret_access_key="testing",
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[service, region, key]

    _clean_environment: ClassVar[dict[str, str]] = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables a program needs to talk to the stand-in and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "ap-northeast-1",
            "AWS_MAX_ATTEMPTS": "3",
            **self._clean_environment,
        }

    # -- what happened ----------------------------------------------------------------------------

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call a caller made, in order, the faulted ones too."""
        with self._lock:
            return tuple(self._calls)

    @property
    def writes(self) -> tuple[Call, ...]:
        """The calls that were not reads."""
        return tuple(call for call in self.calls if not call.is_read)

    # -- faults -----------------------------------------------------------------------------------

    def _add(
        self,
        service: str,
        operation: str,
        does: Callable[[Call, dict[str, Any]], Response | None],
        region: str | None,
        resource: str | None,
        times: int | None,
    ) -> None:
        self._faults.append(
            _Fault(
                service=service,
                operation="*" if operation == "*" else folded(operation),
                region=region,
                resource=resource,
                times=times,
                does=does,
            )
        )

    def deny(
        self,
        service: str,
        operation: str = "*",
        *,
        region: str | None = None,
        resource: str | None = None,
        times: int | None = None,
        code: str | None = None,
        message: str | None = None,
    ) -> None:
        """Refuse calls for want of permission, in the service's own words.

        ``operation`` in any spelling, ``*`` for all; ``resource``: only calls with a parameter of
        this value; ``times``: so many, then no more.
        """

        def answer(call: Call, _: dict[str, Any]) -> Response:
            return _refusal(call, self.account, code, message)

        self._add(service, operation, answer, region, resource, times)

    def allow_only(self, *actions: str) -> None:
        """Enforce a policy that allows these IAM actions and nothing else.

        AWS asks for no permission to say who is calling
        (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
        """
        allowed = {folded(action) for action in (*actions, "sts:GetCallerIdentity")}

        def answer(call: Call, _: dict[str, Any]) -> Response | None:
            if folded(call.action) in allowed:
                return None
            return _refusal(call, self.account, None, None)

        self._add("*", "*", answer, None, None, None)

    def throttle(
        self,
        service: str,
        operation: str = "*",
        *,
        region: str | None = None,
        resource: str | None = None,
        times: int | None = None,
    ) -> None:
        """Say "too many requests", ``times`` times or for ever, in the service's own words."""

        def answer(call: Call, _: dict[str, Any]) -> Response:
            code, status = {
                "ec2": ("RequestLimitExceeded", 503),
                "sts": ("Throttling", 400),
                "organizations": ("TooManyRequestsException", 400),
                "s3": ("SlowDown", 503),
            }.get(call.service, ("ThrottlingException", 400))
            return wire.error(call.service, code, "Request limit exceeded.", status)

        self._add(service, operation, answer, region, resource, times)

    def fail(
        self,
        service: str,
        operation: str = "*",
        *,
        status: int = 503,
        code: str = "InternalError",
        message: str = "An internal error has occurred",
        region: str | None = None,
        resource: str | None = None,
        times: int | None = None,
    ) -> None:
        """Answer with any error: 5xx, expired credentials, a region that is not enabled."""

        def answer(call: Call, _: dict[str, Any]) -> Response:
            return wire.error(call.service, code, message, status)

        self._add(service, operation, answer, region, resource, times)

    def garble(
        self,
        service: str,
        operation: str = "*",
        *,
        status: int = 200,
        body: bytes = b"<!doctype html><html><body><p>Proxy says hello<br></body></html>",
        region: str | None = None,
        resource: str | None = None,
        times: int | None = None,
    ) -> None:
        """Answer with something no SDK can parse, as a captive proxy does."""

        def answer(_: Call, __: dict[str, Any]) -> Response:
            return Response(status=status, body=body, content_type="text/html")

        self._add(service, operation, answer, region, resource, times)

    def drop(
        self,
        service: str,
        operation: str = "*",
        *,
        region: str | None = None,
        resource: str | None = None,
        times: int | None = None,
    ) -> None:
        """Reset the connection in place of an answer."""

        def hang_up(_: Call, environ: dict[str, Any]) -> Response:
            connection: socket.socket = environ["werkzeug.socket"]
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.shutdown(socket.SHUT_RD)
            connection.close()
            raise ConnectionResetError("dropped by a test")

        self._add(service, operation, hang_up, region, resource, times)

    def cut(
        self,
        service: str,
        operation: str = "*",
        *,
        region: str | None = None,
        resource: str | None = None,
        times: int | None = None,
    ) -> None:
        """Begin an answer and reset the connection in the middle of it."""

        def hang_up(_: Call, environ: dict[str, Any]) -> Response:
            connection: socket.socket = environ["werkzeug.socket"]
            half = b"<?xml version='1.0'?><Answer><item>half of it"
            head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 5000\r\n\r\n"
            connection.sendall(head.encode() + half)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.shutdown(socket.SHUT_RD)
            connection.close()
            raise ConnectionResetError("cut by a test")

        self._add(service, operation, hang_up, region, resource, times)

    def delay(
        self,
        service: str,
        operation: str = "*",
        *,
        seconds: float,
        region: str | None = None,
        resource: str | None = None,
        times: int | None = None,
    ) -> None:
        """Take this long before answering (or before another fault)."""

        def wait(_: Call, __: dict[str, Any]) -> None:
            self._wake.wait(seconds)

        self._add(service, operation, wait, region, resource, times)

    def after(
        self,
        service: str,
        operation: str,
        act: Callable[[], object],
        *,
        region: str | None = None,
    ) -> None:
        """Do something once, just after the first such call was answered: the world moves on."""
        self._triggers.append(
            _Trigger(service=service, operation=folded(operation), region=region, act=act)
        )

    # -- the world beyond the API -----------------------------------------------------------------

    def _backend(self, region: str, account: str | None = None) -> Any:
        return ec2_backends[account or self.account][region]

    def add_interface(
        self, subnet: str, *groups: str, region: str = "ap-northeast-1", **more: Any
    ) -> str:
        """Add an ENI of any kind, also those that only AWS services make; return its id.

        ``more``: description, type (``lambda``, ``natGateway`` …), ip, more_ips, ipv6, public_ip,
        requester_managed, requester_id, instance, tags.
        """
        return clientvpn.add_interface(self._backend(region), subnet, groups, **more)

    def add_connection(
        self, endpoint: str, *, region: str = "ap-northeast-1", **members: Any
    ) -> str:
        """Let a client connect; ``members`` override the record. Return the connection's id."""
        found = clientvpn.endpoints_of(self._backend(region))[endpoint]
        id = f"cvpn-connection-{len(found.connections) + 1:017x}"
        time_text = SWITCHES.now().strftime("%Y-%m-%d %H:%M:%S")
        found.connections.append(
            {
                "ClientVpnEndpointId": endpoint,
                "Timestamp": time_text,
                "ConnectionId": id,
                "ConnectionEstablishedTime": time_text,
                "IngressBytes": "1024",
                "EgressBytes": "2048",
                "IngressPackets": "10",
                "EgressPackets": "20",
                "ClientIp": "172.20.0.2",
                "CommonName": "client",
                "Status": {"Code": "active"},
                # A live connection carries a dash where its end will stand.
                "ConnectionEndTime": "-",
                **members,
            }
        )
        return id

    def add_function(self, name: str, *, region: str = "ap-northeast-1", **members: Any) -> str:
        """Add a Lambda function; ``members`` override its configuration. Return its ARN."""
        place = (self.account, region)
        made = others.function(place, name, **members)
        OTHERS.functions.setdefault(place, {})[made["FunctionArn"]] = made
        return str(made["FunctionArn"])

    def add_directory(self, id: str, *, region: str = "ap-northeast-1", **members: Any) -> None:
        """Add a directory; ``members`` override its description."""
        OTHERS.directories.setdefault((self.account, region), {})[id] = others.directory(
            id, **members
        )

    def add_quota(
        self, service: str, code: str, name: str, value: float, *, region: str = "ap-northeast-1"
    ) -> None:
        """Let a quota be one that AWS applies and lists."""
        held = OTHERS.quotas.setdefault((self.account, region), {}).setdefault(service, [])
        held.append(others.quota(service, code, name, value))

    def issue_certificate(self, arn: str, *, region: str = "ap-northeast-1") -> None:
        """Let a certificate that was imported or asked for be one that ACM has issued."""
        certificate = acm_backends[self.account][region]._certificates[arn]
        certificate.type, certificate.status = "AMAZON_ISSUED", "ISSUED"

    def add_saml_provider(
        self, name: str, metadata: str, *, valid_until: datetime, created: datetime
    ) -> str:
        """Add a SAML provider to IAM; return its ARN."""
        arn = f"arn:aws:iam::{self.account}:saml-provider/{name}"
        OTHERS.providers.setdefault(self.account, {})[arn] = {
            "SAMLMetadataDocument": metadata,
            "CreateDate": created,
            "ValidUntil": valid_until,
            "Tags": [],
        }
        return arn

    def write_log(
        self, group: str, stream: str, at: datetime, *, region: str = "ap-northeast-1"
    ) -> None:
        """Let a log stream exist whose newest entry is of a time, however long ago."""
        logs = self.client("logs", region)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = OTHERS.last_events.setdefault((self.account, region), {})
        events[group, stream] = int(at.timestamp() * 1000)

    def write_event(
        self, name: str, at: datetime, *, region: str = "ap-northeast-1", **members: Any
    ) -> dict[str, Any]:
        """Let CloudTrail hold an event; ``members``: source, by, and those of its own record."""
        place = (self.account, region)
        made = others.event(place, name, at, **members)
        OTHERS.events.setdefault(place, []).append(made)
        return made

    def record(self, endpoint: str, *, region: str = "ap-northeast-1") -> clientvpn.Endpoint:
        """Return an endpoint with all that hangs on it, to be bent in place."""
        return clientvpn.endpoints_of(self._backend(region))[endpoint]

    def delete_endpoint(self, endpoint: str, *, region: str = "ap-northeast-1") -> None:
        """Delete an endpoint with everything on it."""
        clientvpn.force_delete(self._backend(region), endpoint)

    def settle(self) -> None:
        """Let groups set by modify-client-vpn-endpoint reach target networks and ENIs."""
        for regions in ec2_backends.values():
            for backend in regions.values():
                clientvpn.settle(backend)

    @property
    def switches(self) -> Switches:
        """What can be switched about the services themselves."""
        return SWITCHES

    # -- a request --------------------------------------------------------------------------------

    def _wsgi(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request.of(environ)
        if request is None:
            return self._app(environ, start_response)
        account = get_account_id_from(request.access_key)
        if account == DEFAULT_ACCOUNT_ID:
            account = self.account
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
        if request.access_key == _BUILDER:
            return self._app(environ, start_response)
        call = Call(
            account=account,
            region=request.region,
            service=request.service,
            operation=request.operation,
            parameters=request.parameters,
        )
        with self._lock:
            self._calls.append(call)
        response = self._faulted(call, environ) or wire.refused(request)
        if response is None:
            response = self._answered(request, environ)
            self._pull(call)
        start_response(
            f"{response.status} {'OK' if response.status < 300 else 'Error'}",
            [
                ("Content-Type", response.content_type),
                ("Content-Length", str(len(response.body))),
                *response.headers,
            ],
        )
        return [response.body]

    def _faulted(self, call: Call, environ: dict[str, Any]) -> Response | None:
        while True:
            with self._lock:
                fault = next(
                    (
                        f
                        for f in self._faults
                        if f.takes(call) and f not in environ.setdefault("standin.seen", [])
                    ),
                    None,
                )
                if fault is None:
                    return None
                environ["standin.seen"].append(fault)
                if fault.times is not None:
                    fault.times -= 1
            response = fault.does(call, environ)
            if response is not None:
                return response

    def _answered(self, request: Request, environ: dict[str, Any]) -> Response:
        if str(request.parameters.get("DryRun", "")).lower() == "true":
            return wire.error(
                request.service,
                "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.",
                412,
            )
        wire.prepared(request, environ, self.page_size)
        response = Response()

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            response.status = int(status.split(maxsplit=1)[0])
            for name, value in headers:
                if name.lower() == "content-type":
                    response.content_type = value
                elif name.lower() != "content-length":
                    response.headers.append((name, value))
            return lambda _: None

        chunks = self._app(environ, start)
        try:
            response.body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        return wire.paged(request, response, self.page_size)

    def _pull(self, call: Call) -> None:
        with self._lock:
            due = [
                t
                for t in self._triggers
                if t.service == call.service
                and t.operation == folded(call.operation)
                and t.region in {None, call.region}
            ]
            self._triggers = [t for t in self._triggers if t not in due]
        for trigger in due:
            trigger.act()


def _refusal(call: Call, account: str, code: str | None, message: str | None) -> Response:
    arn = f"arn:aws:iam::{account}:user/auditor"
    if call.service == "ec2":
        text = "You are not authorized to perform this operation."
        return wire.error("ec2", code or "UnauthorizedOperation", message or text, 403)
    text = (
        f"User: {arn} is not authorized to perform: {call.service}:{call.operation} "
        "because no identity-based policy allows the action"
    )
    if call.service in {"sts", "iam", "s3"}:
        return wire.error(call.service, code or "AccessDenied", message or text, 403)
    return wire.error(call.service, code or "AccessDeniedException", message or text, 400)


_installed = threading.Lock()


def _install_once() -> None:
    """Prepare moto, the first time only."""
    if not _installed.acquire(blocking=False):
        return
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    clientvpn.install()
    corrections.install()
    others.install()
    speed.install()
    _install_clock()


def _install_clock() -> None:
    """Let everything of moto's that asks for the time ask the switches' clock."""
    import sys

    for service in _SERVICES:
        moto.backends.get_backend(service)  # type: ignore[call-overload]
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and "utcnow" in vars(module):
            module.utcnow = SWITCHES.now  # type: ignore[attr-defined]
