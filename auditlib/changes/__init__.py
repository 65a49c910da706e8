"""Changes, the fixes made of them, and what they open, close and leave.

:mod:`auditlib.changes.kinds` holds the changes, :mod:`auditlib.changes.fixes` the changes that answer a
finding, :mod:`auditlib.changes.preview` tries them on tables, :mod:`auditlib.changes.plans` reads and
writes them: plan files, scripts, Terraform.
"""

from auditlib.changes.kinds import (
    CHANGES,
    AddAuthorizationRule,
    ApplySecurityGroups,
    AuthorizeRule,
    Change,
    CreateRoute,
    CreateSecurityGroup,
    DeleteRoute,
    DeleteSecurityGroup,
    ModifyLogging,
    RemoveAuthorizationRule,
    RevokeRule,
    SetInterfaceGroups,
    is_blank,
    is_new,
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
