"""Worlds that exercise the report: everyday, empty, refused and hostile ones."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from auditlib.redaction import MEMBERS
from tests.corpus import HOSTILE, IMAGE, OVERRIDE, SCRIPT
from tests.worlds import World, revocation_list, saml_metadata

__all__ = [
    "HOSTILE", "IMAGE", "MOMENT", "OVERRIDE", "SCRIPT", "empty", "exposed", "hostile", "refused",
    "written",
]  # fmt: skip


MOMENT = {
    "started": datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
    "finished": datetime(2026, 11, 20, 9, 4, tzinfo=UTC),
}


def exposed() -> World:
    """One endpoint on the default group with servers beside it, and one that is as it should be."""
    world = World()
    vpc = world.vpc(name="production")
    users, servers = (world.subnet(vpc, f"10.0.{n}.0/24", name=f"net-{n}") for n in (1, 2))
    own = world.security_group(vpc, "vpn-users")
    good = world.endpoint(vpc, (own,), name="staff")
    world.associate(good, users)
    world.authorize(good, "10.0.2.0/24", "staff")
    bare = world.endpoint(vpc, name="legacy", client_cidr="172.21.0.0/22", logging=False)
    address = world.record(world.associate(bare, users))["PrivateIpAddress"]
    world.authorize(bare, "0.0.0.0/0")
    default = world.default_group(vpc)
    app = world.security_group(vpc, "app")
    world.ingress(app, f"{address}/32", "tcp", (443, 443), "from the VPN")
    world.ingress(app, own, "tcp", (443, 443))
    for number in range(15):
        world.interface(servers, default, name=f"server-{number:02}")
    world.interface(servers, app, name="app-1")
    return world


def hostile() -> World:
    """The exposed world with each text of the corpus in every field that a person can write."""
    world = exposed()
    last = world.vpc("10.9.0.0/16")
    for number, text in enumerate(HOSTILE):
        vpc = world.vpc(f"10.{100 + number}.0.0/16")
        subnet = world.subnet(vpc, f"10.{100 + number}.1.0/24")
        endpoint = world.endpoint(
            vpc, name=text, client_cidr=f"172.16.{4 * number}.0/22", logging=bool(number % 2)
        )
        record = world.record(endpoint)
        record["ClientLoginBannerOptions"] = {"Enabled": True, "BannerText": text}
        record["ConnectionLogOptions"] |= {"CloudwatchLogGroup": text, "CloudwatchLogStream": text}
        record["AuthenticationOptions"][0]["FederatedAuthentication"]["SamlProviderArn"] = (
            world.saml_provider(text, _entity(text))
        )
        world.log_group(text)
        world.log_stream(text, text)
        world.associate(endpoint, subnet)
        world.authorize(endpoint, "0.0.0.0/0")
        world.authorize(endpoint, f"10.{100 + number}.0.0/16", text)
        world.connection(endpoint, Username=text, CommonName=text)
        world.policy(endpoint, _policy(text) if number % 2 else text, description=text)
        world.revocation_list(endpoint, revocation_list(issuer=text))
        world.certificate(endpoint)
        world.connect_handler(
            endpoint, text, Description=text, StateReason=text, LastUpdateStatusReason=text
        )
        world.directory(f"d-{number:010x}", Name=text, Description=text, StageReason=text)
        world.interface(subnet, world.default_group(vpc))
        group = world.security_group(vpc, text)
        world.ingress(group, "10.9.1.0/24", "tcp", (22, 22), text)
        world.ingress(group, world.prefix_list("10.9.2.0/24"), "tcp", (22, 22), text)
        world.interface(subnet, group)
        world.share(group, last)
        world.peering(last, vpc)
        last = vpc
    _fill(world)
    return world


def _entity(text: str) -> str:
    """Return a SAML provider's metadata whose entity is called so, as far as XML can say it."""
    said = "".join(c for c in text if c.isprintable()).replace("&", "&amp;").replace("<", "&lt;")
    return saml_metadata().replace("https://idp.example.com/saml", said.replace('"', "&quot;"))


def _policy(text: str) -> str:
    """Return a Cedar policy that asks for a text, as far as Cedar can say it."""
    said = "".join(c for c in text if c.isprintable()).replace("\\", "\\\\").replace('"', '\\"')
    return f'permit(principal, action, resource) when {{ context.jamf["{said}"] == 1 }};'


FILLED = {"banner", "description", "host", "name", "prefix_list_name", "text", "value"}
"""What members hold that is filled wherever it stands; other fields are written one by one."""


def _fill(world: World) -> None:
    """Put the corpus into every text that is bound to nothing else, one after the other."""
    counted: Counter[tuple[str, str]] = Counter()

    def text_for(read_id: str, member: str) -> str:
        counted[read_id, member] += 1
        return HOSTILE[(counted[read_id, member] - 1) % len(HOSTILE)]

    def fill(read_id: str, record: Any) -> None:
        if isinstance(record, list):
            for inner in record:
                fill(read_id, inner)
            return
        if not isinstance(record, dict):
            return
        for member, held in list(record.items()):
            if member in {"Tags", "TagSet"}:
                called, key, tag = (text_for(read_id, kind) for kind in ("Name", "Key", "Value"))
                record[member] = [{"Key": "Name", "Value": called}, {"Key": key, "Value": tag}]
            elif isinstance(held, dict | list):
                fill(read_id, held)
            elif MEMBERS.get(member) in FILLED and not str(held).startswith("ClientVPN Endpoint"):
                record[member] = text_for(read_id, member)
            elif member == "Code":
                record.setdefault("Message", text_for(read_id, "Message"))

    for (_, read_id, _), records in world._lists.items():
        fill(read_id, records)
    for (_, read_id, _), document in world._single.items():
        if read_id != "iam-get-saml-provider":
            fill(read_id, document)
    for record in (
        entry
        for (_, read_id, _), records in world._lists.items()
        for entry in records
        if read_id in GIVEN
    ):
        read_id = next(id for id, (known, _) in GIVEN.items() if known in record)
        record[GIVEN[read_id][1]] = text_for(read_id, GIVEN[read_id][1])


GIVEN = {
    "ec2-get-managed-prefix-list-entries": ("Cidr", "Description"),
    "ec2-describe-security-group-rules": ("SecurityGroupRuleId", "Description"),
    "ec2-describe-security-group-vpc-associations": ("VpcOwnerId", "StateReason"),
}
"""Reads whose records have a text only where one was given: a member that tells them, and the text."""


def written(world: World) -> Iterator[tuple[str, str, str]]:
    """Yield read, member and text of every text in a world's records."""
    for (_, read_id, _), held in (*world._lists.items(), *world._single.items()):
        yield from ((read_id, member, text) for member, text in _texts(held))


def _texts(value: Any, member: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, member)
    elif isinstance(value, str):
        yield member, value


def refused() -> World:
    """The exposed world, with calls denied there and a second Region that shows nothing."""
    world = exposed()
    world.refuse("ec2-describe-network-interfaces")
    world.at("eu-west-1").vpc()
    world.refuse("ec2-describe-client-vpn-endpoints", region="eu-west-1")
    return world


def empty() -> World:
    """An account where everything was read and nothing is there."""
    return World()
