"""Who reads, and where: sessions from the ordinary AWS configuration, regions, one clear refusal.

Credentials come from where the AWS CLI finds them (environment, profiles, SSO, instance roles).
None is taken as a parameter, printed or written.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

from auditlib import __version__
from auditlib.aws.models import read_ahead, session_of
from auditlib.aws.outcomes import message_of
from auditlib.errors import AwsError
from auditlib.language import tr, tr_as

__all__ = [
    "Access",
    "client_config",
    "enabled_regions",
    "home_region",
    "known_regions",
    "reason",
    "sign_in",
]

# Where IAM, STS and the list of regions answer for every account of a partition.
_HOME = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException"}
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_LATE = {"RequestExpired", "RequestTimeTooSkewed"}
_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True)
class Access:
    """A session AWS has accepted, and whose it is."""

    session: boto3.session.Session = field(repr=False)
    account: str
    arn: str
    endpoint_url: str | None = None
    region: str


def client_config(session: boto3.session.Session, connections: int = 10) -> Config:
    """Return how clients wait and retry: botocore's standard mode, longer than its default.

    ``AWS_MAX_ATTEMPTS`` and ``max_attempts`` of the profile count, as for any AWS tool.
    """
    attempts = session._session.get_config_variable("max_attempts")
    return Config(
        retries={"mode": "standard", "total_max_attempts": int(attempts or _ATTEMPTS)},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=connections,
        user_agent_extra=f"auditlib/{__version__}",
    )


def sign_in(
    *,
    profile: str | None = None,
    regions: Iterable[str] = (),
    role_arn: str | None = None,
    external_id: str | None = None,
    session_name: str = "auditlib",
    endpoint_url: str | None = None,
) -> Access:
    """Return a session AWS accepts, after asking it who is calling.

    Raises
    ------
    AwsError
        When no credentials are found, or AWS does not accept them, or the role refuses, or
        nothing answers; or a region is unknown. One line that says what to do.
    """
    try:
        session = session_of(profile)
        # Read early: a damaged configuration file shows here.
        session.get_credentials()
        configured = session.region_name
    except ProfileNotFound as error:
        raise AwsError(_unknown_profile(error, profile)) from error
    except BotoCoreError as error:
        raise AwsError(reason(error, tr("the AWS configuration"))) from error
    regions = tuple(regions)
    _refuse_unknown(session, regions)
    region = configured or (regions[0] if regions else _HOME["aws"])
    caller = _caller(session, region, endpoint_url)
    if role_arn:
        session = _assumed(
            session,
            region,
            endpoint_url,
            role_arn=role_arn,
            external_id=external_id,
            session_name=session_name,
        )
        caller = _caller(session, region, endpoint_url)
    return Access(
        session=session,
        account=caller["Account"],
        arn=caller["Arn"],
        endpoint_url=endpoint_url,
        region=region,
    )


def home_region(session: boto3.session.Session, region: str) -> str:
    """Return where the global services of a Region's partition answer."""
    return _HOME.get(session.get_partition_for_region(region), _HOME["aws"])


def known_regions(session: boto3.session.Session | None = None) -> tuple[str, ...]:
    """Return the regions the installed SDK knows, of all partitions."""
    session = session or session_of()
    return tuple(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition)
    )


def _refuse_unknown(session: boto3.session.Session, regions: Iterable[str]) -> None:
    known = known_regions(session)
    for region in regions:
        if region not in known:
            # Region names share so much that anything less alike is another place.
            near = get_close_matches(region, known, n=3, cutoff=0.8)
            raise AwsError(
                tr(
                    "region {region!r} is unknown: did you mean {near}?",
                    region=region,
                    near=tr_as("list", " or ").join(near),
                )
                if near
                else tr(
                    "region {region!r} is unknown: see --all-regions, or update boto3",
                    region=region,
                )
            )


def enabled_regions(access: Access) -> tuple[str, ...]:
    """Return the regions enabled for the account.

    Raises
    ------
    AwsError
        When AWS does not tell.
    """
    try:
        client = access.session.client(
            "ec2",
            region_name=access.region,
            endpoint_url=access.endpoint_url,
            config=client_config(access.session),
        )
        answer = client.describe_regions()
    except (BotoCoreError, ClientError, ResponseParserError, ValueError) as error:
        raise AwsError(
            tr(
                "{error}; or name the regions with --region",
                error=reason(error, "ec2 describe-regions"),
            )
        ) from error
    return tuple(
        sorted(
            region["RegionName"]
            for region in answer.get("Regions", ())
            if region.get("OptInStatus") != "not-opted-in"
        )
    )


