"""What a test can switch about the emulated services; one set for the one server of a process."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime

__all__ = ["SWITCHES", "Switches"]


@dataclass(kw_only=True)
class Switches:
    """Attributes.

    clock
        What the services take for the present; ``None`` for the real time.
    default_vpcs
        Whether a Region starts with AWS's default VPC. Off, so that a small world stays small.
    interfaces_per_association
        ENIs that an associated subnet gets; AWS may make more than one.
    named_interfaces
        Whether the description of a Client VPN ENI ends with the endpoint's id.
    no_policy_code
        Error code for an endpoint without authorization policy. AWS does not document its answer;
        ``None`` answers with the endpoint's id alone.
    public_addresses
        How many public addresses were handed out.
    regions
        Regions enabled in the account; ``None`` for all that need no opt-in.
    """

    clock: datetime | None = None
    default_vpcs: bool = False
    interfaces_per_association: int = 1
    named_interfaces: bool = True
    no_policy_code: str | None = "InvalidClientVpnEndpointAuthorizationPolicy.NotFound"
    regions: tuple[str, ...] | None = None
    public_addresses: int = 0

    def reset(self) -> None:
        """Put everything back."""
        for switch in fields(self):
            setattr(self, switch.name, switch.default)

    def now(self) -> datetime:
        """Return the present in UTC, without time zone, as moto wants it."""
        return (self.clock or datetime.now(UTC)).replace(tzinfo=None)


SWITCHES = Switches()
