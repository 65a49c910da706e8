"""What an audit says as a whole: sentences, counts and short frames, without any HTML.

Everything is worked out from the findings, the gaps and the calls; nothing here judges anew.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib.aws.reads import Read
from auditlib.characters import is_disguised
from auditlib.check import Check, Finding, Severity, Status, checks
from auditlib.frames import rows_of, rows_where
from auditlib.gaps import reads_behind
from auditlib.language import marked, sentences, tr, tr_as
from auditlib.outages import Outage, outages
from auditlib.words import (
    acceptance,
    clean,
    count,
    first_sentence,
    left_open,
    listed,
    minute,
    named,
    opening,
    plural,
    series,
)

if TYPE_CHECKING:
    from auditlib.audit import Audit
    from auditlib.tables import Tables

__all__ = [
    "OUTCOMES",
    "TALLIED",
    "Identity",
    "acceptances",
    "asked",
    "beneath",
    "beyond",
    "blocked_checks",
    "by_urgency",
    "cost_of",
    "counts",
    "coverage_sentence",
    "disguised",
    "down",
    "headline",
    "identity",
    "is_note",
    "names",
    "names_in",
    "outcome",
    "overtaken",
    "passes_as",
    "places",
    "ratings",
    "refused_calls",
    "severities_of",
    "short",
    "spoken",
    "stopped",
    "strange_names",
    "strange_things",
    "superseded",
    "tally",
    "verdict",
    "when",
    "where",
]

OUTCOMES = {
    "fail": ("✕", marked("Fails")),
    "information": ("i", marked("Information")),
    "not_assessed": ("?", marked("Not assessed")),
    "accepted": ("≈", marked("Accepted")),
    "not_applicable": ("–", marked("Not applicable")),
    "pass": ("✓", marked("Passes")),
}
"""How people are shown what came of a check: a sign and a word, so that colour never says it alone."""

TALLIED = {
    **OUTCOMES,
    "passes_elsewhere": ("!", marked("Passes in part")),
    "has_come": ("!", marked("Overtaken")),
}
"""How checks are counted: those whose warning has come true somewhere are no plain passes."""

_ORDER = (
    Status.FAIL,
    Status.NOT_ASSESSED,
    Status.ACCEPTED,
    Status.PASS,
    Status.NOT_APPLICABLE,
)
"""The statuses as a reader wants them: what is to be done first."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What was audited, when, and with what: the facts in a report's header and footer."""

    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    started: datetime | None
    finished: datetime | None
    caller_arn: str | None
    kit_version: str
    collected_with: str
    digest: str
    redacted: bool

    @property
    def named_accounts(self) -> str:
        """The accounts, by id as far as a line has room for them."""
        return series(self.accounts) if len(self.accounts) <= 4 else listed(self.accounts, most=3)


def identity(audit: "Audit") -> Identity:
    """Return what was audited, when, and with what."""
    from auditlib import __version__

    manifest = audit.snapshot.manifest
    made = [
        f"auditlib {manifest.kit_version}" if manifest.kit_version else "",
        f"botocore {manifest.botocore_version}" if manifest.botocore_version else "",
    ]
    return Identity(
        accounts=tuple(sorted({account for account, _ in audit.snapshot.places})),
        regions=tuple(sorted({region for _, region in audit.snapshot.places})),
        started=manifest.started,
        finished=manifest.finished,
        caller_arn=manifest.caller_arn,
        kit_version=__version__,
        collected_with=", ".join(filter(None, made)),
        digest=audit.snapshot.digest,
        redacted=manifest.redacted,
    )


def names(audit: "Audit") -> dict[str, str]:
    """Return what people call the things behind ids: a Name tag, a rule's description.

    A name that looks like something else is not among them: its id stands for it, marked so.
    """
    return audit.names_told


def names_in(tables: "Tables") -> dict[str, str]:
    """Return what people call the things behind ids in some tables; kept with them."""
    kept: dict[str, str] | None = vars(tables).get("_names")
    if kept is not None:
        return kept
    found: dict[str, str] = {}
    for table, key, columns in (
        ("client_vpn_endpoints", "endpoint_id", ("name", "description")),
        ("security_groups", "group_id", ("group_name", "name")),
        ("network_interfaces", "eni_id", ("name", "description")),
        ("subnets", "subnet_id", ("name",)),
        ("vpcs", "vpc_id", ("name",)),
        ("security_group_rules", "rule_id", ("description",)),
    ):
        frame = tables[table]
        for record in frame[[key, *columns]].itertuples(index=False, name=None):
            id, *texts = record
            name = next((text for text in texts if isinstance(text, str) and text.strip()), "")
            if name:
                found[id] = name
    vars(tables)["_names"] = found
    return found


