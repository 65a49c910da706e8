"""The rights the kit needs, made from the table of reads: as IAM policy, CloudFormation, Terraform.

``python -m auditlib.aws.policy FOLDER`` writes them all.
"""

import json
import sys
from pathlib import Path
from typing import Any

from auditlib.aws.organization import ACTIONS
from auditlib.aws.reads import OPTIONAL_READS, READS, Read

__all__ = [
    "BEFORE_READING",
    "cloudformation",
    "documents",
    "listing_policy",
    "read_only_policy",
    "terraform",
    "trail_policy",
]

BEFORE_READING = ("ec2:DescribeRegions",)
"""Actions of calls made before reading that need a permission: which regions are enabled.

Asking who is calling needs none
(https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html)."""

_NEEDED = "ReadClientVpnAndItsSurroundings"
_REGIONS = "OptionalRegions"
_ROLE = "auditlib-read-only"
_EXTERNAL_ID = "[A-Za-z0-9+=,.@:/_-]{2,1224}"


def _sid(read: Read) -> str:
    """Return the statement that allows a read."""
    service = read.iam_action.partition(":")[0]
    name = "".join(word.capitalize() for word in service.split("-"))
    return _NEEDED if service == "ec2" else f"Optional{name}"


def _not_by_default() -> list[str]:
    """Return the optional parts that serve only what has to be asked for."""
    return sorted({_sid(read) for read in OPTIONAL_READS} - {_sid(read) for read in READS})


def _statements() -> dict[str, list[str]]:
    """Return the actions by statement: what every audit rests on, then each optional part."""
    parts: dict[str, set[str]] = {_NEEDED: set(), _REGIONS: set(BEFORE_READING)}
    for read in (*READS, *OPTIONAL_READS):
        parts.setdefault(_sid(read), set()).add(read.iam_action)
    return {
        sid: sorted(actions)
        for sid, actions in sorted(parts.items(), key=lambda part: (part[0] != _NEEDED, part[0]))
    }


def _statement(sid: str, actions: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*"}


def read_only_policy() -> dict[str, Any]:
    """Return the policy document: exactly the actions of the calls an ordinary collection makes.

    A statement whose Sid begins with ``Optional`` can be left out: what rests on its reads is then
    reported as not assessed, or ``--all-regions`` refused. All actions are reads; most know no
    resource-level permission, so the resource is ``*``
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html).
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            _statement(sid, actions)
            for sid, actions in _statements().items()
            if sid not in _not_by_default()
        ],
    }


def trail_policy() -> dict[str, Any]:
    """Return what ``collect --trail`` needs beyond that: to look up CloudTrail's events.

    AWS's own policy for reading CloudTrail allows it on ``*`` too
    (https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCloudTrail_ReadOnlyAccess.html).
    """
    return {
        "Version": "2012-10-17",
        "Statement": [_statement(sid, _statements()[sid]) for sid in _not_by_default()],
    }


def listing_policy() -> dict[str, Any]:
    """Return the policy of who runs over many accounts: list them, and assume the role in each.

    The first statement is needed only where the accounts are those of an organization.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            _statement("OptionalListAccounts", sorted(ACTIONS)),
            {
                "Sid": "AssumeTheRoleInEachAccount",
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Resource": f"arn:aws:iam::*:role/{_ROLE}",
            },
        ],
    }


