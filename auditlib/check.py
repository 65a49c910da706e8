"""What a check is, and the one place where its status is derived.

A check is a function that is given tables and returns evidence: the rows that show the bad
condition, each with a ``reason``. It never says "pass": :func:`finding_of` does, from the
evidence, the gaps in the tables the check used, and the population it looked at.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import pandas as pd

from auditlib.schemas import SCHEMAS

__all__ = ["Check", "Finding", "Severity", "Status", "audit", "check", "checks", "finding_of"]


class Severity(StrEnum):
    """How bad the condition is, from the kit's point of view."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position from the mildest, for comparing and sorting.

        >>> Severity.HIGH.rank > Severity.LOW.rank
        True
        """
        return list(Severity).index(self)


class Status(StrEnum):
    """What came of a check. "Could not look" never reads as "fine"."""

    FAIL = "fail"
    NOT_ASSESSED = "not_assessed"
    NOT_APPLICABLE = "not_applicable"
    PASS = "pass"  # noqa: S105 # a verdict, not a password


class TableSource(Protocol):
    """What a check reads from: frames by table name, and their gaps."""

    def __getitem__(self, name: str, /) -> pd.DataFrame:
        """Return a table or view."""

    def gaps(self, *names: str) -> pd.DataFrame:
        """Return the gaps of tables or views, in the columns of ``schemas.GAPS``."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check and everything a reader should know about it.

    Attributes
    ----------
    id
        Names the bad condition, and never changes.
    title
        A sentence that is true when the check passes.
    severity
        The kit's own rating; ``ratings`` holds other people's.
    population, among, noun
        The table whose rows are judged, which of its rows (``None``: all), and what to call one.
    condition
        The bad condition as a verb phrase, for one and for many: ``("uses …", "use …")``.
    rationale, remedy, verify
        Who could do what because of it; what to do (begins with a verb); how to see it is done.
    false_alarms
        When the evidence is right and yet no reason to act.
    reference
        The AWS page the check rests on.
    controls
        Published controls it answers, by framework and version:
        ``{"CIS AWS Foundations 7.0.0": ("6.5",)}``.
    ratings
        What published tools say of the same fact, by tool: ``{"Security Hub EC2.2": "High"}``.
    accepted_by_design
        For conditions the kit recommends and other scanners report: the text to hand to them.
    tables
        The tables it reads, from its function's parameter names.
    function
        Returns the evidence.
    """

    id: str
    title: str
    severity: Severity
    population: str
    noun: str
    condition: tuple[str, str]
    rationale: str
    remedy: str
    verify: str
    reference: str
    function: Callable[..., pd.DataFrame] = field(repr=False)
    tables: tuple[str, ...]
    among: Callable[[pd.DataFrame], pd.Series] | None = field(default=None, repr=False)
    false_alarms: tuple[str, ...] = ()
    controls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ratings: Mapping[str, str] = field(default_factory=dict)
    accepted_by_design: str = ""

    def population_in(self, tables: TableSource) -> pd.DataFrame:
        """Return the rows the check judges."""
        frame = tables[self.population]
        return frame if self.among is None else frame[self.among(frame).astype(bool)]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    answer
        One sentence that can stand alone.
    evidence
        The rows that show the condition, the worst first; ``reason`` says it in words.
    gaps
        What could not be looked at, in the columns of ``schemas.GAPS``.
    population
        How many rows were judged.
    """

    check: Check
    status: Status
    answer: str
    evidence: pd.DataFrame = field(repr=False)
    gaps: pd.DataFrame = field(repr=False)
    population: int


_REGISTRY: dict[str, Check] = {}


