"""What a check is, and the one place where its status is derived.

A check is a function that is given tables and returns evidence: the rows that show the bad
condition, each with a ``reason``. It never says "pass": :func:`finding_of` does, from the
evidence, what of it somebody accepted, the gaps in the tables the check used, and the population
it looked at.

How a check's function names what it reads:

- ``judged`` is the population: the rows of its table that the check is about, and no others;
- its ordinary parameters are the tables its verdict rests on: a gap in one of them, or in the
  table of the population, may hide evidence;
- its keyword-only parameters are tables it only words its reasons with (names, mostly). They may
  be incomplete, so a reason never says that something is *not* in one of them.
"""

import importlib
import inspect
import pkgutil
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

import pandas as pd

from auditlib import words
from auditlib.characters import visible
from auditlib.frames import empty_frame, frame_of_rows, rows_of
from auditlib.gaps import GapRow, of_every_region
from auditlib.language import current, sentences, tr, tr_as
from auditlib.schemas import GAPS, SCHEMAS

__all__ = [
    "Check",
    "Finding",
    "Identity",
    "Severity",
    "Status",
    "Stop",
    "audit",
    "check",
    "checks",
    "evidence_in",
    "evidence_of",
    "filled_in",
    "finding_of",
    "found_of",
    "identities",
    "registered",
    "texts_of",
]


_JUDGED = "judged"
_ASIDE = ("rank", "by_absence")
_SAID = frozenset({"reason", "source", "extent", "stopped_by"})
"""Columns of evidence that say something about a row, and do not say what the row is about."""


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
    ACCEPTED = "accepted"
    NOT_APPLICABLE = "not_applicable"
    PASS = "pass"  # noqa: S105 # a verdict, not a password


Accept = Callable[["Check", pd.DataFrame], pd.DataFrame]
"""Given a check and its evidence, returns the rows that are accepted, with the index they have
there and with the columns of ``auditlib.accepted.COLUMNS``: by whom, why, and until when."""


_ByDesign = tuple[Sequence[str], Sequence[str]]
"""What a text for other scanners holds for, and what not."""


