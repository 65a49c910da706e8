"""What an audit says as a whole: sentences, counts and short frames, without any HTML.

Everything is worked out from the findings, the gaps and the calls; nothing here judges anew.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd

from auditlib.aws.reads import Read
from auditlib.characters import is_unseen
from auditlib.check import Check, Finding, Severity, Status, checks
from auditlib.frames import rows_of
from auditlib.gaps import reads_behind
from auditlib.language import current, marked, sentences, tr, tr_as
from auditlib.words import acceptance, clean, count, listed, named, opening, plural

if TYPE_CHECKING:
    from auditlib.audit import Audit
    from auditlib.tables import Tables

__all__ = [
    "OUTCOMES",
    "Identity",
    "Step",
    "acceptances",
    "beneath",
    "beyond",
    "blocked_checks",
    "by_urgency",
    "cost_of",
    "counts",
    "coverage_sentence",
    "first_steps",
    "headline",
    "identity",
    "is_note",
    "names",
    "names_in",
    "outcome",
    "places",
    "ratings",
    "refused_calls",
    "short",
    "strange_names",
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
        return (
            ", ".join(self.accounts) if len(self.accounts) <= 4 else listed(self.accounts, most=3)
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do.

    Attributes
    ----------
    what
        What to do, which begins with a verb.
    where
        The endpoints and groups it concerns, by name; a Region where a call was refused.
    how
        The rest of the remedy's first sentence.
    why
        Why it comes before others.
    check_id
        The finding it answers; empty for "grant and read again".
    ends
        When what it is about ended, or ends; empty where nothing does.
    sessions
        That it ends live sessions; empty where it ends none for certain.
    """

    what: str
    where: str = ""
    how: str = ""
    why: str
    check_id: str = ""
    ends: str = ""
    sessions: str = ""


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
    """Return what people call the things behind ids: a Name tag, a rule's description."""
    return audit.names


def names_in(tables: "Tables") -> dict[str, str]:
    """Return what people call the things behind ids in some tables."""
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
    return found


_MARKUP_OR_FORMULA = re.compile(r"<[a-z/!]|^\s*[=@]|^\s*[+-].*\(", re.IGNORECASE)


def strange_names(audit: "Audit") -> str:
    """Return a note on names that look like something else; empty where there is none.

    Names are whatever those who can write to the account set: markup, a spreadsheet's formula, or
    characters nobody sees, which can turn a file's name round.
    """
    strange = [
        id
        for id, name in audit.names.items()
        if _MARKUP_OR_FORMULA.search(name) or any(map(is_unseen, name))
    ]
    if not strange:
        return ""
    about = tr("Names are printed as AWS holds them; characters nobody sees are written out.")
    which = listed(sorted(strange), most=3)
    if len(strange) == 1:
        return sentences(
            about,
            tr(
                "One looks like markup, a formula or a disguised file name ({ids}): ask who set it.",
                ids=which,
            ),
        )
    return sentences(
        about,
        tr(
            "{number} look like markup, formulas or disguised file names ({ids}): ask who set them.",
            number=len(strange),
            ids=which,
        ),
    )


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
    return lacking[~_asked(audit, lacking)].reset_index(drop=True)


def _asked(audit: "Audit", lacking: pd.DataFrame) -> "pd.Series[bool]":
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
        "{read} of {number} calls were answered; {refused} missing.",
        read=read,
        number=len(calls),
        refused=count(refused, "answer"),
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
    """Return how many findings came out how, in the order of ``OUTCOMES``."""
    came_out = list(map(outcome, findings))
    return {name: came_out.count(name) for name in OUTCOMES}


def failing_counted(findings: Iterable[Finding]) -> str:
    """Return how many findings fail and how many are information, in a phrase."""
    found = tally(findings)
    told = [tr("{number} fail", number=found["fail"])]
    if found["information"]:
        told.append(tr("{number} for information", number=found["information"]))
    return listed(told)


