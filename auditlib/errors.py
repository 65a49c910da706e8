"""The kit's own errors.

Every message says what happened, where, and what to do about it, in one line that can be shown to
a person as it is. The command line prints it and exits 2; a notebook shows it as a short card.
"""

import textwrap
from typing import ClassVar

from auditlib.characters import visible
from auditlib.language import marked, tr

__all__ = ["AuditError", "AwsError", "ParameterError", "ReportError", "SnapshotError"]


class AuditError(Exception):
    """Base of every error the kit raises on purpose."""

    heading: ClassVar[str] = marked("This cannot be done")

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback: what happened, and the remedy.

        The message names both, and where; the calls that led there are the kit's own affair. An
        error that is none of these is a bug, and keeps its traceback.
        """
        told = (visible(line) for line in str(self).splitlines() if line.strip())
        wrapped = (textwrap.fill(line, 92, break_on_hyphens=False) for line in told)
        return [f"\x1b[1;31m{tr(self.heading)}\x1b[0m ({type(self).__name__})", *wrapped]


class AwsError(AuditError):
    """Nothing can be read from AWS at all: bad credentials, unknown profile or region."""

    heading = marked("AWS cannot be read")


class SnapshotError(AuditError):
    """A snapshot cannot be read or written: missing, truncated, foreign or unsafe."""

    heading = marked("The snapshot cannot be used")


class ParameterError(AuditError):
    """A value given by the user is unknown or of the wrong type."""

    heading = marked("A value cannot be used")


class ReportError(AuditError):
    """A notebook failed or a report could not be published."""

    heading = marked("The report was not made")
