"""Redaction: a snapshot like another one, in which nobody and nothing of the client's is named.

The whole one-way flow then runs on that snapshot, so nothing downstream can give away what is not
in it. What an answer of AWS's may carry over is on a list here: member by member, with what it
holds. A member that is not on the list is left out; a text is never passed on for want of a rule.
"""

import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditlib import redacted_documents as documents
from auditlib.aws.reads import Read
from auditlib.checks.authorization import speaks_of_people
from auditlib.errors import ParameterError, ReportError
from auditlib.language import tr
from auditlib.pseudonyms import KEY_BYTES, KINDS_OF_IDS, Pseudonyms
from auditlib.quotas import QUOTAS
from auditlib.snapshot import Call, Manifest, Snapshot, file_of, load, save, write_file

if TYPE_CHECKING:
    from auditlib.accepted import AcceptedRisk, AcceptedRisks
    from auditlib.audit import Audit
    from auditlib.check import Finding

__all__ = [
    "MEMBERS",
    "Inputs",
    "key_in",
    "redacted",
    "redacted_audit",
    "redacted_inputs",
    "redacted_risks",
    "refuse_difference",
    "translated",
]

MEMBERS: Mapping[str, str] = {
    member: kind
    for kind, members in {
        # Objects, and lists of objects, that are looked into.
        "part": """
            AccepterVpcInfo ActiveDirectory Association AssociationState Associations Attachment
            AuthenticationOptions AuthorizationRules Certificate CidrBlockAssociationSet CidrBlockSet
            CidrBlockState ClientConnectOptions ClientLoginBannerOptions
            ClientRouteEnforcementOptions ClientVpnEndpoints ClientVpnTargetNetworks
            ConnectionLogOptions Connections DevicePostureOptions DirectoryDescriptions Entries Events
            FederatedAuthentication Groups IcmpTypeCode IpPermissions IpPermissionsEgress IpRanges
            Ipv4Prefixes Ipv6Addresses Ipv6CidrBlockAssociationSet Ipv6CidrBlockSet
            Ipv6CidrBlockState Ipv6Prefixes Ipv6Ranges MutualAuthentication NetworkAcls
            NetworkInterfaces PortRange PrefixListIds PrefixLists PrivateIpAddresses Quotas
            ReferencedGroupInfo RenewalSummary RequesterVpcInfo RouteTables Routes
            SecurityGroupRules SecurityGroupVpcAssociations SecurityGroups Subnets TagSet Tags
            TransitGatewayAttachments TransitGatewayConfiguration TrustProviders UserIdGroupPairs
            VpcPeeringConnections Vpcs logGroups logStreams
        """,
        "account": """
            GroupOwnerId IpOwnerId OwnerId RequesterId ResourceOwnerId TransitGatewayOwnerId UserId
            VpcOwnerId
        """,
        "address": """
            Cidr CidrBlock CidrIp CidrIpv4 CidrIpv6 ClientCidrBlock ClientIp ClientIpv6Address
            DestinationCidr DestinationCidrBlock DestinationIpv6CidrBlock DnsServers Ipv4Prefix
            Ipv6Address Ipv6CidrBlock Ipv6Prefix PrivateIpAddress PublicIp
        """,
        "arn": """
            CertificateArn ClientRootCertificateChain CoreNetworkArn OdbNetworkArn SAMLProviderArn
            SamlProviderArn SelfServiceSamlProviderArn ServerCertificateArn kmsKeyId
        """,
        "banner": "BannerText",
        "description": "Description",
        "event": "CloudTrailEvent",
        "flag": """
            AccessAll Adjustable DisconnectOnSessionTimeout Egress Enabled Enforced IsDefault
            IsEgress IsPrimaryIpv6 Main Primary RequesterManaged SplitTunnel
        """,
        "function": "FunctionArn FunctionName LambdaFunctionArn",
        "group_name": "GroupName",
        "host": "DomainName",
        "id": """
            AssociationId CarrierGatewayId ClientVpnEndpointId ConnectionId
            DestinationPrefixListId DirectoryId DirectoryIds EgressOnlyInternetGatewayId GatewayId
            GroupId InstanceId LocalGatewayId NatGatewayId NetworkAclId NetworkInterfaceId
            PrefixListId ResourceId RouteTableAssociationId RouteTableId SecurityGroupIds
            SecurityGroupRuleId SubnetId TargetNetworkId TargetSubnet TransitGatewayAttachmentId
            TransitGatewayId TransitGatewayRouteTableId VpcId VpcPeeringConnectionId
        """,
        "log": """
            CloudwatchLogGroup CloudwatchLogStream logGroupName logGroupNamePrefix logStreamName
        """,
        "metadata": "SAMLMetadataDocument",
        "name": "CommonName Name Username",
        "number": """
            AvailableIpAddressCount EgressBytes From FromPort IngressBytes MaxEntries
            RuleNumber SessionTimeoutHours Timeout To ToPort VpnPort creationTime
            lastEventTimestamp retentionInDays storedBytes
        """,
        "policy": "PolicyDocument",
        "prefix_list_name": "PrefixListName",
        "revocation_list": "CertificateRevocationList",
        "tag": "Key",
        "text": """
            EventId LastUpdateStatusReason Message QuotaName SelfServicePortalUrl StageReason StateReason
        """,
        "time": """
            ConnectionEndTime ConnectionEstablishedTime CreateDate CreationTime EventTime LastModified NotAfter
            NotBefore StageLastUpdatedDateTime ValidUntil
        """,
        "value": "Value",
        "word": """
            AddressFamily AvailabilityZone Code EndpointIpAddressType EventName EventSource
            InterfaceType IpProtocol
            KeyAlgorithm LastUpdateStatus LastUpdateStatusReasonCode Origin PeeringStatus Protocol
            QuotaCode RadiusStatus Region RenewalEligibility RenewalStatus ResourceType RuleAction
            Runtime ServiceCode ShadowMode ShareStatus SignatureAlgorithm Stage State
            StateReasonCode Status TrafficIpAddressType TransportProtocol TrustProviderType Type
            Version
        """,
    }.items()
    for member in members.split()
}
"""What each member of AWS's answers holds; any other is left out of a redacted snapshot."""

