"""Every answer of the stand-in, every small world and the sample have AWS's own shapes."""

import ast
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

import auditlib
from auditlib.aws.reads import READS, Read, read_of
from tests import worlds
from tests.shapes import problems_of_body, problems_of_document
from tests.standin import StandIn
from tests.standin.clientvpn import OPERATIONS
from tests.standin.sample_world import REGIONS, build

SAMPLE = Path(auditlib.__file__).parent / "sample"

OTHER_READS: dict[tuple[str, str], dict[str, Any]] = {
    ("sts", "get-caller-identity"): {},
    ("ec2", "describe-regions"): {},
    ("ec2", "describe-managed-prefix-lists"): {},
    ("ec2", "describe-transit-gateways"): {},
    ("logs", "describe-log-groups"): {},
}


@pytest.fixture
def sample_aws(aws: StandIn) -> StandIn:
    build(aws)
    return aws


def _answers(
    client: Any, service: str, operation: str, parameters: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return an answer and what is wrong with it, as parsed and on the wire."""
    bodies: list[bytes] = []

    def keep(response_dict: dict[str, Any], **_: Any) -> None:
        bodies.append(response_dict["body"])

    client.meta.events.register("before-parse", keep, unique_id="keep")
    try:
        answer: dict[str, Any] = getattr(client, xform_name(operation.replace("-", "_")))(
            **parameters
        )
    finally:
        client.meta.events.unregister("before-parse", unique_id="keep")
    assert len(bodies) == 1
    return answer, [
        *problems_of_document(service, operation, answer),
        *problems_of_body(service, operation, bodies[0]),
    ]


def test_every_read_of_the_kit_is_answered_in_botocores_shape(sample_aws: StandIn) -> None:
    wrong: list[str] = []
    answered: set[str] = set()
    for region in REGIONS:
        documents: dict[str, Any] = {}
        for read in sorted(READS, key=lambda read: bool(read.parents)):
            client = sample_aws.client(read.service, region)
            for resource in _resources(read, documents):
                asked: dict[str, Any] = dict(read.parameters)
                if resource is not None:
                    asked[str(read.resource_parameter)] = (
                        [resource] if read.resource_in_list else resource
                    )
                try:
                    answer, problems = _answers(client, read.service, read.operation, asked)
                except client.exceptions.ClientError as error:
                    if read.says_there_is_none(error.response["Error"]["Code"]):
                        continue
                    raise
                wrong += problems
                answered.add(read.id)
                if resource is None:
                    documents[read.id] = answer
                if read.result_key is not None:
                    assert answer[read.result_key] is not None
    assert wrong == []
    assert answered == {read.id for read in READS}


def _resources(read: Read, documents: dict[str, Any]) -> list[str | None]:
    return list(read.resources(documents)) if read.resources else [None]


def test_no_list_of_the_sample_is_empty_where_it_should_be_judged(sample_aws: StandIn) -> None:
    ec2 = sample_aws.client("ec2")
    empty = [
        read.id
        for read in READS
        if read.service == "ec2"
        and not read.parents
        and not getattr(ec2, read.operation.replace("-", "_"))(**read.parameters)[read.result_key]
    ]
    assert empty == ["ec2-describe-security-group-vpc-associations"]


@pytest.mark.parametrize(("service", "operation"), OTHER_READS)
def test_what_the_kit_may_also_ask_is_answered_in_shape(
    sample_aws: StandIn, service: str, operation: str
) -> None:
    asked = OTHER_READS[service, operation]
    _, problems = _answers(sample_aws.client(service), service, operation, asked)
    assert problems == []


def test_every_operation_of_the_emulation_answers_in_botocores_shape(aws: StandIn) -> None:
    ec2 = aws.client("ec2", REGIONS[0])
    wrong: list[str] = []
    called: set[str] = set()
    bodies: list[bytes] = []

    def keep(response_dict: dict[str, Any], **_: Any) -> None:
        bodies.append(response_dict["body"])

    def judge(model: Any, parsed: dict[str, Any], **_: Any) -> None:
        if "Error" not in parsed and model.output_shape is not None:
            called.add(xform_name(model.name))
            wrong.extend(problems_of_document("ec2", model.name, parsed))
            wrong.extend(problems_of_body("ec2", model.name, bodies[-1]))

    ec2.meta.events.register("before-parse", keep, unique_id="keep")
    ec2.meta.events.register("after-call", judge, unique_id="judge")
    try:
        build(aws)
        _every_other_operation(aws, ec2)
    finally:
        ec2.meta.events.unregister("before-parse", unique_id="keep")
        ec2.meta.events.unregister("after-call", unique_id="judge")
    assert wrong == []
    assert {operation.__name__ for operation in OPERATIONS} - called == set()


def _every_other_operation(aws: StandIn, ec2: Any) -> None:
    """Make the calls of the emulation that building the sample does not need."""
    endpoints = ec2.describe_client_vpn_endpoints()["ClientVpnEndpoints"]
    corp = next(e for e in endpoints if e["SplitTunnel"] and e["SecurityGroupIds"])
    here = {"ClientVpnEndpointId": corp["ClientVpnEndpointId"]}
    group = corp["SecurityGroupIds"][0]
    other_vpc = next(
        vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if vpc["VpcId"] != corp["VpcId"]
    )
    ec2.modify_client_vpn_endpoint(
        **here,
        Description="changed",
        VpcId=corp["VpcId"],
        SecurityGroupIds=[group],
        DnsServers={"CustomDnsServers": ["10.20.0.3"], "Enabled": True},
        ClientConnectOptions={
            "Enabled": True,
            "LambdaFunctionArn": "arn:aws:lambda:ap-northeast-1:111122223333:function:AWSClientVPN-x",
        },
        DevicePostureOptions={"Enabled": False},
    )
    ec2.apply_security_groups_to_client_vpn_target_network(
        **here, VpcId=corp["VpcId"], SecurityGroupIds=[group]
    )
    ec2.import_client_vpn_client_certificate_revocation_list(
        **here, CertificateRevocationList="crl"
    )
    ec2.export_client_vpn_client_certificate_revocation_list(**here)
    ec2.modify_client_vpn_endpoint_authorization_policy(
        **here, PolicyDocument="permit(principal, action, resource);"
    )
    ec2.get_client_vpn_endpoint_authorization_policy(**here)
    ec2.delete_client_vpn_endpoint_authorization_policy(**here)
    ec2.associate_security_group_vpc(GroupId=group, VpcId=other_vpc)
    assert ec2.describe_security_group_vpc_associations()["SecurityGroupVpcAssociations"]
    ec2.disassociate_security_group_vpc(GroupId=group, VpcId=other_vpc)
    connection = ec2.describe_client_vpn_connections(**here)["Connections"][0]
    ec2.terminate_client_vpn_connections(**here, ConnectionId=connection["ConnectionId"])
    rules = ec2.describe_client_vpn_authorization_rules(**here)["AuthorizationRules"]
    ec2.revoke_client_vpn_ingress(
        **here, TargetNetworkCidr=rules[0]["DestinationCidr"], AccessGroupId=rules[0]["GroupId"]
    )
    added = next(
        route
        for route in ec2.describe_client_vpn_routes(**here)["Routes"]
        if route["Origin"] == "add-route"
    )
    ec2.delete_client_vpn_route(
        **here,
        DestinationCidrBlock=added["DestinationCidr"],
        TargetVpcSubnetId=added["TargetSubnet"],
    )
    for network in ec2.describe_client_vpn_target_networks(**here)["ClientVpnTargetNetworks"]:
        ec2.disassociate_client_vpn_target_network(**here, AssociationId=network["AssociationId"])
    ec2.delete_client_vpn_endpoint(**here)


def test_organizations_list_their_accounts_in_shape_and_in_pages(aws: StandIn) -> None:
    organization = aws.client("organizations", "us-east-1")
    organization.create_organization(FeatureSet="ALL")
    for number in range(3):
        organization.create_account(Email=f"a{number}@example.com", AccountName=f"a{number}")
    _, problems = _answers(organization, "organizations", "list-accounts", {})
    assert problems == []
    aws.page_size = 2
    pages = list(aws.caller("organizations", "us-east-1").get_paginator("list_accounts").paginate())
    assert [len(page["Accounts"]) for page in pages] == [2, 2]


def _worlds() -> dict[str, Callable[[], worlds.World]]:
    """Return every function of tests/worlds.py that makes a world, by name."""
    return {
        name: value
        for name, value in vars(worlds).items()
        if inspect.isfunction(value)
        and value.__module__ == worlds.__name__
        and value.__annotations__.get("return") in {worlds.World, "World"}
        and not inspect.signature(value).parameters
    }


def _everything() -> worlds.World:
    """Make a world with every method of the builder called."""
    world = worlds.World()
    vpc = world.vpc("10.0.0.0/16", "10.8.0.0/16", name="v", ipv6="2001:db8::/56")
    peer = world.vpc("10.1.0.0/16")
    a = world.subnet(vpc, "10.0.1.0/24", name="a", ipv6="2001:db8::/64")
    b = world.subnet(vpc, "10.0.2.0/24", zone="c")
    world.route(vpc, "0.0.0.0/0", GatewayId="igw-1")
    world.route(vpc, "::/0", EgressOnlyInternetGatewayId="eigw-1")
    prefixes = world.prefix_list("198.51.100.0/24")
    world.route(vpc, prefixes, TransitGatewayId="tgw-1")
    world.route_table(vpc, b)
    acl = world.network_acl(vpc)
    world.acl_entry(acl, 10, "allow", "10.0.0.0/8", protocol="6", ports=(443, 443))
    world.acl_entry(acl, 20, "allow", "::/0", egress=True, protocol="58", ports=(-1, -1))
    world.use_network_acl(acl, b)
    world.peering(vpc, peer)
    group = world.security_group(vpc, "g", tags={"Name": "g"})
    for source in ("10.0.0.0/8", "::/0", group, prefixes):
        world.ingress(group, source, "tcp", (443, 443), "d")
    world.egress(group, group, "icmp", (8, 0))
    world.interface(a, group, more_ips=("10.0.1.99",), ipv6=("2001:db8::5",), name="n")
    endpoint = world.endpoint(
        vpc,
        (group,),
        name="e",
        authentication=(
            "certificate-authentication",
            "directory-service-authentication",
            "federated-authentication",
        ),
    )
    world.associate(endpoint, a)
    world.associate(endpoint, b, named=False)
    world.endpoint_route(endpoint, "172.20.0.0/22", "local")
    world.authorize(endpoint, "10.0.0.0/16", "eng")
    world.authorize(endpoint, "10.0.0.0/8")
    world.connection(endpoint, Username="u")
    world.policy(endpoint, "permit(principal, action, resource);", shadow="enabled")
    world.share(group, peer)
    world.endpoint(logging=False)
    world.certificate(endpoint, Type="IMPORTED")
    world.saml_provider("other", worlds.saml_metadata(30, valid_until=worlds.NOW))
    world.saml_provider("gone")
    world.remove_saml_provider("gone")
    world.directory("d-0000000001", Stage="Impaired")
    world.connect_handler(endpoint, State="Failed")
    world.revocation_list(endpoint, worlds.revocation_list())
    world.log_group("/vpn/other", 30)
    world.log_stream("/vpn/connections", "empty", days_ago=None)
    world.quota("vpc", "L-0EA8095F", 60)
    return world


def test_every_method_of_the_worlds_builder_is_called_here() -> None:
    source = ast.parse(inspect.getsource(_everything))
    called = {
        n.func.attr
        for n in ast.walk(source)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
    }
    makers = {
        name
        for name, value in vars(worlds.World).items()
        if not name.startswith("_") and inspect.isfunction(value)
    }
    assert makers - called <= {
        "associations",
        "at",
        "default_group",
        "record",
        "refuse",
        "revoke",
        "snapshot",
    }


@pytest.mark.parametrize("make", [_everything, *_worlds().values()])
def test_small_worlds_are_what_aws_would_have_answered(make: Callable[[], worlds.World]) -> None:
    snapshot = make().snapshot()
    wrong = [
        problem
        for call in snapshot.calls
        if call.file is not None
        for problem in problems_of_document(call.service, call.operation, snapshot.document(call))
    ]
    assert wrong == []


def without_nulls(value: Any) -> Any:
    """Return a document without the nulls that stand where AWS left out a member that is kept."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample is not made yet: make sample")
