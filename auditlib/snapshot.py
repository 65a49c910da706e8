"""A snapshot: what AWS answered, as files, with the outcome of every call.

Layout (a folder, or a .zip of it)::

    manifest.json
    <account>/<region>/<service>-<operation>.json
    <account>/<region>/<service>-<operation>/<resource>.json

Each file is what ``aws <service> <operation> --output json`` prints, all pages merged. A folder
without manifest loads too: every file found is a call that went well, every file missing a gap.
Such a folder may hold what the kit's own shell script leaves behind: ``<file>.error.txt`` where a
call was refused (the AWS CLI's words), and ``collect.txt`` (who collected, when, with what).

Nothing is believed that was not checked: a snapshot may come from anyone.
"""

import errno
import hashlib
import io
import json
import os
import re
import shutil
import stat
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import quote, unquote

from auditlib.aws.outcomes import refusal_of_text
from auditlib.aws.reads import Read, read_of
from auditlib.errors import SnapshotError
from auditlib.language import tr

__all__ = [
    "Call",
    "CallStatus",
    "Manifest",
    "Snapshot",
    "encode",
    "file_of",
    "load",
    "save",
    "verify",
]

CallStatus = Literal["ok", "denied", "failed", "unsupported"]

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
ERROR_SUFFIX = ".error.txt"
NOTES = "collect.txt"

# A real snapshot of a very large account holds some ten thousand files and a few gigabytes, and
# deflates some thirty times.
MOST_FILES = 200_000
MOST_BYTES = 32 * 2**30
MOST_RATIO = 250
MUCH = 64 * 2**20

_CHUNK = 200  # file systems take names of 255 bytes; log group names can be longer, once quoted
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
_WORDS = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"[0-9]{12}/[a-z0-9-]+/[a-z0-9-]+(/[A-Za-z0-9_.~%-]+)*\.json")
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


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
        Number of records in the answer; ``None`` where a folder came without manifest.
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

    @property
    def key(self) -> tuple[str, str, str, str | None]:
        """What tells calls apart: account, region, read id, resource."""
        return self.account, self.region, f"{self.service}-{self.operation}", self.resource

    @property
    def order(self) -> tuple[str, str, str, str]:
        """The place of the call in a manifest."""
        return *self.key[:3], self.resource or ""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is known of the whole snapshot. ``None`` where a folder came without manifest.

    Attributes
    ----------
    botocore_version
        The SDK that read the answers, which decides what it could see in them. Without manifest:
        the one the AWS CLI named, or the oldest that knows every operation that was answered;
        ``None`` when nothing tells.
    places
        The (account, region) pairs that were to be read.
    redacted
        Whether every name in it is a pseudonym (``redaction.py``).
    trail_days
        How many days back CloudTrail was asked who changed what; ``None`` where it was not asked.
    """

    format_version: int = FORMAT_VERSION
    kit_version: str | None = None
    botocore_version: str | None = None
    caller_arn: str | None = None
    started: datetime | None = None
    finished: datetime | None = None
    places: tuple[tuple[str, str], ...] = ()
    calls: tuple[Call, ...] = field(default=(), repr=False)
    redacted: bool = False
    trail_days: int | None = None


def file_of(account: str, region: str, read: Read, resource: str | None = None) -> str:
    """Return the path of an answer inside a snapshot.

    A resource is percent-encoded; what is then too long for a file name goes into folders.

    >>> from auditlib.aws.reads import read_of
    >>> file_of("111122223333", "eu-west-1", read_of("ec2-describe-vpcs"))
    '111122223333/eu-west-1/ec2-describe-vpcs.json'
    >>> file_of("111122223333", "eu-west-1", read_of("logs-describe-log-groups"), "/vpn/log")
    '111122223333/eu-west-1/logs-describe-log-groups/%2Fvpn%2Flog.json'
    """
    stem = f"{account}/{read.folder(region)}/{read.id}"
    if resource is None:
        return f"{stem}.json"
    name = quote(resource, safe="")
    parts = [name[start : start + _CHUNK] for start in range(0, len(name), _CHUNK)]
    return f"{stem}/{'/'.join(parts)}.json"


def _resource_of(path: str) -> str:
    """Return the resource a file under a read's folder is named after."""
    return unquote(path.replace("/", ""))