def disguised(audit: "Audit") -> dict[str, str]:
    """Return the names that look like something else, by id.

    Names are whatever those who can write to the account set: markup, a spreadsheet's formula, or
    characters nobody sees, which can turn a file's name round.
    """
    return {id: name for id, name in sorted(audit.names.items()) if is_disguised(name)}


def strange_names(audit: "Audit") -> str:
    """Return a note on names that look like something else; empty where there is none."""
    strange = disguised(audit)
    if not strange:
        return ""
    about = tr(
        "Suspicious names are repeated in two places only: on a report's first page and in the workbook. Commands that would write such a text back hold it, too."
    )
    which = listed(strange, most=10)
    return sentences(
        about,
        tr(
            "One looks like markup, a link, a formula or a disguised file name ({ids}): ask who set it.",
            ids=which,
        )
        if len(strange) == 1
        else tr(
            "{number} look like markup, links, formulas or disguised file names ({ids}): ask who set them.",
            number=len(strange),
            ids=which,
        ),
    )


def strange_things(audit: "Audit") -> pd.DataFrame:
    """Return a row per name that looks like something else: what has it, its VPC, by what it is reached.

    The columns are ``name``, ``id``, ``vpc_id`` and ``endpoint_id``, a tuple: the endpoints the thing
    belongs to or whose users reach it.
    """
    strange = disguised(audit)
    tables = audit.tables
    vpcs: dict[str, Any] = {}
    for table, key in (
        ("client_vpn_endpoints", "endpoint_id"),
        ("security_groups", "group_id"),
        ("network_interfaces", "eni_id"),
        ("subnets", "subnet_id"),
        ("vpcs", "vpc_id"),
    ):
        vpcs.update(zip(tables[table][key], tables[table]["vpc_id"], strict=True))
    rules = tables["security_group_rules"]
    groups = dict(zip(rules["rule_id"], rules["group_id"], strict=True))
    wanted = {groups.get(id, id) for id in strange}
    by: dict[str, set[str]] = {}
    for table, key in (
        ("client_vpn_endpoints", "endpoint_id"),
        ("client_vpn_target_networks", "subnet_id"),
        ("endpoint_security_groups", "group_id"),
        ("reached_interfaces", "eni_id"),
    ):
        frame = tables.shared(table)
        for id, endpoint in zip(frame[key], frame["endpoint_id"], strict=True):
            if id in wanted:
                by.setdefault(id, set()).add(endpoint)
    rows = [
        {
            "name": name,
            "id": id,
            "vpc_id": vpcs.get(groups.get(id, id)),
            "endpoint_id": tuple(sorted(by.get(groups.get(id, id), ()))),
        }
        for id, name in strange.items()
    ]
    return pd.DataFrame(rows, columns=["name", "id", "vpc_id", "endpoint_id"])


def spoken(ids: Iterable[str], called: Mapping[str, str]) -> list[str]:
    """Return what things are called in a sentence: plain names first, disguised ones by their ids.

    What has no name is called by its id; so is a group called ``default``, for every VPC has one.
    """
    them = list(dict.fromkeys(ids))
    plain = sorted(them, key=lambda one: _is_odd(one, called))
    return [_label(id, called, them) for id in plain]


_ID = re.compile(
    r"(?<![\w(/:=-])(?<!--endpoint )(?<!-id )(?<!-ids )(?:cvpn-endpoint|eni|sg|sgr|subnet|vpc)-[0-9a-f]{8,17}(?![\w-])"
)


