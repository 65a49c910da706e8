"""Pictures: findings by endpoint, the ways users take, one way hop by hop, and what ends when."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib import endpoints, reached, summary
from auditlib.characters import visible
from auditlib.check import Severity
from auditlib.drawing import INK, Picture, columns, cut, drawing, figure_of, svg_of
from auditlib.language import marked, sentences, tr, tr_as
from auditlib.words import count, series
from auditlib.words import told as called

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from auditlib.access.explanation import Explanation, Path
    from auditlib.audit import Audit

__all__ = ["Picture", "hops", "paths", "severity_by_endpoint"]

# From dark to light, so that grey print and any colour vision keep the order: bar and number in it.
SHADES: dict[str, tuple[str, str]] = {
    Severity.CRITICAL: ("#5c0f1e", "#ffffff"),
    Severity.HIGH: ("#a3281f", "#ffffff"),
    Severity.MEDIUM: ("#d07a2d", "#1b1f23"),
    Severity.LOW: ("#ecc36b", "#1b1f23"),
    Severity.INFO: ("#f4e9cf", "#1b1f23"),
}
LACKING = "not_assessed"
WORDS = {LACKING: marked("lacking an answer")}

LONGEST_BOX = 48


def severity_by_endpoint(audit: "Audit") -> Picture:
    """Return a bar per endpoint: how many checks fail at each severity, are information, lack an answer."""
    frame = endpoints.by_endpoint(audit)
    columns = [*(s.value for s in reversed(Severity)), LACKING]
    used = [column for column in columns if frame[column].any()]
    heading = tr("Checks that fail, or are information (info), by endpoint.")
    items = _counted(frame, used)
    height = 0.34 * max(len(frame), 1) + 0.85
    with drawing():
        figure, axes = figure_of(7.4, height)
        _bars(axes, frame, used)
        if drawn := [column for column in used if column != LACKING]:
            figure.legend(
                loc="outside upper left",
                ncols=len(drawn),
                frameon=False,
                borderaxespad=0.2,
                handlelength=1.2,
                columnspacing=1.4,
            )
        svg = svg_of(figure)
    return Picture(
        svg=svg,
        text=_in_words(heading, items),
        caption=_bars_explained(audit),
        lists=((heading, items),),
        width=round(7.4 * 96),
        height=round(height * 96),
    )


def _bars_explained(audit: "Audit") -> str:
    """Return how to read the bars, and how many checks lack an answer in all."""
    lacking = len(summary.blocked_checks(audit.findings))
    if not lacking:
        return tr("Checks that fail, by endpoint and severity; info: checks that are information.")
    first = tr(
        "Checks that fail, by endpoint and severity; info: checks that are information; a number with a "
        "question mark: checks that lack an answer."
    )
    if lacking == 1:
        more = tr("There is one such check in all; it stands at each endpoint it concerns.")
    else:
        more = tr(
            "There are {checks} in all; each stands at every endpoint it concerns.",
            checks=count(lacking, "such check"),
        )
    return sentences(first, more)


def _bars(axes: "Axes", frame: pd.DataFrame, used: list[str]) -> None:
    rows = range(len(frame))
    left = [0] * len(frame)
    for column in (column for column in used if column != LACKING):
        face, ink = SHADES[column]
        values = [int(value) for value in frame[column]]
        axes.barh(
            rows,
            values,
            left=left,
            height=0.62,
            color=face,
            edgecolor=INK,
            linewidth=0.6,
            label=tr(WORDS.get(column, column)),
        )
        for row, value in enumerate(values):
            if value:
                axes.text(
                    left[row] + value / 2,
                    row,
                    str(value),
                    ha="center",
                    va="center",
                    color=ink,
                )
        left = [before + value for before, value in zip(left, values, strict=True)]
    # What nobody knows is no length: beside a bar it would outshout what is known to be bad.
    for row, value in enumerate(frame[LACKING]):
        if value:
            axes.annotate(
                f"? {value}", (left[row], row), (5, 0), textcoords="offset points", va="center"
            )
    axes.set_yticks(list(rows), [_label(row) for row in frame.to_dict("records")])
    axes.invert_yaxis()
    axes.set_xlim(0, max([*left, 1]) * 1.1)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _label(row: Mapping[Hashable, Any]) -> str:
    """Return what to call a row: its name, else the endpoint's id, else what stands for one."""
    if row["name"]:
        return cut(visible(row["name"]))
    id = str(row["endpoint_id"])
    return f"{tr(id)} ({row['region']})" if " " in id else cut(id)


