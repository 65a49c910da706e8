"""A world for every false alarm that a check lists: the situation in which evidence is no reason to act.

Three kinds, each with a word of its own:

- ``fails``: the check finds what it should, and the world shows why nobody need act. ``says`` is
  what the evidence says of it; ``beside`` names another check whose finding shows the situation.
- ``silent``: the check is exact there and finds nothing. ``status`` is then what it says.
- ``unseen``: no snapshot can show it (what somebody means, what runs elsewhere). Then the world is
  the smallest in which the check fails, of ``SMALLEST``.

An alarm is named by how it begins.
"""

from collections.abc import Callable
from dataclasses import dataclass

from auditlib.check import Status
from tests.worlds import NOW, World, revocation_list, saml_metadata

CERTIFICATE = ("certificate-authentication",)
MUTUAL = (*CERTIFICATE, "federated-authentication")
DIRECTORY = ("directory-service-authentication",)
JAMF = {"TrustProviders": [{"TrustProviderType": "jamf"}]}
HEAD = "(principal, action, resource)"
MANAGED = f'permit{HEAD} when {{ context has jamf && context.jamf.risk == "LOW" }};'
ANY = "0.0.0.0/0"

Make = Callable[[], World]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How an alarm is shown."""

    world: Make
    kind: str
    says: str = ""
    beside: str = ""
    status: Status = Status.FAIL


class Site(World):
    """A VPC with an endpoint on one subnet and a receiver that admits it, in good order."""

    def __init__(self, *more: str, **settings) -> None:
        super().__init__()
        self.main = self.vpc("10.0.0.0/16", *more)
        self.revoke(self.default_group(self.main))
        self.home = self.subnet(self.main, "10.0.1.0/24")
        self.there = self.subnet(self.main, "10.0.2.0/24")
        self.vpn = self.security_group(self.main, "vpn")
        self.app = self.security_group(self.main, "app")
        self.ingress(self.app, self.vpn, "tcp", (443, 443))
        self.eni = self.interface(self.there, self.app, ip="10.0.2.9", name="app")
        self.staff = self.endpoint(self.main, (self.vpn,), name="staff", **settings)
        self.associate(self.staff, self.home)

    def settings(self, **members) -> None:
        """Change settings of the endpoint."""
        self.record(self.staff).update(members)

    def second(self, zone: str = "c", cidr: str = "10.0.3.0/24", **more) -> str:
        """Associate another subnet."""
        subnet = self.subnet(self.main, cidr, zone=zone)
        self.associate(self.staff, subnet, **more)
        return subnet

    def unused(self) -> "Site":
        """Leave the endpoint without an entry in its log for a hundred days."""
        self.settings(CreationTime="2026-01-05T09:00:00")
        (stream,) = self._lists[self.region, "logs-describe-log-streams", "/vpn/connections"]
        stream["lastEventTimestamp"] = int(NOW.timestamp() * 1000) - 100 * 86_400_000
        return self


def alone(**settings) -> World:
    """Return a world with an endpoint that leads nowhere: no subnet, no rule."""
    world = World()
    world.endpoint(world.vpc(), **settings)
    return world


ALONE = f"cvpn-endpoint-{1:017x}"
"""The endpoint of :func:`alone`."""


def with_policy(text: str, *, shadow: str = "disabled", status: str = "active", **settings) -> Site:
    """Return a world whose endpoint has an authorization policy."""
    world = Site(**settings)
    world.policy(world.staff, text, shadow=shadow, status=status)
    return world


def sound() -> World:
    """Return a world in which the checks pass that report what AWS sets by default."""
    world = Site(
        authentication=MUTUAL,
        SessionTimeoutHours=8,
        ClientLoginBannerOptions={"Enabled": True, "BannerText": "For staff only."},
        ClientRouteEnforcementOptions={"Enforced": True},
        SplitTunnel=False,
        DevicePostureOptions=JAMF,
    )
    world.revocation_list(world.staff, revocation_list(days=90))
    world.policy(world.staff, MANAGED)
    return world


def sound_with_directory() -> World:
    """Return a world whose users sign in with a directory that is well."""
    return Site(authentication=DIRECTORY)


SMALLEST: dict[str, Make] = {}
ALARMS: dict[tuple[str, str], list[Shown]] = {}


def smallest(id: str) -> Callable[[Make], Make]:
    """Register the smallest world in which a check fails."""

    def register(make: Make) -> Make:
        assert id not in SMALLEST, id
        SMALLEST[id] = make
        return make

    return register


def shows(id: str, begins: str, kind: str = "fails", **more) -> Callable[[Make], Make]:
    """Register a world that shows an alarm."""

    def register(make: Make) -> Make:
        ALARMS.setdefault((id, begins), []).append(Shown(world=make, kind=kind, **more))
        return make

    return register


def silent(id: str, begins: str, status: Status = Status.PASS) -> Callable[[Make], Make]:
    """Register a world that shows an alarm which the check does not raise."""
    return shows(id, begins, "silent", status=status)


def unseen(id: str, *begins: str) -> None:
    """Register alarms that no snapshot can show."""
    for begin in begins:
        shows(id, begin, "unseen")(SMALLEST[id])


# -- addresses ------------------------------------------------------------------------------------


@smallest("client-range-below-capacity")
@shows("client-range-below-capacity", "A third subnet for", says="has three associations")
def three_zones() -> World:
    world = Site()
    world.second("c", "10.0.3.0/24")
    world.second("d", "10.0.4.0/24")
    return world


@smallest("client-range-nearly-used-up")
def many_connections() -> World:
    world = alone()
    for _ in range(410):
        world.connection(ALONE)
    return world


unseen("client-range-nearly-used-up", "A peak that does not come back")


@smallest("client-range-overlaps-network")
@shows("client-range-overlaps-network", "A wide route", says="10.0.0.0/8")
def a_wide_route() -> World:
    world = Site(client_cidr="10.200.0.0/22")
    world.route(world.main, "10.0.0.0/8", TransitGatewayId="tgw-1")
    return world


@silent("client-range-overlaps-network", "A default route, whole")
def default_routes() -> World:
    world = Site()
    for half in (ANY, "0.0.0.0/1", "128.0.0.0/1"):
        world.route(world.main, half, NatGatewayId="nat-1")
        world.endpoint_route(world.staff, half, world.home)
    return world


@silent("client-range-overlaps-network", "The clients' own range")
def client_to_client_route() -> World:
    world = Site()
    world.endpoint_route(world.staff, "172.20.0.0/22", "local")
    return world


@smallest("vpc-range-not-routed")
@shows("vpc-range-not-routed", "A range for pods", says="100.64.0.0/16")
def a_range_for_pods() -> World:
    return Site("100.64.0.0/16")


@silent("vpc-range-not-routed", "A range inside a wider route")
def a_wider_route() -> World:
    world = Site("100.64.0.0/16")
    world.endpoint_route(world.staff, "100.64.0.0/10", world.home)
    return world


# -- authentication -------------------------------------------------------------------------------


@smallest("certificate-only-where-groups-are-wanted")
@shows("certificate-only-where-groups-are-wanted", "A description that names", says="contractors")
def the_one_group() -> World:
    world = Site(authentication=CERTIFICATE)
    world.authorize(world.staff, "10.0.2.0/24", description="wiki for contractors")
    world.authorize(world.staff, "10.0.4.0/24", description="tickets for contractors")
    return world


@shows("certificate-only-where-groups-are-wanted", "An account whose other", says="beside it")
def machines_beside_people() -> World:
    world = Site(authentication=CERTIFICATE)
    world.authorize(world.staff, "10.0.2.0/24")
    world.authorize(world.staff, "10.0.4.0/24")
    people = world.endpoint(world.main, client_cidr="172.21.0.0/22")
    world.authorize(people, "10.0.0.0/16", "engineers")
    return world


@smallest("directory-is-unhealthy")
@shows("directory-is-unhealthy", "A directory that is being", says="Restoring")
def a_directory_being_restored() -> World:
    world = Site(authentication=DIRECTORY)
    world.directory("d-0000000001", Stage="Restoring")
    return world


@shows("directory-is-unhealthy", "An endpoint nobody uses", beside="endpoint-is-idle")
def an_unused_endpoint_with_a_directory() -> World:
    return a_directory_being_restored().unused()


@smallest("revocation-list-expires-soon")
def a_list_that_ends_soon() -> World:
    world = Site(authentication=CERTIFICATE)
    world.revocation_list(world.staff, revocation_list(days=5))
    return world


unseen("revocation-list-expires-soon", "A list that a job issues anew")


@smallest("revocation-list-has-expired")
@shows("revocation-list-has-expired", "An endpoint nobody uses", beside="endpoint-is-idle")
def a_list_that_has_ended() -> World:
    world = Site(authentication=CERTIFICATE)
    world.revocation_list(world.staff, revocation_list(days=-5))
    return world.unused()


@smallest("revocation-list-is-missing")
@shows("revocation-list-is-missing", "Users who also sign in")
def two_ways_to_sign_in() -> World:
    return Site(authentication=MUTUAL)


unseen("revocation-list-is-missing", "Certificates that hold for hours", "A new endpoint whose")


@smallest("saml-metadata-expires-soon")
def metadata_that_ends_soon() -> World:
    world = Site()
    world.saml_provider(metadata=saml_metadata(20))
    return world


@shows("saml-metadata-expires-soon", "A provider for the self-service", says="portal")
def portal_metadata_that_ends_soon() -> World:
    world = Site()
    portal = world.saml_provider("portal", saml_metadata(20))
    options = world.record(world.staff)["AuthenticationOptions"][0]
    options["FederatedAuthentication"]["SelfServiceSamlProviderArn"] = portal
    return world


unseen("saml-metadata-expires-soon", "An identity provider that keeps")


@smallest("saml-provider-is-unusable")
@shows("saml-provider-is-unusable", "A self-service provider that is gone", says="portal")
def a_portal_provider_that_is_gone() -> World:
    world = portal_metadata_that_ends_soon()
    world.remove_saml_provider("portal")
    return world


@shows("saml-provider-is-unusable", "An endpoint nobody uses", beside="endpoint-is-idle")
def an_unused_endpoint_without_provider() -> World:
    world = Site().unused()
    world.remove_saml_provider()
    return world


@smallest("self-service-portal-cannot-serve")
@shows("self-service-portal-cannot-serve", "AWS gives the address")
def a_portal_address() -> World:
    return alone(authentication=CERTIFICATE)


@smallest("server-certificate-expires-soon")
def a_certificate_that_ends_soon() -> World:
    world = Site()
    world.certificate(world.staff, Type="IMPORTED", NotAfter="2026-12-01T00:00:00+00:00")
    return world


unseen("server-certificate-expires-soon", "A certificate that is replaced", "An endpoint that will")


@smallest("server-certificate-has-expired")
@shows("server-certificate-has-expired", "An endpoint nobody uses", beside="endpoint-is-idle")
def a_certificate_that_has_ended() -> World:
    world = Site().unused()
    world.certificate(world.staff, NotAfter="2026-10-01T00:00:00+00:00")
    return world


@smallest("server-certificate-is-not-renewed")
@shows("server-certificate-is-not-renewed", "Mutual authentication with", says="imported")
def an_imported_certificate() -> World:
    world = Site(authentication=CERTIFICATE)
    world.certificate(world.staff, Type="IMPORTED", RenewalEligibility="INELIGIBLE")
    return world


unseen("server-certificate-is-not-renewed", "A certificate that automation")


@smallest("server-certificate-is-weak")
@shows("server-certificate-is-weak", "An endpoint for tests", beside="endpoint-without-association")
def a_weak_certificate() -> World:
    world = alone()
    world.certificate(ALONE, KeyAlgorithm="RSA_1024")
    return world


# -- authorization --------------------------------------------------------------------------------


@smallest("authentication-is-certificate-only")
def certificates_alone() -> World:
    return alone(authentication=CERTIFICATE)


@shows("authentication-is-certificate-only", "An endpoint whose authorization policy")
def a_policy_that_demands_a_managed_device() -> World:
    return with_policy(MANAGED, authentication=CERTIFICATE, DevicePostureOptions=JAMF)


unseen("authentication-is-certificate-only", "Machines that connect")


@smallest("authorization-allows-everyone")
@shows("authorization-allows-everyone", "An endpoint that serves one group", says="10.0.2.0/28")
def a_narrow_network_for_everyone() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.2.0/28")
    return world


@shows("authorization-allows-everyone", "A rule for everyone on what", says="10.0.0.2/32")
def a_resolver_for_everyone() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.0.2/32")
    world.authorize(world.staff, "10.0.2.0/24", "engineers")
    return world


@shows("authorization-allows-everyone", "On a certificate-only endpoint", says="certificate")
def everyone_for_want_of_groups() -> World:
    world = Site(authentication=CERTIFICATE)
    world.authorize(world.staff, "10.0.2.0/24")
    return world


@smallest("connection-logging-is-off")
@shows("connection-logging-is-off", "An endpoint for tests", beside="endpoint-without-association")
def an_unlogged_endpoint() -> World:
    return alone(logging=False)


@smallest("source-address-not-restricted")
def no_look_at_the_address() -> World:
    return alone()


unseen("source-address-not-restricted", "Users who travel")


@silent("source-address-not-restricted", "An endpoint with a handler")
def a_handler() -> World:
    world = Site()
    world.connect_handler(world.staff)
    return world


@silent("source-address-not-restricted", "An endpoint with a handler")
def a_policy_on_addresses() -> World:
    ours = 'context.connection.public_ip.isInRange(ip("192.0.2.0/24"))'
    return with_policy(f"permit{HEAD} when {{ {ours} }};")


# -- availability ---------------------------------------------------------------------------------


@smallest("association-not-in-place")
@shows("association-not-in-place", "An association that was made", says="nothing tells since when")
def an_association_on_its_way() -> World:
    world = Site()
    world.second(status="associating")
    return world


@smallest("association-subnet-nearly-full")
def a_full_subnet() -> World:
    world = Site()
    world.record(world.home)["AvailableIpAddressCount"] = 3
    return world


unseen("association-subnet-nearly-full", "A subnet that is full for minutes")


@smallest("endpoint-in-one-zone")
def one_zone() -> World:
    return Site()


unseen("endpoint-in-one-zone", "An endpoint for tests")


@smallest("endpoint-not-settled")
@shows("endpoint-not-settled", "A deletion that is meant", says="is being deleted")
def an_endpoint_being_deleted() -> World:
    world = Site()
    world.settings(Status={"Code": "deleting"})
    return world


@smallest("endpoint-without-association")
@shows("endpoint-without-association", "An endpoint that is being built")
def an_endpoint_being_built() -> World:
    return alone()


@smallest("routes-differ-between-associations")
@shows("routes-differ-between-associations", "A route that is being made", says="192.168.0.0/16")
def a_route_being_made() -> World:
    world = Site()
    world.endpoint_route(world.staff, "192.168.0.0/16", world.home)
    world.endpoint_route(world.staff, "192.168.0.0/16", world.second(), status="creating")
    return world


@silent("routes-differ-between-associations", "One network in two halves")
def one_network_in_two_halves() -> World:
    world = Site()
    world.endpoint_route(world.staff, "192.168.0.0/16", world.home)
    other = world.second()
    for half in ("192.168.0.0/17", "192.168.128.0/17"):
        world.endpoint_route(world.staff, half, other)
    return world


# -- Cedar policies and device posture ------------------------------------------------------------


@smallest("authorization-policy-dotted-hyphen")
def a_dotted_hyphen() -> World:
    return with_policy(f"permit{HEAD} when {{ context.active-directory.groups == 1 }};")


@silent("authorization-policy-dotted-hyphen", "None is known")
def a_hyphen_in_words() -> World:
    return with_policy(
        "// context.active-directory.groups is no Cedar\n"
        f'permit{HEAD} when {{ context.saml.memberOf.contains("context.active-directory.x") }};'
    )


@smallest("authorization-policy-forbid-unguarded")
@shows("authorization-policy-forbid-unguarded", "An attribute that every permit")
def an_attribute_that_permits_read_too() -> World:
    return with_policy(
        f'permit{HEAD} when {{ context.jamf.risk != "HIGH" }};'
        f'forbid{HEAD} when {{ context.jamf.risk == "MEDIUM" }};'
    )


@silent("authorization-policy-forbid-unguarded", "A forbid on details of the connection")
def a_forbid_on_the_connection() -> World:
    return with_policy(
        f"{MANAGED} forbid{HEAD} when "
        '{ context.connection.public_ip.isInRange(ip("198.51.100.0/24")) };'
    )


@smallest("authorization-policy-in-shadow-mode")
def a_trial() -> World:
    return with_policy(MANAGED, shadow="enabled")


unseen("authorization-policy-in-shadow-mode", "A trial that is still going on")


@smallest("authorization-policy-missing")
@shows("authorization-policy-missing", "An endpoint whose client connect handler", says="handler")
def a_handler_and_no_policy() -> World:
    return a_handler()


@smallest("authorization-policy-near-size-limit")
def a_long_policy() -> World:
    return with_policy(f"// {'x' * 9_500}\n{MANAGED}")


unseen("authorization-policy-near-size-limit", "A policy that is finished")


@smallest("authorization-policy-not-active")
@shows("authorization-policy-not-active", "A policy that was attached", says="creating")
def a_policy_being_attached() -> World:
    return with_policy(MANAGED, status="creating")


@smallest("authorization-policy-permits-everyone")
@shows("authorization-policy-permits-everyone", "A policy that works by its forbid")
def a_policy_of_forbids() -> World:
    return with_policy(
        f"permit{HEAD}; forbid{HEAD} when "
        '{ context has jamf && context.jamf has risk && context.jamf.risk == "HIGH" };'
    )


@smallest("authorization-policy-reads-absent-provider")
@shows("authorization-policy-reads-absent-provider", "One text for several endpoints")
def one_text_for_several_endpoints() -> World:
    return with_policy(MANAGED)


@smallest("authorization-policy-reads-unlisted-attribute")
@shows("authorization-policy-reads-unlisted-attribute", "An attribute that is sent", says="jamf")
def an_attribute_not_in_the_list() -> World:
    text = f"permit{HEAD} when {{ context.jamf.is_supervised == true }};"
    return with_policy(text, DevicePostureOptions=JAMF)


@silent("authorization-policy-reads-unlisted-attribute", "Details of the connection")
def attributes_without_a_list() -> World:
    return with_policy(
        f'permit{HEAD} when {{ context.connection.anything == 1 || context["active-directory"].x == 1 }};'
    )


@smallest("authorization-policy-trial-unlogged")
def a_trial_without_a_log() -> World:
    return with_policy(MANAGED, shadow="enabled", logging=False)


unseen("authorization-policy-trial-unlogged", "A policy that is attached for safekeeping")


@smallest("authorization-policy-unreadable")
@shows("authorization-policy-unreadable", "Syntax of a Cedar release")
def syntax_of_tomorrow() -> World:
    return with_policy(f"permit{HEAD} provided {{ context.jamf.risk }};")


@smallest("device-posture-decides-nothing")
@shows("device-posture-decides-nothing", "A trial that is still", says="shadow mode")
def a_trial_of_posture() -> World:
    return with_policy(MANAGED, shadow="enabled", DevicePostureOptions=JAMF)


@smallest("device-posture-not-checked")
def any_device() -> World:
    return alone()


unseen("device-posture-not-checked", "Devices that the identity provider")


# -- connect handlers and logs --------------------------------------------------------------------


@smallest("connect-handler-is-broken")
@shows("connect-handler-is-broken", "A function that Lambda has put to sleep", says="Inactive")
def a_sleeping_function() -> World:
    world = Site()
    world.connect_handler(world.staff, State="Inactive")
    return world


@shows("connect-handler-is-broken", "A function that is being created", says="Pending")
def a_function_being_made() -> World:
    world = Site()
    world.connect_handler(world.staff, State="Pending")
    return world


@smallest("connect-handler-is-not-applied")
@shows("connect-handler-is-not-applied", "A change that was made minutes", says="applying")
def a_handler_being_applied() -> World:
    world = a_handler()
    world.record(world.staff)["ClientConnectOptions"]["Status"] = {"Code": "applying"}
    return world


@smallest("connection-log-is-kept-for-ever")
def a_log_without_end() -> World:
    world = Site()
    world.log_group("/vpn/connections")
    return world


unseen("connection-log-is-kept-for-ever", "A rule that asks for", "A log group that something else")


@smallest("connection-log-is-missing")
@shows(
    "connection-log-is-missing",
    "A log group that is created",
    beside="endpoint-without-association",
)
def a_log_to_come() -> World:
    return alone(ConnectionLogOptions={"Enabled": True, "CloudwatchLogGroup": "/vpn/tomorrow"})


@silent("connection-log-is-missing", "A stream beyond the fifty")
def a_stream_among_many() -> World:
    world = Site()
    log = {"Enabled": True, "CloudwatchLogGroup": "/vpn/connections"}
    world.settings(ConnectionLogOptions=log | {"CloudwatchLogStream": "staff"})
    for number in range(50):
        world.log_stream("/vpn/connections", f"stream-{number}")
    return world


@smallest("endpoint-is-idle")
def an_idle_endpoint() -> World:
    return Site().unused()


@shows("endpoint-is-idle", "A log whose retention is shorter", says="no entry at all")
def a_log_that_forgets() -> World:
    world = Site()
    world.log_group("/vpn/connections", 1)
    world._lists[world.region, "logs-describe-log-streams", "/vpn/connections"].clear()
    return world


@shows(
    "endpoint-is-idle", "An endpoint whose users fail", beside="authentication-is-certificate-only"
)
def attempts_that_are_not_logged() -> World:
    return Site(authentication=CERTIFICATE).unused()


unseen("endpoint-is-idle", "An endpoint kept for emergencies", "A season in which nobody works")


# -- dead configuration ---------------------------------------------------------------------------


@smallest("association-route-leads-nowhere")
@shows("association-route-leads-nowhere", "A route to an interface", says="eni-")
def a_route_to_a_stopped_machine() -> World:
    world = Site()
    world.route(world.main, "192.168.0.0/16", NetworkInterfaceId=world.eni)
    world.record(f"{world.main}/route-table")["Routes"][-1]["State"] = "blackhole"
    return world


@smallest("authorization-rule-covered-by-another")
@shows("authorization-rule-covered-by-another", "A narrow rule that is kept", says="10.0.2.0/24")
def a_narrow_rule_beside_a_wide_one() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.0.0/16", "engineers")
    world.authorize(world.staff, "10.0.2.0/24", "engineers")
    return world


@smallest("endpoint-names-missing-security-group")
def a_group_that_is_gone() -> World:
    world = Site()
    world.settings(SecurityGroupIds=[world.vpn, "sg-0000000000000dead"])
    return world


@silent("endpoint-names-missing-security-group", "A group of another account", Status.NOT_ASSESSED)
def a_vpc_of_another_account() -> World:
    world = World()
    world.endpoint("vpc-0fffffffffffffff0", ("sg-0fffffffffffffff0",))
    return world


@smallest("endpoint-rule-or-route-failed")
def a_rule_that_failed() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.2.0/24", "engineers", status="failed")
    return world


unseen("endpoint-rule-or-route-failed", "None is known")


@smallest("security-group-rule-covered-by-another")
@shows("security-group-rule-covered-by-another", "A narrow rule that documents", says="80")
def a_port_that_is_open_anyway() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.2.0/24", "engineers")
    world.ingress(world.app, "10.0.0.0/16", "tcp", (80, 80), description="needed by the wiki")
    world.ingress(world.app, "10.0.0.0/16", "tcp", (1, 1024))
    return world


@silent("security-group-rule-covered-by-another", "A rule that names a group")
def a_group_within_a_range() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.2.0/24", "engineers")
    world.ingress(world.app, "10.0.0.0/16", "tcp", (443, 443))
    return world


@smallest("security-group-rule-names-missing-group")
def a_rule_on_a_group_that_is_gone() -> World:
    world = Site()
    world.ingress(world.app, "sg-0000000000000dead", "tcp", (443, 443))
    return world


@silent("security-group-rule-names-missing-group", "A peering that is being made", Status.PASS)
def a_rule_before_its_peering() -> World:
    world = Site()
    peer = world.vpc("10.9.0.0/16")
    peering = world.peering(world.main, peer, status="pending-acceptance", routed=False)
    there = world.security_group(peer, "partners")
    rule = world.ingress(world.app, there, "tcp", (443, 443))
    told = {"VpcId": peer, "VpcPeeringConnectionId": peering, "PeeringStatus": "pending-acceptance"}
    rules = world._lists[world.region, "ec2-describe-security-group-rules", None]
    (record,) = [one for one in rules if one["SecurityGroupRuleId"] == rule]
    record["ReferencedGroupInfo"].update(told)
    return world


# -- security groups ------------------------------------------------------------------------------


@smallest("default-sg-has-rules")
@shows("default-sg-has-rules", "In a VPC that nothing uses")
def an_unused_vpc() -> World:
    world = World()
    world.vpc()
    return world


@smallest("default-sg-is-used")
def a_machine_with_the_default_group() -> World:
    world = an_unused_vpc()
    vpc = f"vpc-{1:017x}"
    world.interface(world.subnet(vpc, "10.0.1.0/24"), world.default_group(vpc))
    return world


@silent("default-sg-is-used", "Groups that no interface carries")
def a_default_group_without_machines() -> World:
    return an_unused_vpc()


@smallest("vpn-sg-has-inbound-rules")
@shows("vpn-sg-has-inbound-rules", "A wide source", says=ANY)
def a_wide_source_on_a_group_of_its_own() -> World:
    world = Site()
    world.ingress(world.vpn, ANY, "udp", (443, 443))
    return world


@shows("vpn-sg-has-inbound-rules", "Rules of a shared group", beside="vpn-sg-is-shared")
def a_rule_that_other_members_need() -> World:
    world = Site()
    world.ingress(world.vpn, "10.0.2.0/24", "tcp", (5432, 5432))
    world.interface(world.there, world.vpn, name="db")
    return world


@smallest("vpn-sg-is-default")
@shows(
    "vpn-sg-is-default", "An endpoint that nobody is meant", beside="endpoint-without-association"
)
def a_default_group_on_an_endpoint_to_come() -> World:
    world = World()
    vpc = world.vpc()
    world.endpoint(vpc, (world.default_group(vpc),))
    return world


@smallest("vpn-sg-is-shared")
@shows("vpn-sg-is-shared", "Two endpoints for the same users")
def two_endpoints_with_one_group() -> World:
    world = Site()
    new = world.endpoint(world.main, (world.vpn,), name="staff-new", client_cidr="172.21.0.0/22")
    world.associate(new, world.home)
    return world


@smallest("vpn-sg-lets-members-in")
@shows("vpn-sg-lets-members-in", "Members outside every network", says="10.0.2.")
def a_member_that_nobody_is_authorized_for() -> World:
    world = Site()
    world.ingress(world.vpn, world.vpn)
    world.interface(world.there, world.vpn, name="db")
    world.authorize(world.staff, "10.0.99.0/24", "engineers")
    return world


unseen("vpn-sg-lets-members-in", "Members that VPN users are meant")


@smallest("vpn-sg-limits-outbound")
def a_second_barrier() -> World:
    world = Site()
    world.revoke(world.vpn)
    world.egress(world.vpn, "10.0.2.0/24", "tcp", (443, 443), description="on purpose")
    return world


unseen("vpn-sg-limits-outbound", "Narrow outbound rules kept on purpose")


@smallest("vpn-sg-not-yet-effective")
@shows("vpn-sg-not-yet-effective", "A change of the settings")
def a_change_on_its_way() -> World:
    world = Site()
    world.settings(SecurityGroupIds=[world.security_group(world.main, "vpn-new")])
    return world


# -- quotas ---------------------------------------------------------------------------------------


@smallest("quota-is-nearly-used")
@shows("quota-is-nearly-used", "A number that is there to stay", says="5 of 5")
@shows("quota-is-nearly-used", "A quota that was raised", says="AWS's documented default")
def five_endpoints() -> World:
    world = World()
    vpc = world.vpc()
    for number in range(5):
        world.endpoint(vpc, client_cidr=f"172.{20 + number}.0.0/22")
    return world


# -- reach ----------------------------------------------------------------------------------------


@smallest("authorization-rule-hides-network")
@shows("authorization-rule-hides-network", "Separation on purpose", says="10.0.2.0/24")
def separation_on_purpose() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.0.0/16", "engineers")
    world.authorize(world.staff, "10.0.2.0/24", "auditors")
    return world


@shows("authorization-rule-hides-network", "A rule for 0.0.0.0/0", says=ANY)
def a_rule_for_the_internet() -> World:
    world = Site()
    world.authorize(world.staff, ANY, "engineers")
    world.authorize(world.staff, "10.0.2.0/24", "auditors")
    return world


@smallest("authorized-but-unreachable")
@shows("authorized-but-unreachable", "A network prepared for receivers", says="10.0.77.0/24")
def a_network_for_tomorrow() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.77.0/24", "engineers")
    return world


@shows(
    "authorized-but-unreachable",
    "An endpoint that nobody has associated",
    beside="endpoint-without-association",
)
def rules_before_the_first_subnet() -> World:
    world = alone()
    world.authorize(ALONE, "10.0.0.0/16", "engineers")
    return world


unseen("authorized-but-unreachable", "Receivers that have no interface")


@smallest("client-to-client-is-open")
def clients_that_reach_each_other() -> World:
    world = client_to_client_route()
    world.authorize(world.staff, "172.20.0.0/22")
    return world


unseen("client-to-client-is-open", "Remote support or telephony", "Devices whose own firewalls")


@smallest("receiver-admits-all-ports-from-vpn")
def every_port() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.2.0/24", "engineers")
    world.ingress(world.app, world.vpn)
    return world


unseen(
    "receiver-admits-all-ports-from-vpn", "Machines that are administered", "A network appliance"
)


@smallest("receiver-open-wider-than-vpn")
@shows("receiver-open-wider-than-vpn", "A public service", says=ANY)
def a_public_service() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.2.0/24", "engineers")
    world.ingress(world.app, ANY, "tcp", (443, 443))
    return world


@shows("receiver-open-wider-than-vpn", "A service meant for the whole VPC", says="10.0.0.0/16")
def a_resolver_for_the_vpc() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.2.0/24", "engineers")
    world.ingress(world.app, "10.0.0.0/16", "udp", (53, 53))
    return world


@smallest("routed-but-not-authorized")
@shows("routed-but-not-authorized", "The route that AWS adds", says="10.0.0.0/16")
def the_route_of_the_vpc() -> World:
    return Site()


@silent("routed-but-not-authorized", "A wide route whose narrow parts")
def a_wide_route_with_narrow_rules() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.2.0/24", "engineers")
    return world


@smallest("sensitive-port-reachable-by-everyone")
def a_shell_for_everyone() -> World:
    world = Site()
    world.authorize(world.staff, "10.0.2.0/24")
    world.ingress(world.app, world.vpn, "tcp", (22, 22))
    return world


@shows("sensitive-port-reachable-by-everyone", "An endpoint whose authorization policy")
def a_policy_for_administrators() -> World:
    world = a_shell_for_everyone()
    world.policy(
        world.staff, f'permit{HEAD} when {{ context.saml.memberOf.contains("administrators") }};'
    )
    return world


unseen(
    "sensitive-port-reachable-by-everyone",
    "An endpoint that only administrators",
    "A receiver that listens",
)


@smallest("receiver-allows-address-not-group")
@shows("receiver-allows-address-not-group", "A rule on the subnet meant", says="10.0.1.0/24")
def a_subnet_with_other_machines() -> World:
    world = Site()
    world.interface(world.home, world.security_group(world.main, "web"), name="web")
    world.ingress(world.app, "10.0.1.0/24", "tcp", (5432, 5432))
    return world


@shows("receiver-allows-address-not-group", "A rule on the client range", says="172.20.0.0/22")
def a_network_with_the_clients_range() -> World:
    world = Site()
    world.peering(world.main, world.vpc("172.20.0.0/16"))
    world.ingress(world.app, "172.20.0.0/22", "tcp", (5432, 5432))
    return world


@silent("receiver-allows-address-not-group", "Receivers that cannot name the group")
def a_receiver_of_another_region() -> World:
    world = Site()
    world.at("eu-west-1")
    far = world.vpc("10.8.0.0/16")
    group = world.security_group(far, "far")
    world.ingress(group, "10.0.1.0/24", "tcp", (443, 443))
    world.interface(world.subnet(far, "10.8.1.0/24"), group)
    return world


@silent("receiver-allows-address-not-group", "IPv6 rules are left out")
def a_rule_on_ipv6() -> World:
    world = Site()
    world.ingress(world.app, "2001:db8::/32", "tcp", (443, 443))
    return world


# -- sessions -------------------------------------------------------------------------------------


@smallest("client-routes-not-enforced")
@smallest("login-banner-is-off")
@smallest("session-lasts-a-day")
@smallest("split-tunnel-is-on")
def settings_as_aws_makes_them() -> World:
    return alone()


unseen("client-routes-not-enforced", "Users whose client does not support it")
unseen("login-banner-is-off", "Users who are told elsewhere")
unseen("session-lasts-a-day", "Jobs that need a connection")
unseen("split-tunnel-is-on", "Devices that are managed")


@smallest("full-tunnel-drops-internet")
def a_full_tunnel() -> World:
    return Site(SplitTunnel=False)


unseen("full-tunnel-drops-internet", "A network whose users are kept off")


@smallest("session-reconnects-at-timeout")
@shows(
    "session-reconnects-at-timeout",
    "Machines that connect",
    beside="authentication-is-certificate-only",
)
def machines_that_stay_connected() -> World:
    return alone(DisconnectOnSessionTimeout=False, authentication=CERTIFICATE)


# -- what nothing uses ----------------------------------------------------------------------------


@smallest("prefix-list-is-empty")
def an_empty_list() -> World:
    world = Site()
    world.ingress(world.app, world.prefix_list(most=5), "tcp", (443, 443))
    return world


unseen("prefix-list-is-empty", "A list that is filled on purpose", "A list that automation fills")


@smallest("security-group-is-unused")
@shows("security-group-is-unused", "A self-reference is no use", says="no rule of another group")
def a_group_that_names_itself() -> World:
    world = Site()
    group = world.security_group(world.main, "old")
    world.ingress(group, group)
    return world


unseen(
    "security-group-is-unused",
    "A group that a launch template",
    "A group that a peered VPC",
    "A group kept for emergencies",
)
