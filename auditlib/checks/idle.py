"""Checks of endpoints that nobody uses."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.aws.reads import read_of
from auditlib.check import Severity, TableSource, check, evidence_of
from auditlib.checks._parts import GUIDE, called, day, living, not_said, place_of
from auditlib.frames import rows_of, rows_where
from auditlib.gaps import GapRow
from auditlib.language import sentences, tr

_IDLE = pd.Timedelta(days=30)
_ASSOCIATED = ["associated", "associating"]


class _Log:
    """What the log streams tell about when somebody last connected, or tried to."""

    def __init__(
        self, judged: pd.DataFrame, log_groups: pd.DataFrame, log_streams: pd.DataFrame
    ) -> None:
        self._groups = {
            (row.account, row.region, row.log_group_name): row.created
            for row in rows_of(log_groups)
        }
        self._streams: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
        for row in rows_of(log_streams):
            self._streams[row.account, row.region, row.log_group_name].append(row)
        self._writers = Counter(
            (row.account, row.region, row.connection_log_group) for row in rows_of(judged)
        )
        self._most = read_of("logs-describe-log-streams").most or 0

    def last_entry(self, endpoint: Any) -> tuple[bool, Any]:
        """Return whether the log tells, and the time of the newest entry (``NaT`` for none).

        A stream is the endpoint's own where the endpoint names it or its name holds the
        endpoint's id; where none is, every stream of the group may be.
        """
        key = (endpoint.account, endpoint.region, endpoint.connection_log_group)
        logs = not pd.isna(endpoint.connection_log_enabled) and bool(
            endpoint.connection_log_enabled
        )
        if not logs or key not in self._groups:
            return False, pd.NaT
        streams = self._streams.get(key)
        before = endpoint.read_at - _IDLE
        if not streams:
            # An empty group tells nothing while it is new.
            named = isinstance(endpoint.connection_log_stream, str)
            return not named and self._groups[key] < before, pd.NaT
        own = [
            stream
            for stream in streams
            if stream.log_stream_name == endpoint.connection_log_stream
            or endpoint.endpoint_id in stream.log_stream_name
        ]
        if own:
            last = _newest(own)
            oldest = min((s.created for s in own if not pd.isna(s.created)), default=pd.NaT)
            return not pd.isna(last) or oldest < before, last
        if isinstance(endpoint.connection_log_stream, str):
            return False, pd.NaT
        last = _newest(streams)
        alone = self._writers.get(key) == 1
        old = last < before if not pd.isna(last) else self._groups[key] < before
        return old or (alone and not pd.isna(last) and len(streams) < self._most), last

    def record(self, endpoint: Any, last: Any) -> tuple[Any, Any]:
        """Return file and record of the stream with the newest entry; the endpoint's for none."""
        key = (endpoint.account, endpoint.region, endpoint.connection_log_group)
        newest = (s for s in self._streams.get(key, ()) if s.last_event == last)
        found = next(newest, endpoint)
        return found.source, found.record


def _newest(streams: list[Any]) -> Any:
    return max((s.last_event for s in streams if not pd.isna(s.last_event)), default=pd.NaT)


def _quiet(judged: pd.DataFrame, client_vpn_connections: pd.DataFrame) -> Iterator[Any]:
    """Return the endpoints that are not young and had no connection when they were read.

    None that was live, and none that had ended within the hour.
    """
    used = {(row.account, row.region, row.endpoint_id) for row in rows_of(client_vpn_connections)}
    for row in rows_of(judged):
        young = row.created > row.read_at - _IDLE
        if not young and (row.account, row.region, row.endpoint_id) not in used:
            yield row


def _untold_use(
    judged: pd.DataFrame,
    client_vpn_connections: pd.DataFrame,
    log_groups: pd.DataFrame,
    log_streams: pd.DataFrame,
) -> list[GapRow]:
    """Return a gap for each endpoint of which nothing tells whether anybody used it lately."""
    log = _Log(judged, log_groups, log_streams)
    found = []
    for row in _quiet(judged, client_vpn_connections):
        if pd.isna(row.read_at) or pd.isna(row.created):
            found.append((row, row.endpoint_id, tr("the age of the endpoint is not known")))
        elif not log.last_entry(row)[0]:
            why = tr(
                "no connection log tells whether anybody used {row.endpoint_id} before the last hour",
                row=row,
            )
            found.append((row, row.endpoint_id, why))
    return not_said("logs-describe-log-streams", found)


def _asks_for_certificates(endpoint: Any) -> bool:
    return "certificate-authentication" in endpoint.authentication_types


def _unused_since(tables: TableSource, evidence: pd.DataFrame) -> str:
    """Say since when nothing shows that an endpoint was used, and what its log would not show."""
    (found,) = rows_of(evidence)
    endpoints = tables.shared("client_vpn_endpoints")
    (endpoint,) = rows_where(endpoints, endpoints["endpoint_id"] == found.endpoint_id)
    return sentences(
        tr("Nothing shows that it was used in the 30 days before the snapshot.")
        if pd.isna(found.last_entry)
        else tr(
            "Nothing shows that it was used after {last}, {nouns} before the snapshot.",
            last=day(found.last_entry),
            nouns=words.count(_days(found.last_entry, endpoint.read_at), "day"),
            days=_days(found.last_entry, endpoint.read_at),
        ),
        tr("Its log would not show who fails with a certificate: AWS does not log that.")
        if _asks_for_certificates(endpoint)
        else "",
        tr(
            "Where nobody needs it, deleting it ends all that is found at it, without a fix for each, but for "
            "its log: that stays in {group}, and is kept for ever.",
            group=group,
        )
        if (group := endless_log(tables, endpoint))
        else tr(
            "Where nobody needs it, deleting it ends all that is found at it, without a fix for each."
        ),
    )


