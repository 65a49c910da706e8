"""A visit whose output or history is a place in S3: fetched, worked on in a folder, sent back.

Each half of a visit begins in an empty temporary folder of the machine it runs on, laid out as a
local output is. What it needs is fetched, what it made is sent, and the folder is gone: no disk
grows with the number of accounts, and both halves may run on different machines. What says that
the rest is there (a snapshot's manifest, ``run.json``, ``latest``) is taken away first and sent
last: of one that was killed between, nothing counts, and it is done again.

What lies in folders passes through here as it is. Other commands that are given a place in S3 read
what lies there in such a folder, too.
"""

import errno
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditlib import visit as visits
from auditlib.errors import AuditError, ParameterError
from auditlib.language import tr
from auditlib.prefix import Prefix
from auditlib.snapshot import MANIFEST, write_file
from auditlib.visit import DONE, FINDINGS, LATEST, Interrupted, Visit, pointer

if TYPE_CHECKING:
    from auditlib.aws.bucket import Bucket

__all__ = ["fetched", "kept", "over_all", "read", "reported"]

_NO_ROOM = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM}


def kept(visit: Visit) -> dict[str, Any] | None:
    """Return the summary of a visit that was completed before; see :func:`auditlib.visit.kept`."""
    output = _bucket(visit.output, visit.endpoint_url)
    if output is None:
        return visits.kept(visit)
    done = output.read(f"{_day(visit)}/{DONE}")
    if done is None:
        return None
    with _folders(visit) as (here, _, _):
        write_file(here.folder / DONE, done)
        summary = visits.kept(here)
    if summary is None:
        output.delete([f"{_day(visit)}/{DONE}"])
    else:
        output.write(f"{visit.account.account}/{LATEST}", pointer(visit.date))
    return summary


def read(visit: Visit) -> None:
    """Read the account, unless that was done before; see :func:`auditlib.visit.read`."""
    output = _bucket(visit.output, visit.endpoint_url)
    if output is None:
        visits.read(visit)
        return
    snapshot = f"{_day(visit)}/snapshot"
    there = output.names(snapshot)
    with _folders(visit) as (here, folder, _):
        manifest = f"{snapshot}/{MANIFEST}"
        if manifest in there:
            output.fetch(there, folder)
        before = _times(folder, snapshot)

        def sent() -> None:
            if _times(folder, snapshot) != before:
                made = _names(folder, snapshot)
                _send(output, folder, made=made, there=there, last=manifest)

        try:
            visits.read(here)
        except Interrupted:  # what was read by then is kept
            sent()
            raise
        sent()


def reported(visit: Visit) -> dict[str, Any]:
    """Judge what was read and leave all that is to be left; see :func:`auditlib.visit.reported`."""
    output, history = (
        _bucket(place, visit.endpoint_url) for place in (visit.output, visit.history)
    )
    if output is None and history is None:
        return visits.reported(visit)
    account, day = visit.account.account, _day(visit)
    with _folders(visit) as (here, folder, past):
        there: set[str] = set()
        read: set[str] = set()
        if output is not None:
            there = set(output.names(day))
            read = {name for name in there if name.startswith(f"{day}/snapshot/")}
            former = there & {f"{day}/{FINDINGS}"}
            output.fetch([*sorted(read | former), *_last(output, account, visit.date)], folder)
        known: list[str] = []
        if history is not None:
            known = [name for name in history.names(account) if name.endswith(".parquet")]
            history.fetch(known, past)

        def before_done() -> None:
            if history is not None:
                made = _names(past, account)
                history.send(past, sorted(made - set(known)))
                history.delete(sorted(set(known) - made))

        summary = visits.reported(here, before_done)
        if output is not None:
            made = _names(folder, day) - read
            _send(output, folder, made=made, there=there - read, last=f"{day}/{DONE}")
            output.write(f"{account}/{LATEST}", pointer(visit.date))
        return summary


