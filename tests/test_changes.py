"""Changes: what AWS would refuse, what the tables look like after, how to undo, how they are written."""

from dataclasses import replace
from random import Random

import pandas as pd
import pytest
from hypothesis import given

from auditlib.changes import (
    CHANGES,
    AddAuthorizationRule,
    ApplySecurityGroups,
    AuthorizeRule,
    CreateRoute,
    CreateSecurityGroup,
    DeleteRoute,
    DeleteSecurityGroup,
    ModifyLogging,
    RemoveAuthorizationRule,
    RevokeRule,
    SetInterfaceGroups,
)
from auditlib.errors import ParameterError
from auditlib.frames import frame_of_rows
from auditlib.quotas import AUTHORIZATION_RULES, ROUTES, RULES
from auditlib.schemas import SCHEMAS
from auditlib.tables import Tables
from tests.test_access_property import GROUPS, TRAFFIC, V4, random_world, randoms, worlds
from tests.worlds import ACCOUNT, REGION, World

PLACE = {"account": ACCOUNT, "region": REGION}
BASES = [name for name, schema in SCHEMAS.items() if not schema.inputs]
ENDPOINT = "cvpn-endpoint-00000000000000001"


class Small(World):
    """An endpoint with a group, an application that admits it, and a group beside."""

    def __init__(self) -> None:
        super().__init__()
        self.main = self.vpc()
        self.vpn = self.subnet(self.main, "10.0.1.0/24")
        self.clients = self.security_group(self.main, "vpn")
        self.app = self.security_group(self.main, "app")
        self.rule = self.ingress(self.app, self.clients, "tcp", (443, 443), "web")
        self.endpoint(self.main, (self.clients,))
        self.associate(ENDPOINT, self.vpn)
        self.authorize(ENDPOINT, "10.0.0.0/16", "staff")
        self.eni = self.interface(self.subnet(self.main, "10.0.2.0/24"), self.app)


@pytest.fixture
def world() -> Small:
    return Small()


def tables_of(world: World) -> Tables:
    return Tables(world.snapshot())


def contents(tables: Tables) -> dict[str, set[tuple]]:
    """Return what the tables hold; ids of rules and files left out."""
    return {
        name: {
            tuple(map(_plain, row))
            for row in tables[name]
            .drop(columns=["source", "record", "rule_id"], errors="ignore")
            .astype(object)
            .itertuples(index=False, name=None)
        }
        for name in BASES
    }


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(sorted(map(str, value)))
    return "" if value is None or value is pd.NA or value != value else value  # noqa: PLR0124 # only NaN differs from itself


def refusal(change, tables: Tables) -> str:
    with pytest.raises(ParameterError) as told:
        change.apply(tables)
    return str(told.value)


def test_a_rule_that_is_there_already_is_refused(world):
    same = AuthorizeRule(
        **PLACE, group_id=world.app, protocol="tcp", from_port=443, to_port=443, peer=world.clients
    )
    assert f"{world.rule} says the same" in refusal(same, tables_of(world))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"peer": "sg-0000000000000ffff"}, "there is no sg-0000000000000ffff"),
        ({"peer_kind": "ipv4", "peer": "10.0.0.1/24"}, "host bits"),
        ({"peer_kind": "ipv4", "peer": "::/0"}, "is not ipv4"),
        ({"peer_kind": "ipv6", "peer": "::/0", "protocol": "tcp"}, "needs ports"),
        ({"peer_kind": "ipv4", "peer": "10.0.0.0/8", "from_port": 1, "to_port": 2}, "no ports"),
        ({"peer_kind": "ipv4", "peer": "10.0.0.0/8", "protocol": "icmp"}, "type and a code"),
        ({"peer_kind": "ipv4", "peer": "10.0.0.0/8", "protocol": "300"}, "is no protocol"),
        ({"peer_kind": "ipv4", "peer": "10.0.0.0/8", "description": "a\nb"}, "description"),
        ({"peer_kind": "prefix_list", "peer": "pl-1"}, "there is no pl-1"),
        ({"peer_kind": "moon", "peer": "x"}, "no kind of peer"),
    ],
)
def test_a_rule_that_aws_does_not_take_is_refused_with_the_reason(world, fields, why):
    assert why in refusal(AuthorizeRule(**PLACE, group_id=world.app, **fields), tables_of(world))


