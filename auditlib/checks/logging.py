"""Checks of where the connection log goes: the log group, its stream, how long entries are kept."""

from typing import Any

import pandas as pd

from auditlib import words
from auditlib.aws.reads import read_of
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import GUIDE, called, living, place_of, untold, yes
from auditlib.frames import rows_of, rows_where
from auditlib.language import marked, tr


def with_logging(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which living endpoints log their connections, or may: where AWS does not say."""
    return living(endpoints) & endpoints["connection_log_enabled"].fillna(True).astype(bool)


_TOLD = untold("connection_log_enabled", marked("whether connections are logged by"))


_JUDGED: dict[str, Any] = {
    "population": "client_vpn_endpoints",
    "among": with_logging,
    "noun": "logging endpoint",
    "unseen": _TOLD,
}


@check(
    id="connection-log-is-missing",
    title="Connection logs go to log groups that exist",
    severity=Severity.MEDIUM,
    **_JUDGED,
    condition=(
        "logs connections to a log group or stream that is gone",
        "log connections to log groups or streams that are gone",
    ),
    rationale=(
        "The endpoint says that it logs, every scanner believes it, and yet nothing is kept: the "
        "log group was deleted, or the stream in it. It comes to light when somebody asks who was "
        "connected on the night in question. Deleting a log group is also what an intruder does."
    ),
    remedy=(
        "Create the log group (and the stream, where the endpoint names one) anew under the same "
        "name, with a retention, or name another group on the endpoint. Then connect once and see "
        "that an entry arrives. Find out in CloudTrail who deleted the group, and when."
    ),
    verify=(
        "aws logs describe-log-streams --log-group-name <name> --order-by LastEventTime "
        "--descending shows a stream with an entry of the test connection."
    ),
    false_alarms=(
        "A log group that is created with the next deployment, while nobody uses the endpoint yet.",
        "A stream beyond the fifty written to last is not looked for, so a missing one is reported "
        "only in a group that holds fewer.",
    ),
    decision="Under which name, with which retention and key the log is kept is for those to say who must read it.",
    reference=f"{GUIDE}connection-logging.html",
    controls={"NIST SP 800-53 Rev. 5": ("AU-12",), "PCI DSS v4.0.1": ("10.2",)},
)
def connection_log_is_missing(
    judged: pd.DataFrame, log_groups: pd.DataFrame, log_streams: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints that log to a group, or a stream of it, which is not there."""
    groups = _keys(log_groups, "log_group_name")
    streams = _keys(log_streams, "log_group_name", "log_stream_name")
    held = log_streams.groupby(["account", "region", "log_group_name"], observed=True).size()
    rows = []
    for row in rows_where(judged, yes(judged["connection_log_enabled"])):
        at = (row.account, row.region, row.connection_log_group)
        group, stream = words.clean(row.connection_log_group), row.connection_log_stream
        by_absence = True
        if not group:
            by_absence = False
            reason = tr(
                "{endpoint} logs connections, and names no log group.", endpoint=called(row)
            )
        elif at not in groups:
            reason = tr(
                "{endpoint} logs connections to {group}, and there is no such log group.",
                endpoint=called(row),
                group=group,
            )
        elif (
            isinstance(stream, str)
            and (*at, stream) not in streams
            and held.get(at, 0) < (read_of("logs-describe-log-streams").most or 0)
        ):
            reason = tr(
                "{endpoint} logs connections to {stream} in {group}, and there is no such stream.",
                endpoint=called(row),
                stream=words.clean(stream),
                group=group,
            )
        else:
            continue
        rows.append(
            {
                **place_of(row),
                "log_group_name": row.connection_log_group,
                "source": row.source,
                "record": row.record,
                "reason": reason,
                "by_absence": by_absence,
            }
        )
    return evidence_of("account region endpoint_id log_group_name reason source record", rows)


def _keys(frame: pd.DataFrame, *names: str) -> set[tuple[str, ...]]:
    columns = (frame[name].astype("str") for name in ("account", "region", *names))
    return set(zip(*columns, strict=True))


@check(
    id="connection-log-is-kept-for-ever",
    title="Connection logs are kept for a set time",
    severity=Severity.LOW,
    **_JUDGED,
    condition=(
        "keeps a connection log for ever",
        "keep connection logs for ever",
    ),
    rationale=(
        "The connection log says who was at work from which address at what time. Kept for ever, "
        "it becomes a record of people's habits that data protection rarely allows, is worth "
        "stealing, and costs a little more every month. CloudWatch Logs keeps everything unless "
        "it is told otherwise."
    ),
    remedy=(
        "Decide with those who handle incidents, and those who answer for data protection, how "
        "long the log is needed (a year is common), and set the log group's retention to that. "
        "What is older is then deleted: export it first where it must be kept."
    ),
    verify=(
        "aws logs describe-log-groups --log-group-name-prefix <name> --query "
        "'logGroups[].retentionInDays' shows the number of days."
    ),
    false_alarms=(
        "A rule that asks for the log to be kept without limit.",
        "A log group that something else empties, or whose entries are deleted elsewhere.",
    ),
    decision="How long the log is kept is weighed between incident handling and data protection, and shortening it deletes entries for good.",
    reference="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
)
def connection_log_is_kept_for_ever(judged: pd.DataFrame, log_groups: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints whose log group has no retention."""
    endless = log_groups[log_groups["retention_in_days"].isna()]
    found = judged[["account", "region", "endpoint_id", "name", "connection_log_group"]].merge(
        endless,
        left_on=["account", "region", "connection_log_group"],
        right_on=["account", "region", "log_group_name"],
    )
    return evidence_of(
        "account region endpoint_id log_group_name reason source record",
        (
            {
                **place_of(row),
                "log_group_name": row.log_group_name,
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{endpoint} logs to {group}, which keeps entries for ever.",
                    endpoint=called(row),
                    group=words.clean(row.log_group_name),
                ),
            }
            for row in rows_of(found)
        ),
    )
