"""Previews: what changes open, close and leave, found out on the tables before anyone applies them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from auditlib import words
from auditlib.addresses import NONE, Ranges
from auditlib.changes import Change
from auditlib.changes.difference import Key, difference, sure_access
from auditlib.changes.fixes import FIXES, Fix, Named, switches_groups
from auditlib.changes.remarks import (
    doubts,
    extent,
    refusals,
    regions_touched,
    unsettled,
    warnings,
)
from auditlib.check import Check, Finding, Identity, Status, audit, evidence_in, identities
from auditlib.check import checks as all_checks
from auditlib.errors import ParameterError
from auditlib.frames import rows_of
from auditlib.language import marked, sentences, tr, tr_as
from auditlib.tables import Tables, nearest

__all__ = [
    "VERDICTS",
    "Preview",
    "Step",
    "applied",
    "at_endpoints",
    "ordered",
    "preview",
    "proposal",
]

VERDICTS = (
    marked("changes nothing anyone can reach"),
    marked("closes only what the finding names"),
    marked("also closes"),
    marked("opens"),
    marked("cannot be judged"),
)
"""How every verdict begins, in English."""

_WINDOWS = {
    1: marked("Prepare"),
    2: marked("Prepare"),
    3: marked("Switch"),
    4: marked("Sessions end here"),
    5: marked("Take away"),
}
_REFUSED = marked("AWS would not take the fix as it stands.")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change in its place.

    Attributes
    ----------
    window
        Steps of one window are made in one go; before each window somebody confirms. Shown
        through ``tr``.
    inverse
        What undoes it.
    cuts_off
        Whether access that both ends have is lost from this step to a later one.
    refused
        Why AWS would likely refuse what undoes it; empty where it would not.
    forgotten
        What does not come back when it is undone.
    """

    number: int
    window: str
    change: Change
    inverse: Change
    cuts_off: bool = False
    refused: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()

    @property
    def for_good(self) -> tuple[str, ...]:
        """Why it cannot be undone, or not wholly; empty where it can."""
        return (*self.refused, *self.forgotten)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What some changes do in Regions that are judged alike, in phrases; empty where nothing.

    Attributes
    ----------
    opens, opens_meant, closes, closes_meant, closes_named
        Access that comes and goes, ``meant`` where the finding asks for it, ``named`` where another does.
    unknown
        Why it cannot be judged, but for calls without an answer.
    unread
        Whether calls without an answer are among the reasons.
    """

    regions: tuple[str, ...]
    opens: str
    opens_meant: str
    closes: str
    closes_meant: str
    closes_named: str = ""
    unknown: tuple[str, ...] = ()
    unread: bool = False


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What some changes do.

    Attributes
    ----------
    steps
        The changes in an order that loses nothing on the way, as far as there is one.
    verdict, brief
        One sentence, which begins with one of ``VERDICTS``: for VPN users, as far as was read,
        with why more cannot be judged, and in which Regions; and the same with several reasons
        counted instead of told.
    outcomes
        The verdict as a table tells it, Regions that cannot be judged first.
    access
        The difference, in ``DIFFERENCE`` columns; ``part`` sets apart what is intended, and what is lost
        and ``named`` by another finding.
    doubts, warnings, decisions
        Why it cannot be judged; what else to know; what needs a human decision.
    blanks
        What only the client knows, to be filled in before anything can be applied.
    before, after
        The tables without and with the changes.
    known
        What checks found before, as far as that is known already.
    endpoint
        The endpoint alone that it fixes what is found at; empty where it is about all of them.
    """

    checks: tuple[str, ...]
    steps: tuple[Step, ...]
    verdict: str
    brief: str
    outcomes: tuple[Outcome, ...]
    access: pd.DataFrame = field(repr=False)
    doubts: tuple[str, ...]
    warnings: tuple[str, ...]
    decisions: tuple[str, ...]
    blanks: tuple[str, ...]
    before: Tables = field(repr=False)
    after: Tables = field(repr=False)
    known: tuple[Finding, ...] = field(default=(), repr=False)
    endpoint: str = ""

    @cached_property
    def findings(self) -> pd.DataFrame:
        """What becomes of the findings: a row per piece of evidence.

        Columns ``check``, ``state`` (resolved, still_open, newly_raised), ``reason`` and
        ``access_stays``: resolved, and yet all the access it names stays open by other rules.
        """
        return _findings(self.before, self.after, self.known, self.access)

    @property
    def unsettled(self) -> tuple[str, ...]:
        """The interfaces it opens to more users and whose names look like something else."""
        return unsettled(self.before, self.access)

    @property
    def resets_sessions(self) -> bool:
        """Whether some step ends live sessions."""
        return any(step.change.resets_sessions for step in self.steps)


