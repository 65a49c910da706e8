"""From a snapshot to pages that can be handed over.

Each notebook is run by papermill in a kernel of its own, side by side (:mod:`auditlib.kernels`), and
turned into one HTML page by the kit's own nbconvert template: no code, no script, nothing loaded from anywhere. The
report replaces an older one only when all of it is complete.
"""

import ast
import base64
import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from markupsafe import Markup

from auditlib import display, export, summary
from auditlib.check import checks
from auditlib.errors import ParameterError, ReportError
from auditlib.grid import WIDGET
from auditlib.language import current, marked, tr
from auditlib.pdf import pdf_bytes, refuse_without_weasyprint
from auditlib.plots import severity_by_endpoint
from auditlib.workbook import workbook_bytes

if TYPE_CHECKING:
    from auditlib.audit import Audit
    from auditlib.branding import Branding
    from auditlib.kernels import Copies
    from auditlib.pdf import Paper
    from auditlib.pseudonyms import Pseudonyms

__all__ = [
    "Notebook",
    "Page",
    "Parameter",
    "Report",
    "notebooks",
    "notebooks_of",
    "overview_report",
    "report",
]

TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
TITLE = marked("Client VPN audit")
INDEX = "index.html"
SNAPSHOT = "snapshot"
ACCEPTED = "accepted"
TODAY = "today"
SCOPE = "00-overview"
"""The notebook that shows what was looked at; pages beside it say it in a line."""
ON_INDEX = "on-index"
"""Tag of the cells whose content a report's first page shows."""
FLEET = "fleet"
OVERVIEW = "60-fleet"
"""The notebook over many accounts."""
KERNELSPEC = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
_Told = TypeVar("_Told")
WORDS_OF_BOOL = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a notebook, as its parameters cell declares it."""

    name: str
    type: str
    default: str
    help: str


@dataclass(frozen=True, kw_only=True)
class Notebook:
    """A notebook that can be run."""

    path: Path

    @property
    def name(self) -> str:
        """The file's name without its ending, by which the command line knows it."""
        return self.path.stem

    @cached_property
    def node(self) -> Any:
        """The notebook as nbformat reads it, its text in the language spoken."""
        import nbformat

        try:
            node: Any = nbformat.read(self.path, as_version=4)  # type: ignore[no-untyped-call]
        except Exception as error:
            raise ReportError(
                tr(
                    "{name} is not a Jupyter notebook that can be read: {error}",
                    name=self.path.name,
                    error=error,
                )
            ) from error
        node.metadata["kernelspec"] = KERNELSPEC  # whatever kernel it was last saved with
        for cell in node.cells:
            if cell.cell_type == "markdown":
                cell.source = tr(cell.source)
        return node

    @property
    def takes_long(self) -> bool:
        """Whether it says of itself that it takes longer than others, so that it is begun first."""
        return bool(self.node.metadata.get("auditlib", {}).get("takes_long"))

    @property
    def shows_fixes(self) -> bool:
        """Whether it says of itself that it shows what the fixes of many findings would do."""
        return bool(self.node.metadata.get("auditlib", {}).get("shows_fixes"))

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters it declares."""
        from papermill.inspection import inspect_notebook

        found = inspect_notebook(self.node)
        return tuple(
            Parameter(
                name=p["name"], type=p["inferred_type_name"], default=p["default"], help=p["help"]
            )
            for p in found.values()
        )


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of a report: its file, its title and what it is about."""

    file: str
    notebook: str
    title: str
    about: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """A complete report.

    Attributes
    ----------
    index
        The page to open first.
    pages
        One page per notebook.
    audit
        What was reported on.
    """

    folder: Path
    index: Path
    pages: tuple[Path, ...]
    findings: Path
    audit: "Audit"


# -- notebooks and their parameters ---------------------------------------------------------------


def notebooks() -> dict[str, Notebook]:
    """Return the kit's notebooks by name, in the order in which they are read."""
    here = Path(__file__).resolve().parent
    for folder in (here / "_notebooks", here.parent / "notebooks"):  # installed, or a checkout
        if found := sorted(folder.glob("[0-9]*.ipynb")):
            return {path.stem: Notebook(path=path) for path in found}
    raise ReportError(
        tr("the kit's notebooks are missing beside {here.name}; install it again", here=here)
    )