def check(
    **description: object,
) -> Callable[[Callable[..., pd.DataFrame]], Callable[..., pd.DataFrame]]:
    """Register the decorated function as a check; its parameters name the tables it reads.

    The keywords are the attributes of :class:`Check` but for ``function`` and ``tables``.
    """

    def register(function: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
        made = Check(
            function=function,
            tables=tuple(inspect.signature(function).parameters),
            **description,  # type: ignore[arg-type] # the dataclass names what is missing or unknown
        )
        if made.id in _REGISTRY:
            raise ValueError(f"two checks are called {made.id}")
        _REGISTRY[made.id] = made
        return function

    return register


def checks() -> tuple[Check, ...]:
    """Return every check of ``auditlib.checks``, the most severe first, then by id."""
    package = importlib.import_module("auditlib.checks")
    for module in pkgutil.iter_modules(package.__path__, "auditlib.checks."):
        importlib.import_module(module.name)
    return tuple(sorted(_REGISTRY.values(), key=lambda c: (-c.severity.rank, c.id)))


def finding_of(
    made: Check, evidence: pd.DataFrame, gaps: pd.DataFrame, population: int, affected: int
) -> Finding:
    """Derive a check's status: the only place in the kit that does.

    Parameters
    ----------
    evidence
        Rows that show the bad condition.
    gaps
        What could not be read of the tables the check used.
    population
        Number of rows judged, as far as they could be read.
    affected
        Number of those with evidence.
    """
    partly = (
        f" {_calls(len(gaps))} could not be read, so this is not the whole picture."
        if len(gaps)
        else ""
    )
    of = f"of the {population} {_plural(made.noun, population)}"
    if len(evidence):
        status = Status.FAIL
        verb = made.condition[0] if affected == 1 else made.condition[1]
        if population == 1:
            answer = f"The one {made.noun} {made.condition[0]}.{partly}"
        else:
            answer = f"{affected} {of} {verb}.{partly}"
    elif len(gaps):
        status = Status.NOT_ASSESSED
        answer = f"Not assessed: {_calls(len(gaps))} this check needs could not be read."
    elif population == 0:
        status = Status.NOT_APPLICABLE
        answer = f"Not applicable: there is no {made.noun} in what was read."
    else:
        status = Status.PASS
        answer = (
            f"The one {made.noun} is in order: it is not one that {made.condition[0]}."
            if population == 1
            else f"None {of} {made.condition[0]}."
        )
    return Finding(
        check=made,
        status=status,
        answer=answer,
        evidence=evidence,
        gaps=gaps,
        population=population,
    )


def audit(tables: TableSource, only: Iterable[str] | None = None) -> tuple[Finding, ...]:
    """Run the checks on tables; all of them, or those whose ids are given.

    An exception inside a check is a bug and is not caught.
    """
    wanted = None if only is None else set(only)
    return tuple(_judge(made, tables) for made in checks() if wanted is None or made.id in wanted)


def _judge(made: Check, tables: TableSource) -> Finding:
    evidence = made.function(**{name: tables[name] for name in made.tables})
    population = made.population_in(tables)
    key = list(SCHEMAS[made.population].key)
    return finding_of(
        made,
        evidence.reset_index(drop=True),
        _relevant(
            tables.gaps(made.population, *made.tables), population, tables.gaps(made.population)
        ),
        len(population),
        len(evidence[key].drop_duplicates()),
    )


def _relevant(gaps: pd.DataFrame, population: pd.DataFrame, unseen: pd.DataFrame) -> pd.DataFrame:
    """Keep the gaps of places where the population has rows, or may have rows nobody could see."""
    place = ["account", "region"]
    concerned = pd.concat(
        [population[place].astype(object), unseen[place].astype(object)]
    ).drop_duplicates()
    keys = set(map(tuple, concerned.to_numpy()))
    keep = [pair in keys for pair in map(tuple, gaps[place].astype(object).to_numpy())]
    return gaps[pd.Series(keep, index=gaps.index, dtype=bool)].reset_index(drop=True)


def _calls(number: int) -> str:
    return "one call" if number == 1 else f"{number} calls"


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else noun + "s"
