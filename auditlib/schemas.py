"""The data dictionary: one schema per table, a description per column.

Base tables come straight from AWS's answers; views are worked out from base tables. Both always
have all their columns, with these types, even when they hold no row.

Column types: ``str`` text (missing: NaN), ``int`` whole number (``Int64``, missing: NA), ``bool``
yes or no, ``flag`` yes, no or not told (``boolean``, missing: NA), ``time`` UTC timestamp,
``list`` a tuple of strings, ``pairs`` a tuple of (key, value), ``category`` text from a small set.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "COVERAGE",
    "GAPS",
    "SCHEMAS",
    "Column",
    "Schema",
    "data_dictionary",
    "schema_of",
]

Kind = Literal["str", "int", "bool", "flag", "time", "list", "pairs", "category"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its name, type and what it means."""

    name: str
    kind: Kind
    description: str


@dataclass(frozen=True, kw_only=True)
class Schema:
    """A table: what one row is, and its columns.

    Attributes
    ----------
    table
        Its name, as a notebook and a check's parameter spell it.
    row
        What one row stands for.
    key
        Columns that tell rows apart.
    inputs
        For a view: the tables it is worked out from; empty for a base table.
    """

    table: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    inputs: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)


_PLACE = """
account   category  AWS account id the answer came from
region    category  AWS Region
"""
_SOURCE = """
source    category  file in the snapshot that holds the record
record    int       position of the record in that file, from 0
"""


def _columns(text: str) -> Iterator[Column]:
    for line in filter(None, text.splitlines()):
        name, kind, description = line.split(None, 2)
        yield Column(name=name, kind=kind, description=description)  # type: ignore[arg-type] # checked by a test


def _base(table: str, row: str, key: str, text: str) -> Schema:
    return Schema(
        table=table,
        row=row,
        key=("account", "region", *key.split()),
        columns=tuple(_columns(_PLACE + text + _SOURCE)),
    )


def _view(table: str, row: str, key: str, inputs: str, text: str) -> Schema:
    return Schema(
        table=table,
        row=row,
        key=("account", "region", *key.split()),
        columns=tuple(_columns(_PLACE + text)),
        inputs=tuple(inputs.split()),
    )


_RULE = """
rule_id                    str       security group rule id (sgr-…)
group_id                   str       the security group the rule belongs to
group_owner_id             str       account that owns that group
is_egress                  bool      true for an outbound rule
protocol                   str       tcp, udp, icmp, icmpv6, all, or an IANA number
from_port                  int       first port, or ICMP type (-1 any); missing when the protocol has none
to_port                    int       last port, or ICMP code (-1 any); missing when the protocol has none
peer_kind                  category  what the source or destination is: ipv4, ipv6, prefix_list, security_group, unknown
peer                       str       the source or destination: a CIDR, a prefix list id or a group id
cidr_ipv4                  str       IPv4 range
cidr_ipv6                  str       IPv6 range
prefix_list_id             str       prefix list id (pl-…)
referenced_group_id        str       id of the security group named as source or destination
referenced_group_owner_id  str       account that owns the referenced group
referenced_vpc_id          str       VPC of the referenced group, where AWS gives it
peering_status             str       status of the peering the reference crosses, where there is one
vpc_peering_connection_id  str       peering the reference crosses, where there is one
description                str       the rule's own description
"""

_WAY = (
    "client_vpn_endpoints client_vpn_target_networks client_vpn_authorization_rules "
    "client_vpn_routes security_groups security_group_rules network_interfaces "
    "network_interface_groups network_interface_addresses vpcs subnets routes "
    "route_table_associations network_acl_entries network_acl_associations "
    "vpc_peering_connections prefix_list_entries endpoint_network_interfaces"
)
"""Everything a packet's way depends on: ``network.TABLES``."""

