"""Phrases for people."""

from types import SimpleNamespace as Row

import pytest

from auditlib import words


def rule(**changes):
    given = {
        "protocol": "tcp", "from_port": 22, "to_port": 22, "peer_kind": "ipv4", "peer": "10.0.0.0/8",
        "is_egress": False, "group_owner_id": "111122223333", "referenced_group_owner_id": None,
    }  # fmt: skip
    return Row(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "TCP 22 from 10.0.0.0/8"),
        ({"peer": "0.0.0.0/0"}, "TCP 22 from the internet (0.0.0.0/0)"),
        ({"peer": "0.0.0.0/0", "is_egress": True}, "TCP 22 to anywhere (0.0.0.0/0)"),
        ({"peer": "::/0", "peer_kind": "ipv6"}, "TCP 22 from the internet over IPv6 (::/0)"),
        ({"peer": "sg-1", "peer_kind": "security_group"}, "TCP 22 from sg-1 (vpn-users)"),
        (
            {
                "peer": "sg-9",
                "peer_kind": "security_group",
                "referenced_group_owner_id": "444455556666",
            },
            "TCP 22 from sg-9 of account 444455556666",
        ),
        ({"peer": "pl-1", "peer_kind": "prefix_list"}, "TCP 22 from prefix list pl-1"),
        ({"peer": None, "peer_kind": "unknown"}, "TCP 22 from an unknown peer"),
        ({"protocol": "all", "from_port": None}, "all traffic from 10.0.0.0/8"),
        ({"protocol": "udp", "from_port": 1, "to_port": 9}, "UDP 1-9 from 10.0.0.0/8"),
        ({"protocol": "tcp", "from_port": -1, "to_port": -1}, "all TCP from 10.0.0.0/8"),
        ({"protocol": "icmp", "from_port": 8, "to_port": -1}, "ICMP type 8 from 10.0.0.0/8"),
        ({"protocol": "icmpv6", "from_port": None}, "all ICMPv6 from 10.0.0.0/8"),
        ({"protocol": "47", "from_port": None}, "IP protocol 47 from 10.0.0.0/8"),
    ],
)
def test_a_rule_reads_as_a_phrase(changes, said):
    assert words.rule(rule(**changes), {"sg-1": "vpn-users"}) == said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"interface_type": "lambda"}, "eni-1 (type lambda, 10.0.0.4)"),
        ({"description": "ELB app/web"}, "eni-1 (ELB app/web, 10.0.0.4)"),
        ({"name": "db", "description": "ELB app/web"}, "eni-1 (db, 10.0.0.4)"),
        ({"private_ip": None}, "eni-1"),
    ],
)
def test_an_interface_is_named_by_what_is_known_of_it(row, said):
    blank = {
        "eni_id": "eni-1", "name": float("nan"), "private_ip": "10.0.0.4", "instance_id": None,
        "interface_type": "interface", "description": None,
    }  # fmt: skip
    assert words.interface(Row(**(blank | row))) == said


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("two\nlines", "two lines"),
        ("bell\x07", "bell[U+0007]"),
        ("\u202eright to left", "[U+202E]right to left"),
        ("zero\u200bwidth", "zero[U+200B]width"),
        ("営業部 VPN", "営業部 VPN"),
        ("x" * 80, "x" * 59 + "…"),
        (None, ""),
        (float("nan"), ""),
    ],
)
def test_names_are_one_short_line_without_tricks(name, shown):
    assert words.clean(name) == shown


def test_an_id_is_not_repeated_as_its_name():
    assert words.named("sg-1", "sg-1") == "sg-1"


def test_a_long_list_says_how_many_more():
    assert words.listed(map(str, range(9)), most=2) == "0, 1 and 7 more"
    assert words.listed([]) == ""


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("denied", "was denied (AccessDenied)"),
        ("failed", "failed (AccessDenied)"),
        ("missing", "is not in the snapshot (AccessDenied): the peer was not read"),
        ("untold", "does not tell what is needed (AccessDenied): the peer was not read"),
        ("unsupported", "is not known to the SDK or AWS CLI that read the account (AccessDenied)"),
        ("odd", "could not be read (AccessDenied)"),
    ],
)
def test_a_gap_names_call_place_and_outcome(status, said):
    row = Row(
        service="ec2", operation="describe-vpcs", resource="x", region="eu-west-1",
        account="111122223333", status=status, error_code="AccessDenied",
        error_message="the peer was not read",
    )  # fmt: skip
    begin = "ec2 describe-vpcs for x in eu-west-1 (account 111122223333)"
    assert words.gap(row) == f"{begin} {said}"


def test_a_question_that_answers_leave_open_is_told_as_no_call_without_an_answer():
    row = Row(
        service="ec2", operation="describe-network-interfaces", resource="cvpn-endpoint-1",
        region="eu-west-1", account="111122223333", status="missing", error_code=None,
        error_message="receivers behind tgw-1 were not seen",
    )  # fmt: skip
    assert words.left_open(row)
    assert words.gap(row) == (
        "left open in eu-west-1 (account 111122223333): receivers behind tgw-1 were not seen"
    )
    lost = Row(**(vars(row) | {"error_message": words.NOT_HELD}))
    never_made = Row(**(vars(row) | {"error_message": None}))
    assert not words.left_open(lost)
    assert not words.left_open(never_made)


def test_what_an_old_sdk_left_out_is_not_blamed_on_the_call():
    row = Row(
        service="ec2", operation="describe-vpcs", resource=None, region="eu-west-1",
        account="111122223333", status="unsupported", error_code=None,
        error_message="botocore 1.42.0 drops what it does not know; 1.42.92 is needed",
    )  # fmt: skip
    assert words.gap(row) == (
        "ec2 describe-vpcs in eu-west-1 (account 111122223333) was read by an SDK that may leave "
        "out what is needed: botocore 1.42.0 drops what it does not know; 1.42.92 is needed"
    )
