"""What holds for every notebook in the notebooks folder, also for one that is added tomorrow."""

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from papermill.cli import papermill

from auditlib import snapshot as snapshots
from auditlib.report import notebooks, report
from tests import report_worlds as worlds
from tests import sample_report

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
FIRST = "What was looked at, and what could not be"
LAST = ["How to verify this", "Limits", "Glossary"]
LINES = 8


def nodes():
    return [pytest.param(nbformat.read(path, 4), id=path.stem) for path in PATHS]


def cells(node, kind: str):
    return [cell for cell in node.cells if cell.cell_type == kind]


def headings(node) -> list[str]:
    text = "\n".join(cell.source for cell in cells(node, "markdown"))
    return re.findall(r"^## +(.+)$", text, re.MULTILINE)


def test_every_notebook_is_found_by_its_name():
    assert list(notebooks()) == [path.stem for path in PATHS]
    assert all(re.fullmatch(r"\d\d-[a-z-]+", name) for name in notebooks())


@pytest.mark.parametrize("node", nodes())
def test_outputs_are_stripped(node):
    nbformat.validate(node)
    for cell in cells(node, "code"):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.parametrize("node", nodes())
def test_it_begins_with_what_was_looked_at_and_ends_with_its_limits(node):
    assert headings(node)[0] == FIRST
    assert headings(node)[-3:] == LAST


@pytest.mark.parametrize("node", nodes())
def test_it_answers_before_it_explains_how_to_read_it(node):
    tags = [
        (cell.cell_type, *(tag for tag in cell.metadata.get("tags", []) if tag != "on-index"))
        for cell in node.cells[:5]
    ]
    assert tags == [
        ("markdown",),
        ("code", "parameters"),
        ("code",),
        ("code",),
        ("markdown", "folded"),
    ]
    assert node.cells[4].source.startswith("**How to read this page.** ")


@pytest.mark.parametrize("node", nodes())
def test_it_has_one_title_and_says_what_it_is_about(node):
    first = cells(node, "markdown")[0].source
    assert first.startswith("# ")
    assert len(re.findall(r"^# ", first, re.MULTILINE)) == 1
    assert re.search(r"^[A-Z].+\.$", first.split("\n\n")[1])


@pytest.mark.parametrize("node", nodes())
def test_parameters_are_typed_and_commented_and_begin_with_the_snapshot(node):
    (cell,) = [c for c in cells(node, "code") if "parameters" in c.metadata.get("tags", [])]
    lines = cell.source.splitlines()
    assert lines[0].startswith('snapshot: str = ""  # ')
    for line in lines:
        assert re.fullmatch(r"[a-z_]+: (str|int|float|bool) = .+?  # \S.+", line), line


@pytest.mark.parametrize("node", nodes())
def test_cells_are_short_and_define_nothing(node):
    for cell in cells(node, "code"):
        assert len(cell.source.splitlines()) <= LINES, cell.source
        defined = [
            n
            for n in ast.walk(ast.parse(cell.source))
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        ]
        assert not defined, cell.source


@pytest.mark.parametrize("node", nodes())
def test_markdown_states_no_result(node):
    """No id, no address, no count of things found: only cells know the account."""
    for cell in cells(node, "markdown"):
        text = re.sub(r"`[^`]*`", "", cell.source)
        assert not re.search(r"\b(?:sg|eni|vpc|subnet|cvpn-endpoint|sgr)-[0-9a-f]{3,}", cell.source)
        assert not re.search(r"\b\d{12}\b|\b\d+\.\d+\.\d+\.\d+\b", text)
        found = (
            r"\b\d+ (?:of|Client|endpoints?|groups?|rules?|findings?|checks?|interfaces?|calls?)\b"
        )
        assert not re.search(found, text), text


@pytest.mark.parametrize("node", nodes())
def test_markdown_holds_no_html(node):
    for cell in cells(node, "markdown"):
        assert not re.search(r"<[a-zA-Z/!]", re.sub(r"`[^`]*`", "", cell.source))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_papermill_explains_its_parameters(path):
    shown = CliRunner().invoke(papermill, ["--help-notebook", str(path)])
    assert shown.exit_code == 0
    assert re.search(r'snapshot: str \(default ""\)\s+folder or \.zip', shown.stdout)


def test_every_notebook_runs_on_an_empty_account(tmp_path):
    """On one that refused most, and on a hostile one: test_report.py."""
    snapshots.save(worlds.empty().snapshot(), tmp_path / "snapshot")
    made = report(tmp_path / "snapshot", tmp_path / "out", list(notebooks()))
    assert [path.stem for path in made.pages] == list(notebooks())


def test_the_first_runs_by_papermill_s_command(tmp_path):
    """As a schedule runs it, in its own folder, with no snapshot named: so on the sample."""
    subprocess.run(
        [sys.executable, "-m", "papermill", PATHS[0], "out.ipynb", "--no-progress-bar"],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    assert has_output(tmp_path / "out.ipynb")


BY_PAPERMILL = """
import sys
import papermill
for path in sys.argv[1:]:
    name = path.rpartition("/")[2]
    given = {} if name.startswith("60-") else {"snapshot": "client"}
    papermill.execute_notebook(path, name, given, progress_bar=False)
"""


def test_the_others_run_by_plain_papermill(tmp_path):
    """Each in a kernel of its own that knows nothing of the kit's; papermill is imported once for all."""
    snapshots.save(worlds.exposed().snapshot(), tmp_path / "client")
    command = [sys.executable, "-c", BY_PAPERMILL, *map(str, PATHS[1:])]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    for path in PATHS[1:]:
        assert has_output(tmp_path / path.name), path.name


def has_output(path: Path) -> bool:
    return any(cell.outputs for cell in cells(nbformat.read(path, 4), "code"))


@pytest.mark.parametrize("node", nodes())
def test_it_takes_accepted_risks_into_account(node):
    """A notebook that did not would show what somebody accepted as if nobody had."""
    code = [cell.source for cell in cells(node, "code")]
    parameters = next(source for source in code if source.startswith("snapshot: str"))
    assert re.search(r"^accepted: str", parameters, re.MULTILINE)
    assert re.search(r"^today: str", parameters, re.MULTILINE)
    opened = "open_audit(snapshot or None, accepted or None, today=today)"
    assert any(opened in source for source in code)


def contents(path: Path) -> object:
    """Return what a file says; a workbook's parts, for compression differs between systems."""
    if path.suffix != ".xlsx":
        return path.read_bytes()
    with zipfile.ZipFile(path) as parts:
        return {name: parts.read(name) for name in parts.namelist()}


def test_the_committed_sample_report_is_current(tmp_path):
    """``make sample-report`` makes it anew: the same snapshot gives the same report, byte by byte."""
    made = report(None, tmp_path / "sample")
    kept = {p.relative_to(sample_report.FOLDER): p for p in sample_report.FOLDER.rglob("*.*")}
    fresh = {p.relative_to(made.folder): p for p in made.folder.rglob("*.*")}
    assert set(kept) == set(fresh)
    changed = [str(name) for name in kept if contents(kept[name]) != contents(fresh[name])]
    assert not changed, "run: make sample-report"
