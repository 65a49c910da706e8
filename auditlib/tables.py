"""Tables: one pure function per base table, from AWS's answers to a typed frame.

To add a table, add its schema to ``schemas.py``, name it in its read's row in ``aws/reads.py``,
and write a function of the table's name here that returns its columns.
"""

import difflib
import inspect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Protocol

import numpy as np
import pandas as pd

from auditlib import certificates, trail, views
from auditlib.addresses import is_protocol
from auditlib.aws.reads import READS, Read, read_of, reads_for
from auditlib.errors import ParameterError, SnapshotError
from auditlib.frames import frame_of, frame_of_rows
from auditlib.gaps import (
    GapRow,
    coverage_frame,
    gap_rows,
    not_understood,
    once,
    unlisted_groups,
)
from auditlib.language import marked, sentences, tr, tr_as
from auditlib.records import Answer, Records, cidr_family, first
from auditlib.schemas import GAPS, SCHEMAS
from auditlib.snapshot import Call, Snapshot, shape_problem
from auditlib.words import clean, listed

__all__ = ["Pending", "Tables", "UnknownNameError", "nearest", "table_of"]

Columns = dict[str, Any]

_TABLES: dict[str, Callable[[Records], tuple[Records, Columns]]] = {}


def table(
    function: Callable[[Records], tuple[Records, Columns]],
) -> Callable[[Records], tuple[Records, Columns]]:
    """Register a function as the one that builds the table of its name.

    It is given the records of the table's read and returns the records its rows stand for, and a
    value per row for each column; account, region, source and record follow from the records.
    """
    _TABLES[function.__name__] = function
    return function


def table_of(name: str, answers: Iterable[Answer]) -> pd.DataFrame:
    """Return a base table built from the answers to its read.

    Rows with one key are one thing that AWS listed twice (a page moved while it was read): the
    last is kept.

    Raises
    ------
    SnapshotError
        When a record cannot be understood; names its file and position.
    """
    return _frame(name, Records.of(tuple(answers)))


def _frame(name: str, records: Records) -> pd.DataFrame:
    rows, columns = _TABLES[name](records)
    answers = rows.answers
    places: Columns = {
        "account": _codes(rows, [answer.account for answer in answers]),
        "region": _codes(rows, [answer.region for answer in answers]),
        "source": _codes(rows, [answer.file for answer in answers]),
        "record": pd.array(rows.position, dtype="Int64"),
    }
    repeated = _repeated(name, rows, columns)
    frame = frame_of(SCHEMAS[name], columns | places)
    return frame.drop(index=repeated).reset_index(drop=True) if repeated else frame


def _codes(rows: Records, values: list[str]) -> pd.Categorical:
    known = sorted(set(values))
    code = {value: i for i, value in enumerate(known)}
    codes = np.array([code[value] for value in values], dtype=np.int32)
    return pd.Categorical.from_codes(
        codes[rows.answer_of] if len(values) else codes, categories=pd.Index(known, dtype="str")
    )


def _repeated(name: str, rows: Records, columns: Columns) -> list[int]:
    """Return the positions of rows that a later row repeats."""
    key = [column for column in SCHEMAS[name].key if column in columns]
    places = {(a.account, a.region): i for i, a in enumerate(rows.answers)}
    place = np.array([places[a.account, a.region] for a in rows.answers], dtype=np.int64)
    at = place[rows.answer_of].tolist() if len(place) else []
    keys = list(zip(at, *(columns[column] for column in key), strict=True))
    if len(set(keys)) == len(keys):
        return []
    everything = [values for column, values in columns.items() if column not in key]
    last: dict[Any, int] = {}
    repeated = []
    for i, (identity, *rest) in enumerate(zip(keys, *everything, strict=True)):
        # A key with a missing part does not identify: only a row that is equal in all is the same.
        full = identity if None not in identity else (identity, *rest)
        if full in last:
            repeated.append(last[full])
        last[full] = i
    return repeated


# -- Client VPN -----------------------------------------------------------------------------------


