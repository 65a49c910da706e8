"""The kit's own errors.

Every message says what happened, where, and what to do about it, in one line that can be shown to
a person as it is. The command line prints it and exits 2; a notebook shows it as a short card.
"""

__all__ = ["AuditError", "AwsError", "ParameterError", "ReportError", "SnapshotError"]


class AuditError(Exception):
    """Base of every error the kit raises on purpose."""


class AwsError(AuditError):
    """Nothing can be read from AWS at all: bad credentials, unknown profile or region."""


class SnapshotError(AuditError):
    """A snapshot cannot be read or written: missing, truncated, foreign or unsafe."""


class ParameterError(AuditError):
    """A value given by the user is unknown or of the wrong type."""


class ReportError(AuditError):
    """A notebook failed or a report could not be published."""
