# ruff: noqa: D102 # the base class says what the methods of each change return
"""Changes of an endpoint: authorization rules, routes, connection logging.

References: https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/cvpn-working-rules.html,
https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/cvpn-working-routes.html
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from auditlib import words
from auditlib.changes import hcl
from auditlib.changes.change import (
    Change,
    associations,
    limited,
    with_rows,
    with_texts,
    without,
    wrong_range,
)
from auditlib.language import marked, tr
from auditlib.quotas import AUTHORIZATION_RULES, ROUTES
from auditlib.tables import Tables

__all__ = [
    "AddAuthorizationRule",
    "CreateRoute",
    "DeleteRoute",
    "ModifyLogging",
    "RemoveAuthorizationRule",
]


@dataclass(frozen=True, kw_only=True)
class AddAuthorizationRule(Change):
    """Authorize a network for a group, or for everyone (no ``group_id``)."""

    endpoint_id: str
    destination_cidr: str
    group_id: str | None = None
    description: str | None = None

    kind: ClassVar[str] = "add-authorization-rule"
    free: ClassVar[frozenset[str]] = Change.free | {"group_id"}
    doing: ClassVar[tuple[str, str]] = (marked("add {count}"), marked("authorization rule"))
    iam_action: ClassVar[str] = "ec2:AuthorizeClientVpnIngress"
    resets_sessions: ClassVar[bool] = True
    phase: ClassVar[int] = 4

    def words(self) -> str:
        who = (
            tr("everyone")
            if self.group_id is None
            else tr("group {group_id}", group_id=words.clean(self.group_id))
        )
        return tr(
            "Authorize {destination_cidr} for {who} on {endpoint_id}",
            destination_cidr=self.destination_cidr,
            who=who,
            endpoint_id=self.endpoint_id,
        )

    def _problems(self, tables: Tables) -> Iterable[str]:
        endpoints = tables["client_vpn_endpoints"]
        mine = endpoints[endpoints["endpoint_id"] == self.endpoint_id]
        if mine.empty:
            yield tr("there is no {endpoint_id} in what was read", endpoint_id=self.endpoint_id)
        elif self.group_id is not None and mine["authentication_types"].iloc[0] == (
            "certificate-authentication",
        ):
            yield tr("an endpoint with certificates only knows no groups")
        yield from wrong_range(self.destination_cidr)
        if len(_authorizations(tables, self)):
            yield tr("there is such a rule already")
        rules = tables["client_vpn_authorization_rules"]
        held = (rules["endpoint_id"] == self.endpoint_id) & (rules["status"] != "failed")
        yield from limited(tables, self, AUTHORIZATION_RULES, int(held.sum()), int(held.sum()) + 1)

    def _applied(self, tables: Tables) -> Tables:
        row = {
            "account": self.account,
            "region": self.region,
            "endpoint_id": self.endpoint_id,
            "destination_cidr": self.destination_cidr,
            "group_id": self.group_id,
            "access_all": self.group_id is None,
            "description": self.description,
            "status": "active",
        }
        name = "client_vpn_authorization_rules"
        return tables.replace(client_vpn_authorization_rules=with_rows(tables, name, [row]))

    def inverse(self, tables: Tables) -> "Change":
        return RemoveAuthorizationRule(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            destination_cidr=self.destination_cidr,
            group_id=self.group_id,
        )

    def _cli(self) -> tuple[str, ...]:
        everyone = ("--authorize-all-groups",) if self.group_id is None else ()
        texts = with_texts(AccessGroupId=self.group_id, Description=self.description)
        return (
            *("ec2", "authorize-client-vpn-ingress", "--client-vpn-endpoint-id", self.endpoint_id),
            *("--target-network-cidr", self.destination_cidr, *everyone, *texts),
        )

    def terraform(self) -> str:
        everyone = {"authorize_all_groups": True}
        whom = everyone if self.group_id is None else {"access_group_id": self.group_id}
        return hcl.block(
            "aws_ec2_client_vpn_authorization_rule",
            hcl.identifier(f"{self.endpoint_id}-{self.destination_cidr}-{self.group_id or 'all'}"),
            {
                "client_vpn_endpoint_id": self.endpoint_id,
                "target_network_cidr": self.destination_cidr,
                **whom,
                "description": self.description,
            },
        )


@dataclass(frozen=True, kw_only=True)
class RemoveAuthorizationRule(Change):
    """Remove an authorization rule: network and group name it, for it has no id."""

    endpoint_id: str
    destination_cidr: str
    group_id: str | None = None

    kind: ClassVar[str] = "remove-authorization-rule"
    free: ClassVar[frozenset[str]] = Change.free | {"group_id"}
    doing: ClassVar[tuple[str, str]] = (marked("remove {count}"), marked("authorization rule"))
    iam_action: ClassVar[str] = "ec2:RevokeClientVpnIngress"
    resets_sessions: ClassVar[bool] = True
    phase: ClassVar[int] = 4

    def words(self) -> str:
        who = (
            tr("everyone")
            if self.group_id is None
            else tr("group {group_id}", group_id=words.clean(self.group_id))
        )
        return tr(
            "Remove the authorization of {destination_cidr} for {who} on {endpoint_id}",
            destination_cidr=self.destination_cidr,
            who=who,
            endpoint_id=self.endpoint_id,
        )

    def _problems(self, tables: Tables) -> Iterable[str]:
        if _authorizations(tables, self).empty:
            yield tr("there is no such rule in what was read")

    def _applied(self, tables: Tables) -> Tables:
        rules = tables["client_vpn_authorization_rules"]
        gone = rules.index.isin(_authorizations(tables, self).index)
        return tables.replace(client_vpn_authorization_rules=without(rules, gone))

    def inverse(self, tables: Tables) -> "Change":
        row = _authorizations(tables, self).iloc[0]
        told = row["description"]
        return AddAuthorizationRule(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            destination_cidr=self.destination_cidr,
            group_id=self.group_id,
            description=told if isinstance(told, str) and told else None,
        )

    def _cli(self) -> tuple[str, ...]:
        everyone = ("--revoke-all-groups",) if self.group_id is None else ()
        return (
            *("ec2", "revoke-client-vpn-ingress", "--client-vpn-endpoint-id", self.endpoint_id),
            *("--target-network-cidr", self.destination_cidr, *everyone),
            *with_texts(AccessGroupId=self.group_id),
        )

    def terraform(self) -> str:
        return hcl.comment(
            *tr(
                "Remove the aws_ec2_client_vpn_authorization_rule of\n{id}",
                id=words.clean(
                    f"{self.endpoint_id},{self.destination_cidr},{self.group_id or ''}", 500
                ),
            ).split("\n")
        )


@dataclass(frozen=True, kw_only=True)
class CreateRoute(Change):
    """Add a route to an endpoint's route table."""

    endpoint_id: str
    destination_cidr: str
    target_subnet: str
    description: str | None = None

    kind: ClassVar[str] = "create-route"
    doing: ClassVar[tuple[str, str]] = (marked("add {count}"), marked("endpoint route"))
    iam_action: ClassVar[str] = "ec2:CreateClientVpnRoute"
    # Under split tunnel only, but then for everybody: planned as if always.
    resets_sessions: ClassVar[bool] = True
    phase: ClassVar[int] = 4

    def words(self) -> str:
        return tr(
            "Route {destination_cidr} through {target_subnet} on {endpoint_id}",
            destination_cidr=self.destination_cidr,
            target_subnet=self.target_subnet,
            endpoint_id=self.endpoint_id,
        )

    def _problems(self, tables: Tables) -> Iterable[str]:
        if self.endpoint_id not in set(tables["client_vpn_endpoints"]["endpoint_id"]):
            yield tr("there is no {endpoint_id} in what was read", endpoint_id=self.endpoint_id)
        yield from wrong_range(self.destination_cidr)
        subnets = set(associations(tables, self.endpoint_id)["subnet_id"])
        if self.target_subnet not in {*subnets, "local"}:
            yield tr(
                "{endpoint_id} is not associated with {target_subnet}",
                endpoint_id=self.endpoint_id,
                target_subnet=words.clean(self.target_subnet),
            )
        if len(_routes(tables, self)):
            yield tr("there is such a route already")
        if self.target_subnet != "local":
            routes = tables["client_vpn_routes"]
            mine = (routes["endpoint_id"] == self.endpoint_id) & (routes["status"] != "failed")
            held = int((mine & (routes["target_subnet"] == self.target_subnet)).sum())
            yield from limited(tables, self, ROUTES, held, held + 1)

    def _applied(self, tables: Tables) -> Tables:
        row = {
            "account": self.account,
            "region": self.region,
            "endpoint_id": self.endpoint_id,
            "destination_cidr": self.destination_cidr,
            "target_subnet": self.target_subnet,
            "type": "Nat",
            "origin": "add-route",
            "description": self.description,
            "status": "active",
        }
        return tables.replace(client_vpn_routes=with_rows(tables, "client_vpn_routes", [row]))

    def inverse(self, tables: Tables) -> "Change":
        return DeleteRoute(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            destination_cidr=self.destination_cidr,
            target_subnet=self.target_subnet,
        )

    def _cli(self) -> tuple[str, ...]:
        about = with_texts(Description=self.description)
        return (
            *("ec2", "create-client-vpn-route", "--client-vpn-endpoint-id", self.endpoint_id),
            *("--destination-cidr-block", self.destination_cidr),
            *("--target-vpc-subnet-id", self.target_subnet, *about),
        )

    def terraform(self) -> str:
        return hcl.block(
            "aws_ec2_client_vpn_route",
            hcl.identifier(f"{self.endpoint_id}-{self.destination_cidr}-{self.target_subnet}"),
            {
                "client_vpn_endpoint_id": self.endpoint_id,
                "destination_cidr_block": self.destination_cidr,
                "target_vpc_subnet_id": self.target_subnet,
                "description": self.description,
            },
        )


