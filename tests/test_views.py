"""Views: which interfaces and security groups are an endpoint's, in every situation AWS makes."""

import inspect
from typing import Any

import pandas as pd
import pytest

from auditlib.schemas import SCHEMAS, Column, Schema
from auditlib.tables import Tables
from auditlib.views import VIEWS, view
from tests.worlds import ANYWHERE, World

TEXT = "ClientVPN Endpoint resource"


def office() -> tuple[World, str, str, str]:
    """Return a world with a VPC, a subnet and a security group for the VPN."""
    world = World()
    vpc = world.vpc("10.0.0.0/16")
    return world, vpc, world.subnet(vpc, "10.0.0.0/24"), world.security_group(vpc, "vpn")


def interfaces(world: World) -> list[tuple[str, str, str, bool]]:
    frame = Tables(world.snapshot()).endpoint_network_interfaces
    return sorted(
        zip(
            frame["endpoint_id"], frame["eni_id"], frame["joined_by"], frame["certain"], strict=True
        )
    )


def groups(world: World, endpoint: str | None = None) -> dict[str | None, dict[str, Any]]:
    """Return the rows of an endpoint's groups, by group id."""
    frame = Tables(world.snapshot()).endpoint_security_groups
    if endpoint:
        frame = frame[frame["endpoint_id"] == endpoint]
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return {row["group_id"]: row for row in rows}


def counts(row: dict[str, Any]) -> tuple[int, int, int, int]:
    return (
        row["on_target_networks"],
        row["target_networks"],
        row["on_interfaces"],
        row["interfaces"],
    )


def bare(world: World, id: str) -> None:
    """Take the endpoint's id out of an interface's description."""
    world.record(id)["Description"] = TEXT


# -- the registry ---------------------------------------------------------------------------------


def test_every_view_has_a_function_whose_parameters_are_its_inputs() -> None:
    inputs = {name: schema.inputs for name, schema in SCHEMAS.items() if schema.inputs}
    for name, function in VIEWS.items():
        parameters = tuple(inspect.signature(function).parameters)
        assert parameters in {inputs[name], ("tables",)}
    assert set(inputs) == set(VIEWS)


def test_another_module_adds_a_view_as_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    column = Column(name="number", kind="int", description="how many")
    monkeypatch.setitem(
        SCHEMAS,
        "inbound_counts",
        Schema(
            table="inbound_counts",
            row="a count",
            key=(),
            columns=(column,),
            inputs=("ingress_rules",),
        ),
    )
    monkeypatch.setitem(VIEWS, "inbound_counts", None)

    @view
    def inbound_counts(ingress_rules: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"number": [len(ingress_rules)]})

    world, *_ = office()
    tables = Tables(world.refuse("ec2-describe-security-group-rules").snapshot())
    assert tables.inbound_counts["number"].tolist() == [0]
    assert tables.gaps("inbound_counts")["table"].tolist() == ["security_group_rules"]


# -- rules ----------------------------------------------------------------------------------------


def test_rules_are_split_by_direction_with_all_their_columns() -> None:
    world, _, _, group = office()
    inbound = world.ingress(group, ANYWHERE, "6", (22, 22))
    tables = Tables(world.snapshot())
    assert inbound in tables.ingress_rules["rule_id"].tolist()
    assert inbound not in tables.egress_rules["rule_id"].tolist()
    both = len(tables.ingress_rules) + len(tables.egress_rules)
    assert both == len(tables.security_group_rules)


# -- interfaces -----------------------------------------------------------------------------------


def test_an_interface_that_names_its_endpoint_is_its_for_certain() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,))
    eni = world.associate(endpoint, subnet)
    world.interface(subnet, group, description="a server")
    assert interfaces(world) == [(endpoint, eni, "description", True)]


def test_several_interfaces_in_one_subnet_are_all_found() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,))
    first = world.associate(endpoint, subnet)
    second = world.interface(subnet, group, description=f"{TEXT} {endpoint}")
    third = world.interface(subnet, group, description=TEXT)
    assert interfaces(world) == [
        (endpoint, first, "description", True),
        (endpoint, second, "description", True),
        (endpoint, third, "subnet", True),
    ]
    assert counts(groups(world)[group]) == (1, 1, 3, 3)


