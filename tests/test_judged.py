"""What tests remember of an account they judged is what judging it says."""

from collections.abc import Sequence
from datetime import date

import pandas as pd
import pytest

from auditlib.accepted import AcceptedRisk, AcceptedRisks
from auditlib.check import Finding, audit
from auditlib.language import spoken
from auditlib.tables import Tables
from tests import report_worlds
from tests.judged import Judged

UNTIL = date(2027, 3, 31)
RISKS = AcceptedRisks(
    entries=tuple(
        AcceptedRisk(check=check, resource=resource, reason="so", owner="Jane", until=UNTIL)
        for check, resource in (
            ("connection-logging-is-off", "*"),
            ("vpn-sg-is-shared", "eni-00000000000000003"),
            ("vpn-sg-is-shared", "gone"),
        )
    ),
    day=date(2026, 11, 24),
)


def same(one: Sequence[Finding], other: Sequence[Finding]) -> None:
    for left, right in zip(one, other, strict=True):
        assert (left.check, left.status, left.answer, left.population) == (
            (right.check, right.status, right.answer, right.population)
        )
        for name in ("evidence", "gaps", "accepted"):
            pd.testing.assert_frame_equal(getattr(left, name), getattr(right, name))


@pytest.mark.parametrize("accept", [None, RISKS], ids=["none accepted", "some accepted"])
def test_what_is_remembered_is_what_judging_says(accept):
    snapshot = report_worlds.exposed().snapshot()
    remembering = Judged()
    remembering(Tables(snapshot))
    same(remembering(Tables(snapshot), accept=accept), audit(Tables(snapshot), accept=accept))


def test_what_is_written_into_it_stays_with_who_wrote_it():
    remembering = Judged()
    tables = Tables(report_worlds.exposed().snapshot())
    whole = audit(tables)
    for one in remembering(tables):
        for frame in (one.evidence, one.gaps, one.accepted):
            frame["spoilt"] = 1
            if len(frame):
                frame.loc[0, "region"] = frame.loc[0, "account"]
                del frame["account"]
    same(remembering(tables), whole)


def test_another_account_or_language_or_answer_is_judged_anew():
    remembering = Judged()
    one = remembering(Tables(report_worlds.exposed().snapshot()))
    for world in (report_worlds.refused(), report_worlds.exposed().refuse("ec2-describe-subnets")):
        tables = Tables(world.snapshot())
        same(remembering(tables), audit(tables))
    tables = Tables(report_worlds.exposed().snapshot())
    same(remembering(tables), one)
    with spoken("ja"):
        same(remembering(tables), audit(tables))
        assert remembering(tables)[0].answer != one[0].answer