def cloudformation() -> dict[str, Any]:
    """Return a CloudFormation template of a role with the policy, a parameter per optional part."""
    optional = [sid for sid in _statements() if sid != _NEEDED]
    switches = {
        sid: {
            "Type": "String",
            "AllowedValues": ["yes", "no"],
            "Default": "no" if sid in _not_by_default() else "yes",
            "Description": f"Allow {', '.join(_statements()[sid])}",
        }
        for sid in optional
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "A role that reads what an audit of Client VPN endpoints rests on.",
        "Parameters": {
            "Auditor": {
                "Type": "String",
                "AllowedPattern": "arn:aws[a-z-]*:iam::[0-9]{12}:(root|user/.+|role/.+)",
                "Description": "ARN of who may assume the role: the auditor's account, user or role",
            },
            "ExternalId": {
                "Type": "String",
                "AllowedPattern": _EXTERNAL_ID,
                "Description": "Agreed with the auditor; given to auditlib as --external-id",
            },
            "RoleName": {
                "Type": "String",
                "AllowedPattern": "[A-Za-z0-9+=,.@_-]{1,64}",
                "Default": _ROLE,
                "Description": "Name of the role, the same in every account that is audited",
            },
            **switches,
        },
        "Conditions": {f"With{sid}": {"Fn::Equals": [{"Ref": sid}, "yes"]} for sid in optional},
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": {"Ref": "RoleName"},
                    "Description": "Read-only audit of Client VPN endpoints",
                    "MaxSessionDuration": 3600,
                    "AssumeRolePolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Principal": {"AWS": {"Ref": "Auditor"}},
                                "Action": "sts:AssumeRole",
                                "Condition": {
                                    "StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}
                                },
                            }
                        ],
                    },
                    "Policies": [
                        {
                            "PolicyName": _ROLE,
                            "PolicyDocument": {
                                "Version": "2012-10-17",
                                "Statement": [
                                    _statement(sid, actions)
                                    if sid == _NEEDED
                                    else {
                                        "Fn::If": [
                                            f"With{sid}",
                                            _statement(sid, actions),
                                            {"Ref": "AWS::NoValue"},
                                        ]
                                    }
                                    for sid, actions in _statements().items()
                                ],
                            },
                        }
                    ],
                },
            }
        },
        "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
    }


_TERRAFORM = """\
# A role that reads what an audit of Client VPN endpoints rests on.
# Made from the table of reads by `make docs`.

variable "auditor" {
  description = "ARN of who may assume the role: the auditor's account, user or role"
  type        = string
}

variable "external_id" {
  description = "Agreed with the auditor; given to auditlib as --external-id"
  type        = string

  validation {
    condition     = length(var.external_id) >= 2
    error_message = "An external id has at least two characters."
  }
}

variable "leave_out" {
  description = "Sids of optional statements to leave out; those of the default serve only what is asked for by an option"
  type        = set(string)
  default     = %s
}

locals {
  statements = {
%s
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.auditor]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }
  }
}

data "aws_iam_policy_document" "reads" {
  dynamic "statement" {
    for_each = { for sid, actions in local.statements : sid => actions if sid == "%s" || !contains(var.leave_out, sid) }

    content {
      sid       = statement.key
      actions   = statement.value
      resources = ["*"]
    }
  }
}

resource "aws_iam_role" "auditor" {
  name                 = "%s"
  description          = "Read-only audit of Client VPN endpoints"
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "reads" {
  name   = "%s"
  role   = aws_iam_role.auditor.id
  policy = data.aws_iam_policy_document.reads.json
}

output "role_arn" {
  value = aws_iam_role.auditor.arn
}
"""


def terraform() -> str:
    """Return the same role as Terraform; ``leave_out`` names the optional parts not wanted."""
    parts = []
    for sid, actions in _statements().items():
        listed = "".join(f'      "{action}",\n' for action in actions)
        parts.append(f"    {sid} = [\n{listed}    ]")
    apart = json.dumps(_not_by_default())
    return _TERRAFORM % (apart, "\n".join(parts), _NEEDED, _ROLE, _ROLE)


def bucket_policy() -> dict[str, Any]:
    """Return what who runs it needs where output or history is a place in S3."""
    from auditlib.aws.bucket import ACTIONS

    place = "arn:aws:s3:::example-audits"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "FilesOfRuns",
                "Effect": "Allow",
                "Action": [action for action in ACTIONS if action != "s3:ListBucket"],
                "Resource": f"{place}/client/*",
            },
            {
                "Sid": "ListThem",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": place,
            },
        ],
    }


def documents() -> dict[str, str]:
    """Return the files of ``docs/iam``, by name."""

    def text(document: dict[str, Any]) -> str:
        return json.dumps(document, indent=2) + "\n"

    return {
        "bucket.json": text(bucket_policy()),
        "many-accounts.json": text(listing_policy()),
        "read-only.json": text(read_only_policy()),
        "read-trail.json": text(trail_policy()),
        "read-only.cloudformation.json": text(cloudformation()),
        "read-only.tf": terraform(),
    }


def main() -> None:
    """Write the documents into the folder named on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
