"""Previews for people: which are shown, in few rows and a sentence each.

Everything here is worked out from a :class:`auditlib.changes.preview.Preview`; nothing is judged anew.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib import summary
from auditlib.addresses import NONE, Ranges, address_text, addresses, port_text, ports
from auditlib.check import Severity, Status, checks
from auditlib.frames import rows_of
from auditlib.language import current, marked, sentences, tr, tr_as
from auditlib.reached import group_word
from auditlib.summary import by_name, spoken
from auditlib.words import clean, count, deciding, listed, within

if TYPE_CHECKING:
    from auditlib.audit import Audit
    from auditlib.changes.preview import Preview

__all__ = [
    "ACCESS",
    "access",
    "access_stays",
    "advice",
    "chosen",
    "endpoint_called",
    "findings",
    "fixes",
    "left",
    "left_behind",
    "naming_access",
    "outcome",
    "outcomes",
    "outdone",
    "ready",
    "recommended",
    "remarks",
    "sentence",
    "title",
    "unused",
]

ACCESS = (
    "part",
    "change",
    "endpoint_id",
    "user_groups",
    "eni_id",
    "address",
    "traffic",
    "subnets",
    "before",
    "after",
)
"""Columns of :func:`access`."""

PARTS = ("side_effect", "named", "intended", "own_interface")
CHANGES = ("lost", "gained", "uncertain", "weaker", "steadier", "ground")

_AUTHORIZATION = "authorization: "


def chosen(
    audit: "Audit", fix: str = "", endpoint: str = "", plan: str = ""
) -> tuple["Preview", ...]:
    """Return the previews to show.

    Parameters
    ----------
    fix
        Ids of checks, set apart by spaces or commas: the fixes of these, together. Without any,
        each failing finding whose fix makes changes is previewed by itself, the most severe first
        (see ``Audit.fixes``).
    endpoint
        An endpoint's id or Name tag: only what concerns it.
    plan
        A plan file, previewed in place of fixes.

    Raises
    ------
    ParameterError
        When there is no such check or endpoint, when the plan is none, or both are given.
    """
    from auditlib.access import endpoint_of
    from auditlib.changes.plans import plan_of
    from auditlib.changes.preview import preview, proposal
    from auditlib.errors import ParameterError

    if plan:
        if fix or endpoint:
            raise ParameterError(tr("Give a plan file, or fixes and an endpoint, not both."))
        return (preview(audit.tables, plan_of(Path(plan)), known=audit.findings),)
    only = endpoint_of(audit.tables, endpoint) if endpoint else None
    if ids := re.split(r"[\s,]+", fix.strip()) if fix.strip() else []:
        return (proposal(audit.tables, ids, only, known=audit.findings),)
    found = (
        one
        if only is None or one.endpoint
        else proposal(audit.tables, one.checks, only, known=audit.findings)
        for one in audit.fixes
        if only is None or one.endpoint in {"", only}
    )
    return tuple(preview for preview in found if preview.steps)


def fixes(audit: "Audit") -> pd.DataFrame:
    """Return a row per failing finding, the most severe first: what its fix would do, or who decides.

    Columns ``check``, ``endpoint_id``, ``severity``, ``steps``, ``sessions_end`` and ``outcome``, a
    sentence. A fix that gives endpoints other groups has a row for each, with ``endpoint_id``.
    """
    rows = [
        {
            "check": finding.check.id,
            "endpoint_id": preview.endpoint or None,
            "severity": finding.check.severity.value,
            "steps": len(preview.steps),
            "sessions_end": preview.resets_sessions,
            "outcome": sentences(outcome(preview), *left(preview)),
        }
        for finding in audit.findings
        if finding.status is Status.FAIL
        for preview in audit.proposals(finding.check.id)
    ]
    columns = ["check", "endpoint_id", "severity", "steps", "sessions_end", "outcome"]
    return pd.DataFrame(rows, columns=columns)


def ready() -> frozenset[str]:
    """Return the checks that have a fix; the others say in ``decision`` why people decide."""
    from auditlib.changes.fixes import FIXES

    return frozenset(FIXES)


def title(preview: "Preview") -> str:
    """Return what a preview is of: a fix with its aim, which no preview claims to hold, or the plan."""
    titles = {check.id: check.title for check in checks()}
    if preview.endpoint and preview.checks:
        return tr(
            "Fix {endpoint} so that {title}",
            endpoint=endpoint_called(preview),
            title=within(titles[preview.checks[0]]),
        )
    if len(preview.checks) > 1:
        return tr("The fixes of {count} together", count=count(len(preview.checks), "finding"))
    if not preview.checks:
        return tr("The plan file")
    return tr("Fix so that {title}", title=within(titles[preview.checks[0]]))


def endpoint_called(preview: "Preview") -> str:
    """Return what people call the endpoint that a preview is about alone; its id where a name misleads."""
    return spoken([preview.endpoint], summary.names_in(preview.before))[0]


def outcome(preview: "Preview") -> str:
    """Return the verdict as a sentence; where there is no change, why."""
    if not preview.steps:
        return _by_name(preview, "".join(preview.decisions[:1])) or tr(
            "There is no change to make."
        )
    verdict = _by_name(preview, preview.brief)
    if current() == "en":
        verdict = verdict[:1].upper() + verdict[1:]
    return sentences(
        tr("{verdict}.", verdict=verdict),
        tr("Settle the name of {interfaces} first.", interfaces=listed(preview.unsettled, most=3))
        if preview.unsettled
        else "",
    )


def left(preview: "Preview") -> tuple[str, ...]:
    """Say how much a fix that makes changes leaves to people; nothing where it leaves nothing."""
    if not preview.steps or not preview.decisions:
        return ()
    number = len(preview.decisions)
    return (tr("Left to you: {nouns}.", nouns=count(number, "decision"), number=number),)


LONG = {"en": 260, "ja": 130}
"""Characters of a verdict beyond which it is told as a table, by language: Japanese ones say more."""


def outcomes(preview: "Preview") -> list[dict[str, str]]:
    """Return a verdict as rows of a table where it is long or a refused call is part of it; else none.

    Rows hold ``regions``, ``opens``, ``closes`` and ``unknown``, in words.
    """
    if len(preview.brief) <= LONG[current()] and not any(one.unread for one in preview.outcomes):
        return []
    return [
        {
            "regions": listed(one.regions),
            "opens": _both(one.opens, one.opens_meant),
            "closes": _both(
                one.closes,
                one.closes_meant,
                tr("{what}, which another finding names", what=one.closes_named)
                if one.closes_named
                else "",
            ),
            "unknown": tr_as("list", "; ").join(
                [
                    *(
                        [tr("part of what decides could not be read (see scope and method)")]
                        if one.unread
                        else []
                    ),
                    *(_by_name(preview, reason) for reason in one.unknown),
                ]
            ),
        }
        for one in preview.outcomes
    ]


def _unjudged(preview: "Preview") -> str:
    """Say where a fix cannot be judged whose verdict is a table; empty where it can."""
    unsure = [one for one in preview.outcomes if one.unread or one.unknown]
    if not unsure:
        return ""
    return tr(
        "It cannot be judged in {regions}: what is told of it is as far as was read.",
        regions=listed(region for one in unsure for region in one.regions),
    )


def _both(other: str, meant: str, *more: str) -> str:
    parts = [other, tr("{what}, as the finding asks", what=meant) if meant else "", *more]
    return tr_as("list", "; ").join(filter(None, parts))


def recommended(previews: Sequence["Preview"]) -> dict[str, "Preview"]:
    """Return, by endpoint, which of several fixes that exclude each other there to choose.

    It is the one after which most of what is found is gone, the severe before the mild; evidence
    that is gone while its access stays open by other rules does not count. Where two are as good,
    or none does anything of it, there is none. One that only keeps open what another closes is out of
    the question, whatever else it does.
    """
    best = {}
    for endpoint, rivals in _rival_fixes(previews).items():
        left = [one for one in rivals if not any(_keeps_open(one, other) for other in rivals)]
        if len(left) == 1:
            best[endpoint] = left[0]
            continue
        first, second = sorted(map(_closed, left), reverse=True)[:2]
        if first > second:
            best[endpoint] = next(one for one in left if _closed(one) == first)
    return best


def _keeps_open(one: "Preview", other: "Preview") -> bool:
    """Tell whether a fix is another with rules added, which keep open what that closes as it is meant to."""
    from auditlib.changes import AuthorizeRule

    mine, theirs = ({step.change for step in preview.steps} for preview in (one, other))
    if not theirs < mine or any(
        not isinstance(change, AuthorizeRule) or change.is_egress for change in mine - theirs
    ):
        return False
    lost, meant = one.access["change"] == "lost", other.access["part"] == "intended"
    closed = other.access[meant & (other.access["change"] == "lost")]
    where = ["endpoint_id", "eni_id", "group", "ip"]
    return not set(zip(*(closed[c] for c in where), strict=True)) <= set(
        zip(*(one.access.loc[lost, c] for c in where), strict=True)
    )


def outdone(previews: Sequence["Preview"]) -> tuple["Preview", ...]:
    """Return the fixes that for every endpoint they give other groups another fix outdoes."""
    best = recommended(previews)
    return tuple(
        one
        for one in previews
        if (switched := _switched(one)) and all(best.get(id, one) is not one for id in switched)
    )


def _rival_fixes(previews: Sequence["Preview"]) -> dict[str, list["Preview"]]:
    """Return, by endpoint, the fixes of which only one can be applied there, or undoes what another is for."""
    from auditlib.changes.change import is_new

    found: dict[str, list[tuple[Preview, frozenset[str]]]] = {}
    for preview in previews:
        for endpoint, groups in _switched(preview).items() if preview.checks else ():
            found.setdefault(endpoint, []).append((preview, groups))
    return {
        endpoint: [preview for preview, _ in held]
        for endpoint, held in sorted(found.items())
        if len(held) > 1
        and (
            len({g for _, g in held}) > 1
            or any(is_new(id) for _, g in held for id in g)
            or any(_keeps_open(one, other) for one, _ in held for other, _ in held)
        )
    }


def _closed(preview: "Preview") -> tuple[int, ...]:
    """Return how many pieces of evidence a fix ends, by severity, the worst first."""
    severity = {check.id: check.severity for check in checks()}
    gone = preview.findings[
        preview.findings["state"].eq("resolved") & ~preview.findings["access_stays"].astype(bool)
    ]
    of = [severity[id] for id in gone["check"]]
    return tuple(of.count(kind) for kind in reversed(Severity))


def advice(previews: Sequence["Preview"]) -> tuple[str, ...]:
    """Return for each preview what to choose where its fix excludes others; empty where it does not."""
    told: list[list[str]] = [[] for _ in previews]
    rivals = _rival_fixes(previews)
    for endpoint, best in recommended(previews).items():
        about = {
            "endpoint": spoken([endpoint], summary.names_in(best.before))[0],
            "check": listed(best.checks),
        }
        for texts, preview in zip(told, previews, strict=True):
            if all(preview is not one for one in rivals[endpoint]):
                continue
            if preview is best:
                text = marked(
                    "Recommended for {endpoint}: of the fixes for it, this one ends most of what is found."
                )
            elif _keeps_open(preview, best):
                text = marked(
                    "Not recommended: it keeps open at {endpoint} what the fix of {check} closes."
                )
            else:
                text = marked("For {endpoint}, the fix of {check} ends more of what is found.")
            texts.append(tr(text, **about))
    return tuple(sentences(*texts) for texts in told)


def sentence(preview: "Preview") -> str:
    """Return in a sentence or two what the changes are and do; a long verdict is :func:`outcomes`."""
    if not preview.steps:
        return tr(
            "There is no change to propose, so nobody's access changes; see what is left to you."
            if preview.decisions or preview.blanks
            else "There is no change to propose, so nobody's access changes."
        )
    times: dict[tuple[str, str], int] = {}
    for step in preview.steps:
        times[step.change.doing] = times.get(step.change.doing, 0) + 1
    steps = listed(tr(doing, count=count(number, noun)) for (doing, noun), number in times.items())
    return sentences(
        tr(
            "The fix would {steps}."
            if len(preview.checks) == 1 or preview.endpoint
            else "The plan would {steps}.",
            steps=steps,
        ),
        _unjudged(preview)
        if outcomes(preview)
        else tr("It {verdict}.", verdict=_by_name(preview, preview.brief)),
        tr("Live sessions end.")
        if preview.resets_sessions
        else tr("AWS does not list such changes among those that reset connections."),
    )


def remarks(
    preview: "Preview", beside: Sequence["Preview"] = ()
) -> list[tuple[str, tuple[str, ...]]]:
    """Return what else there is to know, by heading; no heading without a line.

    One reason why it cannot be judged stands in the verdict, and all in a table of it where it has
    one; else several are here.

    Parameters
    ----------
    beside
        What is previewed with it: those that would switch the same endpoint are named.
    """
    blanks = tuple(
        tr("Set {name} before applying: this snapshot does not tell it.", name=blank.strip("<>"))
        for blank in preview.blanks
    )
    told = (
        (
            tr("What cannot be judged"),
            ()
            if len(preview.doubts) == 1 or outcomes(preview)
            else tuple(tr("{doubt}.", doubt=d) for d in preview.doubts),
        ),
        (
            tr("Note"),
            (*unused(preview), *_rivals(preview, beside), *preview.warnings, *left_behind(preview)),
        ),
        (tr("Left to you"), (*preview.decisions, *blanks)),
    )
    return [
        (heading, tuple(_by_name(preview, line) for line in lines))
        for heading, lines in told
        if lines
    ]


def _by_name(preview: "Preview", text: str) -> str:
    """Return what a preview says with names before ids, as far as they are known before it."""
    return by_name(text, summary.names_in(preview.before))


def unused(preview: "Preview") -> tuple[str, ...]:
    """Say that nobody uses the endpoints that a fix is about, where that is found: ask first."""
    quiet = next((f for f in preview.known if f.check.id == _IDLE), None)
    if quiet is None or quiet.status is not Status.FAIL or _IDLE in preview.checks:
        return ()
    about = {preview.endpoint, *(getattr(step.change, "endpoint_id", "") for step in preview.steps)}
    if not preview.steps:
        about |= {
            id
            for f in preview.known
            if f.check.id in preview.checks and "endpoint_id" in f.evidence
            for id in f.evidence["endpoint_id"].dropna()
        }
    idle = [id for id in quiet.evidence["endpoint_id"] if id in about]
    if not idle:
        return ()
    return (
        tr(
            "Ask first whether anybody needs {endpoints} ({check}).",
            endpoints=listed(spoken(idle, summary.names_in(preview.before))),
            check=_IDLE,
        ),
    )


_IDLE = "endpoint-is-idle"


def left_behind(preview: "Preview") -> tuple[str, ...]:
    """Say which rules stay on other interfaces of the groups that a preview takes from endpoints."""
    from auditlib.changes.fixes import rules_left_behind

    return tuple(
        _by_name(preview, text)
        for endpoint, groups in _switched(preview).items()
        for text in rules_left_behind(preview.before, endpoint, staying=groups)
    )


def _rivals(preview: "Preview", beside: Sequence["Preview"]) -> tuple[str, ...]:
    """Say which other previews give the same endpoint other groups: only one of them can.

    One that another outdoes is no choice.
    """
    from auditlib.changes.change import is_new

    mine = _switched(preview)
    rivals: dict[str, list[str]] = {}
    worse = outdone(beside)
    for other in beside:
        if other is not preview and other.checks and all(other is not one for one in worse):
            theirs = _switched(other)
            for endpoint in mine.keys() & theirs.keys():
                if mine[endpoint] != theirs[endpoint] or any(map(is_new, mine[endpoint])):
                    rivals.setdefault(endpoint, []).append(listed(other.checks))
    return tuple(
        tr(
            "The fixes of {checks} give other groups to {endpoint} as well: choose one of them, for the last "
            "one that is applied decides.",
            checks=listed(dict.fromkeys(checks)),
            endpoint=endpoint,
        )
        if len(checks) > 1
        else tr(
            "The fix of {checks} gives other groups to {endpoint} as well: choose one of the two, for the "
            "last one that is applied decides.",
            checks=checks[0],
            endpoint=endpoint,
        )
        for endpoint, checks in sorted(rivals.items())
    )


def _switched(preview: "Preview") -> dict[str, frozenset[str]]:
    """Return the endpoints that a preview gives other groups, with those groups."""
    from auditlib.changes import ApplySecurityGroups

    changes = (step.change for step in preview.steps)
    return {
        change.endpoint_id: frozenset(change.group_ids)
        for change in changes
        if isinstance(change, ApplySecurityGroups)
    }


# -- access ---------------------------------------------------------------------------------------


def access(preview: "Preview") -> pd.DataFrame:
    """Return what changes for VPN users, in ``ACCESS`` columns.

    One row per endpoint, receiver and rules: the user groups, associations and ports to which the
    same happens are put together. ``before`` and ``after`` name the hops that differ; where access
    is lost or gained, those that grant it. Client VPN's own interfaces are left out, as nothing of
    the account answers there.
    """
    together: dict[tuple[Any, ...], dict[str, Any]] = {}
    rows = preview.access[preview.access["part"] != "own_interface"]
    for row in rows_of(rows):
        before = _differing(row.via_before, row.via_after)
        after = _differing(row.via_after, row.via_before)
        rules = tuple(
            tuple(h for h in hops if not h.startswith(_AUTHORIZATION)) for hops in (before, after)
        )
        key = (row.part, row.change, row.endpoint_id, row.eni_id, rules)
        found = together.setdefault(
            key, {"on": NONE, "where": NONE, "groups": {}, "subnets": {}, "before": {}, "after": {}}
        )
        found["on"] |= _ports(row)
        found["where"] |= addresses(row.ip)
        found["groups"][group_word(clean(row.group))] = None
        found["subnets"][row.subnet_id or tr("the transit gateway")] = None
        found["before"] |= dict.fromkeys(before)
        found["after"] |= dict.fromkeys(after)
    frame = pd.DataFrame(
        [
            {
                "part": part,
                "change": change,
                "endpoint_id": endpoint,
                "user_groups": tuple(sorted(found["groups"])),
                "eni_id": eni or None,
                "address": address_text(found["where"]),
                "traffic": port_text(found["on"]),
                "subnets": tuple(found["subnets"]),
                "before": tuple(found["before"]),
                "after": tuple(found["after"]),
            }
            for (part, change, endpoint, eni, _), found in together.items()
        ],
        columns=list(ACCESS),
    )
    order = frame["part"].map(PARTS.index) * len(CHANGES) + frame["change"].map(CHANGES.index)
    return frame.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def naming_access(preview: "Preview") -> tuple[str, ...]:
    """Return the failing checks beside those it fixes whose evidence names access: what is ``named``."""
    return tuple(
        f.check.id
        for f in preview.known
        if f.check.names_access and f.status is Status.FAIL and f.check.id not in preview.checks
    )


def _ports(row: Any) -> Ranges:
    low, high = (None if pd.isna(v) else int(v) for v in (row.from_port, row.to_port))
    return ports(row.protocol, low, high)


def _differing(hops: Iterable[str], others: Sequence[str]) -> tuple[str, ...]:
    """Return the hops of one side that the other has not; all that grant where it has none."""
    if not others:
        return deciding(hops)
    return tuple(hop for hop in hops if hop not in others)


# -- findings -------------------------------------------------------------------------------------


def findings(preview: "Preview") -> pd.DataFrame:
    """Return a row per check whose evidence changes, or which the preview answers.

    Columns ``check``, ``resolved``, ``still_open`` and ``newly_raised`` count pieces of evidence;
    ``access_stays`` those of the resolved ones whose access stays open by other rules.
    """
    stays = preview.findings.groupby("check")["access_stays"].sum()
    counts = preview.findings.groupby(["check", "state"]).size().unstack(fill_value=0)
    frame = counts.reindex(columns=["resolved", "still_open", "newly_raised"], fill_value=0)
    touched = (frame["resolved"] + frame["newly_raised"] > 0) | frame.index.isin(preview.checks)
    return frame.assign(access_stays=stays.astype(int))[touched].reset_index()


def access_stays(rows: int, resolved: int) -> str:
    """Say of how many pieces of evidence that are no longer found the access stays open."""
    if rows == resolved:
        return tr("no longer found, but the same access stays open by other rules")
    return tr(
        "of these {number:,} no longer found, but the same access stays open by other rules",
        number=rows,
    )
