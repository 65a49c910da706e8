"""The check machinery: one function derives every status, and says it in right English."""

import pandas as pd
import pytest

from auditlib.check import (
    Check,
    Finding,
    Severity,
    Status,
    audit,
    check,
    checks,
    evidence_in,
    evidence_of,
    finding_of,
)
from auditlib.schemas import GAPS
from auditlib.snapshot import Snapshot
from auditlib.tables import Tables
from tests.worlds import REGION, World, clean, exposed


def made(**changes):
    described = {
        "id": "a-check",
        "title": "All is well",
        "severity": Severity.LOW,
        "population": "client_vpn_endpoints",
        "noun": "endpoint",
        "condition": ("leaks", "leak"),
        "rationale": "Water comes out.",
        "remedy": "Mend it.",
        "verify": "Look.",
        "reference": "https://docs.aws.amazon.com/",
        "function": lambda: None,
        "tables": (),
    }
    return Check(**(described | changes))


def gaps(*operations):
    rows = [
        {
            "table": "vpcs",
            "account": "111122223333",
            "region": REGION,
            "service": "ec2",
            "operation": operation,
            "status": "denied",
            "error_code": "UnauthorizedOperation",
        }
        for operation in operations
    ]
    return pd.DataFrame(rows, columns=list(GAPS.names))


def rows(number):
    return pd.DataFrame({"reason": ["it leaks"] * number})


@pytest.mark.parametrize(
    ("evidence", "missing", "population", "status"),
    [
        (1, 0, 2, Status.FAIL),
        (1, 1, 2, Status.FAIL),
        (1, 1, 0, Status.FAIL),
        (0, 1, 2, Status.NOT_ASSESSED),
        (0, 1, 0, Status.NOT_ASSESSED),
        (0, 0, 0, Status.NOT_APPLICABLE),
        (0, 0, 2, Status.PASS),
    ],
)
def test_the_status_follows_from_evidence_gaps_and_population(
    evidence, missing, population, status
):
    missing_calls = gaps(*["describe-vpcs"] * missing)
    found = finding_of(made(), rows(evidence), missing_calls, population, evidence)
    assert found.status is status


@pytest.mark.parametrize(
    ("population", "affected", "answer"),
    [
        (0, 0, "Not applicable: what was read holds no endpoint to judge."),
        (1, 0, "The only endpoint does not leak."),
        (1, 1, "The only endpoint leaks."),
        (2, 0, "None of the 2 endpoints leaks."),
        (2, 1, "One of the 2 endpoints leaks."),
        (2, 2, "Both endpoints leak."),
        (3, 3, "All 3 endpoints leak."),
        (1200, 0, "None of the 1,200 endpoints leaks."),
        (1200, 1100, "1,100 of the 1,200 endpoints leak."),
    ],
)
def test_the_answer_is_right_english_for_any_number(population, affected, answer):
    assert finding_of(made(), rows(affected), gaps(), population, affected).answer == answer


def test_a_condition_that_is_a_negation_has_an_opposite_of_its_own():
    check = made(condition=("lacks no leak", "lack no leak"), clear=("leaks", "leak"))
    answers = [finding_of(check, rows(0), gaps(), number, 0).answer for number in (1, 2, 5)]
    assert answers == ["The only endpoint leaks.", "Both endpoints leak.", "All 5 endpoints leak."]
    assert (
        finding_of(check, rows(1), gaps(), 5, 1).answer == "One of the 5 endpoints lacks no leak."
    )


def test_the_opposite_of_being_is_not_being():
    found = finding_of(made(condition=("is open", "are open")), rows(0), gaps(), 1, 0)
    assert found.answer == "The only endpoint is not open."


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (
            ["describe-vpcs"],
            "ec2 describe-vpcs in ap-northeast-1 (account 111122223333) was denied "
            "(UnauthorizedOperation).",
        ),
        (
            ["describe-vpcs", "describe-subnets"],
            "ec2 describe-vpcs in ap-northeast-1 (account 111122223333) was denied "
            "(UnauthorizedOperation), and one more answer is missing.",
        ),
        (
            ["describe-vpcs", "describe-subnets", "describe-network-acls"],
            "ec2 describe-vpcs in ap-northeast-1 (account 111122223333) was denied "
            "(UnauthorizedOperation), and two more answers are missing.",
        ),
    ],
)
def test_an_answer_names_what_could_not_be_read(calls, said):
    not_assessed = finding_of(made(), rows(0), gaps(*calls), 3, 0)
    partly = finding_of(made(), rows(1), gaps(*calls), 3, 1)
    assert not_assessed.answer == f"Not assessed: {said}"
    assert partly.answer == f"One of the 3 endpoints leaks. There may be more: {said}"