def verdict(audit: "Audit") -> tuple[str, ...]:
    """Return the verdict in a few sentences that can stand alone."""
    said = identity(audit)
    table = places(audit)
    unseen = list(table.loc[~table["endpoints"].str.isdigit(), "region"])
    number = len(audit.tables["client_vpn_endpoints"])
    parts = {
        "regions": count(len(said.regions), "Region"),
        "accounts": count(len(said.accounts), "account"),
        "when": when(said.finished or said.started),
    }
    told = [
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
    ]
    if unseen:
        told.append(
            tr(
                "The endpoints of {unseen} could not be listed, so nothing can be said of them.",
                unseen=listed(unseen),
            )
        )
    failing = by_urgency(f for f in audit.findings if f.status is Status.FAIL)
    told.append(_result(audit.findings, [f for f in failing if not is_note(f)]))
    if failing and not is_note(failing[0]):
        worst = failing[0]
        told.append(
            tr(
                "The most severe is {severity}: {answer}",
                severity=tr(worst.check.severity.value),
                answer=short(worst),
            )
        )
    partly = [f for f in blocked_checks(audit.findings) if f.status is not Status.NOT_ASSESSED]
    if partly:
        some = opening(count(len(partly), "check"))
        told.append(
            tr("{checks} saw only part of what it should have seen.", checks=some)
            if len(partly) == 1
            else tr("{checks} saw only part of what they should have seen.", checks=some)
        )
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


def _result(findings: Sequence[Finding], failing: Sequence[Finding]) -> str:
    if not findings:
        return tr("No check was made.")
    by_severity = [
        tr(
            "{number} {severity}",
            number=sum(f.check.severity is severity for f in failing),
            severity=tr(severity.value),
        )
        for severity in reversed(Severity)
        if any(f.check.severity is severity for f in failing)
    ]
    severities = listed(by_severity)
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


def first_steps(audit: "Audit", number: int = 4) -> tuple[Step, ...]:
    """Return the things to do first.

    What has ended comes first, then what ends soon, then failing findings by severity. Where a
    check could not be assessed, granting what was refused comes before anything of medium severity
    or below, for it may hide something worse; it is told even where more than ``number`` things
    are worse.
    """
    failing = [f for f in by_urgency(audit.findings) if f.status is Status.FAIL]
    ended = {made.ends_as for made in checks() if made.ends_as}
    failing.sort(key=lambda f: 0 if f.check.id in ended else 1 if f.check.ends_as else 2)
    urgent = [
        f
        for f in failing
        if f.check.severity.rank >= Severity.HIGH.rank or f.check.id in ended or f.check.ends_as
    ]
    rest = [f for f in failing if f not in urgent]
    called = names(audit)
    again = _read_again(audit)
    steps = [
        *(_step(audit, f, called, failing) for f in urgent),
        *again,
        *(_step(audit, f, called, failing) for f in rest),
    ]
    told = steps[:number]
    return (*told, *(step for step in again if step not in told))


def headline(finding: Finding) -> str:
    """Return what a finding is headed with: what is wrong where it fails, else what is checked.

    A check's title says what should be; where the check fails, it is not so.
    """
    failing = finding.status in {Status.FAIL, Status.ACCEPTED}
    return _first_sentence(finding.answer) if failing else finding.check.title


def beneath(finding: Finding) -> tuple[str, ...]:
    """Return in sentences what stands below a finding's headline: the rest of its answer."""
    if finding.status not in {Status.FAIL, Status.ACCEPTED}:
        return (finding.answer,)
    flat = " ".join(finding.answer.split())
    rest = flat.removeprefix(_first_sentence(flat)).strip()
    return (rest,) if rest else ()


def short(finding: Finding) -> str:
    """Return a finding's answer as it stands in lists: its first sentence, and that there may be more."""
    first = _first_sentence(finding.answer)
    partly = finding.status is Status.FAIL and len(finding.gaps)
    return sentences(first, tr("There may be more: part could not be read.")) if partly else first


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