def _sts(session: boto3.session.Session, region: str, endpoint_url: str | None) -> Any:
    return session.client(
        "sts", region_name=region, endpoint_url=endpoint_url, config=client_config(session)
    )


def _caller(
    session: boto3.session.Session, region: str, endpoint_url: str | None
) -> dict[str, Any]:
    try:
        client = _sts(session, region, endpoint_url)
        # Nearly all that comes after asks EC2.
        client.meta.events.register("before-send", lambda **_: read_ahead(session, "ec2"))
        caller = client.get_caller_identity()
        return {"Account": str(caller["Account"]), "Arn": str(caller["Arn"])}
    except (BotoCoreError, ClientError, ResponseParserError, ValueError, KeyError) as error:
        what = (
            tr("sts get-caller-identity at {endpoint_url}", endpoint_url=endpoint_url)
            if endpoint_url
            else tr("sts get-caller-identity in {region}", region=region)
        )
        raise AwsError(reason(error, what)) from error


def _assumed(
    session: boto3.session.Session,
    region: str,
    endpoint_url: str | None,
    *,
    role_arn: str,
    external_id: str | None,
    session_name: str,
) -> boto3.session.Session:
    more = {"ExternalId": external_id} if external_id else {}
    try:
        client = _sts(session, region, endpoint_url)
        answer = client.assume_role(RoleArn=role_arn, RoleSessionName=session_name, **more)
        keys = answer["Credentials"]
    except (BotoCoreError, ClientError, ResponseParserError, ValueError, KeyError) as error:
        raise AwsError(
            tr(
                "the role {role_arn} was not given: {error}; check its trust policy and --external-id",
                role_arn=role_arn,
                error=reason(error, "sts assume-role"),
            )
        ) from error
    # A core session of its own: the profile's settings stay, its credentials do not.
    return session_of(
        session.profile_name if _named(session) else None,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        region_name=session.region_name,
    )


def _named(session: boto3.session.Session) -> bool:
    return session.profile_name in session.available_profiles


def _unknown_profile(error: Exception, profile: str | None) -> str:
    known = botocore.session.Session().available_profiles
    near = get_close_matches(profile or "", known, n=3, cutoff=0.6)
    said = message_of(str(error)).rstrip(".")
    return (
        tr("{said}: did you mean {near}?", said=said, near=tr_as("list", " or ").join(near))
        if near
        else tr("{said}: see `aws configure list-profiles`", said=said)
    )


def reason(error: Exception, what: str) -> str:
    """Return what happened, where, and what to do about it."""
    said = message_of(str(error))
    if isinstance(error, NoCredentialsError):
        return tr(
            "no AWS credentials found: sign in (aws sso login, or aws configure), or name a profile "
            "(--profile, or AWS_PROFILE)"
        )
    if isinstance(error, PartialCredentialsError):
        return tr("AWS credentials are incomplete ({said}): set the missing one", said=said)
    if isinstance(error, SSOError | TokenRetrievalError | LoginError):
        return tr("the sign-in has expired ({said}): run aws sso login and try again", said=said)
    if isinstance(error, CredentialRetrievalError):
        return tr("AWS credentials could not be fetched ({said}): check the profile", said=said)
    if isinstance(error, NoConnectionError | HTTPClientError):
        return tr(
            "{what}: nothing answers ({said}): check the network, the proxy and --endpoint-url",
            what=what,
            said=said,
        )
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        if code in _LATE:
            return tr(
                "AWS takes the request for an old one ({code}): the credentials have expired (sign in "
                "again), or the clock of this machine is wrong",
                code=code,
            )
        if code in _EXPIRED:
            return tr("the AWS credentials have expired ({code}): sign in again", code=code)
        if code in {
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "AuthFailure",
        }:
            return tr(
                "AWS does not accept the credentials ({code}): check them, the clock of this machine, "
                "and that the region is enabled for the account ({what})",
                code=code,
                what=what,
            )
        return tr("{what} was refused: {said}", what=what, said=said)
    if isinstance(error, ResponseParserError | KeyError):
        return tr("{what}: what answers is not AWS: check the proxy and --endpoint-url", what=what)
    return f"{what}: {said or type(error).__name__}"