@table
def client_vpn_endpoints(found: Records) -> tuple[Records, Columns]:
    """Return the endpoints' columns; ``attachment`` is settled where the SDK's age is known."""
    gateway = found.part("TransitGatewayConfiguration")
    log, connect = found.part("ConnectionLogOptions"), found.part("ClientConnectOptions")
    banner, tags = found.part("ClientLoginBannerOptions"), found.tags()
    vpc, transit = found.text("VpcId"), gateway.text("TransitGatewayId")
    chains = found.gather(
        "AuthenticationOptions",
        lambda o: o.part("MutualAuthentication").text("ClientRootCertificateChain"),
    )
    saml = found.gather(
        "AuthenticationOptions",
        lambda o: o.part("FederatedAuthentication").text("SamlProviderArn"),
    )
    service_saml = found.gather(
        "AuthenticationOptions",
        lambda o: o.part("FederatedAuthentication").text("SelfServiceSamlProviderArn"),
    )
    providers = found.part("DevicePostureOptions").gather(
        "TrustProviders", lambda p: [kind or "unknown" for kind in p.text("TrustProviderType")]
    )
    return found, {
        "endpoint_id": found.id("ClientVpnEndpointId"),
        "name": _name(tags),
        "description": found.text("Description"),
        "status": found.part("Status").text("Code"),
        "attachment": [
            "transit_gateway" if t else "vpc" if v else "none" if sees_gateways else "unknown"
            for t, v, sees_gateways in zip(transit, vpc, found.read_by("1.42.92"), strict=True)
        ],
        "created": found.time("CreationTime"),
        "client_cidr_block": found.cidr("ClientCidrBlock"),
        "endpoint_ip_address_type": found.text("EndpointIpAddressType"),
        "traffic_ip_address_type": found.text("TrafficIpAddressType"),
        "vpc_id": vpc,
        "transit_gateway_id": transit,
        "transit_gateway_attachment_id": gateway.text("TransitGatewayAttachmentId"),
        "security_group_ids": found.texts("SecurityGroupIds"),
        "split_tunnel": found.flag("SplitTunnel"),
        "transport_protocol": found.text("TransportProtocol"),
        "vpn_port": found.whole("VpnPort"),
        "dns_servers": found.texts("DnsServers"),
        "authentication_types": found.gather("AuthenticationOptions", lambda o: o.text("Type")),
        "directory_ids": found.gather(
            "AuthenticationOptions", lambda o: o.part("ActiveDirectory").text("DirectoryId")
        ),
        "saml_provider_arns": [
            tuple(dict.fromkeys((*a, *b))) for a, b in zip(saml, service_saml, strict=True)
        ],
        "client_root_certificate_chain": [chain[0] if chain else None for chain in chains],
        "server_certificate_arn": found.text("ServerCertificateArn"),
        "connection_log_enabled": log.flag("Enabled"),
        "connection_log_group": log.text("CloudwatchLogGroup"),
        "connection_log_stream": log.text("CloudwatchLogStream"),
        "connect_handler_enabled": connect.flag("Enabled"),
        "connect_handler_function_arn": connect.text("LambdaFunctionArn"),
        "connect_handler_status": connect.part("Status").text("Code"),
        "session_timeout_hours": found.whole("SessionTimeoutHours"),
        "disconnect_on_session_timeout": found.flag("DisconnectOnSessionTimeout"),
        "banner_enabled": banner.flag("Enabled"),
        "banner_text": banner.text("BannerText"),
        "route_enforcement": found.part("ClientRouteEnforcementOptions").flag("Enforced"),
        # AWS leaves out whether posture is enabled: it is where a trust provider is named.
        "device_posture": [
            "on" if named else "off" if sees_posture else "unknown"
            for named, sees_posture in zip(providers, found.read_by("1.43.104"), strict=True)
        ],
        "posture_trust_providers": providers,
        "self_service_portal_url": found.text("SelfServicePortalUrl"),
        "tags": tags,
        "read_at": found.read_at(),
    }


@table
def client_vpn_target_networks(found: Records) -> tuple[Records, Columns]:
    """Return the columns of the endpoints' associations."""
    status = found.part("Status")
    return found, {
        "endpoint_id": found.resource_id("ClientVpnEndpointId"),
        "association_id": found.id("AssociationId"),
        "subnet_id": found.text("TargetNetworkId"),
        "vpc_id": found.text("VpcId"),
        "status": status.text("Code"),
        "status_message": status.text("Message"),
        "security_group_ids": found.texts("SecurityGroups"),
    }


@table
def client_vpn_authorization_rules(found: Records) -> tuple[Records, Columns]:
    """Return the columns of the endpoints' authorization rules."""
    groups, told = found.text("GroupId"), found.flag("AccessAll")
    # A rule that names no group and does not say whom it is for is taken to be for everyone.
    access_all = [
        a if a is not None else group is None for a, group in zip(told, groups, strict=True)
    ]
    return found, {
        "endpoint_id": found.resource_id("ClientVpnEndpointId"),
        "destination_cidr": _required(found, found.cidr("DestinationCidr"), "DestinationCidr"),
        "group_id": [None if a else group for a, group in zip(access_all, groups, strict=True)],
        "access_all": access_all,
        "description": found.text("Description"),
        "status": found.part("Status").text("Code"),
    }


@table
def client_vpn_routes(found: Records) -> tuple[Records, Columns]:
    """Return the columns of the endpoints' routes."""
    return found, {
        "endpoint_id": found.resource_id("ClientVpnEndpointId"),
        "destination_cidr": _required(found, found.cidr("DestinationCidr"), "DestinationCidr"),
        "target_subnet": found.text("TargetSubnet"),
        "transit_gateway_attachment_id": found.text("TransitGatewayAttachmentId"),
        "type": found.text("Type"),
        "origin": found.text("Origin"),
        "description": found.text("Description"),
        "status": found.part("Status").text("Code"),
    }


@table
def client_vpn_connections(found: Records) -> tuple[Records, Columns]:
    """Return the columns of the endpoints' connections; AWS gives times and counters as text."""
    return found, {
        "endpoint_id": found.resource_id("ClientVpnEndpointId"),
        "connection_id": found.id("ConnectionId"),
        "username": found.text("Username"),
        "common_name": found.text("CommonName"),
        "client_ip": found.text("ClientIp"),
        "client_ipv6": found.text("ClientIpv6Address"),
        "status": found.part("Status").text("Code"),
        "established": found.time("ConnectionEstablishedTime"),
        "ended": found.time("ConnectionEndTime"),
        "ingress_bytes": found.whole("IngressBytes", lenient=True),
        "egress_bytes": found.whole("EgressBytes", lenient=True),
    }


@table
def client_vpn_authorization_policies(found: Records) -> tuple[Records, Columns]:
    """Return the columns of the endpoints' Cedar policies; an empty answer is no policy."""
    text, status = found.text("PolicyDocument"), found.text("Status")
    found = found.where([t or s for t, s in zip(text, status, strict=True)])
    return found, {
        "endpoint_id": found.resource_id("ClientVpnEndpointId"),
        "status": found.text("Status"),
        "shadow_mode": found.text("ShadowMode"),
        "policy_document": found.text("PolicyDocument"),
        "description": found.text("Description"),
    }


@table
def client_certificate_revocation_lists(found: Records) -> tuple[Records, Columns]:
    """Return the columns of the revocation lists; one that cannot be read says why."""
    status, texts = found.part("Status"), found.text("CertificateRevocationList")
    lists = [certificates.revocation_list_of(text) for text in texts]
    return found, {
        "endpoint_id": found.resource_id("ClientVpnEndpointId"),
        "status": status.text("Code"),
        "status_message": status.text("Message"),
        "imported": [text is not None for text in texts],
        "problem": [one.problem for one in lists],
        "issuer": [one.issuer for one in lists],
        "issued": [one.issued for one in lists],
        "next_update": [one.next_update for one in lists],
        "entries": [one.entries for one in lists],
        "read_at": found.read_at(),
    }


