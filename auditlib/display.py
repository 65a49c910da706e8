"""HTML for people: the same cards and tables in JupyterLab and in the handed-over report.

Everything here is made by Jinja2 templates that escape by themselves. Names, tags and descriptions
come from whoever can write to the account, so every text also passes :func:`visible` on its way
into a page, which shows the characters that could make it read as something else.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from auditlib import controls as published
from auditlib import endpoints, language, previewed, reached, steps, summary
from auditlib.accepted import COLUMNS, as_shown
from auditlib.access.saying import hop_shown
from auditlib.characters import visible
from auditlib.check import Finding, Severity, Status, filled_in
from auditlib.language import marked, tr
from auditlib.plots import Picture, hops
from auditlib.tables import nearest
from auditlib.words import count, gap, head, left_open, listed, named, opening, series
from auditlib.words import told as told_name

if TYPE_CHECKING:
    from auditlib.access import explanation as explained
    from auditlib.audit import Audit
    from auditlib.branding import Branding
    from auditlib.changes.preview import Preview
    from auditlib.comparison import Comparison
    from auditlib.found import Found
    from auditlib.overview import Overview

__all__ = [
    "Html",
    "accepted",
    "card",
    "cards",
    "changed",
    "compared",
    "controls",
    "coverage",
    "explain",
    "findings",
    "first_steps",
    "fixes",
    "fleet_accounts",
    "fleet_checks",
    "init_notebook",
    "is_number",
    "picture",
    "preview_access",
    "preview_findings",
    "preview_rollback",
    "preview_steps",
    "preview_verdicts",
    "proposals_of",
    "reach_evidence",
    "reach_matrix",
    "stories",
    "stylesheet",
    "table",
    "text_of",
    "told",
    "verdict",
    "who_reaches_what",
]

TEMPLATES = Path(__file__).parent / "templates"

MARK = "auditlib"
"""Key in an output's metadata that says the kit made its HTML; the report shows no other HTML."""

COVERAGE = "coverage"
"""Kind of the output that says what was looked at, on a page beside one that shows all of it."""

EMPTY = "empty"
"""Kind of the output that says only that there is nothing; a notebook may ask that pages leave it out."""

CHANGED = "changed"
"""Kind of the output that says in short what changed; the report's first page takes it over."""

SHOWN = 12
"""Rows of evidence shown before the rest is folded."""


FOLDED = 200
"""Rows of evidence kept in a page altogether; the rest is in findings.json."""

TELLING = 3
"""Columns of ids that tell rows of evidence apart; the reason names the rest."""

LONGEST = 1_000
"""Characters of one text in a table cell."""

# -- text ---------------------------------------------------------------------------------------


def _finalize(value: object) -> object:
    """Make every expression of every template visible; markup is what the kit made itself."""
    if isinstance(value, Markup):
        return value
    return visible(value) if isinstance(value, str) else value


def environment_settings() -> dict[str, Any]:
    """Return the Jinja settings that every template of the kit is rendered with."""
    return {
        "autoescape": True,
        "undefined": StrictUndefined,
        "finalize": _finalize,
        "trim_blocks": True,
        "lstrip_blocks": True,
    }


def add_filters(environment: Environment) -> Environment:
    """Add the kit's filters to a Jinja environment and return it."""
    environment.filters.update(
        breaking=breaking,
        called=_called,
        commanded=commanded,
        plain_and_commands=plain_and_commands,
        prose=prose,
        series=series,
        unbroken=unbroken,
        when=summary.when,
    )
    environment.globals.update(
        OUTCOMES=summary.TALLIED,
        left_open=left_open,
        opening=opening,
        sentences=_sentences,
        tr=_said,
    )
    return environment


def _said(text: str, /, **values: object) -> Markup:
    """Return a text of a template in the language spoken; its own tags are kept, values escaped."""
    shown = {name: visible(v) if type(v) is str else v for name, v in values.items()}
    return language.filled(Markup(tr(text)), shown)  # noqa: S704 # the templates' own text


def _sentences(*parts: str) -> Markup:
    """Return sentences one after the other, each escaped unless it is markup already."""
    return Markup(language.sentences(*(escape(_finalize(part)) for part in parts)))  # noqa: S704 # escaped


@cache
def _environment() -> Environment:
    return add_filters(Environment(loader=FileSystemLoader(TEMPLATES), **environment_settings()))  # noqa: S701 # autoescape is in the settings


def read_templates() -> None:
    """Read every template of the kit, so that copies of this process need not."""
    for path in TEMPLATES.glob("*.j2"):
        _environment().get_template(path.name)


def render(template: str, **values: object) -> Markup:
    """Return a template of the kit, filled in."""
    return Markup(_environment().get_template(template).render(values).strip())  # noqa: S704 # the template escapes


def visible_lines(text: str) -> str:
    """Return text of several lines with each line made visible."""
    return "\n".join(map(visible, text.split("\n")))


def prose(text: str, *, commands: bool = False) -> Markup:
    r"""Return the kit's own prose as paragraphs: blank lines part them, `backticks` mark code.

    Parameters
    ----------
    commands
        Whether calls of the AWS CLI are marked as code too, with whatever their arguments hold.

    >>> str(prose("Name the group.\n\nRun `a < b`."))
    '<p>Name the group.</p><p>Run <code>a &lt; b</code>.</p>'
    """
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return Markup("").join(
        Markup("<p>{}</p>").format(_code_marked(part, commands)) for part in paragraphs if part
    )


_ARGUMENT = r"""(?:'[^']*'|"[^"]*"|<[^<>]*>|[!#-&(-;=?-~])+"""
_ENDPOINT = r"cvpn-endpoint-[0-9a-z]+"
_COMMAND = re.compile(
    r"\baws [a-z][a-z0-9-]* [a-z]+(?:-[a-z0-9]+)+"
    rf"(?: --(?:descending|dry-run|no-[a-z-]+)\b| --[a-z][a-z-]*(?: (?!--){_ARGUMENT}(?: Name={_ARGUMENT}| {_ENDPOINT})*)?)*"
    r"(?: \| tee [a-z-]+\.[a-z]+)?(?: \| openssl [a-z0-9]+(?: -[a-z]+)*)?(?: > [a-z-]+\.[a-z]+)?(?<![.,;:)])"
)
"""A call of the AWS CLI in a sentence: an option takes one argument, filters and endpoints may be several; what
comes may go through a command, or into a file."""


def commanded(text: str) -> Markup:
    """Return a sentence of the kit with calls of the AWS CLI marked as code; all of it is escaped.

    >>> str(commanded("aws ec2 describe-vpcs --vpc-ids <vpc id> shows it."))
    '<code class="command">aws ec2 <bdi>describe-vpcs</bdi> <bdi>--vpc-ids</bdi> &lt;vpc id&gt;</code> shows it.'
    >>> str(commanded("(aws ec2 describe-vpcs --region x), then"))
    '(<code class="command">aws ec2 <bdi>describe-vpcs</bdi> <bdi>--region</bdi> x</code>), then'
    """
    return _coded(_COMMAND, text)


_CALLS = re.compile(rf"[:：] ?({_COMMAND.pattern}(?:; ?{_COMMAND.pattern})*)(?=[.;。；]|$)")
"""The calls that a colon leads to, at the end of a sentence or of a part of one."""
_SENTENCE_END = re.compile(r"(?<=[.;]) |(?<=[。；])")


