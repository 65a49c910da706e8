"""The IAM policy that lets the kit read, made from the table of reads."""

import json
from typing import Any

from auditlib.aws.reads import READS

__all__ = ["BEFORE_READING", "read_only_policy"]

BEFORE_READING = ("ec2:DescribeRegions", "sts:GetCallerIdentity")
"""Actions of the calls made before reading: whose account it is, and which regions are enabled."""


def read_only_policy() -> dict[str, Any]:
    """Return the policy document: exactly the actions of the calls the kit can make.

    All of them are reads; most of the EC2 ones know no resource-level permission, so the resource
    is ``*``
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html).
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadClientVpnAndItsSurroundings",
                "Effect": "Allow",
                "Action": sorted({*BEFORE_READING, *(read.iam_action for read in READS)}),
                "Resource": "*",
            }
        ],
    }


if __name__ == "__main__":
    print(json.dumps(read_only_policy(), indent=2))  # noqa: T201 # the make target writes it down
