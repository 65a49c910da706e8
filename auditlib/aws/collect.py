"""Read an account: every read of the table, in every region, each ending as a record.

Reads run side by side on a bounded pool of threads. A read per resource starts as soon as the
answer that names its resource is there. A failure never stops the others.
"""

import errno
import hashlib
import os
import queue
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore
from botocore.exceptions import ClientError, ParamValidationError, UnknownServiceError

from auditlib import __version__
from auditlib.aws.outcomes import message_of, status_of
from auditlib.aws.reads import OPTIONAL_READS, READS, Read
from auditlib.aws.sessions import Access, client_config, enabled_regions, sign_in
from auditlib.errors import AwsError, SnapshotError
from auditlib.language import tr, tr_as
from auditlib.snapshot import (
    Call,
    Manifest,
    Snapshot,
    encode,
    file_of,
    has_record,
    items_of,
    load,
    open_incomplete,
    refuse_to_overwrite,
    save,
    shape_problem,
    version_numbers,
    write_file,
    write_manifest,
)
from auditlib.words import count, listed, value

__all__ = ["Collected", "collect", "summary_of"]

# EC2 refills its buckets at some twenty describe calls a second per account and region.
WORKERS_PER_REGION = 8
MOST_WORKERS = 32
NOT_COLLECTED = "NotCollected"
PAUSES = {read.service: 1 / read.per_second for read in OPTIONAL_READS if read.per_second}
"""Seconds between two requests to a service, in one account and Region."""
GRACE = 2.0  # seconds after Ctrl-C for answers that are nearly there