# -- security groups and interfaces ---------------------------------------------------------------


@table
def security_groups(found: Records) -> tuple[Records, Columns]:
    """Return the security groups' columns."""
    # The name tells a default group: one without it must not pass for an ordinary one; nor one
    # without its VPC for one that stands nowhere near an endpoint.
    tags, names = found.tags(), found.id("GroupName")
    return found, {
        "group_id": found.id("GroupId"),
        "group_name": names,
        "name": _name(tags),
        "description": found.text("Description"),
        "owner_id": found.text("OwnerId"),
        "vpc_id": found.id("VpcId"),
        "is_default": [name == "default" for name in names],
        "ingress_peers": found.many("IpPermissions", _PEERS),
        "egress_peers": found.many("IpPermissionsEgress", _PEERS),
        "tags": tags,
    }


_PEERS = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")


@table
def security_group_rules(found: Records) -> tuple[Records, Columns]:
    """Return the rules' columns; a peer that is not understood is kept as ``unknown``."""
    group = found.part("ReferencedGroupInfo")
    ipv4, ipv6 = found.text("CidrIpv4"), found.text("CidrIpv6")
    prefix_list, referenced = found.text("PrefixListId"), group.text("GroupId")
    kind, peer = _peers(ipv4, ipv6, prefix_list, referenced)
    protocol, from_port, to_port = _ports(
        found, found.id("IpProtocol"), found.whole("FromPort"), found.whole("ToPort")
    )
    return found, {
        "rule_id": found.id("SecurityGroupRuleId"),
        "group_id": found.id("GroupId"),
        "group_owner_id": found.text("GroupOwnerId"),
        "is_egress": found.truth("IsEgress"),
        "protocol": protocol,
        "from_port": from_port,
        "to_port": to_port,
        "peer_kind": kind,
        "peer": peer,
        "cidr_ipv4": ipv4,
        "cidr_ipv6": ipv6,
        "prefix_list_id": prefix_list,
        "referenced_group_id": referenced,
        "referenced_group_owner_id": group.text("UserId"),
        "referenced_vpc_id": group.text("VpcId"),
        "peering_status": group.text("PeeringStatus"),
        "vpc_peering_connection_id": group.text("VpcPeeringConnectionId"),
        "description": found.text("Description"),
    }


@table
def network_interfaces(found: Records) -> tuple[Records, Columns]:
    """Return the interfaces' columns."""
    tags = found.tags("TagSet")
    return found, {
        "eni_id": found.id("NetworkInterfaceId"),
        "name": _name(tags),
        "description": found.text("Description"),
        "interface_type": found.text("InterfaceType"),
        "status": found.text("Status"),
        "vpc_id": found.id("VpcId"),
        "subnet_id": found.text("SubnetId"),
        "availability_zone": found.text("AvailabilityZone"),
        "private_ip": found.address("PrivateIpAddress"),
        "public_ip": found.part("Association").text("PublicIp"),
        "owner_id": found.text("OwnerId"),
        "requester_managed": found.flag("RequesterManaged"),
        "requester_id": found.text("RequesterId"),
        "instance_id": found.part("Attachment").text("InstanceId"),
        "tags": tags,
    }


@table
def network_interface_groups(found: Records) -> tuple[Records, Columns]:
    """Return a row per interface and security group on it."""
    group = found.each("Groups")
    return group, {
        "eni_id": group.spread(found.id("NetworkInterfaceId")),
        "group_id": group.id("GroupId"),
        "group_name": group.text("GroupName"),
    }


@table
def network_interface_addresses(found: Records) -> tuple[Records, Columns]:
    """Return a row per address or delegated prefix of an interface."""
    enis = found.id("NetworkInterfaceId")
    ipv4, ipv6 = found.each("PrivateIpAddresses"), found.each("Ipv6Addresses")
    prefixes4, prefixes6 = found.each("Ipv4Prefixes"), found.each("Ipv6Prefixes")
    public = ipv4.part("Association").text("PublicIp")
    parts = [
        (ipv4, _required(ipv4, ipv4.address("PrivateIpAddress"), "PrivateIpAddress"), "Primary"),
        (ipv6, _required(ipv6, ipv6.address("Ipv6Address"), "Ipv6Address"), "IsPrimaryIpv6"),
        (prefixes4, _required(prefixes4, prefixes4.cidr("Ipv4Prefix"), "Ipv4Prefix"), ""),
        (prefixes6, _required(prefixes6, prefixes6.cidr("Ipv6Prefix"), "Ipv6Prefix"), ""),
    ]
    rows = Records.joined([part for part, _, _ in parts])
    addresses = [value for _, values, _ in parts for value in values]
    return rows, {
        "eni_id": [eni for part, _, _ in parts for eni in part.spread(enis)],
        "address": addresses,
        "family": [6 if ":" in address else 4 for address in addresses],
        "primary": [
            bool(flag)
            for part, values, member in parts
            for flag in (part.flag(member) if member else [False] * len(values))
        ],
        "public_ip": public + [None] * (len(addresses) - len(public)),
    }


# -- VPCs -----------------------------------------------------------------------------------------


@table
def vpcs(found: Records) -> tuple[Records, Columns]:
    """Return the VPCs' columns."""
    tags = found.tags()
    return found, {
        "vpc_id": found.id("VpcId"),
        "name": _name(tags),
        "cidr_block": found.cidr("CidrBlock"),
        "is_default": found.flag("IsDefault"),
        "owner_id": found.text("OwnerId"),
        "tags": tags,
    }


