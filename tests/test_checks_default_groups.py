"""The VPCs' default groups: world in, ids out."""

import pytest

from auditlib.check import Status
from tests.worlds import World, column, finding


@pytest.fixture
def world():
    return World()


@pytest.fixture
def vpc(world):
    return world.vpc(name="main")


@pytest.fixture
def default(world, vpc):
    return world.default_group(vpc)


def test_each_rule_of_a_default_group_is_shown_inbound_first(world, default):
    found = finding(world, "default-sg-has-rules")
    assert len(found.evidence) == 2
    assert found.evidence["group_id"].tolist() == [default, default]
    inbound, outbound = found.evidence["reason"]
    assert inbound.endswith("(main)) admits all traffic from its own members.")
    assert outbound.endswith("lets out all traffic to anywhere (0.0.0.0/0).")


def test_one_rule_left_is_enough(world, vpc, default):
    world.revoke(default)
    rule = world.egress(default, "10.0.0.0/8", "tcp", (443, 443))
    assert column(finding(world, "default-sg-has-rules"), "rule_id") == {rule}


def test_an_emptied_default_group_passes(world, default):
    world.revoke(default)
    assert finding(world, "default-sg-has-rules").status is Status.PASS


def test_the_default_group_of_an_unused_vpc_has_rules_but_is_not_used(world, default):
    assert finding(world, "default-sg-has-rules").status is Status.FAIL
    assert finding(world, "default-sg-is-used").status is Status.PASS
    assert (
        "Prowler by default does not"
        in finding(world, "default-sg-has-rules").check.false_alarms[0]
    )


def test_a_group_that_is_only_called_like_a_default_one_is_not_judged(world, vpc, default):
    world.revoke(default)
    world.security_group(vpc, "Default")
    found = finding(world, "default-sg-has-rules")
    assert (found.status, found.population) == (Status.PASS, 1)


def test_it_says_whose_rating_is_whose(world, default):
    ratings = finding(world, "default-sg-has-rules").check.ratings
    assert ratings["Security Hub EC2.2"] == "High"
    assert ratings["CIS AWS Foundations"] == "Level 2"


def test_the_control_keeps_the_number_of_each_version(world, default):
    controls = finding(world, "default-sg-has-rules").check.controls
    assert controls["CIS AWS Foundations v1.2"] == ("4.3",)
    assert controls["CIS AWS Foundations v3.0"] == ("5.4",)
    assert controls["CIS AWS Foundations v7.0"] == ("6.5",)


def test_interfaces_on_a_default_group_are_use(world, vpc, default):
    subnet = world.subnet(vpc, "10.0.1.0/24")
    eni = world.interface(subnet, default, name="forgotten")
    found = finding(world, "default-sg-is-used")
    assert column(found, "group_id", "eni_id") == {(default, eni)}
    assert "(forgotten, 10.0.1.11) carries" in found.evidence["reason"][0]


def test_rules_of_other_groups_are_use_and_the_groups_own_are_not(world, vpc, default):
    group = world.security_group(vpc, "app")
    inbound = world.ingress(group, default, "tcp", (22, 22))
    outbound = world.egress(group, default)
    found = finding(world, "default-sg-is-used")
    assert column(found, "rule_id") == {inbound, outbound}
    texts = " ".join(found.evidence["reason"])
    assert f"{group} (app) admits TCP 22 from {default} (default)" in texts
    assert f"{group} (app) lets out all traffic to {default} (default)" in texts


def test_groups_are_counted_and_not_their_rows(world, vpc, default):
    world.vpc("10.1.0.0/16")
    subnet = world.subnet(vpc, "10.0.1.0/24")
    for _ in "abc":
        world.interface(subnet, default)
    assert (
        finding(world, "default-sg-is-used").answer
        == "One of the 2 default security groups is used."
    )