_SCHEMAS: tuple[Schema, ...] = (
    _base(
        "client_vpn_endpoints",
        "a Client VPN endpoint",
        "endpoint_id",
        """
endpoint_id                       str   endpoint id (cvpn-endpoint-…)
name                              str   Name tag
description                       str   description
status                            str   pending-associate, available, deleting, deleted or pending
attachment                        str   vpc, transit_gateway, none (VPC endpoint not associated yet and no VPC named) or unknown (the SDK that read it was too old to tell)
created                           time  when it was created
client_cidr_block                 str   addresses given to clients; missing for IPv6-only endpoints
endpoint_ip_address_type          str   ipv4, ipv6 or dual-stack: how clients connect to the endpoint
traffic_ip_address_type           str   ipv4, ipv6 or dual-stack: what travels inside the tunnel
vpc_id                            str   VPC of the endpoint; missing for transit gateway endpoints
transit_gateway_id                str   transit gateway of the endpoint, where it has one
transit_gateway_attachment_id     str   its attachment to that gateway
security_group_ids                list  security groups configured on the endpoint; empty means AWS applies the VPC's default group
split_tunnel                      flag  true when only routed traffic goes through the tunnel
transport_protocol                str   udp or tcp
vpn_port                          int   port clients connect to
dns_servers                       list  DNS servers pushed to clients
authentication_types              list  certificate-authentication, directory-service-authentication, federated-authentication
directory_ids                     list  directories used for authentication
saml_provider_arns                list  SAML providers used for authentication, self-service providers included
client_root_certificate_chain     str   ARN of the client root certificate chain (mutual authentication)
server_certificate_arn            str   ARN of the server certificate
connection_log_enabled            flag  whether connection attempts are logged
connection_log_group              str   CloudWatch log group of the connection log
connection_log_stream             str   CloudWatch log stream of the connection log
connect_handler_enabled           flag  whether a client connect handler (Lambda) decides on connections
connect_handler_function_arn      str   ARN of that function
connect_handler_status            str   applying or applied
session_timeout_hours             int   longest session, in hours
disconnect_on_session_timeout     flag  whether a session ends at the time-out instead of reconnecting
banner_enabled                    flag  whether a login banner is shown
banner_text                       str   text of the login banner
route_enforcement                 flag  whether client routes are enforced on the device
device_posture                    str   on, off or unknown (the SDK that read it was too old to tell)
posture_trust_providers           list  device posture trust provider types; empty when posture is off
self_service_portal_url           str   self-service portal address (present even where the portal cannot serve)
tags                              pairs tags
read_at                           time  when this was read; missing where the snapshot does not say
""",
    ),
    _base(
        "client_vpn_target_networks",
        "an association of an endpoint with a subnet",
        "endpoint_id association_id",
        """
endpoint_id         str   endpoint id
association_id      str   association id (cvpn-assoc-…)
subnet_id           str   associated subnet (TargetNetworkId)
vpc_id              str   VPC of the subnet
status              str   associating, associated, association-failed, disassociating or disassociated
status_message      str   why, where AWS says it
security_group_ids  list  security groups applied to the association
""",
    ),
    _base(
        "client_vpn_authorization_rules",
        "an authorization rule of an endpoint",
        "endpoint_id destination_cidr group_id",
        """
endpoint_id       str   endpoint id
destination_cidr  str   network the rule opens
group_id          str   directory or SAML group it is for; missing when it is for everyone
access_all        bool  true when it is for every connected user
description       str   description
status            str   authorizing, active, failed or revoking
""",
    ),
    _base(
        "client_vpn_routes",
        "a route of an endpoint's route table",
        "endpoint_id destination_cidr target_subnet",
        """
endpoint_id                    str   endpoint id
destination_cidr               str   network the route leads to
target_subnet                  str   associated subnet it leads through; "local" for client to client
transit_gateway_attachment_id  str   attachment it leads through, for transit gateway endpoints
type                           str   Nat, or what AWS gives
origin                         str   associate (made by the association) or add-route (made by hand)
description                    str   description
status                         str   active, creating, failed or deleting
""",
    ),
    _base(
        "client_vpn_connections",
        "a connection to an endpoint, live or ended within the last hour",
        "endpoint_id connection_id",
        """
endpoint_id      str   endpoint id
connection_id    str   connection id
username         str   user name; missing with certificate authentication
common_name      str   common name of the client certificate
client_ip        str   address given to the client
client_ipv6      str   IPv6 address given to the client
status           str   active, failed-to-terminate, terminating or terminated
established      time  when it was made
ended            time  when it ended; missing while it lives
ingress_bytes    int   bytes sent by the client
egress_bytes     int   bytes sent to the client
""",
    ),
    _base(
        "client_vpn_authorization_policies",
        "the Cedar authorization policy of an endpoint; no row where none is attached",
        "endpoint_id",
        """
endpoint_id      str   endpoint id
status           str   creating, updating, active, failed or deleting
shadow_mode      str   enabled (logs only) or disabled (enforced)
policy_document  str   the policy's text
description      str   description
""",
    ),
    _base(
        "client_certificate_revocation_lists",
        "what an endpoint says of its client certificate revocation list, imported or not",
        "endpoint_id",
        """
endpoint_id     str   endpoint id
status          str   pending or active
status_message  str   why, where AWS says it
imported        bool  whether the answer holds a list
problem         str   what keeps the list from being read; missing where it was read
issuer          str   who issued the list
issued          time  when it was issued
next_update     time  when it ends; missing where the list does not say
entries         int   certificates it revokes
read_at         time  when this was read; missing where the snapshot does not say
""",
    ),
    _base(
        "security_groups",
        "a security group",
        "group_id",
        """
group_id       str   group id (sg-…)
group_name     str   group name
name           str   Name tag
description    str   description
owner_id       str   account that owns it
vpc_id         str   its VPC
is_default     bool  true for the VPC's default group (AWS reserves the name "default")
ingress_peers  int   sources of inbound traffic shown with the group itself
egress_peers   int   destinations of outbound traffic shown with the group itself
tags           pairs tags
""",
    ),
    _base(
        "security_group_rules", "one source or destination of a security group", "rule_id", _RULE
    ),
    _base(
        "network_interfaces",
        "an elastic network interface (ENI)",
        "eni_id",
        """
eni_id             str   interface id (eni-…)
name               str   Name tag
description        str   description, written by AWS for managed interfaces
interface_type     str   interface, lambda, nat_gateway, vpc_endpoint …
status             str   available or in-use
vpc_id             str   VPC
subnet_id          str   subnet
availability_zone  str   Availability Zone
private_ip         str   primary private IPv4 address
public_ip          str   public IPv4 address of the primary address, where it has one
owner_id           str   account that owns it
requester_managed  flag  true when an AWS service made it
requester_id       str   who made it, for managed interfaces
instance_id        str   EC2 instance it is attached to, where AWS gives it
tags               pairs tags
""",
    ),
    _base(
        "network_interface_groups",
        "a security group on an interface",
        "eni_id group_id",
        """
eni_id      str  interface id
group_id    str  security group id
group_name  str  its name, as the interface's record gives it
""",
    ),
    _base(
        "network_interface_addresses",
        "an address (or delegated prefix) of an interface",
        "eni_id address",
        """
eni_id     str   interface id
address    str   private IPv4 or IPv6 address, or a delegated prefix in CIDR form
family     int   4 or 6
primary    bool  true for the interface's primary address of its family
public_ip  str   public IPv4 address mapped to it, where there is one
""",
    ),
    _base(
        "vpcs",
        "a VPC",
        "vpc_id",
        """
vpc_id      str   VPC id
name        str   Name tag
cidr_block  str   primary IPv4 range
is_default  flag  true for the Region's default VPC
owner_id    str   account that owns it
tags        pairs tags
""",
    ),
    _base(
        "vpc_cidr_blocks",
        "an address range of a VPC",
        "vpc_id cidr_block",
        """
vpc_id      str  VPC id
cidr_block  str  IPv4 or IPv6 range
family      int  4 or 6
state       str  associated, or what AWS gives
""",
    ),
    _base(
        "subnets",
        "a subnet",
        "subnet_id",
        """
subnet_id            str   subnet id
name                 str   Name tag
vpc_id               str   VPC
cidr_block           str   IPv4 range; missing for IPv6-only subnets
ipv6_cidr_block      str   associated IPv6 range, where it has one
availability_zone    str   Availability Zone
available_addresses  int   free IPv4 addresses
owner_id             str   account that owns it
tags                 pairs tags
""",
    ),
    _base(
        "routes",
        "a route of a VPC route table",
        "route_table_id destination origin",
        """
route_table_id  str  route table id
vpc_id          str  VPC
destination     str  destination: an IPv4 or IPv6 range, or a prefix list id
target_kind     str  local, internet_gateway, egress_only_internet_gateway, nat_gateway, virtual_private_gateway, transit_gateway, vpc_peering_connection, network_interface, vpc_endpoint, carrier_gateway, local_gateway, core_network or unknown
target_id       str  id of the target; "local" inside the VPC
state           str  active, blackhole or what AWS gives
origin          str  CreateRouteTable, CreateRoute or EnableVgwRoutePropagation
""",
    ),
    _base(
        "route_table_associations",
        "what a VPC route table is in force for",
        "route_table_id association_id",
        """
route_table_id  str   route table id
name            str   Name tag of the route table
association_id  str   association id
vpc_id          str   VPC
main            bool  true for the VPC's main table, in force where a subnet names none
subnet_id       str   subnet; missing for the main table and for gateways
gateway_id      str   gateway, where the table is associated with one
state           str   associated, or what AWS gives
""",
    ),
    _base(
        "network_acl_entries",
        "an entry of a network ACL",
        "network_acl_id is_egress rule_number",
        """
network_acl_id  str   network ACL id
vpc_id          str   VPC
is_default      flag  true for the VPC's default network ACL
is_egress       bool  true for an outbound entry
rule_number     int   evaluated from the lowest; 32767 is the final deny
action          str   allow or deny
protocol        str   tcp, udp, icmp, icmpv6, all, or an IANA number
from_port       int   first port, or ICMP type (-1 any)
to_port         int   last port, or ICMP code (-1 any)
cidr_block      str   IPv4 or IPv6 range
family          int   4 or 6
""",
    ),
    _base(
        "network_acl_associations",
        "a subnet and the network ACL in force for it",
        "subnet_id",
        """
network_acl_id  str  network ACL id
name            str  Name tag of the network ACL
subnet_id       str  subnet
vpc_id          str  VPC
""",
    ),
    _base(
        "vpc_peering_connections",
        "a VPC peering connection",
        "vpc_peering_connection_id",
        """
vpc_peering_connection_id  str   peering id (pcx-…)
name                       str   Name tag
status                     str   active, or what AWS gives
requester_vpc_id           str   VPC of the requester
requester_owner_id         str   account of the requester
requester_region           str   Region of the requester
requester_cidr_blocks      list  IPv4 and IPv6 ranges of the requester
accepter_vpc_id            str   VPC of the accepter
accepter_owner_id          str   account of the accepter
accepter_region            str   Region of the accepter
accepter_cidr_blocks       list  IPv4 and IPv6 ranges of the accepter
tags                       pairs tags
""",
    ),
    _base(
        "prefix_list_entries",
        "an entry of a prefix list that a rule or route names",
        "prefix_list_id cidr_block",
        """
prefix_list_id  str  prefix list id
cidr_block      str  range
description     str  description
""",
    ),
    _base(
        "prefix_lists",
        "a prefix list that a rule or route names",
        "prefix_list_id",
        """
prefix_list_id  str  prefix list id
name            str  its name
family          str  IPv4 or IPv6
state           str  create-complete, modify-complete or what AWS gives
max_entries     int  entries it may hold, which is what it counts for in a security group's quota; missing for lists of AWS
owner_id        str  account that owns it; AWS for lists of AWS
""",
    ),
    _base(
        "transit_gateway_attachments",
        "a Client VPN attachment of a transit gateway",
        "transit_gateway_attachment_id",
        """
transit_gateway_attachment_id  str  attachment id
transit_gateway_id             str  transit gateway
transit_gateway_owner_id       str  account that owns the gateway
resource_type                  str  client-vpn
resource_id                    str  the endpoint
resource_owner_id              str  account that owns the endpoint
state                          str  available, or what AWS gives
route_table_id                 str  transit gateway route table it is associated with
""",
    ),
    _base(
        "security_group_vpc_associations",
        "a security group associated with a further VPC",
        "group_id vpc_id",
        """
group_id      str  security group
vpc_id        str  VPC it is associated with
vpc_owner_id  str  account that owns that VPC
state         str  associated, or what AWS gives
""",
    ),
    _base(
        "server_certificates",
        "an ACM certificate an endpoint presents to clients",
        "certificate_arn",
        """
certificate_arn      str   ARN
domain_name          str   domain name
status               str   ISSUED, EXPIRED …
type                 str   AMAZON_ISSUED, IMPORTED or PRIVATE
key_algorithm        str   RSA_2048, EC_prime256v1 …
not_before           time  valid from
not_after            time  valid until
renewal_eligibility  str   ELIGIBLE or INELIGIBLE
renewal_status       str   how ACM's own renewal stands: PENDING_AUTO_RENEWAL, PENDING_VALIDATION, SUCCESS or FAILED
signature_algorithm  str   SHA256WITHRSA …
read_at              time  when this was read; missing where the snapshot does not say
""",
    ),
    _base(
        "saml_providers",
        "a SAML provider of IAM that endpoints name; IAM is the same in every Region",
        "provider_arn",
        """
provider_arn            str   ARN
created                 time  when it was created
valid_until             time  when it ends, as IAM says
problem                 str   what keeps its metadata from being read; missing where it was read
entity_id               str   the identity provider's name in its metadata
metadata_valid_until    time  when the metadata ends; missing where it does not say
certificates            int   signing certificates in the metadata
certificates_end        time  when the last of them ends
first_certificate_ends  time  when the first of them ends
read_at                 time  when this was read; missing where the snapshot does not say
""",
    ),
    _base(
        "directories",
        "a directory that endpoints authenticate users with",
        "directory_id",
        """
directory_id   str   directory id (d-…)
name           str   its domain name
type           str   SimpleAD, ADConnector, MicrosoftAD or SharedMicrosoftAD
stage          str   Active, Impaired, Inoperable, Failed …
stage_reason   str   why, where AWS says it
stage_since    time  when the stage last changed
radius_status  str   Creating, Completed or Failed, where RADIUS (for a second factor) is set up
share_status   str   how the sharing stands, for a directory of another account
""",
    ),
    _base(
        "connect_handlers",
        "a Lambda function that endpoints name as their client connect handler",
        "function_arn",
        """
function_arn          str   ARN, as the endpoint names it
function_name         str   name
version               str   version, $LATEST for the unpublished one
runtime               str   runtime
timeout               int   seconds it may take
state                 str   Active, Pending, Inactive, Failed …
state_reason          str   why, where AWS says it
last_update           str   how the last update went: Successful, Failed or InProgress
last_update_reason    str   why, where AWS says it
""",
    ),
    _base(
        "log_groups",
        "a CloudWatch log group an endpoint writes its connections to",
        "log_group_name",
        """
log_group_name     str  name
created            time when it was created
retention_in_days  int  days kept; missing means for ever
stored_bytes       int  bytes stored
kms_key_id         str  key it is encrypted with, where one was named
""",
    ),
    _base(
        "log_streams",
        "one of the fifty streams written to last in a log group endpoints write to",
        "log_group_name log_stream_name",
        """
log_group_name   str   log group
log_stream_name  str   name
created          time  when it was created
last_event       time  time of its newest entry; AWS updates it within the hour, rarely later; missing where it holds none
""",
    ),
    _base(
        "service_quotas",
        "a quota as it is applied in a Region; AWS leaves out those it applies by default only",
        "service_code quota_code",
        """
service_code  str   ec2 or vpc
quota_code    str   quota code (L-…)
quota_name    str   name
value         int   the value applied
adjustable    flag  whether AWS raises it on request
""",
    ),
    _base(
        "change_events",
        "an event of CloudTrail that changes, or was to change, what is compared; only where it was asked for",
        "event_id",
        """
event_id       str    CloudTrail's id of the event
event_name     str    the operation that was called
event_time     time   when it was called
event_source   str    the service that was called
told           bool   whether CloudTrail's record of it could be read; else nobody knows whether the call went well
error_code     str    why the call did nothing; missing where it went well
actor_type     str    who called: IAMUser, AssumedRole, Root, FederatedUser, AWSService …
actor_arn      str    their ARN, where the event tells it
actor_account  str    account they belong to, where the event tells it
actor          str    name of the user or the role
session        str    name of the role's session, often a person's
invoked_by     str    AWS service that called in their name
named          pairs  what request and answer name, as pairs of a column and a value
""",
    ),
    _view(
        "ingress_rules",
        "an inbound security group rule",
        "rule_id",
        "security_group_rules",
        _RULE + _SOURCE,
    ),
    _view(
        "egress_rules",
        "an outbound security group rule",
        "rule_id",
        "security_group_rules",
        _RULE + _SOURCE,
    ),
    _view(
        "endpoint_network_interfaces",
        "an interface that belongs to a VPC-associated Client VPN endpoint",
        "endpoint_id eni_id",
        "client_vpn_endpoints client_vpn_target_networks network_interfaces network_interface_groups",
        """
endpoint_id  str   endpoint id
eni_id       str   interface id
subnet_id    str   subnet
vpc_id       str   VPC
private_ip   str   primary private address
joined_by    str   description (the interface names the endpoint) or subnet (it only says it is a Client VPN interface, and the endpoint is associated with its subnet)
certain      bool  false when the interface names no endpoint and more than one is associated with its subnet; its groups then tell which it belongs to, as far as they can
""",
    ),
    _view(
        "endpoint_security_groups",
        "a security group of a VPC-associated endpoint, in at least one of the three places AWS shows it",
        "endpoint_id group_id",
        "client_vpn_endpoints client_vpn_target_networks endpoint_network_interfaces network_interface_groups security_groups",
        """
endpoint_id           str   endpoint id
endpoint_name         str   Name tag of the endpoint
vpc_id                str   VPC of the endpoint
group_id              str   security group id; missing when the default group applies but is not known
group_name            str   group name
is_default            flag  true for the VPC's default group
configured            bool  named in the endpoint's settings
by_omission           bool  the endpoint names no group, so AWS applies the VPC's default one, and nothing shows that another was applied since
on_target_networks    int   associations that carry it
target_networks       int   associations of the endpoint
on_interfaces         int   interfaces of the endpoint that carry it
interfaces            int   interfaces of the endpoint
effective             bool  in force now: on an interface, or on an association in whose subnet no interface of the endpoint is seen for certain; for an endpoint with neither, the groups it will be given (configured, or the default by omission)
""",
    ),
    _view(
        "nearby_security_groups",
        "a security group in the VPC of an endpoint, and what uses it as far as is read",
        "group_id",
        "client_vpn_endpoints client_vpn_target_networks security_groups security_group_rules network_interface_groups security_group_vpc_associations",
        """
group_id          str   security group id
group_name        str   group name
name              str   Name tag
vpc_id            str   VPC
is_default        bool  true for the VPC's default group
interfaces        int   interfaces that carry it
endpoints         int   endpoints that are configured with it, or have it on an association
referring_groups  int   other groups whose rules name it
shared_vpcs       int   further VPCs it is associated with
"""
        + _SOURCE,
    ),
    _view(
        "quota_usage",
        "a quota around Client VPN and how much of it is used",
        "quota resource",
        "client_vpn_endpoints client_vpn_target_networks client_vpn_authorization_rules client_vpn_routes client_vpn_connections client_certificate_revocation_lists security_group_rules network_interface_groups prefix_lists endpoint_security_groups endpoint_network_interfaces nearby_security_groups service_quotas",
        """
quota        str   what is limited
resource     str   what it is limited for: an endpoint, a security group, an interface or the Region
used         int   how much is used
most         int   how much there may be
applied      bool  true where Service Quotas gave the value; false where it is AWS's documented default
adjustable   bool  whether AWS raises it on request
quota_code   str   quota code (L-…), where it has one
"""
        + _SOURCE,
    ),
    _view(
        "reached_interfaces",
        "an interface that users of an endpoint reach, or may reach",
        "endpoint_id eni_id",
        _WAY,
        """
endpoint_id     str   endpoint id
eni_id          str   the receiver's interface
vpc_id          str   its VPC
subnets         list  associations of the endpoint from which it is reached
group_ids       list  security groups on the interface
rule_ids        list  their inbound rules that admit the endpoint
ports           list  what some user reaches, as "tcp 22-22", "icmp 8--1" (type and code, -1 any) or a protocol; reliable and fragile
everyone_ports  list  what a user in no group reaches, likewise
unknown_ports   list  what may be reached beside that: part of the way is not known
all_ports       bool  some user reaches every TCP or every UDP port
certainty       str   the best of its ports: reliable, fragile or unknown
""",
    ),
    _view(
        "opened_networks",
        "an active authorization rule or route of an endpoint, and what it leads to",
        "endpoint_id kind destination_cidr group_id target_subnet",
        _WAY,
        """
endpoint_id       str   endpoint id
kind              str   authorization_rule or route
destination_cidr  str   its network
group_id          str   for a rule: the group it is for; missing when it is for everyone
access_all        flag  for a rule: it is for every connected user
target_subnet     str   for a route: the associated subnet, or "local"
interfaces        int   interfaces that are reached, or may be, where this rule decides or the route leads
leaves            bool  some of its traffic leaves what was read, or reaches other clients
unlisted          str   why receivers in VPCs that it leads to, or may lead to, could not be listed; missing where they all were
stopped_by        str   what stops all of it; missing where something is reached or leaves
would_reach       list  where the endpoint's outbound rules stop it: interfaces that would be reached, or may be, if they let everything out
would_leave       flag  where they stop it: some of its traffic would leave what was read then
also_stopped_by   str   where they stop it: what further on stops all of it all the same, with ids; missing where something would be reached or leave
""",
    ),
)