def _counted(frame: pd.DataFrame, used: list[str]) -> tuple[str, ...]:
    """Return a line per row: how many checks count at it, by severity."""
    said = []
    for row in frame.to_dict("records"):
        parts = [
            tr("{number} {severity}", number=row[column], severity=tr(WORDS.get(column, column)))
            for column in used
            if row[column]
        ]
        who = visible(row["name"] or tr(str(row["endpoint_id"])))
        told = series(parts) or tr("none")
        said.append(f"{who} ({row['region']}): {told}")
    return tuple(said)


def _in_words(heading: str, items: tuple[str, ...]) -> str:
    if not items:
        return tr("No endpoint was seen.")
    return sentences(heading, tr("{list}.", list=tr_as("list", "; ").join(items)))


# -- who reaches what -------------------------------------------------------------------------

STROKES = {"reliable": "-", "fragile": "--", "unknown": ":"}
DRAWN = 30  # boxes in one column; where there are more receivers, they are put together
BETWEEN = 1.1  # inches between two columns
LETTER = 0.071  # inches of a letter in a box


def paths(audit: "Audit", rows: pd.DataFrame) -> Picture:
    """Return the ways users take: endpoint, association, receivers, as lines between boxes.

    Parameters
    ----------
    rows
        Rows of :func:`auditlib.access.reach`.
    """
    boxes, lines = _ways(audit, rows)
    told = _ways_told(lines)
    together, _ = reached.receivers(audit, rows, DRAWN)
    height = 0.42 * max([len(column) for column in boxes] or [1]) + 1.0
    places = _placed(boxes)
    width = sum(places[-1]) + 0.1
    with drawing():
        figure, axes = figure_of(width, height)
        _boxes(axes, boxes, lines, places)
        svg = svg_of(figure)
    return Picture(
        svg=svg,
        text=_ways_in_words(told),
        lists=(("", told),),
        caption=sentences(
            tr(
                "From the endpoint through its associations to what it reaches. Solid: reliable; "
                "dashed: fragile; dotted: unknown."
            ),
            ""
            if together == "interface"
            else tr(
                "Receivers are put together by {kind}, each named by one of its machines.",
                kind=tr(together),
            ),
        ),
        width=round(width * 96),
        height=round(height * 96),
    )


_COLUMNS = (marked("Endpoint"), marked("Association"), marked("Receiver"))
Line = tuple[int, str, str]  # from which column, from which box, to which box


def _ways(audit: "Audit", rows: pd.DataFrame) -> tuple[list[list[str]], dict[Line, str]]:
    """Return the boxes of the three columns and the lines between them with their certainty."""
    names = _told_apart(summary.names(audit), {*rows["endpoint_id"], *rows["subnet_id"].dropna()})
    labels = _machines(audit, rows)
    columns: list[dict[str, None]] = [{}, {}, {}]
    lines: dict[Line, str] = {}
    users: dict[tuple[int, str], dict[str, None]] = {}
    worst = endpoints.ranks(audit)
    ranked = rows.sort_values("endpoint_id", key=lambda ids: ids.map(worst), kind="stable")
    told = ranked[["endpoint_id", "subnet_id", "eni_id", "certainty", "via"]]
    for endpoint, subnet, eni, certainty, via in told.itertuples(index=False):
        start = _box(names.get(endpoint, endpoint))
        middle = (
            _box(names.get(subnet, subnet)) if isinstance(subnet, str) else tr("transit gateway")
        )
        end = _box(labels[eni] if isinstance(eni, str) else reached.exit_word(via))
        for column, box in zip(columns, (start, middle, end), strict=True):
            column.setdefault(box)
        for at, box in ((1, middle), (2, end)):
            users.setdefault((at, box), {})[start] = None
        for line in ((0, start, middle), (1, middle, end)):
            lines[line] = reached.surest((lines.get(line, certainty), certainty))
    return _drawn([list(column) for column in columns], lines, users)


def _machines(audit: "Audit", rows: pd.DataFrame) -> dict[str, str]:
    """Return what to call receivers, by interface id: by a machine, and how many stand with it."""
    _, labels = reached.receivers(audit, rows, DRAWN)
    names = summary.names(audit)
    members: dict[str, list[str]] = {}
    for eni, label in sorted(labels.items(), key=lambda one: names.get(one[0], one[0])):
        members.setdefault(label, []).append(names.get(eni, eni))
    called = {
        label: held[0]
        if len(held) == 1 or held[0] == label
        else tr("{name} and {number} more", name=held[0], number=len(held) - 1)
        for label, held in members.items()
    }
    shared = Counter(called.values())
    return {
        eni: called[label] if shared[called[label]] == 1 else f"{called[label]} ({label})"
        for eni, label in labels.items()
    }


