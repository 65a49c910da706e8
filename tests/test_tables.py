"""Tables: what AWS answered becomes typed rows, and nothing is lost on the way."""

import copy
import gc
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlib import check
from auditlib.aws.reads import OPTIONAL_READS, READS, read_of
from auditlib.errors import ParameterError, SnapshotError
from auditlib.frames import _KEPT, DTYPES, kept
from auditlib.schemas import GAPS, SCHEMAS
from auditlib.snapshot import Call, Snapshot
from auditlib.tables import Tables, nearest
from tests.worlds import ACCOUNT, ANYWHERE, REGION, World

BASE_TABLES = [name for name, schema in SCHEMAS.items() if not schema.inputs]
ASKED_FOR = {table for read in OPTIONAL_READS for table in read.tables}
"""Tables that an ordinary snapshot does not have, which is no gap; test_authorship has them."""
FULL = {
    "client_vpn_endpoints": 2,
    "client_vpn_target_networks": 2,
    "client_vpn_connections": 1,
    "client_vpn_authorization_policies": 1,
    "client_certificate_revocation_lists": 2,
    "connect_handlers": 1,
    "directories": 1,
    "log_streams": 1,
    "prefix_list_entries": 4,
    "prefix_lists": 2,
    "saml_providers": 1,
    "service_quotas": 1,
    "security_group_vpc_associations": 1,
    "transit_gateway_attachments": 1,
    "server_certificates": 1,
    "log_groups": 1,
}


def rich_world() -> World:
    """Return a world with something in every table."""
    world = World()
    vpc = world.vpc("10.0.0.0/16", "10.1.0.0/16", name="main", ipv6="2001:db8::/56")
    peer = world.vpc("10.9.0.0/16")
    subnets = [world.subnet(vpc, f"10.0.{i}.0/24", zone="ac"[i]) for i in range(2)]
    group = world.security_group(vpc, "vpn", tags={"team": "network"})
    receiver = world.security_group(vpc, "web")
    list_id = world.prefix_list("10.0.0.0/8", "192.0.2.0/24")
    other_list = world.prefix_list("198.51.100.0/24", "2001:db8:1::/48")
    world.ingress(receiver, group, "6", (443, 443), "from the VPN")
    world.ingress(receiver, list_id, "17", (53, 53))
    world.route(vpc, other_list, TransitGatewayId="tgw-1")
    world.peering(vpc, peer)
    world.interface(subnets[0], receiver, more_ips=("10.0.0.99",), ipv6=("2001:db8::5",))
    endpoint = world.endpoint(vpc, (group,), name="staff")
    for subnet in subnets:
        world.associate(endpoint, subnet)
    world.authorize(endpoint, "10.0.0.0/16")
    world.authorize(endpoint, "10.0.0.0/16", "engineers")
    world.connection(endpoint)
    world.policy(endpoint, "permit (principal, action, resource);")
    world.connect_handler(endpoint)
    world.quota("vpc", "L-0EA8095F", 120)
    world.endpoint(
        TransitGatewayConfiguration={"TransitGatewayId": "tgw-1"},
        authentication=("directory-service-authentication", "certificate-authentication"),
    )
    world._add(
        "ec2-describe-transit-gateway-attachments",
        {"TransitGatewayAttachmentId": "tgw-attach-1", "TransitGatewayId": "tgw-1"},
    )
    world._add(
        "ec2-describe-security-group-vpc-associations",
        {"GroupId": group, "VpcId": peer, "VpcOwnerId": ACCOUNT, "State": "associated"},
    )
    return world


def answered(read_id: str, *records: Any, resource: str | None = None, **manifest: Any) -> Tables:
    """Return the tables of a snapshot that holds one answer."""
    read = read_of(read_id)
    document = {read.result_key: list(records)} if read.result_key else records[0]
    key = (ACCOUNT, REGION, read_id, resource)
    return Tables(Snapshot.from_documents({key: document}, **manifest))


def dtype_is_right(frame: pd.DataFrame, name: str) -> bool:
    return all(frame.dtypes[column.name] == DTYPES[column.kind] for column in SCHEMAS[name].columns)


# -- every table ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_table_without_rows_has_all_columns_and_types(name: str) -> None:
    frame = Tables(World().snapshot())[name]
    assert len(frame) == 0
    assert tuple(frame.columns) == SCHEMAS[name].names
    assert dtype_is_right(frame, name)


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name not in ASKED_FOR])
def test_a_table_with_rows_has_the_schema_and_unique_keys(name: str) -> None:
    frame = Tables(rich_world().snapshot())[name]
    assert len(frame) > 0
    assert tuple(frame.columns) == SCHEMAS[name].names
    assert dtype_is_right(frame, name)
    assert not frame.duplicated(list(SCHEMAS[name].key)).any()
    assert (frame["account"] == ACCOUNT).all()
    assert (frame["region"] == ("us-east-1" if name == "saml_providers" else REGION)).all()


def test_every_table_has_the_rows_aws_listed() -> None:
    tables = Tables(rich_world().snapshot())
    assert {name: len(tables[name]) for name in FULL} == FULL


