"""Working for a client: a folder with all that an engagement needs, and notebooks to work in.

The notebooks of the kit are never worked in: what is worked in are copies, with the snapshot set.
"""

import ast
import re
import shutil
import sys
from pathlib import Path

from auditlib.characters import visible
from auditlib.errors import AuditError, ParameterError
from auditlib.language import current, marked, tr

__all__ = ["lab_command", "lay_out", "working_copies"]

CONFIG = marked(
    "# Whose report it is, and for whom: auditlib report … --config engagement.yaml\n"
    "branding:\n  client: {client}\n#  consultant: Example Security KK\n#  contact: "
    "audit@example.com\n#  logo: logo.png\n"
)

ACCEPTED = marked(
    "# Risks that somebody answers for until a day: auditlib accept … --file accepted.yaml "
    "adds one.\naccepted: []\n"
)

README = marked(
    "# {client}\n\nWhat is in this folder belongs to the client: a snapshot and a report hold "
    "names and addresses.\n\n| | |\n|---|---|\n| `engagement.yaml` | whose report it is, and for "
    "whom |\n| `accepted.yaml` | risks that somebody answers for until a day |\n| `snapshots/` "
    "| AWS's answers, a folder per reading |\n| `notebooks/` | copies to work in: yours to "
    "change |\n| `reports/` | what is handed over |\n\n```sh\nauditlib permissions --region "
    "eu-west-1                      # may these credentials read it all?\nauditlib collect "
    "--out snapshots/first --region eu-west-1    # or --script, for the client to run\n"
    "auditlib check snapshots/first --accepted accepted.yaml\nauditlib lab "
    "snapshots/first                                 # the notebooks, with the snapshot set\n"
    "auditlib report snapshots/first --config engagement.yaml --accepted accepted.yaml --out "
    "reports/first\n```\n"
)


def lay_out(client: str, out: Path | None = None) -> Path:
    """Make the folder of an engagement and return it.

    Parameters
    ----------
    client
        The client's name, as it stands on the report.
    out
        The folder; one called like the client, in the working directory, when not given.

    Raises
    ------
    ParameterError
        When the name is empty or the folder holds something already.
    AuditError
        When it cannot be written.
    """
    import yaml

    name = " ".join(client.split())
    if not name or visible(name) != name:
        raise ParameterError(tr("A client's name is text that can be seen, and not empty."))
    folder = out or Path(re.sub(r"[^\w.-]+", "-", name.casefold()).strip("-.") or "client")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ParameterError(
            tr("{folder} is there already and not empty; give another with --out.", folder=folder)
        )
    quoted = yaml.safe_dump(name, allow_unicode=True, width=10_000).removesuffix("...\n").strip()
    try:
        for inside in ("snapshots", "reports", "notebooks"):
            (folder / inside).mkdir(parents=True, exist_ok=True)
        for file, text in (
            ("engagement.yaml", tr(CONFIG, client=quoted)),
            ("accepted.yaml", tr(ACCEPTED)),
            ("README.md", tr(README, client=re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", name))),
        ):
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise AuditError(
            tr("{folder} cannot be written: {why}.", folder=folder, why=error.strerror or error)
        ) from error
    working_copies(folder / "notebooks")
    return folder


def working_copies(folder: Path, snapshot: Path | None = None) -> tuple[Path, ...]:
    """Put copies of the kit's notebooks into a folder, and set the snapshot in all of them.

    A notebook that is there already is kept with all that was worked in it; only the snapshot it
    names is set.

    Raises
    ------
    ParameterError
        When the folder is the one with the kit's own notebooks.
    AuditError
        When a file cannot be read or written.
    """
    import nbformat

    from auditlib.report import notebooks

    shipped, made = notebooks().values(), []
    if any(folder.resolve() == notebook.path.parent for notebook in shipped):
        raise ParameterError(
            tr("{folder} holds the kit's own notebooks; name another folder.", folder=folder)
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for notebook in shipped:
            copy = folder / notebook.path.name
            if not copy.exists():
                if current() == "en":
                    shutil.copyfile(notebook.path, copy)
                else:
                    nbformat.write(notebook.node, copy)  # type: ignore[no-untyped-call]
            if snapshot is not None:
                _set_snapshot(copy, snapshot.resolve())
            made.append(copy)
    except OSError as error:
        raise AuditError(
            tr("{folder} cannot be written: {why}.", folder=folder, why=error.strerror or error)
        ) from error
    return tuple(made)


_ASSIGNED = re.compile(r"^(snapshot\s*(?::\s*str)?\s*=\s*)(.*?)(\s*#.*)?$")


def _set_snapshot(path: Path, snapshot: Path) -> None:
    """Set the snapshot in the parameters cell of a notebook."""
    import nbformat

    from auditlib.report import Notebook

    node = Notebook(path=path).node
    for cell in node.cells:
        if "parameters" in cell.metadata.get("tags", []):
            lines = cell.source.split("\n")
            cell.source = "\n".join(
                _ASSIGNED.sub(lambda found: f"{found[1]}{str(snapshot)!r}{found[3] or ''}", line)
                for line in lines
            )
            ast.parse(cell.source)
    nbformat.write(node, path)  # type: ignore[no-untyped-call]


def lab_command(folder: Path, *, browser: bool = True) -> list[str]:
    """Return the command that opens JupyterLab in a folder.

    Raises
    ------
    ParameterError
        When JupyterLab is not installed; says how to install it.
    """
    from importlib.util import find_spec

    if find_spec("jupyterlab") is None:
        raise ParameterError(
            tr(
                "JupyterLab is not installed here: pip install 'auditlib[lab]' brings it. The copies are "
                "in {folder}; any other Jupyter opens them too.",
                folder=folder,
            )
        )
    quiet = () if browser else ("--no-browser",)
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--notebook-dir={folder.resolve()}",
        # No news is fetched, whatever is answered to JupyterLab's question, and no newer version
        # looked for: nothing is asked of the network during an audit but AWS.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *quiet,
    ]
