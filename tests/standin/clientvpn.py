"""AWS Client VPN, emulated beside moto's EC2: same backend objects, same wire format.

The operations are methods put onto moto's ``EC2Response``; each returns a dict in botocore's
output shape, which moto serializes. State lives on moto's EC2 backend of the account and Region,
so moto's own reset empties it.

What is known of AWS's behaviour is done so; where AWS documents nothing, the comment says so.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidSecurityGroupNotFoundError
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.transit_gateway_attachments import TransitGatewayAttachment
from moto.ec2.responses import EC2Response
from moto.ec2.utils import random_id

from tests.standin.switches import SWITCHES

__all__ = [
    "OPERATIONS",
    "Endpoint",
    "add_interface",
    "endpoints_of",
    "force_delete",
    "install",
    "settle",
]


@dataclass(kw_only=True)
class Endpoint:
    """A Client VPN endpoint: its record as described, and what hangs on it."""

    record: dict[str, Any]
    target_networks: list[dict[str, Any]] = field(default_factory=list)
    authorization_rules: list[dict[str, Any]] = field(default_factory=list)
    routes: list[dict[str, Any]] = field(default_factory=list)
    connections: list[dict[str, Any]] = field(default_factory=list)
    interfaces: dict[str, list[str]] = field(default_factory=dict)
    policy: dict[str, Any] | None = None
    revocation_list: str | None = None


@dataclass(kw_only=True)
class _State:
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    vpc_associations: list[dict[str, Any]] = field(default_factory=list)


def _state(backend: Any) -> _State:
    if "client_vpn" not in backend.__dict__:
        backend.client_vpn = _State()
    return backend.client_vpn  # type: ignore[no-any-return]


def endpoints_of(backend: Any) -> dict[str, Endpoint]:
    """Return the endpoints of an account and Region by id."""
    return _state(backend).endpoints


def _timestamp() -> str:
    return SWITCHES.now().strftime("%Y-%m-%dT%H:%M:%S")


def _active(code: str = "active") -> dict[str, str]:
    return {"Code": code}


# -- interfaces -----------------------------------------------------------------------------------


class _Interface(NetworkInterface):
    """An interface whose attachment is given, not derived from an instance of moto's."""

    attachment = None
    association = None  # type: ignore[assignment]


def _free_address(backend: Any, subnet: Any) -> str:
    taken = {
        address["PrivateIpAddress"]
        for eni in backend.enis.values()
        if eni.subnet.id == subnet.id
        for address in eni.private_ip_addresses
    }
    network = ip_network(subnet.cidr_block)
    # The lowest addresses of a subnet are AWS's own.
    return next(
        str(network[i])
        for i in range(10, network.num_addresses - 1)
        if str(network[i]) not in taken
    )


def _public_address() -> str:
    """Return an address of the documentation ranges, another one each time."""
    SWITCHES.public_addresses += 1
    network = ip_network(("203.0.113.0/24", "198.51.100.0/24")[SWITCHES.public_addresses > 200])
    return str(network[SWITCHES.public_addresses % 200 + 1])


def add_interface(
    backend: Any,
    subnet_id: str,
    groups: tuple[str, ...] = (),
    *,
    description: str = "",
    type: str = "interface",
    ip: str | None = None,
    more_ips: tuple[str, ...] = (),
    ipv6: tuple[str, ...] = (),
    public_ip: str | None = None,
    requester_managed: bool = False,
    requester_id: str | None = None,
    instance: str | None = None,
    tags: dict[str, str] | None = None,
) -> str:
    """Add an interface of any kind, also those only AWS services make; return its id."""
    subnet = backend.get_subnet(subnet_id)
    address = ip or _free_address(backend, subnet)
    eni = backend.create_network_interface(
        subnet,
        address,
        [{"Primary": a == address, "PrivateIpAddress": a} for a in (address, *more_ips)],
        group_ids=list(groups),
        description=description,
        tags=tags or {},
        ipv6_addresses=list(ipv6),
    )
    eni.__class__ = _Interface
    if not groups and type in {"natGateway", "network_load_balancer", "gateway_load_balancer"}:
        eni._group_set = []  # these can exist without security groups
    eni.interface_type = type
    if public_ip:
        owner = "amazon" if requester_managed else backend.account_id
        eni.association = {"PublicIp": public_ip, "IpOwnerId": owner}
        eni.private_ip_addresses[0]["Association"] = eni.association
    eni.requester_managed = requester_managed
    eni.requester_id = requester_id or (backend.account_id if requester_managed else None)
    eni.status = "in-use"
    eni.attachment = {
        "AttachmentId": random_id("eni-attach"),
        "AttachTime": SWITCHES.now(),
        "DeleteOnTermination": True,
        "DeviceIndex": 0,
        "NetworkCardIndex": 0,
        "InstanceOwnerId": backend.account_id if instance else "amazon-aws",
        "Status": "attached",
        **({"InstanceId": instance} if instance else {}),
    }
    return str(eni.id)