class TableSource(Protocol):
    """What a check reads from: frames by table name, and their gaps."""

    def __getitem__(self, name: str, /) -> pd.DataFrame:
        """Return a table or view."""

    def shared(self, name: str, /) -> pd.DataFrame:
        """Return a table or view that is not to be written into."""

    def gap_rows(self, *names: str) -> list[GapRow]:
        """Return the gaps of tables or views, each with what ``schemas.GAPS`` has columns for."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Since when nobody can begin a session at an endpoint, and clauses about that.

    ``ground`` says what makes it so, and ``cost`` whom mending it at once cuts off.
    """

    since: datetime
    ground: str
    cost: str


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
    left_out
        Says in a sentence which rows of that table are not judged, and why; empty for none. Its
        first parameter is the whole table, further ones name tables.
    leaves_open
        Whether what ``left_out`` tells of may show the condition all the same, unseen: a pass is then
        as far as was looked at.
    condition
        The bad condition as a verb phrase, for one and for many: ``("uses …", "use …")``.
    clear
        Its opposite in the same form, where the condition is a negation itself and the opposite made
        from it would be a double one; empty otherwise.
    kinds
        Says in a clause, of some evidence, what in it is of another kind than ``condition`` makes one
        think; empty where nothing is.
    rationale, remedy, verify
        Who could do what because of it; what to do (begins with a verb); how to see it is done.
    parts
        ``remedy`` in two: its first sentence, which is what a step takes of it, and the rest. Each is
        translated by itself, for in another language the first may need several sentences.
    errand
        What is to be done by the names of what it concerns, as the head of a step: ``endpoints``,
        ``receivers`` and ``day`` (when the first of them ends) are put into it. Empty where the
        remedy's own beginning says enough.
    window
        The sentence of ``remedy`` that asks for a window; left out where nobody can connect anyway.
    advice
        Says what to do in place of ``parts`` where the evidence leaves out some of it.
    false_alarms
        When the evidence is right and yet no reason to act.
    reference
        The AWS page the check rests on.
    controls
        Published controls it answers, by framework and version:
        ``{"CIS AWS Foundations v7.0": ("6.5",)}``.
    ratings
        What published tools say of the same fact, by tool: ``{"Security Hub EC2.2": "High"}``.
    decision
        Why its fix is left to people, in a sentence; empty where ``auditlib.changes.fixes`` has one.
    subject
        What it belongs to: the section of a notebook that shows its card with those of the same
        subject. The name of its module unless it says another.
    ends_as
        The check that finds it once what this one warns of has happened; empty for none.
    ends_sessions
        Whether what is to be done ends live sessions, as ``remedy`` says too.
    bearing
        What it means for all else that is said of the endpoint it is found at: sentences, or what
        makes them from the tables and from its evidence there.
    stops
        Tells from the tables whether, with what a row of its evidence shows, nobody can begin a
        session at the endpoint any more; ``None`` where it says nothing of the kind.
    names_access
        Whether its evidence names access through the VPN, by the rule that admits: the same access
        may be there by another rule once the evidence is gone.
    of_everyone
        Whether its evidence is about what every user has: once it is gone, named groups may have the
        same.
    accepted_by_design
        For conditions the kit recommends and other scanners report: the text to hand to them.
    by_design
        Returns from the tables what in the account that text holds for, and what not.
    tables, wording
        The tables its verdict rests on, and those it only words reasons with, from its
        function's parameter names.
    function
        Returns the evidence.
    unseen
        Returns, from tables it names, a gap for each thing that those tables mention and do not
        hold: something the check would have to look at and that nobody read.
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
    subject: str = ""
    wording: tuple[str, ...] = ()
    among: Callable[[pd.DataFrame], pd.Series] | None = field(default=None, repr=False)
    left_out: Callable[..., str] | None = field(default=None, repr=False)
    leaves_open: bool = False
    unseen: Callable[..., list[GapRow]] | None = field(default=None, repr=False)
    parts: tuple[str, ...] = ()
    errand: str = ""
    window: str = ""
    advice: Callable[[pd.DataFrame], tuple[str, ...]] | None = field(default=None, repr=False)
    clear: tuple[str, str] | tuple[()] = ()
    kinds: Callable[[pd.DataFrame], str] | None = field(default=None, repr=False)
    false_alarms: tuple[str, ...] = ()
    controls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ratings: Mapping[str, str] = field(default_factory=dict)
    decision: str = ""
    ends_as: str = ""
    ends_sessions: bool = False
    bearing: str | Callable[[TableSource, pd.DataFrame], str] = field(default="", repr=False)
    stops: "Callable[[TableSource, Any], Stop | None] | None" = field(default=None, repr=False)
    names_access: bool = False
    of_everyone: bool = False
    accepted_by_design: str = ""
    by_design: "Callable[[TableSource], _ByDesign] | None" = field(default=None, repr=False)

    @property
    def needs(self) -> tuple[str, ...]:
        """The tables in which a gap may hide evidence, views included."""
        beside = inspect.signature(self.unseen).parameters if self.unseen else ()
        return tuple(dict.fromkeys((*self.tables, *(n for n in beside if n != _JUDGED))))

    def bearing_of(self, tables: TableSource, evidence: pd.DataFrame) -> str:
        """Return what its evidence at one endpoint means for all else that is said of that one."""
        return self.bearing if isinstance(self.bearing, str) else self.bearing(tables, evidence)

    def kinds_of(self, evidence: pd.DataFrame) -> str:
        """Return in a clause what of some evidence is of another kind; empty where nothing is."""
        return "" if self.kinds is None or evidence.empty else self.kinds(evidence)

    def population_in(self, tables: TableSource) -> pd.DataFrame:
        """Return the rows the check judges; kept with the tables, for many checks judge the same.

        They are not to be written into.
        """
        if self.among is None:
            return tables.shared(self.population)
        kept = vars(tables).setdefault("_populations", {})
        key = (self.population, self.among)
        if key not in kept:
            frame = tables.shared(self.population)
            kept[key] = frame[self.among(frame).astype(bool)]
        found: pd.DataFrame = kept[key]
        return found


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    answer
        One or a few sentences that can stand alone.
    evidence
        The rows that show the condition, the worst first; ``reason`` says it in words. What
        somebody accepted is not among them.
    gaps
        What could not be looked at, in the columns of ``schemas.GAPS``.
    population
        How many rows were judged.
    accepted
        Rows that show the condition and were accepted: the columns of the evidence and those of
        ``auditlib.accepted.COLUMNS``.
    overtaken
        The endpoints where what the check warns of has come, as the check ``ends_as`` finds: of them it
        says nothing, whatever its status.
    at_once
        By endpoint at which its evidence keeps everybody from connecting, a sentence: what is to be
        done there waits for no window, and whom it cuts off.
    by_design
        What the text for other scanners holds for, and what not; the first empty where for nothing.
    left_out
        The sentence of its answer on what was not judged; empty where all was.
    """

    check: Check
    status: Status
    answer: str
    evidence: pd.DataFrame = field(repr=False)
    gaps: pd.DataFrame = field(repr=False)
    population: int
    accepted: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    overtaken: tuple[str, ...] = ()
    at_once: Mapping[str, str] = field(default_factory=dict, repr=False)
    by_design: "_ByDesign" = field(default=((), ()), repr=False)
    left_out: str = field(default="", repr=False)

    @property
    def remedy(self) -> str:
        """What to do about its evidence: no advice that none of it is a case of."""
        return sentences(*self.advised)

    @property
    def advised(self) -> tuple[str, ...]:
        """The remedy in parts: what to do first, whether that waits for a window, and the rest."""
        made = self.check
        if self.evidence.empty:
            return (made.remedy,)
        first, *rest = (
            (made.parts or (made.remedy,)) if made.advice is None else made.advice(self.evidence)
        )
        ids = list(self.evidence["endpoint_id"].unique()) if "endpoint_id" in self.evidence else []
        now = [self.at_once[id] for id in ids if id in self.at_once]
        waits = made.window if len(now) < len(ids) else ""
        return tuple(filter(None, (first, *now, waits, *rest)))

    @property
    def verify(self) -> str:
        """How to see that its evidence is gone: its calls name endpoint and Region where these are few."""
        text = filled_in(self.check.verify, self.evidence)
        places = _places(self.evidence, "endpoint_id")
        if _ENDPOINT not in text or len(places) > _FEW:
            return text
        asked = (
            tr(
                "Ask this in {region} for {endpoints}.",
                region=region,
                endpoints=words.listed(id for id, where in places if where == region),
            )
            for region in dict.fromkeys(region for _, region in places)
        )
        return sentences(text, *asked)

    def __repr__(self) -> str:
        reasons = [f"- {reason}" for reason in self.evidence.get("reason", ())]
        lines = [self.answer, *reasons[:5]]
        if len(reasons) > 5:
            more = words.count(len(reasons) - 5, "more row")
            lines.append(tr("- … and {rows}, see .evidence", rows=more))
        if len(self.accepted):
            rows = words.count(len(self.accepted), "accepted row")
            lines.append(tr("{rows}, see .accepted", rows=rows))
        if len(self.gaps):
            lines.append(tr("{gaps}, see .gaps", gaps=words.count(len(self.gaps), "gap")))
        if self.status is Status.FAIL:
            lines.append(tr("what to do: .remedy; why: .check.rationale"))
        # Names in the account come from whoever can write to it: nothing in them drives a terminal.
        return "\n    ".join(
            [
                f"{self.status.value} {self.check.severity.value} {self.check.id}",
                *(visible(" ".join(line.split())) for line in lines),
            ]
        )


_FEW = 6
"""As many endpoints a sentence names one by one."""
_ENDPOINT = "<endpoint id>"
_FILLED_IN = (
    ("--client-vpn-endpoint-id", _ENDPOINT, "endpoint_id", 1),
    ("--client-vpn-endpoint-ids", _ENDPOINT, "endpoint_id", _FEW),
    ("--certificate-arn", "<arn>", "certificate_arn", 1),
)
"""What a call leaves open: option, blank, the column of the evidence that says it, how many it may name."""


def filled_in(text: str, evidence: pd.DataFrame) -> str:
    """Return a text whose calls name the endpoint or certificate, and its Region, as far as evidence is about one.

    An option that takes several endpoints names all of a Region where they are few.

    >>> one = pd.DataFrame({"endpoint_id": ["cvpn-endpoint-1"], "region": ["eu-west-1"]})
    >>> filled_in("aws … --client-vpn-endpoint-id <endpoint id> …", one)
    'aws … --client-vpn-endpoint-id cvpn-endpoint-1 --region eu-west-1 …'
    >>> two = pd.DataFrame({"endpoint_id": ["cvpn-endpoint-1", "cvpn-endpoint-2"], "region": "eu-west-1"})
    >>> filled_in("aws … --client-vpn-endpoint-id <endpoint id> …", two)
    'aws … --client-vpn-endpoint-id <endpoint id> --region eu-west-1 …'
    >>> filled_in("aws … --client-vpn-endpoint-ids <endpoint id> …", two)
    'aws … --client-vpn-endpoint-ids cvpn-endpoint-1 cvpn-endpoint-2 --region eu-west-1 …'
    """
    for option, blank, column, most in _FILLED_IN:
        places = _places(evidence, column)
        if len({region for _, region in places}) == 1:
            ids = [shlex.quote(id) for id, _ in places]
            named = " ".join(ids) if len(ids) <= most else blank
            text = text.replace(f"{option} {blank}", f"{option} {named} --region {places[0][1]}")
    return text


def _places(evidence: pd.DataFrame, column: str) -> list[tuple[str, str]]:
    """Return the things of a column that evidence is about, each with its Region."""
    if not {column, "region"} <= set(evidence):
        return []
    places = evidence[[column, "region"]].dropna().drop_duplicates()
    return sorted(places.itertuples(index=False, name=None), key=lambda place: place[::-1])


_REGISTRY: dict[str, Check] = {}


def check(
    **description: object,
) -> Callable[[Callable[..., pd.DataFrame]], Callable[..., pd.DataFrame]]:
    """Register the decorated function as a check; its parameters name the tables it reads.

    The keywords are the attributes of :class:`Check` but for ``function``, ``tables`` and
    ``wording``; ``subject`` is the module's name where it is not given.
    """

    def register(function: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
        parameters = inspect.signature(function).parameters.values()
        made = Check(
            function=function,
            tables=tuple(
                p.name for p in parameters if p.kind is not p.KEYWORD_ONLY and p.name != _JUDGED
            ),
            wording=tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY),
            parts=_parts(str(description.get("remedy", ""))),
            **{"subject": function.__module__.rpartition(".")[2], **description},  # type: ignore[arg-type] # the dataclass names what is missing or unknown
        )
        if made.id in _REGISTRY:
            raise ValueError(f"two checks are called {made.id}")
        _REGISTRY[made.id] = made
        return function

    return register


def _parts(remedy: str) -> tuple[str, ...]:
    """Return a remedy, as it is written, in its first sentence and the rest."""
    text = " ".join(remedy.split())
    first = words.first_sentence(text)
    return tuple(filter(None, (first, text.removeprefix(first).strip())))


def registered() -> tuple[Check, ...]:
    """Return every check of ``auditlib.checks`` as it is written, the most severe first, then by id."""
    package = importlib.import_module("auditlib.checks")
    for module in pkgutil.iter_modules(package.__path__, "auditlib.checks."):
        importlib.import_module(module.name)
    return tuple(sorted(_REGISTRY.values(), key=lambda c: (-c.severity.rank, c.id)))


def checks() -> tuple[Check, ...]:
    """Return every check, its texts in the language spoken, in the order of :func:`registered`."""
    return _spoken(current())


@cache
def _spoken(_: str) -> tuple[Check, ...]:
    return tuple(map(_translated, registered()))


_TEXTS = (
    "title",
    "noun",
    "rationale",
    "errand",
    "window",
    "verify",
    "decision",
    "bearing",
    "accepted_by_design",
)
_NUMBERS = ("one", "many")


def _written(made: Check, name: str) -> str | None:
    """Return a text of a check as it is written; ``None`` where a function makes it from data."""
    text = getattr(made, name)
    return text if isinstance(text, str) else None


def texts_of(made: Check) -> Iterator[tuple[str | None, str]]:
    """Yield the texts of a check that a translator translates, each with its role in a sentence."""
    yield from ((None, text) for name in _TEXTS if (text := _written(made, name)))
    yield from zip(_NUMBERS, made.condition, strict=True)
    yield from zip(_NUMBERS, made.clear, strict=False)
    yield from ((None, text) for text in (*made.parts, *made.false_alarms))


def _translated(made: Check) -> Check:
    singular, plural = map(tr_as, _NUMBERS, made.condition)
    clear = (tr_as("one", made.clear[0]), tr_as("many", made.clear[1])) if made.clear else ()
    texts: dict[str, Any] = {
        name: tr(text) for name in _TEXTS if (text := _written(made, name)) is not None
    }
    return replace(
        made,
        condition=(singular, plural),
        clear=clear,
        remedy=sentences(*map(tr, made.parts)),
        parts=tuple(map(tr, made.parts)),
        false_alarms=tuple(map(tr, made.false_alarms)),
        **texts,
    )


def evidence_of(columns: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows of evidence as a frame that has its columns even when there is no row.

    Two more may be in the rows, and neither is kept in a finding: ``rank`` puts the lowest first;
    ``by_absence`` marks what rests on something not being there. Such a row is dropped where a
    gap could hide just that: "no rule lets this out" is no finding when the rules were refused.

    >>> list(evidence_of("account region endpoint_id reason", []).columns)
    ['account', 'region', 'endpoint_id', 'reason', 'rank', 'by_absence']
    """
    told = [dict(row) for row in rows]
    if not told:  # as of most checks, again and again
        return _no_evidence(columns).copy(deep=False)
    return pd.DataFrame(told, columns=[*columns.split(), *_ASIDE])


