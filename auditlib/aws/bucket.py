"""Files in S3 under one prefix: fetched, sent, deleted; and a lock that holds between machines.

It is asked with the credentials of whoever runs the kit, never with a role of an audited account,
and through boto3 alone. How objects are encrypted is left to the bucket.
"""

import json
import mimetypes
import os
import shlex
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from auditlib.aws.outcomes import status_of
from auditlib.aws.sessions import client_config, reason
from auditlib.errors import AwsError, ParameterError
from auditlib.language import tr
from auditlib.prefix import Prefix
from auditlib.snapshot import write_file

__all__ = ["ACTIONS", "LOCK", "Bucket", "lock"]

ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket")
"""What is needed; the last one on the bucket, the others on the objects below the prefix.

Without ``s3:ListBucket`` S3 says of an object that is not there that it may not be read
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)."""

LOCK = ".lock"
"""Name of the object that a run holds."""

EXPIRES = timedelta(minutes=10)
"""How long a lock counts after it was renewed for the last time."""

RENEWED_EVERY = timedelta(minutes=1)

_AT_ONCE = 8
_ATTEMPTS = 3
_NOT_THERE = {"NoSuchKey", "404"}
# Another request was faster, or the object is not what it was taken for.
_CONDITION = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409", *_NOT_THERE}


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The objects below a prefix, by their names there.

    Every method raises ``AwsError``, one line, when S3 does not do what it is asked.

    Attributes
    ----------
    place
        The prefix: nothing beside it is read or written.
    endpoint_url
        Address to call instead of AWS.
    """

    place: Prefix
    endpoint_url: str | None = None

    # -- listed and read ----------------------------------------------------------------------

    def names(self, below: str) -> list[str]:
        """Return the names of the objects in a folder and the folders in it."""
        return [
            name
            for page in self._pages(below)
            for entry in page.get("Contents", ())
            # Consoles make an object for a folder.
            if not (name := self._name(entry["Key"])).endswith("/")
        ]

    def folders(self, within: str) -> list[str]:
        """Return the names of the folders in a folder, each by its last part."""
        return [
            entry["Prefix"].rstrip("/").rpartition("/")[2]
            for page in self._pages(within, Delimiter="/")
            for entry in page.get("CommonPrefixes", ())
        ]

    def read(self, name: str) -> bytes | None:
        """Return what an object holds; ``None`` where there is no such object."""
        answer = self._answer(name)
        return None if answer is None else answer["Body"]

    def fetch(self, names: Iterable[str], folder: Path) -> None:
        """Write objects into a folder under their names."""

        def fetched(name: str) -> None:
            data = self.read(name)
            if data is None:
                raise AwsError(
                    tr(
                        "{place}/{name} is not there any more: run again",
                        place=self.place,
                        name=name,
                    )
                )
            write_file(folder / name, data)

        wanted = list(names)
        for name in wanted:
            # Whoever writes to the bucket writes nowhere else on this machine.
            drive = os.name == "nt" and ":" in name
            if {"", ".", ".."} & set(name.split("/")) or "\\" in name or drive:
                raise AwsError(
                    tr("{place}/{name} is no file of a run: delete it", place=self.place, name=name)
                )
        self._all(fetched, wanted)

    # -- written ------------------------------------------------------------------------------

    def write(self, name: str, data: bytes) -> None:
        """Put an object there; it appears whole or not at all."""
        self._put(name, data)

    def send(self, folder: Path, names: Iterable[str]) -> None:
        """Put files of a folder there under their names."""
        self._all(lambda name: self.write(name, (folder / name).read_bytes()), names)

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects."""
        self._all(lambda name: self._call("delete_object", name), names)

    # -- requests -----------------------------------------------------------------------------

    def _name(self, key: str) -> str:
        return key.removeprefix(self.place.key(""))

    def _all(self, task: Callable[[str], object], names: Iterable[str]) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="bucket") as pool:
            tasks = [pool.submit(task, name) for name in names]
            try:
                for one in tasks:
                    one.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _pages(self, folder: str, **more: str) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", f"{folder}/", named="Prefix", **more, **token)
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _answer(self, name: str) -> dict[str, Any] | None:
        """Return the answer with the object's content in it; ``None`` where there is no object."""
        for attempt in range(_ATTEMPTS):
            try:
                answer = self._asked("get_object", name)
                # botocore tries a request again, and not the reading of its answer.
                return {**answer, "Body": answer["Body"].read()}
            except ClientError as error:
                if _code(error) in _NOT_THERE:
                    return None
                raise AwsError(self._why(error, "get_object", name)) from error
            except (BotoCoreError, ResponseParserError, ValueError) as error:
                if attempt == _ATTEMPTS - 1:
                    raise AwsError(self._why(error, "get_object", name)) from error
        return None

    def _put(self, name: str, data: bytes, **more: str) -> str | None:
        """Put an object there; return its ETag, ``None`` where a condition was not met."""
        kind, _ = mimetypes.guess_type(name)
        if kind in {"text/html", "text/css", "text/csv", "text/plain"}:
            kind = f"{kind}; charset=utf-8"
        if kind:
            more["ContentType"] = kind
        try:
            answer = self._asked("put_object", name, Body=data, **more)
        except ClientError as error:
            if _code(error) in _CONDITION and more.keys() & {"IfMatch", "IfNoneMatch"}:
                return None
            raise AwsError(self._why(error, "put_object", name)) from error
        except (BotoCoreError, ResponseParserError, ValueError) as error:
            raise AwsError(self._why(error, "put_object", name)) from error
        return str(answer["ETag"])

    def _call(self, operation: str, name: str, **more: Any) -> dict[str, Any]:
        try:
            return self._asked(operation, name, **more)
        except (BotoCoreError, ClientError, ResponseParserError, ValueError) as error:
            raise AwsError(self._why(error, operation, name)) from error

    def _asked(
        self, operation: str, name: str, *, named: str = "Key", **more: Any
    ) -> dict[str, Any]:
        ask = getattr(_client(self.endpoint_url), operation)
        answer: dict[str, Any] = ask(
            Bucket=self.place.bucket, **{named: self.place.key(name)}, **more
        )
        return answer

    def _why(self, error: Exception, operation: str, name: str) -> str:
        what = f"s3 {operation.replace('_', '-')} {self.place}/{name}"
        code = _code(error)
        if code == "NoSuchBucket":
            return tr(
                "there is no bucket {bucket}: make it, or correct the place that names it",
                bucket=self.place.bucket,
            )
        if status_of(code) == "denied":
            return tr(
                "{told}; who runs this needs {actions} there",
                told=reason(error, what),
                actions=", ".join(ACTIONS),
            )
        return reason(error, what)


