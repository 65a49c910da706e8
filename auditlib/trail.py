"""CloudTrail's events: which are looked up, what is kept of one, and what it tells.

CloudTrail keeps the management events of 90 days, in the Region in which they happened, and shows an
event some minutes after it happened. ``LookupEvents`` takes one attribute a call (here the event's
name), gives fifty events a page, and is answered twice a second per account and Region
(https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html). Events of IAM are
in us-east-1
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events).

An event's own record is JSON in a text: ``userIdentity``, ``requestParameters``, ``responseElements``,
``errorCode``
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
How request and answer are spelt there is, as far as was found, not documented operation by operation, and
examples differ: ``groupId`` at the top, or ``GroupId`` inside ``ModifySecurityGroupRulesRequest``. So
members are known by their names, in any case and at any depth, and what a rule says of its other end is
left out: that is another group.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "EVENTS",
    "IDENTIFIERS",
    "MOST_DAYS",
    "SUBJECTS",
    "Event",
    "Subject",
    "event_of",
    "kept",
]

MOST_DAYS = 90
"""How far back CloudTrail's event history goes."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What changes the rows of a table, and by what an event names one.

    Attributes
    ----------
    events
        Names of the events that change such a thing.
    around
        Names of the events that change it by changing something else.
    keys
        Columns that tell, together, which one an event is about.
    parents
        Columns of what holds it: an event that names no more is possibly about it.
    """

    events: tuple[str, ...]
    around: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...]
    parents: tuple[str, ...] = ()


def _subject(events: str, *keys: str, around: str = "", parents: str = "") -> Subject:
    return Subject(
        events=tuple(events.split()),
        around=tuple(around.split()),
        keys=tuple(tuple(key.split()) for key in keys),
        parents=tuple(parents.split()),
    )


SUBJECTS: Mapping[str, Subject] = {
    "client_vpn_endpoints": _subject(
        "CreateClientVpnEndpoint ModifyClientVpnEndpoint DeleteClientVpnEndpoint",
        "endpoint_id",
        around="""
            AssociateClientVpnTargetNetwork DisassociateClientVpnTargetNetwork
            ApplySecurityGroupsToClientVpnTargetNetwork
        """,
    ),
    "client_vpn_target_networks": _subject(
        """
            AssociateClientVpnTargetNetwork DisassociateClientVpnTargetNetwork
            ApplySecurityGroupsToClientVpnTargetNetwork
        """,
        "endpoint_id association_id",
        "endpoint_id subnet_id",
        "endpoint_id vpc_id",
        around="ModifyClientVpnEndpoint",
        parents="endpoint_id",
    ),
    "client_vpn_authorization_rules": _subject(
        "AuthorizeClientVpnIngress RevokeClientVpnIngress",
        "endpoint_id destination_cidr access_group_id",
        "endpoint_id destination_cidr access_all",
        parents="endpoint_id",
    ),
    "client_vpn_routes": _subject(
        "CreateClientVpnRoute DeleteClientVpnRoute",
        "endpoint_id destination target_subnet",
        around="AssociateClientVpnTargetNetwork DisassociateClientVpnTargetNetwork",
        parents="endpoint_id",
    ),
    "client_vpn_authorization_policies": _subject(
        "ModifyClientVpnEndpointAuthorizationPolicy DeleteClientVpnEndpointAuthorizationPolicy",
        "endpoint_id",
    ),
    "client_certificate_revocation_lists": _subject(
        "ImportClientVpnClientCertificateRevocationList", "endpoint_id"
    ),
    "security_groups": _subject("CreateSecurityGroup DeleteSecurityGroup", "group_id"),
    "security_group_rules": _subject(
        """
            AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress
            RevokeSecurityGroupEgress ModifySecurityGroupRules
            UpdateSecurityGroupRuleDescriptionsIngress UpdateSecurityGroupRuleDescriptionsEgress
        """,
        "rule_id",
        around="CreateSecurityGroup DeleteSecurityGroup",
        parents="group_id",
    ),
    "security_group_vpc_associations": _subject(
        "AssociateSecurityGroupVpc DisassociateSecurityGroupVpc", "group_id vpc_id"
    ),
    "network_interface_groups": _subject("ModifyNetworkInterfaceAttribute", "eni_id group_id"),
    "routes": _subject(
        "CreateRoute DeleteRoute ReplaceRoute",
        "route_table_id destination",
        parents="route_table_id",
    ),
    "route_table_associations": _subject(
        "AssociateRouteTable DisassociateRouteTable ReplaceRouteTableAssociation",
        "association_id",
        "route_table_id subnet_id",
        parents="route_table_id",
    ),
    "network_acl_entries": _subject(
        "CreateNetworkAclEntry DeleteNetworkAclEntry ReplaceNetworkAclEntry",
        "network_acl_id rule_number is_egress",
        parents="network_acl_id",
    ),
    "network_acl_associations": _subject(
        "ReplaceNetworkAclAssociation", "subnet_id", parents="network_acl_id"
    ),
    "vpc_peering_connections": _subject(
        """
            CreateVpcPeeringConnection AcceptVpcPeeringConnection RejectVpcPeeringConnection
            DeleteVpcPeeringConnection
        """,
        "vpc_peering_connection_id",
    ),
    "prefix_lists": _subject(
        "CreateManagedPrefixList ModifyManagedPrefixList DeleteManagedPrefixList", "prefix_list_id"
    ),
    "prefix_list_entries": _subject(
        "CreateManagedPrefixList ModifyManagedPrefixList DeleteManagedPrefixList",
        "prefix_list_id cidr_block",
        parents="prefix_list_id",
    ),
    "server_certificates": _subject(
        "RequestCertificate ImportCertificate DeleteCertificate", "certificate_arn"
    ),
    "saml_providers": _subject(
        "CreateSAMLProvider UpdateSAMLProvider DeleteSAMLProvider", "provider_arn"
    ),
}
"""The tables whose changes are looked up, and by what an event is tied to a row."""

EVENTS = tuple(sorted({name for one in SUBJECTS.values() for name in (*one.events, *one.around)}))
"""Every event name that is looked up."""

Kind = Literal["address", "arn", "flag", "group", "id", "number"]

IDENTIFIERS: Mapping[str, tuple[str, Kind]] = {
    "accessgroupid": ("access_group_id", "group"),
    "associationid": ("association_id", "id"),
    "authorizeallgroups": ("access_all", "flag"),
    "certificatearn": ("certificate_arn", "arn"),
    "cidr": ("cidr_block", "address"),
    "clientvpnendpointid": ("endpoint_id", "id"),
    "destinationcidrblock": ("destination", "address"),
    "destinationipv6cidrblock": ("destination", "address"),
    "destinationprefixlistid": ("destination", "id"),
    "egress": ("is_egress", "flag"),
    "groupid": ("group_id", "id"),
    "networkaclid": ("network_acl_id", "id"),
    "networkinterfaceid": ("eni_id", "id"),
    "newassociationid": ("association_id", "id"),
    "prefixlistid": ("prefix_list_id", "id"),
    "revokeallgroups": ("access_all", "flag"),
    "routetableid": ("route_table_id", "id"),
    "rulenumber": ("rule_number", "number"),
    "samlproviderarn": ("provider_arn", "arn"),
    "securitygroupruleid": ("rule_id", "id"),
    "subnetid": ("subnet_id", "id"),
    "targetnetworkcidr": ("destination_cidr", "address"),
    "targetvpcsubnetid": ("target_subnet", "id"),
    "vpcid": ("vpc_id", "id"),
    "vpcpeeringconnectionid": ("vpc_peering_connection_id", "id"),
}
"""Members of requests and answers that say what an event is about: the kit's name, and what it holds."""