def encode(document: Any) -> bytes:
    """Return a document as the AWS CLI prints it.

    >>> encode({"Vpcs": [{"VpcId": "vpc-1"}]}).decode().splitlines()[:3]
    ['{', '    "Vpcs": [', '        {']
    """
    text = json.dumps(document, indent=4, ensure_ascii=False, default=_as_text)
    # A lone surrogate, which JSON can carry and UTF-8 cannot, goes back to its escape.
    return (text + "\n").encode("utf-8", "backslashreplace")


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        # botocore gives local time for some services; a snapshot does not depend on the machine.
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")


# -- where the files are ----------------------------------------------------------------------


class _Files(Protocol):
    """The files of a snapshot, by path inside it; an empty folder's ends with a slash."""

    def names(self) -> tuple[str, ...]: ...

    def read(self, name: str) -> bytes: ...


class _Folder:
    """A folder; only what belongs to a snapshot is looked at, and no link is followed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._walk(self._root, "")))

    def _walk(self, folder: Path, inside: str) -> Iterator[str]:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            # At the top, only account folders: a snapshot may lie among other things.
            ours = entry.name in {MANIFEST, NOTES} or _ACCOUNT.fullmatch(entry.name)
            if not inside and not ours:
                continue
            if entry.is_symlink():
                raise SnapshotError(
                    tr(
                        "{path} is a link, which a snapshot never holds: replace it by the file itself",
                        path=Path(entry.path),
                    )
                )
            if entry.is_dir():
                held = list(self._walk(Path(entry.path), f"{inside}{entry.name}/"))
                yield from held or [f"{inside}{entry.name}/"]
            elif entry.is_file():
                yield f"{inside}{entry.name}"

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()


class _Unshared(io.RawIOBase):
    """A file that is read where this object stands.

    Copies of a process share the place at which a file they opened before stands: where they read at
    the same time, one would get what the other asked for.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        size = os.fstat(self._file.fileno()).st_size
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: size}[whence]
        if at < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        read = os.preadv(self._file.fileno(), [buffer], self._at)
        self._at += read
        return read

    def close(self) -> None:
        self._file.close()
        super().close()


def _opened(path: Path) -> Any:
    """Return a file to be read from several copies of a process, where there can be copies."""
    return io.BufferedReader(_Unshared(path)) if hasattr(os, "preadv") else path.open("rb")