def _code(error: Exception) -> str:
    return (
        str(error.response.get("Error", {}).get("Code", ""))
        if isinstance(error, ClientError)
        else ""
    )


@cache
def _client(endpoint_url: str | None) -> Any:
    # A session of its own: making clients of one session in several threads is not safe.
    session = boto3.session.Session()
    return session.client(
        "s3", endpoint_url=endpoint_url, config=client_config(session, _AT_ONCE * 4)
    )


# -- one run at a time ----------------------------------------------------------------------------


@contextmanager
def lock(bucket: Bucket) -> Iterator[Callable[[], None]]:
    """Let one run at a time into a prefix; give what raises once the lock was lost.

    The lock is an object that S3 makes only where none is
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). It is renewed
    as long as the run lives. One that was not renewed for ``EXPIRES``, by S3's own clock, is of a
    run that was killed: it is replaced, on the condition that it still is the one that was read.

    Raises
    ------
    ParameterError
        When another run holds it.
    AwsError
        When S3 refuses; from what is given, when another run holds the lock now.
    """
    held = _Lock(bucket)
    held.take()
    ended = threading.Event()
    renewing = threading.Thread(target=held.renew_until, args=(ended,), daemon=True)
    renewing.start()
    try:
        yield held.check
    finally:
        ended.set()
        renewing.join()
        held.release()