Progress = Callable[[int, int], None]
_Future = Future[tuple[Call, Any]]


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What came of a collection.

    Attributes
    ----------
    manifest
        As it was written.
    interrupted
        Whether Ctrl-C cut it short.
    kept
        How many answers of an earlier collection were kept.
    """

    manifest: Manifest
    interrupted: bool = False
    kept: int = 0


def _now() -> datetime:
    return datetime.now(UTC)


def collect(
    out: str | Path,
    *,
    profile: str | None = None,
    regions: Iterable[str] = (),
    all_regions: bool = False,
    role_arn: str | None = None,
    external_id: str | None = None,
    session_name: str = "auditlib",
    endpoint_url: str | None = None,
    resume: bool = False,
    trail: int | None = None,
    progress: Progress | None = None,
    clock: Callable[[], datetime] = _now,
    workers: int | None = None,
) -> Collected:
    """Read an account into a snapshot, and return its manifest.

    Nothing is written before AWS has said who is calling. After Ctrl-C the snapshot is valid; what
    was not read is recorded as failed, with the code ``NotCollected``.

    Parameters
    ----------
    out
        Folder to write, or a path that ends in ``.zip``.
    regions, all_regions
        Where to read; by default the region of the profile (with ``resume``: those of the folder).
    resume
        Read into a folder that exists, and only what it lacks or what failed.
    trail
        Ask CloudTrail, too, who changed what within so many days (90 at most); ``None``: do not
        (with ``resume``: as in the folder). It is asked anew by every collection.
    progress
        Called with the number of calls done and known so far.
    clock
        Tells the time that is recorded.
    workers
        Calls in flight at once.

    Raises
    ------
    AwsError
        When AWS cannot be called at all.
    SnapshotError
        When the place is taken, or cannot be written, or holds another account.
    """
    out = Path(out)
    if out.suffix.lower() == ".zip":
        if resume:
            raise SnapshotError(
                tr("{out} cannot be resumed: a zip is written once; give a folder", out=out)
            )
        refuse_to_overwrite(out)
        earlier = None
    elif resume and out.is_dir() and any(out.iterdir()):
        earlier = open_incomplete(out)
    else:
        refuse_to_overwrite(out)
        earlier = None
    regions = tuple(dict.fromkeys(regions))
    access = sign_in(
        profile=profile,
        regions=regions,
        role_arn=role_arn,
        external_id=external_id,
        session_name=session_name,
        endpoint_url=endpoint_url,
    )
    regions = regions_of(access, regions, all_regions, earlier)
    if earlier and (others := {account for account, _ in earlier.places} - {access.account}):
        raise SnapshotError(
            tr(
                "{out} holds account {other}, and you are signed in to {access.account}: give another "
                "folder, or the other profile",
                out=out,
                other=min(others),
                access=access,
            )
        )
    run = Run(
        access,
        regions,
        clock=clock,
        progress=progress,
        workers=workers,
        earlier=earlier,
        trail=trail,
    )
    try:
        if out.suffix.lower() == ".zip":
            out.parent.mkdir(parents=True, exist_ok=True)
            part = tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent)
            try:
                collected = run.into(Path(part))
                save(load(part), out)
            finally:
                shutil.rmtree(part, ignore_errors=True)
            return collected
        return run.into(out)
    except OSError as error:
        raise SnapshotError(
            tr(
                "{out} cannot be written ({why}): give another place, or make room and run again with "
                "--resume",
                out=out,
                why=error.strerror or error,
            )
        ) from error


def regions_of(
    access: Access,
    regions: tuple[str, ...],
    all_regions: bool,
    earlier: Snapshot | None = None,
) -> tuple[str, ...]:
    """Return where to read: as asked, or where was read earlier, or where the profile points."""
    if all_regions:
        return enabled_regions(access)
    if regions:
        return regions
    if earlier:
        return tuple(sorted({region for _, region in earlier.places}))
    if access.session.region_name:
        return (access.session.region_name,)
    raise AwsError(tr("no region: give --region or --all-regions, or set one in the profile"))


@contextmanager
def _alone_in(folder: Path) -> Iterator[Path]:
    """Keep a second collection out of a folder; a killed one keeps nobody out.

    Raises
    ------
    SnapshotError
        When one is under way.
    """
    mark = folder / ".collecting.part"
    with mark.open("ab") as held:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(held.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
            else:
                import fcntl

                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _busy(folder) from error
        except OSError as error:
            if error.errno in {errno.EACCES, errno.EDEADLK}:
                raise _busy(folder) from error
            # A file system without locks (some network drives): nothing to hold on to.
        try:
            yield mark
        finally:
            with suppress(OSError):
                mark.unlink()


def _busy(folder: Path) -> SnapshotError:
    return SnapshotError(
        tr(
            "{folder} is being written by another auditlib collect: wait for it, or give another "
            "place",
            folder=folder,
        )
    )


class _Stopped(Exception):  # noqa: N818 # not an error: someone pressed Ctrl-C
    """Raised inside a call when the collection is being ended."""


@dataclass(kw_only=True)
class _Clients:
    """One client per service and region: making one is slow, and not safe from two threads."""

    access: Access
    workers: int
    stop: threading.Event
    _made: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, service: str, region: str) -> Any:
        with self._lock:
            if (service, region) not in self._made:
                client = self.access.session.client(
                    service,
                    region_name=region,
                    endpoint_url=self.access.endpoint_url,
                    config=client_config(self.access.session, self.workers),
                )
                client.meta.events.register("before-send", self._refuse_after_stop)
                if pause := PAUSES.get(service):
                    client.meta.events.register_first("before-send", Pace(pause, self.stop))
                self._made[service, region] = client
            return self._made[service, region]

    def _refuse_after_stop(self, **_: Any) -> None:
        if self.stop.is_set():
            raise _Stopped

    def close(self) -> None:
        for client in self._made.values():
            client.close()


class Pace:
    """Lets requests go one after the other with a pause between, retries included."""

    def __init__(
        self,
        pause: float,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pause = pause
        self._stop = stop
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def __call__(self, **_: Any) -> None:
        """Wait for the turn of a request; no longer than until the collection is ended."""
        with self._lock:
            turn = max(self._next, self._clock())
            self._next = turn + self._pause
        self._stop.wait(max(0.0, turn - self._clock()))


class Run:
    """One collection under way."""

    def __init__(
        self,
        access: Access,
        regions: tuple[str, ...],
        *,
        clock: Callable[[], datetime] = _now,
        progress: Progress | None = None,
        workers: int | None = None,
        earlier: Snapshot | None = None,
        trail: int | None = None,
    ) -> None:
        self._trail = trail or (earlier.manifest.trail_days if earlier else None)
        self._access = access
        self._regions = regions
        self._clock = clock
        self._progress = progress
        self._workers = workers or max(1, min(MOST_WORKERS, WORKERS_PER_REGION * len(regions)))
        self._earlier = earlier
        self._stop = threading.Event()
        self._closing = threading.Lock()
        self._closed = False
        self._clients = _Clients(access=access, workers=self._workers, stop=self._stop)
        self._calls: dict[tuple[str, str, str, str | None], Call] = {}
        self._reused: set[tuple[str, str, str, str | None]] = set()
        self._known: set[tuple[str, str, str | None]] = set()
        self._pending: dict[_Future, tuple[str, Read, str | None]] = {}
        # Ended calls, in the order they ended; None wakes the reader after Ctrl-C.
        self._ended: queue.SimpleQueue[_Future | None] = queue.SimpleQueue()
        self._presses = 0

    def into(self, folder: Path) -> Collected:
        """Read everything into the folder and write its manifest."""
        started = self._clock()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone_in(folder) as mark:
            for left in folder.rglob(".*.part"):
                if left != mark:
                    left.unlink(missing_ok=True)
            return self._into(folder, started)

    def _into(self, folder: Path, started: datetime) -> Collected:
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="auditlib")
        with self._ctrl_c():
            try:
                self._start()
                while self._pending and not self._presses:
                    self._take(self._next(0.5))
                interrupted = bool(self._pending)
                if interrupted:
                    self._end()
            except BaseException:
                self._stop.set()
                self._pool.shutdown(wait=False, cancel_futures=True)
                raise
            if not interrupted:
                self._pool.shutdown()
                self._clients.close()
            manifest = self._manifest(started)
            write_manifest(folder, manifest)
            self._sweep(manifest)
        return Collected(manifest=manifest, interrupted=interrupted, kept=len(self._reused))

    def _start(self) -> None:
        # Answers that name the resources of other reads first: the longest chain decides how
        # long it all takes.
        parents = {parent for read in READS for parent in read.parents}
        optional = OPTIONAL_READS if self._trail else ()
        for read in (*sorted(READS, key=lambda read: read.id not in parents), *optional):
            if read.resources is None:
                for region in self._regions:
                    self._submit(region, read, None)

    def _submit(self, region: str, read: Read, resource: str | None) -> None:
        at = (read.folder(region), read.id, resource)
        if at in self._known:
            return
        self._known.add(at)
        if (kept := self._kept(region, read, resource)) is not None:
            call, document = kept
            self._reused.add(call.key)
            self._settle(call, read, document)
        elif self._stop.is_set():
            call = self._not_collected(region, read, resource)
            self._calls[call.key] = call
        else:
            future = self._pool.submit(self._carry_out, region, read, resource)
            self._pending[future] = region, read, resource
            future.add_done_callback(self._ended.put)

    def _next(self, seconds: float) -> _Future | None:
        # Never without a limit: Windows sees Ctrl-C only between two waits.
        try:
            return self._ended.get(timeout=seconds)
        except queue.Empty:
            return None

    def _take(self, future: _Future | None) -> None:
        """Record a call that has ended, and start the reads its answer names."""
        if future is None or future.cancelled():
            return
        _, read, _ = self._pending.pop(future)
        call, document = future.result()
        self._settle(call, read, document)
        if self._progress:
            self._progress(len(self._calls), len(self._known))

    def _settle(self, call: Call, read: Read, document: Any) -> None:
        self._calls[call.key] = call
        if document is None:
            return
        for child in READS:
            if read.id in child.parents and child.resources:
                for resource in child.resources({read.id: document}):
                    self._submit(call.region, child, resource)

    @contextmanager
    def _ctrl_c(self) -> Iterator[None]:
        """Count presses of Ctrl-C: an exception could come between an answer and its record."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def pressed(*_: Any) -> None:
            self._presses += 1
            self._ended.put(None)

        before = signal.signal(signal.SIGINT, pressed)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _end(self) -> None:
        """After Ctrl-C: keep what has been answered, record the rest as not collected."""
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        last = time.monotonic() + GRACE
        while self._pending and self._presses == 1 and (left := last - time.monotonic()) > 0:
            if all(future.cancelled() for future in self._pending):
                break
            self._take(self._next(left))
        with self._closing:
            # From here on no thread writes an answer: the manifest would not know it.
            self._closed = True
        for future in [f for f in self._pending if f.done() and not f.cancelled()]:
            self._take(future)
        for region, read, resource in self._pending.values():
            call = self._not_collected(region, read, resource)
            self._calls[call.key] = call

    def _not_collected(self, region: str, read: Read, resource: str | None) -> Call:
        return replace(
            self._call(region, read, resource),
            status="failed",
            error_code=NOT_COLLECTED,
            error_message="the collection was interrupted before this call was answered",
        )

    def _call(self, region: str, read: Read, resource: str | None) -> Call:
        return Call(
            account=self._access.account,
            region=read.folder(region),
            service=read.service,
            operation=read.operation,
            resource=resource,
        )

    # -- one call, in a thread of its own -----------------------------------------------------

    def _carry_out(self, region: str, read: Read, resource: str | None) -> tuple[Call, Any]:
        """Make a call, keep its answer; return the record and, where others need it, the answer."""
        started = self._clock()
        call = replace(self._call(region, read, resource), started=started)
        document: Any = None
        try:
            document = read.kept_of(self._answer(region, read, resource))
        except _Stopped:
            return self._not_collected(region, read, resource), None
        except _Unsupported as error:
            call = replace(
                call, status="unsupported", error_code="UnknownToTheSdk", error_message=str(error)
            )
        except ClientError as error:
            call = _refused(call, read, error)
        except Exception as error:
            # Whatever went wrong is the outcome of this call.
            call = replace(
                call,
                status="failed",
                error_code=type(error).__name__,
                error_message=message_of(str(error)),
            )
        if document is not None:
            if problem := shape_problem(read, document):
                document = None
                call = replace(
                    call,
                    status="failed",
                    error_code="UnexpectedAnswer",
                    error_message=f"the answer {problem}",
                )
            elif has_record(read, document):
                call = self._keep(call, read, document)
            else:
                call = replace(call, items=0)
        # A clock may be set back meanwhile.
        seconds = max(0.0, round((self._clock() - started).total_seconds(), 3))
        return replace(call, seconds=seconds), document if _is_parent(read) else None

    def _keep(self, call: Call, read: Read, document: Mapping[str, Any]) -> Call:
        data = encode(document)
        file = file_of(call.account, call.region, read, call.resource)
        with self._closing:
            if self._closed:
                return self._not_collected(call.region, read, call.resource)
            write_file(self._folder / file, data)
        return replace(
            call,
            file=file,
            items=items_of(read, document),
            sha256=hashlib.sha256(data).hexdigest(),
        )

    def _answer(self, region: str, read: Read, resource: str | None) -> dict[str, Any]:
        """Return all pages as one document.

        Raises whatever the SDK raises.
        """
        method = read.operation.replace("-", "_")
        try:
            client = self._clients.of(read.service, region)
        except UnknownServiceError as error:
            raise _Unsupported(_too_old(read)) from error
        if method not in client.meta.method_to_api_mapping:
            raise _Unsupported(_too_old(read))
        parameters = self._parameters(read, resource)
        try:
            if read.page_size is None:
                answer: dict[str, Any] = getattr(client, method)(**parameters)
                answer.pop("ResponseMetadata", None)
                return answer
            if not client.can_paginate(method):
                raise _Unsupported(_too_old(read))
            if not read.questions:
                return self._merged(client.get_paginator(method), read, parameters)
            records: list[Any] = []
            for question in self._questions(read):
                answer = self._merged(
                    client.get_paginator(method), read, {**parameters, **question}
                )
                records += read.kept_of(answer)[str(read.result_key)]
            return {str(read.result_key): records}
        except ParamValidationError as error:
            if "Unknown parameter" in str(error):
                raise _Unsupported(_too_old(read)) from error
            raise

    def _questions(self, read: Read) -> Sequence[Mapping[str, Any]]:
        return read.questions

    def _parameters(self, read: Read, resource: str | None) -> dict[str, Any]:
        parameters = dict(read.parameters)
        if read.since_parameter and self._trail:
            parameters[read.since_parameter] = self._clock() - timedelta(days=self._trail)
        if resource is not None and read.resource_parameter:
            parameters[read.resource_parameter] = [resource] if read.resource_in_list else resource
        return parameters

    def _merged(self, paginator: Any, read: Read, parameters: dict[str, Any]) -> dict[str, Any]:
        pages = paginator.paginate(
            **parameters, PaginationConfig={"PageSize": read.page_size, "MaxItems": read.most}
        )
        key = str(read.result_key)
        whole: dict[str, Any] = {}
        seen = set()
        for answer in pages:
            page = dict(answer)  # botocore looks for the next token in its own
            page.pop("ResponseMetadata", None)
            token = page.pop("NextToken", None) or page.pop("nextToken", None)
            # botocore notices a token that comes twice in a row, not one that comes again later.
            if token in seen:
                raise _EndlessPagesError(f"{read.id} gave the same next token again")
            if token is not None:
                seen.add(token)
                if self._stop.is_set():
                    raise _Stopped
            records = page.pop(key, None)
            if records is None and (whole or token):
                # Something else told as a page would otherwise read as the end, or as nothing.
                raise _LostPageError(f"{read.id} gave a page without {key}")
            if records is not None and key in whole:
                whole[key].extend(records)
            elif records is not None:
                whole[key] = records
            whole |= {name: value for name, value in page.items() if name not in whole}
        if read.most and pages.resume_token:
            whole["NextToken"] = pages.resume_token  # as the AWS CLI says that there are more
        return whole

    # -- an earlier collection into the same folder -------------------------------------------

    def _kept(self, region: str, read: Read, resource: str | None) -> tuple[Call, Any] | None:
        """Return an earlier answer that is still good, with its document where others need it."""
        if self._earlier is None or read.since_parameter:
            return None
        call = self._earlier.call(self._access.account, read.folder(region), read.id, resource)
        if call is None or call.status != "ok" or not self._could_see(read):
            return None
        if call.file is None:
            return call, None
        try:
            document = self._earlier.document(call)
            sha256 = hashlib.sha256((self._folder / call.file).read_bytes()).hexdigest()
        except (SnapshotError, OSError):
            return None
        if call.sha256 not in {None, sha256}:
            return None
        call = replace(call, sha256=sha256, items=items_of(read, document))
        return call, document if _is_parent(read) else None

    def _could_see(self, read: Read) -> bool:
        """Whether the SDK of the earlier collection knew all that the kit reads from the answer."""
        if read.since_botocore is None or self._earlier is None:
            return True
        version = self._earlier.manifest.botocore_version
        return version is not None and version_numbers(version) >= version_numbers(
            read.since_botocore
        )

    def _manifest(self, started: datetime) -> Manifest:
        before = self._earlier.manifest if self._earlier else Manifest()
        places = {(self._access.account, region) for region in self._regions}
        calls = dict(self._calls)
        for call in before.calls:
            if call.key not in calls and self._still_stands(call):
                calls[call.key] = call
                if call.status == "ok":
                    self._reused.add(call.key)
        return Manifest(
            kit_version=__version__,
            botocore_version=botocore.__version__,
            caller_arn=self._access.arn,
            started=before.started or started,
            finished=self._clock(),
            places=tuple(sorted(places | set(before.places))),
            trail_days=self._trail,
            calls=tuple(sorted(calls.values(), key=lambda call: call.order)),
        )

    def _still_stands(self, call: Call) -> bool:
        """Whether an earlier call that was not looked at now is to be kept."""
        read = call.read
        if read is None:
            return call.region not in self._regions
        # A resource that its parents, now read, no longer name is gone.
        regions = {call.region}
        if read.region is not None and self._earlier:
            regions = {region for _, region in self._earlier.places}
        if not regions <= set(self._regions):
            return True
        parents = (
            self._calls.get((call.account, region, parent, None))
            for parent in read.parents
            for region in regions
        )
        return any(parent is None or parent.status != "ok" for parent in parents)

    def _sweep(self, manifest: Manifest) -> None:
        """Delete answers of an earlier collection that the new manifest no longer lists."""
        if self._earlier is None:
            return
        kept = {call.file for call in manifest.calls}
        for call in self._earlier.calls:
            if call.file and call.file not in kept:
                (self._folder / call.file).unlink(missing_ok=True)


