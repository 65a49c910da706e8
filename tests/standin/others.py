"""What the kit asks of services beside EC2 and moto does not answer, or not truly.

Lambda functions (without Docker), directories in any stage, quotas, SAML providers that end, log
streams written to long ago. The operations are methods put onto moto's responses, as in
``clientvpn``; answers have botocore's output shapes.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from urllib.parse import unquote
from uuid import NAMESPACE_URL, uuid5

from moto.acm.models import CertBundle
from moto.awslambda.responses import LambdaResponse
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ds.exceptions import EntityDoesNotExistException
from moto.ds.responses import DirectoryServiceResponse
from moto.iam.exceptions import NotFoundException
from moto.iam.responses import IamResponse
from moto.logs.models import LogStream
from moto.servicequotas.responses import ServiceQuotasResponse

from tests.standin.switches import SWITCHES

__all__ = ["OTHERS", "Others", "install"]

Place = tuple[str, str]
"""Account and Region."""


@dataclass(kw_only=True)
class Others:
    """Records by account, Region and id; one set for the one server of a process.

    Attributes
    ----------
    functions, directories
        Configurations by ARN, descriptions by id.
    quotas
        The quotas a service applies, by service code.
    providers
        SAML providers by ARN; the same in every Region.
    events
        CloudTrail's events.
    last_events
        When a log stream was last written to, in milliseconds, by group and stream.
    """

    functions: dict[Place, dict[str, dict[str, Any]]] = field(default_factory=dict)
    directories: dict[Place, dict[str, dict[str, Any]]] = field(default_factory=dict)
    quotas: dict[Place, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    providers: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    events: dict[Place, list[dict[str, Any]]] = field(default_factory=dict)
    last_events: dict[Place, dict[tuple[str, str], int]] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget everything."""
        for kept in vars(self).values():
            kept.clear()


OTHERS = Others()


def function(place: Place, name: str, **members: Any) -> dict[str, Any]:
    """Return a Lambda function's configuration; it holds a secret, as they do."""
    account, region = place
    return {
        "FunctionName": name,
        "FunctionArn": f"arn:aws:lambda:{region}:{account}:function:{name}",
        "Runtime": "python3.13",
        "Role": f"arn:aws:iam::{account}:role/{name}",
        "Handler": "index.handler",
        "Timeout": 30,
        "LastModified": "2026-03-09T08:00:00.000+0000",
        "Version": "$LATEST",
        "Environment": {"Variables": {"TOKEN": "must-not-be-collected"}},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        **members,
    }


def directory(id: str, **members: Any) -> dict[str, Any]:
    """Return a directory's description; RADIUS with its secret is in it where it is set up."""
    return {
        "DirectoryId": id,
        "Name": "corp.example.com",
        "Alias": id,
        "Type": "MicrosoftAD",
        "Edition": "Standard",
        "Stage": "Active",
        "LaunchTime": datetime(2019, 4, 1, 3, tzinfo=UTC),
        "StageLastUpdatedDateTime": datetime(2026, 10, 4, 3, tzinfo=UTC),
        "RadiusSettings": {"SharedSecret": "must-not-be-collected"},
        "RadiusStatus": "Completed",
        **members,
    }