@cache
def _no_evidence(columns: str) -> pd.DataFrame:
    return pd.DataFrame([], columns=[*columns.split(), *_ASIDE])


Identity = tuple[tuple[str, str], ...]
"""What a row of evidence is about: pairs of column and value."""


def identities(evidence: pd.DataFrame) -> list[Identity]:
    """Return, for each row of evidence, what it is about: the same in every snapshot that shows it.

    Everything a row names counts. What it says about that does not: prose, names (whoever can
    write to the account may change them), lists, numbers and times. To keep a further column of
    text out, add it to ``_SAID``.

    >>> row = {"account": "111122223333", "group_id": "sg-1", "ports": ("tcp 22-22",), "reason": "…"}
    >>> identities(pd.DataFrame([row]))
    [(('account', '111122223333'), ('group_id', 'sg-1'))]
    """
    names = [
        str(name)
        for name in evidence.columns
        if name not in _SAID and (name == "log_group_name" or not str(name).endswith("_name"))
    ]
    columns = [evidence[name].tolist() for name in names]
    if not columns:
        return [()] * len(evidence)
    return [
        tuple((name, value) for name, value in zip(names, row, strict=True) if type(value) is str)
        for row in zip(*columns, strict=True)
    ]


def finding_of(
    made: Check,
    evidence: pd.DataFrame,
    gaps: pd.DataFrame,
    population: int,
    affected: int,
    *,
    accepted: pd.DataFrame | None = None,
    left_out: str = "",
    at_once: Mapping[str, str] | None = None,
    guessed: bool = False,
) -> Finding:
    """Derive a check's status: the only place in the kit that does.

    Parameters
    ----------
    evidence
        Rows that show the bad condition and that nobody accepted.
    gaps
        What could not be read of the tables the check used.
    population
        Number of rows judged, as far as they could be read.
    affected
        Number of those with evidence; where all of it is accepted, with accepted evidence.
    accepted
        Rows that show the bad condition and are accepted. They take nothing from a gap.
    left_out
        A sentence on what was not judged, and why.
    at_once
        What to say of endpoints at which nobody can connect; see :class:`Finding`.
    guessed
        Whether rows were left out that rest on the absence of what a gap may hide: then it is not said
        that nothing was found in what could be read.
    """
    waived = pd.DataFrame() if accepted is None else accepted
    said = []
    if len(evidence):
        status = Status.FAIL
        partly = len(gaps) > 0 and bool((gaps["table"] == made.population).any())
        said.append(found_of(made, population, affected, partly=partly))
        if kinds := made.kinds_of(evidence):
            said.append(tr("{sentence}.", sentence=words.opening(kinds)))
        if len(gaps):
            said.append(tr("There may be more: {missing}.", missing=_missing(gaps)))
        if len(waived):
            said.append(tr("Not counted: {accepted}.", accepted=_accepted(waived)))
    elif len(gaps):
        status = Status.NOT_ASSESSED
        said.append(tr("Not assessed: {missing}.", missing=_missing(gaps)))
        in_part = population and gaps["table"].eq(made.population).all()
        if in_part and not guessed and not len(waived):
            said.append(_nothing_in_part(made, population))
        if len(waived):
            said.append(tr("What was found is accepted: {accepted}.", accepted=_accepted(waived)))
    elif len(waived):
        status = Status.ACCEPTED
        said += [
            found_of(made, population, affected),
            tr("All of it is accepted: {accepted}.", accepted=_accepted(waived)),
        ]
    elif population == 0:
        status = Status.NOT_APPLICABLE
        said.append(tr("Not applicable: what was read holds no {noun} to judge.", noun=made.noun))
    else:
        status = Status.PASS
        said.append(_clear(made, population))
    return Finding(
        check=made,
        status=status,
        answer=sentences(*said, left_out),
        evidence=evidence,
        gaps=gaps,
        population=population,
        accepted=waived,
        at_once=at_once or {},
        left_out=left_out,
    )