@table
def vpc_cidr_blocks(found: Records) -> tuple[Records, Columns]:
    """Return a row per IPv4 and IPv6 range of a VPC."""
    ids = found.id("VpcId")
    ipv4, ipv6 = found.each("CidrBlockAssociationSet"), found.each("Ipv6CidrBlockAssociationSet")
    cidrs = [
        *_required(ipv4, ipv4.cidr("CidrBlock"), "CidrBlock"),
        *_required(ipv6, ipv6.cidr("Ipv6CidrBlock"), "Ipv6CidrBlock"),
    ]
    return Records.joined([ipv4, ipv6]), {
        "vpc_id": ipv4.spread(ids) + ipv6.spread(ids),
        "cidr_block": cidrs,
        "family": [6 if ":" in cidr else 4 for cidr in cidrs],
        "state": ipv4.part("CidrBlockState").text("State")
        + ipv6.part("Ipv6CidrBlockState").text("State"),
    }


@table
def subnets(found: Records) -> tuple[Records, Columns]:
    """Return the subnets' columns."""
    tags = found.tags()
    ipv6 = found.gather(
        "Ipv6CidrBlockAssociationSet",
        lambda block: [
            cidr if state in {"associated", None} else None
            for cidr, state in zip(
                block.cidr("Ipv6CidrBlock"),
                block.part("Ipv6CidrBlockState").text("State"),
                strict=True,
            )
        ],
    )
    return found, {
        "subnet_id": found.id("SubnetId"),
        "name": _name(tags),
        "vpc_id": found.text("VpcId"),
        "cidr_block": found.cidr("CidrBlock"),
        "ipv6_cidr_block": [blocks[0] if blocks else None for blocks in ipv6],
        "availability_zone": found.text("AvailabilityZone"),
        "available_addresses": found.whole("AvailableIpAddressCount"),
        "owner_id": found.text("OwnerId"),
        "tags": tags,
    }


@table
def routes(found: Records) -> tuple[Records, Columns]:
    """Return a row per route of a VPC route table."""
    route = found.each("Routes")
    kinds: list[tuple[str, str] | None] = [None] * len(route)
    for member, kind in _ROUTE_TARGETS.items():
        for i, target in enumerate(route.text(member)):
            if target is not None and kinds[i] is None:
                kinds[i] = (kind or _gateway_kind(target), target)
    return route, {
        "route_table_id": route.spread(found.id("RouteTableId")),
        "vpc_id": route.spread(found.text("VpcId")),
        "destination": first(
            route.cidr("DestinationCidrBlock"),
            route.cidr("DestinationIpv6CidrBlock"),
            route.text("DestinationPrefixListId"),
        ),
        "target_kind": [found_kind[0] if found_kind else "unknown" for found_kind in kinds],
        "target_id": [found_kind[1] if found_kind else None for found_kind in kinds],
        "state": route.text("State"),
        "origin": route.text("Origin"),
    }


_ROUTE_TARGETS = {
    "NatGatewayId": "nat_gateway",
    "TransitGatewayId": "transit_gateway",
    "VpcPeeringConnectionId": "vpc_peering_connection",
    "EgressOnlyInternetGatewayId": "egress_only_internet_gateway",
    "CarrierGatewayId": "carrier_gateway",
    "LocalGatewayId": "local_gateway",
    "CoreNetworkArn": "core_network",
    "OdbNetworkArn": "unknown",
    "NetworkInterfaceId": "network_interface",
    "InstanceId": "unknown",
    "GatewayId": "",
}
"""Kind of target by the member that names it; a GatewayId tells its kind by its prefix."""

_GATEWAYS = {
    "igw-": "internet_gateway",
    "vgw-": "virtual_private_gateway",
    "vpce-": "vpc_endpoint",
}


def _gateway_kind(id: str) -> str:
    if id == "local":
        return "local"
    return next((kind for prefix, kind in _GATEWAYS.items() if id.startswith(prefix)), "unknown")


@table
def route_table_associations(found: Records) -> tuple[Records, Columns]:
    """Return a row per association of a VPC route table."""
    association = found.each("Associations")
    return association, {
        "route_table_id": association.spread(found.id("RouteTableId")),
        "name": association.spread(_name(found.tags())),
        "association_id": association.text("RouteTableAssociationId"),
        "vpc_id": association.spread(found.text("VpcId")),
        "main": [main is True for main in association.flag("Main")],
        "subnet_id": association.text("SubnetId"),
        "gateway_id": association.text("GatewayId"),
        "state": association.part("AssociationState").text("State"),
    }


@table
def network_acl_entries(found: Records) -> tuple[Records, Columns]:
    """Return a row per entry of a network ACL."""
    entry = found.each("Entries")
    ports, icmp = entry.part("PortRange"), entry.part("IcmpTypeCode")
    cidrs = first(entry.cidr("CidrBlock"), entry.cidr("Ipv6CidrBlock"))
    protocol, from_port, to_port = _ports(
        entry,
        entry.id("Protocol"),
        first(ports.whole("From"), icmp.whole("Type")),
        first(ports.whole("To"), icmp.whole("Code")),
    )
    return entry, {
        "network_acl_id": entry.spread(found.id("NetworkAclId")),
        "vpc_id": entry.spread(found.text("VpcId")),
        "is_default": entry.spread(found.flag("IsDefault")),
        "is_egress": entry.truth("Egress"),
        "rule_number": _required(entry, entry.whole("RuleNumber"), "RuleNumber"),
        "action": entry.id("RuleAction"),
        "protocol": protocol,
        "from_port": from_port,
        "to_port": to_port,
        "cidr_block": _required(entry, cidrs, "CidrBlock"),
        "family": [6 if ":" in cidr else 4 for cidr in cidrs],
    }


@table
def network_acl_associations(found: Records) -> tuple[Records, Columns]:
    """Return a row per subnet a network ACL is in force for."""
    association = found.each("Associations")
    return association, {
        "network_acl_id": association.spread(found.id("NetworkAclId")),
        "name": association.spread(_name(found.tags())),
        "subnet_id": association.id("SubnetId"),
        "vpc_id": association.spread(found.text("VpcId")),
    }


