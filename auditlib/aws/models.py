"""What botocore knows of the services: read once for all sessions of a process.

To read the model of EC2 takes longer than most of its answers. Left to itself every session reads
it anew, and so does each of several threads that ask for it at the same time.
"""

import threading
from contextlib import suppress
from typing import Any, ClassVar

import boto3
import botocore.session
from botocore.loaders import Loader

__all__ = ["read_ahead", "session_of"]


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
                self._kept[key] = super().load_service_model(service_name, type_name, api_version)
            return self._kept[key]


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
