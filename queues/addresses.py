"""Where webhooks may go: never to what only this machine, or its network, can reach.

Asked when an address is saved and again at each try, for names lead elsewhere tomorrow; what is connected to is the
very address that was checked (queues.posting).
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from yarl import URL

from queues import conf
from queues.models.notification import URL_LENGTH

_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out to be public; what leads from elsewhere to IPv4 (NAT64, mapped, …) is outside of it."""

# What Python's `is_global` takes for public, in one version or another, although it leads to another network than it
# says, or to none (RFC 3056, RFC 4380, RFC 3068, RFC 6890, RFC 9637).
_NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in ("2002::/16", "2001::/23", "2001:db8::/32", "3fff::/20", "192.88.99.0/24", "192.0.0.0/24")
]

_ISATAP = 0x5EFE
"""What an IPv6 address has before the IPv4 address that it tunnels to (RFC 5214)."""

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"({_LABEL}\.)*{_LABEL}")
_NAME_LENGTH = 253
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedAddress(Exception):
    """Nothing is sent there; the text is a sentence for whoever asked for it."""


def check_url(url: str) -> tuple[str, int]:
    """Host and port of an address to which webhooks may be sent, as far as its text tells. Raises RefusedAddress."""
    if len(url) > URL_LENGTH or not url.isascii() or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise RefusedAddress(f"An address has at most {URL_LENGTH} printable ASCII characters and no spaces.")
    if "\\" in url:
        raise RefusedAddress("The address must not have a backslash.")
    if "#" in url:
        raise RefusedAddress("The address must not have a fragment (#).")
    try:
        parts, again = urlsplit(url), URL(url, encoded=True)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise RefusedAddress("This is not an address.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and conf.webhooks_may_stay_here()):
        raise RefusedAddress("The address must begin with https://.")
    if "@" in parts.netloc:
        raise RefusedAddress("The address must not hold a user name or password; use a header.")
    if not host:
        raise RefusedAddress("The address names no host.")
    _check_host(host, in_brackets="[" in parts.netloc)
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    if (again.scheme, (again.raw_host or "").lower(), again.port) != (parts.scheme, host, port):
        # The one reads what we check, the other what the client connects to.
        raise RefusedAddress("The address can be read in more than one way.")
    if not conf.webhooks_may_stay_here() and port not in conf.webhook_ports():
        allowed = ", ".join(map(str, sorted(conf.webhook_ports())))
        raise RefusedAddress(f"Port {port} is not among those to which webhooks may go: {allowed}.")
    return host, port


def _check_host(host: str, *, in_brackets: bool) -> None:
    """Whether a host is the plain name of one, or an IP address as it is usually written. Raises RefusedAddress."""
    if in_brackets or _NUMBER.fullmatch(host.rpartition(".")[2]):
        # What a system takes for an IPv4 address has more forms than this one, such as 127.1 or 0x7f000001.
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise RefusedAddress(f"{host} is not an IP address as it is usually written.") from None
        if "%" in host or (address.version == 6) != in_brackets:
            raise RefusedAddress(f"{host} is not an IP address as it is usually written.")
    elif len(host) > _NAME_LENGTH or not _NAME.fullmatch(host):
        raise RefusedAddress(
            "The host's name may have letters, digits and hyphens, with dots between; others are written as xn--…."
        )
    elif (host == "localhost" or host.endswith(".localhost")) and not conf.webhooks_may_stay_here():
        raise RefusedAddress("localhost is this machine itself, to which no webhooks may go.")


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
    if any(address.version == network.version and address in network for network in _NOT_PUBLIC):
        return False
    return address.version == 4 or (address in _PUBLIC_IPV6 and (int(address) >> 32) & 0xFDFF_FFFF != _ISATAP)


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
