"""What a caller may read, told before anything is read.

Asked of AWS itself, with the credentials that will collect, by the calls that will be made: EC2 is
asked with ``DryRun``, which answers whether the call would be allowed and does nothing else
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html); other services, and
the reads whose answers name the resources of others, are asked for their first page. So service
control policies, session policies and permission boundaries count, which a simulation of the
identity's policies (``iam:SimulatePrincipalPolicy``) would not see, and no right is needed beyond
those asked about.

Limits: of reads made per resource one resource is tried, so a policy that tells resources apart is
seen in part; and what holds now may have changed when ``collect`` runs.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from auditlib.aws.collect import Run, regions_of
from auditlib.aws.reads import OPTIONAL_READS, READS, Read
from auditlib.aws.sessions import sign_in
from auditlib.language import tr, tr_as
from auditlib.snapshot import Call

__all__ = ["Permission", "permissions"]

State = Literal["allowed", "refused", "unknown", "not_needed"]

_ALLOWED = "DryRunOperation"
_ASIDE = {"ResponseMetadata", "NextToken", "nextToken"}


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Whether one read would be answered in one region.

    Attributes
    ----------
    state
        ``allowed``, ``refused``, ``unknown`` (AWS failed to tell, or the SDK does not know the
        call, or what names its resources could not be read) or ``not_needed`` (nothing there to ask about).
    why
        What AWS said, or what kept it from being asked; empty when it is allowed.
    """

    account: str
    region: str
    read: Read
    state: State
    why: str = ""


def permissions(
    *,
    profile: str | None = None,
    regions: Iterable[str] = (),
    all_regions: bool = False,
    role_arn: str | None = None,
    external_id: str | None = None,
    session_name: str = "auditlib",
    endpoint_url: str | None = None,
    trail: bool = False,
) -> tuple[Permission, ...]:
    """Return, per region and read of the table, whether AWS would answer it.

    Nothing of the answers is kept.

    Parameters
    ----------
    trail
        Whether to ask for CloudTrail's events, too.

    Raises
    ------
    AwsError
        When AWS cannot be called at all.
    """
    regions = tuple(dict.fromkeys(regions))
    access = sign_in(
        profile=profile,
        regions=regions,
        role_arn=role_arn,
        external_id=external_id,
        session_name=session_name,
        endpoint_url=endpoint_url,
    )
    regions = regions_of(access, regions, all_regions)
    with tempfile.TemporaryDirectory() as nowhere:
        made = (
            _Probe(access, regions, trail=1 if trail else None).into(Path(nowhere)).manifest.calls
        )
    by_read = {(call.region, f"{call.service}-{call.operation}"): call for call in made}
    reads = (*READS, *OPTIONAL_READS) if trail else READS
    return tuple(
        _permission(access.account, region, read, by_read) for region in regions for read in reads
    )


def _permission(
    account: str, region: str, read: Read, calls: dict[tuple[str, str], Call]
) -> Permission:
    call = calls.get((read.folder(region), read.id))
    state: State = "allowed"
    why = ""
    if call is None:
        shut = [parent for parent in read.parents if not _went_well(calls.get((region, parent)))]
        state = "unknown" if shut else "not_needed"
        why = (
            tr("{reads} could not be read", reads=listed_ids(shut))
            if shut
            else tr("nothing there to ask about")
        )
    elif not _went_well(call):
        state = "refused" if call.status == "denied" else "unknown"
        why = ": ".join(part for part in (call.error_code, call.error_message) if part)
    return Permission(account=account, region=region, read=read, state=state, why=why)


def listed_ids(ids: list[str]) -> str:
    """Return reads as the AWS CLI calls them.

    >>> listed_ids(["ec2-describe-vpcs"])
    'ec2 describe-vpcs'
    """
    return tr_as("list", " and ").join(id.replace("-", " ", 1) for id in ids)


def _went_well(call: Call | None) -> bool:
    return call is not None and (call.status == "ok" or call.error_code == _ALLOWED)


class _Probe(Run):
    """A collection that asks each read once per region, as little as AWS lets one ask."""

    def _submit(self, region: str, read: Read, resource: str | None) -> None:
        if not any((region, read.id) == known[:2] for known in self._known):
            super()._submit(region, read, resource)

    def _questions(self, read: Read) -> Sequence[Mapping[str, Any]]:
        return read.questions[:1]

    def _parameters(self, read: Read, resource: str | None) -> dict[str, Any]:
        names_others = any(read.id in other.parents for other in READS)
        dry = {"DryRun": True} if read.service == "ec2" and not names_others else {}
        return super()._parameters(read, resource) | dry

    def _merged(self, paginator: Any, read: Read, parameters: dict[str, Any]) -> dict[str, Any]:
        pages = paginator.paginate(**parameters, PaginationConfig={"PageSize": read.page_size})
        page = dict(next(iter(pages)))
        return {name: value for name, value in page.items() if name not in _ASIDE}

    def _keep(self, call: Call, read: Read, document: Any) -> Call:
        return call
