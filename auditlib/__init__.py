"""Audit the security groups around AWS Client VPN endpoints."""

__version__ = "0.1.0"