def plain_and_commands(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return sentences without the AWS CLI's calls that their colons lead to, and these calls.

    Each call comes with what its sentence says before the colon. A call that a sentence cannot be
    read without stays in it.

    >>> plain_and_commands("Look first: aws ec2 describe-vpcs --region x. Then act.")
    ('Look first. Then act.', (('Look first', 'aws ec2 describe-vpcs --region x'),))
    >>> plain_and_commands("What aws ec2 describe-vpcs shows.")
    ('What aws ec2 describe-vpcs shows.', ())
    """
    commands = [
        (_SENTENCE_END.split(text[: found.start()])[-1], call[0])
        for found in _CALLS.finditer(text)
        for call in _COMMAND.finditer(found[1])
    ]
    return _CALLS.sub("", text), tuple(commands)


def _coded(pattern: re.Pattern[str], text: str) -> Markup:
    """Return a text, escaped, with the parts of a pattern marked as code, as they are or in backticks."""
    done, at = Markup(""), 0
    for found in pattern.finditer(text):
        done += unbroken(text[at : found.start()])
        done += (
            Markup("<code>{}</code>").format(visible(found[0][1:-1]))
            if found[0].startswith("`")
            else Markup('<code class="command">{}</code>').format(unbroken(found[0]))
        )
        at = found.end()
    return done + unbroken(text[at:])


_MOMENT = r"\d{4}-\d\d-\d\d(?: \d\d:\d\d UTC)?"
_HYPHENATED = r"(?<![\w./%-])(?:--?[a-z][\w-]*|/\w[\w./-]*\w|\w[\w.]*(?:-[\w.]*\w)+)(?![\w/%-])"
_WHOLE = re.compile(rf"{_MOMENT}|\b(?:TCP|UDP) \d+|{_HYPHENATED}", re.ASCII)
LONGEST_WHOLE, LONGEST_WIDE = 31, 56
"""Characters of the longest words that are kept whole: on a phone too, as the id of an endpoint, and where
there is room, as the name of a call. The stylesheet lets the wide ones break on phones and in columns."""


def _opening(word: str) -> Markup:
    """Return the tag by which the stylesheet keeps a word together."""
    return Markup('<bdi class="wide">') if len(word) > LONGEST_WHOLE else Markup("<bdi>")


def unbroken(text: str) -> Markup:
    """Return a sentence whose names, ids, options, ports and moments are not broken over lines; escaped.

    >>> str(unbroken("<sg-0123456789abcdef0> of us-vpn"))
    '&lt;<bdi>sg-0123456789abcdef0</bdi>&gt; of <bdi>us-vpn</bdi>'
    >>> str(unbroken("TCP 22 on 2026-11-02 01:00 UTC, logged to /vpn/office"))
    '<bdi>TCP 22</bdi> on <bdi>2026-11-02 01:00 UTC</bdi>, logged to <bdi>/vpn/office</bdi>'
    """
    done, at = Markup(""), 0
    for found in _WHOLE.finditer(text):
        if len(found[0]) > LONGEST_WIDE:
            continue
        done += escape(visible(text[at : found.start()]))
        done += _opening(found[0]) + visible(found[0]) + Markup("</bdi>")
        at = found.end()
    return done + escape(visible(text[at:]))


def breaking(id: str) -> Markup:
    """Return an id that a narrow column breaks before its last part; all of it is escaped.

    >>> str(breaking("certificate/0123456789")), str(breaking("10.20.0.0/16"))
    ('certificate/<wbr>0123456789', '10.20.0.0/16')
    """
    return Markup("<wbr>").join(re.split(r"(?<=/)(?=[^/]{9})", visible(id)))


_TEXTS = re.compile(
    r"<(title|style|bdi)\b.*?</\1>|<a href=\"https:.*?</a>|<[^>]*>|(?P<text>[^<]+)", re.DOTALL
)
_KEPT_SPACE = re.compile(
    r"(?<=\d) (?=[件行つ個日時分か年台人回秒枚]|ホップ)|(?:(?<=[!-~])|^) (?=[のはがをにへとでもや]|から|まで|より|だけ|など)"
)
"""The space between a number and what it counts, or between Latin letters and a particle."""
_STOPPED = re.compile(r"(?<=[、。])(?=[\w(]|<bdi)|(?<=、)$", re.ASCII)
"""After a Japanese comma or stop before Latin letters: no dictionary of phrases knows that a line may end there."""


def unbroken_page(html: str) -> str:
    """Return a page in whose text what :func:`unbroken` knows is not broken over lines.

    A Japanese number stays with what it counts, no line begins with a particle, and a Japanese list of names
    may break after each: a browser that breaks by phrases takes it for one. Addresses of other pages may
    break anywhere.

    >>> unbroken_page('<p title="us-vpn">us-vpn <bdi>lab-vpn</bdi></p>')
    '<p title="us-vpn"><bdi>us-vpn</bdi> <bdi>lab-vpn</bdi></p>'
    >>> unbroken_page("<p>us-vpn、lab-vpn の 2 件</p>").replace("\N{NO-BREAK SPACE}", "_")
    '<p><bdi>us-vpn</bdi>、<wbr><bdi>lab-vpn</bdi>_の 2_件</p>'
    """

    def kept(found: re.Match[str]) -> str:
        if not found["text"]:
            return found[0]
        spaced = _KEPT_SPACE.sub("\N{NO-BREAK SPACE}", found[0])
        held = _WHOLE.sub(
            lambda one: (
                one[0] if len(one[0]) > LONGEST_WIDE else f"{_opening(one[0])}{one[0]}</bdi>"
            ),
            spaced,
        )
        return _STOPPED.sub("<wbr>", held)

    return _TEXTS.sub(kept, html)


_CODE = re.compile(r"`[^`]+`")
_CODE_OR_COMMAND = re.compile(rf"{_CODE.pattern}|{_COMMAND.pattern}")


def _code_marked(text: str, commands: bool) -> Markup:
    """Return a paragraph with its code marked; a backtick without its like is only a character."""
    return _coded(_CODE_OR_COMMAND if commands else _CODE, text)


# -- objects a notebook shows ---------------------------------------------------------------------

_AS_IT_IS = '<div class="mathjax_ignore tex2jax_ignore">', "</div>"


def in_notebook(markup: Markup) -> str:
    """Return HTML as a notebook is given it: JupyterLab sets no formulas in it.

    It would take what stands between two dollar signs for one, in whatever names those are, and a
    formula can look like anything and link anywhere.
    """
    begin, end = _AS_IT_IS
    return f"{begin}{markup}{end}"


def out_of_notebook(html: str) -> Markup:
    """Return HTML of the kit's as a page holds it, which sets no formulas anyway."""
    begin, end = _AS_IT_IS
    inside = html.removeprefix(begin).removesuffix(end) if html.startswith(begin) else html
    return Markup(inside)  # noqa: S704 # made by the kit


@dataclass(frozen=True, kw_only=True)
class Html:
    """A piece of HTML the kit made, with the plain text that stands for it elsewhere."""

    markup: Markup = field(repr=False)
    text: str
    kind: str = "html"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        return (
            {"text/html": in_notebook(self.markup), "text/plain": self.text},
            {"text/html": {MARK: self.kind}},
        )

    def __repr__(self) -> str:
        return self.text


_SPACE = re.compile(r'(?P<kept>"[^"]*")|\s*(?P<sign>[{};,])\s*|: ')
"""A string of CSS, or a sign with spaces that mean nothing. A colon before a space is no selector's."""


@cache
def sheet() -> str:
    """Return the one stylesheet of the kit, as it stands in every page: without what only people need."""
    whole = (TEMPLATES / "stylesheet.css").read_text("utf-8")
    bare = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", whole, flags=re.DOTALL))
    return _SPACE.sub(lambda found: found["kept"] or found["sign"] or ":", bare).strip() + "\n"


def page_sheet(title: str, whose: str) -> str:
    """Return the stylesheet of one page: the kit's, and the running header of its print."""
    return (
        f"{sheet()}@media print {{\n  @page {{\n"
        f"    @top-left {{ content: {_css_string(title)}; vertical-align: bottom; padding-bottom: 3mm; }}\n"
        f"    @top-right {{ content: {_css_string(whose)}; vertical-align: bottom; padding-bottom: 3mm; }}\n"
        "  }\n  @page :first { @top-left { content: none } @top-right { content: none } }\n}\n"
    )


def whose(identity: summary.Identity, branding: "Branding | None") -> str:
    """Return for whom a report is and which accounts it is about, in a few words."""
    accounts = identity.accounts
    named = (
        tr("Account {account}", account="".join(accounts))
        if len(accounts) == 1
        else count(len(accounts), "account")
    )
    client = branding.client if branding else ""
    return f"{client} · {named}" if client else named


def _css_string(text: str) -> str:
    r"""Return a text as a string of CSS that ends nowhere but at its end.

    >>> print(_css_string('R&D "x"'))
    "R\26 D \22 x\22 "
    """
    escaped = re.sub(r"[^\w ·.,-]", lambda found: f"\\{ord(found[0]):x} ", visible(text))
    return f'"{escaped}"'


def stylesheet() -> Html:
    """Return the kit's stylesheet as an output; a report has it in its head and drops this one."""
    ours = Markup(sheet())  # noqa: S704 # our own file
    return Html(
        markup=Markup('<div class="audit-stylesheet"><style>\n{}</style></div>').format(ours),
        text="",
        kind="stylesheet",
    )


def init_notebook(audit: "Audit | None" = None) -> Html:
    """Show findings, frames and pictures as cards and tables from now on; return the stylesheet.

    Parameters
    ----------
    audit
        Its names are written beside the ids in every table.
    """
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    if shell is not None:
        names = {} if audit is None else summary.names(audit)
        bundle = shell.display_formatter.mimebundle_formatter

        def shown(made: Any) -> Any:
            return lambda value, **_: made(value)._repr_mimebundle_()

        bundle.for_type(
            Finding, shown(lambda finding: card(finding, names, proposals_of(audit, finding)))
        )
        bundle.for_type(pd.DataFrame, shown(lambda frame: table(frame, names=names)))
        bundle.for_type(Picture, shown(picture))
        bundle.for_type_by_name("auditlib.access.explanation", "Explanation", shown(_explained))
        bundle.for_type_by_name("auditlib.changes.preview", "Preview", shown(_previewed))
    return stylesheet()


# -- tables ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """One cell: its text (or lines; struck out), the name of an id, a line below, how to set it."""

    text: str
    name: str = ""
    kind: str = "text"
    below: str = ""
    lines: tuple[str, ...] = ()
    struck: bool = False


@dataclass(frozen=True, kw_only=True)
class _Column:
    head: str
    kind: str


LONG = {
    "about",
    "by",
    "outcome",
    "reason",
    "unread",
    "what",
}  # columns of sentences: they get the room

SHORT = 40
"""Characters that need no more room than any other column has."""

_OF_ITS_OWN = {"column": "noun", "iam_action": "action", "leaves": "receiver", "table": "noun"}
"""Columns set as no other, each with what it is set as."""


def _is_id(column: str) -> bool:
    """Say whether a column holds what a machine calls a thing: set as code, with the room it needs."""
    return column.endswith(("_id", "_arn", "_cidr", "cidr_block", "_ip")) or column in {
        "account",
        "region",
        "check",
        "address",
        "digest",
        "ip",
        "peer",
    }


def text_of(value: Any) -> str:
    """Return one value of a frame as text; missing values are a dash."""
    if isinstance(value, tuple | list | set | frozenset):
        pairs = [f"{v[0]} = {v[1]}" if isinstance(v, tuple) and len(v) == 2 else v for v in value]
        return series(str(item) for item in pairs) or "–"
    if value is None or value is pd.NA or value is pd.NaT or (value != value):  # noqa: PLR0124 # NaN
        return "–"
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return tr("yes") if value else tr("no")
    if isinstance(value, datetime):
        return summary.when(value)
    text = str(value)
    return (
        text
        if len(text) <= LONGEST
        else tr("{text}… ({number:,} characters)", text=text[:LONGEST], number=len(text))
    )


def _rows(
    frame: pd.DataFrame, columns: Sequence[str], names: Mapping[str, str]
) -> list[list[_Cell]]:
    kinds = {
        column: _OF_ITS_OWN[column]
        if column in _OF_ITS_OWN
        else "id"
        if _is_id(column)
        else "number"
        if is_number(frame[column])
        else "long"
        if column in LONG and frame[column].astype(str).str.len().max() > SHORT
        else "text"
        for column in columns
    }
    rows = []
    for record in frame[list(columns)].itertuples(index=False, name=None):
        cells = []
        for column, value in zip(columns, record, strict=True):
            text = text_of(value)
            if column in SPOKEN and text:
                text = tr(text)
            kind = "text" if text == "–" and kinds[column] != "number" else kinds[column]
            name = _called(text, names.get(text, "")) if kind == "id" else ""
            cells.append(_Cell(text=text, name="" if name == text else name, kind=kind))
        rows.append(cells)
    return rows


SPOKEN = {"certainty", "device_posture", "severity", "stands", "state", "was"}
"""Columns whose values are words of the kit, not of AWS: they are shown in the language spoken."""

_WORDS = (
    marked("critical"), marked("high"), marked("medium"), marked("low"), marked("info"),
    marked("reliable"), marked("fragile"), marked("unknown"), marked("on"), marked("off"),
)  # fmt: skip


def _called(id: str, name: str) -> str:
    """Return what stands beside an id: the name, or that it is a suspicious one."""
    return told_name(id, name).removeprefix(f"{id} ")


def is_number(series: "pd.Series[Any]") -> bool:
    """Say whether a column holds numbers."""
    return pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)