SCHEMAS: dict[str, Schema] = {schema.table: schema for schema in _SCHEMAS}
"""Every table's schema, by table name."""


def schema_of(table: str) -> Schema:
    """Return the schema of a table; ``KeyError`` when there is no such table.

    >>> schema_of("subnets").row
    'a subnet'
    """
    return SCHEMAS[table]


GAPS = Schema(
    table="gaps",
    row="something a table should hold and that could not be read",
    key=("table", "account", "region", "service", "operation", "resource"),
    columns=tuple(
        _columns("""
table          str  the base table that is incomplete
account        str  AWS account id
region         str  AWS Region
service        str  service, as the AWS CLI spells it
operation      str  operation, as the AWS CLI spells it
resource       str  the resource asked about, for reads made per resource; missing otherwise
status         str  denied, failed, unsupported (the SDK does not know the call, or leaves out part of the answer), missing (the snapshot holds no answer and no record of a call), or untold (no answer of AWS says it)
error_code     str  AWS's error code
error_message  str  AWS's error message
iam_action     str  the IAM action that would allow the call
""")
    ),
)
"""Columns of every frame of gaps."""

COVERAGE = Schema(
    table="coverage",
    row="a read in one account and Region: what was asked, and how it went",
    key=("account", "region", "service", "operation"),
    columns=tuple(
        _columns("""
account     str   AWS account id
region      str   AWS Region
service     str   service, as the AWS CLI spells it
operation   str   operation, as the AWS CLI spells it
expected    int   calls the read consists of, as far as is known: one, or one per resource
calls       int   calls made
ok          int   calls answered
refused     int   calls denied, failed or not supported
missing     int   calls the snapshot holds no answer to and no record of
items       int   records in the answers; missing where the snapshot has no manifest
iam_action  str   the IAM action that allows the read
tables      list  tables built from it
""")
    ),
)
"""Columns of ``Audit.coverage``."""


