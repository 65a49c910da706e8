"""The sample as it was three weeks earlier: the snapshot that the sample is compared with.

Made from the sample's own files, so that it needs no other world: each function below undoes one
thing that has happened since. ``make sample`` writes it as a .zip beside the sample.
"""

import copy
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import auditlib
from auditlib.snapshot import Call, Snapshot, load, save

__all__ = ["EARLIER", "earlier_of", "write"]

EARLIER = Path(auditlib.__file__).parent / "sample-earlier.zip"
WEEKS = timedelta(weeks=3)
LOG_GROUP = "/vpn/contractors"


def earlier_of(sample: Snapshot) -> Snapshot:
    """Return the sample as it was."""
    documents = {
        call.key: copy.deepcopy(dict(sample.document(call))) for call in sample.calls if call.file
    }
    refused = [call for call in sample.calls if not call.file]
    _logging_was_on(documents)
    _everyone_was_let_in(documents)
    _the_temporary_rule_was_not_there(documents)
    _an_interface_was_another(documents)
    _a_certificate_could_not_be_read(documents, refused)
    manifest = sample.manifest
    return Snapshot.from_documents(
        documents,
        [replace(call, started=None, seconds=None) for call in refused],
        kit_version=manifest.kit_version,
        botocore_version=manifest.botocore_version,
        caller_arn=manifest.caller_arn,
        started=manifest.started - WEEKS if manifest.started else None,
        finished=manifest.finished - WEEKS if manifest.finished else None,
        places=manifest.places,
    )


Documents = dict[tuple[str, str, str, str | None], dict[str, Any]]


def _endpoint(documents: Documents, name: str) -> tuple[tuple[str, str], dict[str, Any]]:
    for (account, region, read, _), document in documents.items():
        if read == "ec2-describe-client-vpn-endpoints":
            for endpoint in document["ClientVpnEndpoints"]:
                if {"Key": "Name", "Value": name} in endpoint["Tags"]:
                    return (account, region), endpoint
    raise LookupError(f"the sample has no endpoint {name}")


def _group(documents: Documents, place: tuple[str, str], name: str) -> str:
    groups = documents[*place, "ec2-describe-security-groups", None]["SecurityGroups"]
    return next(str(group["GroupId"]) for group in groups if group["GroupName"] == name)


def _logging_was_on(documents: Documents) -> None:
    """Let the contractors' endpoint log its connections."""
    place, endpoint = _endpoint(documents, "contractor-vpn")
    endpoint["ConnectionLogOptions"] = {"Enabled": True, "CloudwatchLogGroup": LOG_GROUP}
    # All that is asked about a log group, as it is answered for another one of the Region.
    like = next(
        key[3]
        for key in documents
        if key[:3] == (*place, "logs-describe-log-groups") and key[3] is not None
    )
    for key in [key for key in documents if key[2].startswith("logs-") and key[3] == like]:
        if key[:2] == place:
            text = json.dumps(documents[key]).replace(json.dumps(like)[1:-1], LOG_GROUP)
            documents[*key[:3], LOG_GROUP] = json.loads(text)


def _everyone_was_let_in(documents: Documents) -> None:
    """Let everybody of the head office into production, and give them longer sessions."""
    place, endpoint = _endpoint(documents, "corp-vpn")
    endpoint["SessionTimeoutHours"] = 24
    id = endpoint["ClientVpnEndpointId"]
    rules = documents[*place, "ec2-describe-client-vpn-authorization-rules", id]
    like = rules["AuthorizationRules"][0]
    rules["AuthorizationRules"].append(
        {
            **like,
            "Description": "Head office, until groups are in place",
            "GroupId": "",
            "AccessAll": True,
            "DestinationCidr": "10.20.11.0/24",
        }
    )


def _the_temporary_rule_was_not_there(documents: Documents) -> None:
    """Take away the rule that somebody made for an address of the endpoint."""
    place, _ = _endpoint(documents, "corp-vpn")
    rules = documents[*place, "ec2-describe-security-group-rules", None]["SecurityGroupRules"]
    rules[:] = [r for r in rules if not str(r.get("Description")).startswith("VPN (temporary")]
    # AWS shows a group's rules in two answers.
    for group in documents[*place, "ec2-describe-security-groups", None]["SecurityGroups"]:
        for permission in group["IpPermissions"]:
            ranges = permission["IpRanges"]
            ranges[:] = [
                r for r in ranges if not str(r.get("Description")).startswith("VPN (temporary")
            ]


def _an_interface_was_another(documents: Documents) -> None:
    """Give the second interface of the head office's endpoint another id and address."""
    place, endpoint = _endpoint(documents, "corp-vpn")
    interfaces = documents[*place, "ec2-describe-network-interfaces", None]["NetworkInterfaces"]
    own = [eni for eni in interfaces if endpoint["ClientVpnEndpointId"] in eni["Description"]]
    eni = max(own, key=lambda one: str(one["PrivateIpAddress"]))
    old = str(eni["PrivateIpAddress"])
    eni["NetworkInterfaceId"] = "eni-0e0a11e4" + str(eni["NetworkInterfaceId"])[-9:]
    eni["PrivateIpAddress"] = f"{old.rpartition('.')[0]}.201"
    for address in eni["PrivateIpAddresses"]:
        if address["PrivateIpAddress"] == old:
            address["PrivateIpAddress"] = eni["PrivateIpAddress"]


def _a_certificate_could_not_be_read(documents: Documents, refused: list[Call]) -> None:
    """Refuse one certificate: what could not be read then is no change now."""
    place, endpoint = _endpoint(documents, "lab-vpn")
    arn = endpoint["ServerCertificateArn"]
    del documents[*place, "acm-describe-certificate", arn]
    account, region = place
    refused.append(
        Call(
            account=account,
            region=region,
            service="acm",
            operation="describe-certificate",
            resource=arn,
            status="denied",
            error_code="AccessDeniedException",
            error_message="the auditor was not allowed to read it yet",
        )
    )


def write(sample: Path, target: Path = EARLIER) -> None:
    """Write the earlier snapshot in the place of the older one."""
    made = earlier_of(load(sample))
    target.unlink(missing_ok=True)
    save(made, target)
