"""What to do first, where endpoints need different things."""

import pytest

from auditlib import summary
from auditlib.audit import Audit
from auditlib.steps import Step, first_steps
from tests import report_worlds as worlds
from tests.worlds import World, revocation_list


def audited(world: World) -> Audit:
    return Audit(world.snapshot(**worlds.MOMENT))


def steps_of(world: World, check_id: str) -> list[Step]:
    return [step for step in first_steps(audited(world), 40) if step.check_id == check_id]


# -- an outage --------------------------------------------------------------------------------

ENDED = "revocation-list-has-expired"


def down(*sessions: str, name: str | None = "contractors") -> tuple[World, str]:
    """Return a world with an endpoint whose list ended on 1 November, with sessions that began then."""
    world = World()
    vpc = world.vpc()
    endpoint = world.endpoint(vpc, name=name, authentication=("certificate-authentication",))
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    world.revocation_list(endpoint, revocation_list(days=-1))
    for began in sessions:
        world.connection(endpoint, ConnectionEstablishedTime=began, Status={"Code": "active"})
    return world, endpoint


def test_an_outage_is_said_before_anything_else_with_since_when_and_by_whose_word():
    world, _ = down("2026-10-31 14:40:00")
    told = summary.verdict(audited(world))
    assert told[0].startswith(
        "Nobody can connect to contractors since 2026-11-01 01:00 UTC, 19 days before"
    )
    assert "AWS says that a revocation list which has ended refuses everybody." in told[0]
    assert "It was not tried. One session that began before was still live." in told[0]
    assert "endpoint" in told[1]


@pytest.mark.parametrize(
    ("sessions", "refused", "said"),
    [
        ((), False, "No session was live when it was read: it ends none."),
        (("2026-10-31 14:40:00",), False, "It ends one live session, and nobody else can connect"),
        ((), True, "Nobody else can connect: it ends no sessions but those that began before."),
    ],
)
def test_restoring_says_whose_sessions_it_ends(sessions, refused, said):
    world, _ = down(*sessions)
    if refused:
        world.refuse("ec2-describe-client-vpn-connections")
    (step,) = steps_of(world, ENDED)
    assert first_steps(audited(world))[0] == step
    assert step.what == "Restore contractors."
    assert step.how.startswith("Replace the revocation list.")
    assert step.ends == "Nobody can connect since 2026-11-01 01:00 UTC."
    assert step.sessions.startswith(said)
    assert "plan a window" not in step.sessions


def test_restoring_tells_what_the_endpoint_would_have_then():
    world, endpoint = down(name=None)
    world.record(endpoint)["ConnectionLogOptions"] = {"Enabled": False}
    world.authorize(endpoint, "10.0.0.0/16")
    (step,) = steps_of(world, ENDED)
    assert step.what == f"Restore {endpoint}."
    assert "Before that, switch on its connection log: no session ends by it." in step.how
    assert "then let every user into 10.0.0.0/16 again." in step.how


def test_where_a_session_began_after_the_list_ended_no_outage_is_claimed():
    world, _ = down("2026-11-01 14:40:00")
    assert "Nobody can connect" not in " ".join(summary.verdict(audited(world)))
    (step,) = steps_of(world, ENDED)
    assert step.what == "Replace the revocation list."
    assert step.sessions == "One live session may end: plan a window."


def test_a_server_certificate_that_has_ended_stops_everybody_and_a_revoked_one_is_not_said_to():
    for status, end, stops in (
        ("EXPIRED", "2026-10-30T01:00:00+00:00", True),
        ("REVOKED", "2027-03-01T00:00:00+00:00", False),
    ):
        world = World()
        endpoint = world.endpoint(world.vpc(), name="staff")
        world.certificate(endpoint, NotAfter=end, Status=status)
        said = summary.verdict(audited(world))[0]
        assert said.startswith("Nobody can connect to staff since") == stops
        assert ("clients refuse a server certificate that has ended" in said) == stops
