"""All that was found at one endpoint, together."""

import pytest

from auditlib import display, endpoints
from auditlib.audit import Audit
from auditlib.check import Status
from tests import report_worlds as worlds
from tests.pages import page
from tests.worlds import REGION, World, revocation_list


@pytest.fixture(scope="module")
def exposed() -> Audit:
    return Audit(worlds.exposed().snapshot(**worlds.MOMENT))


def test_every_failing_check_stands_at_every_endpoint_its_evidence_names(exposed):
    told = {
        (story.endpoint_id, fault.check_id)
        for story in endpoints.stories(exposed)
        for fault in story.faults
    }
    expected = set()
    for finding in exposed.findings:
        if finding.status is Status.FAIL:
            named = (
                finding.evidence["endpoint_id"].fillna(endpoints.NO_ENDPOINT)
                if "endpoint_id" in finding.evidence
                else [endpoints.NO_ENDPOINT] * len(finding.evidence)
            )
            expected |= {(id, finding.check.id) for id in named}
    assert told == expected != set()


def test_all_evidence_is_counted_once(exposed):
    rows = sum(fault.rows for s in endpoints.stories(exposed) for fault in s.faults)
    assert rows == sum(len(f.evidence) for f in exposed.findings if f.status is Status.FAIL)


def test_a_phrase_has_the_endpoint_or_its_policy_as_its_subject(exposed):
    by_id = {finding.check.id: finding.check for finding in exposed.findings}
    seen = set()
    for story in endpoints.stories(exposed):
        for fault in story.faults:
            check = by_id[fault.check_id]
            seen.add(check.population)
            if check.population == "client_vpn_endpoints":
                assert fault.phrase == check.condition[0]
            elif check.population == "client_vpn_authorization_policies":
                assert fault.phrase == f"its {check.noun} {check.condition[0]}"
            else:
                assert not fault.phrase.endswith(".")
    assert len(seen) >= 2


def test_what_is_counted_at_a_region_is_counted_there():
    world = World()
    for region, number in ((REGION, 3), ("us-east-1", 1)):
        world.at(region)
        for n in range(number):
            vpc = world.vpc(f"10.{n}.0.0/16")
            if n == 2:
                world.revoke(world.default_group(vpc))
    told = {
        story.region: fault.phrase
        for story in endpoints.stories(Audit(world.snapshot()))
        for fault in story.faults
        if fault.check_id == "default-sg-has-rules"
    }
    assert told == {
        REGION: "two default security groups have rules",
        "us-east-1": "one default security group has rules",
    }


def test_a_group_without_an_endpoint_in_its_evidence_is_told_with_who_carries_it(exposed):
    used = [
        fault.kinds
        for story in endpoints.stories(exposed)
        for fault in story.faults
        if fault.check_id == "default-sg-is-used"
    ]
    assert used == ["also on legacy"]


def test_the_worst_endpoint_and_the_worst_fault_come_first(exposed):
    told = endpoints.stories(exposed)
    assert [story.endpoint_id for story in told] == list(
        endpoints.by_endpoint(exposed)["endpoint_id"]
    )
    for story in told:
        ranks = [fault.severity.rank for fault in story.faults]
        assert ranks == sorted(ranks, reverse=True)
        assert [f for kind in story.by_severity.values() for f in kind] == list(story.faults)


def test_a_list_that_has_ended_bears_on_all_else_at_its_endpoint_alone():
    world = World()
    vpc = world.vpc()
    ended, fine = (
        world.endpoint(vpc, name=name, authentication=("certificate-authentication",))
        for name in ("ended", "fine")
    )
    world.revocation_list(ended, revocation_list(days=-1))
    world.revocation_list(fine, revocation_list(days=90))
    audit = Audit(world.snapshot())
    assert set(endpoints.bearings(audit)) == {ended}
    assert "nobody can connect" in endpoints.bearings(audit)[ended][0]
    shown = page(display.stories(audit).markup).words
    assert shown.count("nobody can connect") == 1
    soon = audit["revocation-list-expires-soon"]
    assert soon.status is Status.PASS
    assert (
        "One endpoint has a worse finding of this kind: revocation-list-has-expired." in soon.answer
    )
    assert "worse finding" not in audit["server-certificate-expires-soon"].answer


def _of_ended_list(hours: int | None = 24, *, refused: bool = False, **sessions: str) -> str:
    """Return what is said of an endpoint whose list ended on 1 November, with these sessions."""
    world = World()
    vpc = world.vpc()
    endpoint = world.endpoint(vpc, authentication=("certificate-authentication",))
    world.record(endpoint)["SessionTimeoutHours"] = hours
    world.revocation_list(endpoint, revocation_list(days=-1))
    for status, began in sessions.items():
        world.connection(
            endpoint, ConnectionEstablishedTime=began, Status={"Code": status.replace("_", "-")}
        )
    if refused:
        world.refuse("ec2-describe-client-vpn-connections")
    return endpoints.bearings(Audit(world.snapshot()))[endpoint][0]


def test_sessions_that_began_before_the_list_ended_are_said_to_go_on():
    one = _of_ended_list(active="2026-10-31 14:40:00", terminated="2026-10-31 10:00:00")
    assert "here on 2026-11-01 01:00 UTC: no new session begins" in one
    assert "One session that began before was still live" in one
    assert "it began at 2026-10-31 14:40 UTC and may last until 2026-11-01 14:40 UTC." in one
    two = _of_ended_list(active="2026-10-31 14:40:00", failed_to_terminate="2026-10-31 10:00:00")
    assert "Two sessions that began before were still live" in two
    assert "the oldest began at 2026-10-31 10:00 UTC, and the newest may last until" in two
    untold = _of_ended_list(None, active="2026-10-31 14:40:00")
    assert "it began at 2026-10-31 14:40 UTC." in untold
    assert "may last" not in untold


def test_where_no_session_is_seen_it_is_said_whether_there_is_none():
    assert "No session was live when the account was read." in _of_ended_list()
    refused = _of_ended_list(refused=True)
    assert "was not seen: its connections were not read" in refused
    assert "No session was live" not in refused


def test_a_session_that_began_after_the_list_ended_contradicts_aws():
    told = _of_ended_list(active="2026-11-01 14:40:00")
    assert "One session listed as live did not begin before that" in told
    assert "that began before" not in told


def test_nothing_found_and_nothing_there_are_said():
    assert "No endpoint was seen." in display.stories(Audit(worlds.empty().snapshot())).markup
    names = Audit(worlds.refused().snapshot())
    lacking = [story for story in endpoints.stories(names) if story.lacking]
    assert lacking
    assert "lacked an answer about it" in display.stories(names).markup