_OF_OTHERS = {"groups", "ippermissions", "prefixlistids", "referencedgroupinfo", "useridgrouppairs"}
"""Members that hold the other end of a rule."""

_IDENTITY = ("type", "arn", "accountId", "userName", "invokedBy")
_ISSUER = ("type", "arn", "accountId", "userName")


def kept(text: str) -> str:
    """Return the record of an event with the members the kit uses, and no others.

    Who called, whether it failed, and which things request and answer name. Keys, addresses of
    callers, and all else that was asked are left out; so is a text that is no record.

    >>> kept('{"sourceIPAddress": "192.0.2.1", "requestParameters": {"groupId": "sg-1", "a": 1}}')
    '{"requestParameters": {"groupId": "sg-1"}}'
    """
    record = _parsed(text)
    if record is None:
        return ""
    made: dict[str, Any] = {}
    if isinstance(record.get("errorCode"), str):
        made["errorCode"] = record["errorCode"]
    if isinstance(who := record.get("userIdentity"), Mapping):
        identity: dict[str, Any] = _texts(who, _IDENTITY)
        context = who.get("sessionContext")
        issuer = context.get("sessionIssuer") if isinstance(context, Mapping) else None
        if isinstance(issuer, Mapping):
            identity["sessionContext"] = {"sessionIssuer": _texts(issuer, _ISSUER)}
        made["userIdentity"] = identity
    for part in ("requestParameters", "responseElements"):
        if found := _identifying(record.get(part)):
            made[part] = found
    # JSON can say half a character, which no file can hold.
    said = json.dumps(made, ensure_ascii=False)
    return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _texts(record: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    return {name: record[name] for name in names if isinstance(record.get(name), str)}


_MOST_DEPTH = 12


def _identifying(value: Any, depth: int = 0) -> Any:
    """Return what of a request or an answer names things; ``None`` where nothing does."""
    if depth > _MOST_DEPTH:
        return None
    if isinstance(value, Mapping):
        found = {}
        for name, held in value.items():
            folded = str(name).casefold()
            if folded in _OF_OTHERS:
                continue
            if folded in IDENTIFIERS:
                values = list(_leaves(held))
                if values:
                    found[str(name)] = values if len(values) > 1 else values[0]
            elif part := _identifying(held, depth + 1):
                found[str(name)] = part
        return found or None
    if isinstance(value, list):
        return [part for one in value if (part := _identifying(one, depth + 1))] or None
    return None


def _leaves(value: Any) -> Iterator[str | int | bool]:
    """Yield the values of a member: itself, those of a list, or what stands beside its tag."""
    if isinstance(value, Mapping):
        yield from _leaves(value.get("content"))
    elif isinstance(value, list):
        for one in value:
            if not isinstance(one, list):
                yield from _leaves(one)
    elif isinstance(value, str | int):
        yield value


@dataclass(frozen=True, kw_only=True)
class Event:
    """What an event's own record tells.

    Attributes
    ----------
    told
        Whether it could be read.
    error_code
        Why the call did nothing; ``None`` where it went well.
    kind, arn, account, name, session
        Who called: ``IAMUser``, ``AssumedRole`` …; the ARN and its account; the user's or the
        role's name; the name of the role's session.
    invoked_by
        The AWS service that called in their name.
    named
        What it names, as pairs of the kit's column and a value.
    """

    told: bool = True
    error_code: str | None = None
    kind: str | None = None
    arn: str | None = None
    account: str | None = None
    name: str | None = None
    session: str | None = None
    invoked_by: str | None = None
    named: tuple[tuple[str, str], ...] = ()


def event_of(text: str | None) -> Event:
    """Return what an event's own record tells, whether it is whole or as it was kept.

    >>> event_of('{"userIdentity": {"type": "IAMUser", "userName": "alice"}}').name
    'alice'
    """
    record = _parsed(kept(text)) if text else None
    if record is None:
        return Event(told=False)
    who = record.get("userIdentity", {})
    issuer = who.get("sessionContext", {}).get("sessionIssuer", {})
    arn = who.get("arn")
    # arn:aws:sts::111122223333:assumed-role/ROLE/SESSION
    kind, _, rest = (arn or "").rpartition(":")[2].partition("/")
    role, _, session = rest.partition("/") if kind == "assumed-role" else ("", "", "")
    return Event(
        error_code=record.get("errorCode"),
        kind=who.get("type"),
        arn=arn,
        account=who.get("accountId") or ((arn or "").split(":") + [""] * 5)[4] or None,
        name=who.get("userName")
        or role
        or issuer.get("userName")
        or rest.rpartition("/")[2]
        or None,
        session=session or None,
        invoked_by=who.get("invokedBy"),
        named=tuple(
            dict.fromkeys(
                pair
                for part in ("requestParameters", "responseElements")
                for pair in _named(record.get(part))
            )
        ),
    )


def _named(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for one in value:
            yield from _named(one)
    elif isinstance(value, Mapping):
        for name, held in value.items():
            if (known := IDENTIFIERS.get(name.casefold())) is None:
                yield from _named(held)
                continue
            for leaf in _leaves(held):
                told = str(leaf).lower() if known[1] == "flag" else str(leaf)
                # That a rule is not for everyone says nothing of whom it is for.
                if (known[0], told) != ("access_all", "false"):
                    yield known[0], told