_NUMBER = re.compile(r"[-+]?[0-9]{1,20}(\.[0-9]{1,6})?")
_TIME = re.compile(r"[-+0-9TZ:. ]{1,40}")
_LISTED_BY_AWS = re.compile(r"com\.amazonaws\.[a-z0-9.-]+")


def redacted(snapshot: Snapshot, names: Pseudonyms, *, name: str = "snapshot") -> Snapshot:
    """Return a snapshot that says the same of other names.

    Its documents are worked out when asked for. Calls of reads the kit no longer makes are left
    out, and so is what AWS said about a refusal: the code stays, and names nobody.
    """
    calls, origin = [], {}
    for call in snapshot.calls:
        if call.read is None:
            continue
        made = _call(call, call.read, names)
        calls.append(made)
        if made.file is not None:
            origin[made.file] = call

    def document(file: str) -> Mapping[str, Any]:
        found = origin[file]
        return redacted_document(snapshot.document(found), names, found.read)

    old = snapshot.manifest
    manifest = Manifest(
        format_version=old.format_version,
        kit_version=old.kit_version and names.word(old.kit_version),
        botocore_version=old.botocore_version and names.word(old.botocore_version),
        caller_arn=old.caller_arn and names.arn(old.caller_arn),
        started=old.started,
        finished=old.finished,
        places=tuple(sorted((names.account(account), region) for account, region in old.places)),
        calls=tuple(sorted(calls, key=lambda call: call.order)),
        redacted=True,
        trail_days=old.trail_days,
    )
    return Snapshot(manifest, document, name=name)


def _call(call: Call, read: Read, names: Pseudonyms) -> Call:
    account = names.account(call.account)
    resource = call.resource
    if resource is not None:
        kind = MEMBERS.get(read.resource_parameter or "", "name")
        kind = "id" if read.resource_parameter == "PrefixListIds" else kind
        resource = _leaf(resource, kind, {}, names, read)
    return replace(
        call,
        account=account,
        resource=resource,
        file=call.file and file_of(account, call.region, read, resource),
        sha256=None,
        error_code=call.error_code and names.word(call.error_code),
        error_message=call.error_message and tr("what AWS said is redacted"),
    )


def redacted_document(
    document: Mapping[str, Any], names: Pseudonyms, read: Read | None = None
) -> dict[str, Any]:
    """Return an answer of AWS's with every member on the list redacted, and no other."""
    # Whom an authorization rule is for: whatever a directory calls its groups.
    kinds = {**MEMBERS, "GroupId": "group"} if "DestinationCidr" in document else MEMBERS
    return {
        member: _value(value, kinds[member], document, names, read)
        for member, value in document.items()
        if member in kinds
    }