def notebooks_of(wanted: Sequence[str | Path] | None) -> list[Notebook]:
    """Return the notebooks asked for: by name, by the number it begins with, or by path.

    ``None`` asks for all of the kit's but the one over many accounts, which is not about one.

    Raises
    ------
    ParameterError
        When there is no such notebook, or one was asked for twice.
    """
    ours = notebooks()
    if wanted is None:
        return [notebook for name, notebook in ours.items() if name != OVERVIEW]
    chosen = []
    for name in map(str, wanted):
        found = [ours[stem] for stem in ours if name in {stem, stem.split("-", 1)[0]}]
        if not found and name.endswith(".ipynb") and Path(name).is_file():
            found = [Notebook(path=Path(name).resolve())]
        if not found:
            raise ParameterError(
                tr(
                    "there is no notebook {name!r}; there are {ours}",
                    name=name,
                    ours=", ".join(ours),
                )
            )
        chosen += found
    twice = {n.name for n in chosen if [c.name for c in chosen].count(n.name) > 1}
    if twice:
        raise ParameterError(tr("notebook {name!r} was asked for twice", name=twice.pop()))
    return chosen


def _typed(parameter: Parameter, value: object) -> object:
    """Return a value as the type its parameter declares; text is read as that type."""
    wanted = TYPES.get(parameter.type)
    if wanted is None or type(value) is wanted:
        return value
    if wanted is float and type(value) is int:
        return float(value)
    if isinstance(value, str):
        try:
            return WORDS_OF_BOOL[value.lower()] if wanted is bool else wanted(value)
        except (KeyError, ValueError):
            pass
    raise ParameterError(
        tr(
            "parameter {parameter.name!r} must be {parameter.type}, not {value!r}: {parameter.help}",
            parameter=parameter,
            value=value,
        )
    )


def _parameters_for(
    chosen: Iterable[Notebook], given: Mapping[str, object]
) -> dict[str, dict[str, object]]:
    """Return what each notebook is to be run with; refuse what none declares."""
    declared = {n.name: {p.name: p for p in n.parameters} for n in chosen}
    for name, parameters in declared.items():
        if SNAPSHOT not in parameters:
            raise ParameterError(
                tr(
                    "notebook {name!r} declares no parameter {parameter!r}",
                    name=name,
                    parameter=SNAPSHOT,
                )
            )
    ours = {SNAPSHOT, ACCEPTED, TODAY}
    known = {p for parameters in declared.values() for p in parameters} - ours
    for name in given:
        if name in ours:
            raise ParameterError(tr("{name!r} is not a parameter to set here", name=name))
        if name not in known:
            if not known:
                raise ParameterError(
                    tr(
                        "no notebook of this report has a parameter {name!r}; they take none",
                        name=name,
                    )
                )
            raise ParameterError(
                tr(
                    "no notebook of this report has a parameter {name!r}; they take {known}",
                    name=name,
                    known=", ".join(sorted(known)),
                )
            )
    return {
        name: {
            key: _typed(parameters[key], value) for key, value in given.items() if key in parameters
        }
        for name, parameters in declared.items()
    }


# -- running --------------------------------------------------------------------------------------


def _refuse_without_accepted(chosen: Iterable[Notebook]) -> None:
    """Refuse a notebook that would show what somebody accepted as if nobody had."""
    for notebook in chosen:
        if not {ACCEPTED, TODAY} <= {p.name for p in notebook.parameters}:
            raise ParameterError(
                tr(
                    "notebook {name!r} declares no parameters {accepted!r} and {today!r}, so it "
                    "cannot take accepted risks into account",
                    name=notebook.name,
                    accepted=ACCEPTED,
                    today=TODAY,
                )
            )


def _run(
    notebook: Notebook,
    parameters: Mapping[str, object],
    folder: Path,
    home: Path,
    copies: "Copies | None" = None,
) -> Any:
    """Return the executed notebook."""
    import copy

    from papermill.exceptions import PapermillExecutionError

    from auditlib.kernels import executed

    try:
        done = executed(copy.deepcopy(notebook.node), parameters, folder, home, copies)
    except PapermillExecutionError as error:
        raise ReportError(_what_failed(notebook, error)) from error
    except Exception as error:
        raise ReportError(
            tr(
                "notebook {name} could not be run: {kind}: {error}",
                name=notebook.name,
                kind=type(error).__name__,
                error=error,
            )
        ) from error
    return _scrubbed(done)


