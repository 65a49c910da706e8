"""What fixes of other findings end of one that has no fix: in the step, on the card, in the answer."""

import pytest

from auditlib import answers, display
from auditlib.audit import Audit
from auditlib.check import audit as findings_of
from auditlib.steps import first_steps
from tests.pages import page
from tests.worlds import World

OPEN = "sensitive-port-reachable-by-everyone"
GROUP = "authorization-allows-everyone"
MEMBERS = "vpn-sg-lets-members-in"


class Site(World):
    """A world in which every user reaches SSH, by the endpoint's group or by the receiver's own."""

    def __init__(self, *, certificates: bool = False, own_rule: bool = False) -> None:
        super().__init__()
        self.main = self.vpc()
        vpn, self.apps = (self.subnet(self.main, f"10.0.{n}.0/24") for n in (1, 2))
        kind = "certificate-authentication" if certificates else "directory-service-authentication"
        self.vpn = self.security_group(self.main, "vpn")
        endpoint = self.endpoint(self.main, (self.vpn,), name="staff", authentication=(kind,))
        self.associate(endpoint, vpn)
        self.authorize(endpoint, "10.0.0.0/16")
        receiver = self.security_group(self.main, "app") if own_rule else self.vpn
        self.ingress(receiver, self.vpn, "tcp", (22, 22))
        self.interface(self.apps, receiver, name="wiki")


def audited(world: World) -> Audit:
    """Return an audit by these checks alone, which saves the time of the others."""
    audit = Audit(world.snapshot())
    audit.__dict__["findings"] = findings_of(audit.tables, (OPEN, GROUP, MEMBERS))
    return audit


def told(world: World) -> str:
    return " ".join(audited(world).ended_by(OPEN))


def test_the_fix_that_lets_a_group_in_ends_it_in_name_and_that_is_said():
    assert told(Site(own_rule=True)) == (
        f"All of it goes with the fix of {GROUP}. That fix lets in a group that you choose, in place of "
        "everyone: its members keep this access."
    )


def test_each_fix_that_ends_it_is_named():
    said = told(Site())
    assert f"All of it goes with the fix of {GROUP}." in said
    assert f"All of it goes with the fix of {MEMBERS}." in said


def test_where_users_have_certificates_only_no_fix_puts_a_group_in_place_of_everyone():
    assert told(Site(certificates=True, own_rule=True)) == ""
    assert told(Site(certificates=True)) == f"All of it goes with the fix of {MEMBERS}."


def test_what_a_fix_leaves_open_is_not_said_to_end():
    world = Site(certificates=True)
    ssh = world.security_group(world.main, "ssh")
    world.ingress(ssh, "10.0.1.0/24", "tcp", (22, 22))
    world.interface(world.apps, world.vpn, ssh, name="both")
    assert told(world) == f"One of its 2 rows goes with the fix of {MEMBERS}."


@pytest.mark.parametrize(
    "refused", ["ec2-describe-security-group-rules", "ec2-describe-client-vpn-authorization-rules"]
)
def test_where_what_is_reached_was_not_read_nothing_is_said(refused):
    world = Site()
    world.refuse(refused)
    assert told(world) == ""


def test_where_nothing_fails_there_is_nothing_to_say():
    assert told(World()) == ""


def test_the_step_the_card_and_the_answer_say_it():
    audit = audited(Site(own_rule=True))
    said = f"All of it goes with the fix of {GROUP}."
    (step,) = (one for one in first_steps(audit, 30) if one.check_id == OPEN)
    assert said in step.why
    finding = audit.finding(OPEN)
    card = display.card(finding, proposals=display.proposals_of(audit, finding))
    assert said in page(card.markup).text
    assert any(said in text for text in answers.of_fixes(audit))
