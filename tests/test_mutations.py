"""Whatever is lost from a snapshot or not understood in it, no finding turns into "fine" by it.

Each record of an exposed world is changed in one place and judged anew. A check that failed before
may pass only where what is left of the data says so itself; those places are listed with the
reason. A sample runs with the tests; ``MUTATIONS=all`` tries every place (``make mutate``).
"""

import copy
import os
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from auditlib.aws.reads import read_of
from auditlib.check import Finding, Status, audit, checks
from auditlib.errors import AuditError
from auditlib.gaps import reads_behind
from auditlib.snapshot import Snapshot
from auditlib.tables import Tables
from tests.worlds import REGION, clean, exposed

Place = tuple[Any, tuple[Any, ...]]

LOST = object()
EVERY = os.environ.get("MUTATIONS") == "all"
SAMPLE = 23  # every so manieth place
FINE = {Status.PASS, Status.NOT_APPLICABLE}
BASE = exposed().snapshot()
DOCUMENTS = {call.key: BASE.document(call) for call in BASE.calls if call.file}
REFUSED = [call for call in BASE.calls if not call.file]
CHECKS = {made.id: made for made in checks()}

OF_ANOTHER = re.compile(r"(Id|Arn|Name|Subnet|Cidr\w*|Address|Ip)$")

_ENDPOINTS = "ec2-describe-client-vpn-endpoints ClientVpnEndpoints.[]"
_INTERFACES = "ec2-describe-network-interfaces NetworkInterfaces.[]"
JUSTIFIED: dict[str, str] = {
    f"self-service-portal-cannot-serve {_ENDPOINTS}.SelfServicePortalUrl lost": (
        "AWS gives no address where there is no portal"
    ),
    **{
        f"vpn-sg-not-yet-effective {_ENDPOINTS}.{groups} lost": (
            "settings that name no group name none that is not in force: AWS applied the default group"
        )
        for groups in ("SecurityGroupIds", "SecurityGroupIds.[]")
    },
    **{
        f"{check} {_INTERFACES}.{held}{inner} lost": why
        for inner in ("", ".[]")
        for check, held, why in (
            (
                "receiver-admits-all-ports-from-vpn",
                "PrivateIpAddresses",
                "an interface without an IPv4 address takes nothing from IPv4 clients",
            ),
            (
                "receiver-admits-all-ports-from-vpn",
                "Groups",
                "an interface that does not carry the group is not admitted by its rules",
            ),
            (
                "authorized-but-unreachable",
                "Groups",
                "the groups of an interface that carries none keep nobody out",
            ),
            (
                "vpn-sg-is-shared",
                "Groups",
                "an interface that does not carry the group shares it with nobody",
            ),
            (
                "vpn-sg-lets-members-in",
                "Groups",
                "an interface that does not carry the group is no member of it",
            ),
        )
    },
    "receiver-allows-address-not-group ec2-describe-subnets Subnets.[].CidrBlock lost": (
        "AWS gives no IPv4 range of a subnet that has none, and no IPv4 rule means it"
    ),
    **{
        f"{check} ec2-describe-network-acls NetworkAcls.[].Entries.[] lost": (
            "a network ACL without the entry that allows lets nothing in"
        )
        for check in ("sensitive-port-reachable-by-everyone", "receiver-admits-all-ports-from-vpn")
    },
    "authorized-but-unreachable ec2-describe-client-vpn-routes Routes.[].TargetSubnet lost": (
        "a route of which AWS does not say where it leads may lead there"
    ),
    "authorized-but-unreachable ec2-describe-client-vpn-authorization-rules AuthorizationRules.[].GroupId lost": (
        "a rule that is for nobody promises nobody a network"
    ),
}
"""Changes after which a check rightly passes: "check operation path change" -> why."""


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*path, key))


def held(place: Place) -> Any:
    key, path = place
    value: Any = DOCUMENTS[key]
    for step in path:
        value = value[step]
    return value


