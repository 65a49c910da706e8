"""Audit the security groups around AWS Client VPN endpoints."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditlib.audit import Audit, open_audit

__all__ = ["Audit", "__version__", "open_audit"]

__version__ = "0.1.0"

# Loaded when asked for (PEP 562): `import auditlib` alone stays quick, without pandas.
_HOMES = {"Audit": "auditlib.audit", "open_audit": "auditlib.audit"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