@dataclass(frozen=True, kw_only=True)
class DeleteRoute(Change):
    """Remove a route that somebody added to an endpoint's route table."""

    endpoint_id: str
    destination_cidr: str
    target_subnet: str

    kind: ClassVar[str] = "delete-route"
    doing: ClassVar[tuple[str, str]] = (marked("remove {count}"), marked("endpoint route"))
    iam_action: ClassVar[str] = "ec2:DeleteClientVpnRoute"
    resets_sessions: ClassVar[bool] = True
    phase: ClassVar[int] = 4

    def words(self) -> str:
        return tr(
            "Remove the route of {destination_cidr} through {target_subnet} from {endpoint_id}",
            destination_cidr=self.destination_cidr,
            target_subnet=self.target_subnet,
            endpoint_id=self.endpoint_id,
        )

    def _problems(self, tables: Tables) -> Iterable[str]:
        mine = _routes(tables, self)
        if mine.empty:
            yield tr("there is no such route in what was read")
        if (mine["origin"] == "associate").any():
            yield tr("AWS made that route with the association, and only that can remove it")

    def _applied(self, tables: Tables) -> Tables:
        routes = tables["client_vpn_routes"]
        gone = routes.index.isin(_routes(tables, self).index)
        return tables.replace(client_vpn_routes=without(routes, gone))

    def inverse(self, tables: Tables) -> "Change":
        told = _routes(tables, self).iloc[0]["description"]
        return CreateRoute(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            destination_cidr=self.destination_cidr,
            target_subnet=self.target_subnet,
            description=told if isinstance(told, str) and told else None,
        )

    def _cli(self) -> tuple[str, ...]:
        return (
            *("ec2", "delete-client-vpn-route", "--client-vpn-endpoint-id", self.endpoint_id),
            *("--destination-cidr-block", self.destination_cidr),
            *("--target-vpc-subnet-id", self.target_subnet),
        )

    def terraform(self) -> str:
        return hcl.comment(
            *tr(
                "Remove the aws_ec2_client_vpn_route of\n{id}",
                id=words.clean(
                    f"{self.endpoint_id},{self.target_subnet},{self.destination_cidr}", 500
                ),
            ).split("\n")
        )


