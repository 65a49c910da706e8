"""The audit as sheets: one frame each, from which the workbook and the CSV files are made.

Both say the same because neither adds anything of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from auditlib import controls, reached, summary
from auditlib.accepted import as_shown
from auditlib.check import Finding
from auditlib.language import sentences, tr
from auditlib.steps import Step, first_steps
from auditlib.words import gap, left_open, series

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = ["Sheet", "finding_rows", "how_of", "sheets", "unread_rows"]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One sheet.

    Attributes
    ----------
    name
        Names the CSV file; the workbook makes a sheet name of it.
    title, about
        What it shows, and how to read it.
    check_id
        The check whose evidence it is; empty for the others.
    named
        Columns of ids that the workbook writes the name beside.
    """

    name: str
    title: str
    about: str
    frame: pd.DataFrame = field(repr=False)
    check_id: str = ""
    named: tuple[str, ...] = ()


def sheets(audit: "Audit") -> tuple[Sheet, ...]:
    """Return the sheets of an audit: summary, first steps, findings, risks, controls, reach, reading, evidence.

    Evidence has a sheet for each check with any, accepted evidence marked as such.
    """
    risks = audit.accepted
    made = [
        Sheet(
            name="summary",
            title=tr("Summary"),
            about=tr("What was audited, and what came of it."),
            frame=_summary(audit),
        ),
        Sheet(
            name="first-steps",
            title=tr("To do first"),
            about=tr(
                "What to do, the most urgent first; why, and which sessions it ends. Who and by when are proposals."
            ),
            frame=_first_steps(audit),
        ),
        Sheet(
            name="findings",
            title=tr("Findings"),
            about=tr(
                "Every check once, the failing ones first. Information is what fails and is only to be "
                "known: a choice that AWS leaves open. Severity is our own rating."
            ),
            frame=finding_rows(audit),
        ),
    ]
    if risks is not None:
        made.append(
            Sheet(
                name="accepted-risks",
                title=tr("Accepted risks"),
                about=tr(
                    "As they stand on {day}, from {risks.file}.",
                    day=risks.day.isoformat(),
                    risks=risks,
                ),
                frame=risks.standing(audit.findings),
            )
        )
    made += [
        Sheet(
            name="controls",
            title=tr("Published controls"),
            about=tr("What the findings answer to each control, in the accounts and Regions read."),
            frame=controls.answers(audit),
        ),
        Sheet(
            name="who-reaches-what",
            title=tr("Who reaches what"),
            about=tr(
                "One row per association, user group, receiver and traffic; * is a user in no group. "
                "Unknown certainty: part of the way could not be read. The endpoints' own interfaces are "
                "left out, as AWS does not say what they do with packets sent to them."
            ),
            frame=reached.without_own(audit, audit.reach()),
            named=("endpoint_id", "subnet_id", "eni_id"),
        ),
        Sheet(
            name="coverage",
            title=tr("What was read"),
            about=tr("Every read in every place: calls made, answered, refused, missing."),
            frame=audit.coverage,
        ),
        Sheet(
            name="not-read",
            title=tr("What could not be read"),
            about=tr(
                "Each call without an answer once, and the checks it leaves open. Left open: AWS answered, "
                "and the answers do not hold what a check needs; no permission would change that."
            ),
            frame=unread_rows(audit),
        ),
    ]
    if summary.disguised(audit):
        made.append(
            Sheet(
                name="suspicious-names",
                title=tr("Suspicious names"),
                about=tr(
                    "Names that look like markup, a link, a formula or a disguised file name: ask who set "
                    "them."
                ),
                frame=summary.strange_things(audit),
            )
        )
    return (*made, *_evidence(audit))