def _value(
    value: Any, kind: str, record: Mapping[str, Any], names: Pseudonyms, read: Read | None
) -> Any:
    if isinstance(value, dict):
        return redacted_document(value, names, read)
    if isinstance(value, list):
        # A list of ids in one answer is a list of objects in another.
        item = "id" if kind == "part" else kind
        return [_value(one, item, record, names, read) for one in value]
    return _leaf(value, kind, record, names, read)


def _leaf(
    value: Any, kind: str, record: Mapping[str, Any], names: Pseudonyms, read: Read | None
) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if (
            kind in _NUMERIC
            and "Key" not in record
            and (kind == "number" or not _is_account(value))
        ):
            return value
        value = str(value)
    return _TEXTS[kind](value, record, names, read)


def _is_account(number: float) -> bool:
    return 10**11 <= number < 10**12


def _text(kind: str) -> Callable[..., str]:
    return lambda text, record, names, read: names.text(text, kind)


def _matching(pattern: re.Pattern[str]) -> Callable[..., str]:
    def kept(text: str, record: Mapping[str, Any], names: Pseudonyms, read: Read | None) -> str:
        return text if not text or pattern.fullmatch(text) else names.text(text)

    return kept


def _description(text: str, record: Mapping[str, Any], names: Pseudonyms, read: Read | None) -> str:
    if "NetworkInterfaceId" in record:
        return names.description(text)
    if "AccessAll" in record or (read and read.operation.endswith("authorization-rules")):
        # A check asks whether the description of a rule for everyone speaks of some people only.
        return names.text(text, "group" if speaks_of_people(text) else "text")
    return names.text(text)


def _id(text: str, record: Mapping[str, Any], names: Pseudonyms, read: Read | None) -> str:
    return text if text == "local" else names.id(text)


def _of_tag(text: str, record: Mapping[str, Any], names: Pseudonyms, read: Read | None) -> str:
    return names.text(text, "name" if record.get("Key") == "Name" else "value")


def _prefix_list_name(
    text: str, record: Mapping[str, Any], names: Pseudonyms, read: Read | None
) -> str:
    # AWS's own lists are the same for everybody, and count for as many rules as their name says.
    ours = record.get("OwnerId") == "AWS" and _LISTED_BY_AWS.fullmatch(text)
    return text if ours else names.text(text, "name")


_TEXTS: Mapping[str, Callable[..., Any]] = {
    "account": lambda text, record, names, read: names.account(text),
    "address": lambda text, record, names, read: names.address(text),
    "arn": lambda text, record, names, read: names.arn(text),
    "banner": _text("banner"),
    "description": _description,
    "event": lambda text, record, names, read: documents.event(text, names),
    "flag": _matching(re.compile("true|false", re.IGNORECASE)),
    "function": lambda text, record, names, read: names.function(text),
    "group": _text("group"),
    "group_name": lambda text, record, names, read: (
        text if text == "default" else names.text(text, "name")
    ),
    "host": lambda text, record, names, read: names.host(text),
    "id": _id,
    "log": lambda text, record, names, read: names.naming(text, "log"),
    "metadata": lambda text, record, names, read: documents.metadata(text, names),
    "name": _text("name"),
    "number": _matching(_NUMBER),
    "part": _text("text"),
    "policy": lambda text, record, names, read: documents.policy(text, names),
    "prefix_list_name": _prefix_list_name,
    "revocation_list": lambda text, record, names, read: documents.revocation_list(text, names),
    "tag": lambda text, record, names, read: text if text == "Name" else names.text(text, "tag"),
    "text": _text("text"),
    "time": _matching(_TIME),
    "value": _of_tag,
    "word": lambda text, record, names, read: names.word(text),
}
_NUMERIC = {"number", "time", "value", "word"}
"""Kinds whose numbers are numbers, and no account written as one."""