def test_an_interface_that_names_no_endpoint_belongs_to_the_one_of_its_subnet() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,))
    eni = world.associate(endpoint, subnet, named=False)
    world.interface(world.subnet(vpc, "10.0.9.0/24"), group, description=TEXT)
    assert interfaces(world) == [(endpoint, eni, "subnet", True)]


def test_two_endpoints_in_one_subnet_are_told_apart_by_their_groups_though_not_for_certain() -> (
    None
):
    world, vpc, subnet, group = office()
    other_group = world.security_group(vpc)
    one, two = world.endpoint(vpc, (group,)), world.endpoint(vpc, (other_group,))
    enis = [world.associate(endpoint, subnet, named=False) for endpoint in (one, two)]
    assert interfaces(world) == [
        (one, enis[0], "subnet", False),
        (two, enis[1], "subnet", False),
    ]
    assert list(groups(world, one)) == [group]
    assert groups(world, one)[group]["effective"]


def test_two_endpoints_with_one_group_share_what_cannot_be_told_apart() -> None:
    world, vpc, subnet, group = office()
    one, two = world.endpoint(vpc, (group,)), world.endpoint(vpc, (group,))
    enis = [world.associate(endpoint, subnet, named=False) for endpoint in (one, two)]
    assert interfaces(world) == sorted((e, i, "subnet", False) for e in (one, two) for i in enis)


def test_an_exact_set_of_groups_tells_better_than_a_common_group() -> None:
    world, vpc, subnet, group = office()
    extra = world.security_group(vpc)
    one, two = world.endpoint(vpc, (group, extra)), world.endpoint(vpc, (group,))
    enis = [world.associate(endpoint, subnet, named=False) for endpoint in (one, two)]
    assert interfaces(world) == [(one, enis[0], "subnet", False), (two, enis[1], "subnet", False)]
    assert extra not in groups(world, two)


def test_an_endpoint_left_without_interface_may_own_any_that_names_none() -> None:
    """Its own interface may still carry the groups of before: that must not be overlooked."""
    world, vpc, subnet, group = office()
    default = world.default_group(vpc)
    lagging, plain = world.endpoint(vpc, (group,)), world.endpoint(vpc, (default,))
    enis = [world.associate(endpoint, subnet, named=False) for endpoint in (lagging, plain)]
    world.record(enis[0])["Groups"] = [{"GroupId": default, "GroupName": "default"}]
    assert {(endpoint, eni) for endpoint, eni, _, _ in interfaces(world)} == {
        (endpoint, eni) for endpoint in (lagging, plain) for eni in enis
    }
    rows = groups(world, lagging)
    assert rows[default]["effective"]
    assert rows[group]["effective"]


def test_a_named_interface_leaves_the_unnamed_one_to_the_other_endpoint() -> None:
    world, vpc, subnet, group = office()
    other_group = world.security_group(vpc)
    one, two = world.endpoint(vpc, (group,)), world.endpoint(vpc, (other_group,))
    named = world.associate(one, subnet)
    unnamed = world.associate(two, subnet, named=False)
    assert interfaces(world) == [
        (one, named, "description", True),
        (two, unnamed, "subnet", False),
    ]


def test_an_interface_with_foreign_groups_is_still_the_one_endpoints_of_its_subnet() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,))
    own = world.associate(endpoint, subnet, named=False)
    stray = world.security_group(vpc)
    other = world.interface(subnet, stray, description=TEXT)
    assert interfaces(world) == [(endpoint, own, "subnet", True), (endpoint, other, "subnet", True)]
    assert groups(world)[stray]["effective"]


def test_an_interface_of_an_endpoint_that_was_not_read_is_nobody_elses() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,))
    eni = world.associate(endpoint, subnet)
    world.interface(subnet, group, description=f"{TEXT} cvpn-endpoint-0abcdef")
    assert interfaces(world) == [(endpoint, eni, "description", True)]


def test_a_transit_gateway_endpoint_has_no_interfaces_and_no_groups() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(
        TransitGatewayConfiguration={"TransitGatewayId": "tgw-1"}, SecurityGroupIds=[group]
    )
    world.interface(subnet, group, description=f"{TEXT} {endpoint}")
    assert interfaces(world) == []
    assert groups(world) == {}
    assert vpc