def _what_failed(notebook: Notebook, error: Any) -> str:
    """Return which notebook, which cell and why, in one line."""
    cells = notebook.node.cells
    source = str(error.source).strip()
    section = ""
    for cell in cells:
        if cell.cell_type == "code" and cell.source.strip() == source:
            break
        if cell.cell_type == "markdown" and (titles := _HEADING.findall(cell.source)):
            section = titles[-1][1]
    parts = {
        "notebook": notebook.name,
        "first": next(iter(source.splitlines()), ""),
        "why": f"{error.ename}: {error.evalue}",
    }
    if section:
        return tr(
            "notebook {notebook} failed in section {section!r} at the cell that begins {first!r}: "
            "{why}; nothing was published",
            **parts,
            section=section,
        )
    return tr(
        "notebook {notebook} failed at the cell that begins {first!r}: {why}; nothing was published",
        **parts,
    )


def _scrubbed(node: Any) -> Any:
    """Return an executed notebook without traces of the machine that ran it."""
    for cell in node.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = _ACCEPTED_PATH.sub(_name_alone, cell.source)
    node.metadata.pop("papermill", None)
    node.metadata.pop("widgets", None)
    node.metadata["language_info"] = {"name": "python"}
    for number, cell in enumerate(node.cells):
        cell["id"] = str(number)  # papermill's own cell has a random one
        for trace in ("papermill", "execution"):
            cell.metadata.pop(trace, None)
        if cell.cell_type == "code":  # warnings name files of this machine
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for output in cell.outputs:  # a widget ends with its kernel; its table stays
                output.get("data", {}).pop(WIDGET, None)
    return node


def _renamed(node: Any, paths: Iterable[str]) -> Any:
    """Return an executed notebook that calls these paths by their last name, as it hands them over."""
    for cell in node.cells:
        for path in paths:
            if cell.cell_type == "code" and path:
                cell["source"] = cell.source.replace(path, Path(path).name)
    return node


_ACCEPTED_PATH = re.compile(r"^accepted = (.+)$", re.MULTILINE)


def _name_alone(found: re.Match[str]) -> str:
    """Return the line that names the file of accepted risks, without the folders it lies in."""
    return f"accepted = {Path(str(ast.literal_eval(found[1]))).name!r}"


def _ipynb(node: Any) -> str:
    import nbformat

    return str(nbformat.writes(node)) + "\n"  # type: ignore[no-untyped-call]


# -- pages ----------------------------------------------------------------------------------------

_HEADING = re.compile(r"^(#{1,3}) +(.+?) *$", re.MULTILINE)


def _slug(text: str) -> str:
    """Return a heading as an anchor.

    >>> _slug("What was looked at, and what could not be"), _slug("用語集")
    ('what-was-looked-at-and-what-could-not-be', '用語集')
    """
    return "-".join(re.findall(r"\w+", text.lower()))


def _markdown(source: str) -> Markup:
    """Return a notebook's markdown as HTML: headings with anchors, raw HTML escaped."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def heading(self, text: str, level: int, **attrs: Any) -> str:
            if level == 1:  # the page's banner shows it
                return ""
            return f'<h{level} id="{_slug(Markup(text).striptags())}">{text}</h{level}>\n'  # noqa: S704

    renderer = Renderer(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)
    return Markup(MarkdownWithMath(renderer=renderer).render(source))  # noqa: S704 # escaped above


def _parted(source: str) -> tuple[str, str]:
    """Return markdown that begins with bold words as those words, and what follows them.

    >>> _parted("**How to read this page.** A control keeps its meaning.")
    ('How to read this page', 'A control keeps its meaning.')
    """
    begins = _BOLD.match(source)
    return (begins[1].rstrip(".。"), source[begins.end() :].strip()) if begins else ("…", source)


_BOLD = re.compile(r"\*\*(.+?)\*\*")


def _shown(output: Any) -> Markup:
    """Return one output of a cell as HTML; only what the kit made itself is taken as HTML."""
    if output.output_type == "stream":
        return Markup('<pre class="plain">{}</pre>').format(display.visible_lines(output.text))
    data = output.get("data", {})
    kind = output.get("metadata", {}).get("text/html", {}).get(display.MARK)
    if kind == "stylesheet":
        return Markup("")
    if kind:
        return display.out_of_notebook(data["text/html"])
    if "image/png" in data:
        return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(
            data["image/png"].strip(), data.get("text/plain", "")
        )
    if "text/plain" in data:
        return Markup('<pre class="plain">{}</pre>').format(
            display.visible_lines(data["text/plain"])
        )
    return Markup("")


def _exporter() -> Any:
    """Return the nbconvert exporter of the kit's template, which escapes by itself."""
    from nbconvert.exporters.templateexporter import TemplateExporter

    class ReportExporter(TemplateExporter):
        file_extension = ".html"
        output_mimetype = "text/html"

        def _create_environment(self) -> Any:
            environment: Any = super()._create_environment()  # type: ignore[no-untyped-call]
            for name, value in display.environment_settings().items():
                setattr(environment, name, value)
            environment.filters.update(markdown=_markdown, parted=_parted, shown=_shown)
            return display.add_filters(environment)

    return ReportExporter(  # type: ignore[no-untyped-call]
        template_name="report",
        template_file="index.html.j2",
        extra_template_basedirs=[str(display.TEMPLATES)],
        extra_template_paths=[str(display.TEMPLATES)],
    )