def _summary(audit: "Audit") -> pd.DataFrame:
    said = summary.identity(audit)
    rows = [
        (tr("Accounts"), series(said.accounts)),
        (tr("Regions"), series(said.regions)),
        (tr("Read"), summary.when(said.finished or said.started)),
        (tr("Snapshot"), f"sha256:{said.digest}"),
        (tr("Made with"), f"auditlib {said.kit_version}"),
        (tr("Calls"), summary.coverage_sentence(audit)),
    ]
    rows += [(tr("Verdict"), sentence) for sentence in summary.verdict(audit)]
    rows += [
        (tr("Checks: {status}", status=tr(summary.TALLIED[outcome][1])), str(number))
        for outcome, number in summary.tally(audit.findings).items()
    ]
    if audit.accepted is not None:
        rows += [(tr("Accepted risk"), note) for note in audit.accepted.notices(audit.findings)]
    return pd.DataFrame(rows, columns=["item", "value"])


def how_of(step: Step) -> str:
    """Return how a step is done, in one text: its parts numbered, in the order of doing."""
    return sentences(step.how, *(f"({n}) {part}" for n, part in enumerate(step.parts, 1)))


def _first_steps(audit: "Audit") -> pd.DataFrame:
    """Return a row per thing to do first."""
    rows = [
        (number, step.what, step.where, step.who, step.by, how_of(step),
         sentences(step.ends, step.sessions), step.why, step.check_id)
        for number, step in enumerate(first_steps(audit), 1)
    ]  # fmt: skip
    columns = ["number", "step", "where", "who", "by_when", "what_to_do", "outage", "why", "check"]
    return pd.DataFrame(rows, columns=columns)


def finding_rows(audit: "Audit") -> pd.DataFrame:
    """Return a row per check, the most urgent first."""
    names = summary.names(audit)
    rows = [
        {
            "check": finding.check.id,
            "status": summary.outcome(finding),
            "severity": finding.check.severity.value,
            "title": finding.check.title,
            "answer": finding.answer,
            "where": summary.where(finding, names),
            "evidence": len(finding.evidence),
            "accepted": len(finding.accepted),
            "not_read": len(summary.refused_calls(finding.gaps)),
            "acceptance": " ".join(summary.acceptances(finding)),
            "remedy": " ".join(finding.remedy.split()),
            "controls": tuple(
                f"{name}: {', '.join(ids)}" for name, ids in sorted(finding.check.controls.items())
            ),
            "rated_by_others": sentences(*summary.ratings(finding.check)),
            "reference": finding.check.reference,
        }
        for finding in summary.by_urgency(audit.findings)
    ]
    return pd.DataFrame(rows)


def unread_rows(audit: "Audit") -> pd.DataFrame:
    """Return a row per call without an answer, or question left open, with the checks it concerns.

    ``iam_action`` is what to allow; it is empty where granting it would tell nothing.
    """
    concerned: dict[str, list[str]] = {}
    for finding in audit.findings:
        for call in summary.refused_calls(finding.gaps).itertuples():
            concerned.setdefault(gap(call), []).append(finding.check.id)
    every = [audit.gaps, *(finding.gaps for finding in audit.findings)]
    calls = summary.refused_calls(pd.concat(every).drop_duplicates())
    checks = [tuple(concerned.get(gap(call), ())) for call in calls.itertuples()]
    unanswered = pd.Series(
        [not left_open(call) for call in calls.itertuples()], index=calls.index, dtype=bool
    )
    return calls.assign(
        status=calls["status"].where(unanswered, "left_open"),
        iam_action=calls["iam_action"].where(unanswered, ""),
        checks=pd.Series(checks, index=calls.index, dtype=object),
    )


def _evidence(audit: "Audit") -> Iterator[Sheet]:
    for finding in summary.by_urgency(audit.findings):
        if len(finding.evidence) or len(finding.accepted):
            yield Sheet(
                name=f"evidence-{finding.check.id}",
                title=summary.headline(finding),
                about=finding.answer,
                frame=_rows(finding),
                check_id=finding.check.id,
            )


def _rows(finding: Finding) -> pd.DataFrame:
    """Return the evidence, then what of it is accepted; ``counts`` tells them apart."""
    parts = [
        frame.assign(counts=word)
        for frame, word in (
            (finding.evidence, "yes"),
            (as_shown(finding.accepted), "no: accepted"),
        )
        if len(frame)
    ]
    both = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    first = ["counts", "reason"]
    return both[[*first, *(name for name in both.columns if name not in first)]]
