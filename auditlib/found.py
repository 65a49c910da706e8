"""All the kit knows about a thing: an id, an address, a network or a name, looked up everywhere.

What a thing is, what names it, who reaches it and which findings are about it, each as a frame.
"""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib import words
from auditlib.errors import ParameterError
from auditlib.frames import rows_of
from auditlib.language import sentences, tr, tr_as
from auditlib.schemas import SCHEMAS, Schema
from auditlib.tables import Tables

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = ["FINDINGS", "MENTIONS", "THINGS", "Found", "find"]

THINGS = ("what", "id", "name", "stands_in", "account", "region", "found_by")
MENTIONS = ("what", "id", "name", "account", "region", "column", "value")
FINDINGS = ("check", "status", "severity", "reason")

_PLACE = ("account", "region")
_NOT_LOOKED_AT = frozenset({"source", "table"})
_MOST_REACHED = 500
"""Interfaces whose reach is told; a search for a network can find more."""

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is known about a thing.

    Attributes
    ----------
    things
        What it is: ``THINGS`` columns, a row per object; ``stands_in`` its subnet and VPC, and
        ``found_by`` the column that matched.
    mentions
        What names it: ``MENTIONS`` columns. For an address or a network, also what contains it.
    reached
        Who reaches it through the VPN, and what it reaches where it is an endpoint: the columns of
        :func:`auditlib.access.reach` with ``summary=True``.
    findings
        Evidence about it: ``FINDINGS`` columns.
    gaps
        What could not be read, and may say more about it.
    """

    text: str
    things: pd.DataFrame = field(repr=False)
    mentions: pd.DataFrame = field(repr=False)
    reached: pd.DataFrame = field(repr=False)
    findings: pd.DataFrame = field(repr=False)
    gaps: pd.DataFrame = field(repr=False)

    @property
    def answer(self) -> str:
        """What was found, in a sentence."""
        parts = (
            words.count(len(self.things), "object"),
            tr("{records} beside", records=words.count(len(self.mentions), "record")),
            tr("{rows} of reach", rows=words.count(len(self.reached), "row")),
            tr("{pieces} of evidence", pieces=words.count(len(self.findings), "piece")),
        )
        told = {"text": words.clean(self.text), "list": words.listed(parts)}
        if len(self.gaps):
            gaps = words.count(len(self.gaps), "gap")
            return tr("{text}: {list}; {gaps} may hide more.", **told, gaps=gaps)
        return tr("{text}: {list}.", **told)

    def __repr__(self) -> str:
        return tr("{answer}\n  See .things, .mentions, .reached and .findings.", answer=self.answer)

    def _repr_html_(self) -> str:
        from auditlib.display import found_html

        return found_html(self)


def find(audit: "Audit", text: str) -> Found:
    """Look a thing up in everything that was read.

    Parameters
    ----------
    text
        An id (``sg-…``, an ARN), an address or network (``10.0.1.5``, ``10.0.0.0/16``), or part of
        a name, tag or description in any case.

    Raises
    ------
    ParameterError
        When nothing is called so and nothing names it; says what comes nearest.
    """
    text = text.strip()
    if not text:
        raise ParameterError(tr("There is nothing to look for: give an id, an address or a name."))
    tables = audit.tables
    network = _network(text)
    matches = _holds(network) if network is not None else _says(text)
    seen = list(_seen(tables, matches, addresses=network is not None))
    things = _things(seen)
    ids = frozenset(things["id"])
    if ids:  # what names an object names it by its id
        seen += _seen(tables, ids.__contains__, addresses=False)
    mentions = _mentions(seen)
    if things.empty and mentions.empty:
        raise _nothing(text, tables)
    return Found(
        text=text,
        things=things,
        mentions=mentions,
        reached=_reached(audit, things, mentions),
        findings=_findings(audit, ids | {text}),
        gaps=tables.gaps(),
    )


def _nothing(text: str, tables: Tables) -> ParameterError:
    """Return the error for what nothing is called."""
    close = difflib.get_close_matches(text, sorted(_known(tables)), n=3, cutoff=0.6)
    gaps = len(tables.gaps())
    return ParameterError(
        sentences(
            tr(
                'Nothing that was read is called "{text}", and nothing names it.',
                text=words.clean(text),
            ),
            tr("Did you mean {close}?", close=tr_as("list", " or ").join(map(words.clean, close)))
            if close
            else "",
            tr("{gaps} may hide it.", gaps=words.opening(words.count(gaps, "gap"))) if gaps else "",
        )
    )


Seen = tuple[Schema, Any, str, str]
"""A table, a row of it, the column that matched, and the text there."""


def _seen(tables: Tables, matches: Callable[[str], bool], *, addresses: bool) -> Iterator[Seen]:
    for name, schema in SCHEMAS.items():
        if schema.inputs:
            continue
        frame = tables[name]
        for column in schema.columns:
            if column.kind not in _TEXTS or column.name in _NOT_LOOKED_AT:
                continue
            if addresses and not _may_hold_addresses(column.name):
                continue
            # A million rules have few texts that differ, and fewer that match.
            texts = {text for value in frame[column.name].unique() for text in _texts(value)}
            found = {text for text in texts if matches(text)}
            if not found:
                continue
            told = [
                sorted(found.intersection(_texts(value))) for value in frame[column.name].tolist()
            ]
            hit = [at for at, held in enumerate(told) if held]
            for at, row in zip(hit, rows_of(frame.iloc[hit]), strict=True):
                yield from ((schema, row, column.name, text) for text in told[at])


_TEXTS = frozenset({"str", "category", "list", "pairs"})


def _may_hold_addresses(column: str) -> bool:
    return column in {"peer", "destination"} or any(
        part in column for part in ("address", "cidr", "_ip")
    )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _texts(part)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _holds(wanted: Network) -> Callable[[str], bool]:
    """Return whether a text is an address in the network, or a network that contains it."""

    def matches(text: str) -> bool:
        held = _network(text)
        return held is not None and held.version == wanted.version and held.overlaps(wanted)

    return matches


def _says(wanted: str) -> Callable[[str], bool]:
    low = wanted.casefold()
    return lambda text: low in text.casefold()


def _own(schema: Schema) -> str:
    """Return the column with the id of what a row is; empty where it only ties others together."""
    own = [name for name in schema.key if name not in _PLACE]
    return own[0] if len(own) == 1 else ""


def _called(schema: Schema, row: Any) -> tuple[str, str]:
    """Return the id and the name of what a row is; a rule has what it says for a name."""
    ids = [str(getattr(row, name)) for name in schema.key if name not in _PLACE]
    name = next(
        (
            value
            for column in ("name", "group_name", "display_name")
            if isinstance(value := getattr(row, column, None), str) and value
        ),
        "",
    )
    if schema.table == "security_group_rules":
        ports = words.traffic(row.protocol, row.from_port, row.to_port)
        name = (
            tr("outbound {ports} to {row.peer}", ports=ports, row=row)
            if row.is_egress
            else tr("inbound {ports} from {row.peer}", ports=ports, row=row)
        )
    return " ".join(id for id in ids if id not in {"nan", "None", "<NA>"}), name


def _is_it(schema: Schema, column: str) -> bool:
    """Tell whether a row is the thing whose text stands in a column, or only mentions it."""
    return bool(_own(schema)) and column in {
        _own(schema),
        "name",
        "group_name",
        "display_name",
        "private_ip",
        "public_ip",
        "description",
        "tags",
    }


def _things(seen: list[Seen]) -> pd.DataFrame:
    rows: dict[tuple[str, ...], tuple[str, ...]] = {}
    for schema, row, column, _ in seen:
        if _is_it(schema, column):
            id, name = _called(schema, row)
            place = [
                getattr(row, part, None) for part in ("subnet_id", "vpc_id") if part != _own(schema)
            ]
            stands_in = ", ".join(part for part in place if isinstance(part, str))
            rows.setdefault(
                (id, row.account, row.region),
                (tr(schema.row), id, name, stands_in, row.account, row.region, column),
            )
    return pd.DataFrame(list(rows.values()), columns=list(THINGS)).sort_values(
        ["what", "name", "id"], ignore_index=True
    )


def _mentions(seen: list[Seen]) -> pd.DataFrame:
    rows: dict[tuple[str, ...], tuple[str, ...]] = {}
    for schema, row, column, told in seen:
        if not _is_it(schema, column):
            id, name = _called(schema, row)
            # Several columns of a rule may hold the same text: its peer, and the peer by kind.
            rows.setdefault(
                (tr(schema.row), id, told),
                (tr(schema.row), id, name, row.account, row.region, column, told),
            )
    return pd.DataFrame(list(rows.values()), columns=list(MENTIONS)).sort_values(
        ["what", "id", "value"], ignore_index=True
    )


def _reached(audit: "Audit", things: pd.DataFrame, mentions: pd.DataFrame) -> pd.DataFrame:
    """Return the reach of interfaces and endpoints that are it, carry it or have its address."""
    ids = set(things["id"])
    held = audit.tables["network_interface_groups"]
    enis = ids | set(held.loc[held["group_id"].isin(list(ids)), "eni_id"])
    addresses = mentions[mentions["what"] == tr(SCHEMAS["network_interface_addresses"].row)]
    enis |= {str(id).split()[0] for id in addresses["id"]}
    known = [id for id in sorted(enis) if str(id).startswith("eni-")][:_MOST_REACHED]
    reach = audit.reach(summary=True)
    return reach[reach["eni_id"].isin(known) | reach["endpoint_id"].isin(list(ids))].reset_index(
        drop=True
    )


def _findings(audit: "Audit", ids: frozenset[str]) -> pd.DataFrame:
    rows = [
        (found.check.id, status, found.check.severity.value, row["reason"])
        for found in audit.findings
        for status, evidence in (("fail", found.evidence), ("accepted", found.accepted))
        for row in evidence.to_dict("records")
        if any(text in ids for value in row.values() for text in _texts(value))
    ]
    return pd.DataFrame(rows, columns=list(FINDINGS))


def _known(tables: Tables) -> set[str]:
    """Return the ids and names of all objects."""
    found: set[str] = set()
    for name, schema in SCHEMAS.items():
        if not schema.inputs and (own := _own(schema)):
            frame = tables[name]
            for column in (own, "name", "group_name"):
                if column in frame:
                    found |= {text for text in frame[column] if isinstance(text, str) and text}
    return found