def quota(service: str, code: str, name: str, value: float) -> dict[str, Any]:
    """Return an applied quota."""
    return {
        "ServiceCode": service,
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def event(
    place: Place,
    name: str,
    at: datetime,
    *,
    source: str = "ec2.amazonaws.com",
    by: dict[str, Any] | None = None,
    **members: Any,
) -> dict[str, Any]:
    """Return an event as CloudTrail lists it, with a key and an address that nobody is to keep.

    Parameters
    ----------
    by
        Its ``userIdentity``; an IAM user's without it.
    members
        Further members of its own record.
    """
    account, region = place
    who = by or {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": f"arn:aws:iam::{account}:user/alice",
        "accountId": account,
        "accessKeyId": "AKIAMUSTNOTBEKEPT",
        "userName": "alice",
    }
    id = str(uuid5(NAMESPACE_URL, f"{place}{name}{at}{who}{members}"))
    record = {
        "eventVersion": "1.11",
        "userIdentity": who,
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": source,
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": "203.0.113.77",
        "userAgent": "must-not-be-collected",
        "requestParameters": None,
        "responseElements": None,
        "eventID": id,
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
        **members,
    }
    return {
        "EventId": id,
        "EventName": name,
        "ReadOnly": "false",
        "AccessKeyId": who.get("accessKeyId", ""),
        "EventTime": at.timestamp(),
        "EventSource": source,
        "Username": who.get("userName") or str(who.get("arn", "")).rpartition("/")[2],
        "Resources": [],
        "CloudTrailEvent": json.dumps(record),
    }


_DAY = 24 * 60 * 60


def _lookup_events(self: CloudTrailResponse) -> str:
    asked = json.loads(self.body)
    attributes = asked.get("LookupAttributes", [])
    if len(attributes) > 1 or any(a["AttributeKey"] != "EventName" for a in attributes):
        raise JsonRESTError("InvalidLookupAttributesException", "one event name, no more")
    now = SWITCHES.now().replace(tzinfo=UTC).timestamp()
    since = max(asked.get("StartTime", 0), now - 90 * _DAY)
    held = sorted(OTHERS.events.get(_place(self), []), key=lambda one: -one["EventTime"])
    found = [
        one
        for one in held
        if since <= one["EventTime"] <= asked.get("EndTime", now)
        and all(one["EventName"] == a["AttributeValue"] for a in attributes)
    ]
    # A token is good for the question it was given for and for no other.
    question = json.dumps([attributes, asked.get("StartTime")])
    start, size = 0, int(asked.get("MaxResults", 50))
    if "NextToken" in asked:
        start, of = json.loads(asked["NextToken"])
        if of != question:
            raise JsonRESTError("InvalidNextTokenException", "of another question")
    more = {"NextToken": json.dumps([start + size, question])} if start + size < len(found) else {}
    return json.dumps({"Events": found[start : start + size], **more})


def _place(response: Any) -> Place:
    return response.current_account, response.region


_no_function = LambdaResponse.get_function_configuration


def _get_function_configuration(self: LambdaResponse) -> str:
    asked = unquote(self.path.rsplit("/", 2)[-2])
    found = OTHERS.functions.get(_place(self), {}).get(asked)
    return _no_function(self) if found is None else json.dumps(found)


def _get_saml_provider(self: IamResponse) -> ActionResult:
    arn = self._get_param("SAMLProviderArn")
    found = OTHERS.providers.get(self.current_account, {}).get(arn)
    if found is None:
        raise NotFoundException(f"Manifest not found for arn {arn}")
    return ActionResult(found)


def _describe_directories(self: DirectoryServiceResponse) -> ActionResult:
    held = OTHERS.directories.get(_place(self), {})
    asked = self._get_param("DirectoryIds") or list(held)
    for id in asked:
        if id not in held:
            raise EntityDoesNotExistException(f"Directory {id} does not exist")
    return ActionResult({"DirectoryDescriptions": [held[id] for id in asked]})


def _list_service_quotas(self: ServiceQuotasResponse) -> str:
    asked = json.loads(self.body)
    held = OTHERS.quotas.get(_place(self), {}).get(asked["ServiceCode"], [])
    start, size = int(asked.get("NextToken", 0)), int(asked.get("MaxResults", 100))
    more = {"NextToken": str(start + size)} if start + size < len(held) else {}
    return json.dumps({"Quotas": held[start : start + size], **more})


def install() -> None:
    """Give moto the operations of this module."""
    LambdaResponse.get_function_configuration = _get_function_configuration
    CloudTrailResponse.lookup_events = _lookup_events
    IamResponse.get_saml_provider = _get_saml_provider
    DirectoryServiceResponse.describe_directories = _describe_directories
    ServiceQuotasResponse.list_service_quotas = _list_service_quotas
    described = LogStream.to_describe_dict

    @wraps(described)
    def to_describe_dict(self: LogStream) -> dict[str, Any]:
        place = (self.account_id, self.region)
        key = (self.log_group.name, self.log_stream_name)
        last = OTHERS.last_events.get(place, {}).get(key)
        return described(self) | ({} if last is None else {"lastEventTimestamp": last})

    LogStream.to_describe_dict = to_describe_dict
    of_certificate = CertBundle.describe

    @wraps(of_certificate)
    def describe(self: CertBundle) -> dict[str, Any]:
        # ACM renews what it has issued itself; moto says of every certificate that it does not.
        described = of_certificate(self)
        if self.type == "AMAZON_ISSUED" and self.status == "ISSUED":
            described["Certificate"]["RenewalEligibility"] = "ELIGIBLE"
        return described

    CertBundle.describe = describe