@pytest.mark.parametrize("name", BASE_TABLES)
def test_a_row_can_be_traced_to_its_file_and_record(name: str) -> None:
    snapshot = rich_world().snapshot()
    documents = {call.file: snapshot.document(call) for call in snapshot.calls if call.file}
    frame = Tables(snapshot)[name]
    id = SCHEMAS[name].key[-1]
    for source, record, value in zip(frame["source"], frame["record"], frame[id], strict=True):
        found = documents[source]
        read = read_of(source.split("/")[2].removesuffix(".json"))
        records = found[read.result_key] if read.result_key else [found]
        records = records if isinstance(records, list) else [records]
        text = json.dumps(records[record], ensure_ascii=False) + unquote(source)
        assert pd.isna(value) or str(value) in text


@pytest.mark.parametrize("name", SCHEMAS)
def test_tables_are_the_same_without_pyarrow(name: str) -> None:
    snapshot = rich_world().snapshot()
    with pd.option_context("mode.string_storage", "python"):
        plain = Tables(snapshot)[name]
    pd.testing.assert_frame_equal(
        plain.astype(object), Tables(snapshot)[name].astype(object), check_column_type=False
    )


def test_accounts_and_regions_keep_their_type_through_a_join() -> None:
    world = rich_world().at("eu-west-1")
    world.vpc()
    tables = Tables(world.snapshot())
    joined = tables.client_vpn_endpoints.merge(tables.vpcs, on=["account", "region"])
    assert str(joined.dtypes["region"]) == "category"


def test_a_notebook_cannot_spoil_a_table_for_the_next_cell() -> None:
    tables = Tables(rich_world().snapshot())
    spoilt = tables.vpcs
    spoilt["name"] = "spoilt"
    del spoilt["vpc_id"]
    assert tables.vpcs["name"].tolist()[0] == "main"
    assert "vpc_id" in tables.vpcs


# -- values ---------------------------------------------------------------------------------------


def test_an_endpoint_is_read_as_aws_describes_it() -> None:
    world = World()
    world.endpoint(
        None,
        name="staff",
        authentication=("certificate-authentication", "federated-authentication"),
        ConnectionLogOptions={"Enabled": False},
        DevicePostureOptions={"TrustProviders": [{"TrustProviderType": "jamf"}]},
        AssociatedTargetNetworks=[{"NetworkId": "subnet-1", "NetworkType": "vpc"}],
    )
    row = Tables(world.snapshot()).client_vpn_endpoints.iloc[0]
    assert row["name"] == "staff"
    assert row["attachment"] == "none"
    assert row["created"] == pd.Timestamp("2026-01-05T09:00:00Z")
    assert row["authentication_types"] == (
        "certificate-authentication",
        "federated-authentication",
    )
    assert row["client_root_certificate_chain"].startswith("arn:aws:acm:")
    assert row["saml_provider_arns"] == (f"arn:aws:iam::{ACCOUNT}:saml-provider/idp",)
    assert row["posture_trust_providers"] == ("jamf",)
    assert not row["connection_log_enabled"]
    assert row["tags"] == (("Name", "staff"),)
    assert pd.isna(row["description"])


def test_self_service_saml_providers_are_named_once() -> None:
    options = {"SamlProviderArn": "arn:a", "SelfServiceSamlProviderArn": "arn:b"}
    world = World()
    world.endpoint(
        AuthenticationOptions=[
            {"Type": "federated-authentication", "FederatedAuthentication": options},
            {"Type": "federated-authentication", "FederatedAuthentication": options},
        ]
    )
    assert Tables(world.snapshot()).client_vpn_endpoints["saml_provider_arns"].tolist() == [
        ("arn:a", "arn:b")
    ]


@pytest.mark.parametrize(
    ("botocore", "attachment"),
    [("1.44.5", "none"), ("1.42.92", "none"), ("1.40.0", "unknown"), (None, "unknown")],
)
def test_an_old_sdk_cannot_tell_what_a_bare_endpoint_is_attached_to(
    botocore: str | None, attachment: str
) -> None:
    world = World()
    world.endpoint()
    tables = Tables(world.snapshot(botocore_version=botocore))
    assert tables.client_vpn_endpoints["attachment"].tolist() == [attachment]
    gaps = tables.gaps("client_vpn_endpoints")
    assert (attachment == "unknown") == ("cvpn-endpoint" in str(gaps["resource"].tolist()))


def test_a_folder_without_sdk_version_is_assessable_where_endpoints_show_their_vpc() -> None:
    tables = Tables(rich_world().snapshot(botocore_version=None))
    assert tables.gaps().empty
    assert sorted(tables.client_vpn_endpoints["attachment"]) == ["transit_gateway", "vpc"]


def test_client_vpn_times_and_counters_come_as_text() -> None:
    world = World()
    endpoint = world.endpoint()
    world.connection(endpoint)
    world.connection(
        endpoint,
        ConnectionEndTime="2026-11-02 09:30:00",
        IngressBytes="-",
        EgressBytes=None,
        ConnectionEstablishedTime="soon",
    )
    live, ended = Tables(world.snapshot()).client_vpn_connections.itertuples()
    assert live.established == pd.Timestamp("2026-11-02T08:00:00Z")
    assert pd.isna(live.ended)
    assert (live.ingress_bytes, live.egress_bytes) == (1024, 2048)
    assert ended.ended == pd.Timestamp("2026-11-02T09:30:00Z")
    assert pd.isna(ended.ingress_bytes)
    assert pd.isna(ended.egress_bytes)
    assert pd.isna(ended.established)