def endless_log(tables: TableSource, endpoint: Any) -> str:
    """Return the group in which the log of an endpoint is kept for ever; empty where there is none."""
    groups = tables.shared("log_groups")
    place = ("account", "region")
    held = groups[groups["log_group_name"].eq(endpoint.connection_log_group or "")]
    return next(
        (
            words.clean(row.log_group_name, 200)
            for row in rows_where(held, held["retention_in_days"].isna())
            if all(getattr(row, name) == getattr(endpoint, name) for name in place)
        ),
        "",
    )


def _days(since: Any, until: Any) -> int:
    return int((until - since) / pd.Timedelta(days=1))


@check(
    id="endpoint-is-idle",
    title="Endpoints are used",
    severity=Severity.LOW,
    population="client_vpn_endpoints",
    among=living,
    noun="Client VPN endpoint",
    unseen=_untold_use,
    condition=("is idle", "are idle"),
    rationale=(
        "An endpoint that nobody uses is still a door into the network, with certificates, groups "
        "and rules that nobody looks after any more; a stolen credential would be used there "
        "unnoticed. And AWS bills every associated subnet by the hour, whether anybody connects "
        "or not."
    ),
    remedy=(
        "Delete the endpoint once its owner agrees, or remove its associations first: nobody can "
        "connect then, and the hours end. Note its subnets, security groups and routes before: with its "
        "associations AWS deletes its routes, those that were added by hand too, and associating a "
        "subnet again brings back only the one for the VPC. Keep its connection log for as long as "
        "incidents may be looked into."
    ),
    verify=(
        "aws ec2 describe-client-vpn-endpoints no longer lists it, or "
        "describe-client-vpn-target-networks returns an empty list."
    ),
    false_alarms=(
        "An endpoint kept for emergencies: note it as accepted, and test it now and then.",
        "A season in which nobody works, as we look at the last 30 days only.",
        "A log whose retention is shorter than the time between two connections, or that was "
        "switched on less than 30 days before, into a group that was there already.",
        "An endpoint whose users fail at mutual authentication: AWS does not log those attempts, so where "
        "an endpoint asks for certificates its row says so.",
    ),
    bearing=_unused_since,
    decision="Whether an endpoint is still needed, for emergencies say, only its owner knows.",
    reference=f"{GUIDE}what-is.html",
)
def endpoint_is_idle(
    judged: pd.DataFrame,
    client_vpn_connections: pd.DataFrame,
    log_groups: pd.DataFrame,
    log_streams: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
) -> pd.DataFrame:
    """Return endpoints whose log shows no attempt to connect in the 30 days before the snapshot."""
    log = _Log(judged, log_groups, log_streams)
    bound = Counter(
        row.endpoint_id for row in rows_of(client_vpn_target_networks) if row.status in _ASSOCIATED
    )
    rows = []
    for row in _quiet(judged, client_vpn_connections):
        known, last = log.last_entry(row)
        if not known or pd.isna(row.read_at) or pd.isna(row.created):
            continue
        if not pd.isna(last) and last >= row.read_at - _IDLE:
            continue
        associations = bound[row.endpoint_id]
        since = row.created if pd.isna(last) else last
        hours = int((row.read_at - since) / pd.Timedelta(hours=1)) * associations
        source, record = log.record(row, last)
        said = [
            tr(
                "Nobody connected to {endpoint} in the last 30 days, as far as its log goes: it holds no "
                "entry at all.",
                endpoint=called(row),
            )
            if pd.isna(last)
            else tr(
                "Nobody connected to {endpoint} since {last}, {nouns} before the snapshot, as far as its log "
                "goes: its newest entry is of that day.",
                endpoint=called(row),
                last=day(last),
                nouns=words.count(_days(last, row.read_at), "day"),
                days=_days(last, row.read_at),
            )
        ]
        if _asks_for_certificates(row):
            said.append(
                tr(
                    "Users may have tried: it asks for a client certificate, and AWS does not log who "
                    "fails with one."
                )
            )
        if associations:
            said.append(tr("{cost}.", cost=words.opening(_cost(associations, hours, since))))
        rows.append(
            {
                **place_of(row),
                "last_entry": last,
                "associations": associations,
                "association_hours": hours,
                "source": source,
                "record": record,
                "reason": sentences(*said),
                "by_absence": True,
                "rank": -hours,
            }
        )
    return evidence_of(
        "account region endpoint_id last_entry associations association_hours reason source record",
        rows,
    )


def _cost(associations: int, hours: int, since: Any) -> str:
    """Say how many hours of associations AWS billed about, for nobody."""
    if associations == 1:
        return tr(
            "one association of it came to about {hours:,} billed hours since {since}, if it was "
            "there all the time",
            hours=hours,
            since=day(since),
        )
    return tr(
        "{nouns} of it came to about {hours:,} billed hours since {since}, if they were "
        "there all the time",
        nouns=words.count(associations, "association"),
        associations=associations,
        hours=hours,
        since=day(since),
    )
