"""Make the committed sample report anew: ``python -m tests.sample_report`` (``make sample-report``)."""

from pathlib import Path

from auditlib.report import notebooks_of, report

FOLDER = Path(__file__).resolve().parent.parent / "reports" / "sample"
NAMES = ["index", *(notebook.name for notebook in notebooks_of(None))]
"""Its pages, without their ending."""


def main() -> None:
    """Write the report on the bundled sample snapshot into ``reports/sample``."""
    made = report(None, FOLDER)
    print(f"report: {made.index.relative_to(FOLDER.parent.parent)}")  # noqa: T201 # what it is for


if __name__ == "__main__":
    main()
