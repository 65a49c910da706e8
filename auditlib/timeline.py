"""When what ends: certificates, revocation lists and providers on a line of time, and sessions.

The frames hold what the picture shows. A date that nobody read is no bar, and is said.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib import summary
from auditlib.characters import visible
from auditlib.drawing import INK, Picture, cut, drawing, svg_of
from auditlib.language import marked, sentences, tr, tr_as
from auditlib.words import count, opening

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from auditlib.audit import Audit

__all__ = ["picture", "sessions", "validity"]

TABLES = ("server_certificates", "client_certificate_revocation_lists", "saml_providers")
SESSIONS = "client_vpn_connections"
DRAWN = 24
"""Bars and endpoints drawn; the rest is in the frames."""

MARKS = 60
"""Sessions drawn of one endpoint, evenly chosen."""

_VALIDITY = ["account", "region", "what", "name", "starts", "ends", "standing"]
_SESSIONS = ["account", "region", "endpoint_id", "connection_id", "established", "ended", "hours"]


def validity(audit: "Audit") -> pd.DataFrame:
    """Return what has an end, what ends first above.

    Parameters
    ----------
    audit
        What was read.

    Returns
    -------
    pandas.DataFrame
        ``account``, ``region``; ``what`` (server certificate, revocation list, SAML metadata, SAML
        signing certificate); ``name`` (domain, endpoint or provider); ``starts`` and ``ends``
        (missing where AWS does not say); ``standing`` when the snapshot was read: ``ended``,
        ``not yet``, ``valid``, or ``unknown`` where no end was told.
    """
    rows = pd.DataFrame(list(_with_an_end(audit)), columns=_VALIDITY)
    for column in ("starts", "ends"):
        rows[column] = pd.to_datetime(rows[column], utc=True)
    return rows.sort_values(["ends", "what", "name"], ignore_index=True)


def _with_an_end(audit: "Audit") -> Iterator[tuple[Any, ...]]:
    names = summary.names(audit)
    moment = _moment(audit)

    def row(of: Any, what: str, name: str, starts: Any, ends: Any) -> tuple[Any, ...]:
        read = moment if pd.isna(of.read_at) else of.read_at
        return (of.account, of.region, what, name, starts, ends, _standing(starts, ends, read))

    for one in _rows(audit.tables["server_certificates"]):
        name = one.certificate_arn if pd.isna(one.domain_name) else one.domain_name
        yield row(one, marked("server certificate"), name, one.not_before, one.not_after)
    for one in _rows(audit.tables["client_certificate_revocation_lists"]):
        if one.imported:
            name = names.get(one.endpoint_id, one.endpoint_id)
            yield row(one, marked("revocation list"), name, one.issued, one.next_update)
    for one in _rows(audit.tables["saml_providers"]):
        name = one.provider_arn.rsplit("/", 1)[-1]
        if pd.notna(one.metadata_valid_until):
            yield row(one, marked("SAML metadata"), name, one.created, one.metadata_valid_until)
        if pd.notna(one.certificates_end):
            yield row(one, marked("SAML signing certificate"), name, pd.NaT, one.certificates_end)


def _standing(starts: Any, ends: Any, read: datetime | None) -> str:
    if pd.isna(ends) or read is None:
        return "unknown"
    if ends <= read:
        return "ended"
    return "not yet" if pd.notna(starts) and starts > read else "valid"


def sessions(audit: "Audit") -> pd.DataFrame:
    """Return the connections that were seen, and how long each had lasted when they were read.

    Returns
    -------
    pandas.DataFrame
        ``account``, ``region``, ``endpoint_id``, ``connection_id``, ``established``, ``ended``
        (missing while it lives) and ``hours`` up to its end or the reading; missing where no time
        was told. AWS lists those that live and those that ended within the last hour.
    """
    found = audit.tables[SESSIONS]
    rows = found[[name for name in _SESSIONS if name != "hours"]].copy()
    until = (
        rows["ended"].fillna(pd.Timestamp(moment)) if (moment := _moment(audit)) else rows["ended"]
    )
    rows["hours"] = ((until - rows["established"]).dt.total_seconds() / 3600).round(1)
    return rows.sort_values(["established", "connection_id"], ignore_index=True)


def _moment(audit: "Audit") -> datetime | None:
    identity = summary.identity(audit)
    return identity.finished or identity.started


def picture(audit: "Audit") -> Picture:
    """Return two lines of time: what is valid until when, and since when endpoints are in use.

    What had ended when the snapshot was read is hatched and says so. A mark is a session; the
    sessions of an endpoint share a line.
    """
    ends = validity(audit)
    bars = ends[ends["ends"].notna()].head(DRAWN)
    used = _by_endpoint(audit)
    told, live = _ends_told(ends), _sessions_told(used)
    moment = _moment(audit)
    heights = [0.32 * max(len(bars), 1) + 0.75, 0.32 * len(used) + 0.75 if len(used) else 0.0]
    width, height = 7.4, sum(heights)
    with drawing():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), layout="constrained")
        if len(used):
            above, below = figure.subplots(2, 1, height_ratios=heights)
            _marks(below, used, moment)
        else:
            above = figure.add_subplot()
        _bars(above, bars, moment)
        svg = svg_of(figure)
    return Picture(
        svg=svg,
        text=_in_words(told, live),
        caption=_caption(audit, ends, len(bars), len(used)),
        lists=((tr("Valid until"), told), (tr("Sessions since (UTC)"), live)),
        width=round(width * 96),
        height=round(height * 96),
    )


def _bars(axes: "Axes", bars: pd.DataFrame, moment: datetime | None) -> None:
    axes.set_title(tr("Valid until"), loc="left", fontsize=9.5, fontweight="bold")
    _bare(axes)
    if bars.empty:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0, 0.5, tr("nothing with an end was read"), transform=axes.transAxes, va="center")
        return
    first = min([*bars["starts"].dropna(), *bars["ends"], *([moment] if moment else [])])
    for y, bar in enumerate(_rows(bars)):
        start = first if pd.isna(bar.starts) else bar.starts
        left, right = _day_number(start), _day_number(bar.ends)
        ended = bar.standing == "ended"
        axes.barh(
            y,
            right - left,
            left=left,
            height=0.56,
            color="#ffffff" if ended else "#c9d3dc",
            hatch="////" if ended else "",
            edgecolor=INK,
            linewidth=0.6,
        )
        axes.annotate(
            tr("ended {day:%Y-%m-%d}", day=bar.ends) if ended else f"{bar.ends:%Y-%m-%d}",
            (right, y),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    _now(axes, moment)
    axes.set_yticks(range(len(bars)), [cut(_called(bar), 50) for bar in _rows(bars)])
    axes.invert_yaxis()
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + (high - low) * 0.2)
    _dated(axes, "%Y-%m", 7)


def _marks(axes: "Axes", used: pd.DataFrame, moment: datetime | None) -> None:
    axes.set_title(tr("Sessions since (UTC)"), loc="left", fontsize=9.5, fontweight="bold")
    _bare(axes)
    for y, row in enumerate(_rows(used)):
        times = [_day_number(one) for one in row.established]
        axes.hlines(y, min(times), _day_number(row.until), color=INK, linewidth=0.8)
        shown = times[:: -(-len(times) // MARKS)]
        axes.plot(shown, [y] * len(shown), linestyle="", marker="|", markersize=13, color=INK)
    _now(axes, moment)
    axes.set_yticks(range(len(used)), [cut(f"{row.name_} ({row.number})") for row in _rows(used)])
    axes.set_ylim(len(used) - 0.5, -0.5)
    _dated(axes, "%m-%d %H:%M", 4)


def _rows(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples())


def _day_number(moment: Any) -> float:
    from matplotlib.dates import date2num

    return float(date2num(moment))  # type: ignore[no-untyped-call]


def _dated(axes: "Axes", form: str, most: int) -> None:
    from matplotlib.dates import AutoDateLocator, DateFormatter

    axes.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=most))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]


def _bare(axes: "Axes") -> None:
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8.5)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _now(axes: "Axes", moment: datetime | None) -> None:
    if moment is not None:
        axes.axvline(_day_number(moment), color="#a3281f", linestyle="--", linewidth=1.2)


def _called(row: Any) -> str:
    return visible(f"{row.name}: {tr(row.what)}")


def _by_endpoint(audit: "Audit") -> pd.DataFrame:
    """Return one row per endpoint in use: its name, how many sessions, when each began."""
    names = summary.names(audit)
    found = audit.tables[SESSIONS].dropna(subset=["established"])
    moment = _moment(audit)
    rows = [
        (
            visible(names.get(str(id), str(id))),
            len(part),
            sorted(part["established"]),
            max([*part["ended"].dropna(), *part["established"], *([moment] if moment else [])])
            if part["ended"].isna().any()
            else part["ended"].max(),
        )
        for id, part in found.groupby("endpoint_id")
    ]
    return pd.DataFrame(rows, columns=["name_", "number", "established", "until"]).head(DRAWN)


def _caption(audit: "Audit", ends: pd.DataFrame, drawn: int, used: int) -> str:
    said = [tr("What ends first stands above; the dashed line is when the snapshot was read.")]
    if (ends["standing"] == "ended").any():
        said.append(tr("Hatched: it had ended by then."))
    untold = int(ends["ends"].isna().sum())
    if untold:
        said.append(tr("Of {untold} no end is told.", untold=count(untold, "more thing")))
    if (more := len(ends) - untold - drawn) > 0:
        said.append(opening(tr("{more} ends later.", more=count(more, "more thing"))))
    if used:
        said.append(tr("Below, a mark is when a session began; in brackets, how many were seen."))
    if refused := len(audit.tables.gaps(*TABLES, SESSIONS).drop_duplicates("operation")):
        said.append(
            tr(
                "{calls} gave no answer, so more may end, or be in use, than is drawn.",
                calls=opening(count(refused, "kind of call")),
            )
        )
    return sentences(*said)


def _ends_told(ends: pd.DataFrame) -> tuple[str, ...]:
    return tuple(f"{_called(row)} {_until(row)}" for row in _rows(ends))


def _sessions_told(used: pd.DataFrame) -> tuple[str, ...]:
    return tuple(
        tr(
            "{name} {sessions}, the oldest since {moment}",
            name=row.name_,
            sessions=count(row.number, "session"),
            moment=summary.when(row.established[0]),
        )
        for row in _rows(used)
    )


def _in_words(told: tuple[str, ...], live: tuple[str, ...]) -> str:
    none = tr("nothing with an end was read")
    return sentences(
        tr("Validity: {list}.", list=tr_as("list", "; ").join(told) or none),
        tr("Sessions: {list}.", list=tr_as("list", "; ").join(live) or tr("none was seen")),
    )


def _until(row: Any) -> str:
    if pd.isna(row.ends):
        return tr("no end told")
    if row.standing == "ended":
        return tr("until {day:%Y-%m-%d} (ended)", day=row.ends)
    return tr("until {day:%Y-%m-%d}", day=row.ends)