def _group(backend: Any, group_id: str, vpc_id: str | None) -> Any:
    group = backend.get_security_group_from_id(group_id)
    associated = any(
        a["GroupId"] == group_id and a["VpcId"] == vpc_id for a in _state(backend).vpc_associations
    )
    if group is None or (group.vpc_id != vpc_id and not associated):
        raise InvalidSecurityGroupNotFoundError(group_id)
    return group


def _put_groups(backend: Any, endpoint: Endpoint, groups: list[str]) -> None:
    """Make groups effective: on the target networks and on their interfaces."""
    for network in endpoint.target_networks:
        network["SecurityGroups"] = list(groups)
        for eni_id in endpoint.interfaces.get(network["AssociationId"], ()):
            backend.enis[eni_id]._group_set = [
                _group(backend, group, network["VpcId"]) for group in groups
            ]


def _configured(backend: Any, endpoint: Endpoint) -> list[str]:
    named = endpoint.record["SecurityGroupIds"]
    return list(named) or [backend.get_default_security_group(endpoint.record["VpcId"]).id]


def settle(backend: Any) -> None:
    """Let every change of configured groups reach the ENIs (AWS takes up to four hours)."""
    for endpoint in endpoints_of(backend).values():
        if endpoint.target_networks and "TransitGatewayConfiguration" not in endpoint.record:
            _put_groups(backend, endpoint, _configured(backend, endpoint))


def force_delete(backend: Any, endpoint_id: str) -> None:
    """Delete an endpoint with everything on it."""
    endpoint = endpoints_of(backend).pop(endpoint_id)
    for eni_ids in endpoint.interfaces.values():
        for eni_id in eni_ids:
            backend.enis.pop(eni_id, None)


# -- operations -----------------------------------------------------------------------------------

OPERATIONS: list[Callable[[EC2Response], ActionResult]] = []
"""The operations of this module, in the spelling of moto and boto3."""


def _operation(
    function: Callable[[EC2Response], dict[str, Any]],
) -> Callable[[EC2Response], ActionResult]:
    def answer(self: EC2Response) -> ActionResult:
        return ActionResult(deepcopy(function(self)))

    answer.__name__ = function.__name__
    OPERATIONS.append(answer)
    return answer


def _endpoint(self: EC2Response) -> Endpoint:
    id = self._get_param("ClientVpnEndpointId")
    try:
        return endpoints_of(self.ec2_backend)[id]
    except KeyError:
        raise EC2ClientError(
            "InvalidClientVpnEndpointId.NotFound",
            f"The specified Client VPN endpoint '{id}' does not exist",
        ) from None


_SELF_SERVICE = "https://self-service.clientvpn.amazonaws.com/endpoints/"


def _filtered(
    self: EC2Response, records: list[dict[str, Any]], **names: str
) -> list[dict[str, Any]]:
    """Return the records that pass the request's filters; ``names`` maps filters to members."""
    for name, values in self._filters_from_querystring().items():
        member = names.get(name.replace("-", "_"))
        if member is None:
            raise EC2ClientError("InvalidParameterValue", f"The filter '{name}' is invalid")
        records = [
            r
            for r in records
            if str(r[member]["Code"] if isinstance(r.get(member), dict) else r.get(member))
            in values
        ]
    return records


