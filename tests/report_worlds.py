"""Worlds that exercise the report: everyday, empty, refused and hostile ones."""

from datetime import UTC, datetime

from tests.worlds import World

SCRIPT = "<script>document.title='ran'</script>"
IMAGE = "<img src=x onerror=\"document.title='ran'\">"
OVERRIDE = "pay\u202eroll\u200b"
HOSTILE = (
    SCRIPT,
    IMAGE,
    OVERRIDE,
    "$\\frac{1}{0}$ `code` [link](javascript:alert(1))",
    "</style></td></details><h1>forged</h1>",
    "{{ 7 * 7 }}{% raw %}",
    "\"><svg/onload=document.title='ran'>",
    "営業部の端末 'quoted' & =1+1",
    "two\nlines\x00\x1b[31m",
)
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
    """The exposed world with hostile text wherever a person can write it."""
    world = exposed()
    vpc = world.vpc("10.9.0.0/16", name=HOSTILE[4])
    subnet = world.subnet(vpc, "10.9.1.0/24", name=HOSTILE[5])
    for number, text in enumerate(HOSTILE):
        endpoint = world.endpoint(
            vpc, name=text, client_cidr=f"172.2{number}.0.0/22", logging=False, Description=text
        )
        world.associate(endpoint, subnet)
        world.authorize(endpoint, "0.0.0.0/0", description=text)
        quoted = (
            text.replace("\\", "\\\\").replace('"', '\\"').replace("\x00", "").replace("\x1b", "")
        )
        policy = f'permit(principal, action, resource) when {{ context.jamf["{quoted}"] == 1 }};'
        world.policy(endpoint, policy if number % 2 else text)
        world.interface(subnet, world.default_group(vpc), name=text, description=text)
    group = world.security_group(vpc, SCRIPT, description=IMAGE, tags={"Name": OVERRIDE})
    world.ingress(group, "10.9.1.0/24", "tcp", (22, 22), SCRIPT)
    world.interface(subnet, group, name=SCRIPT)
    return world


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
