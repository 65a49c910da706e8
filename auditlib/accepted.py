"""Accepted risks: evidence that somebody answers for until a day, read from a YAML file.

An entry takes rows of evidence out of a check's verdict; it never takes a gap away, and it ends by
itself on the day after ``until``. Which rows an entry means is told by the ids AWS gave, never by
names: a name can be changed by whoever wants to be overlooked. The status of a check is derived
elsewhere (``check.finding_of``), from what is left.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from auditlib import words
from auditlib.check import Check, Finding, Status, checks
from auditlib.config import text_in
from auditlib.errors import ParameterError
from auditlib.language import marked, sentences, tr
from auditlib.schemas import SCHEMAS
from auditlib.snapshot import write_file
from auditlib.tables import nearest

if TYPE_CHECKING:
    from os import PathLike

    from auditlib.audit import Audit

__all__ = [
    "COLUMNS",
    "AcceptedRisk",
    "AcceptedRisks",
    "Standing",
    "accept",
    "accepted_risks",
    "as_shown",
    "day_of",
    "resources_of",
]

COLUMNS = ("accepted_reason", "accepted_owner", "accepted_until", "accepted_reference")
"""What an accepted row of evidence has beside the columns of the evidence."""

_REQUIRED = ("check", "resource", "reason", "owner", "until")
_KEYS = (*_REQUIRED, "reference")
_LONGEST = 2000
_MOST_TOLD = 20
_DAY = re.compile(r"(?m)(:[ \t]+|^)(\d{4}-\d\d?-\d\d?)(?=[ \t]*(?:#|$))")
"""A day as the value of a key."""


@dataclass(frozen=True, kw_only=True)
class AcceptedRisk:
    """One entry of the file.

    Attributes
    ----------
    check
        Id of the check whose evidence is accepted.
    resource
        Pattern (``*``, ``?``, ``[…]``) over the ids in a row of evidence, or over
        ``account/region/id``.
    reason, owner
        Why it is accepted, and who answers for it.
    until
        The last day it holds.
    reference
        A ticket or document, where there is one.
    line
        The line of the file it begins at.
    """

    check: str
    resource: str
    reason: str
    owner: str
    until: date
    reference: str = ""
    line: int = 0

    def holds_on(self, day: date) -> bool:
        """Tell whether it holds on a day; it does on its last one."""
        return day <= self.until

    def means(self, names: Iterable[tuple[str, ...]]) -> bool:
        """Tell whether it means a row of evidence, whose ids are given by :func:`resources_of`."""
        return any(all(fnmatchcase(one, self.resource) for one in name) for name in names if name)


Standing = Literal["accepted", "expired", "matches nothing"]
"""How an entry stands: it takes evidence out, its day is over, or there is no such evidence."""


@dataclass(frozen=True, kw_only=True)
class AcceptedRisks:
    """The entries of a file, as they stand on a day.

    Calling it with a check and its evidence returns the accepted rows; see ``check.audit``.
    """

    entries: tuple[AcceptedRisk, ...]
    day: date
    file: str = ""

    def __call__(self, made: Check, evidence: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of evidence that an entry accepts on the day, and by which.

        Where several do, the one that holds longest is named.
        """
        ours = [e for e in self.entries if e.check == made.id and e.holds_on(self.day)]
        ours.sort(key=lambda entry: entry.until, reverse=True)
        taken = [
            next((entry for entry in ours if entry.means(names)), None)
            for names in resources_of(made, evidence)
        ]
        told = pd.DataFrame(
            [
                [e.reason, e.owner, e.until.isoformat(), e.reference] if e else [None] * 4
                for e in taken
            ],
            columns=list(COLUMNS),
            index=evidence.index,
            dtype="str",
        )
        kept = pd.Series([entry is not None for entry in taken], evidence.index, dtype=bool)
        return pd.concat([evidence, told], axis=1)[kept]

    def standing(self, findings: Sequence[Finding]) -> pd.DataFrame:
        """Return every entry with how it stands, in the order of the file.

        Returns
        -------
        DataFrame
            ``check``, ``resource``, ``reason``, ``owner``, ``until``, ``reference``, ``line``,
            ``standing`` and ``rows`` (pieces of evidence the entry means, expired or not).
        """
        by_check = {finding.check.id: finding for finding in findings}
        rows = []
        for entry in self.entries:
            meant = _meant(entry, by_check[entry.check])
            standing: Standing = "accepted" if meant else "matches nothing"
            if not entry.holds_on(self.day):
                standing = "expired"
            rows.append(
                {
                    **{key: getattr(entry, key) for key in _KEYS},
                    "until": entry.until.isoformat(),
                    "line": entry.line,
                    "standing": standing,
                    "rows": meant,
                }
            )
        return pd.DataFrame(rows, columns=[*_KEYS, "line", "standing", "rows"])

    def notices(self, findings: Sequence[Finding]) -> list[str]:
        """Return a sentence for each entry that takes nothing out: expired, or matching nothing."""
        gaps = {finding.check.id: len(finding.gaps) for finding in findings}
        said = []
        for row in self.standing(findings).to_dict("records"):
            rows, resource = int(row["rows"]), words.clean(row["resource"])
            about = tr(
                "{file}, line {line}: {check} for {resource}",
                file=self.file,
                line=row["line"],
                check=row["check"],
                resource=resource,
            )
            if row["standing"] == "expired":
                was = {"about": about, "until": row["until"], "owner": words.clean(row["owner"])}
                said.append(
                    tr(
                        "{about} was accepted until {until} by {owner}; {pieces} of evidence {is_are} back.",
                        **was,
                        pieces=words.count(rows, "piece"),
                        is_are="is" if rows == 1 else "are",
                    )
                    if rows
                    else tr(
                        "{about} was accepted until {until} by {owner}; nothing matches it any more.",
                        **was,
                    )
                )
            elif row["standing"] == "matches nothing":
                said.append(
                    tr(
                        "{about} matches no evidence, but not everything could be read.",
                        about=about,
                    )
                    if gaps[row["check"]]
                    else tr("{about} matches no evidence.", about=about)
                )
        return said