@pytest.mark.parametrize(
    ("record", "access_all", "group"),
    [
        ({"GroupId": "", "AccessAll": True}, True, None),
        ({"GroupId": "engineers", "AccessAll": False}, False, "engineers"),
        ({"GroupId": "engineers"}, False, "engineers"),
        ({}, True, None),
        ({"GroupId": "engineers", "AccessAll": True}, True, None),
    ],
)
def test_an_authorization_rule_says_whom_it_is_for(
    record: dict[str, Any], access_all: bool, group: str | None
) -> None:
    tables = answered(
        "ec2-describe-client-vpn-authorization-rules",
        {"DestinationCidr": "10.0.0.0/8", **record},
        resource="cvpn-endpoint-1",
    )
    (row,) = tables.client_vpn_authorization_rules.itertuples()
    assert row.access_all is access_all
    assert (None if pd.isna(row.group_id) else row.group_id) == group
    assert row.endpoint_id == "cvpn-endpoint-1"


@pytest.mark.parametrize(
    ("member", "kind", "peer"),
    [
        ({"CidrIpv4": "10.0.0.0/8"}, "ipv4", "10.0.0.0/8"),
        ({"CidrIpv6": "::/0"}, "ipv6", "::/0"),
        ({"PrefixListId": "pl-1"}, "prefix_list", "pl-1"),
        ({"ReferencedGroupInfo": {"GroupId": "sg-2"}}, "security_group", "sg-2"),
        ({}, "unknown", None),
        ({"CidrIpv4": "10.0.0.1/8"}, "unknown", "10.0.0.1/8"),
        ({"CidrIpv4": "10.0.0.0"}, "unknown", "10.0.0.0"),
        ({"CidrIpv4": "::/0"}, "unknown", "::/0"),
        ({"CidrIpv6": "0.0.0.0/0"}, "unknown", "0.0.0.0/0"),
        ({"CidrIpv4": "10.0.0.0/33"}, "unknown", "10.0.0.0/33"),
        ({"CidrIpv4": "everywhere"}, "unknown", "everywhere"),
        ({"CidrIpv4": "10.0.0.0/8", "PrefixListId": "pl-1"}, "unknown", "10.0.0.0/8"),
        ({"CidrIpv9": "10"}, "unknown", None),
    ],
)
def test_a_rule_is_kept_whatever_its_peer_is(
    member: dict[str, Any], kind: str, peer: str | None
) -> None:
    tables = answered("ec2-describe-security-group-rules", rule(**member))
    (row,) = tables.security_group_rules.itertuples()
    assert row.peer_kind == kind
    assert (None if pd.isna(row.peer) else row.peer) == peer


def rule(**members: Any) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": "sgr-1",
        "GroupId": "sg-1",
        "IsEgress": False,
        "IpProtocol": "-1",
        "FromPort": -1,
        "ToPort": -1,
        **members,
    }


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (("-1", -1, -1), ("all", None, None)),
        (("tcp", 443, 443), ("tcp", 443, 443)),
        (("6", "443", "8443"), ("tcp", 443, 8443)),
        (("17", 53.0, 53.0), ("udp", 53, 53)),
        (("tcp", -1, -1), ("tcp", 0, 65535)),
        (("udp", None, None), ("udp", 0, 65535)),
        (("icmp", -1, -1), ("icmp", -1, -1)),
        (("1", 8, None), ("icmp", 8, -1)),
        (("58", 128, 0), ("icmpv6", 128, 0)),
        (("50", -1, -1), ("50", None, None)),
        (("47", 1, 2), ("47", None, None)),
        ((6, 1, 2), ("tcp", 1, 2)),
    ],
)
def test_protocols_and_ports_are_named_alike_whatever_aws_writes(
    given: tuple[Any, Any, Any], read: tuple[str, int | None, int | None]
) -> None:
    protocol, low, high = given
    tables = answered(
        "ec2-describe-security-group-rules",
        rule(IpProtocol=protocol, FromPort=low, ToPort=high, CidrIpv4=ANYWHERE),
    )
    (row,) = tables.security_group_rules.itertuples()
    assert row.protocol == read[0]
    assert [None if pd.isna(port) else port for port in (row.from_port, row.to_port)] == [*read[1:]]


