"""Whether a document is what AWS answers: names, types, enum values and required members.

Judged by botocore's models alone. A document is what the AWS CLI prints, so times are texts.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from xml.etree import ElementTree

import botocore.session
from botocore.model import ServiceModel, Shape
from botocore.utils import parse_timestamp

__all__ = ["output_shape", "problems_of_body", "problems_of_document"]


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@cache
def output_shape(service: str, operation: str) -> Shape:
    """Return the output shape of an operation, in the AWS CLI's spelling or the API's."""
    model = _model(service)
    names = {name.lower(): name for name in model.operation_names}
    shape = model.operation_model(names[operation.replace("-", "").lower()]).output_shape
    assert shape is not None
    return shape


def problems_of_document(service: str, operation: str, document: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a document, each problem with the path to it."""
    return list(_problems(output_shape(service, operation), document, operation))


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    match shape.type_name:
        case "structure":
            if not isinstance(value, Mapping):
                yield f"{path}: {value!r} is no structure"
                return
            for name in shape.required_members:
                if name not in value:
                    yield f"{path}: {name} is required"
            for name, member in value.items():
                if name in {"ResponseMetadata", "NextToken", "nextToken"} and path.count(".") == 0:
                    continue
                if name not in shape.members:
                    yield f"{path}.{name}: AWS knows no such member"
                else:
                    yield from _problems(shape.members[name], member, f"{path}.{name}")
        case "list":
            if not isinstance(value, list):
                yield f"{path}: {value!r} is no list"
                return
            for index, member in enumerate(value):
                yield from _problems(shape.member, member, f"{path}[{index}]")
        case "map":
            for key, member in value.items():
                yield from _problems(shape.value, member, f"{path}.{key}")
        case _:
            yield from _problems_of_scalar(shape, value, path)


def _problems_of_scalar(shape: Shape, value: Any, path: str) -> Iterator[str]:
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "boolean": (bool,),
        "integer": (int,),
        "long": (int,),
        "float": (float, int),
        "double": (float, int),
        "timestamp": (str, datetime),
        "blob": (str, bytes),
    }
    wanted = kinds[shape.type_name]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        yield f"{path}: {value!r} is no {shape.type_name}"
    elif shape.type_name == "timestamp" and isinstance(value, str):
        try:
            parse_timestamp(value)
        except ValueError:
            yield f"{path}: {value!r} is no timestamp"
    elif (choices := getattr(shape, "enum", None)) and value not in choices:
        yield f"{path}: {value!r} is none of {', '.join(choices)}"


def problems_of_body(service: str, operation: str, body: bytes) -> list[str]:
    """Return the members in the raw bytes of an answer that botocore would drop in silence."""
    shape = output_shape(service, operation)
    if body.lstrip().startswith(b"{"):
        return list(_problems_of_names(shape, json.loads(body), operation))
    root = ElementTree.fromstring(body)  # noqa: S314 (our own server wrote it)
    result = next((c for c in root if _name(c).endswith("Result")), root)
    return list(_problems_of_elements(shape, result, operation))


def _problems_of_names(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, member in value.items():
            if name not in shape.members:
                yield f"{path}.{name}: AWS knows no such member"
            else:
                yield from _problems_of_names(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list" and isinstance(value, list):
        for member in value:
            yield from _problems_of_names(shape.member, member, f"{path}[]")


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _problems_of_elements(shape: Shape, element: ElementTree.Element, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        members = {m.serialization.get("name", n): m for n, m in shape.members.items()}
        for child in element:
            name = _name(child)
            if name in members:
                yield from _problems_of_elements(members[name], child, f"{path}.{name}")
            elif name.lower() not in {"requestid", "responsemetadata"}:
                yield f"{path}.{name}: AWS knows no such element"
    elif shape.type_name == "list":
        for child in element:
            yield from _problems_of_elements(shape.member, child, f"{path}[]")