def _told_apart(names: Mapping[str, str], ids: Iterable[str]) -> dict[str, str]:
    """Return the names of things, with the end of the id where several have one name.

    >>> _told_apart({"vpc-1a": "prod", "vpc-2b": "prod", "vpc-3": "lab"}, ["vpc-1a", "vpc-2b", "vpc-3"])
    {'vpc-1a': 'prod (…c-1a)', 'vpc-2b': 'prod (…c-2b)', 'vpc-3': 'lab'}
    """
    own = {id: names[id] for id in ids if id in names}
    shared = Counter(own.values())
    return {id: f"{name} (…{id[-4:]})" if shared[name] > 1 else name for id, name in own.items()}


def _drawn(
    columns: list[list[str]],
    lines: dict[Line, str],
    users: Mapping[tuple[int, str], Iterable[str]],
) -> tuple[list[list[str]], dict[Line, str]]:
    """Return the boxes that are drawn and the lines between them.

    What one endpoint leads to stands together, in the order of endpoints; what several lead to
    stands between them.
    """
    columns = [column[:DRAWN] for column in columns]
    order = {box: y for y, box in enumerate(columns[0])}
    for x in (1, 2):
        from_ = {
            box: sorted(order[s] for s in users[x, box] if s in order) or [0] for box in columns[x]
        }
        columns[x].sort(key=lambda box: (sum(from_[box]) / len(from_[box]), from_[box], box))
    kept = {
        line: certainty
        for line, certainty in lines.items()
        if line[1] in columns[line[0]] and line[2] in columns[line[0] + 1]
    }
    return columns, kept


def _box(text: str) -> str:
    return cut(visible(text), LONGEST_BOX)


def _placed(boxes: list[list[str]]) -> list[tuple[float, float]]:
    """Return where each column of boxes begins and how wide it is, in inches: as its longest text."""
    placed = []
    left = 0.0
    for head, column in zip(_COLUMNS, boxes, strict=True):
        width = LETTER * max(columns(text) for text in (f"{tr(head)}  ", *column)) + 0.15
        placed.append((left, width))
        left += width + BETWEEN
    return placed


def _boxes(
    axes: "Axes",
    boxes: list[list[str]],
    lines: dict[Line, str],
    places: list[tuple[float, float]],
) -> None:
    from matplotlib.patches import Rectangle

    axes.set_axis_off()
    axes.set_xlim(-0.03, sum(places[-1]) + 0.03)
    tallest = max([len(column) for column in boxes] or [1])
    axes.set_ylim(tallest - 0.4, -1.0)
    at = {
        (x, box): (tallest - len(column)) / 2 + y
        for x, column in enumerate(boxes)
        for y, box in enumerate(column)
    }
    for (left, _), head in zip(places, _COLUMNS, strict=True):
        axes.text(left, -0.8, tr(head), fontweight="bold", va="center")
    for (x, start, end), certainty in lines.items():
        axes.plot(
            [sum(places[x]), places[x + 1][0]],
            [at[x, start], at[x + 1, end]],
            linestyle=STROKES[certainty],
            color=INK,
            linewidth=1.1,
        )
    for (x, box), y in at.items():
        left, width = places[x]
        axes.add_patch(
            Rectangle(
                (left, y - 0.34),
                width,
                0.68,
                facecolor="#f6f7f8",
                edgecolor=INK,
                linewidth=0.6,
                zorder=2,
            )
        )
        axes.text(left + 0.06, y, box, va="center", zorder=3, fontsize=8.5)


def _ways_told(lines: dict[Line, str]) -> tuple[str, ...]:
    return tuple(
        tr("{start} to {end} ({certainty})", start=start, end=end, certainty=tr(certainty))
        for (_, start, end), certainty in lines.items()
    )


def _ways_in_words(told: tuple[str, ...]) -> str:
    if not told:
        return tr("Nothing is reached.")
    return tr("Ways through the VPN: {list}.", list=tr_as("list", "; ").join(told))


# -- one way, and what blocks it --------------------------------------------------------------