@pytest.mark.parametrize(
    ("target", "kind", "id"),
    [
        ({"GatewayId": "local"}, "local", "local"),
        ({"GatewayId": "igw-1"}, "internet_gateway", "igw-1"),
        ({"GatewayId": "vgw-1"}, "virtual_private_gateway", "vgw-1"),
        ({"GatewayId": "vpce-1"}, "vpc_endpoint", "vpce-1"),
        ({"GatewayId": "new-1"}, "unknown", "new-1"),
        ({"NatGatewayId": "nat-1"}, "nat_gateway", "nat-1"),
        ({"TransitGatewayId": "tgw-1"}, "transit_gateway", "tgw-1"),
        ({"VpcPeeringConnectionId": "pcx-1"}, "vpc_peering_connection", "pcx-1"),
        ({"EgressOnlyInternetGatewayId": "eigw-1"}, "egress_only_internet_gateway", "eigw-1"),
        ({"InstanceId": "i-1", "NetworkInterfaceId": "eni-1"}, "network_interface", "eni-1"),
        ({"CarrierGatewayId": "cagw-1"}, "carrier_gateway", "cagw-1"),
        ({"LocalGatewayId": "lgw-1"}, "local_gateway", "lgw-1"),
        ({"CoreNetworkArn": "arn:aws:x"}, "core_network", "arn:aws:x"),
        ({"InventedId": "new-1"}, "unknown", None),
    ],
)
def test_a_vpc_route_is_kept_whatever_its_target_is(
    target: dict[str, str], kind: str, id: str | None
) -> None:
    world = World()
    world.route(world.vpc(), "192.0.2.0/24", **target)
    row = Tables(world.snapshot()).routes.iloc[-1]
    assert row["target_kind"] == kind
    assert (None if pd.isna(row["target_id"]) else row["target_id"]) == id


def test_addresses_of_an_interface_are_all_listed() -> None:
    world = World()
    subnet = world.subnet(world.vpc(), "10.0.0.0/24")
    eni = world.interface(
        subnet,
        ip="10.0.0.7",
        more_ips=("10.0.0.8",),
        ipv6=("2001:db8::1",),
        Ipv4Prefixes=[{"Ipv4Prefix": "10.0.0.16/28"}],
        Ipv6Prefixes=[{"Ipv6Prefix": "2001:db8::/80"}],
    )
    world.record(eni)["PrivateIpAddresses"][0]["Association"] = {"PublicIp": "192.0.2.7"}
    frame = Tables(world.snapshot()).network_interface_addresses
    assert frame["address"].tolist() == [
        "10.0.0.7",
        "10.0.0.8",
        "2001:db8::1",
        "10.0.0.16/28",
        "2001:db8::/80",
    ]
    assert frame["family"].tolist() == [4, 4, 6, 4, 6]
    assert frame["primary"].tolist() == [True, False, False, False, False]
    assert frame["public_ip"].tolist()[0] == "192.0.2.7"
    assert frame["public_ip"].isna().tolist() == [False, True, True, True, True]


def test_network_acl_entries_name_protocols_ports_and_icmp_types() -> None:
    world = World()
    acl = world.network_acl(world.vpc())
    world.acl_entry(acl, 10, "allow", "10.0.0.0/8", protocol="6", ports=(443, 444))
    world.acl_entry(acl, 20, "deny", "2001:db8::/32", protocol="58", ports=(128, 0), egress=True)
    frame = Tables(world.snapshot()).network_acl_entries.tail(2)
    assert frame["protocol"].tolist() == ["tcp", "icmpv6"]
    assert frame["from_port"].tolist() == [443, 128]
    assert frame["to_port"].tolist() == [444, 0]
    assert frame["family"].tolist() == [4, 6]
    assert frame["is_egress"].tolist() == [False, True]


def test_both_sides_of_a_peering_show_all_their_ranges() -> None:
    world = World()
    peering = world.peering(world.vpc("10.0.0.0/16", "10.1.0.0/16"), world.vpc("10.9.0.0/16"))
    row = Tables(world.snapshot()).vpc_peering_connections.iloc[0]
    assert row["vpc_peering_connection_id"] == peering
    assert row["requester_cidr_blocks"] == ("10.0.0.0/16", "10.1.0.0/16")
    assert row["accepter_cidr_blocks"] == ("10.9.0.0/16",)


def test_only_the_log_group_that_was_asked_for_is_listed() -> None:
    tables = answered(
        "logs-describe-log-groups",
        {"logGroupName": "/vpn"},
        {"logGroupName": "/vpn-of-others", "retentionInDays": 1},
        resource="/vpn",
    )
    assert tables.log_groups["log_group_name"].tolist() == ["/vpn"]
    assert tables.log_groups["retention_in_days"].isna().all()


@pytest.mark.parametrize(
    "moment", ["2026-01-02T03:04:05+00:00", "2026-01-02T12:04:05+09:00", 1767323045, 1767323045.0]
)
def test_times_of_both_generations_of_the_aws_cli_are_read(moment: Any) -> None:
    key = (ACCOUNT, REGION, "acm-describe-certificate", "arn:a")
    document = {"Certificate": {"CertificateArn": "arn:a", "NotAfter": moment}}
    frame = Tables(Snapshot.from_documents({key: document})).server_certificates
    assert frame["not_after"].tolist() == [pd.Timestamp("2026-01-02T03:04:05Z")]


def test_an_endpoint_without_policy_has_no_row() -> None:
    read_id = "ec2-get-client-vpn-endpoint-authorization-policy"
    tables = answered(
        read_id, {"ClientVpnEndpointId": "cvpn-endpoint-1"}, resource="cvpn-endpoint-1"
    )
    assert tables.client_vpn_authorization_policies.empty


# -- repeated and broken input --------------------------------------------------------------------


def test_a_record_listed_twice_is_kept_once_and_the_later_one_counts() -> None:
    tables = answered(
        "ec2-describe-security-group-rules",
        rule(CidrIpv4="10.0.0.0/8"),
        rule(SecurityGroupRuleId="sgr-2"),
        rule(CidrIpv4="192.0.2.0/24"),
    )
    frame = tables.security_group_rules
    assert frame["rule_id"].tolist() == ["sgr-2", "sgr-1"]
    assert frame["record"].tolist() == [1, 2]
    assert frame["peer"].tolist()[1] == "192.0.2.0/24"