def changed(place: Place, value: Any) -> Snapshot:
    key, path = place
    documents = {**DOCUMENTS, key: copy.deepcopy(DOCUMENTS[key])}
    inside: Any = documents[key]
    for step in path[:-1]:
        inside = inside[step]
    if value is LOST:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return Snapshot.from_documents(documents, REFUSED, botocore_version="1.44.5")


def resting_on(read_id: str) -> list[str]:
    return [
        id for id, made in CHECKS.items() if read_id in reads_behind(made.population, *made.needs)
    ]


@cache
def before() -> dict[str, Finding]:
    return {found.check.id: found for found in audit(Tables(BASE))}


def turned_fine(place: Place, value: Any) -> set[str]:
    """Return the checks that failed before and call it fine now; none when it is refused."""
    try:
        after = audit(Tables(changed(place, value)), only=resting_on(place[0][2]))
    except AuditError as error:
        # One line that names the file; then nothing is concluded at all.
        return set() if place[0][2] in str(error) else {f"an error that names no file: {error}"}
    return {
        found.check.id
        for found in after
        if found.status in FINE and before()[found.check.id].status not in FINE
    }


def name(place: Place) -> str:
    key, path = place
    return f"{key[2]} {'.'.join(re.sub('^[0-9]+$', '[]', str(step)) for step in path)}"


# A member of a record, or deeper; whole records and lists are looked at below.
PLACES = [
    (key, path) for key, document in DOCUMENTS.items() for path in paths(document) if len(path) > 2
]


@pytest.mark.parametrize(
    "place", PLACES if EVERY else PLACES[::SAMPLE], ids=lambda p: f"{p[0][3]} {name(p)}"
)
def test_no_lost_or_unknown_value_turns_a_finding_into_fine(place):
    value = held(place)
    changes = {"lost": LOST}
    # Another id, name or address is another thing, and what is said of it is true of it.
    if isinstance(value, str) and not OF_ANOTHER.search(str(place[1][-1])):
        changes["unknown"] = "not-invented-yet"
    for change, to in changes.items():
        for id in turned_fine(place, to):
            assert f"{id} {name(place)} {change}" in JUSTIFIED


def told(snapshot: Snapshot, read_id: str) -> Any:
    """Return the tables built from a read's answers, or ``None`` where they are refused."""
    tables = Tables(snapshot)
    try:
        return [tables[name].to_csv() for name in read_of(read_id).tables]
    except AuditError:
        return None


def test_null_is_as_good_as_lost():
    members = [place for place in PLACES if isinstance(place[1][-1], str)]
    seen = {(place[0][2], place[1][-1]): place for place in members}
    assert len(seen) > 100
    for place in seen.values() if not EVERY else members:
        lost, null = (told(changed(place, value), place[0][2]) for value in (LOST, None))
        assert null == lost, name(place)


def where(read_id: str, *path: str | int) -> list[Place]:
    """Return the places of a read's answers that a path leads to; ``*`` is every record."""
    found = [
        place
        for place in ((key, p) for key, document in DOCUMENTS.items() for p in paths(document))
        if place[0][2] == read_id
        and len(place[1]) == len(path)
        and all(want in {"*", step} for want, step in zip(path, place[1], strict=True))
    ]
    assert found
    return found


def statuses(snapshot: Snapshot, *ids: str) -> dict[str, Status]:
    return {f.check.id: f.status for f in audit(Tables(snapshot), only=list(ids))}


def test_an_authentication_aws_has_not_invented_yet_is_not_more_than_a_certificate():
    path = ("ClientVpnEndpoints", 0, "AuthenticationOptions", 0, "Type")
    (place,) = where("ec2-describe-client-vpn-endpoints", *path)
    id = "authentication-is-certificate-only"
    assert statuses(changed(place, "passkey-authentication"), id) == {id: Status.NOT_ASSESSED}


@pytest.mark.parametrize("id", ["revocation-list-is-missing", "revocation-list-has-expired"])
def test_an_authentication_aws_has_not_invented_yet_may_be_by_certificate(id):
    path = ("ClientVpnEndpoints", 0, "AuthenticationOptions", 0, "Type")
    (place,) = where("ec2-describe-client-vpn-endpoints", *path)
    assert statuses(changed(place, "passkey-authentication"), id) == {id: Status.NOT_ASSESSED}


