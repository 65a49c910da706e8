"""What botocore knows of the services: read once for all sessions of a process, and no more of it.

To read the model of EC2 takes longer than most of its answers. Left to itself every session reads
it anew, and so does each of several threads that ask for it at the same time. And of its 800
operations the kit makes some twenty: a client of a service that is read knows those, so nothing
else can be called by it, and it is made in a fraction of the time.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar

import boto3
import botocore.session
from botocore import xform_name
from botocore.loaders import Loader

from auditlib.aws.reads import OPTIONAL_READS, READS

__all__ = ["OPERATIONS", "read_ahead", "session_of"]

OPERATIONS: dict[str, set[str]] = {
    service: {read.operation for read in (*READS, *OPTIONAL_READS) if read.service == service}
    for service in {read.service for read in (*READS, *OPTIONAL_READS)}
}
"""What is called of each service that is read, as the AWS CLI spells it."""
OPERATIONS["ec2"].add("describe-regions")


class _Models(Loader):  # type: ignore[misc] # botocore has no types
    """A loader that keeps what it read, for whichever session asks: nobody changes a model."""

    _kept: ClassVar[dict[tuple[object, ...], Any]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        """Return a model; another that asks for it meanwhile waits for it."""
        key = (*self.search_paths, service_name, type_name, api_version)
        with self._lock:
            if key not in self._kept:
                # A loader keeps all it has read: the whole is let go with one of its own.
                once = Loader(
                    extra_search_paths=self.search_paths, include_default_search_paths=False
                )
                whole = once.load_service_model(service_name, type_name, api_version)
                needed = type_name == "service-2" and service_name in OPERATIONS
                self._kept[key] = _less(whole, OPERATIONS[service_name]) if needed else whole
            return self._kept[key]

    def load_data_with_path(self, name: str) -> Any:
        """Return another file, such as that of all Regions, with its path."""
        key = (*self.search_paths, name)
        with self._lock:
            if key not in self._kept:
                once = Loader(
                    extra_search_paths=self.search_paths, include_default_search_paths=False
                )
                self._kept[key] = once.load_data_with_path(name)
            return self._kept[key]


def _less(model: dict[str, Any], operations: set[str]) -> dict[str, Any]:
    """Return a service's model with some operations, and the shapes they are made of."""
    kept = {
        name: operation
        for name, operation in model["operations"].items()
        if xform_name(name, "-") in operations
    }
    shapes: dict[str, Any] = {}
    wanted = [name for operation in kept.values() for name in _shapes_in(operation)]
    while wanted:
        name = wanted.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            wanted += _shapes_in(shapes[name])
    return {**model, "operations": kept, "shapes": shapes}


def _shapes_in(part: Any) -> Iterator[str]:
    """Yield the names of the shapes that a part of a model refers to."""
    if isinstance(part, dict):
        if isinstance(name := part.get("shape"), str):
            yield name
        for inner in part.values():
            yield from _shapes_in(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _shapes_in(inner)


def session_of(profile: str | None = None, **credentials: str | None) -> boto3.session.Session:
    """Return a session of boto3, its models kept; the arguments are those of boto3's own."""
    core = botocore.session.Session(profile=profile)
    paths = core.get_component("data_loader").search_paths
    core.register_component(
        "data_loader", _Models(extra_search_paths=paths, include_default_search_paths=False)
    )
    return boto3.session.Session(botocore_session=core, **credentials)


def read_ahead(session: boto3.session.Session, service: str) -> None:
    """Read the models of a service in a thread of its own, while an answer is waited for."""

    def read() -> None:
        loader = session._session.get_component("data_loader")
        # What cannot be read shows where it is needed.
        with suppress(Exception):
            for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
                loader.load_service_model(service, kind)

    threading.Thread(target=read, name="auditlib-models", daemon=True).start()