def test_rows_without_a_full_key_are_dropped_only_when_equal_in_all() -> None:
    rules = [
        {"DestinationCidr": "10.0.0.0/8", "AccessAll": True, "Description": text}
        for text in ("a", "a", "b")
    ]
    read_id = "ec2-describe-client-vpn-authorization-rules"
    tables = answered(read_id, *rules, resource="cvpn-endpoint-1")
    assert tables.client_vpn_authorization_rules["description"].tolist() == ["a", "b"]


def test_one_id_in_two_regions_is_two_things() -> None:
    documents = {
        (ACCOUNT, region, "ec2-describe-vpcs", None): {"Vpcs": [{"VpcId": "vpc-1"}]}
        for region in (REGION, "eu-west-1")
    }
    assert len(Tables(Snapshot.from_documents(documents)).vpcs) == 2


@pytest.mark.parametrize(
    ("read_id", "record", "table", "named"),
    [
        ("ec2-describe-vpcs", "vpc-1", "vpcs", "not an object"),
        ("ec2-describe-vpcs", None, "vpcs", "not an object"),
        ("ec2-describe-vpcs", {}, "vpcs", "no VpcId"),
        ("ec2-describe-vpcs", {"VpcId": None}, "vpcs", "no VpcId"),
        ("ec2-describe-vpcs", {"VpcId": ["vpc-1"]}, "vpcs", "VpcId"),
        ("ec2-describe-vpcs", {"VpcId": "vpc-1", "CidrBlock": "ten"}, "vpcs", "'ten' as CidrBlock"),
        ("ec2-describe-vpcs", {"VpcId": "vpc-1", "IsDefault": "maybe"}, "vpcs", "true or false"),
        ("ec2-describe-vpcs", {"VpcId": "v", "Tags": "x"}, "vpcs", "a list"),
        ("ec2-describe-vpcs", {"VpcId": "v", "Tags": ["x"]}, "vpcs", "not an object"),
        ("ec2-describe-security-groups", {"GroupName": "x"}, "security_groups", "no GroupId"),
        ("ec2-describe-security-group-rules", rule(IsEgress=None), "security_group_rules", "IsEgress"),
        ("ec2-describe-security-group-rules", rule(GroupId=""), "security_group_rules", "no GroupId"),
        ("ec2-describe-security-group-rules", rule(IpProtocol=None), "security_group_rules", "IpProtocol"),
        ("ec2-describe-security-group-rules", rule(FromPort="http"), "security_group_rules", "whole number"),
        ("ec2-describe-security-group-rules", rule(FromPort=True), "security_group_rules", "whole number"),
        ("ec2-describe-security-group-rules", rule(FromPort=10**30), "security_group_rules", "whole number"),
        ("ec2-describe-security-group-rules", rule(FromPort=1.5), "security_group_rules", "whole number"),
        ("ec2-describe-security-group-rules", rule(IpProtocol="tcp", FromPort=9, ToPort=8), "security_group_rules", "ports 9 to 8"),
        ("ec2-describe-security-group-rules", rule(IpProtocol="tcp", FromPort=9, ToPort=99999), "security_group_rules", "ports"),
        ("ec2-describe-security-group-rules", rule(IpProtocol="tcp", FromPort=9, ToPort=None), "security_group_rules", "ports"),
        ("ec2-describe-security-group-rules", rule(IpProtocol="icmp", FromPort=900), "security_group_rules", "ports"),
        ("ec2-describe-security-group-rules", rule(IpProtocol="-2"), "security_group_rules", "protocol -2"),
        ("ec2-describe-security-group-rules", rule(IpProtocol="ipsec"), "security_group_rules", "protocol ipsec"),
        ("ec2-describe-security-group-rules", rule(ReferencedGroupInfo="sg-2"), "security_group_rules", "an object"),
        ("ec2-describe-network-interfaces", {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "Groups": "sg-1"}, "network_interface_groups", "a list"),
        ("ec2-describe-network-interfaces", {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "Groups": [{}]}, "network_interface_groups", "no Groups[].GroupId"),
        ("ec2-describe-network-interfaces", {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "PrivateIpAddresses": [{"PrivateIpAddress": "here"}]}, "network_interface_addresses", "an address"),
        ("ec2-describe-network-interfaces", {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "Ipv6Addresses": [{}]}, "network_interface_addresses", "no Ipv6Address"),
        ("ec2-describe-network-acls", {"NetworkAclId": "acl-1", "Entries": [{"Egress": True, "Protocol": "-1", "RuleNumber": 1, "RuleAction": "allow"}]}, "network_acl_entries", "no CidrBlock"),
        ("ec2-describe-route-tables", {"RouteTableId": "rtb-1", "Routes": [7]}, "routes", "not an object"),
        ("ec2-describe-client-vpn-endpoints", {"ClientVpnEndpointId": "e", "SecurityGroupIds": "sg-1"}, "client_vpn_endpoints", "a list"),
        ("ec2-describe-client-vpn-endpoints", {"ClientVpnEndpointId": "e", "SecurityGroupIds": [7]}, "client_vpn_endpoints", "a list of text"),
        ("ec2-describe-client-vpn-endpoints", {"ClientVpnEndpointId": "e", "Status": "available"}, "client_vpn_endpoints", "an object"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_by_file_and_record(
    read_id: str, record: Any, table: str, named: str
) -> None:
    good = {"ec2-describe-vpcs": {"VpcId": "vpc-0"}}.get(read_id)
    records = [good, record] if good else [record]
    tables = answered(read_id, *records)
    with pytest.raises(SnapshotError) as caught:
        tables[table]
    assert f"{ACCOUNT}/{REGION}/{read_id}.json: record {len(records) - 1} " in str(caught.value)
    assert named in str(caught.value)


def test_a_record_of_another_endpoint_is_refused() -> None:
    tables = answered(
        "ec2-describe-client-vpn-routes",
        {"ClientVpnEndpointId": "cvpn-endpoint-2", "DestinationCidr": "10.0.0.0/8"},
        resource="cvpn-endpoint-1",
    )
    with pytest.raises(SnapshotError, match=r"belongs to cvpn-endpoint-2, in the file of"):
        _ = tables.client_vpn_routes


@pytest.mark.parametrize("document", [{}, {"Vpcs": None}, {"Vpcs": {}}, {"Vpcs": "none"}])
def test_an_answer_without_its_list_is_not_an_empty_table(document: dict[str, Any]) -> None:
    snapshot = Snapshot.from_documents({(ACCOUNT, REGION, "ec2-describe-vpcs", None): document})
    with pytest.raises(SnapshotError, match=r"ec2-describe-vpcs\.json"):
        _ = Tables(snapshot).vpcs


def test_a_file_that_lies_in_the_wrong_place_is_refused() -> None:
    snapshot = Snapshot.from_documents(
        {(ACCOUNT, REGION, "ec2-describe-client-vpn-routes", None): {"Routes": []}}
    )
    with pytest.raises(SnapshotError, match="read per resource"):
        _ = Tables(snapshot).client_vpn_routes


def test_members_and_values_aws_has_not_invented_yet_pass_through() -> None:
    world = rich_world()
    rule_id = next(id for id in world._by_id if id.startswith("sgr-"))
    endpoint = next(id for id in world._by_id if id.startswith("cvpn-endpoint-"))
    world.record(rule_id)["Quantum"] = {"Entangled": True}
    world.record(endpoint)["Status"] = {"Code": "levitating"}
    tables = Tables(world.snapshot())
    assert "levitating" in tables.client_vpn_endpoints["status"].tolist()
    assert rule_id in tables.security_group_rules["rule_id"].tolist()


def test_half_a_character_does_not_break_tables_or_files() -> None:
    tables = answered(
        "ec2-describe-vpcs", {"VpcId": "vpc-1", "Tags": [{"Key": "Name", "Value": "a\ud800b"}]}
    )
    assert tables.vpcs["name"].tolist() == ["a\ufffdb"]
    assert tables.vpcs["tags"].tolist() == [(("Name", "a\ufffdb"),)]


def test_text_is_kept_as_it_is() -> None:
    name = "東京 VPN <b>'\";\x00 =1+1\u202e"
    tables = answered("ec2-describe-vpcs", {"VpcId": "v", "Tags": [{"Key": "Name", "Value": name}]})
    assert tables.vpcs["name"].tolist() == [name]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*path, key))


SNAPSHOT = rich_world().snapshot()
DOCUMENTS = {call.key: SNAPSHOT.document(call) for call in SNAPSHOT.calls if call.file}
PLACES = [(key, path) for key, document in DOCUMENTS.items() for path in paths(document)]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-2, -1, 0, 65536, 2**63, 10**40, 0.5, float("nan"), float("inf")]),
    st.sampled_from(
        ["", "-1", "443", "0.0.0.0/0", "::/0", "10.0.0.1/8", "\ud800", "東", "default"]
    ),
    st.sampled_from([[], {}, [None], [[]], [{}], {"Code": 1}, {"": None}]),
)