@_operation
def create_client_vpn_endpoint(self: EC2Response) -> dict[str, Any]:
    backend = self.ec2_backend
    p = self._get_param
    groups, vpc, gateway = p("SecurityGroupIds", []), p("VpcId"), p("TransitGatewayConfiguration")
    if gateway and (vpc or groups):
        raise EC2ClientError(
            "InvalidParameterCombination",
            "TransitGatewayConfiguration cannot be combined with VpcId or SecurityGroupIds",
        )
    if groups and not vpc:
        raise EC2ClientError("MissingParameter", "Security groups need the VPC they belong to")
    if len(groups) > 5:
        raise EC2ClientError("InvalidParameterValue", "At most 5 security groups")
    if vpc:
        backend.get_vpc(vpc)
    for group in groups:
        _group(backend, group, vpc)
    traffic = p("TrafficIpAddressType", "ipv4")
    if not p("ClientCidrBlock") and traffic != "ipv6":
        raise EC2ClientError("MissingParameter", "ClientCidrBlock is needed for IPv4 traffic")
    logging = dict(p("ConnectionLogOptions", {}))
    if logging.get("Enabled") and not logging.get("CloudwatchLogGroup"):
        raise EC2ClientError("InvalidParameterValue", "Connection logging needs a log group")
    id = random_id("cvpn-endpoint")
    record: dict[str, Any] = {
        "ClientVpnEndpointId": id,
        "Description": p("Description") or "",
        "Status": _active("pending-associate"),
        "CreationTime": _timestamp(),
        "DnsName": f"*.{id}.prod.clientvpn.{self.region}.amazonaws.com",
        "ClientCidrBlock": p("ClientCidrBlock"),
        "DnsServers": p("DnsServers", []),
        "SplitTunnel": p("SplitTunnel", False),
        "VpnProtocol": "openvpn",
        "TransportProtocol": p("TransportProtocol", "udp"),
        "VpnPort": p("VpnPort", 443),
        "AssociatedTargetNetworks": [],
        "ServerCertificateArn": p("ServerCertificateArn"),
        "AuthenticationOptions": [_authentication(a) for a in p("AuthenticationOptions")],
        "ConnectionLogOptions": logging,
        "Tags": [
            {"Key": t["Key"], "Value": t.get("Value", "")}
            for spec in p("TagSpecifications", [])
            for t in spec.get("Tags", [])
        ],
        "SecurityGroupIds": list(groups),
        "ClientConnectOptions": {
            "Status": _active("applied"),
            **p("ClientConnectOptions", {"Enabled": False}),
        },
        "SessionTimeoutHours": p("SessionTimeoutHours", 24),
        "ClientLoginBannerOptions": p("ClientLoginBannerOptions", {"Enabled": False}),
        "ClientRouteEnforcementOptions": p("ClientRouteEnforcementOptions", {"Enforced": False}),
        "DisconnectOnSessionTimeout": p("DisconnectOnSessionTimeout", True),
        "EndpointIpAddressType": p("EndpointIpAddressType", "ipv4"),
        "TrafficIpAddressType": traffic,
        # Present whatever the authentication, also where nobody can use the portal.
        "SelfServicePortalUrl": _SELF_SERVICE + id,
    }
    if vpc:
        record["VpcId"] = vpc
    if p("DevicePostureOptions", {}).get("TrustProviders"):
        record["DevicePostureOptions"] = {
            "TrustProviders": p("DevicePostureOptions")["TrustProviders"]
        }
    if gateway:
        record["TransitGatewayConfiguration"] = _attach(backend, id, gateway)
        # AWS does not say which status it has before traffic can pass.
        record["Status"] = _active("available")
    endpoints_of(backend)[id] = Endpoint(record=record)
    return {
        "ClientVpnEndpointId": id,
        "Status": record["Status"],
        "DnsName": record["DnsName"],
    }


def _authentication(option: dict[str, Any]) -> dict[str, Any]:
    """Return an authentication option as describe words it; create words it differently."""
    described: dict[str, Any] = {"Type": option["Type"]}
    if "MutualAuthentication" in option:
        arn = option["MutualAuthentication"]["ClientRootCertificateChainArn"]
        described["MutualAuthentication"] = {"ClientRootCertificateChain": arn}
    if "ActiveDirectory" in option:
        described["ActiveDirectory"] = option["ActiveDirectory"]
    if "FederatedAuthentication" in option:
        saml = option["FederatedAuthentication"]
        described["FederatedAuthentication"] = {
            "SamlProviderArn": saml["SAMLProviderArn"],
            **(
                {"SelfServiceSamlProviderArn": saml["SelfServiceSAMLProviderArn"]}
                if "SelfServiceSAMLProviderArn" in saml
                else {}
            ),
        }
    return described