def test_the_files_of_the_sample_are_what_aws_would_have_answered() -> None:
    files = [path for path in SAMPLE.rglob("*.json") if path.name != "manifest.json"]
    wrong: list[str] = []
    for path in files:
        name = path.relative_to(SAMPLE).parts[2].removesuffix(".json")
        read = read_of(name)
        document = without_nulls(json.loads(path.read_text("utf-8")))
        wrong += problems_of_document(read.service, read.operation, document)
    assert wrong == []
    assert len(files) > 40


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"Vpcs": [{"Nonsense": 1}]}, "describe-vpcs.Vpcs[0].Nonsense: AWS knows no such member"),
        ({"Vpcs": [{"IsDefault": "yes"}]}, "describe-vpcs.Vpcs[0].IsDefault: 'yes' is no boolean"),
        ({"Vpcs": {}}, "describe-vpcs.Vpcs: {} is no list"),
        (
            {"Vpcs": [{"State": "fine"}]},
            "describe-vpcs.Vpcs[0].State: 'fine' is none of pending, available, deleting",
        ),
        ({"Vpcs": [{"CidrBlock": None}]}, "describe-vpcs.Vpcs[0].CidrBlock: None is no string"),
    ],
)
def test_a_wrong_document_is_caught(document: dict[str, Any], problem: str) -> None:
    assert problems_of_document("ec2", "describe-vpcs", document) == [problem]


def test_an_unknown_element_is_caught_on_the_wire() -> None:
    body = b"<R><vpcSet><item><vpcId>v</vpcId><odd>1</odd></item></vpcSet></R>"
    assert problems_of_body("ec2", "describe-vpcs", body) == [
        "describe-vpcs.vpcSet[].odd: AWS knows no such element"
    ]
