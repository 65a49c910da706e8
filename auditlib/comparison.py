"""Two audits compared, put for people: sentences and short frames, without any HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib import authorship, drift, summary, words
from auditlib.access import EVERYONE
from auditlib.addresses import NONE, Ranges, ports
from auditlib.audit import Audit, open_audit
from auditlib.changes.difference import sure_access
from auditlib.check import Severity
from auditlib.former import ON_ITS_WAY
from auditlib.frames import rows_of
from auditlib.language import filled, marked, sentences, tr, tr_as

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Comparison", "compare"]

EARLIER = Path(__file__).with_name("sample-earlier.zip")

_STATES = {
    "new": marked("new"),
    "reappeared": marked("came back"),
    "first_seen": marked("seen first now"),
    "worsened": marked("worsened"),
    "narrowed": marked("narrowed"),
    "resolved": marked("resolved"),
    "not_seen": marked("no longer seen"),
    "unchanged": marked("unchanged"),
    "gained": marked("gained"),
    "lost": marked("lost"),
    "uncertain": marked("cannot be compared"),
    "steadier": marked("now reliable"),
    "weaker": marked("now fragile"),
    "ground": marked("by other rules"),
}
_FOUND_IN_SHORT = (
    (marked("Worsened: it was warned of, and has come"), ("worsened",)),
    (marked("New"), ("new", "reappeared")),
    (marked("Seen first now, and perhaps there before"), ("first_seen",)),
    (marked("Narrowed: no longer everyone"), ("narrowed",)),
    (marked("Resolved: no longer so"), ("resolved",)),
    (marked("No longer seen, and perhaps still there"), ("not_seen",)),
)
_ACCESS_IN_SHORT = ((marked("Access gained"), "gained"), (marked("Access lost"), "lost"))

_WEAKENED: dict[tuple[str, str], tuple[object, str, str]] = {
    ("client_vpn_endpoints", "connection_log_enabled"): (
        False,
        marked("The connection log of {endpoint} was switched off between {then} and {now}."),
        "ModifyClientVpnEndpoint",
    ),
    ("client_vpn_endpoints", "connect_handler_enabled"): (
        False,
        marked("The connect handler of {endpoint} was switched off between {then} and {now}."),
        "ModifyClientVpnEndpoint",
    ),
    ("client_vpn_authorization_policies", "shadow_mode"): (
        "enabled",
        marked(
            "The authorization policy of {endpoint} was put into shadow mode between {then} and {now}: it "
            "refuses nobody any more."
        ),
        "",
    ),
    ("client_vpn_authorization_policies", "removed"): (
        None,
        marked("The authorization policy of {endpoint} was taken off between {then} and {now}."),
        "",
    ),
    ("client_vpn_authorization_rules", "added"): (
        None,
        marked("Every user of {endpoint} was let into {network} between {then} and {now}."),
        "AuthorizeClientVpnIngress",
    ),
}
"""What weakens the control over who connects and what is seen of it, by table and by column or change.