def _frame(identity: summary.Identity, title: str, branding: "Branding | None") -> dict[str, Any]:
    """Return what the frame of every page needs."""
    style = display.page_sheet(title, display.whose(identity, branding))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "lang": current(),
        "title": title,
        "style": Markup(style),  # noqa: S704 # our own file
        "style_hash": Markup(f"sha256-{digest}"),  # noqa: S704 # base64
        "identity": identity,
        "branding": branding,
    }


def _headings(node: Any) -> list[dict[str, str]]:
    return [
        {"anchor": _slug(text), "text": text}
        for cell in node.cells
        if cell.cell_type == "markdown"
        for marks, text in _HEADING.findall(cell.source)
        if len(marks) == 2
    ]


def _lead(node: Any) -> int:
    """Return how many cells stand before the first section and what is folded: the answer."""
    for number, cell in enumerate(node.cells):
        if cell.cell_type == "markdown" and (
            "folded" in cell.metadata.get("tags", [])
            or re.search(r"^## ", cell.source, re.MULTILINE)
        ):
            return number
    return len(node.cells)


def _page(notebook: Notebook) -> Page:
    """Return a notebook's title and its first paragraph."""
    text = "\n\n".join(c.source for c in notebook.node.cells if c.cell_type == "markdown")
    title = next((t for marks, t in _HEADING.findall(text) if len(marks) == 1), notebook.name)
    paragraphs = [part for part in text.split("\n\n") if part and not part.startswith("#")]
    about = " ".join(paragraphs[0].split()) if paragraphs else ""
    return Page(
        file=f"{notebook.name}.html", notebook=f"{notebook.name}.ipynb", title=title, about=about
    )


def _html_of(
    node: Any,
    page: Page,
    identity: summary.Identity,
    branding: "Branding | None",
    pages: Sequence[Page] = (),
) -> str:
    """Return an executed notebook as a page; ``pages`` are those of its report."""
    node = _without_empty(_without_copies(node, page, pages))
    exporter = _exporter()
    exporter.environment.globals.update(
        _frame(identity, page.title, branding),
        headings=_headings(node),
        lead=_lead(node),
        pages=pages,
    )
    html, _ = exporter.from_notebook_node(node)
    return str(html)


def _without_copies(node: Any, page: Page, pages: Sequence[Page]) -> Any:
    """Return an executed notebook without what another page of its report shows, led to instead."""
    import nbformat

    scope = next((p.file for p in pages if p.notebook == f"{SCOPE}.ipynb" and p != page), "")
    cells, told = [], False
    for cell in node.cells:
        if pages and ON_INDEX in cell.metadata.get("tags", []):
            if not told:
                text = tr(
                    "What was found, what to do first, each endpoint and all checks stand on the "
                    "[first page](index.html) of this report."
                )
                cells.append(nbformat.v4.new_markdown_cell(text))  # type: ignore[no-untyped-call]
            told = True
        elif scope and cell.cell_type == "code":
            outputs = [_coverage_in_a_line(output, scope) for output in cell.outputs]
            cells.append(nbformat.from_dict({**cell, "outputs": outputs}))  # type: ignore[no-untyped-call]
        else:
            cells.append(cell)
    return nbformat.from_dict({**node, "cells": cells})  # type: ignore[no-untyped-call]


