"""What goes over the wire: which call a request makes, how an error looks, how an answer pages.

Knows the three protocols of the services the kit reads (EC2, Query, JSON) from botocore's models
and nothing of what the services do.
"""

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import OperationModel, ServiceModel

__all__ = ["Call", "Request", "Response", "error", "folded", "paged", "prepared", "refused"]

_PAGING = {"MaxResults", "NextToken", "maxResults", "nextToken", "limit"}


_NAMED = {"ListObjectsV2": "ListBucket"}
"""Operations whose IAM action is called otherwise."""


def folded(name: str) -> str:
    """Return an operation's name as all spellings have it: DescribeVpcs, describe-vpcs, describe_vpcs."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call a caller made.

    ``parameters`` are as they went over the wire: flat names with dots for EC2 and Query services
    (``Filter.1.Name``), the JSON object for JSON services.
    """

    account: str
    region: str
    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """The IAM action that allows the call: every service read here is signed by its prefix."""
        return f"{self.service}:{_NAMED.get(self.operation, self.operation)}"

    @property
    def is_read(self) -> bool:
        """Whether AWS changes nothing by this call."""
        reads = ("describe", "get", "list", "export", "search", "lookup", "batchget")
        return folded(self.operation).startswith(reads)

    def names(self, resource: str) -> bool:
        """Whether one of the parameters has this value."""
        return any(resource == value for value in _leaves(self.parameters))


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        for member in value.values():
            yield from _leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member)
    else:
        yield value


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request, read from a WSGI environment (whose body can be read again afterwards)."""

    access_key: str
    region: str
    service: str
    operation: str
    parameters: Mapping[str, Any]

    @classmethod
    def of(cls, environ: dict[str, Any]) -> "Request | None":
        """Read a signed request; ``None`` when it is not one."""
        scope = re.search(
            r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request",
            environ.get("HTTP_AUTHORIZATION", ""),
        )
        if scope is None:
            return None
        key, region, service = scope.groups()
        # Service Quotas signs by another name than it is called by.
        service = {"servicequotas": "service-quotas"}.get(service, service)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        environ["wsgi.input"] = io.BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET")
        parameters: dict[str, Any]
        rest = None if target else _rest(service, environ)
        if rest is not None:
            operation, parameters = rest
        elif target:
            operation = target.rpartition(".")[2]
            parameters = json.loads(body or b"{}")
        else:
            parameters = dict(parse_qsl(body.decode(), keep_blank_values=True))
            operation = parameters.pop("Action", environ.get("PATH_INFO", ""))
            parameters.pop("Version", None)
        return cls(
            access_key=key,
            region=region,
            service=service,
            operation=operation,
            parameters=parameters,
        )


def _rest(service: str, environ: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return operation and parameters of a request whose path says them; ``None`` for any other."""
    if service == "s3":
        return _s3(environ)
    model = _service(service)
    if model is None or model.metadata["protocol"] != "rest-json":
        return None
    for name in model.operation_names:
        http = model.operation_model(name).http
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"]))
        found = re.fullmatch(pattern, environ.get("PATH_INFO", ""))
        if found and http["method"] == environ.get("REQUEST_METHOD"):
            return name, {key: unquote(value) for key, value in found.groupdict().items()}
    return None


_S3 = {
    ("GET", True): "GetObject",
    ("HEAD", True): "HeadObject",
    ("PUT", True): "PutObject",
    ("DELETE", True): "DeleteObject",
    ("GET", False): "ListObjectsV2",
    ("PUT", False): "CreateBucket",
}


def _s3(environ: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return operation and parameters of a request to S3 whose path begins with the bucket."""
    path = environ.get("PATH_INFO", "").encode("latin-1").decode()
    bucket, _, key = path.removeprefix("/").partition("/")
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    method = environ.get("REQUEST_METHOD", "")
    operation = _S3.get((method, bool(key)), method)
    return operation, {"Bucket": bucket, **({"Key": key} if key else {}), **query}


@dataclass(kw_only=True)
class Response:
    """An answer as bytes."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/xml;charset=UTF-8"
    headers: list[tuple[str, str]] = field(default_factory=list)


@cache
def _service(name: str) -> ServiceModel | None:
    session = botocore.session.get_session()
    for service in (name, {"monitoring": "cloudwatch"}.get(name, name)):
        if service in session.get_available_services():
            return session.get_service_model(service)
    return None


@cache
def _operation(service: str, operation: str) -> OperationModel | None:
    model = _service(service)
    if model is None or operation not in model.operation_names:
        return None
    return model.operation_model(operation)


# -- errors ---------------------------------------------------------------------------------------

REQUEST_ID = "00000000-0000-4000-8000-000000000000"


def error(service: str, code: str, message: str, status: int) -> Response:
    """Return an error as the service words it on the wire."""
    model = _service(service)
    protocol = model.metadata["protocol"] if model else "json"
    code_xml, message_xml = escape(code), escape(message)
    if protocol == "ec2":
        body = (
            f"<Response><Errors><Error><Code>{code_xml}</Code><Message>{message_xml}</Message>"
            f"</Error></Errors><RequestID>{REQUEST_ID}</RequestID></Response>"
        )
        return Response(status=status, body=body.encode())
    if protocol == "rest-xml":
        body = f"<Error><Code>{code_xml}</Code><Message>{message_xml}</Message></Error>"
        return Response(status=status, body=body.encode(), content_type="application/xml")
    if protocol == "query":
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code_xml}</Code>"
            f"<Message>{message_xml}</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        )
        return Response(status=status, body=body.encode())
    return Response(
        status=status,
        body=json.dumps({"__type": code, "message": message}).encode(),
        content_type="application/x-amz-json-1.1",
        headers=[("x-amzn-ErrorType", code)],
    )


