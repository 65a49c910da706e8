"""A snapshot: what AWS answered, as files, with the outcome of every call.

Layout (a folder, or a .zip of it)::

    manifest.json
    <account>/<region>/<service>-<operation>.json
    <account>/<region>/<service>-<operation>/<resource>.json

Each file is what ``aws <service> <operation> --output json`` prints, all pages merged. A folder
without manifest loads too: every file found is a call that went well, every file missing a gap.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from auditlib.aws.reads import Read, read_of

__all__ = ["Call", "CallStatus", "Manifest", "Snapshot", "file_of"]

CallStatus = Literal["ok", "denied", "failed", "unsupported"]

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Call:
    """One AWS call and how it ended.

    Attributes
    ----------
    status
        ``ok``, ``denied`` (no permission), ``failed`` (throttled to the end, time-out, server
        error, not collected …) or ``unsupported`` (the SDK does not know the operation).
    file
        Path inside the snapshot; ``None`` when there is no answer to keep.
    items
        Number of records in the answer.
    seconds
        Time the call took, all pages and retries included.
    """

    account: str
    region: str
    service: str
    operation: str
    resource: str | None = None
    status: CallStatus = "ok"
    error_code: str | None = None
    error_message: str | None = None
    file: str | None = None
    items: int | None = None
    sha256: str | None = None
    started: datetime | None = None
    seconds: float | None = None

    @property
    def read(self) -> Read | None:
        """The read this call carried out; ``None`` when the kit no longer makes it."""
        try:
            return read_of(f"{self.service}-{self.operation}")
        except KeyError:
            return None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is known of the whole snapshot. ``None`` where a folder came without manifest."""

    format_version: int = FORMAT_VERSION
    kit_version: str | None = None
    botocore_version: str | None = None
    caller_arn: str | None = None
    started: datetime | None = None
    finished: datetime | None = None
    calls: tuple[Call, ...] = field(default=(), repr=False)


def file_of(account: str, region: str, read: Read, resource: str | None = None) -> str:
    """Return the path of an answer inside a snapshot.

    >>> from auditlib.aws.reads import read_of
    >>> file_of("111122223333", "eu-west-1", read_of("ec2-describe-vpcs"))
    '111122223333/eu-west-1/ec2-describe-vpcs.json'
    >>> file_of("111122223333", "eu-west-1", read_of("logs-describe-log-groups"), "/vpn/log")
    '111122223333/eu-west-1/logs-describe-log-groups/%2Fvpn%2Flog.json'
    """
    stem = f"{account}/{region}/{read.id}"
    return f"{stem}.json" if resource is None else f"{stem}/{quote(resource, safe='')}.json"


class Snapshot:
    """A loaded snapshot.

    Parameters
    ----------
    manifest
        The outcome of every call.
    open_document
        Returns the parsed document of a file inside the snapshot.
    name
        What to call the snapshot in messages.
    """

    def __init__(
        self,
        manifest: Manifest,
        open_document: Callable[[str], Mapping[str, Any]],
        *,
        name: str = "snapshot",
    ) -> None:
        self.manifest = manifest
        self.name = name
        self._open_document = open_document
        self._calls = {
            (c.account, c.region, f"{c.service}-{c.operation}", c.resource): c
            for c in manifest.calls
        }

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call, in the order of the manifest."""
        return self.manifest.calls

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """The (account, region) pairs that were looked at, sorted."""
        return tuple(sorted({(call.account, call.region) for call in self.calls}))

    def call(
        self, account: str, region: str, read_id: str, resource: str | None = None
    ) -> Call | None:
        """Return the outcome of one call; ``None`` when it was never made."""
        return self._calls.get((account, region, read_id, resource))

    def document(self, call: Call) -> Mapping[str, Any]:
        """Return the parsed answer of a call; an empty mapping when it kept none.

        Raises
        ------
        SnapshotError
            When the file is missing, truncated or not what the AWS CLI prints.
        """
        return {} if call.file is None else self._open_document(call.file)

    @classmethod
    def from_documents(
        cls,
        documents: Mapping[tuple[str, str, str, str | None], Mapping[str, Any]],
        refused: Iterable[Call] = (),
        *,
        name: str = "in memory",
        **manifest: Any,
    ) -> "Snapshot":
        """Make a snapshot in memory, from answers keyed (account, region, read id, resource)."""
        calls, by_file = [], {}
        for (account, region, read_id, resource), document in documents.items():
            read = read_of(read_id)
            file = file_of(account, region, read, resource)
            by_file[file] = document
            records = document.get(read.result_key) if read.result_key else document
            calls.append(
                Call(
                    account=account,
                    region=region,
                    service=read.service,
                    operation=read.operation,
                    resource=resource,
                    file=file,
                    items=len(records) if isinstance(records, list) else 1,
                )
            )
        return cls(Manifest(calls=(*calls, *refused), **manifest), by_file.__getitem__, name=name)