def _without_empty(node: Any) -> Any:
    """Return an executed notebook without the questions to which the answer is only that there is nothing.

    A section goes with all of its questions; where one of them has an answer, only the others go.
    """
    import nbformat

    if not node.metadata.get("auditlib", {}).get("drops_empty"):
        return node
    starts = [
        i
        for i, cell in enumerate(node.cells)
        if cell.cell_type == "markdown" and cell.source.startswith("## ")
    ]
    kept = list(node.cells[: starts[0]]) if starts else list(node.cells)
    for begin, end in zip(starts, [*starts[1:], len(node.cells)], strict=True):
        section = node.cells[begin:end]
        answers = [cell for cell in section if cell.cell_type == "code"]
        if answers and all(map(_is_empty, answers)):
            continue
        for at, cell in enumerate(section):
            asks = cell.cell_type == "markdown" and at > 0 and at + 1 < len(section)
            if not (_is_empty(cell) or (asks and _is_empty(section[at + 1]))):
                kept.append(cell)
    return nbformat.from_dict({**node, "cells": kept})  # type: ignore[no-untyped-call]


def _is_empty(cell: Any) -> bool:
    """Say whether a cell showed nothing but that there is nothing."""
    outputs = cell.get("outputs", ())
    kinds = {o.get("metadata", {}).get("text/html", {}).get(display.MARK) for o in outputs}
    return kinds == {display.EMPTY}


def _coverage_in_a_line(output: Any, scope: str) -> Any:
    """Return the output that says what was looked at as a line that leads to it; others as they are."""
    if output.get("metadata", {}).get("text/html", {}).get(display.MARK) != display.COVERAGE:
        return output
    line = display.render("looked.html.j2", sentence=output.data["text/plain"], page=scope)
    return {**output, "data": {**output.data, "text/html": line}}


_CHECK_NAME = re.compile(
    r"<a [^>]*>.*?</a>|<code(?: class=\"breaks\")?>([a-z0-9-]+)</code>", re.DOTALL
)
"""A link, or what may be a check's name where it is none."""


def _linked(html: str, cards: Mapping[str, str], here: str) -> str:
    """Return a page whose check names lead to their cards: a page and an anchor each.

    >>> _linked("<td><code>a-b</code></td>", {"a-b": "10.html"}, "40.html")
    '<td><a href="10.html#a-b"><code>a-b</code></a></td>'
    >>> _linked("<code>a-b</code> <code>c</code>", {"a-b": "10.html"}, "10.html")
    '<a href="#a-b"><code>a-b</code></a> <code>c</code>'
    """

    def link(found: re.Match[str]) -> str:
        if found[1] not in cards:
            return found[0]
        page = cards[found[1]]
        return f'<a href="{"" if page == here else page}#{found[1]}">{found[0]}</a>'

    return _CHECK_NAME.sub(link, html)


_FIX_ANCHOR = re.compile(r'id="(fix-[^"]+)"')
"""Where a page shows the fix of a check; see :func:`auditlib.display.fix_anchor`."""

_GLOSSARY = re.compile(r'<h2 id="([^"]+)">[^<]*</h2>\s*<dl>')
"""The last section of a page: terms with what they mean."""


def _taken(pages: Sequence[Page], executed: Sequence[Any], wanted: str) -> dict[str, Any] | None:
    """Return the first output of a kind that a notebook made, and its page; ``None`` where none did."""
    for page, node in zip(pages, executed, strict=True):
        for output in (o for cell in node.cells for o in cell.get("outputs", ())):
            kind = output.get("metadata", {}).get("text/html", {}).get(display.MARK)
            if kind == wanted:
                return {"page": page, "markup": display.out_of_notebook(output.data["text/html"])}
    return None


def _glossary(html: Mapping[str, str]) -> str:
    """Return where the terms stand: a page and an anchor; nothing where no page has them."""
    found = ((file, _GLOSSARY.search(text)) for file, text in html.items())
    return next((f"{file}#{terms[1]}" for file, terms in found if terms), "")


def _exports(audit: "Audit") -> dict[str, str | bytes]:
    """Return the files that go with the pages."""
    return {
        "findings.json": export.json_text(export.findings_json(audit)),
        "findings.xlsx": workbook_bytes(audit),
    }