# -- paging ---------------------------------------------------------------------------------------


def _page_members(model: OperationModel) -> tuple[str, str] | None:
    """Return the names of the list that pages and of its token; ``None`` where nothing pages."""
    output, request = model.output_shape, model.input_shape
    if output is None or request is None:
        return None
    token = next((name for name in output.members if name.lower() == "nexttoken"), None)
    if token is None or not any(name in _PAGING for name in request.members):
        return None
    lists = [name for name, shape in output.members.items() if shape.type_name == "list"]
    return (lists[0], token) if len(lists) == 1 else None


def refused(request: Request) -> Response | None:
    """Return the error AWS gives for a page size out of the operation's range."""
    model = _operation(request.service, request.operation)
    if model is None or model.input_shape is None:
        return None
    for name, shape in model.input_shape.members.items():
        if shape.type_name != "integer" or not {name} <= _PAGING & request.parameters.keys():
            continue
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is None and high is None:
            continue
        size = int(request.parameters[name])
        if not (low or 0) <= size <= (high or size):
            code = "InvalidParameterValue" if request.service == "ec2" else "ValidationException"
            message = f"Value ( {size} ) for parameter {name} is invalid. Expecting a value between {low} and {high}."
            return error(request.service, code, message, 400)
    return None


def prepared(request: Request, environ: dict[str, Any], page_size: int | None) -> None:
    """Rewrite a request so that what answers it gives everything (EC2) or a small page (JSON)."""
    model = _operation(request.service, request.operation)
    if model is None or _page_members(model) is None:
        return
    if request.service == "ec2":
        parameters = {k: v for k, v in request.parameters.items() if k not in _PAGING}
        body = urlencode({"Action": request.operation, "Version": "2016-11-15", **parameters})
    elif page_size is not None and model.service_model.metadata["protocol"] == "json":
        assert model.input_shape is not None
        name = next(
            n for n in ("limit", "maxResults", "MaxResults") if n in model.input_shape.members
        )
        asked = request.parameters.get(name, page_size)
        body = json.dumps({**request.parameters, name: min(int(asked), page_size)})
    else:
        return
    environ["wsgi.input"] = io.BytesIO(body.encode())
    environ["CONTENT_LENGTH"] = str(len(body.encode()))


def _digest(request: Request) -> str:
    asked = {k: v for k, v in sorted(request.parameters.items()) if k not in _PAGING}
    text = json.dumps([request.access_key, request.operation, request.region, asked])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def paged(request: Request, response: Response, page_size: int | None) -> Response:
    """Cut an EC2 answer down to the page that was asked for and add the token of the next one."""
    model = _operation(request.service, request.operation)
    if request.service != "ec2" or response.status != 200 or model is None:
        return response
    members = _page_members(model)
    if members is None:
        return response
    assert model.output_shape is not None
    start = 0
    if "NextToken" in request.parameters:
        # A token is good for the question it was given for and for no other.
        try:
            digest, _, offset = (
                base64.b64decode(request.parameters["NextToken"]).decode().partition("|")
            )
            start = int(offset)
        except ValueError:
            digest = ""
        if digest != _digest(request):
            return error("ec2", "InvalidNextToken", "The token is not valid for this request.", 400)
    asked = int(request.parameters.get("MaxResults", 1000))
    size = asked if page_size is None else min(asked, page_size)
    namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"
    ElementTree.register_namespace("", namespace)
    root = ElementTree.fromstring(response.body)  # noqa: S314 (our own server wrote it)
    shape = model.output_shape.members[members[0]]
    tag = shape.serialization.get("name", members[0])
    found = next((child for child in root if child.tag.rpartition("}")[2] == tag), None)
    items = list(found) if found is not None else []
    if start == 0 and len(items) <= size:
        return response
    for item in (*items[:start], *items[start + size :]):
        assert found is not None
        found.remove(item)
    if start + size < len(items):
        token = f"{_digest(request)}|{start + size}".encode()
        ElementTree.SubElement(root, f"{{{namespace}}}nextToken").text = base64.b64encode(
            token
        ).decode()
    response.body = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return response
