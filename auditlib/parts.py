"""Everything a report shows of an audit, as frames to filter, join and export.

What belongs to one thing is a frame of that thing: the evidence of a finding
(``audit["vpn-sg-is-shared"].evidence``), the hops of an explanation (``.to_frame()``), the access a
preview changes (``.access``), what a search found (``.things``), a table of AWS's
(``audit.tables.security_groups``).
"""

from typing import TYPE_CHECKING

import pandas as pd

from auditlib import controls, endpoints, previewed, reached, sheets, steps, summary, timeline
from auditlib.accepted import AcceptedRisks, day_of
from auditlib.check import checks

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = ["Parts"]


class Parts:
    """The parts of a report, each as a frame: ``audit.frames.findings``."""

    def __init__(self, audit: "Audit") -> None:
        self._audit = audit

    @property
    def findings(self) -> pd.DataFrame:
        """A row per check, the most urgent first: status, severity, sentence, where, remedy."""
        return sheets.finding_rows(self._audit)

    @property
    def evidence(self) -> pd.DataFrame:
        """All evidence of all checks: ``check``, ``reason``, and the ids each check names."""
        parts = [
            found.evidence.assign(check=found.check.id)
            for found in summary.by_urgency(self._audit.findings)
            if len(found.evidence)
        ]
        first = ["check", "account", "region", "reason"]
        if not parts:
            return pd.DataFrame(columns=first)
        rows = pd.concat(parts, ignore_index=True)
        return rows[[*first, *(name for name in rows.columns if name not in first)]]

    @property
    def first_steps(self) -> pd.DataFrame:
        """What to do, the most urgent first; ``how`` holds the calls, ``who`` and ``by_when`` are proposals."""
        columns = ["what", "where", "how", "why", "who", "by_when", "ends", "check_id"]
        asked = steps.first_steps(self._audit, number=len(checks()) + 1)
        return pd.DataFrame(
            [
                [one.what, one.where, sheets.how_of(one), one.why, one.who, one.by, one.ends, one.check_id]
                for one in asked
            ],
            columns=columns,
        )  # fmt: skip

    @property
    def by_endpoint(self) -> pd.DataFrame:
        """A row per endpoint: how many checks fail at each severity, how many lack an answer."""
        return endpoints.by_endpoint(self._audit)

    @property
    def at_endpoints(self) -> pd.DataFrame:
        """A row per endpoint and check that fails there: severity, in words what, how much evidence."""
        columns = ["account", "region", "endpoint_id", "name", "severity", "check", "what", "rows"]
        return pd.DataFrame(
            [
                [
                    story.account,
                    story.region,
                    story.endpoint_id,
                    story.name,
                    fault.severity.value,
                    fault.check_id,
                    fault.phrase,
                    fault.rows,
                ]
                for story in endpoints.stories(self._audit)
                for fault in story.faults
            ],
            columns=columns,
        )

    @property
    def places(self) -> pd.DataFrame:
        """A row per account and Region: endpoints found, calls made, and how they ended."""
        return summary.places(self._audit)

    @property
    def coverage(self) -> pd.DataFrame:
        """A row per read and place: calls made, answered, refused, missing."""
        return self._audit.coverage

    @property
    def not_read(self) -> pd.DataFrame:
        """A row per call without an answer: where, why, the action to allow, the checks it leaves open."""
        return sheets.unread_rows(self._audit)

    @property
    def controls(self) -> pd.DataFrame:
        """A row per published control: its framework and version, the answer, and the checks behind it."""
        return controls.answers(self._audit)

    @property
    def accepted(self) -> pd.DataFrame:
        """A row per accepted risk and how it stands; no row where none was named."""
        risks = self._audit.accepted or AcceptedRisks(entries=(), day=day_of(""), file="")
        return risks.standing(self._audit.findings)

    @property
    def fixes(self) -> pd.DataFrame:
        """A row per failing check: how many steps its fix has, whether sessions end, what comes of it."""
        return previewed.fixes(self._audit)

    @property
    def reach(self) -> pd.DataFrame:
        """A row per endpoint and user group: how much it reaches; ``audit.reach()`` has every address."""
        rows = reached.without_own(self._audit, self._audit.reach())
        return reached.by_group(self._audit, rows)

    @property
    def validity(self) -> pd.DataFrame:
        """What has an end, what ends first above: certificates, revocation lists, SAML."""
        return timeline.validity(self._audit)

    @property
    def sessions(self) -> pd.DataFrame:
        """The connections that were seen, and how long each had lasted."""
        return timeline.sessions(self._audit)

    def __dir__(self) -> list[str]:
        return list(_parts())

    def __repr__(self) -> str:
        return "\n".join(f"  .{name:<12} {about}" for name, about in _parts().items())


def _parts() -> dict[str, str]:
    """Return the frames there are and what is in each."""
    return {
        name: (part.__doc__ or "").split("\n")[0]
        for name, part in vars(Parts).items()
        if isinstance(part, property)
    }