What the column then holds (for a whole object, nothing), how that is told, and what CloudTrail calls it, where that is known.
"""

_NOT_IN_FORCE = "vpn-sg-not-yet-effective"
_WHEN = {
    "now": marked("read then, not now"),
    "then": marked("read now, not then"),
    "both": marked("neither time"),
}
_STATUS = {
    "fail": marked("fails"),
    "information": marked("information"),
    "not_assessed": marked("not assessed"),
    "accepted": marked("accepted"),
    "not_applicable": marked("not applicable"),
    "pass": marked("passes"),
    "passes_elsewhere": marked("passes in part"),
    "has_come": marked("overtaken"),
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """An audit beside an earlier one.

    Attributes
    ----------
    new, old
        The audits; there may be no earlier one.
    past
        What a history knows of each finding, by check and identity.
    runs
        The runs of the history, in the columns of ``auditlib.history.RUNS``.
    """

    new: Audit
    old: Audit | None
    past: Mapping[Any, drift.Past] = field(default_factory=dict, repr=False)
    runs: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    @cached_property
    def drift(self) -> drift.Drift | None:
        """What changed; ``None`` where there is nothing to compare with."""
        if self.old is None:
            return None
        return drift.drift(
            self.old.tables,
            self.new.tables,
            findings=(self.old.findings, self.new.findings),
            past=self.past,
        )

    @property
    def is_same(self) -> bool:
        """Whether both are one snapshot."""
        return self.old is not None and self.old.snapshot.digest == self.new.snapshot.digest

    @property
    def sentences(self) -> tuple[str, ...]:
        """What changed, in a few sentences."""
        if self.drift is None:
            return (
                tr(
                    "No earlier snapshot was given, so nothing was compared and nothing can be said about "
                    "what changed."
                ),
            )
        return (*self._cautions(), *self.drift.sentences(self.names), *self._standstill())

    @property
    def counted(self) -> tuple[str, ...]:
        """How much changed, in a few sentences: what :meth:`in_short` does not tell."""
        if self.drift is None:
            return self.sentences
        told = tuple(state for _, state in _ACCESS_IN_SHORT)
        return (*self._cautions(), *self.drift.sentences(self.names, without=told))

    @property
    def since(self) -> str:
        """When the earlier snapshot was read, for people."""
        moment = _moment(self.old)
        return summary.when(moment)

    def in_short(self, most: int = 5) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return what came, worsened, went, and who gained or lost access, as headings with lines.

        Parameters
        ----------
        most
            Lines below a heading; beyond them, how many more there are.
        """
        if self.drift is None:
            return ()
        findings = self.drift.findings
        parts = [(tr("Control was weakened"), self._weakened())]
        for heading, states in _FOUND_IN_SHORT:
            rows = findings[findings["state"].isin(states)]
            lines = [
                tr(
                    "{severity}: {answer}",
                    severity=words.opening(tr(row.severity)),
                    answer=self._told(row),
                )
                for row in rows_of(rows)
            ]
            parts.append((tr(heading), _bounded(lines, most)))
        parts.append((tr("Still not in force"), self._standstill()))
        for heading, state in _ACCESS_IN_SHORT:
            parts.append((tr(heading), _bounded(self._groups(state), most)))
        return tuple((heading, lines) for heading, lines in parts if lines)

    def _told(self, row: Any) -> str:
        """Return what a finding says, beside who still has what everyone had, or since when it was warned of."""
        answer = summary.by_name(row.reason, self.names)
        before = answer.removesuffix("。")  # it stands inside a sentence
        if row.state == "narrowed":
            return tr(
                "now {groups}, for all of it; before: {answer}"
                if self._keep_all(row)
                else "now {groups}, for all of it or a part; before: {answer}",
                groups=row.kept_by,
                answer=before,
            )
        if row.state in {"resolved", "not_seen"}:
            return filled(tr_as("gone", "{answer}"), {"answer": before})
        if row.state == "worsened":
            return tr("{answer} It was warned of on {when}.", answer=answer, when=self.since)
        return answer

    def _keep_all(self, row: Any) -> bool:
        """Tell whether the groups that keep what is narrowed keep all that everyone lost of it."""
        assert self.drift is not None  # noqa: S101 # the row is of it
        lost = self.drift.access
        lost = lost[
            lost["state"].eq("lost")
            & lost["endpoint_id"].eq(row.endpoint_id)
            & lost["group"].eq(EVERYONE)
        ]
        if words.clean(row.eni_id):
            lost = lost[lost["eni_id"] == row.eni_id]
        keeping = self._keeping(lost, [EVERYONE]) if len(lost) else []
        return bool(keeping) and words.listed(map(words.clean, keeping)) == row.kept_by

    def _weakened(self) -> tuple[str, ...]:
        """Return what was changed to the worse in who may connect and what is seen of it, and by whom."""
        assert self.drift is not None  # noqa: S101 # asked where there is one
        objects = self.drift.objects
        came = objects[objects["change"].eq("added") & objects["table"].eq("client_vpn_endpoints")]
        told = []
        for row in rows_of(objects):
            whole = row.change in {"added", "removed"}
            known = _WEAKENED.get((row.table, row.change if whole else row.column))
            endpoint, _, rest = row.id.partition(" ")
            network, _, group = rest.partition(" ")
            if known is None or endpoint in set(came["id"]) or group:
                continue
            worse, text, event = known
            if not whole and row.after != worse:
                continue
            said = tr(
                text,
                endpoint=summary.spoken([endpoint], self.names)[0],
                network=network,
                then=self.since,
                now=summary.when(_moment(self.new)),
            )
            told.append(sentences(said, self._logged_to(row), _by_whom(row, event)))
        return tuple(told)

    def _logged_to(self, row: Any) -> str:
        """Say which log group an endpoint wrote to whose log was switched off."""
        assert self.drift is not None  # noqa: S101 # the row is of it
        objects = self.drift.objects
        was = objects.loc[
            objects["id"].eq(row.id) & objects["column"].eq("connection_log_group"), "before"
        ]
        if row.column != "connection_log_enabled" or was.empty or not words.clean(was.iloc[0]):
            return ""
        return tr(
            "It wrote to the log group {group}: the fix of connection-logging-is-off can name that, where "
            "it still exists.",
            group=words.clean(was.iloc[0], 200),
        )

    def _groups(self, state: str) -> list[str]:
        """Return a line per endpoint and receivers: which user groups gained or lost them, and by what."""
        rows = self.drift.access if self.drift is not None else pd.DataFrame(columns=drift.ACCESS)
        rows = rows[rows["state"] == state].assign(
            receiver=lambda frame: frame["eni_id"].where(frame["eni_id"] != "", frame["ip"])
        )
        told: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for (endpoint, group), part in rows.groupby(["endpoint_id", "group"], sort=True):
            ids = tuple(sorted(set(part["receiver"])))
            told.setdefault((str(endpoint), ids), []).append(str(group))
        return [self._line(state, endpoint, groups, rows) for (endpoint, _), groups in told.items()]

    def _line(self, state: str, endpoint: str, groups: list[str], rows: pd.DataFrame) -> str:
        mine = rows[(rows["endpoint_id"] == endpoint) & rows["group"].isin(groups)]
        ids = sorted(set(mine["receiver"]))
        told = {
            "groups": self._who(groups),
            "endpoint": summary.spoken([endpoint], self.names)[0],
            "number": words.count(len(ids), "receiver"),
            "receivers": words.listed(summary.spoken(ids, self.names), most=4),
        }
        if state != "lost":
            return tr("{groups} through {endpoint}: {number} ({receivers}).", **told)
        removed, keeping = self._removed(mine), self._keeping(mine, groups)
        told["groups"] = self._who(groups, keeping)
        return sentences(
            tr(
                "{groups} through {endpoint}: {number} ({receivers}), by what was removed since: {rules}.",
                **told,
                rules=words.listed(removed),
            )
            if removed
            else tr("{groups} through {endpoint}: {number} ({receivers}).", **told),
            tr("Still with all of that: {groups}.", groups=words.listed(map(words.clean, keeping)))
            if keeping and EVERYONE not in groups
            else "",
            tr("Ask whether the others were meant to lose it.") if keeping else "",
        )

    def _who(self, groups: list[str], keeping: Sequence[str] = ()) -> str:
        named = words.listed(words.clean(group) for group in groups if group != EVERYONE)
        if EVERYONE not in groups:
            return words.opening(named)
        if keeping:
            but = words.listed(map(words.clean, keeping))
            return (
                tr("Everyone but {keeping} (so also {groups})", keeping=but, groups=named)
                if named
                else tr("Everyone but {keeping}", keeping=but)
            )
        return tr("Everyone (also {groups})", groups=named) if named else tr("Everyone")

    def _removed(self, lost: pd.DataFrame) -> list[str]:
        """Return the removed rules by which all of some lost access went; none where they differ."""
        assert self.drift is not None  # noqa: S101 # there are rows of it
        gone = self.drift.objects[self.drift.objects["change"] == "removed"]
        found: list[dict[str, None]] = []
        for row in rows_of(lost):
            by: dict[str, None] = {}
            for thing in rows_of(gone):
                if thing.table == "client_vpn_authorization_rules":
                    endpoint, network, *group = thing.id.split(" ", 2)
                    hop = f"authorization: {network} for {''.join(group) or 'everyone'}"
                    if endpoint == row.endpoint_id and hop in row.via_before:
                        rule = tr("{network} {about}", network=network, about=thing.about)
                        by[tr("the authorization rule {rule}", rule=rule)] = None
                elif thing.table == "security_group_rules" and any(
                    thing.id in hop for hop in row.via_before
                ):
                    by[words.named(thing.id, thing.about)] = None
            found.append(by)
        every = [rule for rule in found[0] if all(rule in by for by in found)] if found else []
        return every if all(found) else []

    def _keeping(self, lost: pd.DataFrame, groups: list[str]) -> list[str]:
        """Return the user groups that still reach, for certain, all that some others lost."""
        wanted: dict[tuple[str, str], Ranges] = {}
        for row in rows_of(lost):
            key = (row.eni_id, row.ip)
            on = ports(
                row.protocol,
                *(None if pd.isna(v) else int(v) for v in (row.from_port, row.to_port)),
            )
            wanted[key] = wanted.get(key, NONE) | on
        held: dict[str, dict[tuple[str, str], Ranges]] = {}
        endpoint = lost["endpoint_id"].iloc[0]
        for (_, _, through, _, group, eni, ip), on in sure_access(self.new.tables).items():
            if through == endpoint and group not in groups:
                mine = held.setdefault(group, {})
                mine[eni, ip] = mine.get((eni, ip), NONE) | on
        return sorted(
            group
            for group, has in held.items()
            if group != EVERYONE and all(on <= has.get(at, NONE) for at, on in wanted.items())
        )

    def _standstill(self) -> tuple[str, ...]:
        """Name the endpoints whose change of groups was not in force already a day ago and is not now."""
        moments = [_moment(side) for side in (self.old, self.new)]
        if self.drift is None or None in moments or moments[1] - moments[0] < ON_ITS_WAY:
            return ()
        rows = self.drift.findings
        same = rows[(rows["state"] == "unchanged") & (rows["check"] == _NOT_IN_FORCE)]
        return tuple(
            tr(
                "A change of the security groups of {endpoint} had not reached its interfaces on {when} "
                "and has not since: AWS gives itself up to four hours, so it seems to be stuck.",
                endpoint=words.name_first(id, self.names.get(id)),
                when=self.since,
            )
            for id in dict.fromkeys(same["endpoint_id"])
        )

    @cached_property
    def names(self) -> dict[str, str]:
        """What people call the things behind ids, now or else before."""
        before = {} if self.old is None else summary.names(self.old)
        return before | summary.names(self.new)

    def _cautions(self) -> tuple[str, ...]:
        told = []
        if self.is_same:
            told.append(tr("Both are the same snapshot."))
        moments = [_moment(side) for side in (self.old, self.new)]
        if None not in moments and moments[0] > moments[1]:
            told.append(tr("The snapshot given as the earlier one was read later than the other."))
        return tuple(told)

    def frame(self, part: str, *states: str) -> pd.DataFrame:
        """Return one part of what changed as a short frame; all its rows.

        Parameters
        ----------
        part
            sides, checks, findings, access, objects, authors, recreated, gaps or history.
        states
            Findings or access in these states only.
        """
        made: pd.DataFrame = getattr(self, f"_{part}")(*states)
        return made

    # -- parts --------------------------------------------------------------------------------

    def _sides(self) -> pd.DataFrame:
        rows = []
        for which, audit in ((tr("earlier"), self.old), (tr("this one"), self.new)):
            if audit is not None:
                said = summary.identity(audit)
                rows.append(
                    {
                        "snapshot": which,
                        "read": summary.when(said.finished or said.started),
                        "account": said.accounts,
                        "regions": said.regions,
                        "coverage": summary.coverage_sentence(audit),
                        "digest": said.digest[:16],
                    }
                )
        return pd.DataFrame(rows)

    def _checks(self) -> pd.DataFrame:
        columns = ["check", "severity", "earlier", "now", *drift.STATES]
        if self.drift is None:
            return pd.DataFrame(columns=columns)
        found = self.drift.checks.rename(columns={"before": "earlier", "after": "now"})
        differs = (found["earlier"] != found["now"]) | (
            found[[s for s in drift.STATES if s != "unchanged"]].sum(axis=1) > 0
        )
        only_told = found["severity"] == Severity.INFO.value
        for when in ("earlier", "now"):
            outcome = found[when].mask(only_told & (found[when] == "fail"), "information")
            found[when] = [tr(_STATUS[one]) for one in outcome]
        superseded = [summary.superseded(self.new.finding(id)) for id in found["check"]]
        found["now"] = [
            tr(_STATUS[key]) if key else now
            for key, now in zip(superseded, found["now"], strict=True)
        ]
        shown = found.loc[differs, columns]
        spare = [s for s in drift.STATES if not shown[s].any()]
        return shown.drop(columns=spare).reset_index(drop=True)

    def _findings(self, *states: str) -> pd.DataFrame:
        columns = ["state", "severity", "reason", "check", "first_seen", "unread"]
        if self.drift is None:
            return pd.DataFrame(columns=columns)
        found = self.drift.findings
        found = found[found["state"].isin(states or drift.STATES)]
        reasons = [self._told(row) for row in rows_of(found)]
        found = found.assign(state=found["state"].map(_STATES), reason=reasons)
        shown = found[columns].reset_index(drop=True)
        spare = [
            c for c in ("first_seen", "unread") if not shown[c].replace("", pd.NA).notna().any()
        ]
        return shown.drop(columns=spare)

    def _access(self, *states: str) -> pd.DataFrame:
        columns = [
            "state",
            "endpoint_id",
            "user_group",
            "eni_id",
            "ip",
            "open",
            "subnets",
            "unread",
        ]
        if self.drift is None:
            return pd.DataFrame(columns=columns)
        rows = self.drift.access
        rows = rows[rows["state"].isin(states or set(rows["state"]))]
        told: dict[tuple[str, ...], tuple[set[str], dict[str, None]]] = {}
        for row in rows_of(rows.astype(object)):
            group = tr("everyone") if row.group == "*" else words.clean(row.group)
            key = (_STATES[row.state], row.endpoint_id, group, row.eni_id, row.ip, row.unread)
            subnets, ports = told.setdefault(key, (set(), {}))
            subnets.add(row.subnet_id)
            ports[words.traffic(row.protocol, row.from_port, row.to_port)] = None
        made = [
            {
                **dict(
                    zip(
                        ("state", "endpoint_id", "user_group", "eni_id", "ip", "unread"),
                        key,
                        strict=True,
                    )
                ),
                "open": tuple(ports),
                "subnets": tuple(sorted(words.clean(self.names.get(id, id)) for id in subnets)),
            }
            for key, (subnets, ports) in told.items()
        ]
        frame = pd.DataFrame(made, columns=columns)
        return frame if (frame["unread"] != "").any() else frame.drop(columns="unread")

    def _objects(self) -> pd.DataFrame:
        columns = ["change", "table", "object_id", "about", "column", "before", "after"]
        if self.drift is None:
            return pd.DataFrame(columns=columns)
        found = self.drift.objects
        return found.rename(columns={"id": "object_id"}).assign(
            change=[words.value(change) for change in found["change"]],
            table=[words.table(name) for name in found["table"]],
            column=[words.column(name) for name in found["column"]],
        )[columns]

    def _authors(self) -> pd.DataFrame:
        """Return a row per object and event, the newest last, or why there is none."""
        columns = ["when", "by", "change", "object_id", "about"]
        if self.drift is None:
            return pd.DataFrame(columns=columns)
        rows = [
            (at and summary.when(at), who, words.value(row.change), row.id, row.about)
            for row in rows_of(self.drift.objects)
            if row.unnamed != "not_asked"
            for who, at in authorship.told(row)
        ]
        # Several properties of one thing have the same events.
        return pd.DataFrame(list(dict.fromkeys(rows)), columns=columns)

    def _recreated(self) -> pd.DataFrame:
        columns = {
            "endpoint_id": "endpoint_id",
            "subnet_id": "subnet_id",
            "eni_before": "old_eni_id",
            "ip_before": "old_ip",
            "eni_after": "new_eni_id",
            "ip_after": "new_ip",
        }
        if self.drift is None:
            return pd.DataFrame(columns=list(columns.values()))
        return self.drift.recreated[list(columns)].rename(columns=columns)

    def _gaps(self) -> pd.DataFrame:
        columns = ["when", "account", "region", "what", "iam_action", "hidden_objects"]
        if self.drift is None:
            return pd.DataFrame(columns=columns)
        rows = [
            {
                "when": tr(_WHEN[row.when]),
                "account": row.account,
                "region": row.region,
                "what": tr("was not looked at") if row.status == "elsewhere" else words.gap(row),
                "iam_action": row.iam_action if row.status == "denied" else None,
                "hidden_objects": row.objects,
            }
            for row in rows_of(self.drift.gaps)
        ]
        one = self.drift.gaps["account"].nunique() <= 1
        return pd.DataFrame(rows, columns=[c for c in columns if c != "account" or not one])

    def _history(self) -> pd.DataFrame:
        if self.runs.empty:
            return pd.DataFrame(columns=["read", "critical", "high", "medium", "low", "info"])
        shown = self.runs.assign(read=[summary.when(moment) for moment in self.runs["taken"]])
        return shown.drop(columns=["taken"])[
            ["read", "accounts", *shown.columns[3:-1]]
        ].reset_index(drop=True)