@pytest.mark.parametrize(
    ("population", "told"),
    [
        (0, ""),
        (1, "In the only endpoint that could be read nothing was found"),
        (3, "In the 3 endpoints that could be read nothing was found"),
    ],
)
def test_what_could_be_read_and_showed_nothing_is_told_and_is_no_pass(population, told):
    calls = gaps("describe-vpcs")
    other = finding_of(made(), rows(0), calls, population, 0)  # it may concern each of them
    found = finding_of(made(), rows(0), calls.assign(table=made().population), population, 0)
    assert found.status is other.status is Status.NOT_ASSESSED
    assert found.answer.startswith(other.answer)
    said = f"{told}; of what could not be read nothing is known." if told else ""
    assert found.answer.removeprefix(other.answer).strip() == said
    assert "could be read nothing" not in other.answer


def test_where_a_guess_was_left_out_nothing_is_said_of_what_could_be_read(monkeypatch):
    world = World()
    world.record(world.endpoint(world.vpc()))["ConnectionLogOptions"] = {"Enabled": False}
    world.at("eu-west-1").refuse("ec2-describe-client-vpn-endpoints", region="eu-west-1")
    id = "connection-logging-is-off"

    def judged() -> Finding:
        (found,) = audit(Tables(world.snapshot()), [id])
        return found

    assert judged().status is Status.FAIL
    monkeypatch.setattr("auditlib.check._without_guesses", lambda evidence, _: evidence.head(0))
    found = judged()
    assert found.status is Status.NOT_ASSESSED
    assert "nothing was found" not in found.answer


def test_a_call_that_feeds_several_tables_is_counted_once():
    found = finding_of(made(), rows(0), gaps("describe-vpcs", "describe-vpcs"), 1, 0)
    assert "more answer" not in found.answer


def test_an_answer_says_what_was_left_out():
    found = finding_of(made(), rows(0), gaps(), 2, 0, left_out="One is elsewhere.")
    assert found.answer == "None of the 2 endpoints leaks. One is elsewhere."


def test_two_checks_cannot_have_one_id():
    taken = checks()[0].id
    with pytest.raises(ValueError, match=taken):
        check(
            id=taken,
            title="",
            severity=Severity.LOW,
            population="vpcs",
            noun="",
            condition=("", ""),
            rationale="",
            remedy="",
            verify="",
            reference="",
        )(lambda: None)


def test_the_most_severe_check_comes_first():
    severities = [c.severity.rank for c in checks()]
    assert severities == sorted(severities, reverse=True)


def test_only_the_checks_asked_for_are_run():
    tables = Tables(clean().snapshot())
    assert [f.check.id for f in audit(tables, only=["vpn-sg-is-default"])] == ["vpn-sg-is-default"]


@pytest.fixture
def judged_by(monkeypatch):
    """Run one check of the test's own on a world."""

    def finding(function, world, **changes):
        own = made(function=function, tables=(), **changes)
        monkeypatch.setattr("auditlib.check.checks", lambda: (own,))
        return audit(Tables(world.snapshot()))[0]

    return finding


def test_evidence_about_something_that_is_not_judged_is_a_bug(judged_by):
    def stranger(judged):
        place = {"account": "111122223333", "region": REGION}
        return evidence_of("account region endpoint_id reason", [place | {"endpoint_id": "x"}])

    with pytest.raises(ValueError, match="a-check has evidence about what it does not judge"):
        judged_by(stranger, clean())


def test_the_worst_evidence_comes_first_and_rank_is_not_kept(judged_by):
    def ranked(judged):
        (one, two) = judged.itertuples(index=False)
        place = {"account": one.account, "region": one.region}
        return evidence_of(
            "account region endpoint_id reason",
            [
                place | {"endpoint_id": one.endpoint_id, "reason": "mild", "rank": 1},
                place | {"endpoint_id": two.endpoint_id, "reason": "bad", "rank": 0},
            ],
        )

    found = judged_by(ranked, exposed())
    assert found.evidence["reason"].tolist() == ["bad", "mild"]
    assert "rank" not in found.evidence


def test_evidence_without_ranks_is_in_the_order_of_its_keys(judged_by):
    def unranked(judged):
        return judged[["account", "region", "endpoint_id"]].assign(reason="so")[::-1]

    found = judged_by(unranked, exposed())
    assert found.evidence["endpoint_id"].is_monotonic_increasing


def test_a_refused_call_where_there_is_nothing_to_judge_says_nothing():
    world = clean().at("eu-west-1").refuse("ec2-describe-network-interfaces", region="eu-west-1")
    found = audit(Tables(world.snapshot()), only=["vpn-sg-is-shared"])[0]
    assert found.status is Status.PASS