def _attach(backend: Any, endpoint_id: str, asked: dict[str, Any]) -> dict[str, Any]:
    gateway = backend.transit_gateways.get(asked["TransitGatewayId"])
    if gateway is None:
        raise EC2ClientError(
            "InvalidTransitGatewayID.NotFound", f"{asked['TransitGatewayId']} does not exist"
        )
    attachment = TransitGatewayAttachment(
        backend, resource_id=endpoint_id, resource_type="client-vpn", transit_gateway=gateway
    )
    backend.transit_gateway_attachments[attachment.id] = attachment
    return {**asked, "TransitGatewayAttachmentId": attachment.id}


@_operation
def describe_client_vpn_endpoints(self: EC2Response) -> dict[str, Any]:
    found = [e.record for e in endpoints_of(self.ec2_backend).values()]
    for id in self._get_param("ClientVpnEndpointIds", []):
        if id not in endpoints_of(self.ec2_backend):
            raise EC2ClientError(
                "InvalidClientVpnEndpointId.NotFound",
                f"The specified Client VPN endpoint '{id}' does not exist",
            )
        found = [
            r for r in found if r["ClientVpnEndpointId"] in self._get_param("ClientVpnEndpointIds")
        ]
    return {
        "ClientVpnEndpoints": _filtered(
            self, found, endpoint_id="ClientVpnEndpointId", transport_protocol="TransportProtocol"
        )
    }


@_operation
def modify_client_vpn_endpoint(self: EC2Response) -> dict[str, Any]:
    endpoint, backend, p = _endpoint(self), self.ec2_backend, self._get_param
    record = endpoint.record
    plain = (
        "ServerCertificateArn Description SplitTunnel VpnPort SessionTimeoutHours ConnectionLogOptions "
        "ClientLoginBannerOptions ClientRouteEnforcementOptions DisconnectOnSessionTimeout"
    )
    for name in plain.split():
        if p(name) is not None:
            record[name] = p(name)
    if p("ClientConnectOptions") is not None:
        record["ClientConnectOptions"] = {"Status": _active("applied"), **p("ClientConnectOptions")}
    if p("DnsServers") is not None:
        record["DnsServers"] = p("DnsServers").get("CustomDnsServers", [])
    if p("DevicePostureOptions") is not None:
        options = p("DevicePostureOptions")
        record.pop("DevicePostureOptions", None)
        if options.get("Enabled", True):
            record["DevicePostureOptions"] = {"TrustProviders": options.get("TrustProviders", [])}
    groups = p("SecurityGroupIds", [])
    if groups:
        vpc = p("VpcId") or record.get("VpcId")
        for group in groups:
            _group(backend, group, vpc)
        # Configured now; on the ENIs only once AWS has got round to it: see settle().
        record["SecurityGroupIds"], record["VpcId"] = list(groups), vpc
    return {"Return": True}


@_operation
def delete_client_vpn_endpoint(self: EC2Response) -> dict[str, Any]:
    endpoint = _endpoint(self)
    if endpoint.target_networks:
        raise EC2ClientError("DependencyViolation", "The endpoint still has associated networks")
    force_delete(self.ec2_backend, endpoint.record["ClientVpnEndpointId"])
    return {"Status": _active("deleting")}


