"""From a snapshot to pages that can be handed over."""

import getpass
import hashlib
import json
import re
import sys
import tempfile
import zipfile
from base64 import b64encode
from datetime import date
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from auditlib import snapshot as snapshots
from auditlib.errors import ParameterError, ReportError, SnapshotError
from auditlib.report import notebooks, notebooks_of, report
from tests import report_worlds as worlds
from tests.pages import page

ROOT = Path(__file__).resolve().parent.parent

PARAMETERS = """\
snapshot: str = ""  # folder or .zip
port: int = 443  # a port
strict: bool = False  # strict or not
share: float = 0.5  # a share
name: str = "x"  # a name"""


def saved(world, folder: Path) -> Path:
    snapshots.save(world.snapshot(**worlds.MOMENT), folder)
    return folder


def text_of(path: Path) -> str:
    """Return what a file of a report says; a workbook's parts one after the other."""
    if path.suffix != ".xlsx":
        return path.read_text("utf-8")
    with zipfile.ZipFile(path) as parts:
        return "".join(parts.read(name).decode() for name in parts.namelist())


def notebook(folder: Path, *cells: str, name: str = "own", parameters: str = PARAMETERS) -> Path:
    """Write a small notebook: text that begins with '#' is markdown, the rest code."""
    node = nbformat.v4.new_notebook()
    head = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    rest = [
        nbformat.v4.new_markdown_cell(cell)
        if cell.startswith("#")
        else nbformat.v4.new_code_cell(cell)
        for cell in cells
    ]
    node.cells = [head, *rest] if parameters else rest
    path = folder / f"{name}.ipynb"
    nbformat.write(node, path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return saved(worlds.empty(), tmp_path_factory.mktemp("small") / "snapshot")


@pytest.fixture
def hostile(hostile_report):
    return hostile_report


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refused")
    snapshot = saved(worlds.refused(), folder / "client-2026")
    return report(snapshot, folder / "out", list(notebooks()))


def pages_of(made) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(made.folder.glob("*.html"))}


# -- what is written ------------------------------------------------------------------------------


def test_a_report_is_an_index_a_page_per_notebook_and_the_findings(hostile):
    written = {p.relative_to(hostile.folder).as_posix() for p in hostile.folder.rglob("*.*")}
    names = [notebook.name for notebook in notebooks_of(None)]
    assert written == {
        "index.html",
        "findings.json",
        "findings.xlsx",
        *(f"{name}.html" for name in names),
        *(f"notebooks/{name}.ipynb" for name in names),
    }
    assert [path.stem for path in hostile.pages] == names
    assert hostile.index.is_file()


def test_every_notebook_runs_on_an_account_that_refused_most(refused):
    assert [path.stem for path in refused.pages] == list(notebooks())


def test_nothing_is_left_beside_the_report(hostile):
    assert {path.name for path in hostile.folder.parent.iterdir()} == {"client-2026", "out"}


def test_findings_json_is_what_the_audit_found(hostile):
    read = json.loads(hostile.findings.read_text("utf-8"))
    assert [f["check"] for f in read["findings"]] == [f.check.id for f in hostile.audit.findings]


def test_every_finding_has_one_card_in_the_report_and_the_index_links_to_it(hostile, refused):
    for made in (hostile, refused):
        html = pages_of(made)
        index = page(html["index.html"])
        links = {a["href"] for a in index.all("a")}
        for finding in made.audit.findings:
            holders = [name for name, text in html.items() if f'id="{finding.check.id}"' in text]
            assert len(holders) == 1, finding.check.id
            here = holders[0] if holders[0] != "index.html" else ""
            assert f"{here}#{finding.check.id}" in links


def test_the_footer_names_account_regions_time_hash_and_version(refused):
    from auditlib import __version__

    for html in pages_of(refused).values():
        footer = page(html[html.rindex('<footer class="imprint">') :]).words
        for wanted in ("111122223333", "ap-northeast-1", "eu-west-1", "2026-11-20 09:04 UTC"):
            assert wanted in footer
        assert refused.audit.snapshot.digest in footer
        assert f"auditlib {__version__}" in footer


def test_a_page_shows_no_code_and_no_prompt(hostile):
    for html in pages_of(hostile).values():
        assert "open_audit(" not in html
        assert "init_notebook" not in html
        assert not re.search(r"(In|Out)\s*\[\d", html)


