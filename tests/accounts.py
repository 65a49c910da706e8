"""A small account in the stand-in that makes every read of the table happen."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.standin import ACCOUNT, StandIn
from tests.worlds import NOW, saml_metadata

REGION = "ap-northeast-1"
LOG_GROUP = "/aws/vpn/接続"
DIRECTORY = "d-0123456789"
POLICY = 'permit(principal, action, resource) when { context.saml.memberOf.contains("vpn") };'


@dataclass(frozen=True, kw_only=True)
class SmallAccount:
    """What was built, by id."""

    endpoints: tuple[str, str]
    prefix_list: str
    vpc: str
    groups: tuple[str, ...]
    certificate: str
    saml_provider: str
    function: str


def small_account(
    aws: StandIn, region: str = REGION, *, log_group: str = LOG_GROUP
) -> SmallAccount:
    """Build two endpoints (one with a Cedar policy), a prefix list, groups and receivers."""
    ec2: Any = aws.client("ec2", region)
    certificate = aws.client("acm", region).request_certificate(DomainName="vpn.example.com")
    arn = str(certificate["CertificateArn"])
    aws.issue_certificate(arn, region=region)
    aws.client("logs", region).create_log_group(logGroupName=log_group)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    groups = tuple(
        ec2.create_security_group(GroupName=name, Description="製品 & <b>", VpcId=vpc)["GroupId"]
        for name in ("vpn", "receiver", "third")
    )
    prefix_list = ec2.create_managed_prefix_list(
        PrefixListName="offices",
        AddressFamily="IPv4",
        MaxEntries=10,
        Entries=[{"Cidr": f"192.0.2.{i}/32"} for i in range(7)],
    )["PrefixList"]["PrefixListId"]
    ec2.authorize_security_group_ingress(
        GroupId=groups[1],
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **peer}
            for peer in (
                {"PrefixListIds": [{"PrefixListId": prefix_list}]},
                {"UserIdGroupPairs": [{"GroupId": groups[0]}]},
                *({"IpRanges": [{"CidrIp": f"10.0.{i}.0/24"}]} for i in range(8)),
            )
        ],
    )
    for _ in range(7):
        aws.add_interface(subnet, groups[1], region=region)
    provider = aws.add_saml_provider(
        "idp", saml_metadata(), valid_until=NOW + timedelta(days=3650), created=NOW
    )
    aws.add_directory(DIRECTORY, region=region)
    function = aws.add_function("AWSClientVPN-gate", region=region)
    aws.add_quota(
        "vpc", "L-0EA8095F", "Inbound or outbound rules per security group", 100, region=region
    )
    aws.write_log(log_group, "connections", NOW - timedelta(days=1), region=region)
    directory = {
        "Type": "directory-service-authentication",
        "ActiveDirectory": {"DirectoryId": DIRECTORY},
    }
    saml = {
        "Type": "federated-authentication",
        "FederatedAuthentication": {"SAMLProviderArn": provider},
    }
    endpoints = []
    for group, second in zip(groups[:2], (directory, saml), strict=True):
        endpoint = ec2.create_client_vpn_endpoint(
            ClientCidrBlock="172.20.0.0/22",
            ServerCertificateArn=arn,
            AuthenticationOptions=[
                {
                    "Type": "certificate-authentication",
                    "MutualAuthentication": {"ClientRootCertificateChainArn": arn},
                },
                second,
            ],
            ClientConnectOptions={"Enabled": True, "LambdaFunctionArn": function},
            ConnectionLogOptions={"Enabled": True, "CloudwatchLogGroup": log_group},
            VpcId=vpc,
            SecurityGroupIds=[group],
            Description='a "quoted" \\ text\nof two lines: "ClientVpnEndpointId": "x"',
        )["ClientVpnEndpointId"]
        ec2.associate_client_vpn_target_network(ClientVpnEndpointId=endpoint, SubnetId=subnet)
        for i in range(7):
            ec2.authorize_client_vpn_ingress(
                ClientVpnEndpointId=endpoint,
                TargetNetworkCidr=f"10.0.{i}.0/24",
                AuthorizeAllGroups=True,
            )
        aws.add_connection(endpoint, region=region)
        endpoints.append(endpoint)
    ec2.modify_client_vpn_endpoint_authorization_policy(
        ClientVpnEndpointId=endpoints[0], PolicyDocument=POLICY, ShadowMode="enabled"
    )
    return SmallAccount(
        endpoints=(endpoints[0], endpoints[1]),
        prefix_list=prefix_list,
        vpc=vpc,
        groups=groups,
        certificate=arn,
        saml_provider=provider,
        function=function,
    )


__all__ = ["ACCOUNT", "LOG_GROUP", "POLICY", "REGION", "SmallAccount", "small_account"]
