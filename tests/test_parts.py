"""Working with an audit: each part of the report as a frame, completion, and docstrings that help."""

import inspect

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from auditlib import display, open_audit, summary
from auditlib.audit import Audit
from auditlib.check import checks
from auditlib.parts import Parts
from auditlib.schemas import SCHEMAS
from tests import report_worlds
from tests.worlds import World

PARTS = sorted(name for name, part in vars(Parts).items() if isinstance(part, property))

FRAMES = {
    "accepted": "accepted",
    "cards": "evidence",
    "controls": "controls",
    "coverage": "not_read",
    "findings": "findings",
    "first_steps": "first_steps",
    "stories": "at_endpoints",
    "fixes": "fixes",
    "verdict": "findings",
}
"""Where the frame is of what a display function shows of an audit alone."""


@pytest.fixture(scope="module")
def audit() -> Audit:
    return Audit(report_worlds.exposed().snapshot(**report_worlds.MOMENT))


@pytest.fixture(scope="module")
def nothing() -> Audit:
    return Audit(World().snapshot())


def completed(shell: InteractiveShell, text: str) -> set[str]:
    with provisionalcompleter():
        found = shell.Completer.completions(text, len(text))
        return {one.text.strip("\"'") for one in found}


@pytest.fixture(scope="module")
def shell(audit) -> InteractiveShell:
    made = InteractiveShell.instance()
    made.push({"audit": audit})
    return made


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_a_frame_that_has_its_columns_when_it_is_empty(audit, nothing, part):
    full, empty = (getattr(one.frames, part) for one in (audit, nothing))
    assert isinstance(full, pd.DataFrame)
    assert set(empty.columns) <= set(full.columns)
    assert len(empty.columns)


def test_what_a_report_shows_of_an_audit_is_there_as_a_frame():
    shown = {
        name
        for name in display.__all__
        if inspect.isfunction(getattr(display, name))
        and list(inspect.signature(getattr(display, name)).parameters)[:1] == ["audit"]
        and "rows" not in inspect.signature(getattr(display, name)).parameters
    }
    # These show what is asked of them, which is a frame of its own (see the module).
    shown -= {"explain", "init_notebook", "preview_access", "proposals_of"}
    assert shown == set(FRAMES)
    assert set(FRAMES.values()) <= set(PARTS)


def test_the_frames_agree_with_the_findings(audit):
    frames = audit.frames
    assert dict(zip(frames.findings["check"], frames.findings["status"], strict=True)) == {
        found.check.id: summary.outcome(found) for found in audit.findings
    }
    counted = frames.evidence["check"].value_counts().to_dict()
    assert counted == {f.check.id: len(f.evidence) for f in audit.findings if len(f.evidence)}
    failing = {found.check.id for found in audit.findings if found.status.value == "fail"}
    assert failing <= set(frames.first_steps["check_id"])


def test_the_frame_of_first_steps_says_who_by_when_and_every_call_of_a_part():
    frame = open_audit().frames.first_steps
    assert frame["who"].all()
    assert frame["by_when"].all()
    first = frame.iloc[0]
    assert (first["who"], first["by_when"]) == (
        "the network administrators and the identity administrators",
        "today",
    )
    assert "(1) Save who is connected" in first["how"]
    assert "aws ec2 import-client-vpn-client-certificate-revocation-list" in first["how"]


def test_the_list_of_frames_says_what_each_holds(audit):
    told = repr(audit.frames).splitlines()
    assert len(told) == len(PARTS)
    assert all(len(line.split(maxsplit=1)) == 2 for line in told)


def test_a_finding_is_asked_for_by_its_id_and_ids_are_completed(audit, shell):
    assert audit["vpn-sg-is-shared"] is audit.finding("vpn-sg-is-shared")
    assert completed(shell, "audit['vpn-sg-is-") >= {
        made.id for made in checks() if made.id.startswith("vpn-sg-is-")
    }


def test_tables_and_parts_are_completed(shell):
    wanted = {name for name in SCHEMAS if name.startswith("security_group")}
    assert wanted <= completed(shell, "audit.tables['security_group")
    assert {
        one.rpartition(".")[2] for one in completed(shell, "audit.tables.security_group")
    } >= wanted
    assert {one.rpartition(".")[2] for one in completed(shell, "audit.frames.")} >= set(PARTS)


@pytest.mark.parametrize("name", sorted(name for name in vars(Audit) if not name.startswith("_")))
def test_the_help_of_an_audit_s_parts_names_where_to_go_on(name):
    told = inspect.getdoc(inspect.getattr_static(Audit, name))
    assert told
    assert "audit." in told or "``." in told or "audit[" in told or ":meth:" in told, told