def test_a_group_of_another_vpc_can_be_named_only_across_an_active_peering(world):
    other = world.vpc("10.9.0.0/16")
    far = world.security_group(other, "far")
    change = AuthorizeRule(**PLACE, group_id=far, peer=world.clients)
    assert "neither the same nor an active peer" in refusal(change, tables_of(world))
    world.peering(world.main, other)
    assert not change.problems(tables_of(world))


def test_the_sixty_first_rule_is_refused_unless_there_are_more_already(world):
    for number in range(59):
        world.ingress(world.app, f"10.0.{number}.0/24", "tcp", (80, 80))
    change = AuthorizeRule(**PLACE, group_id=world.app, peer=world.clients)
    said = "it would be 61, and AWS's usual quota is 60"
    assert said in refusal(change, tables_of(world))
    world.ingress(world.app, "10.1.0.0/24", "tcp", (80, 80))
    assert not change.problems(tables_of(world))


def with_quota(tables: Tables, code: str, value: int) -> Tables:
    row = {"account": "111122223333", "region": REGION, "quota_code": code, "value": value}
    return tables.replace(service_quotas=frame_of_rows(SCHEMAS["service_quotas"], [row]))


def test_a_quota_that_was_read_counts_in_place_of_the_usual_one(world):
    change = AuthorizeRule(**PLACE, group_id=world.app, peer=world.clients)
    tables = tables_of(world)
    held = int(tables["security_group_rules"].eval(f"group_id == '{world.app}' & ~is_egress").sum())
    assert not change.problems(with_quota(tables, RULES.code, held + 1))
    (why,) = change.problems(with_quota(tables, RULES.code, held))
    assert why == (f"{RULES.name}: it would be {held + 1}, and the quota applied here is {held}")
    # More in use than the quota has: no further one.
    assert change.problems(with_quota(tables, RULES.code, held - 1))


def test_a_prefix_list_counts_for_as_many_rules_as_it_may_hold(world):
    made = world.prefix_list("203.0.113.0/24")
    world.record(made)["MaxEntries"] = 61
    world.egress(world.clients, made)  # so that its entries were read
    change = AuthorizeRule(**PLACE, group_id=world.app, peer_kind="prefix_list", peer=made)
    (why,) = change.problems(tables_of(world))
    assert why.startswith(RULES.name)


def test_authorization_rules_and_routes_have_their_quotas_too(world):
    tables = tables_of(world)
    rule = AddAuthorizationRule(**PLACE, endpoint_id=ENDPOINT, destination_cidr="198.51.100.0/24")
    subnet = tables["client_vpn_target_networks"]["subnet_id"].iloc[0]
    route = CreateRoute(
        **PLACE, endpoint_id=ENDPOINT, destination_cidr="198.51.100.0/24", target_subnet=subnet
    )
    for change, quota, table in (
        (rule, AUTHORIZATION_RULES, "client_vpn_authorization_rules"),
        (route, ROUTES, "client_vpn_routes"),
    ):
        held = tables[table].eval(f"endpoint_id == '{ENDPOINT}'")
        if change is route:
            held &= tables[table]["target_subnet"] == subnet
        assert not change.problems(with_quota(tables, quota.code, int(held.sum()) + 1))
        (why,) = change.problems(with_quota(tables, quota.code, int(held.sum())))
        assert why.startswith(quota.name)