def redacted_audit(audit: "Audit", names: Pseudonyms) -> "Audit":
    """Return the audit of the redacted snapshot, after making sure that it finds the same.

    Raises
    ------
    ReportError
        When it does not.
    """
    from auditlib.accepted import AcceptedRisks
    from auditlib.audit import Audit

    known = audit.accepted and AcceptedRisks(
        entries=tuple(redacted_risks(audit.accepted, audit.findings, names)),
        day=audit.accepted.day,
        file=_ACCEPTED,
    )
    made = Audit(redacted(audit.snapshot, names), known)
    refuse_difference(audit.findings, made.findings, audit.accepted)
    return made


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Files that hold, redacted, what an audit is made of."""

    snapshot: Path
    accepted: Path | None
    earlier: Path | None


def redacted_inputs(
    audit: "Audit", folder: Path, names: Pseudonyms, earlier: str | Path | None = None
) -> Inputs:
    """Write what an audit is made of, redacted, into a folder; files are named for what they are.

    Raises
    ------
    SnapshotError
        When a document cannot be read.
    ReportError
        When the earlier snapshot would be judged otherwise than before.
    """
    from auditlib.audit import Audit

    save(redacted(audit.snapshot, names), folder / "snapshot")
    accepted = past = None
    found = audit.findings
    if earlier is not None:
        old, past = load(earlier), folder / "earlier"
        save(redacted(old, names), past)
        before = Audit(old).findings
        refuse_difference(before, Audit(load(past)).findings)
        found += before
    if audit.accepted is not None:
        accepted = folder / _ACCEPTED
        risks = redacted_risks(audit.accepted, found, names)
        write_file(accepted, _text_of(risks).encode())
    return Inputs(snapshot=folder / "snapshot", accepted=accepted, earlier=past)


# -- what people wrote about the snapshot -------------------------------------------------------------


def key_in(path: Path | None) -> bytes:
    """Return the key in a file, which is made where there is none; without a file a key not kept.

    Raises
    ------
    ParameterError
        When the file cannot be read or written, or holds no key.
    """
    key = secrets.token_bytes(KEY_BYTES)
    if path is None:
        return key
    try:
        # Made and opened at once, for its owner alone: a key that others can read protects nothing.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.hex() + "\n")
        return key
    except FileExistsError:
        pass
    except OSError as error:
        raise ParameterError(
            tr("{path} cannot be written: {why}", path=path, why=error.strerror or error)
        ) from error
    try:
        held = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        raise ParameterError(
            tr("{path} cannot be read: {why}", path=path, why=error.strerror or error)
        ) from error
    except ValueError:
        held = b""
    if len(held) != KEY_BYTES:
        raise ParameterError(
            tr(
                "{path} holds no key for redaction ({digits} hexadecimal digits): give the file of an "
                "earlier run, or one that does not exist yet",
                path=path,
                digits=2 * KEY_BYTES,
            )
        )
    return held


_PARAMETERS: Mapping[str, Callable[[str, Pseudonyms], str]] = {
    "address": lambda text, names: (
        names.id(text) if text.startswith("eni-") else names.address(text)
    ),
    "endpoint": lambda text, names: names.id(text),
    "fix": lambda text, names: text,
    "framework": lambda text, names: text,
    "group": lambda text, names: text if text == "*" else names.text(text, "group"),
}
"""How the parameters of the kit's notebooks that are texts are told in pseudonyms."""


def translated(parameters: Mapping[str, object], names: Pseudonyms) -> dict[str, object]:
    """Return parameters of notebooks, given in the account's own names, in pseudonyms.

    Raises
    ------
    ParameterError
        When one cannot be: a plan file, and whatever is not a parameter of the kit's notebooks.
    """
    made: dict[str, object] = {}
    for name, value in parameters.items():
        if not isinstance(value, str) or value == "":
            made[name] = value
        elif name in _PARAMETERS:
            made[name] = _PARAMETERS[name](value, names)
        elif value.isdecimal():  # a port, say
            made[name] = value
        else:
            raise ParameterError(
                tr(
                    "parameter {name!r} cannot be given with redaction: what it names is written in the "
                    "account's own names. Redact the snapshot first (auditlib redact), and use its names",
                    name=name,
                )
            )
    return made


_WHOLE = re.compile(rf"\*|(?:{'|'.join(KINDS_OF_IDS)})-\*")
"""Patterns that mean every id, or every id of a kind, and so name none."""


_ACCEPTED = "accepted.yaml"


def redacted_risks(
    accepted: "AcceptedRisks", findings: Sequence["Finding"], names: Pseudonyms
) -> Iterator["AcceptedRisk"]:
    """Return accepted risks that mean the same evidence of the redacted snapshot.

    A pattern cannot be told in pseudonyms: an entry with one becomes an entry for each id it means.
    Owner, reason and reference are texts of the client's, and are replaced.
    """
    line = 1
    for entry in accepted.entries:
        about = [finding for finding in findings if finding.check.id == entry.check]
        for resource in _resources(entry.resource, about, names):
            line += 1
            yield replace(
                entry,
                resource=resource,
                reason=names.text(entry.reason, "reason"),
                owner=names.text(entry.owner, "owner"),
                reference=names.text(entry.reference, "reference"),
                line=line,
            )


