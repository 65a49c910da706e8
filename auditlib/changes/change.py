"""Changes: one object is the advice, the AWS CLI and Terraform text, and what a preview tries.

A change never touches AWS. It says what is wrong with it (``problems``), what the tables look like
once it is made (``apply``), how to make it (``cli``, ``terraform``) and how to undo it
(``inverse``). What it creates has no id yet: a new group is called ``sg-new-…``, a new rule
``sgr-new-…`` (never an id of AWS's), and what only the client knows is a blank, ``<LIKE_THIS>``.

References: https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/cvpn-working-target-apply.html,
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, fields
from ipaddress import ip_network
from typing import Any, ClassVar

import pandas as pd

from auditlib import words
from auditlib.changes.edits import appended, groups_in, without
from auditlib.errors import ParameterError
from auditlib.language import current, tr
from auditlib.quotas import Quota, beyond
from auditlib.tables import Tables

__all__ = [
    "TEXT",
    "Change",
    "associations",
    "is_blank",
    "is_new",
    "limited",
    "whole",
    "with_rows",
    "with_texts",
    "without",
    "wrong_range",
]

TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
"""What AWS takes as a group's name or description."""

_NAME = re.compile(r"[A-Za-z0-9:][A-Za-z0-9._:/*-]*")
"""An id, a range, an account, a protocol: nothing that a shell, Terraform or the AWS CLI obeys."""

_BLANK = re.compile(r"<[A-Z][A-Z0-9_]*>")


def is_new(id: object) -> bool:
    """Tell whether an id stands for something that is not there yet.

    >>> is_new("sg-new-vpn-staff"), is_new("sg-0123456789abcdef0")
    (True, False)
    """
    return isinstance(id, str) and id.startswith(("sg-new-", "sgr-new-"))


def is_blank(text: object) -> bool:
    """Tell whether a text stands for something that only the client knows.

    >>> is_blank("<LOG_GROUP>"), is_blank("/vpn/staff")
    (True, False)
    """
    return isinstance(text, str) and _BLANK.fullmatch(text) is not None


@dataclass(frozen=True, kw_only=True)
class Change(ABC):
    """One change, as AWS knows it.

    Attributes
    ----------
    kind, iam_action, resets_sessions
        Its name in a plan file; the IAM action it needs; whether AWS ends sessions for it.
    doing
        What it does and to what, to count several: ``("add {count}", "security group rule")``;
        shown through ``tr``.
    phase
        Where it belongs in a plan that must not cut anybody off: 1 create, 2 allow, 3 switch,
        4 authorization (which resets sessions), 5 take away.
    free
        Its fields that hold somebody's text; the texts of the others are ids, ranges and words of AWS's.
    never_opens, never_closes
        Whether it can give nobody access, or take none away, whatever the tables say: security
        groups only add up.
    """

    account: str
    region: str

    kind: ClassVar[str] = ""
    doing: ClassVar[tuple[str, str]] = ("", "")
    iam_action: ClassVar[str] = ""
    resets_sessions: ClassVar[bool] = False
    phase: ClassVar[int] = 0
    free: ClassVar[frozenset[str]] = frozenset(
        {"description", "group_name", "log_group", "log_stream"}
    )
    never_opens: ClassVar[bool] = False
    never_closes: ClassVar[bool] = False

    @property
    def creates(self) -> str | None:
        """The placeholder of what it creates, where that has an id."""
        return None

    @property
    def uses(self) -> tuple[str, ...]:
        """The placeholders and blanks that must be known before it can be made."""
        texts = [
            text
            for field in fields(self)
            for value in [getattr(self, field.name)]
            for text in (value if isinstance(value, tuple) else (value,))
        ]
        return tuple(dict.fromkeys(t for t in texts if is_blank(t) or is_new(t)))

    @property
    def waits_for(self) -> str:
        """What must be so before AWS takes it, in a sentence, where tables that it is tried on may not show it."""
        return ""

    @abstractmethod
    def words(self) -> str:
        """Return the change as a sentence without its full stop."""

    def problems(self, tables: Tables) -> tuple[str, ...]:
        """Return why AWS would refuse it, as far as the tables tell; empty when it would not."""
        if not self._is_read(tables):
            return (
                tr(
                    "account {account} was not read in {region}",
                    account=self.account,
                    region=self.region,
                ),
            )
        strange = [text for text in self._names() if not _NAME.fullmatch(text)]
        if strange:
            return tuple(
                tr("{text} is no name AWS gives", text=words.clean(one)) for one in strange
            )
        return tuple(self._problems(tables))

    def _names(self) -> Iterable[str]:
        """Yield the texts of all fields that are not free."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in self.free:
                texts = value if isinstance(value, tuple) else (value,)
                yield from (text for text in texts if isinstance(text, str) and not is_blank(text))

    def _is_read(self, tables: Tables) -> bool:
        """Tell whether groups or endpoints were read where it is to be made."""
        if (self.account, self.region) in groups_in(tables).places:
            return True
        frame = tables["client_vpn_endpoints"]
        here = (frame["account"] == self.account) & (frame["region"] == self.region)
        return bool(here.any())

    @abstractmethod
    def _problems(self, tables: Tables) -> Iterable[str]:
        """Return why AWS would refuse it, its place apart."""

    def apply(self, tables: Tables) -> Tables:
        """Return the tables as they are once the change is made.

        Raises
        ------
        ParameterError
            When AWS would refuse it; says why.
        """
        if found := self.problems(tables):
            raise ParameterError(
                tr(
                    "Cannot {do}: {why}.",
                    do=words.clean(_lower(self.words()), 500),
                    why=words.listed(found),
                )
            )
        return self._applied(tables)

    @abstractmethod
    def _applied(self, tables: Tables) -> Tables:
        """Return the tables with the change made, unchecked."""

    @abstractmethod
    def inverse(self, tables: Tables) -> "Change":
        """Return the change that undoes it, given the tables before it."""

    def forgets(self, tables: Tables) -> tuple[str, ...]:
        """Return what its inverse does not bring back, given the tables before it; mostly nothing."""
        del tables
        return ()

    def cli(self) -> tuple[str, ...]:
        """Return the AWS CLI call as words, without ``aws``; placeholders are left in."""
        return (*self._cli(), "--region", self.region)

    @abstractmethod
    def _cli(self) -> tuple[str, ...]:
        """Return the call without the options every call has."""

    @abstractmethod
    def terraform(self) -> str:
        """Return the change as Terraform text, or a comment that says what to change where."""

    def to_dict(self) -> dict[str, Any]:
        """Return the change as an entry of a plan file."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"change": self.kind} | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in told.items()
            if value is not None
        }