def _clear(made: Check, population: int) -> str:
    """Return in a sentence that none of those judged is affected."""
    if made.clear:
        return found_of(replace(made, condition=made.clear), population, population)
    forms = _forms(made, population)
    if population == 1:
        return tr("The only {noun} {negated}.", **forms, negated=_negated(made.condition))
    return tr("None of the {population:,} {nouns} {singular}.", **forms)


def _nothing_in_part(made: Check, population: int) -> str:
    """Say that those that could be read show nothing, which tells nothing of the others."""
    forms = _forms(made, population)
    if population == 1:
        return tr(
            "In the only {noun} that could be read nothing was found; of what could not be read nothing is "
            "known.",
            **forms,
        )
    return tr(
        "In the {population:,} {nouns} that could be read nothing was found; of what could not be read "
        "nothing is known.",
        **forms,
    )


def found_of(made: Check, population: int, affected: int, *, partly: bool = False) -> str:
    """Return in a sentence how many of those judged are affected; ``partly``: there may be others."""
    forms = {**_forms(made, population), "affected": affected}
    if population == 1:
        return (
            tr("The only {noun} that could be read {singular}.", **forms)
            if partly
            else tr("The only {noun} {singular}.", **forms)
        )
    if affected == population:
        if partly:
            return tr("All {population:,} {nouns} that could be read {plural}.", **forms)
        if population == 2:
            return tr("Both {nouns} {plural}.", **forms)
        return tr("All {population:,} {nouns} {plural}.", **forms)
    if affected == 1:
        return tr("One of the {population:,} {nouns} {singular}.", **forms)
    return tr("{affected:,} of the {population:,} {nouns} {plural}.", **forms)


