"""The accounts of an AWS organization: listed, by organizational unit and by tag."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from auditlib.aws.outcomes import message_of
from auditlib.aws.sessions import client_config, home_region, sign_in
from auditlib.errors import AwsError
from auditlib.language import tr

__all__ = ["ACTIONS", "Member", "account_of", "members"]

ACTIONS = (
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListTagsForResource",
)
"""What listing needs; the last three only where units or tags are asked for.

Only the management account and delegated administrators may list
(https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html)."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """An account of an organization.

    Attributes
    ----------
    state
        AWS's word for it; only ``ACTIVE`` ones can be read.
    """

    account: str
    name: str
    state: str


def account_of(*, profile: str | None = None, endpoint_url: str | None = None) -> str:
    """Return the account that a profile signs in to.

    Raises
    ------
    AwsError
        When AWS does not accept it.
    """
    return sign_in(profile=profile, endpoint_url=endpoint_url).account


def members(
    *,
    ous: Iterable[str] = (),
    tags: Iterable[tuple[str, str]] = (),
    profile: str | None = None,
    role_arn: str | None = None,
    external_id: str | None = None,
    endpoint_url: str | None = None,
) -> tuple[Member, ...]:
    """Return the accounts of the organization, by id.

    Parameters
    ----------
    ous
        Only accounts in these units or below.
    tags
        Only accounts with all of these tags.

    Raises
    ------
    AwsError
        When any part of the list is refused: a part of it would read as all of it.
    """
    access = sign_in(
        profile=profile, role_arn=role_arn, external_id=external_id, endpoint_url=endpoint_url
    )
    client = access.session.client(
        "organizations",
        region_name=home_region(access.session, access.region),
        endpoint_url=endpoint_url,
        config=client_config(access.session),
    )
    wanted = tuple(tags)
    try:
        listed = {str(account["Id"]): account for account in _listed(client, tuple(ous))}
        kept = [
            account
            for id, account in sorted(listed.items())
            if not wanted or set(wanted) <= set(_tags(client, id))
        ]
        return tuple(
            Member(
                account=str(account["Id"]),
                name=str(account.get("Name", "")),
                # "Status" is what older SDKs and partitions say instead.
                state=str(account.get("State") or account["Status"]),
            )
            for account in kept
        )
    except (BotoCoreError, ClientError, ResponseParserError, ValueError, KeyError) as error:
        raise AwsError(
            tr(
                "the accounts of the organization could not be listed: {said}; sign in to its "
                "management account or a delegated administrator, and allow {actions}",
                said=message_of(str(error)),
                actions=", ".join(ACTIONS),
            )
        ) from error


def _listed(client: Any, ous: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if not ous:
        yield from _pages(client, "list_accounts", "Accounts")
    below, seen = list(ous), set()
    while below:
        parent = below.pop()
        if parent in seen:
            continue
        seen.add(parent)
        yield from _pages(client, "list_accounts_for_parent", "Accounts", ParentId=parent)
        units = _pages(
            client, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent
        )
        below += [str(unit["Id"]) for unit in units]


def _tags(client: Any, account: str) -> Iterator[tuple[str, str]]:
    for tag in _pages(client, "list_tags_for_resource", "Tags", ResourceId=account):
        yield str(tag["Key"]), str(tag["Value"])


def _pages(client: Any, operation: str, key: str, **parameters: str) -> Iterator[dict[str, Any]]:
    # Pages of these operations may be empty though more follow; only the token tells the end.
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from page[key]