def test_a_security_group_without_its_vpc_is_refused_and_stands_nowhere_else():
    for place in where("ec2-describe-security-groups", "SecurityGroups", "*", "VpcId"):
        with pytest.raises(AuditError, match="VpcId"):
            audit(Tables(changed(place, LOST)), only=["receiver-allows-address-not-group"])


def test_an_endpoint_the_list_lost_is_a_gap_while_there_are_answers_about_it():
    (place,) = where("ec2-describe-client-vpn-endpoints", "ClientVpnEndpoints", 0)
    ids = [id for id, made in CHECKS.items() if made.population == "client_vpn_endpoints"]
    assert not FINE & set(statuses(changed(place, LOST), *ids).values())
    (whole,) = where("ec2-describe-client-vpn-endpoints", "ClientVpnEndpoints")
    assert not FINE & set(statuses(changed(whole, []), *ids).values())


@pytest.mark.parametrize(
    ("read", "path", "id"),
    [
        (
            "ec2-describe-client-vpn-authorization-rules",
            ("AuthorizationRules", "*", "Status", "Code"),
            "sensitive-port-reachable-by-everyone",
        ),
        (
            "ec2-describe-client-vpn-routes",
            ("Routes", "*", "Status", "Code"),
            "sensitive-port-reachable-by-everyone",
        ),
        (
            "ec2-describe-network-acls",
            ("NetworkAcls", "*", "Entries", "*", "RuleAction"),
            "sensitive-port-reachable-by-everyone",
        ),
    ],
)
def test_a_state_or_an_action_aws_has_not_invented_yet_is_a_gap_not_an_absence(read, path, id):
    documents = copy.deepcopy(DOCUMENTS)
    for key, steps in where(read, *path):
        inside: Any = documents[key]
        for step in steps[:-1]:
            inside = inside[step]
        inside[steps[-1]] = "not-invented-yet"
    snapshot = Snapshot.from_documents(documents, REFUSED, botocore_version="1.44.5")
    (found,) = audit(Tables(snapshot), only=[id])
    assert found.status not in FINE
    assert found.gaps["error_message"].dropna().str.contains("not-invented-yet").any()


def test_a_security_group_without_a_name_cannot_pass_for_one_that_is_no_default():
    for place in where("ec2-describe-security-groups", "SecurityGroups", "*", "GroupName"):
        with pytest.raises(AuditError, match="GroupName"):
            audit(Tables(changed(place, LOST)), only=["default-sg-has-rules"])


def test_a_security_group_the_list_lost_is_a_gap_while_there_are_rules_of_it():
    for place in where("ec2-describe-security-groups", "SecurityGroups", "*"):
        after = statuses(changed(place, LOST), "default-sg-has-rules", "default-sg-is-used")
        assert not FINE & set(after.values()), place


def test_traffic_of_a_kind_aws_has_not_invented_yet_may_be_of_any_family():
    world = clean()
    (endpoint,) = world._lists[REGION, "ec2-describe-client-vpn-endpoints", None]
    id = "vpn-sg-limits-outbound"
    assert statuses(world.snapshot(), id)[id] is Status.PASS
    endpoint["TrafficIpAddressType"] = "ipv7"
    assert statuses(world.snapshot(), id)[id] is Status.FAIL


@pytest.mark.parametrize("number", ["-2", "256", "quic", "\u00b2"])
@pytest.mark.parametrize(
    ("read", "path"),
    [
        ("ec2-describe-network-acls", ("NetworkAcls", "*", "Entries", "*", "Protocol")),
        ("ec2-describe-security-group-rules", ("SecurityGroupRules", "*", "IpProtocol")),
    ],
)
def test_a_protocol_that_is_none_is_refused_by_file_and_record(read, path, number):
    with pytest.raises(AuditError, match=f"{read}.*protocol"):
        audit(
            Tables(changed(where(read, *path)[0], number)),
            only=["default-sg-has-rules"]
            if "rules" in read
            else ["routed-but-not-authorized", "sensitive-port-reachable-by-everyone"],
        )
