"""All that was found at one endpoint, together."""

import pytest

from auditlib import display, endpoints
from auditlib.audit import Audit
from auditlib.check import Status
from tests import report_worlds as worlds
from tests.pages import page
from tests.worlds import World, revocation_list


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


def test_nothing_found_and_nothing_there_are_said():
    assert "No endpoint was seen." in display.stories(Audit(worlds.empty().snapshot())).markup
    names = Audit(worlds.refused().snapshot())
    lacking = [story for story in endpoints.stories(names) if story.lacking]
    assert lacking
    assert "lacked an answer about it" in display.stories(names).markup