def test_regions_are_kept_apart() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,))
    world.associate(endpoint, subnet)
    world.at("eu-west-1")
    elsewhere = world.vpc("10.5.0.0/16")
    there = world.subnet(elsewhere, "10.5.0.0/24")
    world.interface(there, world.default_group(elsewhere), description=f"{TEXT} {endpoint}")
    assert len(interfaces(world)) == 1


# -- groups ---------------------------------------------------------------------------------------


def test_a_group_in_all_three_places_is_effective() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,), name="staff")
    world.associate(endpoint, subnet)
    (row,) = groups(world).values()
    assert counts(row) == (1, 1, 1, 1)
    assert (row["configured"], row["by_omission"], row["effective"]) == (True, False, True)
    assert (row["endpoint_name"], row["group_name"], row["is_default"]) == ("staff", "vpn", False)


def test_a_named_default_group_is_told_from_one_by_omission() -> None:
    world, vpc, subnet, _ = office()
    default = world.default_group(vpc)
    named, omitted = world.endpoint(vpc, (default,)), world.endpoint(vpc)
    for endpoint in (named, omitted):
        world.associate(endpoint, subnet)
    assert groups(world, named)[default]["configured"]
    assert not groups(world, named)[default]["by_omission"]
    row = groups(world, omitted)[default]
    assert (row["configured"], row["by_omission"], row["effective"]) == (False, True, True)
    assert row["is_default"] is True
    assert counts(row) == (1, 1, 1, 1)


def test_an_endpoint_without_association_shows_what_it_will_be_given() -> None:
    world, vpc, _, group = office()
    default = world.default_group(vpc)
    named, omitted, nowhere = world.endpoint(vpc, (group,)), world.endpoint(vpc), world.endpoint()
    assert counts(groups(world, named)[group]) == (0, 0, 0, 0)
    assert groups(world, named)[group]["effective"]
    assert groups(world, omitted)[default]["by_omission"]
    assert groups(world, omitted)[default]["effective"]
    assert groups(world, nowhere) == {}


def test_a_default_group_nobody_could_read_is_still_the_default() -> None:
    world, vpc, _, _ = office()
    world.endpoint(vpc)
    world.refuse("ec2-describe-security-groups")
    (row,) = groups(world).values()
    assert row["group_id"] is None
    assert row["is_default"] is True
    assert row["effective"]


def test_a_group_whose_record_was_not_read_is_default_by_the_name_its_interface_gives() -> None:
    world, vpc, subnet, group = office()
    default = world.default_group(vpc)
    world.associate(world.endpoint(vpc, (default,)), subnet)
    world.associate(world.endpoint(vpc, (group,)), subnet)
    world.refuse("ec2-describe-security-groups")
    rows = groups(world)
    assert rows[default]["is_default"] is True
    assert rows[group]["is_default"] is False


def test_whether_a_group_is_default_is_unknown_where_nothing_tells() -> None:
    world, vpc, _, group = office()
    world.endpoint(vpc, (group,))
    world.refuse("ec2-describe-security-groups")
    assert groups(world)[group]["is_default"] is None


def test_what_the_interface_carries_is_in_force_until_a_change_reaches_it() -> None:
    world, vpc, subnet, group = office()
    old = world.security_group(vpc, "old")
    endpoint = world.endpoint(vpc, (old,))
    world.associate(endpoint, subnet)
    world.record(endpoint)["SecurityGroupIds"] = [group]
    rows = groups(world)
    assert (rows[group]["configured"], rows[group]["effective"]) == (True, False)
    assert (rows[old]["configured"], rows[old]["effective"]) == (False, True)
    assert counts(rows[old]) == (1, 1, 1, 1)
    assert counts(rows[group]) == (0, 1, 0, 1)


def test_an_interface_tells_more_than_its_association() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,))
    eni = world.associate(endpoint, subnet)
    stray = world.security_group(vpc, "stray")
    world.record(eni)["Groups"] = [{"GroupId": stray, "GroupName": "stray"}]
    rows = groups(world)
    assert rows[stray]["effective"]
    assert not rows[group]["effective"]


