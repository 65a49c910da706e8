"""Checks of the client connect handler: the Lambda function that an endpoint asks at connect time."""

from typing import Any

import pandas as pd

from auditlib import words
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import (
    GUIDE,
    called,
    living,
    not_said,
    place_of,
    untold,
    yes,
)
from auditlib.frames import rows_of
from auditlib.gaps import GapRow
from auditlib.language import marked, tr

_PREFIX = "AWSClientVPN-"


def with_handler(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which living endpoints have a client connect handler, or may: where AWS does not say."""
    return living(endpoints) & endpoints["connect_handler_enabled"].fillna(True).astype(bool)


_TOLD = untold("connect_handler_enabled", marked("whether a client connect handler is asked by"))


def _silent(
    judged: pd.DataFrame, connect_handlers: pd.DataFrame, column: str, why: str
) -> list[GapRow]:
    """Return a gap for each endpoint of unknown handler, and each function that leaves out a state."""
    named = set(map(tuple, judged[_FUNCTION].dropna().astype("str").to_numpy()))
    silent = not_said(
        "lambda-get-function-configuration",
        (
            (row, row.function_arn, why)
            for row in rows_of(connect_handlers)
            if (row.account, row.region, row.function_arn) in named
            and pd.isna(getattr(row, column))
        ),
    )
    return _TOLD(judged) + silent


_FUNCTION = ["account", "region", "connect_handler_function_arn"]


def _stateless(judged: pd.DataFrame, connect_handlers: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each function of which Lambda does not say in what state it is."""
    return _silent(
        judged, connect_handlers, "state", tr("it does not say in which state the function is")
    )


def _unapplied(judged: pd.DataFrame, connect_handlers: pd.DataFrame) -> list[GapRow]:
    """Return a gap where nobody says whether a handler is applied, or how its update ended."""
    status = untold(
        "connect_handler_status", marked("whether the client connect handler is applied to")
    )
    silent = _silent(
        judged,
        connect_handlers,
        "last_update",
        tr("it does not say how the function's last update ended"),
    )
    return silent + status(_asking(judged))


def _asking(judged: pd.DataFrame) -> pd.DataFrame:
    return judged[yes(judged["connect_handler_enabled"])]


_JUDGED: dict[str, Any] = {
    "population": "client_vpn_endpoints",
    "among": with_handler,
    "noun": "connect-handler endpoint",
}
_COLUMNS = "account region endpoint_id function_arn reason source record"


@check(
    id="connect-handler-is-broken",
    title="Client connect handlers can answer",
    severity=Severity.HIGH,
    **_JUDGED,
    unseen=_stateless,
    condition=(
        "uses a client connect handler that cannot answer",
        "use client connect handlers that cannot answer",
    ),
    clear=(
        "uses a client connect handler that can answer",
        "use client connect handlers that can answer",
    ),
    rationale=(
        "AWS refuses the connection when the handler does not answer as expected. A function that "
        "is gone, has failed or may not be called therefore locks everybody out, and the quick "
        "way back in is to switch the handler off, and with it whatever it was there to check. "
        "AWS wants the function in the endpoint's own account and Region, with a name that "
        "begins with AWSClientVPN-."
    ),
    errand="Mend the connect handler of {endpoints}.",
    remedy=(
        "Replace or mend the function, keeping its name, or name another one on the endpoint. "
        "Where it must be switched off for a while, write down who decided that and until when, "
        "and have users try."
    ),
    verify=(
        "aws lambda get-function-configuration --function-name <arn> --query State shows Active, "
        "and a client connects."
    ),
    false_alarms=(
        "A function that Lambda has put to sleep (Inactive): it comes back after the first call, "
        "which fails all the same.",
        "A function that is being created or updated just now (Pending).",
    ),
    decision="The function is code of yours: what it should decide, and who mends it, we cannot know.",
    reference=f"{GUIDE}connection-authorization.html",
)
def connect_handler_is_broken(judged: pd.DataFrame, connect_handlers: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints whose handler's function is gone, not active, or not one AWS calls."""
    held = {(row.account, row.region, row.function_arn): row for row in rows_of(connect_handlers)}
    rows = []
    for row in rows_of(_asking(judged)):
        arn = row.connect_handler_function_arn
        found = held.get((row.account, row.region, arn))
        absent = False
        if not isinstance(arn, str):
            reason = tr(
                "{endpoint} asks a client connect handler and names no function.",
                endpoint=called(row),
            )
        elif (why := _not_callable(arn, row)) is not None:
            reason = tr("{endpoint} asks the function {function}, {why}.", **_asks(row), why=why)
        elif found is None:
            absent = True
            reason = tr(
                "{endpoint} asks the function {function}, which Lambda does not know.", **_asks(row)
            )
        elif found.state != "Active" and isinstance(found.state, str):
            state = words.clean(found.state)
            said = words.clean(found.state_reason, 120).rstrip(".")
            reason = (
                tr(
                    "{endpoint} asks the function {function}, which is {state}: {said}.",
                    **_asks(row),
                    state=state,
                    said=said,
                )
                if said
                else tr(
                    "{endpoint} asks the function {function}, which is {state}.",
                    **_asks(row),
                    state=state,
                )
            )
        else:
            continue
        rows.append(
            {
                **place_of(row),
                "function_arn": arn,
                "source": row.source if found is None else found.source,
                "record": row.record if found is None else found.record,
                "reason": reason,
                "by_absence": absent,
            }
        )
    return evidence_of(_COLUMNS, rows)


def _not_callable(arn: str, endpoint: Any) -> str | None:
    """Return why AWS does not call a function for an endpoint, whatever state it is in."""
    parts = arn.split(":")
    if len(parts) < 7 or parts[2] != "lambda":
        return tr("which is no Lambda function")
    if not parts[6].startswith(_PREFIX):
        return tr("whose name does not begin with {prefix}", prefix=_PREFIX)
    if parts[4] != endpoint.account:
        return tr(
            "which belongs to account {account} and not to the endpoint's",
            account=words.clean(parts[4]),
        )
    if parts[3] != endpoint.region:
        return tr(
            "which is in {region} and not in the endpoint's Region", region=words.clean(parts[3])
        )
    return None


def _asks(endpoint: Any) -> dict[str, str]:
    """Return the endpoint that asks and the function it asks, as a sentence calls them."""
    return {
        "endpoint": called(endpoint),
        "function": _function(endpoint.connect_handler_function_arn),
    }


def _function(arn: str) -> str:
    parts = arn.split(":")
    return words.clean(":".join(parts[6:]) or arn)


@check(
    id="connect-handler-is-not-applied",
    title="Client connect handlers are in force as they are configured",
    severity=Severity.LOW,
    **_JUDGED,
    unseen=_unapplied,
    condition=(
        "uses a client connect handler that is not in force as configured",
        "use client connect handlers that are not in force as configured",
    ),
    clear=(
        "asks its client connect handler as configured",
        "ask their client connect handlers as configured",
    ),
    rationale=(
        "While a handler is being applied, clients may connect without being asked by it. And a "
        "function whose last update failed goes on deciding with the code from before, while "
        "whoever made the update believes that the new rules hold."
    ),
    remedy=(
        "Decide whether to wait: applying takes minutes. Where it stays, name the handler on the "
        "endpoint anew. Where an update of the function failed, mend what its reason says and "
        "update it again."
    ),
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query "
        "'ClientVpnEndpoints[].ClientConnectOptions.Status.Code' shows applied, and aws lambda "
        "get-function-configuration --function-name <arn> --query LastUpdateStatus shows Successful."
    ),
    false_alarms=("A change that was made minutes before the account was read.",),
    decision="Waiting is mostly all there is to do; a failed update is mended in the function's own code.",
    reference=f"{GUIDE}connection-authorization.html",
    controls={"NIST SP 800-53 Rev. 5": ("AC-3",)},
)
def connect_handler_is_not_applied(
    judged: pd.DataFrame, connect_handlers: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints whose handler is being applied, or whose function's update did not end well."""
    held = {(row.account, row.region, row.function_arn): row for row in rows_of(connect_handlers)}
    rows = []
    for row in rows_of(_asking(judged)):
        arn = row.connect_handler_function_arn
        found = held.get((row.account, row.region, arn))
        if row.connect_handler_status == "applying":
            at = row
            reason = tr(
                "{endpoint} is still applying its client connect handler.", endpoint=called(row)
            )
        elif found is not None and found.last_update in {"Failed", "InProgress"}:
            at = found
            reason = _updating(row, found)
        else:
            continue
        rows.append(
            {
                **place_of(row),
                "function_arn": arn,
                "source": at.source,
                "record": at.record,
                "reason": reason,
            }
        )
    return evidence_of(_COLUMNS, rows)


def _updating(endpoint: Any, function: Any) -> str:
    """Say how the last update of an endpoint's function stands, with Lambda's reason if it gives one."""
    failed = function.last_update == "Failed"
    said = words.clean(function.last_update_reason, 120).rstrip(".")
    if said:
        return tr(
            "{endpoint} asks the function {function}, whose last update failed: {said}."
            if failed
            else "{endpoint} asks the function {function}, whose last update is under way: {said}.",
            **_asks(endpoint),
            said=said,
        )
    return tr(
        "{endpoint} asks the function {function}, whose last update failed."
        if failed
        else "{endpoint} asks the function {function}, whose last update is under way.",
        **_asks(endpoint),
    )