@table
def vpc_peering_connections(found: Records) -> tuple[Records, Columns]:
    """Return the peerings' columns."""
    tags = found.tags()
    columns: Columns = {}
    for side, member in (("requester", "RequesterVpcInfo"), ("accepter", "AccepterVpcInfo")):
        info = found.part(member)
        ipv4 = info.gather("CidrBlockSet", lambda block: block.cidr("CidrBlock"))
        ipv6 = info.gather("Ipv6CidrBlockSet", lambda block: block.cidr("Ipv6CidrBlock"))
        columns |= {
            f"{side}_vpc_id": info.text("VpcId"),
            f"{side}_owner_id": info.text("OwnerId"),
            f"{side}_region": info.text("Region"),
            f"{side}_cidr_blocks": [
                tuple(dict.fromkeys([*([one] if one else []), *four, *six]))
                for one, four, six in zip(info.cidr("CidrBlock"), ipv4, ipv6, strict=True)
            ],
        }
    return found, columns | {
        "vpc_peering_connection_id": found.id("VpcPeeringConnectionId"),
        "name": _name(tags),
        "status": found.part("Status").text("Code"),
        "tags": tags,
    }


@table
def prefix_list_entries(found: Records) -> tuple[Records, Columns]:
    """Return a row per entry of a prefix list; the list's id is the one asked for."""
    return found, {
        "prefix_list_id": found.resources(),
        "cidr_block": _required(found, found.cidr("Cidr"), "Cidr"),
        "description": found.text("Description"),
    }


@table
def prefix_lists(found: Records) -> tuple[Records, Columns]:
    """Return the prefix lists' columns."""
    return found, {
        "prefix_list_id": found.resource_id("PrefixListId"),
        "name": found.text("PrefixListName"),
        "family": found.text("AddressFamily"),
        "state": found.text("State"),
        "max_entries": found.whole("MaxEntries"),
        "owner_id": found.text("OwnerId"),
    }


@table
def transit_gateway_attachments(found: Records) -> tuple[Records, Columns]:
    """Return the attachments' columns."""
    return found, {
        "transit_gateway_attachment_id": found.id("TransitGatewayAttachmentId"),
        "transit_gateway_id": found.text("TransitGatewayId"),
        "transit_gateway_owner_id": found.text("TransitGatewayOwnerId"),
        "resource_type": found.text("ResourceType"),
        "resource_id": found.text("ResourceId"),
        "resource_owner_id": found.text("ResourceOwnerId"),
        "state": found.text("State"),
        "route_table_id": found.part("Association").text("TransitGatewayRouteTableId"),
    }


@table
def security_group_vpc_associations(found: Records) -> tuple[Records, Columns]:
    """Return the columns of associations of security groups with further VPCs."""
    return found, {
        "group_id": found.id("GroupId"),
        "vpc_id": found.id("VpcId"),
        "vpc_owner_id": found.text("VpcOwnerId"),
        "state": found.text("State"),
    }


# -- other services -------------------------------------------------------------------------------


@table
def server_certificates(found: Records) -> tuple[Records, Columns]:
    """Return the certificates' columns."""
    return found, {
        "certificate_arn": found.resource_id("CertificateArn"),
        "domain_name": found.text("DomainName"),
        "status": found.text("Status"),
        "type": found.text("Type"),
        "key_algorithm": found.text("KeyAlgorithm"),
        "not_before": found.time("NotBefore"),
        "not_after": found.time("NotAfter"),
        "renewal_eligibility": found.text("RenewalEligibility"),
        "renewal_status": found.part("RenewalSummary").text("RenewalStatus"),
        "signature_algorithm": found.text("SignatureAlgorithm"),
        "read_at": found.read_at(),
    }


@table
def saml_providers(found: Records) -> tuple[Records, Columns]:
    """Return the SAML providers' columns; metadata that cannot be read says why."""
    read = [certificates.metadata_of(text) for text in found.text("SAMLMetadataDocument")]
    return found, {
        "provider_arn": found.resources(),
        "created": found.time("CreateDate"),
        "valid_until": found.time("ValidUntil"),
        "problem": [one.problem for one in read],
        "entity_id": [one.entity_id for one in read],
        "metadata_valid_until": [one.valid_until for one in read],
        "certificates": [len(one.certificate_ends) for one in read],
        "certificates_end": [max(one.certificate_ends, default=None) for one in read],
        "first_certificate_ends": [min(one.certificate_ends, default=None) for one in read],
        "read_at": found.read_at(),
    }


@table
def directories(found: Records) -> tuple[Records, Columns]:
    """Return the directories' columns."""
    return found, {
        "directory_id": found.resource_id("DirectoryId"),
        "name": found.text("Name"),
        "type": found.text("Type"),
        "stage": found.text("Stage"),
        "stage_reason": found.text("StageReason"),
        "stage_since": found.time("StageLastUpdatedDateTime"),
        "radius_status": found.text("RadiusStatus"),
        "share_status": found.text("ShareStatus"),
    }


@table
def connect_handlers(found: Records) -> tuple[Records, Columns]:
    """Return the columns of the connect handlers' functions, by the ARN the endpoint names."""
    return found, {
        "function_arn": found.resources(),
        "function_name": found.text("FunctionName"),
        "version": found.text("Version"),
        "runtime": found.text("Runtime"),
        "timeout": found.whole("Timeout"),
        "state": found.text("State"),
        "state_reason": found.text("StateReason"),
        "last_update": found.text("LastUpdateStatus"),
        "last_update_reason": found.text("LastUpdateStatusReason"),
    }


@table
def log_streams(found: Records) -> tuple[Records, Columns]:
    """Return the log streams' columns; CloudWatch Logs counts time in milliseconds."""
    return found, {
        "log_group_name": found.resources(),
        "log_stream_name": found.id("logStreamName"),
        "created": found.time("creationTime", per_second=1000),
        "last_event": found.time("lastEventTimestamp", per_second=1000),
    }