def _forms(made: Check, population: int) -> dict[str, object]:
    """Return what a sentence about a check can be made of, in any language."""
    singular, plural = made.condition
    return {
        "noun": made.noun,
        "nouns": words.plural(made.noun),
        "singular": singular,
        "plural": plural,
        "population": population,
    }


def _accepted(rows: pd.DataFrame) -> str:
    """Say how much evidence is accepted, and until when."""
    days = sorted(set(rows["accepted_until"]))
    until = days[0] if len(days) == 1 else tr("{day} or later", day=days[0])
    pieces = words.count(len(rows), "piece")
    return tr("{pieces} of evidence, until {until}", pieces=pieces, until=until)


def audit(
    tables: TableSource, only: Iterable[str] | None = None, *, accept: Accept | None = None
) -> tuple[Finding, ...]:
    """Run the checks on tables; all of them, or those whose ids are given.

    An exception inside a check is a bug and is not caught.

    Parameters
    ----------
    accept
        Tells which evidence is accepted; none of it when not given.
    """
    wanted = None if only is None else set(only)
    asked: _Asked = {}
    found = {
        made.id: _judge(made, tables, accept, asked)
        for made in checks()
        if wanted is None or made.id in wanted
    }
    return tuple(
        _overtaken(_with_design(one, tables), found.get(one.check.ends_as))
        for one in found.values()
    )