def _index(  # noqa: PLR0917 # called by position, in another process
    audit: "Audit",
    pages: Sequence[Page],
    branding: "Branding | None",
    cards: Mapping[str, str],
    glossary: str,
    changed: Mapping[str, Any] | None,
    pdf: bool,
) -> str:
    """Return the first page; ``cards`` names the page that holds each check's card, and each fix's block."""
    names = summary.names(audit)
    page = display.render(
        "index.html.j2",
        **_frame(summary.identity(audit), tr(TITLE), branding),
        pages=pages,
        pdf=pdf,
        changed=changed,
        strange=display.strange_names(audit).markup,
        verdict=display.verdict(audit).markup,
        steps=display.first_steps(audit, pages=cards).markup,
        glossary=glossary,
        stories=display.stories(audit, cards).markup,
        picture=display.picture(severity_by_endpoint(audit)).markup,
        findings=display.findings(audit, pages=cards).markup,
        cards=[
            display.card(finding, names, display.proposals_of(audit, finding)).markup
            for finding in summary.by_urgency(audit.findings)
            if cards[finding.check.id] == INDEX
        ],
    )
    return display.unbroken_page(page)


# -- the whole --------------------------------------------------------------------------------


def report(
    snapshot: str | Path | None,
    out: str | Path,
    notebooks: Sequence[str | Path] | None = None,
    parameters: Mapping[str, object] | None = None,
    places: Mapping[str, str | Path] | None = None,
    *,
    accepted: str | Path | None = None,
    today: date | None = None,
    redaction: "Pseudonyms | None" = None,
    branding: "Branding | None" = None,
    pdf: "Paper | None" = None,
    kernels: int | None = None,
) -> Report:
    """Run notebooks on a snapshot and write the pages to hand over.

    Parameters
    ----------
    snapshot
        Folder or .zip; ``None`` for the bundled sample.
    out
        Folder to write; an older report in it is replaced, anything else is left alone.
    notebooks
        Names, numbers or paths of notebooks; all of the kit's about one account by default, none where it is empty.
    parameters
        Parameters for the notebooks that declare them.
    places
        Parameters that are paths: ``earlier``, the snapshot to compare with, and ``history``.
    accepted
        A YAML file of accepted risks.
    today
        The day on which they must hold; today, in UTC, when not given.
    redaction
        Pseudonyms to put in the place of every name, id, address and account.
    branding
        Whose report it is, and for whom. A redacted one does not say for whom.
    pdf
        The paper of a ``report.pdf`` that holds all pages; none is made without.
    kernels
        How many notebooks run at once; as many as there are cores by default.

    Raises
    ------
    SnapshotError
        The snapshot cannot be read.
    ParameterError
        A notebook or parameter is unknown, or a value of the wrong type, or cannot be redacted. No
        kernel was started.
    ReportError
        A cell failed or the folder is not a report's; what was there before is untouched.
    """
    from auditlib.audit import open_audit

    if pdf is not None:
        refuse_without_weasyprint()
    target = Path(out).absolute()
    _refuse_foreign(target)
    chosen = notebooks_of(notebooks)
    audit = open_audit(snapshot, accepted, today=today or "")
    order = _Order(
        target=target,
        chosen=tuple(chosen),
        snapshot=snapshot,
        accepted=accepted,
        parameters=parameters or {},
        places=places or {},
        branding=branding,
        pdf=pdf,
        kernels=kernels or os.cpu_count() or 1,
    )
    if redaction is None:
        return _reported(audit, order)
    with _redacted(audit, order, redaction) as (again, redacted):
        return _reported(again, redacted)


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What a report is to be made of, checked as far as it can be without an audit."""

    target: Path
    chosen: tuple[Notebook, ...]
    snapshot: str | Path | None
    accepted: str | Path | None
    parameters: Mapping[str, object]
    places: Mapping[str, str | Path]
    branding: "Branding | None"
    pdf: "Paper | None"
    kernels: int


@contextmanager
def _redacted(
    audit: "Audit", order: _Order, names: "Pseudonyms"
) -> Iterator[tuple["Audit", _Order]]:
    """Return the audit of the redacted snapshot, which says the same, and what to make of it."""
    from auditlib.audit import open_audit
    from auditlib.redaction import redacted_inputs, refuse_difference, translated

    known = {notebook.path for notebook in notebooks().values()}
    if own := [notebook.name for notebook in order.chosen if notebook.path not in known]:
        raise ParameterError(
            tr(
                "notebook {own!r} is not the kit's: what is written in it cannot be redacted",
                own=own[0],
            )
        )
    if "history" in order.places:
        raise ParameterError(tr("a history is kept in the account's own names: leave it out here"))
    given = translated(order.parameters, names)
    with tempfile.TemporaryDirectory(prefix="auditlib-") as scratch:
        inputs = redacted_inputs(audit, Path(scratch), names, order.places.get("earlier"))
        day = audit.accepted.day if audit.accepted else ""
        again = open_audit(inputs.snapshot, inputs.accepted, today=day)
        refuse_difference(audit.findings, again.findings, audit.accepted)
        yield (
            again,
            replace(
                order,
                snapshot=inputs.snapshot,
                accepted=inputs.accepted,
                parameters=given,
                places={"earlier": inputs.earlier} if inputs.earlier else {},
                branding=order.branding and order.branding.without_client,
            ),
        )


def _before(order: _Order) -> Path | None:
    """Return the snapshot before the one that is reported on; the sample has one."""
    from auditlib.comparison import EARLIER

    place = order.places.get("earlier", EARLIER if order.snapshot is None else None)
    return None if place is None else Path(place).resolve()


def _reported(audit: "Audit", order: _Order) -> Report:
    from auditlib.audit import open_audit
    from auditlib.kernels import EndedError, fork_server

    target, chosen, branding = order.target, order.chosen, order.branding
    snapshot, accepted = order.snapshot, order.accepted
    taken: dict[str, object] = {}
    if accepted is not None and audit.accepted is not None:
        _refuse_without_accepted(chosen)
        # The day too: a report made at midnight must not say two things.
        taken = {ACCEPTED: str(Path(accepted).resolve()), TODAY: audit.accepted.day.isoformat()}
    with tempfile.TemporaryDirectory(prefix="auditlib-") as scratch:
        place = _kernel_folder(snapshot, Path(scratch))
        paths = {name: _from(place, path) for name, path in order.places.items()}
        given = taken if snapshot is None else {**taken, SNAPSHOT: Path(snapshot).resolve().name}
        identity = summary.identity(audit)
        with ExitStack() as stack:
            server = None
            if len(chosen) > 1:  # it gets ready while the notebooks are read
                opened = {key: str(given.get(key, "")) for key in (SNAPSHOT, ACCEPTED, TODAY)}
                if before := _before(order):
                    opened["earlier"] = str(before)
                server = stack.enter_context(fork_server(place, opened))
            elif before := _before(order):
                audit.earlier = open_audit(before).tables
            wanted = _parameters_for(chosen, {**order.parameters, **paths})
            fixes_beside = server is not None and sum(n.shows_fixes for n in chosen) > 1
            if server is not None and fixes_beside:
                server.work_out_fixes()
            pages = [_page(notebook) for notebook in chosen]

            def made(notebook: Notebook) -> tuple[Any, str]:
                """Return a notebook once it is run, and its page."""
                copies = None
                if server is not None:
                    shows = fixes_beside and notebook.shows_fixes
                    copies = server.copies_with_fixes if shows else server.copies
                values = {**wanted[notebook.name], **given}
                node = _run(notebook, values, place, Path(scratch), copies)
                node = _renamed(node, paths.values())
                return node, _html_of(node, _page(notebook), identity, branding, pages)

            def told(function: Callable[..., _Told], *more: object, fixes: bool = False) -> _Told:
                """Return what a function makes of the audit, by a process that has judged it."""
                if server is None:
                    return function(audit, *more)
                ready = server.copies_with_fixes if fixes and fixes_beside else server.copies
                try:
                    return ready.made(function, *more)
                except EndedError as error:
                    raise ReportError(
                        tr("the report could not be made: {error}", error=error)
                    ) from error

            pool = stack.enter_context(ThreadPoolExecutor(max(1, min(len(chosen), order.kernels))))
            running = {
                n: pool.submit(made, n)
                # What waits for fixes begins later, but for the longest, which waits beside others.
                for n in sorted(chosen, key=lambda n: (not n.takes_long, n.shows_fixes))
            }
            files: dict[str, str | bytes] = {**told(_exports)}  # while the kernels run
            done = [running[n].result() for n in chosen]
            executed = [node for node, _ in done]
            html = {page.file: text for page, (_, text) in zip(pages, done, strict=True)}
            cards = {
                check.id: next((f for f, text in html.items() if f'id="{check.id}"' in text), INDEX)
                for check in checks()
            }
            files |= {
                file: display.unbroken_page(_linked(text, cards, file))
                for file, text in html.items()
            }
            cards |= {
                anchor: file for file, text in html.items() for anchor in _FIX_ANCHOR.findall(text)
            }
            files[INDEX] = told(
                _index,
                pages,
                branding,
                cards,
                _glossary(html),
                _taken(pages, executed, display.CHANGED),
                order.pdf is not None,
                fixes=True,
            )
    if order.pdf is not None:
        frame = _frame(identity, tr(TITLE), branding)
        sheets = [(INDEX, tr(TITLE), str(files[INDEX]))]
        sheets += [(page.file, page.title, str(files[page.file])) for page in pages]
        files["report.pdf"] = pdf_bytes(sheets, frame, order.pdf)
    for page, node in zip(pages, executed, strict=True):
        files[f"notebooks/{page.notebook}"] = _ipynb(node)
    _publish(files, target)
    return Report(
        folder=target,
        index=target / INDEX,
        pages=tuple(target / page.file for page in pages),
        findings=target / "findings.json",
        audit=audit,
    )


def overview_report(
    folder: str | Path, out: str | Path, *, branding: "Branding | None" = None
) -> Path:
    """Write the page over all accounts of a run, and return it.

    Parameters
    ----------
    folder
        What a run left of a day; see :mod:`auditlib.overview`.

    Raises
    ------
    ReportError
        A cell failed or the folder is not a report's; what was there before is untouched.
    """
    from auditlib.overview import identity_of

    target, folder = Path(out).absolute(), Path(folder).resolve()
    _refuse_foreign(target)
    (notebook,) = notebooks_of([OVERVIEW])
    given = {FLEET: folder.name}
    # In a thread of its own, as everywhere: the event loop it leaves is closed with it.
    with (
        tempfile.TemporaryDirectory(prefix="auditlib-") as scratch,
        ThreadPoolExecutor(1) as pool,
    ):
        node = pool.submit(_run, notebook, given, folder.parent, Path(scratch)).result()
    page = replace(_page(notebook), file=INDEX)
    files: dict[str, str | bytes] = {
        page.file: _html_of(node, page, identity_of(folder), branding),
        f"notebooks/{page.notebook}": _ipynb(node),
    }
    _publish(files, target)
    return target / page.file


def _kernel_folder(snapshot: str | Path | None, scratch: Path) -> Path:
    """Return where kernels stand: beside the snapshot, so that notebooks name it without a path."""
    return scratch if snapshot is None else Path(snapshot).resolve().parent


def _from(place: Path, path: str | Path) -> str:
    """Return a path as a kernel knows it, without naming this machine's folders."""
    try:
        return Path(os.path.relpath(Path(path).resolve(), place)).as_posix()
    except ValueError:  # another drive of Windows
        return str(Path(path).resolve())