def where(finding: Finding, called: Mapping[str, str]) -> str:
    """Return the endpoints and security groups of a finding's evidence by name, three of each.

    Where it names no groups, its interfaces.

    Where all evidence is accepted, those of the accepted evidence.

    What has no name is called by its id; so is a group called ``default``, for every VPC has one.

    Parameters
    ----------
    called
        Names by id, as :func:`names` returns them.
    """
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
            labels = listed((_label(id, called, ids) for id in ids), most=3)
            called_so = tr(noun) if len(ids) == 1 else plural(noun)
            said.append(tr("{noun} {names}", noun=called_so, names=labels))
    return tr_as("list", "; ").join(said)


def _label(id: str, called: Mapping[str, str], others: Sequence[str]) -> str:
    """Return a thing's name, with its id where the name does not tell it from the others."""
    name = clean(called.get(id))
    alike = sum(clean(called.get(other)) == name for other in others)
    return named(id, name) if not name or name == "default" or alike > 1 else name


def _ends(audit: "Audit", finding: Finding) -> str:
    """Return when what a finding is about ended, or ends, the first of them."""
    said = identity(audit)
    moment = said.finished or said.started
    rows = finding.evidence.astype(object).to_numpy().ravel()
    ends = [one for one in rows if isinstance(one, datetime) and not pd.isna(one)]
    if moment is None or not ends:
        return ""
    first = min(ends)
    if first <= moment:
        return tr("Ended on {day}.", day=f"{first:%Y-%m-%d}")
    days = (first - moment).days
    return tr(
        "Ends on {day}, {nouns} after the snapshot.",
        day=f"{first:%Y-%m-%d}",
        nouns=count(days, "day"),
        days=days,
    )


def _step(
    audit: "Audit", finding: Finding, called: Mapping[str, str], failing: Sequence[Finding]
) -> Step:
    what, how = _parted(finding.check.remedy)
    soon = finding.check.ends_as or finding.check.id in {made.ends_as for made in checks()}
    return Step(
        what=what,
        where=where(finding, called),
        how=how,
        why=tr(
            "{severity}: {answer}",
            severity=opening(tr(finding.check.severity.value)),
            answer=sentences(short(finding), *_gone_with(finding, failing)),
        ),
        check_id=finding.check.id,
        ends=_ends(audit, finding) if soon else "",
        sessions=tr("Live sessions may end: plan a window.") if finding.check.ends_sessions else "",
    )


def _gone_with(finding: Finding, failing: Iterable[Finding]) -> list[str]:
    """Say how much of a finding goes with others: its rows that rest on what they name alone."""
    evidence = finding.evidence
    if not {"endpoint_id", "eni_id", "rule_ids"} <= set(evidence):
        return []
    said = []
    for other in failing:
        if not other.check.names_access:
            continue
        named: dict[tuple[str, str], set[str]] = {}
        for row in rows_of(other.evidence):
            named.setdefault((row.endpoint_id, row.eni_id), set()).add(row.rule_id)
        gone = sum(
            bool(row.rule_ids)
            and set(row.rule_ids) <= named.get((row.endpoint_id, row.eni_id), set())
            for row in rows_of(evidence)
        )
        if gone:
            told = {"gone": gone, "all": len(evidence), "check": other.check.id}
            said.append(
                tr("All of it goes with the fix of {check}, as no other rule opens it.", **told)
                if gone == len(evidence)
                else tr(
                    "One of its {all:,} rows goes with the fix of {check}, as no other rule opens it.",
                    **told,
                )
                if gone == 1
                else tr(
                    "{gone:,} of its {all:,} rows go with the fix of {check}, as no other rule opens them.",
                    **told,
                )
            )
    return said