@_operation
def associate_client_vpn_target_network(self: EC2Response) -> dict[str, Any]:
    endpoint, backend = _endpoint(self), self.ec2_backend
    record, id = endpoint.record, endpoint.record["ClientVpnEndpointId"]
    subnet = backend.get_subnet(self._get_param("SubnetId"))
    if record.get("VpcId", subnet.vpc_id) != subnet.vpc_id:
        raise EC2ClientError("InvalidParameterValue", "The subnet is in another VPC")
    for network in endpoint.target_networks:
        other = backend.get_subnet(network["TargetNetworkId"])
        if other.availability_zone == subnet.availability_zone:
            raise EC2ClientError(
                "InvalidClientVpnDuplicateAssociationException",
                "A subnet of this Availability Zone is already associated",
            )
    record["VpcId"] = subnet.vpc_id
    record["Status"] = _active("available")
    # None named: the VPC's default group applies from the first association on.
    groups = _configured(backend, endpoint)
    association = random_id("cvpn-assoc")
    endpoint.target_networks.append(
        {
            "AssociationId": association,
            "VpcId": subnet.vpc_id,
            "TargetNetworkId": subnet.id,
            "ClientVpnEndpointId": id,
            "Status": _active("associated"),
            "SecurityGroups": groups,
        }
    )
    record["AssociatedTargetNetworks"].append({"NetworkId": subnet.id, "NetworkType": "vpc"})
    for cidr in (
        a["cidr_block"] for a in backend.get_vpc(subnet.vpc_id).get_cidr_block_association_set()
    ):
        endpoint.routes.append(_route(id, cidr, subnet.id, "associate", ""))
    text = "ClientVPN Endpoint resource"
    endpoint.interfaces[association] = [
        add_interface(
            backend,
            subnet.id,
            tuple(groups),
            description=f"{text} {id}" if SWITCHES.named_interfaces else text,
            public_ip=_public_address(),
            requester_managed=True,
        )
        for _ in range(SWITCHES.interfaces_per_association)
    ]
    return {"AssociationId": association, "Status": _active("associating")}


@_operation
def disassociate_client_vpn_target_network(self: EC2Response) -> dict[str, Any]:
    endpoint, id = _endpoint(self), self._get_param("AssociationId")
    network = next((n for n in endpoint.target_networks if n["AssociationId"] == id), None)
    if network is None:
        raise EC2ClientError("InvalidClientVpnAssociationId.NotFound", f"'{id}' does not exist")
    subnet = network["TargetNetworkId"]
    endpoint.target_networks.remove(network)
    endpoint.routes = [r for r in endpoint.routes if r["TargetSubnet"] != subnet]
    associated = endpoint.record["AssociatedTargetNetworks"]
    endpoint.record["AssociatedTargetNetworks"] = [
        n for n in associated if n["NetworkId"] != subnet
    ]
    for eni_id in endpoint.interfaces.pop(id):
        self.ec2_backend.enis.pop(eni_id, None)
    if not endpoint.target_networks:
        endpoint.record["Status"] = _active("pending-associate")
    return {"AssociationId": id, "Status": _active("disassociating")}


@_operation
def describe_client_vpn_target_networks(self: EC2Response) -> dict[str, Any]:
    networks = _endpoint(self).target_networks
    ids = self._get_param("AssociationIds", [])
    return {
        "ClientVpnTargetNetworks": _filtered(
            self,
            [n for n in networks if not ids or n["AssociationId"] in ids],
            association_id="AssociationId",
            target_network_id="TargetNetworkId",
            vpc_id="VpcId",
        )
    }


@_operation
def apply_security_groups_to_client_vpn_target_network(self: EC2Response) -> dict[str, Any]:
    endpoint, groups = _endpoint(self), self._get_param("SecurityGroupIds")
    if len(groups) > 5:
        raise EC2ClientError("InvalidParameterValue", "At most 5 security groups")
    for group in groups:
        _group(self.ec2_backend, group, self._get_param("VpcId"))
    endpoint.record["SecurityGroupIds"] = list(groups)
    _put_groups(self.ec2_backend, endpoint, list(groups))
    return {"SecurityGroupIds": groups}


@_operation
def authorize_client_vpn_ingress(self: EC2Response) -> dict[str, Any]:
    endpoint, p = _endpoint(self), self._get_param
    group, everyone = p("AccessGroupId"), p("AuthorizeAllGroups", False)
    if bool(group) == bool(everyone):
        raise EC2ClientError(
            "InvalidParameterCombination", "Give either AccessGroupId or AuthorizeAllGroups"
        )
    rule = {
        "ClientVpnEndpointId": endpoint.record["ClientVpnEndpointId"],
        "Description": p("Description") or "",
        "GroupId": group or "",
        "AccessAll": everyone,
        "DestinationCidr": p("TargetNetworkCidr"),
        "Status": _active(),
    }
    key = ("GroupId", "AccessAll", "DestinationCidr")
    if any(all(r[k] == rule[k] for k in key) for r in endpoint.authorization_rules):
        raise EC2ClientError(
            "InvalidClientVpnDuplicateAuthorizationRule", "The rule exists already"
        )
    endpoint.authorization_rules.append(rule)
    return {"Status": _active("authorizing")}