def data_dictionary() -> str:
    """Return the data dictionary as a Markdown page: every table with its columns."""
    lines = [
        "# Tables",
        "",
        "<!-- Written by `python -m auditlib.schemas`; a test tells when it is out of date. -->",
        "",
        "What `audit.tables` holds: tables straight from AWS's answers, and views worked out from",
        "them. Every table and view has all its columns even when it holds no row. What could not",
        "be read is in `audit.gaps`, and `audit.coverage` says what was asked.",
        "",
        *_KINDS,
    ]
    for schema in (*SCHEMAS.values(), GAPS, COVERAGE):
        lines += ["", f"## {schema.table}", "", f"One row: {schema.row}."]
        if schema.inputs:
            lines += ["", f"A view of {', '.join(f'`{name}`' for name in schema.inputs)}."]
        lines += ["", f"Rows are told apart by {', '.join(f'`{name}`' for name in schema.key)}."]
        lines += ["", "| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{c.name}` | {c.kind} | {c.description} |" for c in schema.columns]
    return "\n".join(lines) + "\n"


_KINDS = (
    "| type | pandas | missing |",
    "|---|---|---|",
    "| str | `str` | `NaN` |",
    "| int | `Int64` | `NA` |",
    "| bool | `bool` | never |",
    "| flag | `boolean`: yes, no or not told | `NA` |",
    "| time | `datetime64[us, UTC]` | `NaT` |",
    "| list | a tuple of text | an empty tuple |",
    "| pairs | a tuple of (key, value) | an empty tuple |",
    "| category | `category` of text | `NaN` |",
)

if __name__ == "__main__":
    import sys

    sys.stdout.write(data_dictionary())