def applied(tables: Tables, changes: Iterable[Change]) -> Tables:
    """Return the tables once all the changes are made, in this order.

    Raises
    ------
    ParameterError
        When AWS would refuse one of them; says which and why.
    """
    for change in changes:
        tables = change.apply(tables)
    return tables


# -- the order ------------------------------------------------------------------------------------


def ordered(tables: Tables, changes: Sequence[Change]) -> tuple[tuple[Step, ...], Tables]:
    """Return the changes in an order that loses no access that both ends have, and what comes of it.

    Create and allow first, then switch, then authorization (a window of its own, since it ends
    sessions), then take away. Where a step would cut somebody off, another of the same phase
    comes first; where none will do, the step says so.

    Raises
    ------
    ParameterError
        When AWS would refuse one of the changes.
    """
    left = sorted(changes, key=lambda change: change.phase)
    end = applied(tables, left)
    before, after = sure_access(tables), sure_access(end)
    kept = {key: on & after[key] for key, on in before.items() if key in after}
    made, then = _made(tables, left, kept)
    if len(made) < len(left):  # AWS takes them in no other order than the given one
        made, then = _made(tables, left, kept, in_order=True)
    steps = tuple(replace(step, number=number) for number, step in enumerate(made, start=1))
    # The same tables, whose reach is known already, unless they were made in another order.
    return steps, end if [step.change for step in steps] == left else then


def _made(
    tables: Tables, changes: Sequence[Change], kept: Mapping[Key, Ranges], *, in_order: bool = False
) -> tuple[list[Step], Tables]:
    """Return the changes in the order to make them, and the tables then.

    They are fewer than all where AWS refuses the rest.
    """
    left, made = list(changes), list[Step]()
    now, whole = tables, True
    opening = sum(not change.never_opens for change in left)
    while left and (found := _next(left, now, kept, whole, opening, in_order=in_order)):
        change, then, whole = found
        made.append(_step(change, now, then, whole=whole))
        now = then
        left.remove(change)
        opening -= not change.never_opens
    return made, now


def _step(change: Change, now: Tables, then: Tables, *, whole: bool) -> Step:
    """Return a change in its place, between the tables before and after it."""
    inverse = change.inverse(now)
    return Step(
        number=0,
        window=_WINDOWS.get(change.phase, "Take away"),
        change=change,
        inverse=inverse,
        cuts_off=not whole,
        refused=tuple(inverse.problems(then)),
        forgotten=tuple(change.forgets(now)),
    )


def _next(
    left: Sequence[Change],
    now: Tables,
    kept: Mapping[Key, Ranges],
    whole: bool,
    opening: int,
    *,
    in_order: bool,
) -> tuple[Change, Tables, bool] | None:
    """Return the change to make next, the tables with it, and whether all access is there then.

    ``None`` where AWS would refuse each. Where nothing was cut off so far, what only opens cuts
    nobody off. Nor does anything as long as all that is left only closes: whoever has access at the
    end has it now. For the rest, and at the end of every window, reach is asked.

    Parameters
    ----------
    left
        All changes to be made yet, by phase.
    kept
        The access that both ends have.
    whole
        Whether all of that is there now.
    opening
        How many of those left may open something.
    """
    first: tuple[Change, Tables, bool] | None = None
    for change in left[:1] if in_order else left:
        if change.phase != left[0].phase:
            break
        if change.problems(now):
            continue
        then = change._applied(now)
        goes_on = any(o is not change and o.phase == change.phase for o in left[:2])
        only_closing = opening == (not change.never_opens)
        held = (whole and change.never_closes) or only_closing
        if (held and goes_on) or not _lost(kept, then):
            return change, then, True
        first = first or (change, then, False)
    return first