def table(
    frame: pd.DataFrame,
    *,
    rows: int = 20,
    columns: Sequence[str] | None = None,
    caption: str = "",
    names: Mapping[str, str] | None = None,
    empty: str = marked("No row."),
) -> Html:
    """Return a frame as a table, at most ``rows`` rows of it, and say how many there are.

    Parameters
    ----------
    frame
        What to show; its index is shown only when it has a name.
    columns
        Which columns, in this order; all of them by default.
    names
        What people call the things behind the ids, written beside them.
    empty
        What to say where there is no row.
    """
    if frame.index.name is not None:
        frame = frame.reset_index()
    wanted = [str(column) for column in frame.columns] if columns is None else list(columns)
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    part = frame.head(rows)
    markup = render(
        "table.html.j2",
        caption=tr(caption),
        columns=_columns(part, wanted),
        rows=_rows(part, wanted, names or {}),
        total=len(frame),
        empty=tr(empty),
    )
    rows_told = tr("{caption} ({number} rows)", caption=tr(caption), number=len(frame))
    return Html(markup=markup, text=rows_told.strip())


def _columns(frame: pd.DataFrame, wanted: Iterable[str]) -> list[_Column]:
    return [
        _Column(head=head(column), kind="number" if is_number(frame[column]) else "text")
        for column in wanted
    ]


_EVIDENCE_IDS = (
    "endpoint_id",
    "group_id",
    "rule_id",
    "eni_id",
    "destination_cidr",
    "subnet_id",
    "vpc_id",
    "association_id",
    "connection_id",
    "certificate_arn",
    "log_group_name",
)


