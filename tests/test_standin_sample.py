"""The bundled sample is what its world gives, byte for byte, and shows what a reader should see."""

import json
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from auditlib.aws.reads import READS
from tests.standin import ACCOUNT, StandIn
from tests.standin.sample import SAMPLE, collect_sample
from tests.standin.sample_world import HOSTILE_NAMES, REGIONS, build

TOKYO, VIRGINIA = REGIONS

DOCUMENTATION = [
    ip_network(range)
    for range in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


def document(region: str, name: str) -> dict[str, Any]:
    text = (SAMPLE / ACCOUNT / region / f"{name}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def endpoints() -> dict[str, dict[str, Any]]:
    return {
        next(tag["Value"] for tag in endpoint["Tags"] if tag["Key"] == "Name"): endpoint
        for region in REGIONS
        for endpoint in document(region, "ec2-describe-client-vpn-endpoints")["ClientVpnEndpoints"]
    }


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for member in value.values():
            yield from leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member)
    else:
        yield value


def test_making_the_sample_anew_gives_the_same_bytes(
    aws: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    collect_sample(aws, tmp_path / "sample")
    made, kept = files_of(tmp_path / "sample"), files_of(SAMPLE)
    assert sorted(made) == sorted(kept)
    assert [name for name in made if made[name] != kept[name]] == [], "run: make sample"


def test_collecting_the_sample_writes_nothing_to_aws(aws: StandIn, tmp_path: Path) -> None:
    collect_sample(aws, tmp_path / "sample")
    assert aws.writes == ()
    assert {call.operation for call in aws.calls} >= {"DescribeVpcs", "GetCallerIdentity"}


def test_the_sample_has_an_endpoint_of_every_kind() -> None:
    found = endpoints()
    assert len(found) == 6
    assert found["corp-vpn"]["AuthenticationOptions"][0]["Type"] == "federated-authentication"
    assert found["office-vpn-2019"]["SecurityGroupIds"] == []
    contractor = found["contractor-vpn"]
    assert [o["Type"] for o in contractor["AuthenticationOptions"]] == [
        "certificate-authentication"
    ]
    assert not contractor["ConnectionLogOptions"]["Enabled"]
    assert found["branch-vpn"]["TransitGatewayConfiguration"]["TransitGatewayId"]
    lab = found["lab-vpn"]
    assert lab["TrafficIpAddressType"] == "dual-stack"
    policy = document(
        TOKYO, f"ec2-get-client-vpn-endpoint-authorization-policy/{lab['ClientVpnEndpointId']}"
    )
    assert (policy["ShadowMode"], policy["Status"]) == ("enabled", "active")
    us = found["us-vpn"]
    (network,) = document(
        VIRGINIA, f"ec2-describe-client-vpn-target-networks/{us['ClientVpnEndpointId']}"
    )["ClientVpnTargetNetworks"]
    assert network["SecurityGroups"] != us["SecurityGroupIds"]


def test_the_sample_has_receivers_of_every_kind() -> None:
    enis = [
        eni
        for region in REGIONS
        for eni in document(region, "ec2-describe-network-interfaces")["NetworkInterfaces"]
    ]
    assert {eni["InterfaceType"] for eni in enis} == {
        "interface",
        "lambda",
        "natGateway",
        "vpc_endpoint",
    }
    assert {eni["RequesterId"] for eni in enis if eni["RequesterManaged"]} >= {
        "amazon-elb",
        "amazon-rds",
        "amazon-nat",
    }
    names = {tag["Value"] for eni in enis for tag in eni["TagSet"] if tag["Key"] == "Name"}
    assert names >= {"bastion", "wiki", "grafana", *HOSTILE_NAMES}


def test_the_sample_s_auditor_was_refused_two_reads_in_one_region() -> None:
    calls = json.loads((SAMPLE / "manifest.json").read_text("utf-8"))["calls"]
    refused = {(c["region"], c["operation"], c["status"]) for c in calls if c["status"] != "ok"}
    assert refused == {
        (VIRGINIA, "describe-network-acls", "denied"),
        (VIRGINIA, "get-client-vpn-endpoint-authorization-policy", "denied"),
    }


def test_no_account_or_public_address_of_the_sample_belongs_to_anyone() -> None:
    for name, data in files_of(SAMPLE).items():
        if name == "manifest.json":
            continue
        for value in leaves(json.loads(data)):
            if not isinstance(value, str):
                continue
            try:
                address = ip_address(value)
            except ValueError:
                continue
            if address.version == 4 and address in ip_network("0.0.0.0/8"):
                continue
            assert address.is_private or any(
                address.version == range.version and address in range for range in DOCUMENTATION
            ), (name, value)


@pytest.mark.parametrize(
    "read", [r for r in READS if r.page_size and not r.parents], ids=lambda r: r.id
)
def test_every_read_of_the_kit_pages_and_its_pages_add_up(aws: StandIn, read: Any) -> None:
    build(aws)
    operation = xform_name(read.operation.replace("-", "_"))
    whole = getattr(aws.client(read.service, TOKYO), operation)(**read.parameters)[read.result_key]
    aws.page_size = 1
    caller = aws.caller(read.service, TOKYO)
    pages = caller.get_paginator(operation).paginate(
        **read.parameters, PaginationConfig={"PageSize": read.page_size}
    )
    assert [record for page in pages for record in page[read.result_key]] == whole
    assert len(aws.calls) == max(1, len(whole))