@table
def service_quotas(found: Records) -> tuple[Records, Columns]:
    """Return the quotas' columns; one whose value AWS could not tell is left out."""
    value = found.whole("Value", lenient=True)
    found = found.where([v is not None for v in value])
    return found, {
        "service_code": found.resource_id("ServiceCode"),
        "quota_code": found.id("QuotaCode"),
        "quota_name": found.text("QuotaName"),
        "value": found.whole("Value"),
        "adjustable": found.flag("Adjustable"),
    }


@table
def log_groups(found: Records) -> tuple[Records, Columns]:
    """Return the log groups' columns; the read finds all whose names begin alike, one is meant."""
    names = found.id("logGroupName")
    found = found.where([n == r for n, r in zip(names, found.resources(), strict=True)])
    return found, {
        "log_group_name": found.id("logGroupName"),
        "created": found.time("creationTime", per_second=1000),
        "retention_in_days": found.whole("retentionInDays"),
        "stored_bytes": found.whole("storedBytes"),
        "kms_key_id": found.text("kmsKeyId"),
    }


@table
def change_events(found: Records) -> tuple[Records, Columns]:
    """Return the columns of CloudTrail's events; each holds a record of its own as a text."""
    told = [trail.event_of(text) for text in found.text("CloudTrailEvent")]
    return found, {
        "event_id": found.id("EventId"),
        "event_name": found.text("EventName"),
        "event_time": found.time("EventTime"),
        "event_source": found.text("EventSource"),
        "told": [event.told for event in told],
        "error_code": [event.error_code for event in told],
        "actor_type": [event.kind for event in told],
        "actor_arn": [event.arn for event in told],
        "actor_account": [event.account for event in told],
        "actor": first((event.name for event in told), found.text("Username")),
        "session": [event.session for event in told],
        "invoked_by": [event.invoked_by for event in told],
        "named": [event.named for event in told],
    }


# -- values that several tables share -------------------------------------------------------------


def _name(tags: Iterable[tuple[tuple[str, str], ...]]) -> list[str | None]:
    return [next((v for k, v in pairs if k == "Name"), None) or None for pairs in tags]


def _required(found: Records, values: list[Any], member: str) -> list[Any]:
    if None in values:
        found.refuse(values.index(None), tr("has no {member}", member=member))
    return values


