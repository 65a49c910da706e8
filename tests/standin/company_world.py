"""A company of ordinary size: three Regions, 200 security groups, 2,000 rules, 150 interfaces, 3 endpoints.

Built past the API, so that it is there in a moment; what is read of it comes over the wire.
"""

from ipaddress import ip_network
from typing import Any

from tests.standin import clientvpn
from tests.standin.server import StandIn

__all__ = ["ENDPOINTS", "GROUPS", "INTERFACES", "REGIONS", "RULES", "build"]

REGIONS = ("ap-northeast-1", "eu-west-1", "us-east-1")
GROUPS, RULES, INTERFACES, ENDPOINTS = 200, 2000, 150, 3
"""How many there are in all Regions together, at least: AWS adds default groups and rules."""

_PORTS = (22, 80, 443, 3306, 5432, 6379, 8080, 8443, 9090, 9200, 27017)
_KINDS = ("interface", "interface", "interface", "lambda", "vpc_endpoint", "natGateway")


def build(aws: StandIn) -> None:
    """Build the company in an empty stand-in."""
    for number, region in enumerate(REGIONS):
        _build_region(aws, region, number)


def _share(whole: int, number: int) -> int:
    """Return what a Region has of a whole."""
    return whole // len(REGIONS) + (number < whole % len(REGIONS))


def _build_region(aws: StandIn, region: str, number: int) -> None:
    backend = aws._backend(region)
    vpc = backend.create_vpc(f"10.{number}.0.0/16")
    subnets = [
        backend.create_subnet(vpc.id, str(block), availability_zone=f"{region}{'ac'[at % 2]}")
        for at, block in enumerate(list(ip_network(vpc.cidr_block).subnets(new_prefix=24))[:4])
    ]
    groups = [
        backend.create_security_group(f"service-{at}", f"Service {at}", vpc.id).id
        for at in range(_share(GROUPS, number))
    ]
    for at in range(_share(RULES, number)):
        group, port = groups[at % len(groups)], str(_PORTS[at // len(groups) % len(_PORTS)])
        source: dict[str, Any] = (
            {"source_groups": [{"GroupId": groups[at * 7 % len(groups)]}], "ip_ranges": []}
            if at % 3 == 0
            else {"ip_ranges": [{"CidrIp": f"10.{number}.{at % 200}.0/24"}]}
        )
        backend.authorize_security_group_ingress(group, "tcp", port, port, **source)
    for at in range(_share(INTERFACES, number)):
        kind = _KINDS[at % len(_KINDS)]
        carried = () if kind == "natGateway" else (groups[at % len(groups)],)
        clientvpn.add_interface(
            backend, subnets[at % len(subnets)].id, carried, type=kind,
            description=f"{kind} {at}", requester_managed=kind != "interface",
        )  # fmt: skip
    if number < ENDPOINTS:
        _build_endpoint(aws, region, number, vpc.id, groups[0], subnets)


def _build_endpoint(
    aws: StandIn, region: str, number: int, vpc: str, group: str, subnets: list[Any]
) -> None:
    ec2, acm = aws.client("ec2", region), aws.client("acm", region)
    certificate = acm.request_certificate(DomainName="vpn.example.com")["CertificateArn"]
    aws.issue_certificate(certificate, region=region)
    endpoint = ec2.create_client_vpn_endpoint(
        ClientCidrBlock=f"172.{20 + number}.0.0/22",
        ServerCertificateArn=certificate,
        AuthenticationOptions=[
            {
                "Type": "certificate-authentication",
                "MutualAuthentication": {"ClientRootCertificateChainArn": certificate},
            }
        ],
        ConnectionLogOptions={"Enabled": False},
        VpcId=vpc,
        SecurityGroupIds=[group],
        SplitTunnel=True,
    )["ClientVpnEndpointId"]
    for subnet in subnets[:2]:
        ec2.associate_client_vpn_target_network(ClientVpnEndpointId=endpoint, SubnetId=subnet.id)
    ec2.authorize_client_vpn_ingress(
        ClientVpnEndpointId=endpoint,
        TargetNetworkCidr=f"10.{number}.0.0/16",
        AuthorizeAllGroups=True,
    )