# -- what is in a page ----------------------------------------------------------------------------

ALLOWED = """
html head meta title link style body header footer main nav p a h1 h2 h3 h4 dl dt dd div ol ul li
table thead tbody tr th td code pre span bdi wbr strong em b s article section details summary figure img figcaption
"""


def test_a_page_is_well_formed_and_holds_nothing_that_runs_or_loads(hostile):
    for name, html in pages_of(hostile).items():
        parsed = page(html)
        assert not parsed.problems, name
        assert {tag for tag, _ in parsed.tags} <= set(ALLOWED.split())
        for tag, attributes in parsed.tags:
            assert not [a for a in attributes if a == "style" or a.startswith("on")], (tag, name)
            if tag == "img":
                assert attributes["src"].startswith("data:image/svg+xml;base64,")
                assert attributes["alt"]
            if tag == "link":
                assert attributes == {"rel": "icon", "href": "data:,"}
            if tag == "a":
                assert re.match(
                    r"https://|#|[\w/.-]+\.(html|json|ipynb|xlsx)(#|$)", attributes["href"]
                )


def test_the_policy_allows_the_one_stylesheet_by_its_hash_and_nothing_else(hostile):
    for html in pages_of(hostile).values():
        (policy,) = [
            m["content"]
            for m in page(html).all("meta")
            if m.get("http-equiv") == "Content-Security-Policy"
        ]
        (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
        digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy == (
            f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none';"
            " form-action 'none'"
        )


def test_what_one_page_shows_another_leads_to(hostile):
    html = pages_of(hostile)
    assert 'class="steps"' in html["index.html"]
    assert 'class="steps"' not in html["00-overview.html"]
    assert 'href="index.html">first page' in html["00-overview.html"]
    held = nbformat.read(hostile.folder / "notebooks" / "00-overview.ipynb", 4)
    assert any("show.first_steps" in c.source and c.outputs for c in held.cells)  # all of it
    table = '<th scope="col" class="number">Answered'
    assert table in html["00-overview.html"]
    for name in set(html) - {"index.html", "00-overview.html", "50-what-changed.html"}:
        assert table not in html[name]
        assert 'href="00-overview.html">scope and method' in html[name]


def test_hostile_text_is_shown_as_text(hostile):
    html = pages_of(hostile)
    index = page(html["index.html"]).text
    others = page(html["10-endpoint-security-groups.html"]).text
    assert "(suspicious name)" in others
    # A user group has no id but what its directory calls it.
    others = re.sub(r"for group .+? of cvpn-endpoint-", "", others)
    for name in (worlds.SCRIPT, worlds.IMAGE, "pay[U+202E]roll[U+200B]"):
        assert name in index  # the one page that repeats them
        assert name not in others
    for name in (
        "{{ 7 * 7 }}{% raw %}",
        "営業部の端末 'quoted' & =1+1",
    ):
        assert name in others


def test_no_unseen_character_is_in_a_page(hostile):
    for html in pages_of(hostile).values():
        assert not re.search(
            "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]", html
        )


def test_a_page_can_be_found_ones_way_in(hostile):
    for name, html in pages_of(hostile).items():
        parsed = page(html)
        assert parsed.all("html") == [{"lang": "en"}]
        assert [len(parsed.all(tag)) for tag in ("h1", "main", "title")] == [1, 1, 1]
        lists = [a["aria-label"] for a in parsed.all("nav")]
        assert lists == (["Pages"] if name == "index.html" else ["Pages", "Contents"])
        ids = [a["id"] for _, a in parsed.tags if "id" in a]
        assert len(ids) == len(set(ids)), name
        targets = {a["href"][1:] for a in parsed.all("a") if a["href"].startswith("#")}
        assert targets <= set(ids)
        assert all(th.get("scope") for th in parsed.all("th") if "class" in th)
        levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch(r"h[1-6]", tag)]
        assert all(after <= before + 1 for before, after in pairwise(levels))


def test_links_between_the_pages_lead_somewhere(hostile):
    html = pages_of(hostile)
    for text in html.values():
        for link in page(text).all("a"):
            file, _, anchor = link["href"].partition("#")
            if not file or ":" in file:
                continue
            assert (hostile.folder / file).is_file()
            assert not anchor or f'id="{anchor}"' in html[file]


