"""The catalogue of checks, as a document and in the terminal."""

from pathlib import Path

import pytest

from auditlib.catalogue import check_called, checks_page, explanation, reads_of_check
from auditlib.changes.fixes import FIXES
from auditlib.check import checks
from auditlib.errors import ParameterError

PAGE = Path(__file__).resolve().parent.parent / "docs" / "checks.md"


def test_the_page_is_current():
    assert PAGE.read_text("utf-8") == checks_page(), "run: make docs"


@pytest.mark.parametrize("made", checks(), ids=lambda made: made.id)
def test_each_check_is_explained_with_all_a_reader_needs(made):
    text = "\n".join(explanation(made))
    for said in (made.title, made.rationale, made.remedy, made.verify, made.reference):
        assert " ".join(said.split()) in text
    for alarm in made.false_alarms:
        assert " ".join(alarm.split()) in text
    for framework, ids in made.controls.items():
        assert f"{framework}: {', '.join(ids)}" in text
    assert all(name in text for name in (made.population, *made.tables, *made.wording))
    assert (f"--fix {made.id}" in text) == (made.id in FIXES)
    assert made.id in FIXES or made.decision in text
    (section,) = checks_page().partition(f"\n## {made.id}\n")[2].split("\n## ")[:1]
    for said in (made.title, made.rationale, made.remedy, made.verify, *made.false_alarms):
        assert " ".join(said.split()).replace("<", "\\<") in section


@pytest.mark.parametrize("made", checks(), ids=lambda made: made.id)
def test_each_check_names_the_calls_it_rests_on(made):
    reads = reads_of_check(made)
    assert reads
    text = "\n".join(explanation(made))
    assert all(read.iam_action in text and read.operation in text for read in reads)


@pytest.mark.parametrize("id", ["vpn-sg-is-defalt", "VPN-SG-IS-DEFAULT", "is-default"])
def test_a_mistyped_id_gets_the_nearest(id):
    with pytest.raises(ParameterError, match="Did you mean vpn-sg-is-default"):
        check_called(id)


def test_an_id_like_none_gets_the_way_to_the_list():
    with pytest.raises(ParameterError, match=f"lists all {len(checks())}"):
        check_called("nonsense")