class _Lock:
    """A lock that this process holds, or is about to."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._about = {
            "run": uuid.uuid4().hex,
            "machine": socket.gethostname(),
            "process": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._times = 0
        self._etag = ""
        self._renewed = time.monotonic()
        self._is_lost = False

    def take(self) -> None:
        """Take the lock."""
        for _ in range(_ATTEMPTS):
            if self._put(IfNoneMatch="*"):
                return
            found = self._bucket._answer(LOCK)
            if found is None:  # let go of just now
                continue
            age = _age(found)
            if age < EXPIRES:
                raise ParameterError(self._refusal(found["Body"], EXPIRES - age))
            if self._put(IfMatch=found["ETag"]):
                return
        raise ParameterError(self._refusal(b"", EXPIRES))

    def renew_until(self, ended: threading.Event) -> None:
        """Renew the lock again and again, until the run has ended or the lock is lost."""
        while not (ended.wait(RENEWED_EVERY.total_seconds()) or self._is_lost):
            self.renew()

    def renew(self) -> None:
        """Say that the run still lives."""
        try:
            self._is_lost = not self._put(IfMatch=self._etag)
        except AwsError:  # a network that comes back in time is no reason to end a run
            self._is_lost = time.monotonic() - self._renewed > EXPIRES.total_seconds()

    def check(self) -> None:
        """Raise when the lock is not this run's any more."""
        if self._is_lost:
            raise AwsError(
                tr(
                    "this run has lost its lock {lock}: it stood still for too long, or somebody "
                    "deleted the lock; run again when no other run works there",
                    lock=f"{self._bucket.place}/{LOCK}",
                )
            )

    def release(self) -> None:
        """Let go of the lock, if it is this run's; where S3 does not answer, it expires."""
        try:
            if not self._is_lost and self._put(IfMatch=self._etag):
                self._bucket.delete([LOCK])
        except AwsError:
            return

    def _put(self, **condition: str) -> bool:
        """Write the lock under a condition; tell whether it is this run's now."""
        self._times += 1  # each is another object: who has read one before cannot replace it
        data = (json.dumps({**self._about, "renewed": self._times}) + "\n").encode()
        etag = self._bucket._put(LOCK, data, **condition)
        if etag is None:
            # botocore may have asked twice because the first answer was lost; or another run, which
            # was refused, was in the way.
            found = self._bucket._answer(LOCK)
            is_own = found is not None and _about(found["Body"]).get("run") == self._about["run"]
            etag = found["ETag"] if found is not None and is_own else None
        if etag is None:
            return False
        self._etag, self._renewed = etag, time.monotonic()
        return True

    def _refusal(self, data: bytes, left: timedelta) -> str:
        about = _about(data)
        place = self._bucket.place
        return tr(
            "another run works on {place} ({machine}, since {since}): wait for it, or give another "
            "output; if it was killed, its lock ends in {minutes} minutes by itself, or now by "
            "aws s3 rm {lock}",
            place=place,
            machine=about.get("machine", "?"),
            since=about.get("since", "?"),
            minutes=max(1, round(left.total_seconds() / 60)),
            lock=shlex.quote(f"{place}/{LOCK}"),
        )


def _about(data: bytes) -> dict[str, Any]:
    """Return what a lock says; nothing where it is none of ours."""
    try:
        return dict(json.loads(data))
    except (ValueError, TypeError):
        return {}


def _age(found: dict[str, Any]) -> timedelta:
    """Return how long ago an object was written, by the clock of S3 alone."""
    try:
        said = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
        age: timedelta = said - found["LastModified"]
    except (KeyError, TypeError, ValueError):
        return timedelta(0)  # it does not tell: then nobody's lock has expired
    return age