class _Zip:
    """A zip file, read member by member: nothing is ever unpacked to disk."""

    def __init__(self, path: Path) -> None:
        file = _opened(path)
        weakref.finalize(self, file.close)
        try:
            self._zip = zipfile.ZipFile(file)
        except _ZIP_ERRORS as error:
            raise SnapshotError(
                tr(
                    "{path} is not a zip file that can be read ({error}): copy or make it anew",
                    path=path,
                    error=error,
                )
            ) from error
        self._members = dict(self._safe(path))
        if top := _common_folder(self._members):
            self._members = {
                name.removeprefix(top): info
                for name, info in self._members.items()
                if name.startswith(top) and name != top
            }

    def _safe(self, path: Path) -> Iterator[tuple[str, zipfile.ZipInfo]]:
        def refuse(why: str) -> SnapshotError:
            return SnapshotError(
                tr(
                    "{path} is refused: {why}. Ask for a zip of the snapshot folder",
                    path=path,
                    why=why,
                )
            )

        infos = self._zip.infolist()
        size = sum(info.file_size for info in infos)
        packed = sum(info.compress_size for info in infos)
        if len(infos) > MOST_FILES:
            raise refuse(
                tr(
                    "it holds {number} files, more than {most}",
                    number=len(infos),
                    most=MOST_FILES,
                )
            )
        if size > MOST_BYTES:
            raise refuse(
                tr(
                    "it unpacks to {size} bytes, more than {most}",
                    size=size,
                    most=MOST_BYTES,
                )
            )
        if packed > path.stat().st_size:
            raise refuse(tr("its members overlap"))
        if size > MUCH and size > MOST_RATIO * packed:
            raise refuse(tr("it unpacks to {times} times its size", times=size // max(packed, 1)))
        seen = set()
        for info in infos:
            name = info.filename.replace("\\", "/")  # Windows archivers write these
            parts = name.removesuffix("/").split("/")
            if name.startswith("/") or re.match(r"[A-Za-z]:", name):
                raise refuse(tr("{name!r} is an absolute path", name=name))
            if not all(parts) or {".", ".."} & set(parts):
                raise refuse(tr("{name!r} climbs out of the folder", name=name))
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise refuse(tr("{name!r} is a link or a special file", name=name))
            if info.flag_bits & 0x1:
                raise refuse(tr("{name!r} is encrypted", name=name))
            if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise refuse(tr("{name!r} is packed by a method other than deflate", name=name))
            if name in seen:
                raise refuse(tr("{name!r} is in it twice", name=name))
            seen.add(name)
            yield name, info

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._members))

    def read(self, name: str) -> bytes:
        if name not in self._members:
            raise FileNotFoundError(name)
        return self._zip.read(self._members[name])


def _common_folder(names: Iterable[str]) -> str:
    """Return the one folder everything lies in (``snapshot/``), or ``""``."""
    tops = {name.split("/")[0] for name in names} - {"__MACOSX", ".DS_Store"}
    if len(tops) != 1:
        return ""
    (top,) = tops
    return "" if top == MANIFEST or _ACCOUNT.fullmatch(top) else f"{top}/"