def test_no_trace_of_this_machine_is_in_any_file(hostile):
    traces = {str(ROOT), sys.prefix, str(Path.home()) + "/", tempfile.gettempdir() + "/"}
    traces |= {str(hostile.folder.parent), f"/{getpass.getuser()}/"}
    for path in hostile.folder.rglob("*.*"):
        text = text_of(path)
        assert not [trace for trace in traces if trace in text], path.name
        assert "papermill" not in text, path.name


def test_the_executed_notebook_names_the_snapshot_without_its_path(hostile):
    node = nbformat.read(hostile.folder / "notebooks" / "00-overview.ipynb", 4)
    (cell,) = [c for c in node.cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert cell.source.splitlines() == ["# Parameters", 'snapshot = "client-2026"']
    assert not [o for c in node.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]


# -- what a notebook of one's own may show ---------------------------------------------------------


def test_only_html_of_the_kit_is_taken_as_html(small, tmp_path):
    own = notebook(
        tmp_path,
        "# My page\n\nAbout <b>this</b> and [that](javascript:alert(1)).\n\n## Ask\n\n### Ask more",
        "from IPython.display import HTML, display\nHTML('<script>forged()</script><i>x</i>')",
        "print('<u>printed</u>\\nagain\\u202e')",
        "import sys; print('a warning', file=sys.stderr)",
        "display({'image/png': 'AAAA', 'text/plain': 'a \"figure\"'}, raw=True)",
        "display({'application/json': {}}, raw=True)",
        "display({'text/html': '<i>forged</i>', 'text/plain': 'plain <words>'}, raw=True)",
    )
    made = report(small, tmp_path / "out", notebooks=[own])
    html = (made.folder / "own.html").read_text("utf-8")
    parsed = page(html)
    assert not {"script", "i", "u"} & {tag for tag, _ in parsed.tags}
    assert "forged" not in html
    assert "javascript:" not in html
    assert "<u>printed</u>" in parsed.text
    assert "again[U+202E]" in parsed.text
    assert "plain <words>" in parsed.text
    assert "a warning" not in html
    assert parsed.all("img") == [{"src": "data:image/png;base64,AAAA", "alt": 'a "figure"'}]
    assert "About <b>this</b>" in parsed.text
    assert 'id="ask-more"' in html


def test_findings_no_notebook_shows_have_their_card_on_the_index(small, tmp_path):
    own = notebook(tmp_path, "# My page", "1")
    made = report(small, tmp_path / "out", notebooks=[own])
    index = made.index.read_text("utf-8")
    for finding in made.audit.findings:
        kind = f"not_applicable {finding.check.severity.value}"
        assert f'<article class="card {kind}" id="{finding.check.id}"' in index


# -- parameters -----------------------------------------------------------------------------------

WITNESS = "import pathlib; pathlib.Path(name).write_text(repr((port, strict, share)))"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"prot": 1}, "no notebook of this report has a parameter 'prot'; they take name, port"),
        ({"port": "https"}, "parameter 'port' must be int, not 'https': a port"),
        ({"port": 1.5}, "parameter 'port' must be int, not 1.5"),
        ({"port": True}, "parameter 'port' must be int, not True"),
        ({"strict": "perhaps"}, "parameter 'strict' must be bool"),
        ({"name": 3}, "parameter 'name' must be str, not 3"),
        ({"share": "half"}, "parameter 'share' must be float"),
        ({"snapshot": "x"}, "'snapshot' is not a parameter to set here"),
    ],
)
def test_a_wrong_parameter_is_refused_before_a_kernel_starts(small, tmp_path, given, named):
    own = notebook(tmp_path, "raise SystemExit")
    with pytest.raises(ParameterError, match=re.escape(named)):
        report(small, tmp_path / "out", notebooks=[own], parameters=given)
    assert not (tmp_path / "out").exists()


def test_parameters_arrive_with_their_types(small, tmp_path, new_kernels):
    own = notebook(tmp_path, WITNESS)
    given = {"port": "22", "strict": "yes", "share": 1, "name": str(tmp_path / "witness")}
    report(small, tmp_path / "out", notebooks=[own], parameters=given)
    assert (tmp_path / "witness").read_text() == "(22, True, 1.0)"