@settings(max_examples=150, deadline=None)
@given(place=st.sampled_from(PLACES), junk=JUNK, lost=st.booleans())
def test_any_member_may_be_anything_and_the_worst_is_a_named_file(
    place: tuple[Any, tuple[Any, ...]], junk: Any, lost: bool
) -> None:
    key, path = place
    documents = copy.deepcopy(DOCUMENTS)
    inside: Any = documents[key]
    for step in path[:-1]:
        inside = inside[step]
    if lost:
        del inside[path[-1]]
    else:
        inside[path[-1]] = junk
    tables = Tables(Snapshot.from_documents(documents, botocore_version="1.44.5"))
    named = ""
    try:
        frames = {name: tables[name] for name in tables.names}
        tables.gaps()
    except SnapshotError as error:
        named = str(error)
        assert f"/{key[2]}" in named
    else:
        assert all(dtype_is_right(frame, name) for name, frame in frames.items())


# -- gaps -----------------------------------------------------------------------------------------


def test_a_world_that_was_read_has_no_gaps() -> None:
    gaps = Tables(rich_world().snapshot()).gaps()
    assert gaps.empty
    assert tuple(gaps.columns) == GAPS.names


def children(read_id: str) -> set[str]:
    return {t for read in READS if read_id in read.parents for t in read.tables}