def test_an_association_speaks_where_no_interface_is_seen() -> None:
    world, vpc, subnet, group = office()
    other = world.subnet(vpc, "10.0.1.0/24")
    late = world.security_group(vpc, "late")
    endpoint = world.endpoint(vpc, (group,))
    world.associate(endpoint, subnet)
    world.associate(endpoint, other, interface=False)
    for id, record in world._by_id.items():
        if id.startswith("cvpn-assoc-") and record["TargetNetworkId"] == other:
            record["SecurityGroups"] = [late]
    rows = groups(world)
    assert rows[late]["effective"]
    assert rows[group]["effective"]
    assert counts(rows[late]) == (1, 2, 0, 1)


def test_a_default_group_that_was_replaced_no_longer_counts() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,))
    world.associate(endpoint, subnet)
    world.record(endpoint)["SecurityGroupIds"] = []
    assert list(groups(world)) == [group]
    assert not groups(world)[group]["by_omission"]


def test_an_association_that_names_no_group_carries_the_default_one() -> None:
    world, vpc, subnet, _ = office()
    endpoint = world.endpoint(vpc)
    world.associate(endpoint, subnet, interface=False)
    association = next(r for id, r in world._by_id.items() if id.startswith("cvpn-assoc-"))
    association["SecurityGroups"] = []
    row = groups(world)[world.default_group(vpc)]
    assert row["effective"]
    assert row["by_omission"]


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        ("associated", 1),
        ("associating", 1),
        ("disassociating", 1),
        ("levitating", 1),
        ("association-failed", 0),
        ("disassociated", 0),
    ],
)
def test_associations_that_failed_or_ended_are_not_counted(status: str, counted: int) -> None:
    world, vpc, subnet, group = office()
    world.associate(world.endpoint(vpc, (group,)), subnet, status=status, interface=False)
    assert groups(world)[group]["target_networks"] == counted


@pytest.mark.parametrize(("status", "listed"), [("deleting", 1), ("deleted", 0), ("pending", 1)])
def test_a_deleted_endpoint_has_nothing_a_deleting_one_still_has(status: str, listed: int) -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,))
    world.associate(endpoint, subnet)
    world.record(endpoint)["Status"] = {"Code": status}
    assert len(groups(world)) == listed
    assert len(interfaces(world)) == listed


def test_an_endpoint_that_names_no_vpc_stands_in_that_of_its_associations() -> None:
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(None, (group,))
    world.associate(endpoint, subnet)
    del world.record(endpoint)["VpcId"]
    assert groups(world)[group]["vpc_id"] == vpc
    assert groups(world)[group]["effective"]


def test_a_pair_of_groups_is_two_rows() -> None:
    world, vpc, subnet, group = office()
    second = world.security_group(vpc)
    world.associate(world.endpoint(vpc, (group, second)), subnet)
    assert set(groups(world)) == {group, second}


def test_interfaces_that_could_not_be_read_leave_the_associations_in_force() -> None:
    world, vpc, subnet, group = office()
    world.associate(world.endpoint(vpc, (group,)), subnet)
    world.refuse("ec2-describe-network-interfaces")
    row = groups(world)[group]
    assert row["effective"]
    assert counts(row) == (1, 1, 0, 0)
    assert not Tables(world.snapshot()).gaps("endpoint_security_groups").empty


@pytest.mark.parametrize(
    "more", [{"Attachment": {"InstanceId": "i-0000000000000000a"}}, {"type": "lambda"}]
)
@pytest.mark.parametrize("named", [True, False])
def test_a_text_that_anyone_can_write_makes_no_client_vpn_interface(more, named):
    world, vpc, subnet, group = office()
    endpoint = world.endpoint(vpc, (group,))
    own = world.associate(endpoint, subnet)
    world.interface(subnet, group, description=f"{TEXT} {endpoint if named else ''}", **more)
    assert interfaces(world) == [(endpoint, own, "description", True)]


def test_an_interface_that_shows_no_group_does_not_unsay_what_was_applied():
    world, vpc, subnet, group = office()
    eni = world.associate(world.endpoint(vpc, (group,)), subnet)
    world.record(eni)["Groups"] = []
    assert groups(world)[group]["effective"]