def test_kit_notebooks_that_take_no_further_parameter_say_so(small, tmp_path):
    with pytest.raises(ParameterError, match="they take none"):
        report(small, tmp_path / "out", notebooks=["00"], parameters={"x": 1})


def test_a_notebook_without_the_snapshot_parameter_is_refused(small, tmp_path):
    own = notebook(tmp_path, "1", parameters="")
    with pytest.raises(ParameterError, match="'own' declares no parameter 'snapshot'"):
        report(small, tmp_path / "out", notebooks=[own])


def test_notebooks_are_known_by_name_number_and_path(small, tmp_path):
    own = notebook(tmp_path, "1")
    made = report(small, tmp_path / "out", notebooks=["00", own])
    assert [path.stem for path in made.pages] == ["00-overview", "own"]


def test_an_unknown_notebook_is_refused_with_those_there_are(small, tmp_path):
    with pytest.raises(ParameterError, match=r"no notebook '99'; there are 00-overview, 10-"):
        report(small, tmp_path / "out", notebooks=["99"])


def test_a_notebook_asked_for_twice_is_refused(small, tmp_path):
    with pytest.raises(ParameterError, match="'00-overview' was asked for twice"):
        report(small, tmp_path / "out", notebooks=["00", "00-overview"])


def test_a_file_that_is_no_notebook_is_refused(small, tmp_path):
    (tmp_path / "own.ipynb").write_text("{")
    with pytest.raises(ReportError, match=r"own\.ipynb is not a Jupyter notebook"):
        report(small, tmp_path / "out", notebooks=[tmp_path / "own.ipynb"])


# -- failing well ---------------------------------------------------------------------------------


def test_a_failed_cell_publishes_nothing_and_names_notebook_cell_and_reason(small, tmp_path):
    out = tmp_path / "out"
    good = notebook(tmp_path, "# One", "1", name="good")
    before = {p.name: p.read_bytes() for p in report(small, out, [good]).folder.rglob("*.*")}
    bad = notebook(tmp_path, "# Two", "## A section", "x = 1\n1 / 0", name="bad")
    with pytest.raises(ReportError) as failure:
        report(small, out, [good, bad])
    assert str(failure.value) == (
        "notebook bad failed in section 'A section' at the cell that begins 'x = 1': "
        "ZeroDivisionError: division by zero; nothing was published"
    )
    assert {p.name: p.read_bytes() for p in out.rglob("*.*")} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.ipynb", "good.ipynb", "out"]


def test_a_kernel_that_dies_publishes_nothing(small, tmp_path, new_kernels):
    bad = notebook(tmp_path, "import os; os._exit(1)")
    with pytest.raises(ReportError, match="notebook own could not be run: DeadKernelError"):
        report(small, tmp_path / "out", [bad])
    assert not (tmp_path / "out").exists()


def test_an_older_report_is_replaced_as_a_whole(small, tmp_path):
    one, two = (notebook(tmp_path, "# T", "1", name=name) for name in ("one", "two"))
    report(small, tmp_path / "out", [one])
    report(small, tmp_path / "out", [two])
    names = {p.name for p in (tmp_path / "out").rglob("*.*")}
    assert names == {"index.html", "findings.json", "findings.xlsx", "two.html", "two.ipynb"}


@pytest.mark.parametrize("name", ["notes.txt", "own.html", "notebooks/thesis.txt"])
def test_a_folder_with_other_files_is_left_alone(small, tmp_path, name):
    other = tmp_path / "out" / name
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    with pytest.raises(ReportError, match=f"files that are not a report's, '{name}' for one"):
        report(small, tmp_path / "out", ["00"])
    assert other.read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_left_alone(small, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ReportError, match="is a file; give a folder"):
        report(small, tmp_path / "out", ["00"])


def test_a_place_that_cannot_be_written_is_said_before_a_notebook_runs(small, tmp_path):
    (tmp_path / "file").write_text("")
    own = notebook(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ReportError, match="cannot be written: Not a directory"):
        report(small, tmp_path / "file" / "out", [own])
    assert not (tmp_path / "ran").exists()


