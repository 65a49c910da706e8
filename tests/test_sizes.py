"""Pages stay small: what a mail attachment takes, and a browser opens at once."""

import pytest

from auditlib.report import report
from auditlib.snapshot import save
from tests import report_worlds
from tests.sample_report import FOLDER as SAMPLE
from tests.sample_report import NAMES

ROWS = 5_000


@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_the_sample_takes_at_most_300_kilobytes(name):
    assert (SAMPLE / f"{name}.html").stat().st_size <= 300_000


def test_pages_on_5000_rows_of_evidence_take_at_most_5_megabytes(tmp_path):
    world = report_worlds.exposed()
    vpc = world.vpc("10.50.0.0/16")
    subnet, group = world.subnet(vpc, "10.50.0.0/16"), world.default_group(vpc)
    for number in range(ROWS):
        world.interface(subnet, group, name=f"host-{number}")
    save(world.snapshot(**report_worlds.MOMENT), tmp_path / "snapshot")
    made = report(tmp_path / "snapshot", tmp_path / "out", ["10"])
    found = made.audit.finding("default-sg-is-used")
    assert len(found.evidence) >= ROWS
    for page in (made.index, *made.pages):
        assert page.stat().st_size <= 5_000_000
    told = made.pages[0].read_text("utf-8")
    assert f"All {len(found.evidence):,} rows are in findings.xlsx" in " ".join(told.split())