class _Memory:
    """Documents in memory, as the files they would be."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self._documents = documents

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._documents))

    def read(self, name: str) -> bytes:
        return encode(self._documents[name])


def _files_at(path: Path) -> _Files:
    try:
        if path.is_dir():
            inner = [p for p in path.iterdir() if p.is_dir()]
            names = {p.name for p in path.iterdir()}
            if MANIFEST not in names and not any(map(_ACCOUNT.fullmatch, names)):
                # What a zip unpacked into a folder of its own looks like.
                return _Folder(inner[0] if len(inner) == 1 and not inner[0].is_symlink() else path)
            return _Folder(path)
        if path.is_file():
            return _Zip(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    raise SnapshotError(
        tr("there is no snapshot at {path}: give its folder or .zip file", path=path)
    )


def _unreadable(path: object, error: Exception) -> SnapshotError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else error
    return SnapshotError(
        tr(
            "{path} cannot be read ({why}): check the file and your rights to it",
            path=path,
            why=why,
        )
    )


# -- the snapshot -----------------------------------------------------------------------------


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
    read
        Returns the bytes of a file inside the snapshot.
    evidence
        Paths of the files that are evidence themselves, next to the answers: the manifest, or
        what stands in for it.
    """

    def __init__(
        self,
        manifest: Manifest,
        open_document: Callable[[str], Mapping[str, Any]],
        *,
        name: str = "snapshot",
        read: Callable[[str], bytes] | None = None,
        evidence: tuple[str, ...] = (),
        has_manifest: bool = True,
    ) -> None:
        self.manifest = manifest
        self.name = name
        self.has_manifest = has_manifest
        self._open_document = open_document
        self._read = read or (lambda file: encode(open_document(file)))
        self._evidence = evidence
        self._calls = {call.key: call for call in manifest.calls}

    def __repr__(self) -> str:
        places = ", ".join("/".join(place) for place in self.places)
        ok = sum(call.status == "ok" for call in self.calls)
        return f"<Snapshot {self.name}: {places}; {ok} of {len(self.calls)} calls answered>"

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call, in the order of the manifest."""
        return self.manifest.calls

    @cached_property
    def places(self) -> tuple[tuple[str, str], ...]:
        """The (account, region) pairs that were looked at, sorted.

        The folder of the services that are the same in every region makes no place.
        """
        seen = {
            (call.account, call.region)
            for call in self.calls
            if call.read is None or call.read.region is None
        }
        return tuple(sorted(seen | set(self.manifest.places)))

    @cached_property
    def digest(self) -> str:
        """One sha256 over the whole snapshot, the same for a folder and its zip.

        The sha256 of the lines ``<sha256>  <path>`` of the manifest and of every answer, sorted
        by path: what ``sha256sum`` prints for those files.
        """
        paths = {call.file for call in self.calls if call.file}
        lines = {path: hashlib.sha256(self._bytes(path)).hexdigest() for path in paths}
        for path in self._evidence:
            lines[path] = hashlib.sha256(self._bytes(path)).hexdigest()
        if not self._evidence:
            calls = tuple(
                replace(c, sha256=lines[c.file]) if c.file else c for c in self.manifest.calls
            )
            manifest = _manifest_json(replace(self.manifest, calls=calls))
            lines[MANIFEST] = hashlib.sha256(manifest).hexdigest()
        text = "".join(f"{lines[path]}  {path}\n" for path in sorted(lines))
        return hashlib.sha256(text.encode()).hexdigest()

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

    def _bytes(self, file: str) -> bytes:
        """Return a file as it is, for copying and hashing."""
        return self._read(file)

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
            calls.append(
                Call(
                    account=account,
                    region=region,
                    service=read.service,
                    operation=read.operation,
                    resource=resource,
                    file=file,
                    items=items_of(read, document),
                )
            )
        return cls(Manifest(calls=(*calls, *refused), **manifest), by_file.__getitem__, name=name)


def items_of(read: Read, document: Mapping[str, Any]) -> int:
    """Return the number of records in an answer."""
    records = document.get(read.result_key) if read.result_key else document
    return len(records) if isinstance(records, list) else 1


def shape_problem(read: Read, document: Any) -> str | None:
    """Say what keeps a document from being an answer of a read; ``None`` when nothing does."""
    command = f"`aws {read.service} {read.operation} --output json`"
    if not isinstance(document, dict):
        return tr("is not what {command} prints: not an object", command=command)
    if read.result_key is None:
        return None
    wanted = list if read.answers_with_a_list else dict
    if not isinstance(document.get(read.result_key), wanted):
        if read.answers_with_a_list:
            return tr(
                'is not what {command} prints: no list "{read.result_key}"',
                command=command,
                read=read,
            )
        return tr(
            'is not what {command} prints: no object "{read.result_key}"',
            command=command,
            read=read,
        )
    if not read.most and (document.get("NextToken") or document.get("nextToken")):
        return tr(
            "holds the first pages only: what {command} prints without --max-items is needed",
            command=command,
        )
    return None


# -- loading ----------------------------------------------------------------------------------


def load(path: str | Path) -> Snapshot:
    """Return the snapshot in a folder or .zip file.

    Answers are parsed when asked for and not kept. Without manifest, account and region are the
    names of the folders.

    Raises
    ------
    SnapshotError
        When there is none, or it cannot be read, or it is not safe to read.
    """
    snapshot, files = _open(Path(path))
    if snapshot.has_manifest:
        there = set(files.names())
        lost = [call.file for call in snapshot.calls if call.file and call.file not in there]
        if lost:
            raise SnapshotError(
                tr(
                    "{path} lacks {lost}, which its manifest lists (and {more} more): "
                    "copy it again, or read it anew with auditlib collect --resume",
                    path=path,
                    lost=lost[0],
                    more=len(lost) - 1,
                )
                if len(lost) > 1
                else tr(
                    "{path} lacks {lost}, which its manifest lists: "
                    "copy it again, or read it anew with auditlib collect --resume",
                    path=path,
                    lost=lost[0],
                )
            )
    return snapshot


def open_incomplete(path: Path) -> Snapshot | None:
    """Return the snapshot in a folder, to complete it; ``None`` when it holds no file yet.

    It may lack files its manifest lists.
    """
    folder = _Folder(path)
    try:
        nothing_else = all(
            _ACCOUNT.fullmatch(entry.name) or entry.name.endswith(".part")
            for entry in path.iterdir()
        )
        if nothing_else and all(name.endswith((".part", "/")) for name in folder.names()):
            return None
    except OSError as error:
        raise _unreadable(path, error) from error
    return _open(path, folder)[0]


def _open(path: Path, files: _Files | None = None) -> tuple[Snapshot, _Files]:
    """Return a snapshot and its files; files the manifest lists may be missing."""
    files = files or _files_at(path)
    try:
        names = files.names()
    except OSError as error:
        raise _unreadable(path, error) from error

    def document(file: str) -> Mapping[str, Any]:
        parsed = _parsed(files, file, path)
        read = _read_of_file(file)
        if read is not None and (problem := shape_problem(read, parsed)):
            raise SnapshotError(
                tr(
                    "{path}: {file} {problem}. Put the right answer there",
                    path=path,
                    file=file,
                    problem=problem,
                )
            )
        if not isinstance(parsed, dict):
            raise SnapshotError(
                tr(
                    "{path}: {file} is not an object. Put the right answer there",
                    path=path,
                    file=file,
                )
            )
        return parsed

    if MANIFEST in names:
        manifest = _manifest_of(_parsed(files, MANIFEST, path), f"{path}: {MANIFEST}")
        evidence: tuple[str, ...] = (MANIFEST,)
    else:
        manifest = _manifest_without(files, names, path)
        evidence = tuple(n for n in names if n == NOTES or n.endswith(ERROR_SUFFIX))
    snapshot = Snapshot(
        manifest,
        document,
        name=str(path),
        read=lambda file: _read(files, file, path),
        evidence=evidence,
        has_manifest=MANIFEST in names,
    )
    return snapshot, files


def _read(files: _Files, file: str, path: Path) -> bytes:
    try:
        return files.read(file)
    except FileNotFoundError as error:
        raise SnapshotError(
            tr(
                "{path} lacks {file}: copy it again, or read it anew with auditlib collect --resume",
                path=path,
                file=file,
            )
        ) from error
    except _ZIP_ERRORS as error:
        raise _unreadable(f"{path}: {file}", error) from error


def _parsed(files: _Files, file: str, path: Path) -> Any:
    data = _read(files, file, path)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        where = {"path": path, "file": file, "error": error}
        raise SnapshotError(
            tr(
                "{path}: {file} is truncated, or not JSON ({error}): "
                "copy it again, or read it anew with auditlib collect --resume",
                **where,
            )
            if data.strip()
            else tr(
                "{path}: {file} is empty ({error}): "
                "copy it again, or read it anew with auditlib collect --resume",
                **where,
            )
        ) from error


def _read_of_file(file: str) -> Read | None:
    try:
        return read_of(file.split("/")[2].removesuffix(".json"))
    except (KeyError, IndexError):
        return None


def _manifest_of(record: Any, where: str) -> Manifest:
    """Return a manifest from its JSON, believing nothing."""

    def refuse(why: str) -> SnapshotError:
        return SnapshotError(
            tr(
                "{where} {why}: collect anew, or delete it to load the files alone",
                where=where,
                why=why,
            )
        )

    if not isinstance(record, dict) or not isinstance(record.get("calls"), list):
        raise refuse(tr('is not a manifest of this kit (no list "calls")'))
    version = record.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise refuse(tr("has no format version"))
    if version > FORMAT_VERSION:
        raise SnapshotError(
            tr(
                "{where} has format {version}, this kit reads up to {known}: update auditlib",
                where=where,
                version=version,
                known=FORMAT_VERSION,
            )
        )
    try:
        calls = tuple(_call_of(call, number) for number, call in enumerate(record["calls"]))
        places = tuple((str(account), str(region)) for account, region in record.get("places", ()))
        if not all(_ACCOUNT.fullmatch(a) and _REGION.fullmatch(r) for a, r in places):
            raise ValueError("a place is not an account and a region")
        if len({call.key for call in calls}) != len(calls):
            raise ValueError("a call is listed twice")
        return Manifest(
            format_version=version,
            kit_version=_text(record, "kit_version"),
            botocore_version=_text(record, "botocore_version"),
            caller_arn=_text(record, "caller_arn"),
            started=_time(record, "started"),
            finished=_time(record, "finished"),
            places=places,
            calls=calls,
            redacted=record.get("redacted") is True,
            trail_days=_days(record.get("trail_days")),
        )
    except (ValueError, TypeError) as error:
        raise refuse(tr("is damaged ({error})", error=error)) from error


def _days(value: Any) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise ValueError(f"trail_days is {value!r}")
    return value


def _call_of(record: Any, number: int) -> Call:
    if not isinstance(record, dict):
        raise ValueError(f"call {number} is not an object")
    names = "account region service operation resource status error_code error_message file sha256"
    texts = {name: _text(record, name) for name in names.split()}
    numbers = {name: record.get(name) for name in ("items", "seconds")}
    call = Call(**texts, **numbers, started=_time(record, "started"))  # type: ignore[arg-type] # checked below
    for name, pattern in (
        ("account", _ACCOUNT),
        ("region", _REGION),
        ("service", _WORDS),
        ("operation", _WORDS),
        ("status", re.compile("ok|denied|failed|unsupported")),
    ):
        if not pattern.fullmatch(texts[name] or ""):
            raise ValueError(f"call {number}: {name} is {texts[name]!r}")
    if call.items is not None and (not isinstance(call.items, int) or call.items < 0):
        raise ValueError(f"call {number}: items is {call.items!r}")
    if call.seconds is not None and not isinstance(call.seconds, int | float):
        raise ValueError(f"call {number}: seconds is {call.seconds!r}")
    if call.sha256 is not None and not _SHA256.fullmatch(call.sha256):
        raise ValueError(f"call {number}: sha256 is {call.sha256!r}")
    read = call.read
    if call.file is not None:
        home = f"{call.account}/{call.region}/{call.service}-{call.operation}"
        parts = call.file.split("/")
        if (
            not _FILE.fullmatch(call.file)
            or not call.file.startswith((f"{home}/", f"{home}.json"))
            or {".", ".."} & set(parts)
            or (read and call.file != file_of(call.account, call.region, read, call.resource))
        ):
            raise ValueError(f"call {number}: file is {call.file!r}")
        if call.status != "ok":
            raise ValueError(f"call {number}: {call.status}, and yet it has a file")
    elif call.status == "ok" and not (read and read.absent_codes):
        # Only an answer that may be "there is none" may do without a file; any other would read
        # as an empty table.
        raise ValueError(f"call {number}: ok, and yet it has no file")
    return call


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}")
    if value is not None:
        value.encode()  # JSON can carry half a character, and nothing else can: a ValueError
    return value


def _time(record: Mapping[str, Any], name: str) -> datetime | None:
    value = _text(record, name)
    if value is None:
        return None
    time = datetime.fromisoformat(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _manifest_without(files: _Files, names: tuple[str, ...], path: Path) -> Manifest:
    """Return what the files alone tell."""
    calls: dict[tuple[str, str, str, str | None], Call] = {}
    places = set()
    held = {name.rpartition("/")[0] + "/" for name in names if not name.endswith("/")}
    held = {folder for name in held for folder in _folders(name)}
    for name in names:
        # A zip names its folders too; only those that hold nothing tell something.
        if name.count("/") < 2 or name in held:
            continue
        account, region, _ = name.split("/", 2)
        if not (_ACCOUNT.fullmatch(account) and _REGION.fullmatch(region)):
            continue
        call = _call_of_file(files, name, path)
        # A folder that holds nothing was made for a Region that nobody read in the end; one that
        # holds answers of global services only stands for no Region.
        if call is None or call.read is None or call.read.region is None:
            places.add((account, region))
        # An answer beside an older refusal is what counts.
        if call and (call.key not in calls or call.status == "ok"):
            calls[call.key] = call
    if not calls:
        raise SnapshotError(
            tr(
                "{path} is no snapshot: no {manifest}, and no answer in a folder <account>/<region>/. "
                "Give the folder that auditlib collect or its script wrote",
                path=path,
                manifest=MANIFEST,
            )
        )
    notes = _notes(files, path) if NOTES in names else {}
    ordered = tuple(sorted(calls.values(), key=lambda call: call.order))
    return Manifest(
        botocore_version=_version_of(notes.get("aws-cli", ""), ordered),
        caller_arn=notes.get("caller"),
        started=_note_time(notes.get("started")),
        finished=_note_time(notes.get("finished")),
        places=tuple(sorted(places)),
        calls=ordered,
    )


def _folders(name: str) -> Iterator[str]:
    """Yield a folder and all it lies in, each with a slash at its end."""
    parts = name.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        yield "/".join(parts[:depth]) + "/"


def _call_of_file(files: _Files, name: str, path: Path) -> Call | None:
    """Return the call whose answer, or whose refusal, a file holds; ``None`` for any other file."""
    refused = name.endswith(ERROR_SUFFIX)
    stem = name.removesuffix(ERROR_SUFFIX if refused else ".json")
    if stem == name:
        return None
    account, region, read_id, *rest = stem.split("/")
    resource = _resource_of("/".join(rest)) if rest else None
    try:
        read = read_of(read_id)
    except KeyError:
        return None
    if (read.resources is None) != (resource is None):
        return None
    call = Call(
        account=account,
        region=region,
        service=read.service,
        operation=read.operation,
        resource=resource,
    )
    if refused:
        text = _read(files, name, path)[:65536].decode("utf-8", "replace")
        status, code, message = refusal_of_text(text)
        if read.says_there_is_none(code):
            return replace(call, items=0, error_code=code)
        return replace(call, status=status, error_code=code, error_message=message)
    if file_of(account, region, read, resource) != name:
        return None
    # The CLI prints nothing at all for an answer without any member.
    if read.record_member and (
        not _read(files, name, path).strip() or not has_record(read, _parsed(files, name, path))
    ):
        return replace(call, items=0)
    return replace(call, file=name)


def has_record(read: Read, document: Any) -> bool:
    """Whether an answer holds a record at all, and not only the id that was asked about."""
    return (
        read.record_member is None
        or not isinstance(document, dict)
        or bool(document.get(read.record_member))
    )


def _notes(files: _Files, path: Path) -> dict[str, str]:
    lines = _read(files, NOTES, path)[:65536].decode("utf-8", "replace").splitlines()
    pairs = (line.partition(": ") for line in lines)
    return {key: value.strip() for key, colon, value in pairs if colon}


def _note_time(text: str | None) -> datetime | None:
    try:
        return _time({"time": text}, "time")
    except ValueError:
        return None


def _version_of(cli: str, calls: Iterable[Call]) -> str | None:
    """Return the botocore version behind an AWS CLI, or the oldest it can be.

    Version 2 of the CLI carries a botocore of its own without telling which.
    """
    if found := re.match(r"aws-cli/1\..*\bbotocore/([0-9]+(?:\.[0-9]+)+)", cli):
        return found[1]
    known = [
        call.read.since_botocore
        for call in calls
        if call.status in {"ok", "denied"} and call.read and not call.read.older_sdk_reads
    ]
    return max((since for since in known if since), key=version_numbers, default=None)


def version_numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers, to compare it.

    >>> version_numbers("1.43.104") > version_numbers("1.43.62")
    True
    """
    return tuple(int(part) for part in re.findall(r"[0-9]+", version))