@contextmanager
def fetched(place: Prefix, endpoint_url: str | None = None) -> Iterator[Path]:
    """Give a folder, or a .zip, with what lies at a place in S3: a snapshot, a history.

    Raises
    ------
    AuditError
        When S3 does not give it, or there is no room for it here.
    ParameterError
        When nothing lies there.
    """
    from auditlib.aws.bucket import Bucket

    above, _, name = place.path.rpartition("/")
    bucket = Bucket(place=replace(place, path=above), endpoint_url=endpoint_url)
    with _temporary() as folder:
        with _room():
            names = bucket.names(name) if name else []
            whole = bucket.read(name) if name and not names else None
            if whole is not None:
                write_file(folder / name, whole)
            elif names:
                bucket.fetch(names, folder)
            else:
                raise ParameterError(
                    tr(
                        "nothing lies at {place}: give the place of a snapshot or history",
                        place=place,
                    )
                )
        yield folder / name


@contextmanager
def over_all(
    output: Path | Prefix,
    date: str,
    summaries: Iterable[Mapping[str, Any]],
    endpoint_url: str | None,
) -> Iterator[Path]:
    """Give the folder of an output with what the page over all accounts needs; send that page."""
    bucket = _bucket(output, endpoint_url)
    if bucket is None:
        assert isinstance(output, Path)  # noqa: S101 # no bucket, so a folder
        yield output
        return
    day = f"overview/{date}"
    with _temporary() as folder:
        done = [entry for entry in summaries if entry["status"] == "done"]
        with _said_of({folder: output}):
            bucket.fetch(
                [f"{entry['account']}/{entry['date']}/{FINDINGS}" for entry in done], folder
            )
            yield folder
        _send(bucket, folder, made=_names(folder, day), there=bucket.names(day))
        bucket.write(f"overview/{LATEST}", pointer(date))


# -- parts ----------------------------------------------------------------------------------------


def _bucket(place: Path | Prefix | None, endpoint_url: str | None) -> "Bucket | None":
    if not isinstance(place, Prefix):
        return None
    from auditlib.aws.bucket import Bucket

    return Bucket(place=place, endpoint_url=endpoint_url)


def _day(visit: Visit) -> str:
    return f"{visit.account.account}/{visit.date}"


@contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="auditlib-run-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def _folders(visit: Visit) -> Iterator[tuple[Visit, Path, Path]]:
    """Give the visit with folders in place of what is in S3, and those of output and history.

    What an error says of these folders it says of the places they stand for.
    """
    with _temporary() as aside:
        output = visit.output if isinstance(visit.output, Path) else aside / "output"
        past = visit.history if isinstance(visit.history, Path) else aside / "history"
        history = None if visit.history is None else past
        with _said_of({output: visit.output, past: visit.history}):
            yield replace(visit, output=output, history=history), output, past


@contextmanager
def _said_of(places: Mapping[Path, object]) -> Iterator[None]:
    """Say of places what an error says of the folders that stand for them."""
    try:
        with _room():
            yield
    except AuditError as error:
        told = str(error)
        for folder, place in places.items():
            told = told.replace(str(folder), str(place))
        raise type(error)(told) from error


@contextmanager
def _room() -> Iterator[None]:
    """Say so where the temporary folder takes nothing more."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise AuditError(
            tr(
                "the temporary folder cannot be written ({why}): make room, or name another "
                "one in TMPDIR",
                why=error.strerror,
            )
        ) from error


def _last(output: "Bucket", account: str, date: str) -> list[str]:
    """Return what is needed of the last complete run before a date."""
    for earlier in sorted(output.folders(account), reverse=True):
        day = f"{account}/{earlier}"
        if earlier < date and output.read(f"{day}/{DONE}") is not None:
            return [f"{day}/{DONE}", *output.names(f"{day}/snapshot")]
    return []


def _names(folder: Path, below: str) -> set[str]:
    """Return the names of the files of a folder below one of it, as a bucket has them."""
    files = (path for path in (folder / below).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in files}


def _times(folder: Path, below: str) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in _names(folder, below)}


def _send(
    bucket: "Bucket", folder: Path, *, made: set[str], there: Iterable[str], last: str = ""
) -> None:
    """Put what was made in place of what is there; what says that it is whole goes and comes last."""
    end = made & {last}
    bucket.delete(sorted({last} & set(there)))
    bucket.send(folder, sorted(made - end))
    bucket.delete(sorted(set(there) - made - {last}))
    bucket.send(folder, sorted(end))
