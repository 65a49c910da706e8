"""The table of reads: every AWS call the kit makes, in one place.

A read is one AWS operation, made once per region or once per resource that is named there. Its row says
which IAM action allows it and which tables are built from it, so that a refused call can be named
as a gap in exactly those tables. To add a read, add a row here, a schema in ``schemas.py`` and a
function in ``tables.py``.

This module imports neither boto3 nor botocore: the offline side uses it to work out gaps.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from auditlib import trail

__all__ = ["OPTIONAL_READS", "READS", "Read", "read_of", "reads_for"]

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
        The member of the answer that holds the list of records (of ``acm``: the one record);
        ``None`` when the answer itself is the one record.
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
    resource_in_list
        Whether that parameter takes a list, of which the kit gives one; the answer to one
        resource is one page.
    resource_paths
        For a read per resource: where the resources are named, as the id of the read whose
        answer names them and the path there (``"Endpoints[].Id"``: the ``Id`` of each of the
        ``Endpoints``).
    resources_there
        For a read that is always about the same things, and worth making only where something
        stands at ``resource_paths``: those things.
    region
        For a service that is the same in every region: the region whose folder holds the
        answer. The call itself goes through the region that names the resource.
    members
        The members that are kept of each record; empty for all. For answers that hold secrets.
    reduced
        What is kept of a text that is a document of its own, by the member that holds it.
    questions
        For a read that is several requests, one after the other: the parameters of each.
    since_parameter
        Request parameter that takes the time from which on records are asked for.
    per_second
        How many requests AWS answers a second, where that is few.
    most
        How many records are read at most, where the rest does not matter.
    since_botocore
        First botocore release that knows the operation and all members the kit uses.
    judged_since_botocore
        First release whose answers can be judged, where it is an earlier one: what it leaves out
        is then unknown column by column. An answer of one before that is a gap as a whole.
    older_sdk_reads
        Whether an older SDK makes the call all the same; it then drops, in silence, the members
        it does not know.
    record_member
        For an answer that is itself the record: the member without which there is no record.
    absent_codes
        Error codes (``*`` stands for anything) that say "there is none", which is an answer and
        not a refusal.
    """

    service: str
    operation: str
    result_key: str | None
    iam_action: str
    tables: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    page_size: int | None = None
    resource_parameter: str | None = None
    resource_in_list: bool = False
    resource_paths: tuple[tuple[str, str], ...] = ()
    resources_there: tuple[str, ...] = ()
    region: str | None = None
    members: tuple[str, ...] = ()
    reduced: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    questions: tuple[Mapping[str, Any], ...] = ()
    since_parameter: str | None = None
    per_second: float | None = None
    most: int | None = None
    since_botocore: str | None = None
    judged_since_botocore: str | None = None
    older_sdk_reads: bool = False
    record_member: str | None = None
    absent_codes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The file stem of the read in a snapshot, ``ec2-describe-vpcs``."""
        return f"{self.service}-{self.operation}"

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of the reads whose answers name the resources; empty for a read per region."""
        return tuple(dict.fromkeys(parent for parent, _ in self.resource_paths))

    @property
    def answers_with_a_list(self) -> bool:
        """Whether the answer holds any number of records."""
        return self.page_size is not None or self.resource_in_list

    def folder(self, region: str) -> str:
        """Return the region whose folder holds the answer to a call made from a region.

        >>> read_of("iam-get-saml-provider").folder("eu-west-1")
        'us-east-1'
        """
        return self.region or region

    @property
    def resources(self) -> Callable[[Documents], list[str]] | None:
        """Find the resources to read in a region's documents; ``None`` for a read per region.

        >>> endpoints = {"ClientVpnEndpoints": [{"ClientVpnEndpointId": "cvpn-endpoint-1"}]}
        >>> read = read_of("ec2-describe-client-vpn-routes")
        >>> read.resources({"ec2-describe-client-vpn-endpoints": endpoints})
        ['cvpn-endpoint-1']
        """
        return self._resources if self.resource_paths else None

    def _resources(self, documents: Documents) -> list[str]:
        found = {
            name
            for parent, path in self.resource_paths
            for name in _members(documents.get(parent), path.split("."))
            if isinstance(name, str) and name
        }
        if self.resources_there:
            return list(self.resources_there) if found else []
        return sorted(found)

    def kept_of(self, document: Document) -> dict[str, Any]:
        """Return an answer with the members that are kept of each record, and no others.

        A member that AWS left out is null, as the AWS CLI's ``--query`` prints it.

        >>> read = read_of("lambda-get-function-configuration")
        >>> kept = read.kept_of({"State": "Active", "Environment": {"Variables": {"KEY": "secret"}}})
        >>> kept["State"], "Environment" in kept
        ('Active', False)
        """
        if not self.members:
            return dict(document)
        if self.result_key is None:
            return {member: document.get(member) for member in self.members}
        records = document.get(self.result_key) or []
        return {self.result_key: [self._kept_of_record(record) for record in records]}

    def _kept_of_record(self, record: Document) -> dict[str, Any]:
        made: dict[str, Any] = {member: record.get(member) for member in self.members}
        for member, reduce in self.reduced.items():
            made[member] = reduce(made[member]) if isinstance(made[member], str) else None
        return made

    def says_there_is_none(self, error_code: str) -> bool:
        """Whether an error code is the answer "there is none".

        >>> policy = read_of("ec2-get-client-vpn-endpoint-authorization-policy")
        >>> policy.says_there_is_none("InvalidClientVpnEndpointId.NotFound")
        False
        """
        return any(fnmatchcase(error_code, code) for code in self.absent_codes)


