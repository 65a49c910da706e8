"""Checks of the client connect handler: the Lambda function that an endpoint asks at connect time."""

from typing import Any

import pandas as pd

from auditlib import words
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import GUIDE, called, living, place_of, rows_of

_PREFIX = "AWSClientVPN-"


def with_handler(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which living endpoints have a client connect handler switched on."""
    return living(endpoints) & endpoints["connect_handler_enabled"].fillna(False).astype(bool)


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
    condition=(
        "asks a client connect handler that cannot answer",
        "ask client connect handlers that cannot answer",
    ),
    rationale=(
        "AWS refuses the connection when the handler does not answer as expected. A function that "
        "is gone, has failed or may not be called therefore locks everybody out, and the quick "
        "way back in is to switch the handler off, and with it whatever it was there to check. "
        "AWS wants the function in the endpoint's own account and Region, with a name that "
        "begins with AWSClientVPN-."
    ),
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
    decision="The function is code of yours: what it should decide, and who mends it, the kit cannot know.",
    reference=f"{GUIDE}connection-authorization.html",
)
def connect_handler_is_broken(judged: pd.DataFrame, connect_handlers: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints whose handler's function is gone, not active, or not one AWS calls."""
    held = {(row.account, row.region, row.function_arn): row for row in rows_of(connect_handlers)}
    rows = []
    for row in rows_of(judged):
        arn = row.connect_handler_function_arn
        found = held.get((row.account, row.region, arn))
        absent = False
        if not isinstance(arn, str):
            what = "asks a client connect handler and names no function"
        elif (why := _not_callable(arn, row)) is not None:
            what = f"asks the function {_function(arn)}, {why}"
        elif found is None:
            absent, what = True, f"asks the function {_function(arn)}, which Lambda does not know"
        elif found.state != "Active" and isinstance(found.state, str):
            said = words.clean(found.state_reason, 120).rstrip(".")
            what = f"asks the function {_function(arn)}, which is {words.clean(found.state)}" + (
                f": {said}" if said else ""
            )
        else:
            continue
        rows.append(
            {
                **place_of(row),
                "function_arn": arn,
                "source": row.source if found is None else found.source,
                "record": row.record if found is None else found.record,
                "reason": f"{called(row)} {what}.",
                "by_absence": absent,
            }
        )
    return evidence_of(_COLUMNS, rows)


def _not_callable(arn: str, endpoint: Any) -> str | None:
    """Return why AWS does not call a function for an endpoint, whatever state it is in."""
    parts = arn.split(":")
    if len(parts) < 7 or parts[2] != "lambda":
        return "which is no Lambda function"
    if not parts[6].startswith(_PREFIX):
        return f"whose name does not begin with {_PREFIX}"
    if parts[4] != endpoint.account:
        return f"which belongs to account {words.clean(parts[4])} and not to the endpoint's"
    if parts[3] != endpoint.region:
        return f"which is in {words.clean(parts[3])} and not in the endpoint's Region"
    return None


def _function(arn: str) -> str:
    parts = arn.split(":")
    return words.clean(":".join(parts[6:]) or arn)


@check(
    id="connect-handler-is-not-applied",
    title="Client connect handlers are in force as they are configured",
    severity=Severity.LOW,
    **_JUDGED,
    condition=(
        "asks a client connect handler that is not in force as configured",
        "ask client connect handlers that are not in force as configured",
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
        "aws ec2 describe-client-vpn-endpoints --query "
        "'ClientVpnEndpoints[].ClientConnectOptions.Status.Code' shows applied, and aws lambda "
        "get-function-configuration --query LastUpdateStatus shows Successful."
    ),
    false_alarms=("A change that was made minutes before the account was read.",),
    decision="Waiting is mostly all there is to do; a failed update is mended in the function's own code.",
    reference=f"{GUIDE}connection-authorization.html",
)
def connect_handler_is_not_applied(
    judged: pd.DataFrame, connect_handlers: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints whose handler is being applied, or whose function's update did not end well."""
    held = {(row.account, row.region, row.function_arn): row for row in rows_of(connect_handlers)}
    rows = []
    for row in rows_of(judged):
        arn = row.connect_handler_function_arn
        found = held.get((row.account, row.region, arn))
        if row.connect_handler_status == "applying":
            what, at = "is still applying its client connect handler", row
        elif found is not None and found.last_update in {"Failed", "InProgress"}:
            became = "failed" if found.last_update == "Failed" else "is under way"
            said = words.clean(found.last_update_reason, 120).rstrip(".")
            what = f"asks the function {_function(arn)}, whose last update {became}" + (
                f": {said}" if said else ""
            )
            at = found
        else:
            continue
        rows.append(
            {
                **place_of(row),
                "function_arn": arn,
                "source": at.source,
                "record": at.record,
                "reason": f"{called(row)} {what}.",
            }
        )
    return evidence_of(_COLUMNS, rows)