def _lost(kept: Mapping[Key, Ranges], tables: Tables) -> bool:
    held = sure_access(tables)
    return any(on - held.get(key, NONE) for key, on in kept.items())


# -- the preview ----------------------------------------------------------------------------------


def preview(
    tables: Tables,
    changes: Sequence[Change],
    *,
    checks: Sequence[str] = (),
    named: Iterable[Named] = (),
    named_elsewhere: Iterable[Named] = (),
    decisions: Sequence[str] = (),
    known: Sequence[Finding] = (),
    unassessed: Sequence[str] = (),
    endpoint: str = "",
) -> Preview:
    """Try changes on tables and return what they do.

    Parameters
    ----------
    checks
        The findings they answer.
    named
        The access those findings name: what is meant to close or to open.
    named_elsewhere
        The access that other findings name, which may close with it.
    decisions
        What the changes leave to people.
    known
        What checks found with these tables, where that is known already.
    unassessed
        Findings that could not be assessed, so that nobody knows what there is to change.
    endpoint
        The endpoint alone that they are about; empty for all.

    Raises
    ------
    ParameterError
        When AWS would refuse one of the changes.
    """
    changes = tuple(dict.fromkeys(changes))
    steps, after = ordered(tables, changes)
    access = _parted(difference(tables, after), tuple(named), tuple(named_elsewhere))
    verdict, brief, outcomes, unjudged = _verdicts(tables, after, changes, access, unassessed)
    about_steps = [
        tr(
            "Step {step.number} cuts off access that a later step restores: no order of these "
            "changes avoids it. Make both in one window.",
            step=step,
        )
        for step in steps
        if step.cuts_off
    ] + [
        tr(
            "Step {step.number} cannot be wholly undone: {why}.",
            step=step,
            why=words.listed(step.for_good),
        )
        for step in steps
        if step.for_good
    ]
    return Preview(
        checks=tuple(checks),
        steps=steps,
        verdict=verdict,
        brief=brief,
        outcomes=outcomes,
        access=access,
        doubts=unjudged,
        warnings=(*about_steps, *warnings(tables, after, changes, access)),
        decisions=tuple(decisions),
        blanks=tuple(
            sorted({use for change in changes for use in change.uses if use.startswith("<")})
        ),
        before=tables,
        after=after,
        known=tuple(known),
        endpoint=endpoint,
    )


def _parted(
    access: pd.DataFrame, named: tuple[Named, ...], elsewhere: tuple[Named, ...]
) -> pd.DataFrame:
    """Return a difference with what findings name set apart: as intended, or named by another one."""

    def part(row: Mapping[str, object]) -> object:
        if row["part"] != "side_effect":
            return row["part"]
        if any(one.covers(row) for one in named):
            return "intended"
        return "named" if any(one.covers(row) for one in elsewhere) else "side_effect"

    parts = [part({str(k): v for k, v in row.items()}) for row in access.to_dict("records")]
    return access.assign(part=pd.Series(parts, index=access.index, dtype="str"))


