"""Which hosts are this machine itself."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine: ``localhost``, 127.0.0.0/8 or ::1 (RFC 1122, RFC 4291, RFC 6761).

    Other spellings of addresses, such as 127.1 or 0x7f000001, do not count.

    Args:
        host: name or address, without brackets and port, in any case.
    """
    host = host.lower().removesuffix(".")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
