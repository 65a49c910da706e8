"""A stand-in for AWS, over HTTP on loopback: moto's server, our Client VPN, faults on demand."""

from tests.standin.server import ACCOUNT, StandIn

__all__ = ["ACCOUNT", "StandIn"]
