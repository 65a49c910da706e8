"""The table of reads: every AWS call the kit makes, in one place.

A read is one AWS operation, made once per region or once per resource of a region. Its row says
which IAM action allows it and which tables are built from it, so that a refused call can be named
as a gap in exactly those tables. To add a read, add a row here, a schema in ``schemas.py`` and a
function in ``tables.py``.

This module imports neither boto3 nor botocore: the offline side uses it to work out gaps.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["READS", "Read", "read_of", "reads_for"]

Document = Mapping[str, Any]
"""What one AWS CLI call prints with ``--output json``, parsed."""

Documents = Mapping[str, Document]
"""The documents of one account and region that were read, by read id."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """One AWS operation the kit calls.

    Attributes
    ----------
    service, operation
        As the AWS CLI spells them, ``ec2`` and ``describe-client-vpn-endpoints``.
    result_key
        The member of the answer that holds the list of records; ``None`` when the answer itself
        is the one record.
    iam_action
        The action a policy must allow.
    tables
        The tables built from the answer.
    parameters
        Fixed request parameters, as boto3 spells them.
    page_size
        The largest page the operation accepts; ``None`` when it does not paginate.
    resource_parameter
        Request parameter that takes the resource; ``None`` for a read made once per region.
    resources
        For a read per resource: finds the resources in the region's documents of ``parents``.
    parents
        Ids of the reads whose documents ``resources`` looks into.
    since_botocore
        First botocore release that knows the operation and all members the kit uses; an older
        one drops what it does not know in silence.
    absent_codes
        Error codes that say "there is none", which is an answer and not a refusal.
    """

    service: str
    operation: str
    result_key: str | None
    iam_action: str
    tables: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    page_size: int | None = None
    resource_parameter: str | None = None
    resources: Callable[[Documents], Iterable[str]] | None = None
    parents: tuple[str, ...] = ()
    since_botocore: str | None = None
    absent_codes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The file stem of the read in a snapshot, ``ec2-describe-vpcs``."""
        return f"{self.service}-{self.operation}"


def _records(documents: Documents, read_id: str, key: str) -> Iterator[Mapping[str, Any]]:
    records = documents.get(read_id, {}).get(key)
    if isinstance(records, list):
        yield from (record for record in records if isinstance(record, dict))


def _endpoints(documents: Documents) -> Iterator[Mapping[str, Any]]:
    return _records(documents, "ec2-describe-client-vpn-endpoints", "ClientVpnEndpoints")


def _endpoint_ids(documents: Documents) -> list[str]:
    return sorted(
        {e["ClientVpnEndpointId"] for e in _endpoints(documents) if e.get("ClientVpnEndpointId")}
    )


def _server_certificate_arns(documents: Documents) -> list[str]:
    return sorted(
        {
            e["ServerCertificateArn"]
            for e in _endpoints(documents)
            if str(e.get("ServerCertificateArn") or "").startswith("arn:")
        }
    )


def _log_group_names(documents: Documents) -> list[str]:
    names = (
        (e.get("ConnectionLogOptions") or {}).get("CloudwatchLogGroup")
        for e in _endpoints(documents)
    )
    return sorted({name for name in names if name})


def _prefix_list_ids(documents: Documents) -> list[str]:
    rules = _records(documents, "ec2-describe-security-group-rules", "SecurityGroupRules")
    tables = _records(documents, "ec2-describe-route-tables", "RouteTables")
    found = {rule.get("PrefixListId") for rule in rules}
    found |= {
        route.get("DestinationPrefixListId")
        for table in tables
        for route in table.get("Routes") or ()
    }
    return sorted(id for id in found if id)


def _ec2(
    operation: str,
    result_key: str | None,
    *tables: str,
    page_size: int | None = 1000,
    action: str | None = None,
    **more: Any,
) -> Read:
    name = "".join(word.capitalize() for word in operation.split("-"))
    return Read(
        service="ec2",
        operation=operation,
        result_key=result_key,
        iam_action=f"ec2:{action or name}",
        tables=tables,
        page_size=page_size,
        **more,
    )


_PER_ENDPOINT: dict[str, Any] = {
    "resource_parameter": "ClientVpnEndpointId",
    "resources": _endpoint_ids,
    "parents": ("ec2-describe-client-vpn-endpoints",),
}