def test_six_groups_on_an_endpoint_are_refused_and_none_too(world):
    six = tuple(world.security_group(world.main) for _ in range(6))
    given = {**PLACE, "endpoint_id": ENDPOINT, "vpc_id": world.main}
    assert "at most 5" in refusal(ApplySecurityGroups(**given, group_ids=six), tables_of(world))
    assert "at least one" in refusal(ApplySecurityGroups(**given, group_ids=()), tables_of(world))
    assert not ApplySecurityGroups(**given, group_ids=six[:5]).problems(tables_of(world))


def test_a_group_of_another_vpc_cannot_be_applied(world):
    far = world.security_group(world.vpc("10.9.0.0/16"), "far")
    given = {**PLACE, "endpoint_id": ENDPOINT, "vpc_id": world.main}
    change = ApplySecurityGroups(**given, group_ids=(far,))
    assert f"{far} is not in {world.main}" in refusal(change, tables_of(world))


def test_applying_groups_replaces_all_on_associations_interfaces_and_settings(world):
    new = CreateSecurityGroup(**PLACE, vpc_id=world.main, group_name="vpn-new")
    made = new.apply(tables_of(world))
    after = ApplySecurityGroups(
        **PLACE, endpoint_id=ENDPOINT, vpc_id=world.main, group_ids=(new.group_id,)
    ).apply(made)
    (row,) = after["endpoint_security_groups"].itertuples()
    assert row.group_id == "sg-new-vpn-new"
    assert (row.configured, row.on_target_networks, row.on_interfaces) == (True, 1, 1)
    assert set(made["egress_rules"].query("group_id == 'sg-new-vpn-new'")["peer"]) == {"0.0.0.0/0"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (CreateSecurityGroup(**PLACE, vpc_id="vpc-9", group_name="x"), "no vpc-9"),
        (AddAuthorizationRule(**PLACE, endpoint_id="cvpn-9", destination_cidr="10.0.0.0/8"), "no cvpn-9"),
        (AddAuthorizationRule(**PLACE, endpoint_id=ENDPOINT, destination_cidr="10.0.0.1/8"), "host bits"),
        (AddAuthorizationRule(**PLACE, endpoint_id=ENDPOINT, destination_cidr="10.0.0.0/16", group_id="staff"), "already"),
        (RemoveAuthorizationRule(**PLACE, endpoint_id=ENDPOINT, destination_cidr="10.0.0.0/16"), "no such rule"),
        (CreateRoute(**PLACE, endpoint_id=ENDPOINT, destination_cidr="10.9.0.0/16", target_subnet="subnet-9"), "not associated"),
        (DeleteRoute(**PLACE, endpoint_id=ENDPOINT, destination_cidr="10.9.0.0/16", target_subnet="local"), "no such route"),
        (ModifyLogging(**PLACE, endpoint_id=ENDPOINT, enabled=True), "log group"),
        (RevokeRule(**PLACE, group_id="sg-9", rule_id="sgr-9"), "has no inbound rule"),
        (DeleteSecurityGroup(**PLACE, group_id="sg-9"), "no sg-9"),
        (SetInterfaceGroups(**PLACE, eni_id="eni-9", group_ids=("sg-9",)), "no eni-9"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)  # fmt: skip
def test_what_is_not_there_or_not_allowed_is_refused(world, change, why):
    assert why in refusal(change, tables_of(world))


def test_a_change_in_a_place_that_was_not_read_is_refused(world):
    change = ModifyLogging(account=ACCOUNT, region="us-west-2", endpoint_id=ENDPOINT, enabled=False)
    assert "was not read in us-west-2" in refusal(change, tables_of(world))


def test_the_route_of_an_association_cannot_be_deleted(world):
    change = DeleteRoute(
        **PLACE, endpoint_id=ENDPOINT, destination_cidr="10.0.0.0/16", target_subnet=world.vpn
    )
    assert "only that can remove it" in refusal(change, tables_of(world))


def test_the_default_group_and_a_group_in_use_cannot_be_deleted(world):
    default = DeleteSecurityGroup(**PLACE, group_id=world.default_group(world.main))
    assert "cannot be deleted" in refusal(default, tables_of(world))
    used = DeleteSecurityGroup(**PLACE, group_id=world.clients)
    assert f"{world.rule} still name it" in refusal(used, tables_of(world))


def test_sessions_end_for_authorization_rules_and_routes_and_for_nothing_else():
    ends = {kind for kind, made in CHANGES.items() if made.resets_sessions}
    assert ends == {
        "add-authorization-rule",
        "remove-authorization-rule",
        "create-route",
        "delete-route",
    }


def possible(world, tables, some, *, used=frozenset()):
    """Return a change of every kind that these tables have something for; AWS may refuse some."""
    groups = list(tables["security_groups"]["group_id"])
    enis = list(tables["network_interfaces"]["eni_id"])
    rules = list(tables["security_group_rules"].itertuples())
    routes = list(tables["client_vpn_routes"].itertuples())
    allowed = list(tables["client_vpn_authorization_rules"].itertuples())
    endpoint = {**PLACE, "endpoint_id": some.choice(world.endpoint_ids)}
    vpc = some.choice(list(tables["vpcs"]["vpc_id"]))
    protocol, low_high = some.choice(TRAFFIC)
    low, high = low_high or (None, None)
    kind, peer = some.choice([("ipv4", some.choice(V4)), ("security_group", some.choice(groups))])
    likely = [rule for rule in rules if rule.rule_id in used]
    rule, group = some.choice(likely or rules), some.choice(GROUPS)
    made = [id for id in groups if id.startswith("sg-new-")]
    options = [
        CreateSecurityGroup(
            **PLACE, vpc_id=vpc, group_name="fresh", open_egress=some.random() < 0.5
        ),
        DeleteSecurityGroup(**PLACE, group_id=some.choice([*groups, *made, *made])),
        AuthorizeRule(
            **PLACE,
            group_id=some.choice([r.group_id for r in likely] or groups),
            is_egress=some.random() < 0.3,
            protocol="all" if protocol == "-1" else protocol,
            from_port=low,
            to_port=high,
            peer_kind=kind,
            peer=peer,
        ),
        RevokeRule(**PLACE, group_id=rule.group_id, rule_id=rule.rule_id, is_egress=rule.is_egress),
        ApplySecurityGroups(
            **endpoint,
            vpc_id=vpc,
            group_ids=tuple(some.sample([*groups[:3], *made], some.randint(1, 2))),
        ),
        SetInterfaceGroups(
            **PLACE, eni_id=some.choice(enis), group_ids=tuple(some.sample(groups, 1))
        ),
        AddAuthorizationRule(**endpoint, destination_cidr=some.choice(V4), group_id=group),
        ModifyLogging(**endpoint, enabled=some.random() < 0.5, log_group="/new"),
    ]
    if allowed:
        old = some.choice(allowed)
        group = old.group_id if isinstance(old.group_id, str) else None
        options.append(
            RemoveAuthorizationRule(
                **PLACE,
                endpoint_id=old.endpoint_id,
                destination_cidr=old.destination_cidr,
                group_id=group,
            )
        )
    if routes:
        route = some.choice(routes)
        target = {
            **PLACE,
            "endpoint_id": route.endpoint_id,
            "target_subnet": route.target_subnet,
        }
        options += [
            DeleteRoute(**target, destination_cidr=route.destination_cidr),
            CreateRoute(**target, destination_cidr=some.choice(V4)),
        ]
    return options


def random_change(world, tables, some, *, used=frozenset()):
    """Return a change that AWS would take; a removed rule is one of the ``used`` where there are any."""
    options = possible(world, tables, some, used=used)
    if used and some.random() < 0.5:
        options = [c for c in options if isinstance(c, RevokeRule | AuthorizeRule)] * 3 + options
    some.shuffle(options)
    return next(
        change for change in options if not change.problems(tables) and undoable(change, tables)
    )


# -- rules, many at once ---------------------------------------------------------------------------


def looked_at(tables: Tables) -> Tables:
    """Return the same tables with nothing pending: every frame is made."""
    names = ("security_groups", "security_group_rules")
    return tables.replace(**{name: tables[name] for name in names})


def test_rules_changed_together_leave_what_they_leave_one_by_one(world):
    beside = world.security_group(world.main, "beside")
    for port in range(4):
        world.ingress(beside, f"10.{port}.0.0/16", "tcp", (port, port))
    world.ingress(beside, world.prefix_list("10.9.0.0/16"), "tcp", (1, 1))
    together = one_by_one = tables_of(world)
    some = Random(5)  # noqa: S311 # the same changes every time
    groups = (world.app, world.clients, beside)
    for number in range(40):
        rules = one_by_one["security_group_rules"]
        if number % 3:
            change = AuthorizeRule(
                group_id=some.choice(groups),
                is_egress=some.random() < 0.5,
                protocol="tcp",
                from_port=some.randrange(4),
                to_port=some.randrange(4, 6),
                peer_kind=some.choice(("ipv4", "security_group")),
                peer="",
                **PLACE,
            )
            peer = some.choice(groups) if change.peer_kind == "security_group" else "10.7.0.0/16"
            change = replace(change, peer=peer)
        else:
            row = rules.iloc[some.randrange(len(rules))]
            named = {"rule_id": row["rule_id"], "group_id": row["group_id"]}
            change = RevokeRule(is_egress=bool(row["is_egress"]), **named, **PLACE)
        assert change.problems(together) == change.problems(one_by_one)
        if change.problems(together):
            continue
        assert change.inverse(together) == change.inverse(one_by_one)
        together = change.apply(together)
        one_by_one = looked_at(change.apply(one_by_one))
    for name in ("security_groups", "security_group_rules", "ingress_rules", "egress_rules"):
        pd.testing.assert_frame_equal(together[name], one_by_one[name])
    assert len(together["security_group_rules"]) != len(tables_of(world)["security_group_rules"])


def test_a_change_leaves_the_tables_it_was_tried_on_as_they_were(world):
    before = tables_of(world)
    held = before["security_group_rules"].copy()
    revoke = RevokeRule(group_id=world.app, rule_id=world.rule, **PLACE)
    after = revoke.apply(before)
    assert before.differing(after) == {"security_groups", "security_group_rules"}
    assert world.rule not in set(after["security_group_rules"]["rule_id"])
    pd.testing.assert_frame_equal(before["security_group_rules"], held)


# -- what is unknown, and how it is written --------------------------------------------------------

GONE = "cvpn-endpoint-0000000000000ffff"
NOWHERE = "sg-0000000000000ffff"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (AddAuthorizationRule(endpoint_id=GONE, destination_cidr="10.0.0.0/8", **PLACE), GONE),
        (ApplySecurityGroups(endpoint_id=GONE, vpc_id="vpc-1", group_ids=("sg-1",), **PLACE), GONE),
        (ModifyLogging(endpoint_id=GONE, enabled=False, **PLACE), GONE),
        (AuthorizeRule(group_id=NOWHERE, peer_kind="ipv4", peer="10.0.0.0/8", **PLACE), NOWHERE),
        (CreateSecurityGroup(vpc_id="vpc-0", group_name="a", **PLACE), "there is no vpc-0"),
        (
            CreateSecurityGroup(vpc_id="vpc-0", group_name="a\nb", **PLACE),
            "does not take that name",
        ),
        (CreateSecurityGroup(vpc_id="vpc-0", group_name="default", **PLACE), "reserves the name"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_what_is_not_there_and_what_aws_does_not_take_is_named(world, change, why):
    assert why in refusal(change, tables_of(world))


def test_no_group_and_a_group_twice_are_refused(world):
    given = {**PLACE, "eni_id": world.eni}
    assert "at least one group" in refusal(
        SetInterfaceGroups(group_ids=(), **given), tables_of(world)
    )
    twice = SetInterfaceGroups(group_ids=(world.app, world.app), **given)
    assert "named twice" in refusal(twice, tables_of(world))


def test_two_accounts_side_by_side_are_told_apart(world):
    elsewhere = PLACE | {"account": "444455556666"}
    change = AuthorizeRule(group_id=world.app, peer_kind="ipv4", peer="10.0.0.0/8", **elsewhere)
    assert "account 444455556666 was not read" in refusal(change, tables_of(world))


ROUTE = {**PLACE, "endpoint_id": ENDPOINT, "destination_cidr": "10.9.0.0/16"}


@pytest.mark.parametrize(
    ("change", "command", "terraform"),
    [
        (
            CreateRoute(**ROUTE, target_subnet="subnet-1", description="to 'ops'"),
            "ec2 create-client-vpn-route --client-vpn-endpoint-id {endpoint} "
            "--destination-cidr-block 10.9.0.0/16 --target-vpc-subnet-id subnet-1 "
            "--description to 'ops'",
            'resource "aws_ec2_client_vpn_route"',
        ),
        (
            DeleteRoute(**ROUTE, target_subnet="subnet-1"),
            "ec2 delete-client-vpn-route --client-vpn-endpoint-id {endpoint} "
            "--destination-cidr-block 10.9.0.0/16 --target-vpc-subnet-id subnet-1",
            "# Remove the aws_ec2_client_vpn_route",
        ),
        (
            RemoveAuthorizationRule(**ROUTE, group_id="staff"),
            "ec2 revoke-client-vpn-ingress --client-vpn-endpoint-id {endpoint} "
            "--target-network-cidr 10.9.0.0/16 --access-group-id staff",
            "# Remove the aws_ec2_client_vpn_authorization_rule",
        ),
        (
            ModifyLogging(
                **PLACE, endpoint_id=ENDPOINT, enabled=True, log_group="/vpn", log_stream="one"
            ),
            "ec2 modify-client-vpn-endpoint --client-vpn-endpoint-id {endpoint} "
            '--connection-log-options {{"Enabled": true, "CloudwatchLogGroup": "/vpn", '
            '"CloudwatchLogStream": "one"}}',
            '#   cloudwatch_log_stream = "one"',
        ),
        (
            ModifyLogging(**PLACE, endpoint_id=ENDPOINT, enabled=False),
            "ec2 modify-client-vpn-endpoint --client-vpn-endpoint-id {endpoint} "
            '--connection-log-options {{"Enabled": false}}',
            "#   enabled = false",
        ),
        (
            SetInterfaceGroups(**PLACE, eni_id="eni-1", group_ids=("sg-1", "sg-2")),
            "ec2 modify-network-interface-attribute --network-interface-id eni-1 "
            "--groups sg-1 sg-2",
            "# In the resource that owns eni-1",
        ),
        (
            ApplySecurityGroups(**PLACE, endpoint_id=ENDPOINT, vpc_id="vpc-1", group_ids=("sg-1",)),
            "ec2 apply-security-groups-to-client-vpn-target-network --client-vpn-endpoint-id "
            "{endpoint} --vpc-id vpc-1 --security-group-ids sg-1",
            "# In the aws_ec2_client_vpn_endpoint of",
        ),
        (
            CreateSecurityGroup(**PLACE, vpc_id="vpc-1", group_name="vpn", description="for VPN"),
            "ec2 create-security-group --group-name vpn --description for VPN --vpc-id vpc-1 "
            "--query GroupId",
            'resource "aws_vpc_security_group_egress_rule"',
        ),
        (
            DeleteSecurityGroup(**PLACE, group_id="sg-1"),
            "ec2 delete-security-group --group-id sg-1",
            "# Remove the aws_security_group that manages sg-1",
        ),
        (
            AuthorizeRule(**PLACE, group_id="sg-1", peer="sg-2", peer_owner="444455556666"),
            "ec2 authorize-security-group-ingress --group-id sg-1 --ip-permissions "
            '[{{"IpProtocol": "-1", "UserIdGroupPairs": [{{"GroupId": "sg-2", "UserId": '
            '"444455556666"}}]}}] --query SecurityGroupRules[0].SecurityGroupRuleId',
            'resource "aws_vpc_security_group_ingress_rule"',
        ),
    ],
    ids=lambda value: value.kind if not isinstance(value, str) else "",
)
def test_every_change_is_written_as_aws_and_terraform_name_it(change, command, terraform):
    told = " ".join(change.cli())
    assert told == f"{command.format(endpoint=ENDPOINT)} --region {REGION}"
    assert terraform in change.terraform()


def undoable(change, tables) -> bool:
    """Tell whether AWS would go back: a random world has what could not be made there again."""
    if isinstance(change, SetInterfaceGroups | ApplySecurityGroups):
        return not change.inverse(tables).problems(tables)
    if isinstance(change, RevokeRule):
        rules = tables["security_group_rules"]
        # What AWS adds to a rule about a peering is not known before the rule is there again.
        peered = rules.loc[rules["rule_id"] == change.rule_id, "vpc_peering_connection_id"].notna()
        return not peered.any() and not change.inverse(tables).problems(change.apply(tables))
    return not change.forgets(tables)


def test_random_changes_are_of_every_kind():
    some = Random(7)  # noqa: S311 # a world, not a secret
    seen = set()
    for _ in range(40):
        world = random_world(some)
        tables = tables_of(world)
        seen |= {c.kind for c in possible(world, tables, some) if not c.problems(tables)}
    # Only a group that nothing uses can be deleted: one that was made before.
    fresh = CreateSecurityGroup(
        **PLACE, vpc_id=tables["client_vpn_endpoints"]["vpc_id"].iloc[0], group_name="fresh"
    )
    after = fresh.apply(tables)
    for _ in range(20):
        seen |= {c.kind for c in possible(world, after, some) if not c.problems(after)}
    assert seen == set(CHANGES)


@worlds
@given(randoms)
def test_a_change_followed_by_its_inverse_is_the_identity(some):
    world = random_world(some)
    before = tables_of(world)
    change = random_change(world, before, some)
    after = change.apply(before)
    back = change.inverse(before).apply(after)
    wanted, got = contents(before), contents(back)
    if isinstance(change, ApplySecurityGroups):
        # What is in force is restored; where the endpoint's places differed, they agree now.
        assert restored(back) == restored(before) or differed(before)
        return
    for name in ("client_vpn_authorization_rules", "client_vpn_routes"):
        # The status of what is made anew is active, and a route made anew was made by hand.
        got[name] = {row[:5] for row in got[name]}
        wanted[name] = {row[:5] for row in wanted[name]}
    for name in BASES:
        assert got[name] == wanted[name], (change, name)


def restored(tables):
    held = tables["endpoint_security_groups"]
    return set(held.loc[held["effective"], "group_id"])


def differed(tables):
    held = tables["endpoint_security_groups"]
    unlike = (held["on_target_networks"] < held["target_networks"]) | (
        held["on_interfaces"] < held["interfaces"]
    )
    return bool(unlike.any() or (~held["configured"]).any())


@worlds
@given(randoms)
def test_a_change_always_changes_something_and_never_the_tables_it_is_given(some):
    world = random_world(some)
    before = tables_of(world)
    kept = contents(before)
    change = random_change(world, before, some)
    after = change.apply(before)
    assert contents(before) == kept
    if isinstance(change, (CreateSecurityGroup, AuthorizeRule, RevokeRule, AddAuthorizationRule)):
        assert contents(after) != kept