@dataclass(frozen=True, kw_only=True)
class _Evidence:
    """Evidence as a card shows it.

    Attributes
    ----------
    shared
        What all rows have in common: (column's name for people, cell).
    columns, rows
        The reason first, with the record that shows it, then what tells the rows apart.
    """

    shared: list[tuple[str, _Cell]]
    columns: list[_Column]
    rows: list[list[_Cell]]


def _evidence(
    rows_of: pd.DataFrame, names: Mapping[str, str], beside: Sequence[str] = ()
) -> _Evidence:
    """Return rows of evidence as a card shows them; ``beside`` names columns put last."""
    evidence = rows_of.head(FOLDED)
    filled = [str(c) for c in evidence.columns if evidence[c].notna().any()]
    things = [column for column in _EVIDENCE_IDS if column in filled]
    places = [column for column in ("account", "region") if column in filled]
    same = [c for c in (*things, *places) if evidence[c].nunique(dropna=False) == 1]
    telling = [column for column in things if column not in same][:TELLING]
    telling = telling or [column for column in places if column not in same]
    wanted = [c for c in ("reason", *telling, *beside) if c in filled]
    own = {**names, **_own_names(evidence)}
    rows = _rows(evidence, wanted, own)
    if things and telling and (apart := [c for c in places if c not in same]):
        first = wanted.index(telling[0])
        for row, place in zip(rows, evidence[apart].itertuples(index=False), strict=True):
            row[first] = replace(row[first], below=" ".join(map(text_of, place)))
    columns = _columns(evidence, wanted)
    if "source" in filled:
        for row, record in zip(rows, _records(evidence), strict=True):
            row[0] = replace(row[0], below=record)
    shared = _rows(evidence.head(1), same, own)
    return _Evidence(
        shared=[(head(c), cell) for c, cell in zip(same, shared[0], strict=True)] if shared else [],
        columns=columns,
        rows=rows,
    )


def _own_names(evidence: pd.DataFrame) -> dict[str, str]:
    """Return the names that stand in the evidence itself, by id."""
    named: dict[str, str] = {}
    for column in map(str, evidence.columns):
        label = column.removesuffix("_id") + "_name"
        if column.endswith("_id") and label in evidence:
            pairs = zip(evidence[column], evidence[label], strict=True)
            named.update(
                (i, told_name(i, n))
                for i, n in pairs
                if isinstance(i, str) and isinstance(n, str) and n
            )
    return named


def _records(evidence: pd.DataFrame) -> list[str]:
    """Return where in the snapshot each row's record stands: which answer, and which of its records.

    Account and Region, the first two parts of the path, are told by the row itself.
    """
    numbers = evidence["record"] if "record" in evidence else [None] * len(evidence)
    return [
        "/".join(text_of(source).split("/")[2:] or [text_of(source)])
        + ("" if pd.isna(number) else f" #{number}")
        for source, number in zip(evidence["source"], numbers, strict=True)
    ]


# -- cards ----------------------------------------------------------------------------------------


def card(
    finding: Finding,
    names: Mapping[str, str] | None = None,
    proposals: Sequence["Proposed"] = (),
    like: str = "",
) -> Html:
    """Return a finding as a card: the sentence, the evidence, why, what to do, how to verify.

    Parameters
    ----------
    names
        What people call the things behind the ids; see :func:`auditlib.summary.names`.
    proposals
        The previews of its fix, for a finding that fails; see :func:`proposals_of`.
    like
        A check whose card shows the same calls without an answer; empty to show them.
    """
    first = tuple(dict.fromkeys(text for one, _ in proposals for text in previewed.unused(one)))
    evidence = _evidence(finding.evidence, names or {})
    waived = _evidence(as_shown(finding.accepted), names or {}, COLUMNS)
    struck = [[replace(row[0], struck=True), *row[1:]] for row in waived.rows]
    markup = render(
        "finding.html.j2",
        check=finding.check,
        remedy=filled_in(finding.remedy, finding.evidence),
        verify=finding.verify,
        designed=_by_design(finding),
        passes_as=summary.passes_as(finding),
        status=finding.status.value,
        headline=summary.headline(finding),
        wanted=_wanted(finding),
        beneath=summary.beneath(finding),
        shared=evidence.shared,
        columns=evidence.columns,
        rows=evidence.rows[:SHOWN],
        folded=evidence.rows[SHOWN:],
        total=len(finding.evidence),
        accepted=waived,
        struck=struck[:SHOWN],
        struck_folded=struck[SHOWN:],
        total_accepted=len(finding.accepted),
        elsewhere=tr("findings.xlsx, on the sheet of this check, and in findings.json"),
        ratings=summary.ratings(finding.check) if _rated_otherwise(finding) else (),
        gaps=summary.refused_calls(finding.gaps),
        like=like,
        first=first,
        fix=_fix(finding.check.id, proposals, first) if proposals else "",
    )
    return Html(
        markup=markup, text=f"{_outcome(finding)}: {finding.check.title} {finding.answer}".strip()
    )


def _by_design(finding: Finding) -> str:
    """Say what the text for other scanners holds for in this account; empty where it is not to be given."""
    holds, others = finding.by_design
    if finding.check.accepted_by_design and finding.check.by_design is None:
        return tr(
            "The text below can be handed over as it stands, with the snapshot named in this page's footer "
            "as evidence."
        )
    if not holds:
        return ""
    return language.sentences(
        tr(
            "The text below can be handed over for {groups}, with the snapshot named in this page's footer "
            "as evidence.",
            groups=listed(holds, most=8),
        ),
        tr(
            "It does not hold for {groups}: something else carries it, or may, or that could not be read.",
            groups=listed(others, most=8),
        )
        if others
        else "",
    )


def _rated_otherwise(finding: Finding) -> bool:
    """Say whether anybody rates what a check looks at otherwise than we do."""
    ours = finding.check.severity.value
    return any(rating.lower() != ours for rating in finding.check.ratings.values())


def _outcome(finding: Finding) -> str:
    """Return how a finding came out, by sign and word."""
    sign, word = summary.OUTCOMES[summary.outcome(finding)]
    return f"{sign} {tr(word)}"


Proposed = tuple["Preview", str]
"""The preview of a fix, and why it is not recommended; an empty text where it may be."""


def proposals_of(audit: "Audit | None", finding: Finding) -> tuple[Proposed, ...]:
    """Return the previews of the fix that a finding's card tells of; none where nothing fails."""
    if audit is None or finding.status is not Status.FAIL:
        return ()
    found = audit.proposals(finding.check.id)
    if not any(one.endpoint for one in found):
        return tuple((one, "") for one in found)
    rivals = [one for one in audit.at_endpoints if one.steps]
    worse = {id(one) for one in previewed.outdone(rivals)}
    why = dict(zip(map(id, rivals), previewed.advice(rivals), strict=True))
    return tuple((one, why[id(one)] if id(one) in worse else "") for one in found)


def _fix(check_id: str, proposals: Sequence[Proposed], said: Sequence[str]) -> Markup:
    """Return what a card says of a fix: a sentence, the details folded; or why people decide.

    Parameters
    ----------
    said
        What the card has said before.
    """
    shown = [
        {
            "preview": preview,
            "heading": tr(
                "What the fix would change for {endpoint}",
                endpoint=previewed.endpoint_called(preview),
            )
            if preview.endpoint
            else tr("What the fix would change"),
            "not_recommended": why,
            # The same fix may stand on two cards: a name of a table must not.
            "title": f"{previewed.title(preview)} ({check_id})",
            "sentence": previewed.sentence(preview),
            "outcome": _outcome_grid(preview),
            "remarks": [
                (heading, left)
                for heading, lines in previewed.remarks(preview)
                if (left := [line for line in lines if line not in said])
            ],
            "windows": _windows(preview),
        }
        for preview, why in proposals
    ]
    first = proposals[0][0]
    ready = bool(previewed.ready().intersection(first.checks))
    return render("fix.html.j2", fixes=shown, ready=ready, decisions=first.decisions)