READS: tuple[Read, ...] = (
    # The SDK drops TransitGatewayConfiguration before 1.42.92 and DevicePostureOptions before
    # 1.43.104; without the first, a transit gateway endpoint looks like one without a VPC.
    _ec2(
        "describe-client-vpn-endpoints",
        "ClientVpnEndpoints",
        "client_vpn_endpoints",
        since_botocore="1.43.104",
    ),
    _ec2(
        "describe-client-vpn-target-networks",
        "ClientVpnTargetNetworks",
        "client_vpn_target_networks",
        **_PER_ENDPOINT,
    ),
    _ec2(
        "describe-client-vpn-authorization-rules",
        "AuthorizationRules",
        "client_vpn_authorization_rules",
        **_PER_ENDPOINT,
    ),
    _ec2("describe-client-vpn-routes", "Routes", "client_vpn_routes", **_PER_ENDPOINT),
    _ec2(
        "describe-client-vpn-connections", "Connections", "client_vpn_connections", **_PER_ENDPOINT
    ),
    _ec2(
        "get-client-vpn-endpoint-authorization-policy",
        None,
        "client_vpn_authorization_policies",
        page_size=None,
        since_botocore="1.43.104",
        **_PER_ENDPOINT,
    ),
    _ec2("describe-security-groups", "SecurityGroups", "security_groups"),
    _ec2("describe-security-group-rules", "SecurityGroupRules", "security_group_rules"),
    _ec2(
        "describe-network-interfaces",
        "NetworkInterfaces",
        "network_interfaces",
        "network_interface_groups",
        "network_interface_addresses",
        parameters={"IncludeManagedResources": True},
    ),
    _ec2("describe-vpcs", "Vpcs", "vpcs", "vpc_cidr_blocks"),
    _ec2("describe-subnets", "Subnets", "subnets"),
    _ec2(
        "describe-route-tables",
        "RouteTables",
        "routes",
        "route_table_associations",
        page_size=100,
    ),
    _ec2(
        "describe-network-acls",
        "NetworkAcls",
        "network_acl_entries",
        "network_acl_associations",
    ),
    _ec2("describe-vpc-peering-connections", "VpcPeeringConnections", "vpc_peering_connections"),
    _ec2(
        "get-managed-prefix-list-entries",
        "Entries",
        "prefix_list_entries",
        page_size=100,
        resource_parameter="PrefixListId",
        resources=_prefix_list_ids,
        parents=("ec2-describe-security-group-rules", "ec2-describe-route-tables"),
    ),
    _ec2(
        "describe-transit-gateway-attachments",
        "TransitGatewayAttachments",
        "transit_gateway_attachments",
        parameters={"Filters": [{"Name": "resource-type", "Values": ["client-vpn"]}]},
    ),
    _ec2(
        "describe-security-group-vpc-associations",
        "SecurityGroupVpcAssociations",
        "security_group_vpc_associations",
    ),
    Read(
        service="acm",
        operation="describe-certificate",
        result_key="Certificate",
        iam_action="acm:DescribeCertificate",
        tables=("server_certificates",),
        resource_parameter="CertificateArn",
        resources=_server_certificate_arns,
        parents=("ec2-describe-client-vpn-endpoints",),
    ),
    Read(
        service="logs",
        operation="describe-log-groups",
        result_key="logGroups",
        iam_action="logs:DescribeLogGroups",
        tables=("log_groups",),
        page_size=50,
        resource_parameter="logGroupNamePrefix",
        resources=_log_group_names,
        parents=("ec2-describe-client-vpn-endpoints",),
    ),
)


def read_of(id: str) -> Read:
    """Return the read with this id; ``KeyError`` when there is none.

    >>> read_of("ec2-describe-vpcs").iam_action
    'ec2:DescribeVpcs'
    """
    return _BY_ID[id]


def reads_for(table: str) -> tuple[Read, ...]:
    """Return the reads a base table is built from.

    >>> [read.id for read in reads_for("subnets")]
    ['ec2-describe-subnets']
    """
    return tuple(read for read in READS if table in read.tables)


_BY_ID = {read.id: read for read in READS}
