"""Records: what AWS answered to one read, in all places, taken apart column by column.

AWS's answers are trusted as far as their types go and no further: a member of the wrong type, a
record that is no object or lacks its id means that the file is not what the AWS CLI prints, and is
refused by name. Members AWS left out, and null, are missing values. Nothing is dropped.
"""

import re
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

import numpy as np

from auditlib.errors import SnapshotError
from auditlib.language import tr

__all__ = ["Answer", "Records", "address_family", "cidr_family", "first", "is_at_least"]

_INT64 = range(-(2**63), 2**63)
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One file of a snapshot: where its answer comes from, its records, what read it and when."""

    account: str
    region: str
    resource: str | None
    file: str
    records: list[Any] = field(repr=False)
    botocore_version: str | None = None
    read_at: datetime | None = None


class Records:
    """Records of one read, with the file and position each stands at.

    Each method returns one value per record, ready to become a column; ``None`` is missing.
    """

    def __init__(
        self,
        answers: Sequence[Answer],
        rows: list[Mapping[str, Any]],
        answer_of: Any,
        position: Any,
        *,
        path: str = "",
        parent: Sequence[int] = (),
    ) -> None:
        self.answers = answers
        self.rows = rows
        self.answer_of = answer_of
        self.position = position
        self._path = path
        self._parent = parent

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> "Records":
        """Return the records of all answers, in order."""
        sizes = [len(answer.records) for answer in answers]
        rows: list[Any] = [record for answer in answers for record in answer.records]
        position = np.concatenate([np.arange(size) for size in sizes] or [np.arange(0)])
        made = cls(answers, rows, np.repeat(np.arange(len(answers)), sizes), position)
        made._only({dict}, rows, None, tr("an object"))
        return made

    @classmethod
    def joined(cls, parts: Sequence["Records"]) -> "Records":
        """Return the records of several parts of the same answers, one part after the other."""
        return cls(
            parts[0].answers,
            [row for part in parts for row in part.rows],
            np.concatenate([part.answer_of for part in parts]),
            np.concatenate([part.position for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.rows)

    # -- parts --------------------------------------------------------------------------------

    def part(self, key: str) -> "Records":
        """Return the object each record holds under a key; an empty one where there is none."""
        nothing: dict[str, Any] = {}
        rows = [row.get(key) or nothing for row in self.rows]
        self._only({dict}, rows, key, tr("an object"))
        return Records(
            self.answers, rows, self.answer_of, self.position, path=f"{self._path}{key}."
        )

    def each(self, key: str) -> "Records":
        """Return the objects of the lists the records hold under a key, one by one."""
        lists = self._lists(key)
        sizes = [len(items) for items in lists]
        parent = np.repeat(np.arange(len(lists)), sizes)
        found = Records(
            self.answers,
            [item for items in lists for item in items],
            self.answer_of[parent],
            self.position[parent],
            path=f"{self._path}{key}[].",
            parent=parent.tolist(),
        )
        found._only({dict}, found.rows, None, tr("an object"))
        return found

    def where(self, keep: Sequence[Any]) -> "Records":
        """Return the records for which ``keep`` is true."""
        chosen = np.flatnonzero(np.fromiter(map(bool, keep), dtype=bool, count=len(self)))
        return Records(
            self.answers,
            [self.rows[i] for i in chosen.tolist()],
            self.answer_of[chosen],
            self.position[chosen],
            path=self._path,
            parent=[self._parent[i] for i in chosen.tolist()] if len(self._parent) else (),
        )

    def spread(self, values: Sequence[Any]) -> list[Any]:
        """Repeat a value of each record ``each`` started from, once per object found in it."""
        return [values[i] for i in self._parent]

    def resources(self) -> list[str | None]:
        """Return the resource each record was asked for by."""
        known = [answer.resource for answer in self.answers]
        return [known[i] for i in self.answer_of]

    def read_by(self, botocore: str) -> list[bool]:
        """Return whether each record was read by this botocore release or a later one, for sure."""
        new = [is_at_least(answer.botocore_version, botocore) is True for answer in self.answers]
        return [new[i] for i in self.answer_of]

    def read_at(self) -> list[datetime | None]:
        """Return when each record was read, where that is known."""
        times = [answer.read_at for answer in self.answers]
        return [times[i] for i in self.answer_of]

    # -- values -------------------------------------------------------------------------------

    def text(self, key: str) -> list[str | None]:
        """Return text; empty text is missing, as AWS uses both alike."""
        values = [row.get(key) or None for row in self.rows]
        types = set(map(type, values))
        if not types <= {str, type(None)}:
            values = [str(v) if type(v) is int else v for v in values]
            self._only({str, type(None)}, values, key, "text")
        return _sound(values) if str in types or int in types else values

    def id(self, key: str) -> list[str]:
        """Return text that no record may lack."""
        values = self.text(key)
        if None in values:
            self.refuse(values.index(None), tr("has no {path}{key}", path=self._path, key=key))
        return values  # type: ignore[return-value] # none is missing

    def resource_id(self, key: str) -> list[str]:
        """Return the resource of each record's file, after making sure the record agrees."""
        asked, values = self.resources(), self.text(key)
        for i, (resource, value) in enumerate(zip(asked, values, strict=True)):
            if value is not None and value != resource:
                self.refuse(
                    i,
                    tr(
                        "belongs to {value}, in the file of {resource}",
                        value=value,
                        resource=resource,
                    ),
                )
        return asked  # type: ignore[return-value] # reads per resource always have one

    def whole(self, key: str, *, lenient: bool = False) -> list[int | None]:
        """Return whole numbers, also those given as text; ``lenient``: missing where it is none."""
        values = [row.get(key) for row in self.rows]
        if set(map(type, values)) <= {int, type(None)}:
            wrong = [i for i, v in enumerate(values) if v is not None and v not in _INT64]
        else:
            values = [_whole(v) for v in values]
            wrong = [i for i, v in enumerate(values) if v is not None and not isinstance(v, int)]
        for i in wrong:
            if not lenient:
                self._refuse_value(i, key, tr("a whole number"))
            values[i] = None
        return values

    def flag(self, key: str) -> list[bool | None]:
        """Return yes, no or missing."""
        values = [row.get(key) for row in self.rows]
        if not set(map(type, values)) <= {bool, type(None)}:
            values = [_BOOLEANS.get(v.lower(), v) if isinstance(v, str) else v for v in values]
            self._only({bool, type(None)}, values, key, tr("true or false"))
        return values

    def truth(self, key: str) -> list[bool]:
        """Return yes or no, which no record may lack."""
        values = self.flag(key)
        if None in values:
            self.refuse(
                values.index(None), tr("does not say {path}{key}", path=self._path, key=key)
            )
        return values  # type: ignore[return-value] # none is missing

    def time(self, key: str, *, per_second: int = 1) -> list[datetime | None]:
        """Return UTC times from ISO text or a number since 1970; missing where it is neither."""
        values = [row.get(key) for row in self.rows]
        return [_time(v / per_second if isinstance(v, (int, float)) else v) for v in values]

    def cidr(self, key: str) -> list[str | None]:
        """Return IPv4 or IPv6 ranges as AWS wrote them."""
        return self._checked(self.text(key), cidr_family, key, tr("an address range"))

    def address(self, key: str) -> list[str | None]:
        """Return IPv4 or IPv6 addresses as AWS wrote them."""
        return self._checked(self.text(key), address_family, key, tr("an address"))

    def texts(self, key: str) -> list[tuple[str, ...]]:
        """Return tuples of text; an empty one where there is none."""
        lists = self._lists(key)
        for i, items in enumerate(lists):
            if items and not all(isinstance(item, str) for item in items):
                self._refuse_value(i, key, tr("a list of text"))
        return [tuple(_sound(items)) for items in lists]

    def gather(self, key: str, values: Callable[["Records"], Sequence[str | None]]) -> list[Any]:
        """Return, per record, the tuple of what ``values`` finds in its list under a key."""
        found = self.each(key)
        gathered: list[list[str]] = [[] for _ in self.rows]
        for parent, value in zip(found._parent, values(found), strict=True):
            if value is not None:
                gathered[parent].append(value)
        return [tuple(items) for items in gathered]

    def many(self, key: str, members: Sequence[str]) -> list[int]:
        """Return, per record, how many items the objects under a key hold in these lists of theirs."""
        found = self.each(key)
        sizes = [0] * len(self)
        for member in members:
            for parent, items in zip(found._parent, found._lists(member), strict=True):
                sizes[parent] += len(items)
        return sizes

    def tags(self, key: str = "Tags") -> list[tuple[tuple[str, str], ...]]:
        """Return the tags as (key, value) pairs."""
        if not any(row.get(key) for row in self.rows):
            return [()] * len(self)
        found = self.each(key)
        gathered: list[list[tuple[str, str]]] = [[] for _ in self.rows]
        for parent, name, value in zip(
            found._parent, found.text("Key"), found.text("Value"), strict=True
        ):
            gathered[parent].append((name or "", value or ""))
        return [tuple(pairs) for pairs in gathered]

    # -- refusals -----------------------------------------------------------------------------

    def refuse(self, i: int, why: str) -> NoReturn:
        """Raise the error that names the file and position of a record."""
        file = self.answers[self.answer_of[i]].file
        raise SnapshotError(
            tr(
                "{file}: record {position} {why}: not what the AWS CLI prints. Collect it again.",
                file=file,
                position=self.position[i],
                why=why,
            )
        )

    def _refuse_value(self, i: int, key: str, wanted: str) -> NoReturn:
        shown = repr(self.rows[i].get(key))
        shown = shown if len(shown) <= 60 else shown[:57] + "…"
        self.refuse(
            i,
            tr(
                "has {shown} as {path}{key}, which should be {wanted}",
                shown=shown,
                path=self._path,
                key=key,
                wanted=wanted,
            ),
        )

    def _only(self, types: set[type], values: Sequence[Any], key: str | None, wanted: str) -> None:
        if set(map(type, values)) <= types:
            return
        i = next(i for i, value in enumerate(values) if type(value) not in types)
        if key is None:
            self.refuse(
                i,
                tr(
                    "holds a {what} that is not {wanted}",
                    what=self._path.rstrip(".") or tr("record"),
                    wanted=wanted,
                ),
            )
        self._refuse_value(i, key, wanted)

    def _lists(self, key: str) -> list[list[Any]]:
        values = [row.get(key) for row in self.rows]
        if not set(map(type, values)) <= {list}:
            self._only({list, type(None)}, values, key, "a list")
            values = [v or [] for v in values]
        return values  # type: ignore[return-value] # all are lists now

    def _checked(
        self,
        values: list[str | None],
        family: Callable[[str], int | None],
        key: str,
        wanted: str,
    ) -> list[str | None]:
        bad = {v for v in set(values) if v is not None and family(v) is None}
        if bad:
            self._refuse_value(next(i for i, v in enumerate(values) if v in bad), key, wanted)
        return values