_OUTCOME = {
    "regions": marked("Region"),
    "opens": marked("Opens"),
    "closes": marked("Closes"),
    "unknown": marked("Not confirmed, because"),
}


def _outcome_grid(preview: "Preview") -> tuple[list[_Column], list[list[_Cell]]]:
    """Return the columns and rows that tell a long verdict; no row for a short one."""
    rows = previewed.outcomes(preview)
    columns = [name for name in _OUTCOME if name == "regions" or any(row[name] for row in rows)]
    return (
        [_Column(head=tr(_OUTCOME[name]), kind="text") for name in columns],
        [
            [
                _Cell(text=row[name] or "–", kind="id" if name == "regions" else "receiver")
                for name in columns
            ]
            for row in rows
        ],
    )


def cards(audit: "Audit", *subjects: str) -> Html:
    """Return the cards of all checks of some subjects, the most urgent first.

    Parameters
    ----------
    subjects
        As the checks have them: the name of their module, mostly.

    Raises
    ------
    ParameterError
        When no check is about a subject; names the nearest.
    """
    known = {finding.check.subject for finding in audit.findings}
    for subject in subjects:
        if subject not in known:
            raise nearest(subject, known, noun="subject of checks")
    named = summary.names(audit)
    told: dict[tuple[str, ...], str] = {}
    shown = []
    for finding in summary.by_urgency(audit.findings):
        if finding.check.subject not in subjects:
            continue
        calls = tuple(map(gap, summary.refused_calls(finding.gaps).itertuples()))
        like = told.setdefault(calls, finding.check.id)
        like = "" if like == finding.check.id else like
        shown.append(card(finding, named, proposals_of(audit, finding), like))
    return Html(
        markup=Markup("\n").join(one.markup for one in shown),
        text="\n".join(one.text for one in shown),
    )


def findings(audit: "Audit", pages: Mapping[str, str] | None = None) -> Html:
    """Return a table of all checks: result, severity, the sentence, and how much evidence.

    Parameters
    ----------
    pages
        The page that holds a check's card, by check id.
    """
    ordered = summary.by_urgency(audit.findings)
    names = summary.names(audit)
    return Html(
        markup=render(
            "findings.html.j2",
            findings=ordered,
            pages=pages or {},
            headlines={f.check.id: summary.headline(f) for f in ordered},
            beneath={f.check.id: _below_headline(f, names) for f in ordered},
            passes_as={f.check.id: summary.passes_as(f) for f in ordered},
            places={f.check.id: summary.where(f, names) for f in ordered},
            acceptances={f.check.id: summary.acceptances(f) for f in ordered},
        ),
        text="\n".join(f"{_outcome(f)}: {summary.headline(f)}" for f in ordered),
    )


def _below_headline(finding: Finding, names: Mapping[str, str]) -> str:
    """Return in a line what else a list says of a finding."""
    if finding.status not in {Status.FAIL, Status.ACCEPTED}:
        return language.sentences(summary.short(finding), summary.overtaken(finding, names))
    rest = summary.short(finding).removeprefix(summary.headline(finding)).strip()
    return language.sentences(_wanted(finding), rest)


def _wanted(finding: Finding) -> str:
    """Return what should be, or could be where it is a choice that AWS leaves open."""
    title = finding.check.title
    if finding.check.severity is Severity.INFO:
        return tr("It could be otherwise: {title}.", title=title)
    return tr("Should be: {title}.", title=title)


def accepted(audit: "Audit") -> Html:
    """Return every accepted risk with how it stands: in force, expired, or matching nothing."""
    risks = audit.accepted
    if risks is None:
        return Html(
            markup=Markup('<div class="audit"><p class="empty">{}</p></div>').format(
                tr(NONE_GIVEN)
            ),
            text=tr(NONE_GIVEN),
        )
    standing = risks.standing(audit.findings)
    about = tr("As of {day}, from {file}.", day=risks.day.isoformat(), file=risks.file)
    return Html(
        markup=render(
            "accepted.html.j2",
            about=about,
            rows=standing.itertuples(),
            total=len(standing),
            notices=risks.notices(audit.findings),
        ),
        text=language.sentences(tr("{number} accepted risks.", number=len(standing)), about),
    )


def controls(audit: "Audit", framework: str = "") -> Html:
    """Return the answers to published controls, a table per framework; older versions folded.

    Parameters
    ----------
    framework
        Only frameworks like this, such as ``CIS AWS 7.0.0``; all when empty.
    """
    answers = published.answers(audit, framework)
    rows = {
        str(name): part.to_dict("records")
        for name, part in answers.groupby("framework", sort=False)
    }
    families = [[(name, rows[name]) for name in family] for family in published.by_version(rows)]
    markup = render("controls.html.j2", families=families, shown=published.SHOWN)
    return Html(
        markup=markup, text=tr("{number} answers to published controls", number=len(answers))
    )


NONE_GIVEN = marked("No accepted risks were named for this audit: every finding counts.")


def coverage(audit: "Audit", *, folded: bool = False) -> Html:
    """Return what was looked at and what could not be: places, calls, refusals, and what to grant.

    Parameters
    ----------
    folded
        Whether all but the sentence is folded: for pages that stand beside one that shows it.
    """
    refused = summary.refused_calls(audit.gaps)
    markup = render(
        "coverage.html.j2",
        identity=summary.identity(audit),
        places=summary.places(audit),
        refused=refused,
        beyond=summary.beyond(audit),
        sentence=summary.coverage_sentence(audit) if folded else "",
        blocked=summary.blocked_checks(audit.findings),
        strange=summary.strange_names(audit),
    )
    return Html(
        markup=markup,
        text=summary.coverage_sentence(audit),
        kind=COVERAGE if folded else "html",
    )


def strange_names(audit: "Audit") -> Html:
    """Return the names that look like something else, folded under what to do; nothing without any."""
    sentence = summary.strange_names(audit)
    if not sentence:
        return Html(markup=Markup(""), text="")
    found = summary.strange_things(audit).head(FOLDED)
    names = summary.names(audit)
    columns = ["name", "id", "vpc_id", "endpoint_id"]
    rows = _rows(found, columns, {})
    for row in rows:
        row[1] = replace(row[1], kind="id")
    for row, vpc, ends in zip(rows, found["vpc_id"], found["endpoint_id"], strict=True):
        row[2] = replace(row[2], name=_called(row[2].text, names.get(vpc, "")))
        row[3] = _Cell(text=series(summary.spoken(ends, names)) or "–")
    markup = render(
        "strange.html.j2",
        sentence=unbroken(sentence),
        columns=_columns(found, columns),
        rows=rows,
    )
    return Html(markup=markup, text=sentence)


def audit_html(audit: "Audit") -> str:
    """Return what a notebook shows for an audit: what was looked at, and what could not be."""
    return in_notebook(coverage(audit).markup)


def verdict(audit: "Audit") -> Html:
    """Return the verdict in a few sentences."""
    sentences = summary.verdict(audit)
    return Html(
        markup=render("verdict.html.j2", sentences=sentences, tally=summary.tally(audit.findings)),
        text="\n".join(sentences),
    )


