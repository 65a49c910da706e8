"""The notebooks in a real JupyterLab: a working copy of each, Run All, no error, the same verdicts."""

import json
import re
from importlib.util import find_spec

import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from auditlib import snapshot as snapshots
from auditlib.characters import visible
from auditlib.cli import main
from auditlib.engagement import working_copies
from auditlib.report import KERNELSPEC, notebooks
from tests import report_worlds as worlds
from tests.browser.chromium import chromium
from tests.browser.lab import HOST, Lab, server
from tests.corpus import CORPUS

pytestmark = [
    # It belongs to the tools of development: where those are, it must run.
    pytest.mark.skipif(find_spec("jupyterlab") is None, reason="jupyterlab is not installed"),
]
HOSTILE = ", ".join(
    f".jp-OutputArea {theirs}"
    for theirs in (
        "script:not([type])", "[onerror]", "[onload]", "iframe", "svg[onload]", ".MathJax", "mjx-container",
        "a[href^='javascript:']", "a[href^='data:']", "img[src='x']",
    )
)  # fmt: skip
SHOWN = "[...document.querySelectorAll('.jp-OutputArea .audit')].map(e => e.textContent).join(' ')"
CARD = re.compile(r'<article class="card (\w+) \w+" id="([a-z-]+)"')


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a snapshot with hostile names, and working copies set to it."""
    home = tmp_path_factory.mktemp("engagement")
    world = worlds.exposed()
    vpc = world.vpc("10.8.0.0/16", name=worlds.IMAGE)
    subnet = world.subnet(vpc, "10.8.1.0/24", name=worlds.OVERRIDE)
    endpoint = world.endpoint(vpc, name=worlds.SCRIPT, client_cidr="172.22.0.0/22")
    world.record(endpoint)["Description"] = worlds.SCRIPT
    world.associate(endpoint, subnet)
    world.authorize(endpoint, "0.0.0.0/0", description=worlds.IMAGE)
    for text in worlds.HOSTILE:
        world.interface(subnet, world.default_group(vpc), name=text, description=text)
    snapshots.save(world.snapshot(**worlds.MOMENT), home / "snapshot")
    working_copies(home / "notebooks", home / "snapshot")
    return home


@pytest.fixture(scope="module")
def lab(place, tmp_path_factory):
    with (
        server(place / "notebooks", tmp_path_factory.mktemp("home")) as address,
        chromium(reached=HOST) as browser,
    ):
        yield Lab(browser, address)


@pytest.fixture(scope="module")
def verdicts(place):
    """Return what ``check`` says, by check."""
    done = CliRunner().invoke(main, ["check", str(place / "snapshot"), "--format", "json"])
    return {one["check"]: one["status"] for one in json.loads(done.stdout)["findings"]}


def html_of(node: dict) -> str:
    outputs = [o for cell in node["cells"] for o in cell.get("outputs", ())]
    return "".join("".join(o.get("data", {}).get("text/html", "")) for o in outputs)


def test_every_working_copy_runs_whole_and_together_they_say_what_check_says(lab, verdicts):
    told: dict[str, str] = {}
    shown = ""
    for name in notebooks():
        node = lab.run_all(f"{name}.ipynb")
        assert "failed" not in node, (name, node)
        code = [cell for cell in node["cells"] if cell["cell_type"] == "code"]
        assert all(cell["execution_count"] for cell in code), name
        wrong = [o for cell in code for o in cell["outputs"] if o["output_type"] == "error"]
        assert wrong == [], name
        cards = {id: status for status, id in CARD.findall(html_of(node))}
        assert cards == {id: verdicts[id] for id in cards}, name
        told |= cards
        # Every output is in the page, not only those in view: what is looked for could be in each.
        drawn = sum(any("text/html" in o.get("data", ()) for o in c["outputs"]) for c in code)
        lab.until(f"document.querySelectorAll('.jp-OutputArea .mathjax_ignore').length >= {drawn}")
        shown += lab.page.value(SHOWN)
        assert lab.page.value(f"document.querySelectorAll({HOSTILE!r}).length") == 0, name
        assert lab.page.value("document.title") != "ran", name
        assert lab.page.value("document.querySelectorAll('.jp-OutputArea .audit').length"), name
        lab.close()
    assert told == verdicts
    folded = " ".join(shown.split())
    for kind, text in CORPUS.items():
        assert " ".join(visible(text).split()) in folded, kind


def written(place, name: str, source: str, *markdown: str) -> str:
    cells = [new_code_cell(source), *map(new_markdown_cell, markdown)]
    node = new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC})
    (place / "notebooks" / name).write_text(json.dumps(node), "utf-8")
    return name


def test_a_mistake_is_a_short_card(lab, place):
    source = "from auditlib import open_audit\nopen_audit('nowhere')"
    (cell,) = lab.run_all(written(place, "mistake.ipynb", source))["cells"]
    assert [o["ename"] for o in cell["outputs"]] == ["SnapshotError"]
    shown = lab.page.value("document.querySelector('.jp-OutputArea-output').innerText")
    assert shown.startswith("The snapshot cannot be used (SnapshotError)")
    assert "nowhere" in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) <= 4
    lab.close()


TABLE = """
import pandas as pd
from auditlib import display as show
from auditlib import open_audit
show.init_notebook(open_audit())
pd.DataFrame({"name": [%r, "$x$ and $$y$$"]})
"""


def test_no_name_is_set_as_a_formula(lab, place):
    source = (TABLE % CORPUS["MathJax"]).strip()
    cell, _ = lab.run_all(written(place, "formula.ipynb", source, "$a^2$"))["cells"]
    assert [o["output_type"] for o in cell["outputs"]] == ["execute_result"]
    lab.until("document.querySelector('.jp-OutputArea .audit table')")
    # The consultant's own formula is set: the typesetter is there, and had its turn.
    lab.until("document.querySelector('.jp-MarkdownOutput mjx-container')")
    assert lab.page.value("document.querySelectorAll('.jp-OutputArea mjx-container').length") == 0
    assert "$x$ and $$y$$" in lab.page.value(
        "document.querySelector('.jp-OutputArea .audit table').innerText"
    )
    lab.close()


GRID = """
import pandas as pd
from auditlib.grid import grid
grid(pd.DataFrame({"group": ["b", "c", "a<img src=x onerror='document.title=1'>"], "rules": [10, 9, 100]}))
"""
ROWS = """
[...document.querySelectorAll('.dt-container tbody tr')].map(
  row => [...row.querySelectorAll('td')].map(cell => cell.textContent.trim()))
"""
HEAD = "document.querySelectorAll('.dt-container thead tr:first-child th')[1]"


def test_a_grid_sorts_numbers_filters_and_shows_text_as_text(lab, place):
    lab.run_all(written(place, "grid.ipynb", GRID.strip()))
    lab.until("document.querySelectorAll('.dt-container tbody tr').length === 3")
    lab.page.value(f"({HEAD}.querySelector('.dt-column-order') || {HEAD}).click()")
    lab.until(f"({ROWS})[0][1] === '9'")
    assert [row[1] for row in lab.page.value(ROWS)] == ["9", "10", "100"]
    assert lab.page.value(ROWS)[2][0].startswith("a<img src=x")
    assert lab.page.value("document.querySelectorAll('.dt-container [onerror]').length") == 0
    lab.page.value(
        "{const box = document.querySelector('.dt-search input');"
        "box.value = '100'; box.dispatchEvent(new Event('input', {bubbles: true}));"
        "box.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}))}"
    )
    lab.until(f"({ROWS}).length === 1")
    assert lab.page.requests
    assert all(HOST in url or url.startswith(("data:", "blob:")) for url in lab.page.requests)
    lab.close()
