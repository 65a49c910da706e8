"""Changes, the fixes made of them, and what they open, close and leave.

:mod:`auditlib.changes.change` says what a change is; the kinds of changes stand by subject in
:mod:`auditlib.changes.security_groups`, :mod:`auditlib.changes.members` and
:mod:`auditlib.changes.endpoints`. :mod:`auditlib.changes.fixes` has the changes that answer a finding,
:mod:`auditlib.changes.preview` tries them on tables, :mod:`auditlib.changes.plans` reads and writes
them: plan files, scripts, Terraform.
"""

from collections.abc import Mapping

from auditlib.changes.change import Change, is_blank, is_new
from auditlib.changes.endpoints import (
    AddAuthorizationRule,
    CreateRoute,
    DeleteRoute,
    ModifyLogging,
    RemoveAuthorizationRule,
)
from auditlib.changes.members import ApplySecurityGroups, SetInterfaceGroups
from auditlib.changes.security_groups import (
    AuthorizeRule,
    CreateSecurityGroup,
    DeleteSecurityGroup,
    RevokeRule,
)

__all__ = [
    "CHANGES",
    "AddAuthorizationRule",
    "ApplySecurityGroups",
    "AuthorizeRule",
    "Change",
    "CreateRoute",
    "CreateSecurityGroup",
    "DeleteRoute",
    "DeleteSecurityGroup",
    "ModifyLogging",
    "RemoveAuthorizationRule",
    "RevokeRule",
    "SetInterfaceGroups",
    "is_blank",
    "is_new",
]

CHANGES: Mapping[str, type[Change]] = {
    made.kind: made
    for made in (
        CreateSecurityGroup,
        DeleteSecurityGroup,
        AuthorizeRule,
        RevokeRule,
        ApplySecurityGroups,
        SetInterfaceGroups,
        AddAuthorizationRule,
        RemoveAuthorizationRule,
        CreateRoute,
        DeleteRoute,
        ModifyLogging,
    )
}
"""Every kind of change, by its name in a plan file."""
