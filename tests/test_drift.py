"""What changed: exactly what was changed, whatever order and ids, and nothing that was refused."""

import copy
import dataclasses
import inspect
from functools import cache
from random import Random

import pandas as pd
import pytest
from hypothesis import given, settings

from auditlib.addresses import NONE, ports
from auditlib.aws.reads import READS, read_of
from auditlib.changes import (
    AddAuthorizationRule,
    ApplySecurityGroups,
    AuthorizeRule,
    CreateRoute,
    CreateSecurityGroup,
    DeleteRoute,
    ModifyLogging,
    RemoveAuthorizationRule,
    RevokeRule,
    SetInterfaceGroups,
)
from auditlib.check import Check, audit, identities
from auditlib.drift import ACCESS, FINDINGS, LEFT_OUT, OBJECTS, STATES, drift
from auditlib.schemas import SCHEMAS
from auditlib.tables import Tables
from tests import report_worlds
from tests.test_access_property import WORLDS, random_world, randoms, worlds
from tests.test_changes import ENDPOINT, Small, random_change
from tests.worlds import World, clean, clean_otherwise, exposed, finding, revocation_list

BASES = [name for name, schema in SCHEMAS.items() if not schema.inputs]
READ_IDS = [read.id for read in READS]
FAIR = settings(worlds, max_examples=max(1, WORLDS // 2))
SLOW = settings(worlds, max_examples=max(1, WORLDS // 16))


def tables_of(world: World) -> Tables:
    return Tables(world.snapshot())


def compared(before: World, after: World):
    return drift(tables_of(before), tables_of(after))


def outside_checks(before: Tables, after: Tables):
    """Compare without judging, which takes longest."""
    return drift(before, after, findings=((), ()))


@cache
def judged(make, refused: str = "", resource: str | None = None):
    """Return a world's tables and findings; worked out once for all tests."""
    if not refused:
        tables = tables_of(make())
        return tables, audit(tables)
    whole, found = judged(make)
    tables = tables_of(make().refuse(refused, resource=resource))
    other = {
        name
        for name in SCHEMAS
        if not tables[name].equals(whole[name]) or tables.gap_rows(name) != whole.gap_rows(name)
    }
    # A check is a function of the tables it names: where they are the same, so is what it finds.
    touched = {one.check.id for one in found if other & tables_named(one.check)}
    anew = {one.check.id: one for one in audit(tables, only=touched)}
    return tables, tuple(anew.get(one.check.id, one) for one in found)


def tables_named(made: Check) -> set[str]:
    """Return every table and view that a check's verdict, its words and its gaps rest on."""
    left_out = inspect.signature(made.left_out).parameters if made.left_out else ()
    return {made.population, *made.needs, *made.wording, *left_out}


def of_one(check: str, before: World, after: World):
    """Compare what one check finds, where it alone is asked about."""
    sides = tables_of(before), tables_of(after)
    return drift(*sides, findings=tuple(audit(side, only=[check]) for side in sides))


def judged_drift(one, other):
    return drift(one[0], other[0], findings=(one[1], other[1]))


def changed(found) -> set[tuple]:
    return set(
        found.objects[["change", "table", "id", "column"]].itertuples(index=False, name=None)
    )


def states(found, check: str) -> set[tuple]:
    rows = found.findings[found.findings["check"] == check]
    return set(rows[["state", "reason"]].itertuples(index=False, name=None))


# -- what a row of evidence is about --------------------------------------------------------------


@pytest.mark.parametrize("world", [exposed, report_worlds.exposed, report_worlds.hostile])
def test_no_two_rows_of_a_check_are_about_the_same(world):
    for found in judged(world)[1]:
        told = identities(found.evidence)
        assert len(set(told)) == len(told), found.check.id


def test_a_name_does_not_tell_what_a_finding_is_about():
    def told(name):
        world = exposed()
        for id in ("cvpn-endpoint-00000000000000001", "cvpn-endpoint-00000000000000002"):
            world.record(id)["Tags"] = [{"Key": "Name", "Value": name}]
        return {found.check.id: identities(found.evidence) for found in audit(tables_of(world))}

    one = told("one")
    assert any(one.values())
    assert one == told("other")


# -- nothing changed ------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [World, clean, clean_otherwise, exposed, report_worlds.refused])
def test_nothing_changed_between_a_snapshot_and_itself(world):
    tables, findings = judged(world)
    found = drift(tables, tables_of(world()), findings=(findings, findings))
    assert set(found.findings["state"]) <= {"unchanged"}
    assert found.access.empty
    assert found.objects.empty
    assert found.recreated.empty
    assert set(found.gaps["when"]) <= {"both"}
    assert list(found.findings.columns) == list(FINDINGS)
    assert list(found.access.columns) == list(ACCESS)
    assert list(found.objects.columns) == list(OBJECTS)


@worlds
@given(randoms)
def test_order_is_no_change(some):
    world = random_world(some)
    tables = tables_of(world)
    mixed = {}
    for name in BASES:
        frame = tables[name].sample(frac=1, random_state=some.randint(0, 999)).copy()
        for column in SCHEMAS[name].columns:
            if column.kind in {"list", "pairs"} and column.name != "dns_servers":
                frame[column.name] = [tuple(reversed(value)) for value in frame[column.name]]
        mixed[name] = frame.reset_index(drop=True)
    found = outside_checks(tables, tables.replace(**mixed))
    assert found.objects.empty
    assert found.access.empty
    assert found.recreated.empty


def test_what_changes_by_itself_is_no_change():
    after = exposed()
    after.connection(ENDPOINT)
    for subnet in ("subnet-00000000000000001", "subnet-00000000000000002"):
        after.record(subnet)["AvailableIpAddressCount"] -= 7
    after._lists[after.region, "logs-describe-log-groups", "/vpn/connections"][0]["storedBytes"] = 9
    tables = tables_of(after)
    found = judged_drift(judged(exposed), (tables, audit(tables)))
    assert found.objects.empty
    assert set(found.findings["state"]) == {"unchanged"}


def test_every_table_is_compared_but_those_that_are_no_configuration():
    tables = tables_of(exposed())
    for name in set(BASES) - set(LEFT_OUT):
        frame = tables[name]
        if len(frame):
            found = outside_checks(tables, tables.replace(**{name: frame.iloc[1:]}))
            assert name in set(found.objects["table"]) | ({name} if len(found.recreated) else set())


# -- exactly what was changed ---------------------------------------------------------------------


def expected(change, before: Tables) -> set[tuple] | None:
    """Return what a change does to the objects, told without the kit's comparison."""
    if isinstance(change, RevokeRule):
        return {("removed", "security_group_rules", change.rule_id, "")}
    if isinstance(change, AuthorizeRule):
        return {("added", "security_group_rules", change.rule_id, "")}
    if isinstance(change, ModifyLogging):
        endpoint = before["client_vpn_endpoints"].iloc[0]
        now = (change.enabled, change.log_group, change.log_stream)
        names = ("connection_log_enabled", "connection_log_group", "connection_log_stream")
        return {
            ("changed", "client_vpn_endpoints", change.endpoint_id, name)
            for name, value in zip(names, now, strict=True)
            if (None if pd.isna(endpoint[name]) else endpoint[name]) != value
        }
    if isinstance(change, CreateSecurityGroup):
        blocks = before["vpc_cidr_blocks"]
        families = set(blocks.loc[blocks["vpc_id"] == change.vpc_id, "family"])
        rules = len(families) if change.open_egress else 0
        return {("added", "security_groups", change.group_id, ""), ("rules", rules)}
    if isinstance(change, SetInterfaceGroups):
        held = before["network_interface_groups"]
        was = set(held.loc[held["eni_id"] == change.eni_id, "group_id"])
        table, eni = "network_interface_groups", change.eni_id
        return {("removed", table, f"{eni} {g}", "") for g in was - set(change.group_ids)} | {
            ("added", table, f"{eni} {g}", "") for g in set(change.group_ids) - was
        }
    if isinstance(change, DeleteRoute | CreateRoute):
        kind = "removed" if isinstance(change, DeleteRoute) else "added"
        id = f"{change.endpoint_id} {change.destination_cidr} {change.target_subnet}"
        return {(kind, "client_vpn_routes", id, "")}
    return None


@worlds
@given(randoms)
def test_a_change_is_told_and_nothing_else(some):
    world = random_world(some)
    before = tables_of(world)
    change = random_change(world, before, some)
    found = outside_checks(before, change.apply(before))
    told = changed(found)
    wanted = expected(change, before)
    if isinstance(change, CreateSecurityGroup):
        rules = {row for row in told if row[1] == "security_group_rules"}
        assert ("rules", len(rules)) in wanted
        assert told - rules == {row for row in wanted if row[0] != "rules"}
    elif wanted is not None:
        assert told == wanted
    elif isinstance(change, AddAuthorizationRule | RemoveAuthorizationRule):
        kind = "added" if isinstance(change, AddAuthorizationRule) else "removed"
        id = " ".join(filter(None, (change.endpoint_id, change.destination_cidr, change.group_id)))
        table = "client_vpn_authorization_rules"
        # Where a failed rule of the same network and group is there, the new one takes its place.
        assert told <= {(kind, table, id, ""), ("changed", table, id, "status")} | {
            ("changed", table, id, "description")
        }
        assert told
    else:
        assert isinstance(change, ApplySecurityGroups)
        assert {row[1] for row in told} <= {
            "client_vpn_endpoints",
            "client_vpn_target_networks",
            "network_interface_groups",
        }
    assert set(found.gaps["when"]) <= {"both"}
    assert found.recreated.empty
    undone = outside_checks(change.apply(before), before)
    flip = {"added": "removed", "removed": "added"}
    assert {(flip.get(row[0], row[0]), *row[1:]) for row in changed(undone)} == told


@SLOW
@given(randoms)
def test_findings_are_new_or_resolved_exactly_as_the_checks_say(some):
    world = random_world(some)
    before = tables_of(world)
    after = random_change(world, before, some).apply(before)
    sides = audit(before), audit(after)
    found = drift(before, after, findings=sides)
    was, now = (
        {(f.check.id, identity) for f in side for identity in identities(f.evidence)}
        for side in sides
    )
    counted = found.findings["state"].value_counts()
    gaps = {f.check.id for side in sides for f in side if len(f.gaps)}
    whole = found.findings[~found.findings["check"].isin(gaps)]
    for state, wanted in (("new", now - was), ("resolved", was - now), ("unchanged", was & now)):
        assert (whole["state"] == state).sum() == sum(id not in gaps for id, _ in wanted)
    assert counted.sum() == len(was | now)


def test_before_and_after_are_told_column_by_column():
    before, after = Small(), Small()
    record = after.record(ENDPOINT)
    record["SplitTunnel"] = False
    record["DnsServers"] = ["10.0.0.2"]
    found = outside_checks(tables_of(before), tables_of(after))
    rows = found.objects[["column", "before", "after"]]
    assert set(rows.itertuples(index=False, name=None)) == {
        ("split_tunnel", True, False),
        ("dns_servers", (), ("10.0.0.2",)),
    }


def test_a_rule_that_was_edited_is_one_changed_rule():
    before, after = Small(), Small()
    rules = after._lists[after.region, "ec2-describe-security-group-rules", None]
    (rule,) = [r for r in rules if r["SecurityGroupRuleId"] == after.rule]
    rule |= {"FromPort": 8443, "ToPort": 8443}
    found = outside_checks(tables_of(before), tables_of(after))
    assert changed(found) == {
        ("changed", "security_group_rules", after.rule, "from_port"),
        ("changed", "security_group_rules", after.rule, "to_port"),
    }
    assert set(found.access["state"]) == {"gained", "lost"}


def test_a_rule_removed_and_made_again_is_the_same_rule():
    before, after = Small(), Small()
    before.ingress(before.clients, "0.0.0.0/0", "tcp", (443, 443))
    rules = after._lists[after.region, "ec2-describe-security-group-rules", None]
    after.ingress(after.app, "10.9.9.9/32", "tcp", (1, 1))
    rules.pop()
    after.ingress(after.clients, "0.0.0.0/0", "tcp", (443, 443))
    found = of_one("vpn-sg-has-inbound-rules", before, after)
    ((change, table, _, column),) = changed(found)
    assert (change, table, column) == ("recreated", "security_group_rules", "rule_id")
    assert {state for state, _ in states(found, "vpn-sg-has-inbound-rules")} == {"unchanged"}
    assert found.access.empty


def test_a_subnet_that_uses_another_route_table_is_one_change():
    def world(moved):
        made = Small()
        one, other = (made.route_table(made.main, *subnets) for subnets in ((made.vpn,), ()))
        if moved:
            record = made.record(one)["Associations"].pop()
            again = {"RouteTableAssociationId": "rtbassoc-9", "RouteTableId": other}
            made.record(other)["Associations"].append(record | again)
        return made

    found = outside_checks(tables_of(world(False)), tables_of(world(True)))
    ((change, table, id, column),) = changed(found)
    assert (change, table, column) == ("changed", "route_table_associations", "route_table_id")
    assert "subnet-" in id


# -- interfaces that AWS makes again --------------------------------------------------------------


def again(world: World) -> World:
    """Let AWS delete the endpoint's interfaces and make them anew, as it does."""
    enis = world._lists[world.region, "ec2-describe-network-interfaces", None]
    for eni in enis:
        if "ClientVPN" in eni["Description"]:
            eni["NetworkInterfaceId"] = "eni-9" + eni["NetworkInterfaceId"][5:]
            last = int(eni["PrivateIpAddress"].rpartition(".")[2]) + 100
            eni["PrivateIpAddress"] = f"{eni['PrivateIpAddress'].rpartition('.')[0]}.{last}"
            eni["PrivateIpAddresses"] = [
                {"Primary": True, "PrivateIpAddress": eni["PrivateIpAddress"]}
            ]
    return world


@pytest.mark.parametrize("make", [exposed, clean_otherwise, report_worlds.exposed])
def test_interfaces_of_an_endpoint_made_again_are_told_as_such_and_no_drift(make):
    before = tables_of(make())
    found = outside_checks(before, tables_of(again(make())))
    own = before["endpoint_network_interfaces"]
    assert set(found.recreated["eni_before"]) == set(own["eni_id"])
    assert all(found.recreated["ip_before"] != found.recreated["ip_after"])
    assert found.objects.empty
    assert any("recreated" in sentence for sentence in found.sentences())


def test_what_held_for_the_old_address_of_an_endpoint_is_lost_when_aws_makes_it_again():
    found = of_one("default-sg-is-used", exposed(), again(exposed()))
    lost = found.access[found.access["state"] == "lost"]
    assert set(lost["before"]) == {"fragile"}
    # The default group is on the endpoint all the same.
    assert {state for state, _ in states(found, "default-sg-is-used")} == {"unchanged"}


def test_groups_changed_while_aws_made_an_interface_again_are_told():
    after = again(Small())
    enis = after._lists[after.region, "ec2-describe-network-interfaces", None]
    (own,) = [eni for eni in enis if "ClientVPN" in eni["Description"]]
    own["Groups"] = [{"GroupId": after.app, "GroupName": "app"}]
    found = outside_checks(tables_of(Small()), tables_of(after))
    assert {row[:2] for row in changed(found)} == {
        ("added", "network_interface_groups"),
        ("removed", "network_interface_groups"),
    }


# -- what could not be read is no change ----------------------------------------------------------

NO_CHANGE = {
    "findings": {"unchanged", "first_seen", "not_seen"},
    "access": {"uncertain", "first_seen", "not_seen"},
}


def assert_nothing_is_claimed(found) -> None:
    assert set(found.findings["state"]) <= NO_CHANGE["findings"]
    assert set(found.access["state"]) <= NO_CHANGE["access"]
    assert found.objects.empty, found.objects.to_string()
    assert found.recreated.empty


@pytest.mark.parametrize("read", READ_IDS)
def test_a_refusal_on_either_side_is_a_gap_and_no_change(read):
    whole, refused = judged(exposed), judged(exposed, read)
    lacking = refused[0].gaps()
    for before, after, when in ((whole, refused, "now"), (refused, whole, "then")):
        found = judged_drift(before, after)
        assert_nothing_is_claimed(found)
        assert set(found.gaps["when"]) == ({when} if len(lacking) else set())
        hidden = {"now": "not_seen", "then": "first_seen"}[when]
        assert set(found.findings["state"]) <= {"unchanged", hidden}
        assert all(found.findings.loc[found.findings["state"] == hidden, "unread"] != "")


@pytest.mark.parametrize(
    "read", [r.id for r in READS if r.resource_parameter == "ClientVpnEndpointId"]
)
def test_a_refusal_for_one_endpoint_hides_nothing_about_the_other(read):
    other = "cvpn-endpoint-00000000000000002"
    refused = judged(exposed, read, other)
    found = judged_drift(judged(exposed), refused)
    assert_nothing_is_claimed(found)
    gone = found.findings[found.findings["state"] == "not_seen"]
    assert ENDPOINT not in set(gone["endpoint_id"])
    logging = finding(exposed(), "connection-logging-is-off")
    none = dataclasses.replace(logging, evidence=logging.evidence.iloc[:0])
    found = drift(judged(exposed)[0], refused[0], findings=((none,), (logging,)))
    assert {state for state, _ in states(found, "connection-logging-is-off")} == {"new"}


def test_a_region_that_was_not_looked_at_is_no_change():
    def both():
        world = exposed()
        world.at("eu-west-1")
        vpc = world.vpc()
        world.default_group(vpc)
        world.endpoint(vpc, logging=False)
        return world

    whole, part = judged(both), judged(exposed)
    for before, after, when in ((whole, part, "now"), (part, whole, "then")):
        found = judged_drift(before, after)
        assert_nothing_is_claimed(found)
        assert set(found.gaps["status"]) == {"elsewhere"}
        assert set(found.gaps["when"]) == {when}
        assert found.gaps["objects"].sum() > 0
        there = found.findings[found.findings["region"] == "eu-west-1"]
        assert set(there["state"]) == {"not_seen" if when == "now" else "first_seen"}


def test_another_account_s_snapshot_has_nothing_to_compare():
    def elsewhere():
        world = World("444455556666")
        world.endpoint(world.vpc(), logging=False)
        return world

    found = judged_drift(judged(exposed), judged(elsewhere))
    assert_nothing_is_claimed(found)
    assert set(found.gaps["when"]) == {"then", "now"}
    assert set(found.findings["state"]) == {"first_seen", "not_seen"}


def test_an_endpoint_that_is_gone_takes_its_rules_with_it():
    before, after = exposed(), exposed()
    gone = "cvpn-endpoint-00000000000000002"
    endpoints = after._lists[after.region, "ec2-describe-client-vpn-endpoints", None]
    endpoints[:] = [e for e in endpoints if e["ClientVpnEndpointId"] != gone]
    found = compared(before, after)
    removed = {row[1] for row in changed(found) if row[0] == "removed" and row[2].startswith(gone)}
    assert removed == {
        "client_certificate_revocation_lists",
        "client_vpn_endpoints",
        "client_vpn_target_networks",
        "client_vpn_authorization_rules",
        "client_vpn_routes",
    }
    rows = found.findings[found.findings["endpoint_id"] == gone]
    assert set(rows["state"]) == {"resolved"}


def test_a_prefix_list_that_nothing_names_any_more_is_not_removed():
    before, after = exposed(), exposed()
    rules = after._lists[after.region, "ec2-describe-security-group-rules", None]
    named = [r for r in rules if "PrefixListId" in r]
    assert named
    after.revoke(*(r["SecurityGroupRuleId"] for r in named))
    found = outside_checks(tables_of(before), tables_of(after))
    assert {row[:2] for row in changed(found)} == {("removed", "security_group_rules")}
    assert found.gaps.empty


def test_a_member_that_an_old_sdk_leaves_out_is_not_taken_away():
    before, after = Small(), Small()
    before.record(ENDPOINT)["DevicePostureOptions"] = {
        "TrustProviders": [{"TrustProviderType": "crowdstrike"}]
    }
    for version in ("1.43.62", None):
        old = Tables(after.snapshot(botocore_version=version))
        found = outside_checks(tables_of(before), old)
        assert found.objects.empty
        assert not found.is_whole
        assert "now" in set(found.gaps["when"])
    assert changed(outside_checks(tables_of(before), tables_of(after))) == {
        ("changed", "client_vpn_endpoints", ENDPOINT, name)
        for name in ("device_posture", "posture_trust_providers")
    }


def refused_copy(world: World, tables: Tables, read: str) -> Tables:
    """Return tables of which a read was refused, and what only it names."""
    lacking = Tables(copy.deepcopy(world).refuse(read).snapshot())
    gaps = set(lacking.gaps()["table"])
    kept = {name: tables[name] for name in BASES if name not in gaps}
    return lacking.replace(**kept)


def reached(found, state: str) -> dict[tuple, object]:
    held: dict[tuple, object] = {}
    for row in found.access[found.access["state"] == state].itertuples():
        key = (row.endpoint_id, row.subnet_id, row.group, row.eni_id, row.ip)
        low, high = (None if pd.isna(p) else int(p) for p in (row.from_port, row.to_port))
        held[key] = held.get(key, NONE) | ports(row.protocol, low, high)
    return held


def refused_sides(some: Random) -> tuple[Tables, Tables, dict[str, tuple[Tables, Tables]]]:
    """Return a random change, and the same with a read refused then, now, and both times."""
    world = random_world(some)
    before = tables_of(world)
    after = random_change(world, before, some).apply(before)
    read = some.choice(READ_IDS)
    lacking = [refused_copy(world, tables, read) for tables in (before, after)]
    sides = {
        f"{read} then": (lacking[0], after),
        f"{read} now": (before, lacking[1]),
        f"{read} both times": (lacking[0], lacking[1]),
    }
    return before, after, sides


@FAIR
@given(randoms)
def test_a_refusal_never_makes_more_of_a_change_than_was_made(some: Random):
    before, after, sides = refused_sides(some)
    whole = outside_checks(before, after)
    for when, side in sides.items():
        found = outside_checks(*side)
        assert changed(found) <= changed(whole), when
        for state in ("gained", "lost"):
            known = reached(whole, state)
            for key, on in reached(found, state).items():
                if key[3]:
                    assert on <= known.get(key, NONE), (when, state, key)


@SLOW
@given(randoms)
def test_a_refusal_never_makes_a_finding_new_or_resolved(some: Random):
    before, after, sides = refused_sides(some)
    every = {id(tables): tables for side in (*sides.values(), (before, after)) for tables in side}
    found = {key: audit(tables) for key, tables in every.items()}

    def told(one: Tables, other: Tables) -> dict[tuple[str, str], list[str]]:
        return told_of(drift(one, other, findings=(found[id(one)], found[id(other)])))

    whole = told(before, after)
    for when, side in sides.items():
        for (check, state), rows in told(*side).items():
            if state in {"new", "resolved"}:
                assert len(rows) <= len(whole.get((check, state), ())), (when, check, state, rows)


def told_of(found) -> dict[tuple[str, str], list[str]]:
    rows = found.findings.groupby(["check", "state"])["reason"]
    return {key: list(reasons) for key, reasons in rows}


# -- sentences ------------------------------------------------------------------------------------


def test_the_sentences_say_what_is_not_known():
    found = judged_drift(judged(exposed), judged(exposed, "ec2-describe-network-interfaces"))
    text = " ".join(found.sentences())
    assert "may still be there" in text
    assert "resolved" not in text
    assert "lost" not in text
    assert "1 could be read then and not now" in text
    assert set(STATES) >= set(found.findings["state"])
    assert read_of("ec2-describe-network-interfaces").iam_action in set(found.gaps["iam_action"])


def test_what_a_finding_warned_of_has_happened_and_is_not_resolved():
    def listed(days: float):
        world = World()
        endpoint = world.endpoint(world.vpc(), authentication=("certificate-authentication",))
        world.revocation_list(endpoint, revocation_list(days=days))
        return tables_of(world)

    before, ended, renewed = listed(20), listed(-1), listed(90)
    lists = ("revocation-list-expires-soon", "revocation-list-has-expired")
    for after, check, state in ((ended, lists[1], "worsened"), (renewed, lists[0], "resolved")):
        found = drift(before, after, findings=(audit(before, lists), audit(after, lists)))
        assert found.findings[["check", "state"]].to_numpy().tolist() == [[check, state]]
    found = drift(before, ended, findings=(audit(before, lists), audit(ended, lists)))
    told = " ".join(found.sentences({}))
    assert told.startswith("One piece of evidence was warned of before and has come since.")
    assert "resolved" not in told


def admitting(*groups: str | None) -> Tables:
    """Return a world where these groups (``None``: everyone) are authorized for a wiki's network."""
    world = World()
    vpc = world.vpc()
    vpn = world.security_group(vpc, "vpn")
    wiki = world.security_group(vpc, "wiki")
    world.ingress(wiki, vpn, "tcp", (22, 22))
    endpoint = world.endpoint(vpc, (vpn,))
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    world.interface(world.subnet(vpc, "10.0.2.0/24"), wiki)
    for group in groups:
        world.authorize(endpoint, "10.0.0.0/16", group=group)
    return tables_of(world)


@pytest.mark.parametrize(
    ("groups", "states", "kept"),
    [
        (("hr", "dev"), {"narrowed"}, "dev and hr"),
        (("hr",), {"narrowed"}, "hr"),
        ((), {"resolved"}, ""),
    ],
)
def test_what_everyone_had_and_named_groups_still_have_is_narrowed(groups, states, kept):
    before, after = admitting(None, *groups), admitting(*groups)
    only = ("sensitive-port-reachable-by-everyone", "authorization-allows-everyone")
    found = drift(before, after, findings=(audit(before, only), audit(after, only))).findings
    assert set(found["check"]) == set(only)
    assert set(found["state"]) == states
    assert set(found["kept_by"]) == {kept}