# -- writing ----------------------------------------------------------------------------------


def _manifest_json(manifest: Manifest) -> bytes:
    """Return a manifest as it stands on disk."""
    record: dict[str, Any] = {
        f.name: getattr(manifest, f.name) for f in fields(manifest) if f.name != "calls"
    }
    if not manifest.redacted:
        del record["redacted"]
    if manifest.trail_days is None:
        del record["trail_days"]
    record["places"] = [list(place) for place in manifest.places]
    record["calls"] = [asdict(call) for call in sorted(manifest.calls, key=lambda c: c.order)]
    return encode(record)


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest: last of all, for it says that the rest is there."""
    write_file(folder / MANIFEST, _manifest_json(manifest))


def refuse_to_overwrite(path: Path) -> None:
    """Raise unless nothing is at the path, or an empty folder."""
    try:
        taken = path.exists() and not (path.is_dir() and not any(path.iterdir()))
    except OSError as error:
        raise _unreadable(path, error) from error
    if taken:
        raise SnapshotError(
            tr("{path} already exists and is not empty: give another place", path=path)
        )


def save(snapshot: Snapshot, path: str | Path) -> None:
    """Write a snapshot to a folder, or to a .zip file when the path ends so.

    It appears whole or not at all; the same snapshot always gives the same bytes.

    Raises
    ------
    SnapshotError
        When something is there already, or it cannot be written.
    """
    path = Path(path)
    refuse_to_overwrite(path)
    calls = []
    data: dict[str, bytes] = {}
    for call in snapshot.calls:
        if call.file is None:
            calls.append(call)
            continue
        data[call.file] = snapshot._bytes(call.file)
        items = call.items
        if items is None and (read := call.read):
            items = items_of(read, snapshot.document(call))
        sha256 = hashlib.sha256(data[call.file]).hexdigest()
        calls.append(replace(call, sha256=sha256, items=items))
    data[MANIFEST] = _manifest_json(replace(snapshot.manifest, calls=tuple(calls)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".zip":
            write_file(path, zipped(data))
        else:
            _write_folder(path, data)
    except OSError as error:
        raise SnapshotError(
            tr(
                "{path} cannot be written ({why}): give another place",
                path=path,
                why=error.strerror or error,
            )
        ) from error


def zipped(data: Mapping[str, bytes]) -> bytes:
    """Return a zip of the files: sorted and undated, so that equal files give equal bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(data):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data[name])
    return target.getvalue()