@dataclass(frozen=True, kw_only=True)
class ModifyLogging(Change):
    """Turn the connection log of an endpoint on or off."""

    endpoint_id: str
    enabled: bool
    log_group: str | None = None
    log_stream: str | None = None

    kind: ClassVar[str] = "modify-logging"
    doing: ClassVar[tuple[str, str]] = (
        marked("set the connection log of {count}"),
        marked("endpoint"),
    )
    iam_action: ClassVar[str] = "ec2:ModifyClientVpnEndpoint"
    phase: ClassVar[int] = 2
    never_opens: ClassVar[bool] = True
    never_closes: ClassVar[bool] = True

    def words(self) -> str:
        if not self.enabled:
            return tr("Stop logging the connections of {endpoint_id}", endpoint_id=self.endpoint_id)
        return tr(
            "Log the connections of {endpoint_id} to {log_group}",
            endpoint_id=self.endpoint_id,
            log_group=words.clean(self.log_group),
        )

    def _problems(self, tables: Tables) -> Iterable[str]:
        if self.endpoint_id not in set(tables["client_vpn_endpoints"]["endpoint_id"]):
            yield tr("there is no {endpoint_id} in what was read", endpoint_id=self.endpoint_id)
        if self.enabled and not self.log_group:
            yield tr("AWS asks for a CloudWatch log group")

    def _applied(self, tables: Tables) -> Tables:
        endpoints = tables["client_vpn_endpoints"]
        mine = (endpoints["endpoint_id"] == self.endpoint_id).to_numpy()
        changed = endpoints.copy()
        for name, value in (
            ("connection_log_enabled", self.enabled),
            ("connection_log_group", self.log_group),
            ("connection_log_stream", self.log_stream),
        ):
            changed[name] = changed[name].mask(mine, value if value is not None else pd.NA)
        return tables.replace(client_vpn_endpoints=changed)

    def inverse(self, tables: Tables) -> "Change":
        endpoints = tables["client_vpn_endpoints"]
        row = endpoints[endpoints["endpoint_id"] == self.endpoint_id].iloc[0]
        enabled = row["connection_log_enabled"]
        group, stream = row["connection_log_group"], row["connection_log_stream"]
        return ModifyLogging(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            enabled=bool(pd.notna(enabled) and enabled),
            log_group=group if isinstance(group, str) else None,
            log_stream=stream if isinstance(stream, str) else None,
        )

    def _cli(self) -> tuple[str, ...]:
        options: dict[str, Any] = {"Enabled": self.enabled}
        if self.log_group:
            options["CloudwatchLogGroup"] = self.log_group
        if self.log_stream:
            options["CloudwatchLogStream"] = self.log_stream
        return (
            *("ec2", "modify-client-vpn-endpoint", "--client-vpn-endpoint-id", self.endpoint_id),
            *("--connection-log-options", json.dumps(options)),
        )

    def terraform(self) -> str:
        lines = [f"  enabled               = {hcl.literal(self.enabled)}"]
        if self.log_group:
            lines.append(f"  cloudwatch_log_group  = {hcl.literal(self.log_group)}")
        if self.log_stream:
            lines.append(f"  cloudwatch_log_stream = {hcl.literal(self.log_stream)}")
        return hcl.comment(
            tr(
                "In the aws_ec2_client_vpn_endpoint of {endpoint_id}, connection_log_options:",
                endpoint_id=self.endpoint_id,
            ),
            *lines,
        )


def _authorizations(
    tables: Tables, change: AddAuthorizationRule | RemoveAuthorizationRule
) -> pd.DataFrame:
    rules = tables["client_vpn_authorization_rules"]
    whose = rules["access_all"] if change.group_id is None else rules["group_id"] == change.group_id
    return rules[
        (rules["endpoint_id"] == change.endpoint_id)
        & (rules["destination_cidr"] == change.destination_cidr)
        & whose
        & (rules["status"] != "failed")
    ]


def _routes(tables: Tables, change: CreateRoute | DeleteRoute) -> pd.DataFrame:
    routes = tables["client_vpn_routes"]
    return routes[
        (routes["endpoint_id"] == change.endpoint_id)
        & (routes["destination_cidr"] == change.destination_cidr)
        & (routes["target_subnet"] == change.target_subnet)
    ]
