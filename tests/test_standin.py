"""The stand-in behaves as AWS does where the kit's conclusions depend on it."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError
from moto.core.serialize import AttributePicker, XFormedAttributePicker
from moto.ec2.models.tags import TagBackend

from tests.standin import ACCOUNT, StandIn, speed

CERTIFICATE = (
    f"arn:aws:acm:ap-northeast-1:{ACCOUNT}:certificate/00000000-0000-0000-0000-000000000001"
)


class Network:
    """A VPC with a subnet in each of two zones, and an endpoint when asked."""

    def __init__(self, aws: StandIn) -> None:
        self.ec2: Any = aws.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.a, self.b = (
            self.ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=f"ap-northeast-1{zone}"
            )["Subnet"]["SubnetId"]
            for cidr, zone in (("10.0.1.0/24", "a"), ("10.0.2.0/24", "c"))
        )

    def group(self, name: str) -> str:
        made = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        return str(made["GroupId"])

    def endpoint(self, *groups: str, **more: Any) -> str:
        options: dict[str, Any] = {
            "ClientCidrBlock": "172.20.0.0/22",
            "ServerCertificateArn": CERTIFICATE,
            "AuthenticationOptions": [
                {
                    "Type": "certificate-authentication",
                    "MutualAuthentication": {"ClientRootCertificateChainArn": CERTIFICATE},
                }
            ],
            "ConnectionLogOptions": {"Enabled": False},
            **({"VpcId": self.vpc, "SecurityGroupIds": list(groups)} if groups else {}),
            **more,
        }
        return str(self.ec2.create_client_vpn_endpoint(**options)["ClientVpnEndpointId"])

    def associate(self, endpoint: str, subnet: str) -> str:
        return str(
            self.ec2.associate_client_vpn_target_network(
                ClientVpnEndpointId=endpoint, SubnetId=subnet
            )["AssociationId"]
        )

    def interfaces(self) -> list[dict[str, Any]]:
        return list(self.ec2.describe_network_interfaces()["NetworkInterfaces"])


@pytest.fixture
def network(aws: StandIn) -> Network:
    return Network(aws)


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_world_starts_empty_and_callers_are_in_the_sample_account(aws: StandIn) -> None:
    assert aws.caller("ec2").describe_vpcs()["Vpcs"] == []
    assert aws.caller("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/auditor"


def test_an_association_makes_an_interface_with_the_endpoints_groups_and_a_route(
    network: Network,
) -> None:
    group = network.group("vpn")
    endpoint = network.endpoint(group)
    network.associate(endpoint, network.a)
    (eni,) = network.interfaces()
    assert [g["GroupId"] for g in eni["Groups"]] == [group]
    assert eni["SubnetId"] == network.a
    assert eni["RequesterManaged"]
    assert eni["Description"] == f"ClientVPN Endpoint resource {endpoint}"
    (route,) = network.ec2.describe_client_vpn_routes(ClientVpnEndpointId=endpoint)["Routes"]
    assert (route["DestinationCidr"], route["TargetSubnet"]) == ("10.0.0.0/16", network.a)
    assert route["Origin"] == "associate"


def test_the_default_group_applies_where_none_is_named(network: Network) -> None:
    endpoint = network.endpoint()
    network.associate(endpoint, network.a)
    (eni,) = network.interfaces()
    assert [g["GroupName"] for g in eni["Groups"]] == ["default"]
    (target,) = network.ec2.describe_client_vpn_target_networks(ClientVpnEndpointId=endpoint)[
        "ClientVpnTargetNetworks"
    ]
    assert target["SecurityGroups"] == [eni["Groups"][0]["GroupId"]]


def test_a_new_default_group_admits_everything_from_itself(network: Network) -> None:
    rules = network.ec2.describe_security_group_rules()["SecurityGroupRules"]
    (inbound,) = [r for r in rules if not r["IsEgress"]]
    assert inbound["ReferencedGroupInfo"]["GroupId"] == inbound["GroupId"]


def test_modified_groups_are_configured_at_once_and_effective_only_later(
    aws: StandIn, network: Network
) -> None:
    old, new = network.group("old"), network.group("new")
    endpoint = network.endpoint(old)
    network.associate(endpoint, network.a)
    network.ec2.modify_client_vpn_endpoint(
        ClientVpnEndpointId=endpoint, VpcId=network.vpc, SecurityGroupIds=[new]
    )

    def three_places() -> list[list[str]]:
        (record,) = network.ec2.describe_client_vpn_endpoints()["ClientVpnEndpoints"]
        (target,) = network.ec2.describe_client_vpn_target_networks(ClientVpnEndpointId=endpoint)[
            "ClientVpnTargetNetworks"
        ]
        (eni,) = network.interfaces()
        groups = [g["GroupId"] for g in eni["Groups"]]
        return [record["SecurityGroupIds"], target["SecurityGroups"], groups]

    assert three_places() == [[new], [old], [old]]
    aws.settle()
    assert three_places() == [[new], [new], [new]]
    network.ec2.apply_security_groups_to_client_vpn_target_network(
        ClientVpnEndpointId=endpoint, VpcId=network.vpc, SecurityGroupIds=[old]
    )
    assert three_places() == [[old], [old], [old]]


def test_disassociating_takes_the_interface_and_the_routes_away(network: Network) -> None:
    endpoint = network.endpoint()
    association = network.associate(endpoint, network.a)
    with pytest.raises(ClientError, match="DependencyViolation"):
        network.ec2.delete_client_vpn_endpoint(ClientVpnEndpointId=endpoint)
    network.ec2.disassociate_client_vpn_target_network(
        ClientVpnEndpointId=endpoint, AssociationId=association
    )
    assert network.interfaces() == []
    assert network.ec2.describe_client_vpn_routes(ClientVpnEndpointId=endpoint)["Routes"] == []
    network.ec2.delete_client_vpn_endpoint(ClientVpnEndpointId=endpoint)
    assert network.ec2.describe_client_vpn_endpoints()["ClientVpnEndpoints"] == []


def test_rules_that_name_groups_and_prefix_lists_keep_their_descriptions(network: Network) -> None:
    group, vpn = network.group("db"), network.group("vpn")
    prefixes = network.ec2.create_managed_prefix_list(
        PrefixListName="office",
        AddressFamily="IPv4",
        MaxEntries=2,
        Entries=[{"Cidr": "198.51.100.0/24", "Description": "office"}],
    )["PrefixList"]["PrefixListId"]
    network.ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 5432,
                "ToPort": 5432,
                "UserIdGroupPairs": [{"GroupId": vpn, "Description": "from the VPN"}],
                "PrefixListIds": [{"PrefixListId": prefixes, "Description": "from the office"}],
                "IpRanges": [{"CidrIp": "10.0.1.0/24", "Description": "from the subnet"}],
            }
        ],
    )
    rules = network.ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group]}]
    )["SecurityGroupRules"]
    assert {r["Description"] for r in rules if not r["IsEgress"]} == {
        "from the VPN",
        "from the office",
        "from the subnet",
    }


def test_a_group_that_is_still_named_cannot_be_deleted(network: Network) -> None:
    vpn = network.group("vpn")
    endpoint = network.endpoint(vpn)
    network.associate(endpoint, network.a)
    with pytest.raises(ClientError, match="DependencyViolation"):
        network.ec2.delete_security_group(GroupId=vpn)


def test_a_group_named_across_a_peering_says_so(network: Network) -> None:
    ec2 = network.ec2
    peer = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_vpc_peering_connection(VpcId=network.vpc, PeerVpcId=peer)
    peering = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    vpn = network.group("vpn")
    group = ec2.create_security_group(GroupName="far", Description="far", VpcId=peer)["GroupId"]
    (rule,) = ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": vpn}]}],
    )["SecurityGroupRules"]
    assert rule["ReferencedGroupInfo"] == {
        "GroupId": vpn,
        "UserId": ACCOUNT,
        "VpcId": network.vpc,
        "VpcPeeringConnectionId": peering,
        "PeeringStatus": "active",
    }


def test_a_group_of_another_account_can_be_named(aws: StandIn, network: Network) -> None:
    aws.account = "444455556666"
    other = Network(aws).group("theirs")
    aws.account = ACCOUNT
    mine = network.group("mine")
    for known, expected in ((other, "444455556666"), ("sg-00000000000000000", None)):
        pair = {"GroupId": known, "UserId": "444455556666"}
        permission = [{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}]
        if expected is None:
            with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
                network.ec2.authorize_security_group_ingress(GroupId=mine, IpPermissions=permission)
        else:
            (rule,) = network.ec2.authorize_security_group_ingress(
                GroupId=mine, IpPermissions=permission
            )["SecurityGroupRules"]
            assert rule["ReferencedGroupInfo"]["UserId"] == expected


def test_a_transit_gateway_endpoint_has_an_attachment_and_no_groups(
    aws: StandIn, network: Network
) -> None:
    gateway = network.ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    endpoint = network.endpoint(
        TransitGatewayConfiguration={
            "TransitGatewayId": gateway,
            "AvailabilityZones": ["ap-northeast-1a"],
        }
    )
    (record,) = network.ec2.describe_client_vpn_endpoints()["ClientVpnEndpoints"]
    (attachment,) = network.ec2.describe_transit_gateway_attachments(
        Filters=[{"Name": "resource-type", "Values": ["client-vpn"]}]
    )["TransitGatewayAttachments"]
    assert attachment["ResourceId"] == endpoint
    assert (
        record["TransitGatewayConfiguration"]["TransitGatewayAttachmentId"]
        == attachment["TransitGatewayAttachmentId"]
    )
    assert record["SecurityGroupIds"] == []
    assert "VpcId" not in record


def test_policies_revocation_lists_and_connections_come_back(
    aws: StandIn, network: Network
) -> None:
    endpoint = network.endpoint()
    here = {"ClientVpnEndpointId": endpoint}
    network.ec2.modify_client_vpn_endpoint_authorization_policy(
        **here, PolicyDocument="permit(principal, action, resource);", ShadowMode="enabled"
    )
    policy = network.ec2.get_client_vpn_endpoint_authorization_policy(**here)
    assert (policy["ShadowMode"], policy["Status"]) == ("enabled", "active")
    network.ec2.delete_client_vpn_endpoint_authorization_policy(**here)
    with pytest.raises(ClientError, match=r"AuthorizationPolicy\.NotFound"):
        network.ec2.get_client_vpn_endpoint_authorization_policy(**here)
    aws.switches.no_policy_code = None  # the other way AWS might say so
    assert "PolicyDocument" not in network.ec2.get_client_vpn_endpoint_authorization_policy(**here)

    network.ec2.import_client_vpn_client_certificate_revocation_list(
        **here, CertificateRevocationList="crl"
    )
    exported = network.ec2.export_client_vpn_client_certificate_revocation_list(**here)
    assert exported["CertificateRevocationList"] == "crl"

    aws.add_connection(endpoint, Username="tanaka")
    (connection,) = network.ec2.describe_client_vpn_connections(**here)["Connections"]
    assert (connection["Username"], connection["ConnectionEndTime"]) == ("tanaka", "-")


def test_a_token_is_good_for_its_own_question_only(aws: StandIn, network: Network) -> None:
    network.ec2.create_vpc(CidrBlock="10.1.0.0/16")
    aws.page_size = 1
    ec2 = aws.caller("ec2")
    token = ec2.describe_vpcs()["NextToken"]
    with pytest.raises(ClientError, match="InvalidNextToken"):
        ec2.describe_subnets(NextToken=token)
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_vpcs(MaxResults=1001)


def test_log_groups_page_too(aws: StandIn) -> None:
    logs = aws.client("logs")
    for name in ("/vpn/a", "/vpn/b", "/vpn/c"):
        logs.create_log_group(logGroupName=name)
    aws.page_size = 1
    pages = list(
        aws.caller("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/vpn/")
    )
    assert [[g["logGroupName"] for g in page["logGroups"]] for page in pages] == [
        ["/vpn/a"],
        ["/vpn/b"],
        ["/vpn/c"],
    ]


def test_refusals_come_in_each_services_own_words(aws: StandIn) -> None:
    aws.deny("*")
    with pytest.raises(ClientError) as ec2:
        aws.caller("ec2").describe_vpcs()
    with pytest.raises(ClientError) as logs:
        aws.caller("logs").describe_log_groups()
    with pytest.raises(ClientError) as sts:
        aws.caller("sts").get_caller_identity()
    assert code(ec2) == ("UnauthorizedOperation", 403)
    assert code(logs) == ("AccessDeniedException", 400)
    assert code(sts) == ("AccessDenied", 403)


def test_a_fault_hits_its_region_operation_and_resource_only(
    aws: StandIn, network: Network
) -> None:
    one, two = network.endpoint(), network.endpoint()
    aws.deny("ec2", "describe-client-vpn-routes", resource=one)
    aws.deny("ec2", "DescribeVpcs", region="us-east-1")
    ec2 = aws.caller("ec2")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        ec2.describe_client_vpn_routes(ClientVpnEndpointId=one)
    assert ec2.describe_client_vpn_routes(ClientVpnEndpointId=two)["Routes"] == []
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        aws.caller("ec2", "us-east-1").describe_vpcs()


def test_throttling_ends_after_so_many_calls(aws: StandIn) -> None:
    aws.throttle("ec2", "DescribeVpcs", times=2)
    ec2 = aws.caller("ec2")
    for _ in range(2):
        with pytest.raises(ClientError) as error:
            ec2.describe_vpcs()
        assert code(error) == ("RequestLimitExceeded", 503)
    assert ec2.describe_vpcs()["Vpcs"] == []
    assert [call.operation for call in aws.calls] == ["DescribeVpcs"] * 3


def test_errors_delays_garbage_and_dropped_connections(aws: StandIn) -> None:
    ec2 = aws.caller("ec2")
    aws.fail("ec2", "DescribeVpcs", status=500, code="InternalError", times=1)
    with pytest.raises(ClientError) as error:
        ec2.describe_vpcs()
    assert code(error) == ("InternalError", 500)
    aws.garble("ec2", "DescribeSubnets", times=1)
    with pytest.raises(ResponseParserError):
        ec2.describe_subnets()
    aws.drop("ec2", "DescribeRouteTables", times=1)
    with pytest.raises((ConnectionClosedError, OSError)):
        ec2.describe_route_tables()
    aws.delay("ec2", "DescribeVpcs", seconds=0.2, times=1)
    start = time.monotonic()
    ec2.describe_vpcs()
    assert time.monotonic() - start >= 0.2


def test_the_world_can_change_between_two_calls(aws: StandIn, network: Network) -> None:
    endpoint = network.endpoint()
    network.associate(endpoint, network.a)
    aws.after("ec2", "DescribeClientVpnEndpoints", lambda: aws.delete_endpoint(endpoint))
    ec2 = aws.caller("ec2")
    assert len(ec2.describe_client_vpn_endpoints()["ClientVpnEndpoints"]) == 1
    with pytest.raises(ClientError, match=r"InvalidClientVpnEndpointId\.NotFound"):
        ec2.describe_client_vpn_routes(ClientVpnEndpointId=endpoint)
    assert network.interfaces() == []


def test_writes_are_told_from_reads_and_a_dry_run_changes_nothing(
    aws: StandIn, network: Network
) -> None:
    ec2 = aws.caller("ec2")
    ec2.describe_vpcs()
    assert aws.writes == ()
    with pytest.raises(ClientError) as error:
        ec2.delete_vpc(VpcId=network.vpc, DryRun=True)
    assert code(error) == ("DryRunOperation", 412)
    assert [call.operation for call in aws.writes] == ["DeleteVpc"]
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1


def test_an_assumed_role_sees_its_own_account(aws: StandIn) -> None:
    aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    role = aws.caller("sts").assume_role(
        RoleArn="arn:aws:iam::444455556666:role/audit", RoleSessionName="kit", ExternalId="kit-1"
    )["Credentials"]
    other = aws._client("ec2", "ap-northeast-1", role["AccessKeyId"])
    assert other.describe_vpcs()["Vpcs"] == []


def test_only_enabled_regions_are_listed(aws: StandIn) -> None:
    ec2 = aws.caller("ec2")
    assert "ap-northeast-1" in {r["RegionName"] for r in ec2.describe_regions()["Regions"]}
    aws.switches.regions = ("us-east-1",)
    assert [r["RegionName"] for r in ec2.describe_regions()["Regions"]] == ["us-east-1"]
    assert len(ec2.describe_regions(AllRegions=True)["Regions"]) > 20


def test_the_steps_of_a_repair_work_with_the_aws_cli(aws: StandIn, network: Network) -> None:
    endpoint = network.endpoint()
    network.associate(endpoint, network.a)
    default = network.interfaces()[0]["Groups"][0]["GroupId"]

    def cli(*words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "awscli", "ec2", *words, "--output", "json"],
            env={**os.environ, **aws.environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout or "null")

    group = cli(
        *("create-security-group", "--group-name", "vpn", "--vpc-id", network.vpc),
        *("--description", "Client VPN"),
    )["GroupId"]
    rule = cli(
        *("authorize-security-group-ingress", "--group-id", default, "--ip-permissions"),
        f"IpProtocol=tcp,FromPort=443,ToPort=443,UserIdGroupPairs=[{{GroupId={group}}}]",
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    cli(
        *("apply-security-groups-to-client-vpn-target-network", "--vpc-id", network.vpc),
        *("--client-vpn-endpoint-id", endpoint, "--security-group-ids", group),
    )
    assert [g["GroupId"] for g in network.interfaces()[0]["Groups"]] == [group]
    cli(
        *("revoke-security-group-ingress", "--group-id", default),
        *("--security-group-rule-ids", rule),
    )
    left = network.ec2.describe_security_group_rules()["SecurityGroupRules"]
    assert rule not in {r["SecurityGroupRuleId"] for r in left}
    assert len(aws.writes) == 4


def test_the_stand_in_runs_by_hand_and_says_how_to_use_it() -> None:
    command = [sys.executable, "-m", "tests.standin", "--world", "sample"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        lines: list[str] = []
        while "Ctrl-C" not in "".join(lines):
            lines.append(running.stdout.readline())
        text = "".join(lines)
        url = text.split(" listens on ")[1].split()[0]
        with closing(
            boto3.client(
                "ec2",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
            )
        ) as ec2:
            answer = ec2.describe_client_vpn_endpoints()
        running.send_signal(signal.SIGINT)
        try:
            assert running.wait(timeout=60) == 0
        finally:
            running.kill()
    assert len(answer["ClientVpnEndpoints"]) == 1
    assert "export AWS_ACCESS_KEY_ID=testing" in text
    assert (
        f"auditlib collect --endpoint-url {url} --region ap-northeast-1 --region us-east-1" in text
    )


def test_an_association_may_bring_several_interfaces_that_do_not_name_the_endpoint(
    aws: StandIn, network: Network
) -> None:
    aws.switches.interfaces_per_association = 2
    aws.switches.named_interfaces = False
    network.associate(network.endpoint(), network.a)
    assert [eni["Description"] for eni in network.interfaces()] == [
        "ClientVPN Endpoint resource"
    ] * 2
    addresses = {eni["PrivateIpAddress"] for eni in network.interfaces()}
    assert addresses == {"10.0.1.10", "10.0.1.11"}


def test_a_region_can_start_with_its_default_vpc(aws: StandIn) -> None:
    aws.switches.default_vpcs = True
    (vpc,) = aws.client("ec2", "eu-west-1").describe_vpcs()["Vpcs"]
    assert (vpc["IsDefault"], vpc["CidrBlock"]) == (True, "172.31.0.0/16")


def test_what_is_kept_to_answer_quicker_changes_no_answer(
    aws: StandIn, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.associate(network.endpoint(), network.a)
    group = network.group("named")
    network.ec2.create_tags(Resources=[group, network.vpc], Tags=[{"Key": "Name", "Value": "n*"}])
    ec2 = aws.client("ec2")
    asked = [
        ec2.describe_security_groups,
        ec2.describe_security_group_rules,
        ec2.describe_network_interfaces,
        ec2.describe_vpcs,
        ec2.describe_subnets,
        ec2.describe_route_tables,
        ec2.describe_network_acls,
        aws.client("acm").list_certificates,
    ]

    def answers() -> list[Any]:
        return [ask() | {"ResponseMetadata": None} for ask in asked]

    quick = answers()
    assert any(group == one["GroupId"] and one["Tags"] for one in quick[0]["SecurityGroups"])
    monkeypatch.setattr(XFormedAttributePicker, "get_possible_keys", speed.KEYS)
    monkeypatch.setattr(XFormedAttributePicker, "__call__", AttributePicker.__call__)
    monkeypatch.setattr(TagBackend, "describe_tags", speed.TAGS)
    assert answers() == quick