_PROTOCOLS = {"-1": "all", "6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}


def _ports(
    found: Records, protocols: list[str], low: list[int | None], high: list[int | None]
) -> tuple[list[str], list[int | None], list[int | None]]:
    """Return protocol names, first and last ports: missing where the protocol has none."""
    known: dict[Any, tuple[str, int | None, int | None] | None] = {}
    for key in set(zip(protocols, low, high, strict=True)):
        known[key] = _port_range(*key)
    rows = [known[key] for key in zip(protocols, low, high, strict=True)]
    if None in rows:
        i = rows.index(None)
        found.refuse(
            i,
            tr(
                "has ports {low} to {high} for protocol {protocol}",
                low=low[i],
                high=high[i],
                protocol=protocols[i],
            ),
        )
    return (
        [row[0] for row in rows],  # type: ignore[index] # none is None
        [row[1] for row in rows],  # type: ignore[index]
        [row[2] for row in rows],  # type: ignore[index]
    )


def _port_range(
    number: str, low: int | None, high: int | None
) -> tuple[str, int | None, int | None] | None:
    """Return protocol, first and last port; ``None`` when they make no sense together."""
    protocol = _PROTOCOLS.get(number, number)
    if protocol in {"icmp", "icmpv6"}:
        low, high = -1 if low is None else low, -1 if high is None else high
        return (protocol, low, high) if -1 <= low <= 255 and -1 <= high <= 255 else None
    if protocol not in {"tcp", "udp"}:
        return (protocol, None, None) if protocol == "all" or is_protocol(protocol) else None
    if low in {None, -1} and high in {None, -1}:
        return protocol, 0, 65535
    if low is None or high is None or not 0 <= low <= high <= 65535:
        return None
    return protocol, low, high


def _peers(*members: list[str | None]) -> tuple[list[str], list[str | None]]:
    """Return what each rule's source or destination is, and its text."""
    ipv4, ipv6, _, _ = members
    good = {cidr for cidr in set(ipv4) if cidr and cidr_family(cidr) == 4}
    good |= {cidr for cidr in set(ipv6) if cidr and cidr_family(cidr) == 6}
    kinds, peers = [], []
    for four, six, prefix_list, group in zip(*members, strict=True):
        if (four, six, prefix_list, group).count(None) < 3:
            kind, peer = "unknown", four or six or prefix_list
        elif four is not None:
            kind, peer = "ipv4" if four in good else "unknown", four
        elif six is not None:
            kind, peer = "ipv6" if six in good else "unknown", six
        elif prefix_list is not None:
            kind, peer = "prefix_list", prefix_list
        elif group is not None:
            kind, peer = "security_group", group
        else:
            kind, peer = "unknown", None
        kinds.append(kind)
        peers.append(peer)
    return kinds, peers


# -- all tables of a snapshot ---------------------------------------------------------------------


class UnknownNameError(ParameterError, AttributeError):
    """There is no table, check or other thing of this name; the message names the nearest."""


_MOST_KNOWN = 12


def nearest(name: str, known: Iterable[str], *, noun: str) -> UnknownNameError:
    """Return the error for a name that is not known, with the names most like it.

    >>> str(nearest("vpc", ["vpcs", "subnets"], noun="table"))
    'There is no table called "vpc". Did you mean vpcs?'
    """
    known = sorted(known)
    folded = {other.casefold(): other for other in reversed(known)}
    low = name.casefold()
    found = difflib.get_close_matches(low, folded, n=3, cutoff=0.5)
    close = [
        folded[other]
        for other in found or [one for one in sorted(folded) if low and low in one][:3]
    ]
    known_ones = tr("Known are: {known}.", known=listed(known, most=_MOST_KNOWN))
    if noun == "check" and len(known) > _MOST_KNOWN:
        known_ones = tr("`auditlib checks` lists all {number}.", number=len(known))
    hint = (
        tr("Did you mean {close}?", close=tr_as("list", " or ").join(close))
        if close
        else known_ones
    )
    return UnknownNameError(
        sentences(
            tr('There is no {noun} called "{name}".', noun=tr(noun), name=clean(name, 100)), hint
        )
    )


class Pending(Protocol):
    """A base table that is worked out once it is looked at: many small changes cost one frame."""

    @property
    def frame(self) -> pd.DataFrame:
        """The table, with the columns and types of its schema; worked out once."""


class Tables:
    """The tables and views of a snapshot, built when asked for and kept.

    ``tables.subnets`` and ``tables["subnets"]`` are the same frame: exactly the columns and types
    of ``schemas.SCHEMAS["subnets"]``. What could not be read is in ``tables.gaps("subnets")``.

    Parameters
    ----------
    snapshot
        What AWS answered.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._frames: dict[str, pd.DataFrame | Pending] = {}
        self._resources: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._gaps: list[GapRow] | None = None
        self._gaps_of: dict[frozenset[str], list[GapRow]] = {}
        self._doubts: dict[str, list[GapRow]] = {}
        self._doubts_of = self._not_understood
        self._accounts, self._regions = (
            pd.CategoricalDtype(pd.Index(sorted(set(names)), dtype="str"))
            for names in (
                [account for account, _ in snapshot.places],
                [region for _, region in snapshot.places],
            )
        )

    @property
    def snapshot(self) -> Snapshot:
        """What AWS answered."""
        return self._snapshot

    @property
    def names(self) -> tuple[str, ...]:
        """Every table and view, base tables first."""
        return tuple(SCHEMAS)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in SCHEMAS

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return a table or view.

        Raises
        ------
        ParameterError
            When there is none of this name; names the nearest.
        SnapshotError
            When a record it is built from cannot be understood.
        """
        # A shallow copy: what a notebook writes into it stays there.
        return self.shared(name).copy(deep=False)

    def shared(self, name: str) -> pd.DataFrame:
        """Return a table or view as it is kept: to be read, and not to be written into."""
        held = self.held(name)
        return held if isinstance(held, pd.DataFrame) else held.frame

    def held(self, name: str) -> "pd.DataFrame | Pending":
        """Return what stands for a table: the same object as long as it is the same table."""
        if name not in SCHEMAS:
            raise nearest(name, SCHEMAS, noun=marked("table"))
        if name not in self._frames:
            if SCHEMAS[name].inputs:
                self._frames[name] = self._placed(self._view(name))
            else:
                for read in reads_for(name):
                    self._build(read)
        return self._frames[name]

    def hold(self, name: str, held: Pending) -> None:
        """Let something else that says the same stand for a base table, here and in copies."""
        self._frames[name] = held

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *SCHEMAS})

    def _ipython_key_completions_(self) -> list[str]:
        return sorted(SCHEMAS)

    def __repr__(self) -> str:
        try:
            lines = [self._line(name) for name in self.names]
        except SnapshotError as error:
            lines = [f"  {error}"]
        return "\n".join([tr("Tables of {name}", name=self._snapshot.name), *lines])

    def _line(self, name: str) -> str:
        gaps = len(self.gaps(name))
        missed = ""
        if gaps:
            missed = (
                tr("{number} gaps", number=gaps) if gaps > 1 else tr("{number} gap", number=gaps)
            )
        rows = tr("{number:>9,} rows", number=len(self[name]))
        return f"  {name:<34} {rows} {missed:>9}  {tr(SCHEMAS[name].row)}"

    def gaps(self, *names: str) -> pd.DataFrame:
        """Return what could not be read of tables or views; of all tables when none is named.

        Returns
        -------
        DataFrame
            The columns of ``schemas.GAPS``. A view has the gaps of all tables it rests on.
        """
        return frame_of_rows(GAPS, self.gap_rows(*names))

    def gap_rows(self, *names: str) -> list[GapRow]:
        """Return the same as rows: to be read, and not to be written into."""
        wanted = frozenset(base for name in names or self.names for base in self.bases(name))
        if wanted not in self._gaps_of:
            if self._gaps is None:
                self._gaps = gap_rows(
                    self._snapshot, self._found, self._unsettled(), self._unlisted_rules()
                )
            doubts = [doubt for name in sorted(wanted) for doubt in self._doubts_of(name)]
            self._gaps_of[wanted] = once(
                [*(gap for gap in self._gaps if gap["table"] in wanted), *doubts]
            )
        return self._gaps_of[wanted]

    def coverage(self) -> pd.DataFrame:
        """Return one row per read and place, in the columns of ``schemas.COVERAGE``."""
        return coverage_frame(self._snapshot, self._found)

    def bases(self, name: str) -> set[str]:
        """Return the base tables a table or view rests on."""
        if name not in SCHEMAS:
            raise nearest(name, SCHEMAS, noun=marked("table"))
        return set(_bases(name))

    def replace(self, **frames: "pd.DataFrame | Pending") -> "Tables":
        """Return a copy with base tables exchanged, for "what if"; views are worked out anew.

        A table that is pending is taken to have its schema's columns and types.

        Raises
        ------
        ParameterError
            When a name is no base table, or a frame lacks columns of its schema.
        """
        # What could not be read stays so, whatever is exchanged.
        if self._gaps is None:
            self.gap_rows()
        changed = Tables.__new__(Tables)
        changed._snapshot, changed._resources = self._snapshot, self._resources
        changed._accounts, changed._regions = self._accounts, self._regions
        changed._gaps, changed._gaps_of = self._gaps, self._gaps_of
        changed._doubts, changed._doubts_of = {}, self._doubts_of
        # A view that rests on none of them stays, but for those that are given all tables.
        kept = {
            name: frame
            for name, frame in self._frames.items()
            if not SCHEMAS[name].inputs
            or not (_bases(name) & frames.keys() or "tables" in _inputs(name))
        }
        for name, frame in frames.items():
            if name not in SCHEMAS:
                raise nearest(name, SCHEMAS, noun=marked("table"))
            if SCHEMAS[name].inputs:
                raise ParameterError(
                    tr("{name} is a view: exchange the tables it is worked out of.", name=name)
                )
            if not isinstance(frame, pd.DataFrame):
                kept[name] = frame
                continue
            if missing := set(SCHEMAS[name].names) - set(frame.columns):
                raise ParameterError(
                    tr(
                        "The frame for {name} lacks {columns}.",
                        name=name,
                        columns=", ".join(sorted(missing)),
                    )
                )
            typed = name in self._frames and frame.dtypes.equals(self[name].dtypes)
            kept[name] = frame.reset_index(drop=True) if typed else frame_of(SCHEMAS[name], frame)
        changed._frames = kept
        return changed

    def differing(self, other: "Tables") -> set[str]:
        """Return the base tables that are not the very same frame in both."""
        return {
            name
            for name, schema in SCHEMAS.items()
            if not schema.inputs and self._frames.get(name) is not other._frames.get(name)
        }

    # -- building -----------------------------------------------------------------------------

    def _view(self, name: str) -> pd.DataFrame:
        # A view that must know what could not be read asks for all tables, gaps included.
        inputs = {one: self if one == "tables" else self.shared(one) for one in _inputs(name)}
        return frame_of(SCHEMAS[name], views.VIEWS[name](**inputs))

    def _build(self, read: Read) -> None:
        """Build all tables of a read at once, so that its files are parsed only once."""
        answers = list(self._answers(read))
        for name in read.tables:
            if name not in self._frames:
                self._frames[name] = self._placed(table_of(name, answers))
        # Which resources the reads made per resource should have asked about: worked out here,
        # while the documents are at hand and known to be sound.
        for child in READS:
            if child.resources is not None and read.id in child.parents:
                for answer in answers:
                    document = {read.id: {read.result_key: answer.records}}
                    folder = child.folder(answer.region)
                    self._resources[answer.account, folder, child.id] |= set(
                        child.resources(document)  # type: ignore[arg-type] # records are a list
                    )

    def _answers(self, read: Read) -> Iterator[Answer]:
        for call in self._snapshot.calls:
            if (call.service, call.operation) != (read.service, read.operation):
                continue
            if call.status == "ok" and call.file is not None:
                if (call.resource is None) != (read.resources is None):
                    raise SnapshotError(
                        tr(
                            "{call.file}: {read.id} is read per region, and the file lies elsewhere: "
                            "put it where `auditlib collect --script` puts it."
                            if read.resources is None
                            else "{call.file}: {read.id} is read per resource, and the file lies "
                            "elsewhere: put it where `auditlib collect --script` puts it.",
                            call=call,
                            read=read,
                        )
                    )
                manifest = self._snapshot.manifest
                yield Answer(
                    read_at=call.started or manifest.finished or manifest.started,
                    account=call.account,
                    region=call.region,
                    resource=call.resource,
                    file=call.file,
                    records=_records(read, call, self._snapshot.document(call)),
                    botocore_version=self._snapshot.manifest.botocore_version,
                )

    def _placed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Give account and region the snapshot's own categories, so that joins keep the type."""
        places = {"account": self._accounts, "region": self._regions}
        return frame.assign(
            **{
                name: frame[name].astype(dtype)
                for name, dtype in places.items()
                if name in frame and set(frame[name].cat.categories) <= set(dtype.categories)
            }
        )

    def _found(self, account: str, region: str, read: Read) -> set[str]:
        """Return the resources a read should have asked about, as far as its parents tell."""
        for parent in read.parents:
            self[read_of(parent).tables[0]]
        return self._resources[account, read.folder(region), read.id]

    def _not_understood(self, name: str) -> list[GapRow]:
        """Return the gaps of a base table that come of what its records say."""
        if name not in self._doubts:
            found = not_understood(name, self.shared(name))
            if name == "security_groups":
                found += unlisted_groups(self.shared(name), self.shared("security_group_rules"))
            self._doubts[name] = found
        return self._doubts[name]

    def _unsettled(self) -> pd.DataFrame:
        """Return the endpoints of which it cannot be told what they are attached to."""
        endpoints = self.shared("client_vpn_endpoints")
        return endpoints[endpoints["attachment"] == "unknown"]

    def _unlisted_rules(self) -> pd.DataFrame:
        """Return the security groups that show more sources and destinations than rules were listed."""
        groups, rules = self.shared("security_groups"), self.shared("security_group_rules")
        listed = Counter(zip(rules["group_id"].tolist(), rules["is_egress"].tolist(), strict=True))
        short = np.zeros(len(groups), dtype=bool)
        for is_egress, peers in ((False, "ingress_peers"), (True, "egress_peers")):
            held = [listed[group, is_egress] for group in groups["group_id"].tolist()]
            short |= groups[peers].fillna(0).to_numpy(dtype=np.int64) > np.array(held, np.int64)
        return groups[short]


@cache
def _bases(name: str) -> frozenset[str]:
    """Return the base tables a table or view rests on."""
    inputs = SCHEMAS[name].inputs
    return (
        frozenset(base for one in inputs for base in _bases(one)) if inputs else frozenset({name})
    )


@cache
def _inputs(name: str) -> tuple[str, ...]:
    """Return what the function of a view asks for."""
    return tuple(inspect.signature(views.VIEWS[name]).parameters)


def _records(read: Read, call: Call, document: Mapping[str, Any]) -> list[Any]:
    if problem := shape_problem(read, document):
        raise SnapshotError(
            tr("{call.file}: {problem}. Put the right answer there.", call=call, problem=problem)
        )
    records = document[read.result_key] if read.result_key else document
    return records if isinstance(records, list) else [records]