@_operation
def revoke_client_vpn_ingress(self: EC2Response) -> dict[str, Any]:
    endpoint, p = _endpoint(self), self._get_param
    left = [
        r
        for r in endpoint.authorization_rules
        if r["DestinationCidr"] != p("TargetNetworkCidr")
        or (p("AccessGroupId") and r["GroupId"] != p("AccessGroupId"))
        # RevokeAllGroups leaves rules of groups for the same network alone, says the API reference.
        or (not p("AccessGroupId") and not r["AccessAll"])
    ]
    if len(left) == len(endpoint.authorization_rules):
        raise EC2ClientError("InvalidClientVpnEndpointAuthorizationRuleNotFound", "No such rule")
    endpoint.authorization_rules = left
    return {"Status": _active("revoking")}


@_operation
def describe_client_vpn_authorization_rules(self: EC2Response) -> dict[str, Any]:
    rules = _endpoint(self).authorization_rules
    return {
        "AuthorizationRules": _filtered(
            self,
            rules,
            description="Description",
            destination_cidr="DestinationCidr",
            group_id="GroupId",
        )
    }


def _route(endpoint: str, cidr: str, target: str, origin: str, description: str) -> dict[str, Any]:
    return {
        "ClientVpnEndpointId": endpoint,
        "DestinationCidr": cidr,
        "TargetSubnet": target,
        "Type": "Nat",
        "Origin": origin,
        "Status": _active(),
        "Description": description,
    }


@_operation
def create_client_vpn_route(self: EC2Response) -> dict[str, Any]:
    endpoint, p = _endpoint(self), self._get_param
    id, target = endpoint.record["ClientVpnEndpointId"], p("TargetVpcSubnetId")
    gateway = endpoint.record.get("TransitGatewayConfiguration")
    associated = {n["TargetNetworkId"] for n in endpoint.target_networks}
    if not gateway and target != "local" and target not in associated:
        raise EC2ClientError(
            "InvalidClientVpnActiveAssociationNotFound", "The subnet is not associated"
        )
    route = _route(id, p("DestinationCidrBlock"), target, "add-route", p("Description") or "")
    key = ("DestinationCidr", "TargetSubnet")
    if any(all(r.get(k) == route[k] for k in key) for r in endpoint.routes):
        raise EC2ClientError("InvalidClientVpnDuplicateRoute", "The route exists already")
    if gateway and target is None:
        del route["TargetSubnet"]
        route["TransitGatewayAttachmentId"] = gateway["TransitGatewayAttachmentId"]
    endpoint.routes.append(route)
    return {"Status": _active("creating")}


@_operation
def delete_client_vpn_route(self: EC2Response) -> dict[str, Any]:
    endpoint, p = _endpoint(self), self._get_param
    left = [
        r
        for r in endpoint.routes
        if (r["DestinationCidr"], r.get("TargetSubnet"))
        != (p("DestinationCidrBlock"), p("TargetVpcSubnetId"))
    ]
    if len(left) == len(endpoint.routes):
        raise EC2ClientError("InvalidClientVpnRouteNotFound", "No such route")
    endpoint.routes = left
    return {"Status": _active("deleting")}


@_operation
def describe_client_vpn_routes(self: EC2Response) -> dict[str, Any]:
    return {
        "Routes": _filtered(
            self,
            _endpoint(self).routes,
            destination_cidr="DestinationCidr",
            origin="Origin",
            target_subnet="TargetSubnet",
        )
    }


@_operation
def describe_client_vpn_connections(self: EC2Response) -> dict[str, Any]:
    return {
        "Connections": _filtered(
            self, _endpoint(self).connections, connection_id="ConnectionId", username="Username"
        )
    }


