"""The catalogue of checks, for people: one check explained, and all of them as a page."""

from collections.abc import Iterable

from auditlib.aws.reads import READS, Read
from auditlib.check import Check, checks
from auditlib.language import marked, tr
from auditlib.schemas import SCHEMAS
from auditlib.summary import ratings
from auditlib.tables import nearest

__all__ = ["check_called", "checks_page", "explanation", "reads_of_check"]


def check_called(id: str) -> Check:
    """Return the check of an id.

    Raises
    ------
    ParameterError
        When there is none; names the nearest.
    """
    by_id = {made.id: made for made in checks()}
    if id not in by_id:
        raise nearest(id, by_id, noun=marked("check"))
    return by_id[id]


def reads_of_check(made: Check) -> tuple[Read, ...]:
    """Return the AWS calls whose answers a check's verdict or words rest on."""
    wanted = [made.population, *made.needs, *made.wording]
    tables: dict[str, None] = {}
    while wanted:
        name = wanted.pop()
        if name in SCHEMAS and name not in tables:
            tables[name] = None
            wanted += SCHEMAS[name].inputs
    return tuple(read for read in READS if set(read.tables) & set(tables))


def explanation(made: Check) -> list[str]:
    """Return a check as lines for a terminal: all that a reader of its card would want to know."""
    reads = reads_of_check(made)
    lines = [
        made.id,
        "  " + tr("{sentence}.", sentence=made.title),
        "  " + tr("Severity: {severity} (the kit's own rating)", severity=tr(made.severity.value)),
    ]
    lines += [f"  {sentence}" for sentence in ratings(made)]
    parts = {
        tr("Why it matters"): [made.rationale],
        tr("What to do"): [made.remedy],
        tr("How to verify"): [made.verify],
        tr("When it is no reason to act"): list(made.false_alarms),
        tr("Fix"): [_fix(made)],
        tr("For other scanners: accepted by design"): [made.accepted_by_design],
        tr("What it judges"): [f"{made.noun} ({made.population})"],
        tr("What it reads"): list(dict.fromkeys([made.population, *made.needs])),
        tr("What only words its reasons"): list(made.wording),
        tr("AWS calls"): [f"{read.service} {read.operation}" for read in reads],
        tr("IAM actions"): sorted({read.iam_action for read in reads}),
        tr("Controls"): [
            f"{name}: {', '.join(ids)}" for name, ids in sorted(made.controls.items())
        ],
        "AWS": [made.reference],
    }
    for head, texts in parts.items():
        told = [" ".join(text.split()) for text in texts if text]
        if told:
            lines += ["", f"{head}:", *(f"  {text}" for text in told)]
    return lines


def _fix(made: Check) -> str:
    """Say whether the kit has a fix for a check, or why people decide."""
    from auditlib.changes.fixes import FIXES

    if made.id in FIXES:
        return tr("The kit has one: auditlib preview SNAPSHOT --fix {made.id}", made=made)
    return made.decision or tr("People decide.")


def checks_page() -> str:
    """Return the catalogue as a Markdown page: a table of all checks, and a section for each."""
    every = checks()
    lines = [
        "# Checks",
        "",
        "<!-- Written by `python -m auditlib.catalogue`; a test tells when it is out of date. -->",
        "",
        "Each check names a bad condition; its title is a sentence that is true when it passes. The",
        "severity is the kit's own rating. `auditlib checks ID` says the same in a terminal.",
        "",
        "| severity | check | true when it passes |",
        "|---|---|---|",
        *(f"| {c.severity.value} | [`{c.id}`](#{c.id}) | {c.title} |" for c in every),
    ]
    for made in every:
        lines += ["", f"## {made.id}", "", f"**{made.title}.** Severity: {made.severity.value}."]
        if said := ratings(made):
            lines[-1] += f" {' '.join(said)}"
        lines += ["", _plain(made.rationale)]
        lines += ["", f"*What to do.* {_plain(made.remedy)}"]
        lines += ["", f"*Fix.* {_fix(made)}"]
        lines += ["", f"*How to verify.* {_plain(made.verify)}"]
        lines += ["", "*When it is no reason to act.*", ""]
        lines += [f"- {_plain(alarm)}" for alarm in made.false_alarms]
        lines += ["", "*What it rests on.*", ""]
        reads = reads_of_check(made)
        facts = {
            "judges": f"{made.noun} (`{made.population}`)",
            "reads": _marked(dict.fromkeys([made.population, *made.needs])),
            "IAM actions": _marked(sorted({read.iam_action for read in reads})),
            "controls": "; ".join(
                f"{name}: {', '.join(ids)}" for name, ids in sorted(made.controls.items())
            ),
            "AWS": f"<{made.reference}>",
        }
        lines += [f"- {name}: {value}" for name, value in facts.items() if value]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Return a text as Markdown shows it: what stands in angle brackets is no HTML."""
    return " ".join(text.split()).replace("<", "\\<")


def _marked(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    import sys

    sys.stdout.write(checks_page())