def _write_folder(path: Path, data: Mapping[str, bytes]) -> None:
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        for name in sorted(data):
            file = part / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data[name])
        if path.exists():
            path.rmdir()
        part.replace(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


# -- verifying --------------------------------------------------------------------------------


def verify(path: str | Path) -> tuple[str, ...]:
    """Return what is wrong with a snapshot's files, a sentence each; nothing when all is well.

    With a manifest, every answer must be there, unchanged since it was collected, and nothing
    else beside it. Without one, every answer must at least be what the AWS CLI prints.

    Raises
    ------
    SnapshotError
        When it cannot be opened at all.
    """
    snapshot, files = _open(Path(path))
    problems = []
    listed = {call.file: call for call in snapshot.calls if call.file}
    there = {name for name in files.names() if name.endswith(".json") and name != MANIFEST}
    for file, call in sorted(listed.items()):
        if file not in there:
            problems.append(tr("{file} is missing", file=file))
            continue
        try:
            if call.sha256 and hashlib.sha256(snapshot._bytes(file)).hexdigest() != call.sha256:
                problems.append(tr("{file} was changed after it was collected", file=file))
            elif snapshot.has_manifest and not call.sha256:
                problems.append(tr("{file} has no hash in the manifest", file=file))
            snapshot.document(call)
        except SnapshotError as error:
            problems.append(str(error))
    if snapshot.has_manifest:
        problems += [
            tr("{file} is not in the manifest", file=file) for file in sorted(there - set(listed))
        ]
    return tuple(problems)
