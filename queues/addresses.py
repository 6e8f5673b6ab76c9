"""Where webhooks may go: never to what only this machine, or its network, can reach.

Asked when an address is saved and again at each try, for names lead elsewhere tomorrow; what is connected to is the
very address that was checked (queues.sender).
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from queues import conf
from queues.models.notification import URL_LENGTH

# What Python's `is_global` takes for public although it leads to, or may lead to, another network than it says
# (measured; RFC 6052, RFC 8215, RFC 3056, RFC 4380, RFC 3879, RFC 4291).
_NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "fec0::/10",
        "::/96",
        "::ffff:0:0/96",
        "192.88.99.0/24",
    )
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedAddress(Exception):
    """Nothing is sent there; the text is a sentence for whoever asked for it."""


def check_url(url: str) -> tuple[str, int]:
    """Host and port of an address to which webhooks may be sent, as far as its text tells. Raises RefusedAddress."""
    if len(url) > URL_LENGTH or not url.isascii() or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise RefusedAddress(f"An address has at most {URL_LENGTH} printable ASCII characters and no spaces.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise RefusedAddress("This is not an address.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and conf.webhooks_may_stay_here()):
        raise RefusedAddress("The address must begin with https://.")
    if not host:
        raise RefusedAddress("The address names no host.")
    if "@" in parts.netloc:
        raise RefusedAddress("The address must not hold a user name or password; use a header.")
    if parts.fragment:
        raise RefusedAddress("The address must not have a fragment (#).")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    if not conf.webhooks_may_stay_here() and port not in conf.webhook_ports():
        allowed = ", ".join(map(str, sorted(conf.webhook_ports())))
        raise RefusedAddress(f"Port {port} is not among those to which webhooks may go: {allowed}.")
    return host, port


def check_resolved(addresses: Iterable[str], *, scheme: str, port: int) -> list[str]:
    """The addresses that a name led to, if webhooks may be sent to every one of them. Raises RefusedAddress."""
    checked = list(addresses)
    if not checked:
        raise RefusedAddress("The host's name leads to no address.")
    for text in checked:
        address = ipaddress.ip_address(text.partition("%")[0])
        if conf.webhooks_may_stay_here() and address.is_loopback:
            continue
        if not is_public(address):
            raise RefusedAddress(f"The host leads to {address}, which is not a public address.")
        if scheme != "https":
            raise RefusedAddress("Only this machine itself may be addressed by http://; elsewhere it must be https://.")
        if port not in conf.webhook_ports():
            raise RefusedAddress(f"Port {port} is not among those to which webhooks may go.")
    return checked


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, and is what it says."""
    if address.is_multicast or not address.is_global:
        return False
    return not any(address.version == network.version and address in network for network in _NOT_PUBLIC)


def resolve(host: str, port: int) -> list[str]:
    """The addresses that a host's name leads to now, as the system finds them. Raises RefusedAddress where to none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RefusedAddress(f"The host {host} cannot be found.") from None
    return list(dict.fromkeys(str(place[4][0]) for place in found))


def check(url: str) -> None:
    """Whether webhooks may be sent to an address now; asks the network. Raises RefusedAddress."""
    host, port = check_url(url)
    check_resolved(resolve(host, port), scheme=urlsplit(url).scheme, port=port)