LANES = 3  # associations drawn side by side
WIDE = 0.76  # of a box but for its edge, where the lanes are 1 apart
MARKS = {"open": "✓", "closed": "✕", "unknown": "?"}
FILLS = {"open": ("#f6f7f8", ""), "closed": ("#f3d0cb", ""), "unknown": ("#ffffff", "////")}
ENDS = {"yes": marked("reached"), "no": marked("not reached"), "unknown": marked("not known")}


def hops(explanation: "Explanation") -> Picture:
    """Return one way as a picture: from the client down through every hop, and what blocks it.

    One lane per association, the first three; a closed hop has a heavy edge and a cross, and the
    line goes on dotted behind it.
    """
    lanes = explanation.paths[:LANES]
    tallest = max(len(path.hops) for path in lanes)
    width, height = 0.6 + 3.4 * len(lanes), 0.46 * (tallest + 2) + 0.5
    with drawing():
        figure, axes = figure_of(width, height)
        axes.set_axis_off()
        axes.set_xlim(-0.02, len(lanes) - 1 + WIDE + 0.16)
        axes.set_ylim(tallest + 1.7, -0.9)
        for x, path in enumerate(lanes):
            _lane(axes, x, path, explanation)
        svg = svg_of(figure)
    rest = len(explanation.paths) - len(lanes)
    more = tr("The other {rest} associations are in the tables below.", rest=rest) if rest else ""
    answer, told = visible(explanation.answer), _hops_told(explanation)
    return Picture(
        svg=svg,
        text=sentences(answer, tr("{list}.", list=tr_as("list", "; ").join(told))),
        caption=sentences(
            tr(
                "From the client through each hop to the receiver, by association. ✓ open; ✕ and a "
                "heavy edge: closed; ? and hatched: unknown."
            ),
            more,
        ),
        lists=((answer, told),),
        width=round(width * 96),
        height=round(height * 96),
    )


def _lane(axes: "Axes", x: int, path: "Path", explanation: "Explanation") -> None:
    who = (
        tr("any user")
        if explanation.group == "*"
        else tr("user in {group}", group=explanation.group)
    )
    where = path.subnet_name or path.subnet_id or tr("transit gateway")
    port = "" if explanation.port is None else f" {explanation.port}"
    aim = f"{explanation.to} {explanation.protocol.upper()}{port}: {tr(ENDS[path.reachable])}"
    boxes = [("open", tr("{who}, landing on {where}", who=who, where=where))]
    boxes += [
        (
            hop.state,
            f"{MARKS[hop.state]} {tr(hop.step)}: {called(hop.object_id, hop.object_name or hop.object_id)}",
        )
        for hop in path.hops
    ]
    boxes.append(({"yes": "open", "no": "closed"}.get(path.reachable, "unknown"), aim))
    passed = True
    for y, (state, text) in enumerate(boxes):
        _hop(axes, x, y, state, text)
        passed = passed and state == "open"
        if y + 1 < len(boxes):
            middle = x + WIDE / 2
            stroke = "-" if passed else ":"
            axes.plot([middle, middle], [y + 0.34, y + 0.66], linestyle=stroke, color=INK, lw=1.3)


def _hop(axes: "Axes", x: float, y: float, state: str, text: str) -> None:
    from matplotlib.patches import Rectangle

    face, hatch = FILLS[state]
    edge, width = ("#a3281f", 2.0) if state == "closed" else (INK, 0.7)
    axes.add_patch(
        Rectangle(
            (x, y - 0.34),
            WIDE + 0.12,
            0.68,
            facecolor=face,
            edgecolor=edge,
            linewidth=width,
            hatch=hatch,
            zorder=2,
        )
    )
    box = {"facecolor": face, "edgecolor": "none", "pad": 1.0} if hatch else None
    label = cut(visible(text), 46)
    axes.text(x + 0.02, y, label, va="center", zorder=3, fontsize=8.5, bbox=box)


def _hops_told(explanation: "Explanation") -> tuple[str, ...]:
    said = []
    for path in explanation.paths:
        where = path.subnet_name or path.subnet_id or tr("the transit gateway")
        stops = [f"{tr(hop.step)} {tr(hop.state)}" for hop in path.hops if hop.state != "open"]
        said.append(
            visible(
                tr(
                    "from {where} {end} ({hops})",
                    where=where,
                    end=tr(ENDS[path.reachable]),
                    hops=series(stops) or tr("every hop open"),
                )
            )
        )
    return tuple(said)


_STATES = (marked("open"), marked("closed"))