def _with_design(finding: Finding, tables: TableSource) -> Finding:
    """Return a finding with what the text for other scanners holds for, where its check has one."""
    told = finding.check.by_design
    return finding if told is None else replace(finding, by_design=told(tables))


def _overtaken(finding: Finding, worse: Finding | None) -> Finding:
    """Return a finding with the endpoints that a worse one has taken out of it."""
    if worse is None:
        return finding
    ids = {
        id
        for rows in (worse.evidence, worse.accepted)
        if "endpoint_id" in rows
        for id in rows["endpoint_id"].dropna()
    }
    if not ids:
        return finding
    came = replace(finding, overtaken=tuple(sorted(ids)))
    if finding.status is not Status.PASS:
        return came
    made, gone = finding.check, min(len(ids), finding.population)
    return replace(
        came,
        answer=sentences(_left_to_warn_of(made, finding.population, gone), finding.left_out),
    )


def _left_to_warn_of(made: Check, population: int, gone: int) -> str:
    """Say in a sentence that of those at which it has not come yet none is affected."""
    others = population - gone
    forms = {**_forms(made, population), "gone": gone, "others": others}
    if not others:
        return tr(
            "What this check warns of has come already at all {population:,} {nouns}.", **forms
        )
    if others == 1:
        return tr(
            "What this check warns of has come already at {gone:,} of the {population:,} {nouns}; the "
            "other one {negated}.",
            **forms,
            negated=_negated(made.condition),
        )
    return tr(
        "What this check warns of has come already at {gone:,} of the {population:,} {nouns}; none of "
        "the other {others:,} {singular}.",
        **forms,
    )


def evidence_in(made: Check, tables: TableSource) -> pd.DataFrame:
    """Return the evidence of one check on tables as it comes: not sorted, not traced to its files.

    For asking again and again "what if"; a finding has more.
    """
    population = made.population_in(tables)
    evidence = made.function(**_given(made.function, tables, population))
    if "by_absence" in evidence and evidence["by_absence"].eq(True).any():
        return _without_guesses(evidence, _gaps(made, tables, population, {}))
    return evidence


_Asked = dict[tuple[object, ...], Any]
"""What tables mention and do not hold, and what is not judged, by who tells it and about which
rows: checks share it."""


