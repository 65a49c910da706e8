"""A folder for a client, and notebooks to work in that are never the kit's own."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from click.testing import CliRunner, Result

from auditlib.accepted import accepted_risks
from auditlib.cli import main
from auditlib.config import root_of
from auditlib.engagement import lab_command, lay_out, working_copies
from auditlib.errors import AuditError, ParameterError
from auditlib.report import notebooks

SAMPLE = Path(__file__).parent.parent / "auditlib" / "sample"
NAMES = [notebook.path.name for notebook in notebooks().values()]


def auditlib(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def parameters_of(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    (cell,) = (c for c in cells if "parameters" in c.metadata.get("tags", []))
    return str(cell.source)


def snapshot_of(path: Path) -> object:
    names: dict[str, object] = {}
    exec(parameters_of(path), names)  # noqa: S102 # a notebook of ours
    return names["snapshot"]


@pytest.mark.parametrize(
    "client", ["Example Holdings", "例示株式会社", "A: {b} & 'c' #1", "[x](javascript:1) <b>"]
)
def test_a_folder_holds_all_that_an_engagement_needs(client, tmp_path):
    folder = lay_out(client, tmp_path / "client")
    assert {p.name for p in folder.iterdir()} == {
        *("README.md", "accepted.yaml", "engagement.yaml"),
        *("notebooks", "reports", "snapshots"),
    }
    assert sorted(p.name for p in (folder / "notebooks").iterdir()) == sorted(NAMES)
    assert accepted_risks(folder / "accepted.yaml").entries == ()
    ((_, branding),) = root_of(folder / "engagement.yaml").value
    ((_, told),) = branding.value
    assert told.value == client
    heading = (folder / "README.md").read_text("utf-8").splitlines()[0]
    assert re.sub(r"\\(.)", r"\1", heading) == f"# {client}"


def test_its_commands_are_commands(tmp_path):
    text = (lay_out("a", tmp_path / "a") / "README.md").read_text("utf-8")
    used = set(re.findall(r"^auditlib ([a-z]+)", text, re.MULTILINE))
    assert used
    assert used <= set(main.commands)
    for command in used:
        options = {o for p in main.commands[command].params for o in p.opts}
        for line in re.findall(rf"^auditlib {command} .*", text, re.MULTILINE):
            assert set(re.findall(r"--[a-z-]+", line.partition("#")[0])) <= options, line


def test_the_folder_is_called_like_the_client(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert auditlib("new", "Example / Holdings").exit_code == 0
    assert (tmp_path / "example-holdings" / "accepted.yaml").is_file()


def test_what_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(ParameterError, match="there already and not empty"):
        lay_out("a", tmp_path)
    with pytest.raises(ParameterError, match="there already"):
        lay_out("a", tmp_path / "kept.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("client", ["", "  ", "a\u202eb"])
def test_a_name_that_cannot_be_seen_is_refused(client, tmp_path):
    with pytest.raises(ParameterError, match="client's name"):
        lay_out(client, tmp_path / "x")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="cannot be written"):
        lay_out("a", tmp_path / "file" / "a")
    with pytest.raises(AuditError, match="cannot be written"):
        working_copies(tmp_path / "file")


@pytest.mark.parametrize("name", ["s", 'it\'s # a "folder"', "例"])
def test_the_snapshot_is_set_in_every_copy_and_may_be_set_again(name, tmp_path):
    for snapshot in (tmp_path / "first", tmp_path / name):
        made = working_copies(tmp_path / "work", snapshot)
        assert [path.name for path in made] == NAMES
        for path in made:
            assert snapshot_of(path) == str(snapshot)


def test_a_copy_says_the_same_as_the_notebook_but_for_the_snapshot(tmp_path):
    made = working_copies(tmp_path / "work", SAMPLE)
    for copy, ours in zip(made, notebooks().values(), strict=True):
        one, other = (nbformat.read(path, as_version=4) for path in (copy, ours.path))
        for cell in other.cells:
            cell.source = re.sub(
                r'^snapshot: str = ""', f"snapshot: str = {str(SAMPLE)!r}", cell.source
            )
        assert [cell.source for cell in one.cells] == [cell.source for cell in other.cells]


def test_work_in_a_copy_is_kept(tmp_path):
    (first, *_) = working_copies(tmp_path / "work", SAMPLE)
    node = nbformat.read(first, as_version=4)
    node.cells.append(nbformat.v4.new_markdown_cell("my note"))
    nbformat.write(node, first)
    working_copies(tmp_path / "work", tmp_path / "other")
    assert nbformat.read(first, as_version=4).cells[-1].source == "my note"
    assert snapshot_of(first) == str(tmp_path / "other")


def test_the_kit_s_own_notebooks_are_never_worked_in():
    ours = next(iter(notebooks().values())).path
    before = ours.read_bytes()
    with pytest.raises(ParameterError, match="kit's own notebooks"):
        working_copies(ours.parent, SAMPLE)
    assert ours.read_bytes() == before


def test_a_copy_that_is_no_notebook_is_named(tmp_path):
    working_copies(tmp_path)
    (tmp_path / NAMES[0]).write_text("{}")
    with pytest.raises(AuditError, match=NAMES[0]):
        working_copies(tmp_path, SAMPLE)


def test_a_copy_runs_and_audits_the_snapshot_that_is_set(tmp_path):
    made = working_copies(tmp_path / "work", SAMPLE)
    (page,) = (path for path in made if path.name.startswith("70"))
    out = papermill.execute_notebook(page, tmp_path / "out.ipynb", progress_bar=False)
    assert "111122223333" in str(out.cells)


def test_lab_opens_jupyterlab_in_the_copies(tmp_path, monkeypatch):
    opened = []

    def run(command, check):
        opened.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(subprocess, "run", run)
    told = auditlib("lab", SAMPLE, "--notebooks", tmp_path / "work", "--no-browser")
    assert told.exit_code == 0, told.output
    assert opened == [
        [
            *(sys.executable, "-m", "jupyterlab"),
            f"--notebook-dir={tmp_path / 'work'}",
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--no-browser",
        ]
    ]
    assert snapshot_of(tmp_path / "work" / NAMES[0]) == str(SAMPLE)


def test_without_jupyterlab_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r"auditlib\[lab\]"):
        lab_command(tmp_path)


def test_lab_names_what_is_wrong_with_a_snapshot_before_it_opens_anything(tmp_path):
    told = auditlib("lab", tmp_path / "nothing", "--notebooks", tmp_path / "work")
    assert told.exit_code != 0
    assert not (tmp_path / "work").exists()