def _refuse_foreign(target: Path) -> None:
    """Refuse to replace a folder that holds anything a report does not write, or a place without room.

    Asked before anything is worked out: it takes a while until there is something to write.
    """
    above = next(path for path in target.absolute().parents if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        why = os.strerror(errno.EACCES if above.is_dir() else errno.ENOTDIR)
        raise ReportError(tr("{target} cannot be written: {why}", target=target, why=why))
    if not target.exists():
        return
    if not target.is_dir():
        raise ReportError(tr("{target} is a file; give a folder for the report", target=target))
    foreign = sorted(
        path.relative_to(target).as_posix()
        for path in target.rglob("*")
        if path.is_file() and not _is_ours(path, target)
    )
    if foreign:
        raise ReportError(
            tr(
                "{target} holds files that are not a report's, {foreign!r} for one; give another folder",
                target=target,
                foreign=foreign[0],
            )
        )


def _is_ours(path: Path, target: Path) -> bool:
    inside = path.relative_to(target)
    if inside.parts[0] == "notebooks":
        return path.suffix == ".ipynb"
    if inside.suffix == ".html":
        return b'<meta name="generator" content="auditlib' in path.read_bytes()[:4000]
    return inside.as_posix() in {"findings.json", "findings.xlsx", "report.pdf"}


def _publish(files: Mapping[str, str | bytes], target: Path) -> None:
    """Write all files aside, then put the folder in the place of the older one."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise ReportError(
            tr("{target} cannot be written: {why}", target=target, why=error.strerror)
        ) from error
    try:
        new, old = aside / "new", aside / "old"
        for name, held in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(held.encode() if isinstance(held, str) else held)
        if target.exists():
            target.rename(old)
        new.rename(target)
    except OSError as error:
        if not target.exists() and old.exists():
            with suppress(OSError):  # another report was put there in the meantime
                old.rename(target)
        raise ReportError(
            tr("{target} cannot be written: {why}", target=target, why=error.strerror)
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