def _verdicts(
    before: Tables,
    after: Tables,
    changes: Sequence[Change],
    access: pd.DataFrame,
    unassessed: Sequence[str],
) -> tuple[str, str, tuple[Outcome, ...], tuple[str, ...]]:
    """Return the verdict with its reasons, with their number, and as a table; and the reasons.

    Where only some Regions cannot be judged, those are told apart from the rest.
    """
    for_users = _for_users(before, access)
    reasons = tuple(dict.fromkeys((*unassessed, *doubts(before, after, changes, access))))
    regions = {change.region for change in changes}
    if not reasons:
        return for_users, for_users, (_outcome(before, access, regions),), ()
    unsure = set[str]() if unassessed else _unsure_regions(before, after, changes, access)
    sure = regions - unsure
    apart = bool(sure and unsure)
    inside = access["region"].isin(unsure)
    told = {
        "reasons": words.listed(reasons, most=3),
        "number": words.count(len(reasons), "reason"),
        "for_users": _for_users(before, access[inside]) if apart else for_users,
        "unsure": words.listed(sorted(unsure)),
        "sure": words.listed(sorted(sure)),
        "for_the_rest": _for_users(before, access[~inside]) if apart else "",
    }
    refused = set(refusals(before, changes))
    outcome = replace(
        _outcome(before, access[inside] if apart else access, unsure if apart else regions),
        unknown=tuple(reason for reason in reasons if reason not in refused),
        unread=not refused.isdisjoint(reasons),
    )
    outcomes = (outcome, _outcome(before, access[~inside], sure)) if apart else (outcome,)
    whole = tr(_APART if apart else _UNJUDGED, **told)
    if len(reasons) == 1:
        return whole, whole, outcomes, reasons
    return whole, tr(_APART_BRIEFLY if apart else _UNJUDGED_BRIEFLY, **told), outcomes, reasons


def _outcome(tables: Tables, access: pd.DataFrame, regions: Iterable[str]) -> Outcome:
    """Return what becomes of access, as a table tells it."""
    told = access[access["part"] != "own_interface"]

    def said(change: str, part: str) -> str:
        rows = told[(told["change"] == change) & (told["part"] == part)]
        return extent(tables, rows, words.name_first) if len(rows) else ""

    return Outcome(
        regions=tuple(sorted(regions)),
        opens=said("gained", "side_effect"),
        opens_meant=said("gained", "intended"),
        closes=said("lost", "side_effect"),
        closes_meant=said("lost", "intended"),
        closes_named=said("lost", "named"),
    )


_UNJUDGED = marked("cannot be judged: {reasons}; for VPN users, as far as was read, it {for_users}")
_UNJUDGED_BRIEFLY = marked(
    "cannot be judged, for {number} named below; for VPN users, as far as was read, it {for_users}"
)
_APART = marked(
    "cannot be judged in {unsure}: {reasons}; for VPN users there, as far as was read, it "
    "{for_users}; in {sure} it {for_the_rest}"
)
_APART_BRIEFLY = marked(
    "cannot be judged in {unsure}, for {number} named below; for VPN users there, as far as was "
    "read, it {for_users}; in {sure} it {for_the_rest}"
)


def _unsure_regions(
    before: Tables, after: Tables, changes: Sequence[Change], access: pd.DataFrame
) -> set[str]:
    """Return the Regions of some changes that cannot be judged by themselves.

    A security group reaches into no other Region, but a peering may lead there: where one does
    between two of these Regions, what cannot be judged in one cannot in the other.
    """
    regions = {change.region for change in changes}
    unsure = set()
    for region in regions:
        here = [change for change in changes if change.region == region]
        if any(doubts(before, after, here, access[access["region"] == region])):
            unsure |= regions_touched(before, here) & regions
    return unsure


def _for_users(tables: Tables, access: pd.DataFrame) -> str:
    told = access[access["part"] != "own_interface"]
    meant, elsewhere = told["part"] == "intended", told["part"] == "named"
    gained, lost = told["change"] == "gained", told["change"] == "lost"
    said = [
        tr(text, what=extent(tables, told[rows]))
        for text, rows in (
            (marked("opens {what}"), gained & ~meant),
            (marked("opens {what}, as the finding asks"), gained & meant),
            (marked("also closes {what}"), lost & ~meant & ~elsewhere),
            (marked("also closes {what}, which another finding names"), lost & elsewhere),
        )
        if rows.any()
    ]
    if (lost & meant).any():
        text = (
            marked("closes {what}, as the finding asks")
            if said
            else marked("closes only what the finding names: {what}")
        )
        said.append(tr(text, what=extent(tables, told[lost & meant])))
    if not said:
        said = [tr(VERDICTS[0])]
    return tr_as("list", "; ").join(said)


# -- the findings ---------------------------------------------------------------------------------