def _judge(made: Check, tables: TableSource, accept: Accept | None, asked: _Asked) -> Finding:
    population = made.population_in(tables)
    gaps = _gaps(made, tables, population, asked)
    left_out = _left_out(made, tables, asked)
    evidence = made.function(**_given(made.function, tables, population))
    if evidence.empty:
        nothing = _nothing(tuple(evidence.columns)).copy(deep=False)
        return finding_of(made, nothing, gaps, len(population), 0, left_out=left_out)
    if missing := {name: 0 for name in _ASIDE if name not in evidence}:
        evidence = evidence.assign(**missing)
    key = list(SCHEMAS[made.population].key)
    certain = _without_guesses(evidence, gaps)
    guessed = len(certain) < len(evidence)
    evidence = _in_order(certain, key)
    evidence = _traced(evidence, population, key, tables)
    about = set(_keys(evidence, key))
    if about and (strangers := about - set(_keys(population, key))):
        raise ValueError(f"{made.id} has evidence about what it does not judge: {strangers}")
    accepted = evidence.head(0) if accept is None else accept(made, evidence)
    left = evidence.drop(accepted.index).reset_index(drop=True)
    return finding_of(
        made,
        left,
        gaps,
        len(population),
        len(set(_keys(left if len(left) else accepted, key))),
        accepted=accepted.reset_index(drop=True),
        left_out=left_out,
        at_once=_at_once(made, tables, left),
        guessed=guessed,
    )


def _at_once(made: Check, tables: TableSource, evidence: pd.DataFrame) -> dict[str, str]:
    """Say of each endpoint at which evidence keeps everybody out whom mending it cuts off."""
    if made.stops is None:
        return {}
    stops = ((row, made.stops(tables, row)) for row in rows_of(evidence))
    called = tables.shared("client_vpn_endpoints").set_index("endpoint_id")["name"]
    return {
        row.endpoint_id: tr(
            "At {endpoint}, do it at once: {cost}.",
            endpoint=words.clean(called.get(row.endpoint_id)) or row.endpoint_id,
            cost=stop.cost,
        )
        for row, stop in stops
        if stop is not None
    }


@cache
def _nothing(columns: tuple[str, ...]) -> pd.DataFrame:
    """Return evidence without a row, to be copied: it is made once."""
    kept = dict.fromkeys((*(name for name in columns if name not in _ASIDE), "source", "record"))
    types: dict[str, Any] = {"source": _no_values("str"), "record": _no_values("Int64")}
    return pd.DataFrame({name: types.get(name, _no_values("object")) for name in kept})


@cache
def _no_values(dtype: str) -> Any:
    return pd.Series(dtype=dtype).array


def _left_out(made: Check, tables: TableSource, asked: _Asked) -> str:
    if made.left_out is None:
        return ""
    about = (made.left_out, made.population)
    if about not in asked:
        _, *more = inspect.signature(made.left_out).parameters
        asked[about] = made.left_out(*map(tables.shared, (made.population, *more)))
    return str(asked[about])