@pytest.mark.parametrize("read_id", [read.id for read in READS])
@pytest.mark.parametrize("status", ["denied", "failed", "unsupported"])
def test_a_refused_read_is_a_gap_in_its_tables_and_in_those_that_follow(
    read_id: str, status: str
) -> None:
    world = rich_world()
    world.refuse(read_id, status=status, code="Refused")
    gaps = Tables(world.snapshot()).gaps()
    read = read_of(read_id)
    assert set(gaps["table"]) == {*read.tables} | children(read_id)
    assert set(gaps["operation"]) == {read.operation}
    assert set(gaps["status"]) == {status}
    assert set(gaps["error_code"]) == {"Refused"}
    assert set(gaps["error_message"]) == {"refused by a test"}
    assert set(gaps["iam_action"]) == {read.iam_action}
    own = gaps[gaps["table"].isin(read.tables)]
    assert own["resource"].isna().all() == (read.resources is None)


@pytest.mark.parametrize("read_id", [read.id for read in READS])
def test_a_read_that_was_never_made_is_a_gap(read_id: str) -> None:
    snapshot = rich_world().snapshot()
    kept = [call for call in snapshot.calls if f"{call.service}-{call.operation}" != read_id]
    documents = {call.key: snapshot.document(call) for call in kept if call.file}
    absent = [call for call in kept if not call.file]
    gaps = Tables(Snapshot.from_documents(documents, absent, botocore_version="1.44.5")).gaps()
    assert set(gaps["table"]) == {*read_of(read_id).tables} | children(read_id)
    assert set(gaps["status"]) == {"missing"}


def test_one_refused_endpoint_is_a_gap_beside_those_that_were_read() -> None:
    world = World()
    vpc = world.vpc()
    first, second = world.endpoint(vpc), world.endpoint(vpc)
    world.refuse("ec2-describe-client-vpn-routes", resource=second)
    gaps = Tables(world.snapshot()).gaps("client_vpn_routes")
    assert gaps["resource"].tolist() == [second]
    assert first != second


def test_a_gap_of_one_region_is_not_one_of_another() -> None:
    world = rich_world()
    world.at("eu-west-1").vpc()
    world.refuse("ec2-describe-vpcs", region="eu-west-1")
    gaps = Tables(world.snapshot()).gaps("vpcs")
    assert gaps["region"].tolist() == ["eu-west-1"]


def test_a_refused_call_for_something_no_longer_listed_is_still_a_gap() -> None:
    snapshot = World().snapshot()
    refused = Call(
        account=ACCOUNT,
        region=REGION,
        service="ec2",
        operation="describe-client-vpn-routes",
        resource="cvpn-endpoint-gone",
        status="failed",
        error_code="InvalidClientVpnEndpointId.NotFound",
    )
    documents = {call.key: snapshot.document(call) for call in snapshot.calls}
    gaps = Tables(Snapshot.from_documents(documents, [refused])).gaps("client_vpn_routes")
    assert gaps["resource"].tolist() == ["cvpn-endpoint-gone"]


def test_an_answer_that_says_there_is_none_is_no_gap() -> None:
    world = World()
    world.endpoint(world.vpc())
    tables = Tables(world.snapshot())
    assert tables.client_vpn_authorization_policies.empty
    assert tables.gaps("client_vpn_authorization_policies").empty


def test_a_call_that_went_well_without_an_answer_is_a_gap() -> None:
    lost = Call(account=ACCOUNT, region=REGION, service="ec2", operation="describe-vpcs")
    gaps = Tables(Snapshot.from_documents({}, [lost])).gaps("vpcs")
    assert gaps["status"].tolist() == ["missing"]


@pytest.mark.parametrize(
    ("version", "tables"),
    [
        ("1.42.0", {"client_vpn_endpoints", "client_vpn_authorization_policies"}),
        ("1.43.0", {"client_vpn_authorization_policies"}),
        ("1.43.104", set()),
    ],
)
def test_answers_of_an_old_sdk_are_gaps_only_where_it_drops_members(version, tables) -> None:
    gaps = Tables(rich_world().snapshot(botocore_version=version)).gaps()
    assert set(gaps["table"]) == tables
    assert set(gaps["status"]) <= {"unsupported"}
    assert gaps["error_message"].str.contains(version, regex=False).all()


def test_a_refusal_is_told_rather_than_the_age_of_the_sdk() -> None:
    world = rich_world().refuse("ec2-describe-client-vpn-endpoints")
    gaps = Tables(world.snapshot(botocore_version="1.40.0")).gaps("client_vpn_endpoints")
    assert gaps["status"].tolist() == ["denied"]


def test_a_view_has_the_gaps_of_all_it_rests_on() -> None:
    world = rich_world().refuse("ec2-describe-network-interfaces")
    gaps = Tables(world.snapshot()).gaps("endpoint_security_groups")
    assert set(gaps["table"]) == {"network_interfaces", "network_interface_groups"}