def _findings(
    before: Tables, after: Tables, known: Iterable[Finding], access: pd.DataFrame
) -> pd.DataFrame:
    was = {finding.check.id: finding for finding in known}
    moved = _moved(access)
    differing = before.differing(after)
    rows = []
    for check in all_checks():
        id = check.id
        # A check that reads nothing of what is exchanged finds the same.
        same = not _bases(check, before) & differing
        if id not in was:
            old = _evidence(evidence_in(check, before))
        else:  # whether somebody accepted it, it is there
            old = _evidence(was[id].evidence) | _evidence(was[id].accepted)
        new = old if same else _evidence(evidence_in(check, after))
        rows += [
            (id, "resolved", old[key], check.names_access and _is_moved(key, moved))
            for key in old
            if key not in new
        ]
        rows += [(id, "still_open", new[key], False) for key in new if key in old]
        # A blank stands for what the client knows: that there is no such thing is no finding.
        rows += [
            (id, "newly_raised", new[key], False)
            for key in new
            if key not in old and not any(value.startswith("<") for _, value in key)
        ]
    return pd.DataFrame(rows, columns=["check", "state", "reason", "access_stays"])


def _moved(access: pd.DataFrame) -> list[tuple[str, str, str, bool]]:
    """Return where access by some rules changes, and whether it stays by others.

    Endpoint, receiver, the hops before in one text.
    """
    before = access[access["via_before"].map(len).gt(0)]
    return [
        (row.endpoint_id, row.eni_id, " ".join(row.via_before), row.change != "lost")
        for row in rows_of(before)
        if row.via_before != row.via_after
    ]


def _is_moved(about: Identity, moved: Iterable[tuple[str, str, str, bool]]) -> bool:
    """Tell whether all the access that a piece of evidence names is open by other rules."""
    named = dict(about)
    stays = [
        on
        for endpoint, eni, via, on in moved
        if (named.get("endpoint_id"), named.get("eni_id")) == (endpoint, eni)
        and named["rule_id"] in via
    ]
    return bool(stays) and all(stays)


def _bases(check: Check, tables: Tables) -> set[str]:
    """Return the base tables a check reads, also those it only words reasons with."""
    names = {check.population, *check.needs, *check.wording}
    return {base for name in names for base in tables.bases(name)}


def _evidence(evidence: pd.DataFrame) -> dict[Identity, str]:
    if evidence.empty:  # as of most checks, which is quickly told
        return {}
    found = zip(identities(evidence), evidence["reason"], strict=True)
    return dict(sorted(found, key=lambda one: (one[1], one[0])))


def proposal(
    tables: Tables,
    checks: Sequence[str],
    endpoint: str | None = None,
    *,
    known: Sequence[Finding] = (),
) -> Preview:
    """Return the preview of the fixes of some findings, each worked out after those before it.

    Parameters
    ----------
    known
        What checks found with these tables, where that is known already.

    Raises
    ------
    ParameterError
        When there is no such check or endpoint; names the nearest.
    """
    endpoints = set(tables["client_vpn_endpoints"]["endpoint_id"])
    if endpoint is not None and endpoint not in endpoints:
        raise nearest(endpoint, endpoints, noun=marked("endpoint"))
    changes: list[Change] = []
    named: list[Named] = []
    decisions: list[str] = []
    unassessed: list[str] = []
    by_id = {check.id: check for check in all_checks()}
    found = {finding.check.id: finding for finding in known}
    now = tables
    for id in checks:
        if id not in by_id:
            raise nearest(id, by_id, noun=marked("check"))
        about = f"{id}: " if len(checks) > 1 else ""
        (finding,) = (found[id],) if now is tables and id in found else audit(now, only=[id])
        evidence = finding.evidence
        if endpoint is not None and "endpoint_id" in evidence:
            evidence = evidence[evidence["endpoint_id"] == endpoint]
        if finding.status is Status.NOT_ASSESSED:
            unassessed.append(tr("{id} was not assessed", id=id))
            decisions.append(f"{about}{finding.answer}")
            continue
        if evidence.empty:
            nothing = (
                tr("Nothing to fix.")
                if endpoint is None
                else tr("Nothing to fix at {endpoint}.", endpoint=endpoint)
            )
            decisions.append(about + sentences(nothing, finding.answer))
            continue
        fix = _fix_of(by_id[id], now, evidence)
        decisions += [f"{about}{text}" for text in fix.decisions]
        new = [c for c in dict.fromkeys(fix.changes) if c not in changes]
        if id != checks[-1]:
            try:
                now = applied(now, sorted(new, key=lambda change: change.phase))
            except ParameterError as refused:
                decisions.append(about + sentences(tr(_REFUSED), str(refused)))
                continue
        changes += new
        named += fix.named

    return _tried(
        tables,
        changes,
        checks=tuple(checks),
        named=named,
        decisions=decisions,
        known=known,
        unassessed=unassessed,
        endpoint=endpoint or "",
    )


