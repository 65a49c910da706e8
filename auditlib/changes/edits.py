"""Tables with rules more or less that are not put into frames before somebody looks at them.

A fix may change thousands of rules, one after the other, and each change asks what the ones before it
left: that is answered here by group and by id. A frame is made once, of all of them.
"""

from collections import defaultdict, namedtuple
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from auditlib.frames import frame_of_rows
from auditlib.schemas import SCHEMAS
from auditlib.tables import Tables

__all__ = ["Groups", "Rules", "appended", "groups_in", "rules_in", "without"]

_RULES, _GROUPS = "security_group_rules", "security_groups"
_Rule = namedtuple(  # made of whole columns, as rows_of does
    "_Rule",
    "account region rule_id group_id is_egress protocol from_port to_port peer_kind peer "
    "cidr_ipv4 cidr_ipv6 prefix_list_id referenced_group_owner_id description",
)


def rules_in(tables: Tables) -> "Rules":
    """Return the security group rules of tables, to be asked and changed one by one."""
    held = tables.held(_RULES)
    if not isinstance(held, Rules):
        held = Rules(_RulesRead(tables[_RULES]))
        tables.hold(_RULES, held)
    return held


def groups_in(tables: Tables) -> "Groups":
    """Return the security groups of tables, likewise."""
    held = tables.held(_GROUPS)
    if not isinstance(held, Groups):
        held = Groups(_GroupsRead(tables[_GROUPS]))
        tables.hold(_GROUPS, held)
    return held


class _RulesRead:
    """The rules of a frame by id and by group."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        columns = [frame[name].tolist() for name in _Rule._fields]
        self.by_id: dict[str, Any] = {}
        self.by_group: dict[tuple[str, bool], list[Any]] = defaultdict(list)
        for rule in map(_Rule._make, zip(*columns, strict=True)):
            self.by_id.setdefault(rule.rule_id, rule)
            self.by_group[rule.group_id, rule.is_egress].append(rule)


class Rules:
    """Rules that were read, without some and with others; never changed in place."""

    def __init__(
        self,
        read: _RulesRead,
        gone: frozenset[str] = frozenset(),
        new: Mapping[str, Mapping[str, Any]] | None = None,
        new_of: Mapping[tuple[str, bool], tuple[str, ...]] | None = None,
    ) -> None:
        self._read = read
        self._gone = gone
        self._new = new or {}
        self._new_of = new_of or {}

    def rule(self, rule_id: str) -> Any:
        """Return a rule; ``None`` where there is none of this id."""
        if rule_id in self._new:
            return _row(self._new[rule_id])
        return None if rule_id in self._gone else self._read.by_id.get(rule_id)

    def of(self, group_id: str, *, is_egress: bool) -> list[Any]:
        """Return the rules of a group in one direction, in the order of the table."""
        wanted = (group_id, is_egress)
        kept = [r for r in self._read.by_group.get(wanted, ()) if r.rule_id not in self._gone]
        return kept + [_row(self._new[id]) for id in self._new_of.get(wanted, ())]

    def without(self, rule_id: str) -> "Rules":
        """Return them without a rule."""
        gone = self._gone | {rule_id}
        if (row := self._new.get(rule_id)) is None:
            return Rules(self._read, gone, self._new, self._new_of)
        wanted = _of(row)
        left = tuple(id for id in self._new_of[wanted] if id != rule_id)
        new = {id: held for id, held in self._new.items() if id != rule_id}
        return Rules(self._read, gone, new, {**self._new_of, wanted: left})

    def with_rule(self, row: Mapping[str, Any]) -> "Rules":
        """Return them with one more."""
        id, wanted = row["rule_id"], _of(row)
        more = (*self._new_of.get(wanted, ()), id)
        return Rules(self._read, self._gone, {**self._new, id: row}, {**self._new_of, wanted: more})

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The table of all of them."""
        frame = self._read.frame
        if self._gone:
            frame = without(frame, frame["rule_id"].isin(list(self._gone)))
        return appended(frame, _RULES, self._new.values())


def _of(row: Mapping[str, Any]) -> tuple[str, bool]:
    return row["group_id"], row["is_egress"]


def _row(row: Mapping[str, Any]) -> Any:
    return _Rule._make(row.get(name) for name in _Rule._fields)


class _GroupsRead:
    """The groups of a frame by id."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.vpc: dict[str, str] = {}
        self.owner: dict[str, str] = {}
        columns = (frame[name].tolist() for name in ("group_id", "vpc_id", "owner_id"))
        for id, vpc, owner in zip(*columns, strict=True):
            self.vpc.setdefault(id, vpc)
            self.owner.setdefault(id, owner)
        self.places = set(zip(frame["account"].tolist(), frame["region"].tolist(), strict=True))


class Groups:
    """Groups that were read, each showing so many rules more or less; never changed in place."""

    def __init__(
        self, read: _GroupsRead, more: Mapping[tuple[str, str], int] | None = None
    ) -> None:
        self._read = read
        self._more = more or {}

    @property
    def vpc(self) -> Mapping[str, str]:
        """The VPC of each group."""
        return self._read.vpc

    @property
    def owner(self) -> Mapping[str, str]:
        """The account that owns each group."""
        return self._read.owner

    @property
    def places(self) -> set[tuple[str, str]]:
        """The accounts and Regions in which groups were read."""
        return self._read.places

    def showing(self, group_id: str, *, is_egress: bool, more: int) -> "Groups":
        """Return them as AWS shows them with rules more, or less, of a group in one direction."""
        key = ("egress_peers" if is_egress else "ingress_peers", group_id)
        return Groups(self._read, {**self._more, key: self._more.get(key, 0) + more})

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The table of all of them."""
        frame = self._read.frame
        for column in sorted({column for column, _ in self._more}):
            more = {id: number for (name, id), number in self._more.items() if name == column}
            shown = pd.array([more.get(id, 0) for id in frame["group_id"].tolist()], dtype="Int64")
            frame = frame.assign(**{column: frame[column] + shown})
        return frame


def appended(frame: pd.DataFrame, name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a table with further rows."""
    rows = list(rows)
    if not rows:
        return frame
    new = frame_of_rows(SCHEMAS[name], rows)
    for column in frame.columns:
        if str(frame[column].dtype) == "category":
            # One set of categories, or joins would not keep the type.
            known = frame[column].cat.categories
            more = [c for c in new[column].cat.categories if c not in set(known)]
            dtype = pd.CategoricalDtype(known.append(pd.Index(more, dtype="str")))
            frame = frame.assign(**{column: frame[column].astype(dtype)})
            new = new.assign(**{column: new[column].astype(dtype)})
    return pd.concat([frame, new], ignore_index=True)


def without(frame: pd.DataFrame, gone: Any) -> pd.DataFrame:
    """Return a frame without some rows."""
    kept: pd.DataFrame = frame[~gone].reset_index(drop=True)
    return kept