def _members(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield what stands at a path; whatever has another shape has nothing there."""
    if not path:
        yield value
        return
    name, *rest = path
    value = value.get(name.removesuffix("[]")) if isinstance(value, Mapping) else None
    if not name.endswith("[]"):
        yield from _members(value, rest)
    elif isinstance(value, list):
        for item in value:
            yield from _members(item, rest)


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


_ENDPOINTS = "ec2-describe-client-vpn-endpoints"
_PER_ENDPOINT: dict[str, Any] = {
    "resource_parameter": "ClientVpnEndpointId",
    "resource_paths": ((_ENDPOINTS, "ClientVpnEndpoints[].ClientVpnEndpointId"),),
}
_PER_LOG_GROUP: dict[str, Any] = {
    "resource_paths": (
        (_ENDPOINTS, "ClientVpnEndpoints[].ConnectionLogOptions.CloudwatchLogGroup"),
    ),
}
_AUTHENTICATION = "ClientVpnEndpoints[].AuthenticationOptions[]"
_PREFIX_LISTS = (
    ("ec2-describe-security-group-rules", "SecurityGroupRules[].PrefixListId"),
    ("ec2-describe-route-tables", "RouteTables[].Routes[].DestinationPrefixListId"),
)

READS: tuple[Read, ...] = (
    # The SDK drops TransitGatewayConfiguration before 1.42.92 and DevicePostureOptions before
    # 1.43.104; without the first, a transit gateway endpoint looks like one without a VPC, and
    # nearly every check asks which of the two it is.
    _ec2(
        "describe-client-vpn-endpoints",
        "ClientVpnEndpoints",
        "client_vpn_endpoints",
        since_botocore="1.43.104",
        judged_since_botocore="1.42.92",
        older_sdk_reads=True,
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
        # AWS does not document what it answers when no policy is attached (looked up 2026-11).
        # Assumed: a "not found" code that names the policy, or an answer without a document.
        # Any other error, a deleted endpoint's among them, stays a refusal: never "no policy".
        record_member="PolicyDocument",
        absent_codes=(
            "InvalidClientVpnEndpointAuthorizationPolicy.NotFound",
            "*AuthorizationPolicy*NotFound*",
        ),
        **_PER_ENDPOINT,
    ),
    # AWS does not document what it answers where no list was imported. Taken to say so: an answer
    # that holds a status and no list. Any error is a refusal, and an answer without both says nothing.
    _ec2(
        "export-client-vpn-client-certificate-revocation-list",
        None,
        "client_certificate_revocation_lists",
        page_size=None,
        record_member="Status",
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
        resource_paths=_PREFIX_LISTS,
    ),
    _ec2(
        "describe-managed-prefix-lists",
        "PrefixLists",
        "prefix_lists",
        page_size=None,
        resource_parameter="PrefixListIds",
        resource_in_list=True,
        resource_paths=_PREFIX_LISTS,
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
        resource_paths=((_ENDPOINTS, "ClientVpnEndpoints[].ServerCertificateArn"),),
    ),
    Read(
        service="iam",
        operation="get-saml-provider",
        result_key=None,
        iam_action="iam:GetSAMLProvider",
        tables=("saml_providers",),
        resource_parameter="SAMLProviderArn",
        resource_paths=(
            (_ENDPOINTS, f"{_AUTHENTICATION}.FederatedAuthentication.SamlProviderArn"),
            (_ENDPOINTS, f"{_AUTHENTICATION}.FederatedAuthentication.SelfServiceSamlProviderArn"),
        ),
        region="us-east-1",
        record_member="SAMLMetadataDocument",
        # https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetSAMLProvider.html
        absent_codes=("NoSuchEntity",),
    ),
    Read(
        service="ds",
        operation="describe-directories",
        result_key="DirectoryDescriptions",
        iam_action="ds:DescribeDirectories",
        tables=("directories",),
        resource_parameter="DirectoryIds",
        resource_in_list=True,
        resource_paths=((_ENDPOINTS, f"{_AUTHENTICATION}.ActiveDirectory.DirectoryId"),),
        # The answer also has the RADIUS shared secret and the name of a directory account.
        members=(
            "DirectoryId",
            "Name",
            "Type",
            "Stage",
            "StageReason",
            "StageLastUpdatedDateTime",
            "RadiusStatus",
            "ShareStatus",
        ),
        # https://docs.aws.amazon.com/directoryservice/latest/devguide/API_DescribeDirectories.html
        absent_codes=("EntityDoesNotExistException",),
    ),
    Read(
        service="lambda",
        operation="get-function-configuration",
        result_key=None,
        iam_action="lambda:GetFunctionConfiguration",
        tables=("connect_handlers",),
        resource_parameter="FunctionName",
        resource_paths=(
            (_ENDPOINTS, "ClientVpnEndpoints[].ClientConnectOptions.LambdaFunctionArn"),
        ),
        # The answer also has the function's environment variables, where secrets are kept.
        members=(
            "FunctionName",
            "FunctionArn",
            "Version",
            "Runtime",
            "Timeout",
            "LastModified",
            "State",
            "StateReason",
            "StateReasonCode",
            "LastUpdateStatus",
            "LastUpdateStatusReason",
            "LastUpdateStatusReasonCode",
        ),
        record_member="FunctionArn",
        # https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
        absent_codes=("ResourceNotFoundException",),
    ),
    Read(
        service="logs",
        operation="describe-log-groups",
        result_key="logGroups",
        iam_action="logs:DescribeLogGroups",
        tables=("log_groups",),
        page_size=50,
        resource_parameter="logGroupNamePrefix",
        **_PER_LOG_GROUP,
    ),
    # A group may hold thousands of streams: the newest fifty tell when it was last written to.
    Read(
        service="logs",
        operation="describe-log-streams",
        result_key="logStreams",
        iam_action="logs:DescribeLogStreams",
        tables=("log_streams",),
        parameters={"orderBy": "LastEventTime", "descending": True},
        page_size=50,
        most=50,
        resource_parameter="logGroupName",
        # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html
        absent_codes=("ResourceNotFoundException",),
        **_PER_LOG_GROUP,
    ),
    Read(
        service="service-quotas",
        operation="list-service-quotas",
        result_key="Quotas",
        iam_action="servicequotas:ListServiceQuotas",
        tables=("service_quotas",),
        page_size=100,
        resource_parameter="ServiceCode",
        resources_there=("ec2", "vpc"),
        resource_paths=((_ENDPOINTS, "ClientVpnEndpoints[].ClientVpnEndpointId"),),
    ),
)

"""Every read of an ordinary collection."""

OPTIONAL_READS: tuple[Read, ...] = (
    # Who changed what. Its records hold all that was asked of AWS and by which key: of those only
    # what tells who, when and about what.
    Read(
        service="cloudtrail",
        operation="lookup-events",
        result_key="Events",
        iam_action="cloudtrail:LookupEvents",
        tables=("change_events",),
        page_size=50,
        members=(
            "EventId",
            "EventName",
            "EventTime",
            "EventSource",
            "Username",
            "CloudTrailEvent",
        ),
        reduced={"CloudTrailEvent": trail.kept},
        questions=tuple(
            {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}]}
            for name in trail.EVENTS
        ),
        since_parameter="StartTime",
        per_second=2,
    ),
)
"""Reads that are made only when they are asked for; without that, their absence is no gap."""


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
    return tuple(read for read in _ALL if table in read.tables)


_ALL = (*READS, *OPTIONAL_READS)
_BY_ID = {read.id: read for read in _ALL}