# -- what the tables say --------------------------------------------------------------------------


def whole(value: Any) -> int | None:
    """Return a whole number of a table; ``None`` where there is none."""
    return None if value is None or pd.isna(value) else int(value)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if current() == "en" else text


def with_rows(tables: Tables, name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return a table with further rows."""
    return appended(tables[name], name, rows)


def with_texts(**texts: str | None) -> tuple[str, ...]:
    """Return options of the AWS CLI that hold somebody's text, by the API's names; empty ones are left out.

    The AWS CLI would send the file that ``file://…`` names in place of such a text, and take
    ``--…`` for an option; a shell cannot hand on a null. Those go in as JSON, whose texts are texts
    (https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-file.html).

    >>> with_texts(GroupName="vpn", Description="file:///etc/passwd")
    ('--group-name', 'vpn', '--cli-input-json', '{"Description": "file:///etc/passwd"}')
    """
    given = {name: text for name, text in texts.items() if text}
    apart = {name: text for name, text in given.items() if _TAKEN_OTHERWISE.search(text)}
    options = tuple(
        word
        for name, text in given.items()
        if name not in apart
        for word in (_CAPITAL.sub(r"-\g<0>", f"-{name}").lower(), text)
    )
    return (*options, "--cli-input-json", json.dumps(apart)) if apart else options


_TAKEN_OTHERWISE = re.compile(r"\A(-|(file|fileb|https?)://)|\0", re.IGNORECASE)
_CAPITAL = re.compile(r"[A-Z]")


def limited(tables: Tables, change: Change, quota: Quota, before: int, after: int) -> Iterable[str]:
    """Say that a change goes beyond a quota of AWS's; nothing where it does not."""
    if after <= before:  # never beyond, whatever the quota
        return
    place = {"account": change.account, "region": change.region}
    if why := beyond(tables["service_quotas"], quota, **place, before=before, after=after):
        yield why


def associations(tables: Tables, endpoint_id: str) -> pd.DataFrame:
    """Return the associations of an endpoint that are in force or will be."""
    networks = tables["client_vpn_target_networks"]
    gone = networks["status"].isin(["association-failed", "disassociated"])
    return networks[(networks["endpoint_id"] == endpoint_id) & ~gone]


def wrong_range(cidr: str) -> Iterable[str]:
    """Say what is wrong with an address range; nothing when AWS would take it."""
    try:
        ip_network(cidr)
    except ValueError:
        yield tr("{cidr} is no range (its host bits must be zero)", cidr=words.clean(cidr))