class _Unsupported(Exception):  # noqa: N818 # an outcome
    """The installed SDK does not know the operation."""


class _EndlessPagesError(Exception):
    """The pages of an answer have no end."""


class _LostPageError(Exception):
    """A page of an answer holds something else than records."""


def _is_parent(read: Read) -> bool:
    return any(read.id in child.parents for child in READS)


def _too_old(read: Read) -> str:
    since = f" (since {read.since_botocore})" if read.since_botocore else ""
    return (
        f"botocore {botocore.__version__} does not know {read.service} {read.operation}{since}: "
        "update boto3"
    )


def _refused(call: Call, read: Read, error: ClientError) -> Call:
    said = error.response.get("Error", {})
    code = str(said.get("Code") or "Unknown")
    if read.says_there_is_none(code):
        return replace(call, items=0, error_code=code)
    return replace(
        call,
        status=status_of(code),
        error_code=code,
        error_message=message_of(str(said.get("Message") or error)),
    )


def summary_of(manifest: Manifest) -> Iterator[str]:
    """Yield what came of the calls, a line each: how many, and what was refused and why.

    Calls that Ctrl-C left out are counted apart: nothing is wrong with them.
    """
    left_out = [call for call in manifest.calls if call.error_code == NOT_COLLECTED]
    made = [call for call in manifest.calls if call.error_code != NOT_COLLECTED]
    counts = Counter(call.status for call in made)
    told = [
        tr("{number} {status}", number=counts[s], status=value(s))
        for s in ("ok", "denied", "failed", "unsupported")
    ]
    if left_out:
        told.append(tr("{number} not collected", number=len(left_out)))
    yield tr(
        "{number} calls in {regions}: {told}",
        number=len(manifest.calls),
        regions=count(len(manifest.places), "region"),
        told=tr_as("list", ", ").join(told),
    )
    refused: dict[tuple[str, str, str], list[Call]] = {}
    for call in made:
        if call.status != "ok":
            key = call.status, f"{call.service} {call.operation}", call.error_code or ""
            refused.setdefault(key, []).append(call)
    for (status, command, code), calls in sorted(refused.items()):
        where = listed(sorted({call.region for call in calls}), most=4)
        about = {"status": value(status), "command": command, "where": where, "code": code}
        line = (
            tr(
                "{status}: {command} in {where} ({number} calls): {code}",
                **about,
                number=len(calls),
            )
            if len(calls) > 1
            else tr("{status}: {command} in {where}: {code}", **about)
        )
        if status == "denied" and (read := calls[0].read):
            line = tr("{line}; allow {read.iam_action}", line=line, read=read)
        yield line
    if left_out:
        yield tr(
            "not collected: {calls}; --resume reads what is missing",
            calls=count(len(left_out), "call"),
        )