def test_a_snapshot_that_cannot_be_read_starts_no_kernel(tmp_path):
    own = notebook(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(SnapshotError):
        report(tmp_path / "missing", tmp_path / "out", [own])
    assert not (tmp_path / "ran").exists()


# -- the kernel -----------------------------------------------------------------------------------


def test_the_kernel_is_this_interpreter_whatever_kernels_are_installed(
    small, tmp_path, monkeypatch, new_kernels
):
    foreign = tmp_path / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    (foreign / "kernel.json").write_text(
        json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    own = notebook(tmp_path, "import sys; open(name, 'w').write(sys.prefix)")
    report(small, tmp_path / "out", [own], {"name": str(tmp_path / "witness")})
    assert (tmp_path / "witness").read_text() == sys.prefix


def test_the_clients_folder_and_the_users_profile_run_no_code(tmp_path, monkeypatch, new_kernels):
    """A module beside the snapshot, or a start-up file of IPython, is never imported."""
    client = tmp_path / "client"
    client.mkdir()
    for name in ("pandas.py", "ipykernel_launcher.py", "json.py"):
        (client / name).write_text("raise SystemExit('ran')")
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    own = notebook(client, "import auditlib; auditlib.open_audit(snapshot).findings")
    report(saved(worlds.empty(), client / "snapshot"), tmp_path / "out", [own])
    assert not (tmp_path / "ran").exists()


def test_a_zip_is_reported_on_too(tmp_path):
    made = saved(worlds.empty(), tmp_path / "client.zip")
    assert report(made, tmp_path / "out", ["00"]).index.is_file()


def test_accepted_risks_are_in_every_page_and_in_the_workbook_without_their_folder(tmp_path):
    import openpyxl

    snapshot = saved(worlds.exposed(), tmp_path / "client" / "snapshot")
    file = tmp_path / "secret-folder" / "accepted.yaml"
    file.parent.mkdir()
    file.write_text(
        "accepted:\n  - check: connection-logging-is-off\n    resource: '*'\n"
        "    reason: a <b>lab</b>\n    owner: Jane\n    until: 2027-03-31\n",
        "utf-8",
    )
    day = date(2027, 3, 31)
    made = report(snapshot, tmp_path / "out", accepted=file, today=day)
    texts = {p.name: text_of(p) for p in made.folder.rglob("*.*")}
    assert not [name for name, text in texts.items() if "secret-folder" in text]
    for name in ("index.html", "00-overview.html", "10-endpoint-security-groups.html"):
        assert "a &lt;b&gt;lab&lt;/b&gt;" in texts[name], name
        assert "<b>lab</b>" not in texts[name]
    book = openpyxl.load_workbook(made.folder / "findings.xlsx")
    assert "Accepted risks" in book.sheetnames
    assert json.loads(texts["findings.json"])["accepted_risks"]["day"] == "2027-03-31"


def test_a_notebook_that_cannot_take_accepted_risks_is_refused(small, tmp_path):
    own = notebook(tmp_path, "1 + 1")
    (tmp_path / "a.yaml").write_text("accepted: []\n", "utf-8")
    with pytest.raises(ParameterError, match="cannot take accepted risks into account"):
        report(small, tmp_path / "out", [own], accepted=tmp_path / "a.yaml")


def test_questions_without_an_answer_are_left_out_where_a_notebook_asks_for_it():
    from auditlib import display
    from auditlib.report import _without_empty

    def cell(kind: str):
        made = nbformat.v4.new_code_cell("x")
        data = {"text/html": kind, "text/plain": kind}
        meta = {"text/html": {display.MARK: kind}}
        made.outputs = [nbformat.v4.new_output("display_data", data, metadata=meta)]
        return made

    text = nbformat.v4.new_markdown_cell
    node = nbformat.v4.new_notebook()
    node.cells = [
        text("# Page"),
        text("## Nothing"), cell("empty"), text("**Nor here?**"), cell("empty"),
        text("## Some"), cell("html"), text("**None?**"), cell("empty"), text("**More?**"), cell("html"),
        text("## Words"),
    ]  # fmt: skip
    assert _without_empty(node) == node
    node.metadata["auditlib"] = {"drops_empty": True}
    assert [c.source for c in _without_empty(node).cells] == [
        "# Page", "## Some", "x", "**More?**", "x", "## Words",
    ]  # fmt: skip
