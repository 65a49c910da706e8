"""A frame to sort and filter in JupyterLab, of which the handoff keeps a plain table only."""

import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from auditlib import display
from auditlib.grid import MOST, WIDGET, Grid, grid
from auditlib.report import report
from auditlib.snapshot import save
from tests import report_worlds as worlds

FRAME = pd.DataFrame(
    {
        "group_id": ["sg-0123456789abcdef0", "sg-2"],
        "rules": [10, 9],
        "note": [worlds.SCRIPT, "a\u202eb"],
        "open": [True, None],
    }
)


def cells_of(made: Grid) -> pd.DataFrame:
    return made.widget.df


def test_numbers_stay_numbers_and_texts_are_made_visible():
    made = grid(FRAME)
    assert isinstance(made, Grid)
    shown = cells_of(made)
    assert shown["rules"].tolist() == [10, 9]
    assert shown["note"].tolist() == [worlds.SCRIPT, "a[U+202E]b"]
    assert shown["open"].tolist() == ["yes", "–"]


def test_names_stand_before_ids():
    made = grid(FRAME, names={"sg-2": "payroll"}, columns=["group_id"])
    assert cells_of(made)["group_id"].tolist() == ["sg-0123456789abcdef0", "payroll (sg-2)"]


def test_an_index_with_a_name_is_a_column():
    assert list(cells_of(grid(FRAME.set_index("group_id")))) == list(FRAME)


def test_jupyterlab_is_given_a_widget_and_everything_else_a_table():
    data, about = grid(FRAME)._repr_mimebundle_()
    assert set(data) == {WIDGET, "text/html", "text/plain"}
    assert about["text/html"][display.MARK]
    assert "script" not in json.dumps(data[WIDGET])
    assert "<script" not in data["text/html"]


def test_no_row_is_left_out_in_silence():
    many = pd.DataFrame({"n": range(MOST + 1)})
    made = grid(many)
    assert len(cells_of(made)) == MOST
    assert made.widget.caption == f"The first {MOST} of {MOST + 1:,} rows."
    assert len(cells_of(grid(many.head(20_000)))) == 20_000
    assert grid(many.head(20_000)).widget.caption == ""


def test_without_the_widget_it_is_a_table_that_says_what_to_install(monkeypatch):
    monkeypatch.setattr("auditlib.grid.find_spec", lambda name: None)
    made = grid(FRAME)
    assert isinstance(made, display.Html)
    assert "pip install &#39;auditlib[lab]&#39;" in made.markup


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory) -> Path:
    """Return the report of a notebook that shows a grid of hostile names."""
    home = tmp_path_factory.mktemp("grid")
    save(worlds.exposed().snapshot(**worlds.MOMENT), home / "snapshot")
    source = """
    from auditlib.grid import grid
    from auditlib import open_audit
    audit = open_audit(snapshot)
    frame = audit.tables.security_groups[["group_id", "group_name"]].copy()
    frame["note"] = "<" + "script>document.title='ran'"
    grid(frame)
    """
    node = new_notebook(
        cells=[
            new_markdown_cell("# Mine\n\nMy own question."),
            new_code_cell('snapshot: str = ""', metadata={"tags": ["parameters"]}),
            new_code_cell("\n".join(line.strip() for line in source.strip().splitlines())),
        ]
    )
    nbformat.write(node, home / "90-mine.ipynb")
    return report(home / "snapshot", home / "out", [home / "90-mine.ipynb"]).folder


def test_a_grid_leaves_its_table_and_no_script_in_the_handoff(handed_over):
    html = (handed_over / "90-mine.html").read_text("utf-8")
    assert "<td" in html
    assert "&lt;script&gt;" in html
    for path in handed_over.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert path.suffix == ".xlsx" or b"<script" not in held.lower()
            assert b"jupyter.widget" not in held, path
            assert b"_esm" not in held, path


def test_the_notebook_that_is_handed_over_holds_the_table(handed_over):
    node = nbformat.read(handed_over / "notebooks" / "90-mine.ipynb", as_version=4)
    (output,) = node.cells[-1].outputs
    assert set(output["data"]) == {"text/html", "text/plain"}
    assert "widgets" not in node.metadata