def test_a_snapshot_of_nowhere_has_gaps_in_everything_and_no_check_says_fine() -> None:
    tables = Tables(Snapshot.from_documents({}))
    assert set(tables.gaps()["table"]) == set(BASE_TABLES) - ASKED_FOR
    said = {finding.status for finding in check.audit(tables)}
    assert said <= {check.Status.NOT_ASSESSED}


# -- the collection of tables ---------------------------------------------------------------------


def test_a_mistyped_table_gets_the_nearest_names() -> None:
    tables = Tables(World().snapshot())
    for ask in (lambda: tables["security_group"], lambda: tables.security_group):
        with pytest.raises(ParameterError, match=r"Did you mean security_groups"):
            ask()
    with pytest.raises(ParameterError, match=r"vpcs"):
        tables.gaps("vpc")
    with pytest.raises(ParameterError, match=r"Known are: change_events, client_cert"):
        tables["zzz"]
    assert not hasattr(tables, "security_group")
    assert not hasattr(tables, "_ipython_display_")


def test_tables_complete_and_list_their_names() -> None:
    tables = Tables(World().snapshot())
    assert set(SCHEMAS) <= set(dir(tables))
    assert {"gaps", "replace"} <= set(dir(tables))
    assert tuple(tables) == tables.names
    assert "vpcs" in tables
    assert "vpc" not in tables


def test_the_repr_tells_rows_and_gaps() -> None:
    text = repr(Tables(rich_world().refuse("ec2-describe-subnets").snapshot()))
    lines = [re.sub(" +", " ", line.strip()) for line in text.splitlines()]
    assert "security_groups 4 rows a security group" in lines
    assert "subnets 0 rows 1 gap a subnet" in lines


def test_the_repr_survives_a_broken_snapshot() -> None:
    assert "no VpcId" in repr(answered("ec2-describe-vpcs", {}))


def test_a_replaced_table_changes_the_views_that_rest_on_it() -> None:
    tables = Tables(rich_world().snapshot())
    rules = tables.security_group_rules
    changed = tables.replace(security_group_rules=rules[rules["is_egress"]])
    assert changed.ingress_rules.empty
    assert not tables.ingress_rules.empty
    assert len(changed.vpcs) == len(tables.vpcs)


def test_what_was_not_read_stays_unread_in_a_preview() -> None:
    world = rich_world().refuse("ec2-describe-client-vpn-routes")
    tables = Tables(world.snapshot())
    changed = tables.replace(client_vpn_endpoints=tables.client_vpn_endpoints.head(0))
    pd.testing.assert_frame_equal(changed.gaps(), tables.gaps())
    assert len(changed.gaps("client_vpn_routes")) == 2


def test_a_replacement_must_be_a_whole_base_table() -> None:
    tables = Tables(rich_world().snapshot())
    with pytest.raises(ParameterError, match="is a view"):
        tables.replace(ingress_rules=tables.ingress_rules)
    with pytest.raises(ParameterError, match="lacks vpc_id"):
        tables.replace(vpcs=tables.vpcs.drop(columns="vpc_id"))
    with pytest.raises(ParameterError, match="Did you mean vpcs"):
        tables.replace(vpc=tables.vpcs)


def test_a_document_is_parsed_once_for_all_its_tables() -> None:
    snapshot = rich_world().snapshot()
    opened: list[str] = []
    counted = Snapshot(
        snapshot.manifest, lambda file: (opened.append(file), snapshot._open_document(file))[1]
    )
    tables = Tables(counted)
    for name in tables.names:
        tables[name]
    tables.gaps()
    assert len(opened) == len(set(opened))


def test_a_static_and_a_propagated_route_to_one_network_are_two_routes():
    world = World()
    vpc = world.vpc("10.0.0.0/16")
    world.route(vpc, "10.9.0.0/16", TransitGatewayId="tgw-1")
    world.record(f"{vpc}/route-table")["Routes"].append(
        {
            "DestinationCidrBlock": "10.9.0.0/16",
            "GatewayId": "vgw-1",
            "Origin": "EnableVgwRoutePropagation",
            "State": "active",
        }
    )
    routes = Tables(world.snapshot())["routes"]
    found = routes[routes["destination"] == "10.9.0.0/16"]
    assert sorted(found["target_kind"]) == ["transit_gateway", "virtual_private_gateway"]


def test_a_name_like_no_other_gets_a_few_names_or_where_all_are_listed() -> None:
    many = [f"name-{n:02}" for n in range(40)]
    said = str(nearest("zzz", many, noun="table"))
    assert said.endswith("name-11 and 28 more.")
    assert str(nearest("zzz", many, noun="check")).endswith("`auditlib checks` lists all 40.")


def test_what_is_worked_out_of_frames_is_kept_as_long_as_they_are_there():
    asked = []

    @kept
    def total(frame: pd.DataFrame, column: str) -> int:
        asked.append(column)
        return int(frame[column].sum())

    one, same = pd.DataFrame({"a": [1, 2], "b": [3, 4]}), pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    assert [total(one, "a"), total(one, "a"), total(one, "b"), total(same, "a")] == [3, 3, 7, 3]
    assert asked == ["a", "b", "a"]
    assert sum(key[0] is total.__wrapped__ for key in _KEPT) == 3
    del one, same
    gc.collect()
    assert not any(key[0] is total.__wrapped__ for key in _KEPT)
    assert total(pd.DataFrame({"a": [5]}), "a") == 5