def by_name(text: str, called: Mapping[str, str]) -> str:
    """Return a text in which names come first, each with its id behind it; ids without one stay.

    So do those in a command, and those whose name is made of ids, as AWS names an endpoint's interfaces.

    >>> names = {"sg-0123456789abcdef0": "web", "sgr-0123456789abcdef0": "sgr-0123456789abcdef0 (odd)"}
    >>> by_name("sg-0123456789abcdef0 (web, default) has sgr-0123456789abcdef0", names)
    'web (sg-0123456789abcdef0, default) has sgr-0123456789abcdef0'
    >>> by_name("nothing but sg-0123456789abcdef0", names)
    'nothing but web (sg-0123456789abcdef0)'
    >>> by_name("aws … --group-id sg-0123456789abcdef0", names)
    'aws … --group-id sg-0123456789abcdef0'
    """
    told, end = [], 0
    for found in _ID.finditer(text):
        id, name = found[0], clean(called.get(found[0]))
        if not name or _is_odd(id, called) or _ID.search(name):
            continue
        rest = text[found.end() :]
        told.append(text[end : found.start()])
        end = found.end()
        if not id.startswith("sgr-") and re.match(rf" \({re.escape(name)}(?=[,、)])", rest):
            told.append(f"{name} ({id}")
            end += len(name) + 2
        else:
            # What a rule is called is whatever somebody noted on it: it follows.
            both = named(id, name) if id.startswith("sgr-") else named(name, id)
            told.append(id if rest.startswith(" (") else both)
    return "".join([*told, text[end:]])


# -- what was looked at -----------------------------------------------------------------------


def places(audit: "Audit") -> pd.DataFrame:
    """Return one row per account and region: endpoints found, calls made, and how they ended."""
    endpoints = audit.tables["client_vpn_endpoints"]
    gaps = audit.tables.gaps("client_vpn_endpoints")
    rows = []
    for account, region in audit.snapshot.places:
        calls = [c for c in audit.snapshot.calls if (c.account, c.region) == (account, region)]
        ended = [c.status for c in calls]
        here = (endpoints["account"] == account) & (endpoints["region"] == region)
        unseen = ((gaps["account"] == account) & (gaps["region"] == region)).any()
        rows.append(
            {
                "account": account,
                "region": region,
                "endpoints": tr_as("cell", "could not be read") if unseen else str(int(here.sum())),
                "calls": len(calls),
                "read": ended.count("ok"),
                "denied": ended.count("denied"),
                "failed": ended.count("failed"),
                "unsupported": ended.count("unsupported"),
            }
        )
    return pd.DataFrame(
        rows,
        columns=[
            "account",
            "region",
            "endpoints",
            "calls",
            "read",
            "denied",
            "failed",
            "unsupported",
        ],
    )


