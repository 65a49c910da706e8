"""What an error from AWS means for a call: denied, unsupported or failed.

Imports neither boto3 nor botocore: the same reading serves errors raised by the SDK and the error
texts the AWS CLI leaves behind.
"""

import re
from typing import Literal

__all__ = ["UNKNOWN_TO_THE_CLI", "Refusal", "message_of", "passes", "refusal_of_text", "status_of"]

Refusal = tuple[Literal["denied", "failed", "unsupported"], str, str]
"""Status, error code, error message."""

_DENIED = re.compile(r"(Client\.)?(AccessDenied|Unauthorized(Operation|Access)|NotAuthorized)")
# EC2 appends a blob that only the account itself can decode; it would fill every table of gaps.
_ENCODED = re.compile(r"\s*Encoded authorization failure message:\s*\S*")
_SERVICE_ERROR = re.compile(
    r"An error occurred \((?P<code>[^()\s]+)\) when calling the \w+ operation"
    r"(?: \(reached max retries: \d+\))?: ?(?P<message>.*)",
    re.DOTALL,
)
UNKNOWN_TO_THE_CLI = "[Ii]nvalid choice|Unknown options|unrecognized arguments"
"""What an AWS CLI says that does not know a call, as an expression for grep -E too."""
_UNREACHABLE = re.compile(
    r"Could not connect to the endpoint URL|Connection was closed|Connect timeout|Read timeout"
)
# Throttling, the network, a service in trouble, a collection that was ended: codes of services and
# names of the SDK's errors.
_PASSING = re.compile(
    r"Throttl|TooManyRequests|LimitExceeded|SlowDown|Time(d)?[Oo]ut|Connect|HTTPClient|SSLError"
    r"|Streaming|IncompleteRead|ResponseParser|Internal(Error|Failure|Server)|Unavailable"
    r"|NotCollected|PagesError|PageError"
)


def passes(error_code: str) -> bool:
    """Tell whether what kept a call from being answered may be gone another time.

    >>> [passes(code) for code in ("RequestLimitExceeded", "ReadTimeoutError", "NotCollected")]
    [True, True, True]
    >>> [passes(code) for code in ("AccessDenied", "ResourceNotFoundException", "UnexpectedAnswer")]
    [False, False, False]
    """
    return _PASSING.search(error_code) is not None


def status_of(error_code: str) -> Literal["denied", "failed"]:
    """Return what an error code of AWS means.

    An explicit deny by a service control policy carries the same codes.

    >>> status_of("UnauthorizedOperation"), status_of("AccessDeniedException")
    ('denied', 'denied')
    >>> status_of("RequestLimitExceeded")
    'failed'
    """
    return "denied" if _DENIED.match(error_code) else "failed"


def message_of(text: str) -> str:
    """Return an error message on one line, without the blob nobody can read.

    >>> message_of("You are not authorized. Encoded authorization failure message: aBc-12")
    'You are not authorized.'
    """
    return " ".join(_ENCODED.sub("", text).split())[:1000]


def refusal_of_text(text: str) -> Refusal:
    """Return what the error text of an AWS CLI command means.

    >>> refusal_of_text(
    ...     "An error occurred (AccessDenied) when calling the DescribeVpcs operation: no"
    ... )
    ('denied', 'AccessDenied', 'no')
    """
    if found := _SERVICE_ERROR.search(text):
        code = found["code"]
        return status_of(code), code, message_of(found["message"])
    # The CLI's usage text comes before the error itself and is long; the error stands last.
    last = message_of(next((line for line in reversed(text.splitlines()) if line.strip()), ""))
    if found := re.search(UNKNOWN_TO_THE_CLI, text):
        return "unsupported", "UnknownToTheCli", f"the AWS CLI is too old: {last[:200]}"
    if found := _UNREACHABLE.search(text):
        return "failed", "EndpointConnectionError", last
    return "failed", "CommandFailed", last or "the AWS CLI gave no answer and no error"