def _given(
    function: Callable[..., object], tables: TableSource, population: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return what a function asks for by the names of its parameters."""
    names = inspect.signature(function).parameters
    return {name: population if name == _JUDGED else tables.shared(name) for name in names}


def _in_order(evidence: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Sort evidence by rank, then by what it is about: the same whatever order the tables have."""
    ranks = [0 if pd.isna(rank) else rank for rank in evidence["rank"].tolist()]
    evidence = evidence.drop(columns=list(_ASIDE))
    if len(evidence) > 1:
        others = sorted({str(name) for name in evidence} - {*key, "reason"})
        texts = zip(ranks, *_texts(evidence, [*key, *others, "reason"]), strict=True)
        order = [at for at, _ in sorted(enumerate(texts), key=lambda one: one[1])]
        evidence = evidence.iloc[order]
    return evidence.reset_index(drop=True)


def _traced(
    evidence: pd.DataFrame, population: pd.DataFrame, key: list[str], tables: TableSource
) -> pd.DataFrame:
    """Name the file and record of every row: the rule's or interface's it names, else the judged one."""
    records = zip(population["source"].tolist(), population["record"].tolist(), strict=True)
    judged = dict(zip(_keys(population, key), records, strict=True))
    shown = _shown_by(evidence, tables)
    of_judged = [
        own or judged.get(about, (None, None))
        for own, about in zip(shown, _keys(evidence, key), strict=True)
    ]
    traced = evidence.copy(deep=False)
    for at, (name, dtype) in enumerate((("source", "str"), ("record", "Int64"))):
        instead = [one[at] for one in of_judged]
        held = evidence[name].tolist() if name in evidence else instead
        told = [other if pd.isna(own) else own for own, other in zip(held, instead, strict=True)]
        traced[name] = pd.Series(told, evidence.index, dtype=dtype)
    return traced


_Record = tuple[str, int]


def _shown_by(evidence: pd.DataFrame, tables: TableSource) -> list[_Record | None]:
    """Return the record that shows each row: of the first rule it names, else of its interface.

    What is judged, an endpoint mostly, shows neither the port nor the machine.
    """
    shown: list[_Record | None] = [None] * len(evidence)
    for name, table, id in (
        ("eni_id", "network_interfaces", "eni_id"),
        ("rule_ids", "security_group_rules", "rule_id"),
        ("rule_id", "security_group_rules", "rule_id"),
    ):
        if name not in evidence:
            continue
        frame = tables.shared(table)
        held = [frame[column].tolist() for column in (id, "source", "record")]
        records = {one: (source, record) for one, source, record in zip(*held, strict=True)}
        for at, value in enumerate(evidence[name].tolist()):
            named = value if isinstance(value, tuple) else (value,)
            found = next((records[one] for one in named if one in records), None)
            shown[at] = found or shown[at]
    return shown


def _without_guesses(evidence: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Drop rows that rest on the absence of something a gap may hide.

    A call refused for another endpoint hides nothing about this one.
    """
    by_absence = evidence["by_absence"].eq(True)
    if not len(gaps) or not by_absence.any():
        return evidence
    elsewhere = gaps["resource"].fillna("").str.startswith("cvpn-endpoint-") & (
        "endpoint_id" in evidence
    )
    everywhere = set(gaps.loc[~elsewhere, "region"])
    if any(map(of_every_region, gaps["service"], gaps["operation"])):
        everywhere |= set(evidence["region"])
    here = set(gaps.loc[elsewhere, "resource"])
    about = evidence["endpoint_id"] if "endpoint_id" in evidence else evidence["region"]
    return evidence[~(by_absence & (evidence["region"].isin(everywhere) | about.isin(here)))]


def _gaps(
    made: Check, tables: TableSource, population: pd.DataFrame, asked: _Asked
) -> pd.DataFrame:
    """Return what could not be read and may hide evidence.

    Groups, interfaces and rules can belong to another account of the Region (shared VPCs, shared
    or associated groups, peerings), but a group never reaches into another Region. So a gap counts
    in every account of a Region where there is something to judge, or where nobody could see
    whether there is. A gap of a service that is the same in every Region counts wherever there is.
    """
    gaps = tables.gap_rows(made.population, *made.needs)
    about = (made.unseen, made.population, made.among)
    if made.unseen is not None and about not in asked:
        asked[about] = made.unseen(**_given(made.unseen, tables, population))
    known = {(gap["table"], gap["account"], gap["region"]) for gap in gaps}
    places = {(account, region) for _, account, region in known}
    # Where a call was refused, that is the reason to name, not AWS's silence.
    new = [
        gap
        for gap in asked.get(about, ())
        if (gap["table"], gap["account"], gap["region"]) not in known
        and not (gap["status"] == "untold" and (gap["account"], gap["region"]) in places)
    ]
    own = tables.gap_rows(made.population)
    regions = {*population["region"].unique(), *(gap["region"] for gap in own)}
    kept = [
        gap
        for gap in (*gaps, *new)
        if gap["region"] in regions
        or (regions and of_every_region(gap["service"], gap["operation"]))
    ]
    return frame_of_rows(GAPS, sorted(kept, key=_position)) if kept else _no_gaps().copy(deep=False)


@cache
def _no_gaps() -> pd.DataFrame:
    return empty_frame(GAPS)


def _position(gap: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """Return where a gap stands among others: what is not told comes last."""
    names = ("account", "region", "table", "operation", "resource")
    return [(gap.get(name) is None, str(gap.get(name))) for name in names]


def _texts(frame: pd.DataFrame, columns: list[str]) -> list[list[str]]:
    """Return columns as text; small frames take pandas longer than Python."""
    return [list(map(str, frame[column].tolist())) for column in columns]


def _keys(frame: pd.DataFrame, columns: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*_texts(frame, columns), strict=True))


def _missing(gaps: pd.DataFrame) -> str:
    """Say which answers are missing, the first by name."""
    calls = gaps.drop_duplicates(["account", "region", "service", "operation", "resource"])
    first = words.gap(next(calls.itertuples(index=False)))
    others = len(calls) - 1
    if others == 0:
        return first
    if others == 1:
        return tr("{first}, and one more answer is missing", first=first)
    return tr(
        "{first}, and {nouns} are missing",
        first=first,
        nouns=words.count(others, "more answer"),
        others=others,
    )


def _negated(condition: tuple[str, str]) -> str:
    """Turn a verb phrase into its opposite, in English; other languages say it another way.

    >>> _negated(("uses a default group", "use a default group"))
    'does not use a default group'
    >>> _negated(("is open", "are open"))
    'is not open'
    """
    singular, plural = condition
    if singular.startswith("is "):
        return f"is not {singular.removeprefix('is ')}"
    return f"does not {plural}"