@_operation
def terminate_client_vpn_connections(self: EC2Response) -> dict[str, Any]:
    endpoint, p = _endpoint(self), self._get_param
    statuses = []
    for connection in endpoint.connections:
        wanted = connection["ConnectionId"] == p("ConnectionId") or (
            p("Username") and connection.get("Username") == p("Username")
        )
        if wanted:
            statuses.append(
                {
                    "ConnectionId": connection["ConnectionId"],
                    "PreviousStatus": connection["Status"],
                    "CurrentStatus": _active("terminating"),
                }
            )
            connection["Status"] = _active("terminated")
            connection["ConnectionEndTime"] = _timestamp().replace("T", " ")
    return {
        "ClientVpnEndpointId": endpoint.record["ClientVpnEndpointId"],
        "ConnectionStatuses": statuses,
    }


@_operation
def import_client_vpn_client_certificate_revocation_list(self: EC2Response) -> dict[str, Any]:
    _endpoint(self).revocation_list = self._get_param("CertificateRevocationList")
    return {"Return": True}


@_operation
def export_client_vpn_client_certificate_revocation_list(self: EC2Response) -> dict[str, Any]:
    text = _endpoint(self).revocation_list
    # AWS does not say what it answers where none was imported.
    return {"CertificateRevocationList": text, "Status": _active("active" if text else "pending")}


@_operation
def get_client_vpn_endpoint_authorization_policy(self: EC2Response) -> dict[str, Any]:
    endpoint = _endpoint(self)
    id = endpoint.record["ClientVpnEndpointId"]
    if endpoint.policy is None and SWITCHES.no_policy_code:
        raise EC2ClientError(SWITCHES.no_policy_code, f"'{id}' has no authorization policy")
    return {"ClientVpnEndpointId": id, **(endpoint.policy or {})}


@_operation
def modify_client_vpn_endpoint_authorization_policy(self: EC2Response) -> dict[str, Any]:
    endpoint, p = _endpoint(self), self._get_param
    new = endpoint.policy is None
    if new and not p("PolicyDocument"):
        raise EC2ClientError("MissingParameter", "PolicyDocument is needed to create a policy")
    if len((p("PolicyDocument") or "").encode()) > 10_000:
        raise EC2ClientError("InvalidParameterValue", "A policy has at most 10,000 bytes")
    policy = endpoint.policy or {"ShadowMode": "disabled", "Status": "active"}
    for name in ("PolicyDocument", "Description", "ShadowMode"):
        if p(name) is not None:
            policy[name] = p(name)
    endpoint.policy = policy
    return {"Status": "creating" if new else "updating"}


@_operation
def delete_client_vpn_endpoint_authorization_policy(self: EC2Response) -> dict[str, Any]:
    _endpoint(self).policy = None
    return {"Status": "deleting"}


# -- security groups in further VPCs ---------------------------------------------------------------


@_operation
def associate_security_group_vpc(self: EC2Response) -> dict[str, Any]:
    backend = self.ec2_backend
    group = backend.get_security_group_from_id(self._get_param("GroupId"))
    if group is None:
        raise InvalidSecurityGroupNotFoundError(self._get_param("GroupId"))
    if group.name == "default":
        raise EC2ClientError(
            "InvalidParameterValue", "A default security group cannot be associated"
        )
    vpc = backend.get_vpc(self._get_param("VpcId"))
    _state(backend).vpc_associations.append(
        {
            "GroupId": group.id,
            "VpcId": vpc.id,
            "VpcOwnerId": backend.account_id,
            "State": "associated",
            "GroupOwnerId": backend.account_id,
        }
    )
    return {"State": "associating"}


@_operation
def disassociate_security_group_vpc(self: EC2Response) -> dict[str, Any]:
    state, p = _state(self.ec2_backend), self._get_param
    state.vpc_associations = [
        a
        for a in state.vpc_associations
        if (a["GroupId"], a["VpcId"]) != (p("GroupId"), p("VpcId"))
    ]
    return {"State": "disassociating"}


@_operation
def describe_security_group_vpc_associations(self: EC2Response) -> dict[str, Any]:
    found = _state(self.ec2_backend).vpc_associations
    return {
        "SecurityGroupVpcAssociations": _filtered(
            self,
            found,
            group_id="GroupId",
            vpc_id="VpcId",
            state="State",
            vpc_owner_id="VpcOwnerId",
        )
    }


def install() -> None:
    """Give moto's EC2 the operations of this module."""
    for operation in OPERATIONS:
        setattr(EC2Response, operation.__name__, operation)