def cidr_family(text: str) -> int | None:
    """Return 4 or 6 for an address range without host bits, ``None`` for anything else.

    >>> cidr_family("10.0.0.0/8"), cidr_family("::/0"), cidr_family("10.0.0.1/8")
    (4, 6, None)
    """
    address, slash, length = text.partition("/")
    packed = _packed(address)
    if packed is None or not slash or not _PREFIX_LENGTH.fullmatch(length):
        return None
    host_bits = len(packed) * 8 - int(length)
    if host_bits < 0 or int.from_bytes(packed) & ((1 << host_bits) - 1):
        return None
    return 4 if len(packed) == 4 else 6


def address_family(text: str) -> int | None:
    """Return 4 or 6 for an address, ``None`` for anything else.

    >>> address_family("10.0.0.1"), address_family("fd00::1"), address_family("here")
    (4, 6, None)
    """
    packed = _packed(text)
    return None if packed is None else 4 if len(packed) == 4 else 6


def is_at_least(version: str | None, wanted: str) -> bool | None:
    """Return whether a release is as new as another; ``None`` when that cannot be told.

    >>> is_at_least("1.44.5", "1.43.104"), is_at_least("1.9", "1.43.104"), is_at_least(None, "1")
    (True, False, None)
    """
    numbers = _RELEASE.match(version or "")
    if numbers is None:
        return None
    return [int(n) for n in numbers[0].split(".")] >= [int(n) for n in wanted.split(".")]


_RELEASE = re.compile(r"[0-9]+(\.[0-9]+)*")
_PREFIX_LENGTH = re.compile("[0-9]{1,3}")
_WHOLE = re.compile("[+-]?[0-9]{1,18}")


def _packed(address: str) -> bytes | None:
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except (OSError, ValueError):
        return None


def _whole(value: Any) -> Any:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer() and int(value) in _INT64:
        return int(value)
    if type(value) is int and value in _INT64:
        return value
    return value if value is None else repr(value)


def _time(value: Any) -> datetime | None:
    try:
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        read = datetime.fromisoformat(value)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _sound(values: list[Any]) -> list[Any]:
    """Replace what JSON can say and no file or page can hold: half a character."""
    # One look at all of it is several times faster than a look at each.
    if "".join(filter(None, values)).isascii():
        return values
    return [None if v is None else _LONE_SURROGATE.sub("\ufffd", v) for v in values]


def first(*columns: Iterable[Any]) -> list[Any]:
    """Return, row by row, the first value that is not missing."""
    return [
        next((value for value in row if value is not None), None)
        for row in zip(*columns, strict=True)
    ]