def resources_of(made: Check, evidence: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Yield, per row of evidence, the names by which an entry can mean it.

    They are the ids in the row (what it judges, and every ``…_id``, ``…_ids``, ``…_arn``,
    ``…_cidr``), each alone and after its account and Region. A list of ids is meant only where
    all of it is: accepting one rule of a row accepts nothing about the others.
    """
    own = [name for name in SCHEMAS[made.population].key if name not in {"account", "region"}]
    columns = [
        str(name)
        for name in evidence.columns
        if name in own or str(name).endswith(("_id", "_ids", "_arn", "_cidr"))
    ]
    for record in evidence[["account", "region", *columns]].itertuples(index=False, name=None):
        account, region, *values = record
        names = [
            tuple(map(str, value)) if isinstance(value, tuple | list) else (str(value),)
            for value in values
            if isinstance(value, tuple | list | str)
        ]
        placed = [tuple(f"{account}/{region}/{one}" for one in name) for name in names]
        yield (*names, *placed)


def as_shown(accepted: pd.DataFrame) -> pd.DataFrame:
    """Return accepted evidence as people are shown it: no column of references where none has one."""
    column = COLUMNS[-1]
    empty = column in accepted and not accepted[column].fillna("").astype(bool).any()
    return accepted.drop(columns=column) if empty else accepted


def day_of(text: str) -> date:
    """Return a day as the command line takes it; nothing means today, in UTC.

    >>> day_of("2027-03-31")
    datetime.date(2027, 3, 31)
    """
    if not text:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ParameterError(
            tr('"{text}" is not a day: write it as 2027-03-31.', text=text)
        ) from None


# -- the file -------------------------------------------------------------------------------------


def accepted_risks(path: "str | PathLike[str]", day: date | None = None) -> AcceptedRisks:
    """Return the entries of a file as they stand on a day (today, in UTC, when not given).

    Raises
    ------
    ParameterError
        When the file cannot be read or entries are wrong; names every line that is, and the
        nearest check where there is none of that id.
    """
    file = Path(path)
    wrong: list[_Wrong] = []
    entries = tuple(_entries(file, _document(file), wrong))
    if wrong:
        raise ParameterError(_all_that_is_wrong(file, wrong))
    return AcceptedRisks(entries=entries, day=day or day_of(""), file=file.name)


_Wrong = tuple[int, str]
"""A line of the file, and what is wrong there."""


def _all_that_is_wrong(file: Path, wrong: list[_Wrong]) -> str:
    """Say in one line what is wrong, line by line."""
    wrong.sort(key=lambda one: one[0])
    if len(wrong) == 1:
        ((line, problem),) = wrong
        return tr("{file}, line {line}: {problem}", file=file, line=line, problem=problem)
    told = [
        tr("line {line}: {problem}", line=line, problem=problem)
        for line, problem in wrong[:_MOST_TOLD]
    ]
    if more := len(wrong) - len(told):
        told.append(tr("{errors} further down.", errors=words.count(more, "more error")))
    return tr(
        "{file} has {errors}; {told}",
        file=file,
        errors=words.count(len(wrong), "error"),
        told=sentences(*told),
    )


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()  # round trip: keeps comments, order and quotes, and knows the lines
    yaml.preserve_quotes = True
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _document(file: Path) -> Any:
    """Return a file as ruamel.yaml's round-trip document."""
    from ruamel.yaml.error import MarkedYAMLError

    try:
        text = text_in(file)
    except UnicodeDecodeError:
        raise ParameterError(tr("{file} is not UTF-8 text.", file=file)) from None
    except OSError as error:
        raise ParameterError(
            tr("{file} cannot be read: {why}.", file=file, why=error.strerror or error)
        ) from None
    try:
        return _yaml().load(_DAY.sub(_quoted, text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(str(error.problem or error.context).split())
        raise ParameterError(
            tr(
                "{file}, line {line}: this is no YAML: {problem}.",
                file=file,
                line=mark.line + 1,
                problem=problem,
            )
            if mark
            else tr("{file}: this is no YAML: {problem}.", file=file, problem=problem)
        ) from None
    except ValueError as error:
        raise ParameterError(f"{file}: {error}.") from None
    except Exception as error:
        # The library raises many kinds of errors for what nobody should have written.
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ParameterError(
            tr("{file} is no YAML that can be read: {first}.", file=file, first=first)
        ) from None


def _quoted(found: "re.Match[str]") -> str:
    """Put quotes round what looks like a day and is none: YAML gives up there without a line."""
    try:
        date(*map(int, found[2].split("-")))
    except ValueError:
        return f'{found[1]}"{found[2]}"'
    return found[0]


def _entries(file: Path, document: Any, wrong: list[_Wrong]) -> Iterator[AcceptedRisk]:
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if document is None:
        return
    if not isinstance(document, CommentedMap) or set(document) - {"accepted"}:
        raise ParameterError(
            tr('{file}: a file of accepted risks is one list under the key "accepted".', file=file)
        )
    listed = document.get("accepted")
    if listed is None:
        return
    if not isinstance(listed, CommentedSeq):
        raise ParameterError(
            tr(
                '{file}, line {line}: "accepted" is no list.',
                file=file,
                line=_line(document, "accepted"),
            )
        )
    known = {made.id for made in checks()}
    for number, entry in enumerate(listed):
        if not isinstance(entry, CommentedMap):
            held = (listed.lc.data or {}).get(number)
            line = held[0] + 1 if held else _line(document, "accepted")
            wrong.append((line, tr("an entry has the keys {keys}.", keys=words.listed(_KEYS))))
        elif made := _entry(entry, known, wrong):
            yield made


def _entry(entry: Any, known: set[str], wrong: list[_Wrong]) -> AcceptedRisk | None:
    """Return an entry, or say what is wrong with it: all of it, not the first of it."""
    found: list[_Wrong] = []
    begin = entry.lc.line + 1
    for key in entry:
        if key not in _KEYS:
            unknown = nearest(_plain(key), _KEYS, noun=marked("key of an accepted risk"))
            found.append((_line(entry, key), str(unknown)))
    if missing := [key for key in _REQUIRED if entry.get(key) is None]:
        found.append((begin, tr("this entry lacks {missing}.", missing=words.listed(missing))))
    until = _day(entry.get("until"))
    texts = {}
    for key in (key for key in _KEYS if entry.get(key) is not None):
        text = " ".join(_plain(entry[key]).split())
        if key == "until":
            problem = "" if until else tr("until must be a day, written 2027-03-31.")
        elif not (problem := _no_text(key, entry[key], text)) and key == "check":
            problem = "" if text in known else str(nearest(text, known, noun=marked("check")))
        if problem:
            found.append((_line(entry, key), problem))
        elif key != "until":
            texts[key] = text
    wrong += found
    return None if found or until is None else AcceptedRisk(**texts, until=until, line=begin)


def _plain(value: object) -> str:
    """Return text or a whole number as text, and nothing for a list: one of lists may have no end."""
    return str(value) if isinstance(value, str | int) else ""


def _no_text(key: str, value: object, text: str) -> str:
    """Say why a value cannot be the text of a key; nothing where it can."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return tr("{key} must be text; put it in quotes.", key=key)
    if not text:
        return tr("{key} is empty.", key=key)
    return (
        tr("{key} is longer than {most:,} characters.", key=key, most=_LONGEST)
        if len(text) > _LONGEST
        else ""
    )


def _day(value: object) -> date | None:
    """Return a value as a day; none where it is no day, or has a time too."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)  # type: ignore[arg-type] # whatever YAML made of it
    except (TypeError, ValueError):
        return None


def _line(mapping: Any, key: object) -> int:
    """Return the line of a key, counted from one."""
    return int(mapping.lc.key(key)[0]) + 1


# -- adding an entry ------------------------------------------------------------------------------


def accept(
    audit: "Audit",
    file: "str | PathLike[str]",
    *,
    check: str,
    resource: str,
    reason: str,
    owner: str,
    until: date,
    reference: str = "",
    unmatched: bool = False,
    day: date | None = None,
) -> int:
    """Add an entry to a file of accepted risks, which is made where there is none.

    The rest of the file keeps its order and its comments. The file is replaced as a whole or not
    at all.

    Parameters
    ----------
    unmatched
        Add it even though no evidence matches it.
    day
        The day to take as today.

    Returns
    -------
    int
        How many pieces of evidence it means.

    Raises
    ------
    ParameterError
        When the check is unknown (the nearest is named), a text is empty, the day has passed, no
        evidence matches, or the file accepts the same already.
    """
    path, today = Path(file), day or day_of("")
    given = {"check": check, "resource": resource, "reason": reason, "owner": owner}
    texts = {key: " ".join(value.split()) for key, value in given.items()}
    texts["reference"] = " ".join(reference.split())
    for key, text in texts.items():
        if not text and key != "reference":
            raise ParameterError(tr("{key} is empty.", key=key))
        if len(text) > _LONGEST:
            raise ParameterError(
                tr("{key} is longer than {most:,} characters.", key=key, most=_LONGEST)
            )
    finding = audit.finding(texts["check"])
    new = AcceptedRisk(until=until, **texts)  # type: ignore[arg-type] # the keys are none of line
    if not new.holds_on(today):
        raise ParameterError(tr("{day} has passed: give a day to come.", day=until.isoformat()))
    if not path.absolute().parent.is_dir():
        raise ParameterError(
            tr("{path} cannot be written: there is no folder {path.parent}.", path=path)
        )
    held = accepted_risks(path, today) if path.exists() else AcceptedRisks(entries=(), day=today)
    for old in held.entries:
        if (old.check, old.resource) == (new.check, new.resource):
            raise ParameterError(
                tr(
                    "{path}, line {old.line}: this is accepted until {day} already; change it there.",
                    path=path,
                    old=old,
                    day=old.until.isoformat(),
                )
            )
    meant = _meant(new, finding)
    if not meant and not unmatched:
        raise ParameterError(_nothing(new, finding))
    try:
        write_file(path.absolute(), _with(path, new))
    except OSError as error:
        raise ParameterError(
            tr("{path} cannot be written: {why}.", path=path, why=error.strerror or error)
        ) from None
    return meant


def _meant(entry: AcceptedRisk, finding: Finding) -> int:
    frames = [frame for frame in (finding.evidence, finding.accepted) if len(frame)]
    return sum(
        entry.means(names) for frame in frames for names in resources_of(finding.check, frame)
    )


def _nothing(entry: AcceptedRisk, finding: Finding) -> str:
    """Say why an entry would accept nothing, and what there is to accept."""
    ids: dict[str, None] = {}
    if len(finding.evidence):
        for names in resources_of(finding.check, finding.evidence):
            ids.update(dict.fromkeys(one for name in names for one in name if "/" not in one))
    if ids:
        return tr(
            "{entry.resource} matches no evidence of {entry.check}; there are {ids}. "
            "To add it all the same, give --unmatched.",
            entry=entry,
            ids=words.listed(ids),
        )
    return tr(
        "{entry.resource} matches no evidence of {entry.check}, which {says}. "
        "To add it all the same, give --unmatched.",
        entry=entry,
        says=tr(_SAYS[finding.status]),
    )


_SAYS = {
    Status.PASS: marked("passes"),
    Status.NOT_APPLICABLE: marked("has nothing to judge here"),
    Status.NOT_ASSESSED: marked("could not be assessed: no entry changes that"),
    Status.ACCEPTED: marked("fails by nothing that is not accepted"),
    Status.FAIL: marked("fails"),
}


def _with(path: Path, new: AcceptedRisk) -> bytes:
    """Return the file with an entry more."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    document = _document(path) if path.exists() else None
    if document is None:
        document = CommentedMap()
        document.yaml_set_start_comment(
            tr(
                "Accepted risks of a Client VPN audit. Who may add to this file decides what counts.\n"
            )
        )
    if document.get("accepted") is None:
        document["accepted"] = CommentedSeq()
    pairs = [(key, getattr(new, key)) for key in _KEYS]
    document["accepted"].append(CommentedMap((key, value) for key, value in pairs if value))
    text = StringIO()
    _yaml().dump(document, text)
    return text.getvalue().encode()