def _read_again(audit: "Audit") -> list[Step]:
    blocked = blocked_checks(audit.findings)
    if not blocked:
        return []
    lacking = refused_calls(pd.concat([f.gaps for f in blocked]).drop_duplicates())
    asked = _asked(audit, lacking)
    refused, open_questions = lacking[asked], lacking[~asked]
    actions = sorted(
        {
            a
            for a, s in zip(refused["iam_action"], refused["status"], strict=True)
            if s == "denied" and a
        }
    )
    old = bool((lacking["status"] == "unsupported").any())
    if refused.empty and not old:  # nothing that another reading of the account would answer
        grant = tr("Find out by hand what the snapshot cannot tell.")
    elif actions:
        grant = tr(
            "Allow {actions}, take a newer boto3 or AWS CLI and collect again."
            if old
            else "Allow {actions} and collect again.",
            actions=listed(actions),
        )
    elif old:
        grant = tr("Take a newer boto3 or AWS CLI and collect again.")
    else:
        grant = tr("Collect again.")
    whole = sum(f.status is Status.NOT_ASSESSED for f in blocked)
    part = len(blocked) - whole
    parts = []
    if whole:
        parts.append(tr("{checks} could not be assessed", checks=count(whole, "check")))
    if part:
        parts.append(tr("{checks} could be assessed only in part", checks=count(part, "check")))
    reasons = []
    if len(refused):
        reasons.append(tr("{calls} gave no answer", calls=count(len(refused), "call")))
    if len(open_questions):
        questions = count(len(open_questions), "more question")
        reasons.append(tr("the snapshot leaves {questions} open", questions=questions))
    about = refused if len(refused) else open_questions
    places_of = sorted(set(zip(about["region"], about["account"], strict=True)))
    return [
        Step(
            what=grant,
            where=listed(
                (
                    tr("{region} (account {account})", region=region, account=account)
                    for region, account in places_of
                ),
                most=3,
            ),
            why=tr(
                "{parts}: {reasons}.",
                parts=opening(listed(parts)),
                reasons=tr_as("list", ", and ").join(reasons),
            ),
        )
    ]


def _first_sentence(text: str) -> str:
    """Return the first sentence of a text.

    >>> _first_sentence("Create a group, e.g. vpn-users. Then apply it.")
    'Create a group, e.g. vpn-users.'
    """
    flat = " ".join(text.split())
    for at, character in enumerate(flat):
        if character == "。" and current() != "en":
            return flat[: at + 1]
        if character == "." and flat[at + 1 : at + 2] == " " and flat[at + 2 : at + 3].isupper():
            return flat[: at + 1]
    return flat


def _parted(remedy: str) -> tuple[str, str]:
    """Return what to do, and how."""
    first = _first_sentence(remedy)
    if current() == "en":
        return _headed(first)
    # Where a colon does not part a sentence, the one after it says how.
    return first, _first_sentence(" ".join(remedy.split()).removeprefix(first).strip())


def _headed(sentence: str) -> tuple[str, str]:
    """Part a sentence at its first colon or semicolon, where it has one.

    >>> _headed("Make a new group: apply it.")
    ('Make a new group.', 'Apply it.')
    >>> _headed("Make a new group.")
    ('Make a new group.', '')
    """
    cuts = [at for at in (sentence.find(mark) for mark in (": ", "; ")) if at > 0]
    if not cuts:
        return sentence, ""
    return tr("{sentence}.", sentence=sentence[: min(cuts)]), opening(sentence[min(cuts) + 2 :])


def when(moment: datetime | None) -> str:
    """Return a moment for people, in UTC.

    >>> from datetime import UTC
    >>> when(datetime(2026, 11, 20, 9, 30, tzinfo=UTC)), when(None)
    ('2026-11-20 09:30 UTC', 'a time the snapshot does not record')
    """
    if moment is None:
        return tr("a time the snapshot does not record")
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def cost_of(read: Read) -> tuple[str, ...]:
    """Return the ids of the checks that a refusal of this read leaves open."""
    return tuple(
        sorted(
            made.id for made in checks() if read.id in reads_behind(made.population, *made.needs)
        )
    )