def _text_of(risks: Iterable["AcceptedRisk"]) -> str:
    """Return accepted risks as their file, an entry a line."""
    keys = ("check", "resource", "reason", "owner", "until", "reference")
    told = [
        {key: str(getattr(risk, key)) for key in keys if getattr(risk, key) != ""} for risk in risks
    ]
    return "\n".join(['{"accepted": [', ",\n".join(map(json.dumps, told)), "]}", ""])


def _resources(pattern: str, findings: Iterable["Finding"], names: Pseudonyms) -> list[str]:
    *place, last = pattern.split("/", 2) if pattern.count("/") > 1 else (pattern,)
    if _WHOLE.fullmatch(last) and not any(map(_is_pattern, place)):
        return ["/".join((*_place(place, names), last))]
    if not _is_pattern(pattern):
        return [_resource(pattern, names)]
    meant = {name for name in _ids(findings) if fnmatchcase(name, pattern)}
    return sorted(_resource(name, names) for name in meant) or [names.text(pattern, "pattern")]


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _place(place: Sequence[str], names: Pseudonyms) -> Iterator[str]:
    if place:
        account, region = place
        yield names.account(account)
        yield region


def _resource(text: str, names: Pseudonyms) -> str:
    """Return an id, or ``account/region/id``, in pseudonyms."""
    *place, id = text.split("/", 2) if re.match("[0-9]{12}/", text) else (text,)
    if id.startswith("arn:"):
        made = names.arn(id)
    elif re.fullmatch(r"[0-9.]+(/[0-9]+)?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(/[0-9]+)?", id):
        made = names.address(id)
    elif re.fullmatch(rf"(?:{'|'.join(KINDS_OF_IDS)})-[0-9a-f]+", id):
        made = names.id(id)
    elif id in {quota.name for quota in QUOTAS}:  # the kit's own word for what it judges
        made = id
    else:  # the one name in evidence that AWS did not make: a group of users
        made = names.text(id, "group")
    return "/".join((*_place(place, names), made))


def _ids(findings: Iterable["Finding"]) -> Iterator[str]:
    from auditlib.accepted import resources_of

    for finding in findings:
        for frame in (finding.evidence, finding.accepted):
            if len(frame):
                for row in resources_of(finding.check, frame):
                    yield from (one for name in row for one in name)


def refuse_difference(
    before: Iterable["Finding"],
    after: Iterable["Finding"],
    accepted: "AcceptedRisks | None" = None,
) -> None:
    """Refuse a redaction that changed what a check found; it would be a report of another account.

    Parameters
    ----------
    accepted
        The accepted risks, in the account's own names, that the findings take into account.

    Raises
    ------
    ParameterError
        When an accepted risk with a pattern is why: it takes out rows that name several ids, which
        no list of single ids does.
    ReportError
        When a status, or how much was found, accepted or not read, is not the same.
    """
    found = {finding.check.id: _outcome(finding) for finding in after}
    for finding in before:
        told, now = _outcome(finding), found.get(finding.check.id)
        if told != now and (entry := _by_part_of_an_id(accepted, finding)):
            raise ParameterError(
                tr(
                    "the accepted risk {entry.resource!r} of {entry.check} (line {entry.line} of its "
                    "file) names things by a part of their ids, and ids have other letters after "
                    "redaction; nothing was published. Name each id whole, or the whole kind, as in "
                    "'sgr-*', for this report",
                    entry=entry,
                )
            )
        if told != now:
            raise ReportError(
                tr(
                    "redaction would change what {finding.check.id} says (from {told} to {now}); nothing was "
                    "published. This is a bug in the kit: report it, without the snapshot",
                    finding=finding,
                    told=told,
                    now=now,
                )
            )


def _by_part_of_an_id(
    accepted: "AcceptedRisks | None", finding: "Finding"
) -> "AcceptedRisk | None":
    """Return an accepted risk of a check that takes out evidence by a pattern over ids."""
    for entry in accepted.entries if accepted is not None and len(finding.accepted) else ():
        last = entry.resource.rsplit("/", 1)[-1]
        if entry.check == finding.check.id and _is_pattern(last) and not _WHOLE.fullmatch(last):
            return entry
    return None


def _outcome(finding: "Finding") -> tuple[str, int, int, int, int]:
    """Return a check's status; its evidence, accepted evidence, gaps and population, counted."""
    sizes = len(finding.evidence), len(finding.accepted), len(finding.gaps), finding.population
    return finding.status.value, *sizes