def refused_calls(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return one row per call that gave no answer, with the tables that lack it."""
    call = [
        "account",
        "region",
        "service",
        "operation",
        "resource",
        "status",
        "error_code",
        "error_message",
        "iam_action",
    ]
    tables: dict[tuple[str, ...], set[str]] = {}
    for record in gaps[[*call, "table"]].to_numpy(dtype=object).tolist():
        told = tuple(value if isinstance(value, str) else "" for value in record)
        tables.setdefault(told[:-1], set()).add(told[-1])
    rows = [(*key, tuple(sorted(lacking))) for key, lacking in sorted(tables.items())]
    return pd.DataFrame(rows, columns=[*call, "tables"])


def beyond(audit: "Audit") -> pd.DataFrame:
    """Return what checks lack and no call was refused for: what lies elsewhere, or AWS does not tell.

    The columns are those of :func:`refused_calls`.
    """
    blocked = blocked_checks(audit.findings)
    if not blocked:
        return refused_calls(audit.gaps.head(0))
    lacking = refused_calls(pd.concat([f.gaps for f in blocked]).drop_duplicates())
    return lacking[~asked(audit, lacking)].reset_index(drop=True)


def asked(audit: "Audit", lacking: pd.DataFrame) -> "pd.Series[bool]":
    """Say which missing answers are of calls that were made, or should have been."""
    call = ["account", "region", "service", "operation", "resource"]
    made = set(map(tuple, refused_calls(audit.gaps)[call].to_numpy()))
    return pd.Series(
        [tuple(row) in made for row in lacking[call].to_numpy()], index=lacking.index, dtype=bool
    )


def blocked_checks(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that could not be judged, or not wholly, for want of an answer."""
    return tuple(f for f in findings if len(f.gaps))


def coverage_sentence(audit: "Audit") -> str:
    """Return in one sentence how much of what was asked could be read."""
    calls = audit.snapshot.calls
    read = sum(call.status == "ok" for call in calls)
    refused = len(refused_calls(audit.gaps))
    if not refused:
        return tr("All {number} calls were answered.", number=len(calls))
    return tr(
        "{read} of {number} calls were answered; {nouns} missing.",
        read=read,
        number=len(calls),
        nouns=count(refused, "answer"),
        refused=refused,
    )


# -- the findings -----------------------------------------------------------------------------


def by_urgency(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings: failing ones first, then what could not be assessed, the severe ones first."""
    return tuple(
        sorted(
            findings,
            key=lambda f: (
                _ORDER.index(f.status),
                -f.check.severity.rank,
                -len(f.evidence),
                f.check.id,
            ),
        )
    )


def counts(findings: Iterable[Finding]) -> dict[Status, int]:
    """Return how many findings have each status."""
    found = list(findings)
    return {status: sum(f.status is status for f in found) for status in Status}


def is_note(finding: Finding) -> bool:
    """Say whether a finding fails but is only information: a choice to know of, which AWS leaves open.

    Its status is ``fail`` all the same; people are shown it apart from what is to be mended.
    """
    return finding.status is Status.FAIL and finding.check.severity is Severity.INFO


def outcome(finding: Finding) -> str:
    """Return how a finding came out as people are told: one of ``OUTCOMES``."""
    return "information" if is_note(finding) else finding.status.value


def tally(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings came out how, in the order of ``TALLIED``."""
    came_out = [superseded(finding) or outcome(finding) for finding in findings]
    return {name: came_out.count(name) for name in TALLIED}


def failing_counted(findings: Iterable[Finding]) -> str:
    """Return how many findings fail and how many are information, in a phrase."""
    found = tally(findings)
    told = [tr("{number} fail", number=found["fail"])]
    if found["information"]:
        told.append(tr("{number} for information", number=found["information"]))
    return listed(told)


def down(audit: "Audit") -> tuple[Outage, ...]:
    """Return the endpoints at which nobody can begin a session, the longest so first."""
    return outages(audit.tables, audit.findings)


def stopped(outage: Outage) -> str:
    """Say since when nobody can begin a session at an endpoint, by whose word, and who is left."""
    who = {
        "endpoint": clean(outage.name) or outage.endpoint_id,
        "since": when(outage.since),
        "ground": outage.ground,
    }
    said = (
        tr("Nobody can connect to {endpoint} since {since}: {ground}. We did not test this.", **who)
        if pd.isna(outage.read_at)
        else tr(
            "Nobody can connect to {endpoint} since {since}, {ago} before the snapshot: {ground}. We did "
            "not test this.",
            **who,
            ago=_lasting(outage.read_at - outage.since),
        )
    )
    return sentences(said, _left(outage.live))


def _lasting(time: Any) -> str:
    days = int(time / pd.Timedelta(days=1))
    if days:
        return tr("one day") if days == 1 else tr("{number:,} days", number=days)
    hours = int(time / pd.Timedelta(hours=1))
    if hours:
        return tr("one hour") if hours == 1 else tr("{number:,} hours", number=hours)
    return tr("less than an hour")


def _left(live: "pd.DataFrame | None") -> str:
    if live is None:
        return tr("Whether sessions that began before go on was not read.")
    if live.empty:
        return tr("No session was live any more.")
    return (
        tr("One session that began before was still live.")
        if len(live) == 1
        else tr("{number:,} sessions that began before were still live.", number=len(live))
    )


def verdict(audit: "Audit") -> tuple[str, ...]:
    """Return the verdict in a few parts that can stand alone.

    What is down comes first, then what is worst, what was looked at and how it came out, what is in
    order, and what could not be judged.
    """
    said = identity(audit)
    table = places(audit)
    unseen = list(table.loc[~table["endpoints"].str.isdigit(), "region"])
    number = len(audit.tables["client_vpn_endpoints"])
    parts = {
        "regions": count(len(said.regions), "Region"),
        "accounts": count(len(said.accounts), "account"),
        "when": when(said.finished or said.started),
    }
    failing = by_urgency(f for f in audit.findings if f.status is Status.FAIL)
    told = [*(stopped(outage) for outage in down(audit)), *_severe(audit, failing)]
    told.append(
        tr(
            "{endpoints} in {regions} of {accounts} {is_are} looked at, as things stood at {when}.",
            **parts,
            endpoints=opening(count(number, "Client VPN endpoint")),
            is_are="was" if number == 1 else "were",
        )
        if number
        else tr(
            "No Client VPN endpoint was seen in {regions} of {accounts}, "
            "as things stood at {when}.",
            **parts,
        )
    )
    if unseen:
        told.append(
            tr(
                "The endpoints of {unseen} could not be listed, so nothing can be said of them.",
                unseen=listed(unseen),
            )
        )
    told.append(_result(audit.findings, [f for f in failing if not is_note(f)]))
    told += _most_severe(failing)
    told += _in_order(audit.findings)
    partly = [f for f in blocked_checks(audit.findings) if f.status is not Status.NOT_ASSESSED]
    if partly:
        told.append(_partly(partly, names(audit)))
    if waived := [day for f in audit.findings for day in f.accepted.get("accepted_until", ())]:
        about = {
            "pieces": opening(count(len(waived), "piece")),
            "is_are": "is an accepted risk" if len(waived) == 1 else "are accepted risks",
            "day": min(waived),
        }
        told.append(
            tr("{pieces} of evidence {is_are} and not counted, until {day}.", **about)
            if min(waived) == max(waived)
            else tr(
                "{pieces} of evidence {is_are} and not counted, the first of them until {day}.",
                **about,
            )
        )
    return tuple(told)


def _most_severe(failing: Sequence[Finding]) -> list[str]:
    """Return the worst finding in short where none is severe."""
    first = next(iter(failing), None)
    if first is None or is_note(first) or _is_severe(first):
        return []
    said = tr(first.check.severity.value)
    return [tr("The most severe is {severity}: {answer}", severity=said, answer=short(first))]


def _is_severe(finding: Finding) -> bool:
    return finding.check.severity.rank >= Severity.HIGH.rank


def _severe(audit: "Audit", failing: Sequence[Finding]) -> list[str]:
    """Return what is severe, a sentence per endpoint, in a part per severity.

    What an outage tells already is left out. What is found at one endpoint is one sentence, so
    that receivers which several findings name are told once.
    """
    told = {(outage.check_id, outage.endpoint_id) for outage in down(audit)}
    at: dict[str, list[Finding]] = {}
    clauses: dict[Severity, list[str]] = {}
    for finding in filter(_is_severe, failing):
        clauses.setdefault(finding.check.severity, [])
        if finding.check.population != "client_vpn_endpoints":
            clauses[finding.check.severity].append(first_sentence(finding.answer))
            continue
        for id in finding.evidence["endpoint_id"].unique():
            if (finding.check.id, id) not in told:
                at.setdefault(id, []).append(finding)
    for id in list(at)[:_ENDPOINTS_TOLD]:
        worst = max((f.check.severity for f in at[id]), key=lambda one: one.rank)
        said = tr("{sentence}.", sentence=_at_endpoint(audit, at[id], id))
        clauses[worst].append(said)
    if (rest := len(at) - _ENDPOINTS_TOLD) > 0:
        last = next(reversed(clauses))
        more = count(rest, "more endpoint")
        clauses[last].append(tr("Something as severe is found at {endpoints}.", endpoints=more))
    return [
        tr(
            "{severity}: {answer}",
            severity=opening(tr(severity.value)),
            answer=sentences(*said),
        )
        for severity, said in clauses.items()
        if said
    ]


def _both(clauses: Iterable[str]) -> str:
    """Return clauses as one."""
    return reduce(lambda one, other: tr("{one} and {other}", one=one, other=other), clauses)


_ENDPOINTS_TOLD = 3
_IDLE = "endpoint-is-idle"


def _at_endpoint(audit: "Audit", found: Sequence[Finding], id: str) -> str:
    """Return in a clause what findings are at one endpoint, and whom they let reach what."""
    called = names(audit)
    label = spoken([id], called)[0]
    idle = (f.evidence for f in audit.findings if f.check.id == _IDLE)
    if any((evidence["endpoint_id"] == id).any() for evidence in idle):
        label = tr("{endpoint}, which nobody seems to use,", endpoint=label)
    said = tr(
        "{endpoint} {singular}",
        endpoint=label,
        singular=_both(f.check.condition[0] for f in found),
        plural=_both(f.check.condition[1] for f in found),
    )
    rows = [f.evidence[f.evidence["endpoint_id"] == id] for f in found if "eni_id" in f.evidence]
    if not rows:
        return said
    here = pd.concat([part[["region", "eni_id"]] for part in rows])
    reached = audit.tables.shared("reached_interfaces")
    ways = {row.eni_id: row for row in rows_where(reached, reached["endpoint_id"] == id)}
    unread = audit.tables.gaps("reached_interfaces")["region"].isin(set(here["region"])).any()
    by: dict[str, list[str]] = {}
    for eni in dict.fromkeys(here["eni_id"].dropna()):
        way = ways.get(eni)
        by.setdefault(
            ("unknown" if unread else "none")
            if way is None
            else "everyone"
            if way.everyone_ports
            else "some"
            if way.ports
            else "unknown",
            [],
        ).append(eni)
    parts = [
        tr(
            text,
            receivers=tr(
                "{number} ({names})",
                number=count(len(by[how]), "receiver"),
                names=listed(spoken(by[how], called), most=3),
            ),
        )
        for how, text in _REACHED.items()
        if how in by
    ]
    return tr("{said}: {reached}", said=said, reached=listed(parts)) if parts else said


_REACHED = {
    "everyone": marked("every user reaches {receivers}"),
    "some": marked("users of some groups reach {receivers}"),
    "unknown": marked("whether packets get to {receivers} could not be read"),
    "none": marked("users do not get to {receivers} today"),
}
"""Who reaches the interfaces that a finding names, by what is known of the way."""


_SUBJECTS = {
    "addressing": marked("client addresses"),
    "authentication": marked("authentication and certificates"),
    "authorization": marked("authorization"),
    "availability": marked("availability"),
    "cedar_policies": marked("authorization policies"),
    "connect_handler": marked("connect handlers"),
    "dead_configuration": marked("leftovers"),
    "default_groups": marked("default security groups"),
    "device_posture": marked("device posture"),
    "endpoint_groups": marked("the endpoints' security groups"),
    "idle": marked("use"),
    "limits": marked("quotas"),
    "logging": marked("logging"),
    "reach": marked("who reaches what"),
    "receivers": marked("the receivers' rules"),
    "sessions": marked("sessions"),
    "unused": marked("unused groups"),
}
"""What the checks of each subject are about."""


def _in_order(findings: Sequence[Finding]) -> list[str]:
    """Say which subjects are wholly in order, those of most checks first; nothing where none is.

    One of which a check's warning has come somewhere is not.
    """
    about: dict[str, list[bool]] = {}
    beyond = {f.check.subject for f in findings if f.check.leaves_open and f.left_out}
    for finding in findings:
        if finding.status is not Status.NOT_APPLICABLE:
            passes = finding.status is Status.PASS and not finding.overtaken
            about.setdefault(finding.check.subject, []).append(passes)
    passing = sorted(
        (subject for subject, all_of in about.items() if all(all_of)),
        key=lambda subject: (-len(about[subject]), subject),
    )
    if not passing or all(map(all, about.values())):
        return []
    return [
        tr(
            "In order: {subjects}.",
            subjects=listed(
                (
                    tr(
                        "{subject} ({checks}, as far as was looked at)"
                        if subject in beyond
                        else "{subject} ({checks})",
                        subject=tr(_SUBJECTS.get(subject, subject)),
                        checks=count(len(about[subject]), "check"),
                    )
                    for subject in passing
                ),
                most=8,
            ),
        )
    ]


def _partly(findings: Sequence[Finding], called: Mapping[str, str]) -> str:
    """Say how many checks saw only part, where, and what to allow."""
    lacking = refused_calls(pd.concat([f.gaps for f in findings]).drop_duplicates())
    denied = lacking[(lacking["status"] == "denied") & (lacking["iam_action"] != "")]
    about = denied if len(denied) else lacking
    where_ = listed(sorted(set(about["region"]) - {""}), most=3)
    some = opening(count(len(findings), "check"))
    said = (
        tr("{checks} saw only part of what it should have seen", checks=some)
        if len(findings) == 1
        else tr("{checks} saw only part of what they should have seen", checks=some)
    )
    if len(denied):
        actions = listed(sorted(set(denied["iam_action"])), most=4)
        return sentences(
            tr(
                "{said}: in {regions} AWS refused {actions}.",
                said=said,
                regions=where_,
                actions=actions,
            ),
            _beyond_permissions(findings, called),
        )
    return tr("{said}: answers are missing in {regions}.", said=said, regions=where_)


def _beyond_permissions(findings: Sequence[Finding], called: Mapping[str, str]) -> str:
    """Say how many checks would see only part with every permission, and why; empty where none."""
    untold = {
        finding.check.id: [
            clean(row.error_message, 200) for row in rows_of(finding.gaps) if left_open(row)
        ]
        for finding in findings
    }
    held = {id: whys for id, whys in untold.items() if whys}
    if not held:
        return ""
    return tr(
        "With these permissions {checks} would still see only part: {why}.",
        checks=count(len(held), "check"),
        why=by_name(
            listed(dict.fromkeys(why for whys in held.values() for why in whys), most=2), called
        ),
    )


def severities_of(failing: Sequence[Finding]) -> str:
    """Return how many findings are of each severity, the worst first: "2 high and 4 low"."""
    return listed(
        tr(
            "{number} {severity}",
            number=sum(f.check.severity is severity for f in failing),
            severity=tr(severity.value),
        )
        for severity in reversed(Severity)
        if any(f.check.severity is severity for f in failing)
    )


def _result(findings: Sequence[Finding], failing: Sequence[Finding]) -> str:
    if not findings:
        return tr("No check was made.")
    severities = severities_of(failing)
    found = tally(findings)
    told = [outcome for outcome in _CAME_OUT if found[outcome]]
    if len(told) == 1:
        _, _, every = _CAME_OUT[told[0]]
        return tr(every, number=len(findings), severities=severities)
    parts = (
        tr(_CAME_OUT[outcome][found[outcome] != 1], number=found[outcome], severities=severities)
        for outcome in told
    )
    return tr("Of {checks}, {list}.", checks=count(len(findings), "check"), list=listed(parts))


_CAME_OUT = {
    "fail": (
        marked("{number} fails ({severities})"),
        marked("{number} fail ({severities})"),
        marked("All {number} checks fail ({severities})."),
    ),
    "information": (
        marked("{number} is for information"),
        marked("{number} are for information"),
        marked("All {number} checks are for information."),
    ),
    "accepted": (
        marked("{number} is accepted"),
        marked("{number} are accepted"),
        marked("All {number} checks are accepted."),
    ),
    "pass": (
        marked("{number} passes"),
        marked("{number} pass"),
        marked("All {number} checks pass."),
    ),
    "passes_elsewhere": (
        marked("{number} passes in part"),
        marked("{number} pass in part"),
        marked("All {number} checks pass in part."),
    ),
    "has_come": (
        marked("{number} is overtaken: what it warns of has come"),
        marked("{number} are overtaken: what they warn of has come"),
        marked("All {number} checks are overtaken: what they warn of has come."),
    ),
    "not_assessed": (
        marked("{number} could not be assessed"),
        marked("{number} could not be assessed"),
        marked("All {number} checks could not be assessed."),
    ),
    "not_applicable": (
        marked("{number} does not apply"),
        marked("{number} do not apply"),
        marked("All {number} checks do not apply."),
    ),
}
"""How many checks came out how: one, several, all of them."""


def ratings(check: Check) -> tuple[str, ...]:
    """Return in sentences who rates what a check looks at, and how; whose rating each is."""
    return tuple(_rated(*pair) for pair in sorted(check.ratings.items()))


_OPPOSITES = (marked("all outbound is open"),)
_OPPOSITE = re.compile(r"(?P<tool>.+) \(reports the opposite: (?P<fact>.+)\)")


def _rated(tool: str, rating: str) -> str:
    """Return in a sentence how another tool rates the fact, or its opposite.

    >>> _rated("Security Hub EC2.2", "High"), _rated("CIS AWS Foundations", "Level 2")
    ('Security Hub EC2.2 rates it High.', 'CIS AWS Foundations puts it at Level 2.')
    >>> _rated("Trivy (reports the opposite: all outbound is open)", "Critical")
    'Trivy objects to the opposite: where all outbound is open, it reports that as Critical.'
    >>> _rated("Checkov (reports the opposite: all outbound is open)", "fails")
    'Checkov objects to the opposite: where all outbound is open, its check fails.'
    """
    opposite = _OPPOSITE.fullmatch(tool)
    if opposite is None:
        return (
            tr("{tool} puts it at {rating}.", tool=tool, rating=rating)
            if rating.startswith("Level")
            else tr("{tool} rates it {rating}.", tool=tool, rating=rating)
        )
    about = {"tool": opposite["tool"], "fact": tr(opposite["fact"])}
    return (
        tr("{tool} objects to the opposite: where {fact}, its check fails.", **about)
        if rating == "fails"
        else tr(
            "{tool} objects to the opposite: where {fact}, it reports that as {rating}.",
            **about,
            rating=rating,
        )
    )


def headline(finding: Finding) -> str:
    """Return what a finding is headed with: what is wrong where it fails, else what is checked.

    A check's title says what should be; where the check fails, it is not so.
    """
    failing = finding.status in {Status.FAIL, Status.ACCEPTED}
    return first_sentence(finding.answer) if failing else finding.check.title


def beneath(finding: Finding) -> tuple[str, ...]:
    """Return in sentences what stands below a finding's headline: the rest of its answer."""
    if finding.status not in {Status.FAIL, Status.ACCEPTED}:
        return (finding.answer,)
    flat = " ".join(finding.answer.split())
    rest = flat.removeprefix(first_sentence(flat)).strip()
    return (rest,) if rest else ()


def short(finding: Finding) -> str:
    """Return a finding's answer as it stands in lists: its first sentence, and that there may be more."""
    first = first_sentence(finding.answer)
    partly = finding.status is Status.FAIL and len(finding.gaps)
    return sentences(first, tr("There may be more: part could not be read.")) if partly else first


def passes_as(finding: Finding) -> str:
    """Return how a check that passes is shown where what it warns of has come; empty elsewhere."""
    key = superseded(finding)
    return tr(TALLIED[key][1]) if key else ""


def superseded(finding: Finding) -> str:
    """Return the key of ``TALLIED`` for a check that passes though what it warns of has come; else none."""
    if finding.status is not Status.PASS or not finding.overtaken:
        return ""
    return "passes_elsewhere" if finding.population > len(finding.overtaken) else "has_come"


def overtaken(finding: Finding, called: Mapping[str, str]) -> str:
    """Say of which endpoints a check says nothing, as what it warns of has come there."""
    if not finding.overtaken:
        return ""
    return tr(
        "It has come at {endpoints}: {check}.",
        endpoints=listed(spoken(finding.overtaken, called), most=3),
        check=finding.check.ends_as,
    )


def acceptances(finding: Finding) -> tuple[str, ...]:
    """Return in words who accepted what of a finding, and why: each said once, with its rows."""
    rows: dict[str, int] = {}
    for row in finding.accepted.itertuples():
        said = acceptance(row)
        rows[said] = rows.get(said, 0) + 1
    return tuple(
        tr("{pieces} of evidence {said}", pieces=opening(count(number, "piece")), said=said)
        for said, number in rows.items()
    )


def where(
    finding: Finding, called: Mapping[str, str], beside: Mapping[str, str] | None = None
) -> str:
    """Return the endpoints and security groups of a finding's evidence by name, three of each.

    Where it names no groups, its interfaces.

    Where all evidence is accepted, those of the accepted evidence.

    Things are called as :func:`spoken` does.

    Parameters
    ----------
    called
        Names by id, as :func:`names` returns them.
    beside
        What to say in brackets behind a thing, by its id.
    """
    told = beside or {}
    said = []
    shown = finding.evidence if len(finding.evidence) else finding.accepted
    for column, noun in (
        ("endpoint_id", marked("endpoint")),
        ("group_id", marked("security group")),
        ("eni_id", marked("interface")),
    ):
        if column not in shown or (column == "eni_id" and "group_id" in shown):
            continue
        ids = list(dict.fromkeys(shown[column].dropna().astype(str)))
        if noun == "security group":  # an authorization rule's group is one of users
            ids = [id for id in ids if id.startswith("sg-")]
        if ids:
            ids.sort(key=lambda one: _is_odd(one, called))
            labels = listed(
                (
                    tr("{name} ({remark})", name=label, remark=told[id]) if id in told else label
                    for id, label in zip(ids, spoken(ids, called), strict=True)
                ),
                most=3,
            )
            called_so = tr(noun) if len(ids) == 1 else plural(noun)
            said.append(tr("{noun} {names}", noun=called_so, names=labels))
    return tr_as("list", "; ").join(said)


def _is_odd(id: str, called: Mapping[str, str]) -> bool:
    """Say whether a thing's name looks like something else, or its id stands for such a name."""
    name = called.get(id, "")
    return name.startswith(f"{id} ") or is_disguised(name)


def _label(id: str, called: Mapping[str, str], others: Sequence[str]) -> str:
    """Return a thing's name, with its id where the name does not tell it from the others."""
    if is_disguised(called.get(id, "")):
        return tr("{id} (suspicious name)", id=id)
    name = clean(called.get(id))
    alike = sum(clean(called.get(other)) == name for other in others)
    return named(id, name) if not name or name == "default" or alike > 1 else name


def when(moment: datetime | None) -> str:
    """Return a moment for people, in UTC.

    >>> from datetime import UTC
    >>> when(datetime(2026, 11, 20, 9, 30, tzinfo=UTC)), when(None)
    ('2026-11-20 09:30 UTC', 'a time the snapshot does not record')
    """
    if moment is None:
        return tr("a time the snapshot does not record")
    return minute(moment)


def cost_of(read: Read) -> tuple[str, ...]:
    """Return the ids of the checks that a refusal of this read leaves open."""
    return tuple(
        sorted(
            made.id for made in checks() if read.id in reads_behind(made.population, *made.needs)
        )
    )