def first_steps(
    audit: "Audit", number: int | None = None, pages: Mapping[str, str] | None = None
) -> Html:
    """Return the things to do first, the most urgent first, and why these.

    Parameters
    ----------
    pages
        The page that holds a check's card, by check id, and the block of a fix, by its anchor.
    """
    asked = audit.steps if number is None else steps.first_steps(audit, number)
    links = [_links(audit, step, pages or {}) for step in asked]
    return Html(
        markup=render(
            "steps.html.j2", steps=list(zip(asked, links, strict=True)), pages=pages or {}
        ),
        text="\n".join(
            f"{i}. {step.what}" + (f" ({step.where})" if step.where else "")
            for i, step in enumerate(asked, 1)
        ),
    )


def _links(audit: "Audit", step: steps.Step, pages: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return where the fixes of a step are shown, each with what to call it: their blocks, or its card."""

    def said(check: str) -> str:
        return tr(
            "what it opens and closes, and what you decide"
            if check in step.decides
            else "what it opens and closes"
        )

    if step.names and pages:
        return [("#names", tr("the names, and what has them"))]
    blocks: dict[str, tuple[str, str]] = {}
    several = len(dict.fromkeys(check for check, _ in step.fixes)) > 1
    for check, endpoint in step.fixes:
        for anchor in (fix_anchor(check, endpoint), fix_anchor(check)):
            if anchor in pages and anchor not in blocks:
                name = check if several else summary.spoken([endpoint], summary.names(audit))[0]
                blocks[anchor] = said(check), name
    if len(blocks) == 1:
        return [(f"{pages[anchor]}#{anchor}", text) for anchor, (text, _) in blocks.items()]
    if blocks:
        return [
            (f"{pages[anchor]}#{anchor}", tr("{said}: {name}", said=text, name=name))
            for anchor, (text, name) in blocks.items()
        ]
    if step.has_fix and step.check_id in pages:
        return [(f"{pages[step.check_id]}#{step.check_id}", said(step.check_id))]
    return []


def stories(audit: "Audit", pages: Mapping[str, str] | None = None) -> Html:
    """Return all that was found at each endpoint together, the worst first.

    Parameters
    ----------
    pages
        The page that holds a check's card, by check id.
    """
    told = endpoints.stories(audit)
    markup = render(
        "stories.html.j2",
        stories=told,
        behind=reached.behind_gateways(audit, audit.reach()),
        pages=pages or {},
        several=len({story.account for story in told}) > 1,
        between=language.tr_as("list", "; "),
    )
    return Html(
        markup=markup,
        text="\n".join(
            f"{story.name or tr(story.endpoint_id)}: "
            + (language.tr_as("list", "; ").join(f.phrase for f in story.faults) or tr("none"))
            for story in told
        ),
    )


def picture(made: Picture) -> Html:
    """Return a picture as an embedded image with its text alternative."""
    return Html(
        markup=render(
            "picture.html.j2", picture=made, data=base64.b64encode(made.svg).decode("ascii")
        ),
        text=made.text,
    )


# -- who reaches what -------------------------------------------------------------------------


def who_reaches_what(audit: "Audit", rows: pd.DataFrame) -> Html:
    """Return how much each user group reaches through each endpoint, and what makes it unsure.

    Parameters
    ----------
    rows
        Rows of :func:`auditlib.access.reach`.
    """
    from auditlib.access import TABLES

    found = reached.by_group(audit, rows)
    names = summary.names(audit)
    columns = [c for c in found.columns if c != "account" or found["account"].nunique() > 1]
    markup = render(
        "reach.html.j2",
        columns=_columns(found, columns),
        rows=[
            [
                replace(cell, text=tr("not known"))
                if cell.text == "–" and c == "receivers"
                else cell
                for c, cell in zip(columns, row, strict=True)
            ]
            for row in _rows(found, columns, names)
        ],
        behind=[
            tr("{endpoint}: {text}", endpoint=names.get(id, id), text=text)
            for id, texts in reached.behind_gateways(audit, rows).items()
            for text in texts
        ],
        refused=summary.refused_calls(audit.tables.gaps(*TABLES)),
        bounds=reached.bounds(audit, rows),
        beside=reached.beside(audit, rows),
    )
    return Html(markup=markup, text=tr("{number} endpoints and user groups", number=len(found)))


def reach_matrix(audit: "Audit", rows: pd.DataFrame) -> Html:
    """Return a table per endpoint: receivers by user groups, with protocols and ports.

    Parameters
    ----------
    rows
        Rows of :func:`auditlib.access.reach`.
    """
    names = summary.names(audit)
    made = []
    for matrix in reached.matrices(audit, rows):
        part = matrix.frame.head(FOLDED)
        columns = [str(c) for c in part.columns if c != "what"]
        cells = _rows(part, columns, {})
        for row, what in zip(cells, part["what"], strict=True):
            row[0] = replace(row[0], below=text_of(what), kind="receiver")
        made.append(
            {
                "name": names.get(matrix.endpoint_id, ""),
                "endpoint_id": matrix.endpoint_id,
                "by": matrix.by,
                "columns": [
                    _Column(head=tr("Receiver") if c == "receiver" else c, kind="text")
                    for c in columns
                ],
                "rows": cells,
                "total": len(matrix.frame),
            }
        )
    return Html(
        markup=render("matrix.html.j2", matrices=made),
        text=tr("{number} endpoints with reach", number=len(made)),
    )


def reach_evidence(audit: "Audit", rows: pd.DataFrame, bound: int = 20) -> Html:
    """Return rows of reach, each with the hops that admit, the gravest ``bound`` of them."""
    gravest = reached.gravest_first(audit, rows).head(bound)
    part, names = reached.evidence(gravest), summary.names(audit)
    columns = ["user_group", "eni_id", "open", "by"]
    cells = _rows(part, columns, names)
    told = (part["address"], part["certainty"], part["by"], gravest["endpoint_id"])
    for row, address, certainty, hops_of, endpoint in zip(cells, *told, strict=True):
        called = told_name(endpoint, names.get(endpoint, endpoint))
        through = tr("through {endpoint}", endpoint=called)
        row[0] = replace(row[0], below=through, kind="users")
        row[1] = replace(row[1], below=text_of(address))
        row[2] = replace(row[2], below=tr(certainty))
        row[3] = replace(row[3], lines=tuple(map(hop_shown, hops_of)))
    markup = render(
        "table.html.j2",
        caption="",
        columns=_columns(part, columns),
        rows=cells,
        total=len(rows),
        empty=tr("Nothing is reached, as far as could be read."),
    )
    return Html(markup=markup, text=tr("{number} rows of reach", number=len(rows)))


def explain(
    audit: "Audit", *, endpoint: str = "", group: str = "", address: str = "", port: int = 0
) -> Html:
    """Return one way explained hop by hop; see :func:`auditlib.reached.example`."""
    found = reached.example(audit, endpoint=endpoint, group=group, address=address, port=port)
    if found is None:
        nothing = tr("There is no way to explain: nothing is reached, as far as could be read.")
        return Html(
            markup=Markup('<div class="audit"><p class="empty">{}</p></div>').format(nothing),
            text=nothing,
        )
    return _explained(found)


FOUND = (
    ("things", marked("What it is")),
    ("mentions", marked("What names it, or contains it")),
    ("reached", marked("Who reaches it, or what it reaches")),
    ("findings", marked("Findings about it")),
)
"""The parts of what a search found, with their headings."""


def found_html(found: "Found") -> str:
    """Return what a search found as tables, the first rows of each."""
    tables = [
        table(getattr(found, part).drop(columns="via", errors="ignore"), caption=heading).markup
        for part, heading in FOUND
        if len(getattr(found, part))
    ]
    return in_notebook(render("found.html.j2", answer=found.answer, tables=tables))


def explanation_html(explanation: "explained.Explanation") -> str:
    """Return an explanation as a card: the answer, and every hop of every path."""
    return in_notebook(_explained(explanation).markup)


def _explained(explanation: "explained.Explanation") -> Html:
    drawn = picture(hops(explanation)).markup
    return Html(
        markup=render(
            "explanation.html.j2", explanation=explanation, place=_landing, picture=drawn
        ),
        text=str(explanation),
    )


def _landing(path: "explained.Path") -> str:
    return named(path.subnet_id, path.subnet_name) or tr("the transit gateway")


# -- what changed ---------------------------------------------------------------------------------


def told(sentences: Iterable[str]) -> Html:
    """Return sentences, one below the other."""
    said = list(sentences)
    return Html(markup=render("told.html.j2", sentences=said), text="\n".join(said))


def changed(found: "Comparison") -> Html:
    """Return what changed in a few lines under headings: what a report's first page shows, too."""
    parts = found.in_short()
    markup = render(
        "changed.html.j2", since=found.since, parts=parts, compared=found.drift is not None
    )
    return Html(
        markup=markup,
        text="\n".join(line for _, lines in parts for line in lines),
        kind="html" if found.drift is None else CHANGED,
    )


_NOTHING = marked("None.")


def compared(
    found: "Comparison", part: str, *states: str, rows: int = 50, empty: str = _NOTHING
) -> Html:
    """Return one part of a comparison as a table; see :meth:`auditlib.comparison.Comparison.frame`.

    Parameters
    ----------
    empty
        What to say where there is no row; where nothing was compared, that is said instead.
    """
    frame = found.frame(part, *states)
    known = found.drift is not None or part == "history"
    shown = table(
        frame,
        rows=rows,
        names=found.names,
        empty=empty if known else marked("Nothing was compared."),
    )
    return replace(shown, kind=EMPTY) if known and empty == _NOTHING and frame.empty else shown


# -- what a fix would change ----------------------------------------------------------------------


def fixes(audit: "Audit") -> Html:
    """Return what fixes there are, a row each; folded below, by reason, where people decide."""
    previews = [one for one in audit.fixes if one.steps]
    without = [one for one in audit.fixes if not one.steps]
    worse, advice = previewed.outdone(previews), previewed.advice(previews)
    rows = [
        _fix_row(audit, preview, told, is_outdone=any(one is preview for one in worse))
        for preview, told in zip(previews, advice, strict=True)
    ]
    reasons: dict[str, list[tuple[str, str]]] = {}
    for preview in without:
        for id in preview.checks:
            headline = summary.headline(audit.finding(id))
            reasons.setdefault(previewed.outcome(preview), []).append((id, headline))
    kinds = {"check": "text", "steps": "number", "sessions_end": "text", "outcome": "text"}
    markup = render(
        "fixes.html.j2",
        columns=[_Column(head=head(name), kind=kind) for name, kind in kinds.items()],
        rows=rows,
        reasons=reasons,
        decided=summary.failing_counted(
            audit.finding(id) for held in reasons.values() for id, _ in held
        ),
    )
    failing = [f for f in audit.findings if f.status is Status.FAIL]
    return Html(markup=markup, text=summary.failing_counted(failing))


def _fix_row(audit: "Audit", preview: "Preview", advice: str, *, is_outdone: bool) -> list[_Cell]:
    """Return the row of a fix: what it is of, and what it does; of one that another outdoes only that."""
    worst = audit.finding(preview.checks[0])
    return [
        _Cell(
            text="",
            lines=preview.checks,
            name=previewed.title(preview) if preview.endpoint else summary.headline(worst),
            below=opening(tr(worst.check.severity.value)),
            kind="id",
        ),
        _Cell(text="–" if is_outdone else str(len(preview.steps)), kind="number"),
        _Cell(text="–" if is_outdone else text_of(preview.resets_sessions)),
        _Cell(text=advice, kind="long")
        if is_outdone
        else _Cell(
            text=previewed.outcome(preview),
            kind="long",
            lines=_outcome_lines(preview),
            below=language.sentences(*previewed.left(preview), *previewed.unused(preview), advice),
        ),
    ]


def _outcome_lines(preview: "Preview") -> tuple[str, ...]:
    """Return a long verdict in lines, one for Regions that are judged alike; none for a short one."""
    return tuple(
        tr(
            "{regions}, not confirmed: {why}. As far as was read, it {does}."
            if row["unknown"]
            else "{regions}: it {does}.",
            regions=row["regions"],
            why=row["unknown"],
            does=language.tr_as("list", "; ").join(
                [
                    *([tr("opens {what}", what=row["opens"])] if row["opens"] else []),
                    *([tr("closes {what}", what=row["closes"])] if row["closes"] else []),
                ]
            )
            or tr("changes nothing anyone can reach"),
        )
        for row in previewed.outcomes(preview)
    )


def preview_verdicts(previews: Sequence["Preview"], audit: "Audit | None" = None) -> Html:
    """Return for each preview what it would change and what comes of it, and what else to know.

    Parameters
    ----------
    audit
        The audit they are of: of which of its first steps a preview is a part, is said then.
    """
    advice = dict(zip(map(id, previews), previewed.advice(previews), strict=True))

    def body(preview: "Preview") -> Markup:
        return render(
            "preview-verdict.html.j2",
            title=previewed.title(preview),
            advice=advice[id(preview)],
            sentence=previewed.sentence(preview),
            outcome=_outcome_grid(preview),
            remarks=previewed.remarks(preview, previews),
        )

    return _previews(previews, body, is_first=True, steps=_step_of(audit))


def _step_of(audit: "Audit | None") -> dict[str, int]:
    """Return, by the anchor of a fix, which of the first steps it does."""
    found: dict[str, int] = {}
    for number, step in enumerate(audit.steps if audit else (), 1):
        for check, endpoint in step.fixes:
            for anchor in (fix_anchor(check, endpoint), fix_anchor(check)):
                found.setdefault(anchor, number)
    return found


def preview_access(audit: "Audit", previews: Sequence["Preview"]) -> Html:
    """Return for each preview the access that is lost, gained or rests on other rules."""
    names = summary.names(audit)

    def body(preview: "Preview") -> Markup:
        found = previewed.access(preview)
        same = found["change"] == "ground"
        named = previewed.naming_access(preview)
        parts = [
            (
                tr("Side effects: no finding names them"),
                found[~same & (found["part"] == "side_effect")],
            ),
            (
                tr("Named by another finding ({checks})", checks=series(named)),
                found[~same & (found["part"] == "named")],
            ),
            (tr("Intended: what the finding names"), found[~same & (found["part"] == "intended")]),
            (tr("Reached as before, by other rules"), found[same]),
        ]
        return render(
            "preview-access.html.j2",
            parts=[(heading, *_access_grid(rows, names), len(rows)) for heading, rows in parts],
        )

    return _previews(previews, body)


_SIDES = ("before", "after")
_ACCESS = ["change", "eni_id", "user_groups", "traffic", *_SIDES]


def _access_grid(
    rows: pd.DataFrame, names: Mapping[str, str]
) -> tuple[list[_Column], list[list[_Cell]]]:
    """Return the columns and rows of changed access, without a column that is empty throughout."""
    kept = [i for i, name in enumerate(_ACCESS) if name not in _SIDES or rows[name].map(len).any()]
    columns = _columns(rows, _ACCESS)
    cells = _access_rows(rows, names)
    return [columns[i] for i in kept], [[row[i] for i in kept] for row in cells]


def _access_rows(rows: pd.DataFrame, names: Mapping[str, str]) -> list[list[_Cell]]:
    """Return rows of changed access: below the receiver its address, below the users where from."""
    part = rows.head(FOLDED)
    cells = _rows(part, _ACCESS, names)
    columns = [part[name] for name in ("address", "endpoint_id", "before", "after")]
    for row, address, endpoint, before, after in zip(cells, *columns, strict=True):
        row[0] = replace(row[0], text=tr(_CHANGE_WORDS[row[0].text]), kind="change")
        row[1] = replace(row[1], below=text_of(address))
        row[2] = replace(
            row[2],
            below=tr("through {endpoint}", endpoint=named(endpoint, names.get(endpoint))),
            kind="users",
        )
        row[3] = replace(row[3], kind="traffic")
        row[4] = replace(row[4], lines=tuple(map(hop_shown, before)), kind="rules")
        row[5] = replace(row[5], lines=tuple(map(hop_shown, after)), kind="rules")
    return cells


_CHANGE_WORDS = {
    "lost": marked("− Lost"),
    "gained": marked("+ Gained"),
    "uncertain": marked("? Uncertain"),
    "weaker": marked("↓ Weaker"),
    "steadier": marked("↑ Steadier"),
    "ground": marked("= Same"),
}
"""How a change of access is shown: a sign and a word."""


def preview_findings(previews: Sequence["Preview"]) -> Html:
    """Return for each preview which findings it resolves, leaves and raises."""

    def body(preview: "Preview") -> Markup:
        found = previewed.findings(preview)
        columns = [name for name in found.columns if name != "access_stays"]
        rows = _rows(found, columns, {})
        at = columns.index("resolved")
        for row, stays, of in zip(rows, found["access_stays"], found["resolved"], strict=True):
            if stays:
                row[at] = replace(row[at], below=previewed.access_stays(stays, of))
        new = preview.findings[preview.findings["state"] == "newly_raised"]
        return render(
            "preview-findings.html.j2",
            columns=_columns(found, columns),
            rows=rows,
            raised=list(zip(new["check"], new["reason"], strict=True))[:FOLDED],
            stays=previewed.left_behind(preview),
        )

    return _previews(previews, body)


def preview_steps(previews: Sequence["Preview"]) -> Html:
    """Return for each preview its steps in their windows, as AWS CLI text, and what to verify."""
    return _previews(
        previews, lambda preview: render("preview-steps.html.j2", windows=_windows(preview))
    )


def preview_rollback(previews: Sequence["Preview"]) -> Html:
    """Return for each preview what undoes it, the last step first."""

    def body(preview: "Preview") -> Markup:
        from auditlib.changes.plans import undo_line

        steps = [
            {
                "number": step.number,
                "what": step.inverse.words(),
                "waits_for": step.inverse.waits_for,
                "lines": [undo_line(step)],
                "iam_action": step.inverse.iam_action,
                "cuts_off": False,
            }
            for step in reversed(preview.steps)
        ]
        return render("preview-rollback.html.j2", steps=steps)

    return _previews(previews, body)


def _previewed(preview: "Preview") -> Html:
    """Return what a notebook shows for one preview: verdict, steps and rollback."""
    parts = [part([preview]) for part in (preview_verdicts, preview_steps, preview_rollback)]
    return Html(
        markup=Markup("").join(part.markup for part in parts), text=previewed.sentence(preview)
    )


def _windows(preview: "Preview") -> list[dict[str, Any]]:
    from auditlib.changes.plans import (
        before_points,
        step_lines,
        verify_points,
        window_title,
        windows,
    )

    return [
        {
            "title": window_title(window),
            "before": [opening(text) for text in before_points(preview, window)],
            "steps": [
                {
                    "number": step.number,
                    "what": step.change.words(),
                    "waits_for": step.change.waits_for,
                    "lines": step_lines(preview, step),
                    "iam_action": step.change.iam_action,
                    "cuts_off": step.cuts_off,
                }
                for step in window
            ],
            "verify": verify_points(window),
        }
        for window in windows(preview.steps)
    ]


def _previews(
    previews: Sequence["Preview"],
    body: Callable[["Preview"], Markup],
    *,
    is_first: bool = False,
    steps: Mapping[str, int] | None = None,
) -> Html:
    """Return a part of each preview under its title.

    The first part of a page shows each in full, and folds away those that another outdoes; further parts
    leave these out, and fold the others where there are several.
    """
    worse = {id(one) for one in previewed.outdone(previews)}
    shown = [
        {
            "title": tr("Not recommended: {title}", title=previewed.title(preview))
            if id(preview) in worse
            else previewed.title(preview),
            "checks": preview.checks,
            "endpoint": preview.endpoint,
            "anchors": [fix_anchor(check, preview.endpoint) for check in preview.checks]
            if is_first
            else [],
            "steps": series(
                dict.fromkeys(
                    str(steps[anchor])
                    for check in preview.checks
                    if steps and (anchor := fix_anchor(check, preview.endpoint)) in steps
                )
            ),
            "folded": id(preview) in worse or (not is_first and len(previews) > 1),
            "body": body(preview),
        }
        for preview in previews
        if is_first or id(preview) not in worse
    ]
    markup = render("previews.html.j2", previews=shown, left_out=0 if is_first else len(worse))
    return Html(
        markup=markup, text="\n".join(f"{previewed.title(p)}: {tr(p.verdict)}" for p in previews)
    )


def fix_anchor(check: str, endpoint: str = "") -> str:
    """Return where a page shows the fix of a check: at an endpoint alone, or for all it is found at.

    >>> fix_anchor("vpn-sg-is-shared", "cvpn-endpoint-1"), fix_anchor("connection-logging-is-off")
    ('fix-vpn-sg-is-shared-cvpn-endpoint-1', 'fix-connection-logging-is-off')
    """
    return "-".join(filter(None, ("fix", check, endpoint)))


# -- many accounts --------------------------------------------------------------------------------


def fleet_accounts(over: "Overview", rows: int = 200) -> Html:
    """Return the accounts of a run, the worst first, each with a link to its report."""
    found = over.accounts()
    numbers = [c for c in found.columns if c not in {"account", "report"}]
    shown = [
        {
            "account": record["account"],
            "report": record["report"],
            "numbers": [None if pd.isna(record[c]) else int(record[c]) for c in numbers],
        }
        for record in found.head(rows).to_dict("records")
    ]
    severities = numbers[:-4]
    return Html(
        markup=render(
            "fleet-accounts.html.j2", rows=shown, severities=severities, total=len(found)
        ),
        text=tr("{number:,} accounts, the worst first", number=len(found)),
    )


def fleet_checks(over: "Overview", accounts: int = 20) -> Html:
    """Return the checks that do not pass everywhere, by account: the worst ones by name."""
    found = over.checks()
    ranked = over.accounts()
    worst = ranked.head(accounts).to_dict("records")
    held = over.cells.set_index(["check", "account"])["status"].to_dict()
    rows = [
        {**row, "statuses": [held.get((row["check"], a["account"]), "") for a in worst]}
        for row in found.to_dict("records")
    ]
    return Html(
        markup=render("fleet-matrix.html.j2", rows=rows, accounts=worst, total=len(ranked)),
        text=tr("{number:,} checks that do not pass everywhere", number=len(rows)),
    )