def _bounded(lines: list[str], most: int) -> tuple[str, ...]:
    """Return the first lines, and how many more there are."""
    rest = len(lines) - most
    return tuple(lines) if rest <= 0 else (*lines[:most], tr("… and {number:,} more", number=rest))


def _by_whom(row: Any, event: str) -> str:
    """Say who changed an object and when, or where to look for it."""
    if not row.unnamed:
        return tr(
            "By {who}.",
            who=words.listed(
                tr("{who} on {when}", who=who, when=summary.when(at)) if at else who
                for who, at in authorship.told(row)
            ),
        )
    if event:
        return tr("Find out who did it: in CloudTrail it is {event}.", event=event)
    return tr("Find out who did it: CloudTrail has it.")


def _moment(audit: Audit | None) -> Any:
    if audit is None:
        return None
    manifest = audit.snapshot.manifest
    return manifest.finished or manifest.started


def compare(
    new: Audit,
    earlier: "str | PathLike[str] | Audit | None" = None,
    history: "str | PathLike[str] | None" = None,
) -> Comparison:
    """Compare an audit with an earlier one.

    Parameters
    ----------
    earlier
        An audit, or the folder or .zip of its snapshot, whose evidence is accepted as in the new
        one: what is accepted counts on neither side. Without one, the bundled sample is
        compared with the bundled earlier sample, and anything else with nothing.
    history
        Folder of a history; see :mod:`auditlib.history`.

    Raises
    ------
    SnapshotError
        When the earlier snapshot cannot be read.
    ParameterError
        When there is no such history, or pyarrow is not installed.
    """
    old: Audit | None = earlier if isinstance(earlier, Audit) else None
    if old is None and earlier:
        old = Audit(open_audit(Path(str(earlier))).snapshot, new.accepted)
    elif old is None and _is_sample(new):
        old = Audit(open_audit(EARLIER).snapshot, new.accepted)
    if not history:
        return Comparison(new=new, old=old)
    from auditlib import history as past

    moment = past.taken(new)
    folder = Path(history)
    runs = past.runs(folder)
    accounts = {account for account, _ in new.snapshot.places}
    mine = [bool(accounts & set(told)) for told in runs["accounts"]]
    return Comparison(
        new=new,
        old=old,
        past=past.past(folder, before=moment, without=new.snapshot.digest),
        runs=runs[pd.Series(mine, index=runs.index, dtype=bool)].reset_index(drop=True),
    )


def _is_sample(audit: Audit) -> bool:
    return Path(audit.snapshot.name).resolve() == Path(__file__).with_name("sample").resolve()