def test_a_refused_call_where_nobody_could_see_what_to_judge_counts():
    world = clean().at("eu-west-1")
    world.refuse("ec2-describe-client-vpn-endpoints", region="eu-west-1")
    found = audit(Tables(world.snapshot()), only=["connection-logging-is-off"])[0]
    assert found.status is Status.NOT_ASSESSED
    assert set(found.gaps["region"]) == {"eu-west-1"}


def test_a_refused_call_of_another_account_of_the_region_counts():
    found = audit(two_accounts(), only=["vpn-sg-is-shared"])[0]
    assert found.status is Status.NOT_ASSESSED
    assert set(found.gaps["account"]) == {"444455556666"}


def two_accounts():
    here = clean().snapshot()
    there = World("444455556666").refuse("ec2-describe-network-interfaces").snapshot()
    documents = {
        (c.account, c.region, f"{c.service}-{c.operation}", c.resource): s.document(c)
        for s in (here, there)
        for c in s.calls
        if c.status == "ok" and c.file
    }
    refused = [c for s in (here, there) for c in s.calls if c.status != "ok" or not c.file]
    return Tables(Snapshot.from_documents(documents, refused, botocore_version="1.44.5"))


def test_an_empty_snapshot_is_not_assessed_by_any_check():
    found = audit(Tables(Snapshot.from_documents({}, [])))
    assert {f.status for f in found} == {Status.NOT_ASSESSED}


def test_an_account_with_nothing_in_it_is_not_applicable():
    found = audit(Tables(World().snapshot()))
    assert {f.status for f in found} == {Status.NOT_APPLICABLE}
    assert all(f.population == 0 for f in found)


def test_a_finding_shows_itself_in_a_few_lines_that_drive_no_terminal():
    evidence = pd.DataFrame({"reason": [f"row {i}\x1b[31m\nforged" for i in range(7)]})
    shown = repr(finding_of(made(), evidence, gaps("describe-vpcs"), 9, 7))
    first, answer, *rows, more, unread, advice = (line.strip() for line in shown.splitlines())
    assert first == "fail low a-check"
    assert answer.startswith("7 of the 9 endpoints leak.")
    assert rows == [f"- row {i}[U+001B][31m forged" for i in range(5)]
    assert more == "- … and two more rows, see .evidence"
    assert unread == "one gap, see .gaps"
    assert ".remedy" in advice


def test_a_finding_that_passes_shows_its_answer_only():
    shown = repr(finding_of(made(), pd.DataFrame({"reason": []}), gaps(), 9, 0))
    assert shown.splitlines() == ["pass low a-check", "    None of the 9 endpoints leaks."]


def test_what_somebody_accepted_is_told_beside_the_evidence():
    waived = pd.DataFrame({"reason": ["x"], "accepted_until": ["2027-03-31"]})
    shown = repr(finding_of(made(), pd.DataFrame({"reason": []}), gaps(), 9, 1, accepted=waived))
    assert "one accepted row, see .accepted" in shown


@pytest.mark.parametrize("refused", ["", "ec2-describe-security-group-rules"])
@pytest.mark.parametrize("id", ["vpn-sg-limits-outbound", "authorized-but-unreachable"])
def test_evidence_asked_for_alone_is_what_the_finding_shows(id, refused):
    world = exposed()
    if refused:
        world.refuse(refused)
    tables = Tables(world.snapshot())
    (check,) = (check for check in checks() if check.id == id)
    (found,) = audit(tables, only=[id])
    alone = evidence_in(check, tables)
    assert sorted(alone["reason"]) == sorted(found.evidence["reason"])
    assert refused or len(alone)


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        (["x"], "Ask: --client-vpn-endpoint-id cvpn-endpoint-0 --region x shows it."),
        (
            ["x", "x"],
            "Ask: --client-vpn-endpoint-id <endpoint id> --region x shows it. Ask this in x for "
            "cvpn-endpoint-0 and cvpn-endpoint-1.",
        ),
        (
            ["x", "y"],
            "Ask: --client-vpn-endpoint-id <endpoint id> shows it. Ask this in x for cvpn-endpoint-0. Ask "
            "this in y for cvpn-endpoint-1.",
        ),
        (["x"] * 7, "Ask: --client-vpn-endpoint-id <endpoint id> --region x shows it."),
        ([], "Ask: --client-vpn-endpoint-id <endpoint id> shows it."),
    ],
)
def test_how_to_verify_names_the_endpoints_where_they_are_few(regions, expected):
    asks = made(verify="Ask: --client-vpn-endpoint-id <endpoint id> shows it.")
    rows = [
        {"endpoint_id": f"cvpn-endpoint-{at}", "region": region, "reason": "x"}
        for at, region in enumerate(regions)
    ]
    evidence = pd.DataFrame(rows, columns=["endpoint_id", "region", "reason"])
    assert finding_of(asks, evidence, gaps(), 9, len(rows)).verify == expected