def at_endpoints(tables: Tables, known: Sequence[Finding]) -> tuple[Preview, ...]:
    """Return the previews of the fixes that give endpoints other groups, one endpoint at a time.

    Somebody may want it for one endpoint and not for another. Fixes that make the very same changes to
    an endpoint are one preview, whose ``checks`` names them all.

    Parameters
    ----------
    known
        What checks found with these tables; the fixes of those that fail are previewed.
    """
    together: dict[tuple[str, object], dict[str, Fix]] = {}
    for finding in known:
        id, found = finding.check.id, finding.evidence
        if finding.status is Status.FAIL and switches_groups(id):
            for endpoint in found["endpoint_id"].dropna().unique():
                fix = _fix_of(finding.check, tables, found[found["endpoint_id"] == endpoint])
                changes = frozenset(fix.changes) or id
                together.setdefault((str(endpoint), changes), {})[id] = fix
    return tuple(
        _tried(
            tables,
            next(iter(fixes.values())).changes,
            checks=tuple(fixes),
            named=[one for fix in fixes.values() for one in fix.named],
            decisions=[text for fix in fixes.values() for text in fix.decisions],
            known=known,
            endpoint=endpoint,
        )
        for (endpoint, _), fixes in together.items()
    )


def _fix_of(check: Check, tables: Tables, evidence: pd.DataFrame) -> Fix:
    """Return what to change about some evidence of a check; where people decide, why."""
    made = FIXES.get(check.id)
    return Fix(decisions=(check.decision,)) if made is None else made(tables, evidence)


def _tried(
    tables: Tables,
    changes: Sequence[Change],
    *,
    checks: tuple[str, ...],
    named: Iterable[Named],
    decisions: Sequence[str],
    known: Sequence[Finding],
    unassessed: Sequence[str] = (),
    endpoint: str = "",
) -> Preview:
    """Return the preview of changes, or of none where AWS would refuse one of them, which it says."""

    def tried(changes: Sequence[Change], decisions: Iterable[str]) -> Preview:
        return preview(
            tables,
            changes,
            checks=checks,
            named=named,
            named_elsewhere=_named_elsewhere(tables, checks, known),
            decisions=tuple(dict.fromkeys(decisions)),
            known=known,
            unassessed=unassessed,
            endpoint=endpoint,
        )

    try:
        return tried(changes, decisions)
    except ParameterError as refused:
        return tried((), [*decisions, sentences(tr(_REFUSED), str(refused))])


def _named_elsewhere(
    tables: Tables, checks: Sequence[str], known: Sequence[Finding]
) -> tuple[Named, ...]:
    """Return the access that findings of other checks name, by the rule that admits."""
    found = {finding.check.id: finding.evidence for finding in known}
    evidence = [
        found[check.id] if check.id in found else evidence_in(check, tables)
        for check in all_checks()
        if check.names_access and check.id not in checks
    ]
    return tuple(
        Named(change="lost", endpoint_id=row.endpoint_id, eni_id=row.eni_id, rule_id=row.rule_id)
        for rows in evidence
        for row in rows_of(rows)
        if isinstance(row.eni_id, str)
    )
