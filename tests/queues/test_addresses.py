"""Where webhooks may go, and where they may not: by the text of an address, by what it leads to, and in fact."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from queues import addresses, notifications, posting, vault
from queues.addresses import RefusedAddress
from queues.deliveries import Claimed
from queues.models.notification import URL_LENGTH
from tests.receiver import Listener, answering


@pytest.fixture(autouse=True)
def production(settings: Any) -> None:
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = False
    settings.CROWDSITE_WEBHOOK_PORTS = [443, 8443]


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://hooks.example/in", "hooks.example", 443),
        ("https://hooks.example", "hooks.example", 443),
        ("https://hooks.example:/in", "hooks.example", 443),
        ("https://hooks.example:8443/in?a=%2F&b={}|", "hooks.example", 8443),
        ("HTTPS://Hooks.EXAMPLE/In", "hooks.example", 443),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
        ("https://93.184.215.14/", "93.184.215.14", 443),
        ("https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", 443),
        ("https://1.example/", "1.example", 443),
        ("https://hooks.example/a@b:c", "hooks.example", 443),
        ("https://hooks.example?x=1", "hooks.example", 443),
    ],
)
def test_a_plain_address_is_taken(url: str, host: str, port: int) -> None:
    assert addresses.check_url(url) == (host, port)


SCHEME, HOST, PORT = "must begin with https://", "names no host", "is not among those"
USER, FRAGMENT, TEXT = "user name or password", "fragment", "printable ASCII"
NAME, NUMBER, BACKSLASH = "name may have letters", "not an IP address as it is usually written", "backslash"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example/", SCHEME),
        ("ftp://hooks.example/", SCHEME),
        ("file:///etc/passwd", SCHEME),
        ("gopher://hooks.example/", SCHEME),
        ("javascript:alert(1)", SCHEME),
        ("//hooks.example/", SCHEME),
        ("hooks.example/in", SCHEME),
        ("", SCHEME),
        ("https:hooks.example", HOST),
        ("https:/hooks.example", HOST),
        ("https://", HOST),
        ("https:///in", HOST),
        ("https://:443/in", HOST),
        ("https://?x", HOST),
        ("https://user@hooks.example/", USER),
        ("https://user:secret@hooks.example/", USER),
        ("https://@hooks.example/", USER),
        ("https://hooks.example@127.0.0.1/", USER),
        ("https://hooks.example:443@127.0.0.1/", USER),
        ("https://hooks.example/#x", FRAGMENT),
        ("https://hooks.example#@127.0.0.1/", FRAGMENT),
        ("https://hooks.example/in#", FRAGMENT),
        ("https://127.0.0.1\\@hooks.example/", BACKSLASH),
        ("https://hooks.example\\in", BACKSLASH),
        ("https:\\\\hooks.example\\in", BACKSLASH),
        (" https://hooks.example/", TEXT),
        ("https://hooks.example/ ", TEXT),
        ("https://hooks. example/", TEXT),
        ("https://hooks.example/\n", TEXT),
        ("https://hooks.example/\r\nHost: evil", TEXT),
        ("ht\ttps://hooks.example/", TEXT),
        ("https://hooks.example/\0", TEXT),
        ("https://hooks.example/\x7f", TEXT),
        ("https://hooks.example/" + "a" * URL_LENGTH, TEXT),
        ("https://bücher.example/", TEXT),
        ("https://ⓔxample.com/", TEXT),
        ("https://127。0。0。1/", TEXT),
        ("https://①②⑦.0.0.1/", TEXT),
        ("https://hooks.example\u200b/", TEXT),
        ("https://hooks.example\u2044@127.0.0.1/", TEXT),
        ("https://hooks.example:80/", PORT),
        ("https://hooks.example:22/", PORT),
        ("https://hooks.example:0/", PORT),
        ("https://hooks.example:65536/", "not an address"),
        ("https://hooks.example:-1/", "not an address"),
        ("https://hooks.example:https/", "not an address"),
        ("https://hooks.example:44:3/", "not an address"),
        ("https://hooks.example./", NAME),
        ("https://hooks..example/", NAME),
        ("https://.hooks.example/", NAME),
        ("https://-hooks.example/", NAME),
        ("https://hooks-.example/", NAME),
        ("https://hooks_1.example/", NAME),
        ("https://hooks%2eexample/", NAME),
        ("https://%31%32%37.0.0.1/", NUMBER),
        ("https://127.0.0.%31/", NAME),
        ("https://hooks.example%00/", NAME),
        ("https://hooks.example%2f@x/", USER),
        ("https://hooks$.example/", NAME),
        ("https://hooks,example/", NAME),
        (f"https://{'a' * 64}.example/", NAME),
        (f"https://{'a.' * 126}example/", NAME),
        ("https://localhost/", "localhost"),
        ("https://LOCALHOST:443/", "localhost"),
        ("https://a.localhost/", "localhost"),
        ("https://localhost./", NAME),
        ("https://127.0.0.1./", NAME),
        ("https://127.1/", NUMBER),
        ("https://127.0.1/", NUMBER),
        ("https://2130706433/", NUMBER),
        ("https://0/", NUMBER),
        ("https://0177.0.0.1/", NUMBER),
        ("https://0x7f.0.0.1/", NUMBER),
        ("https://0x7f.1/", NUMBER),
        ("https://0x7f000001/", NUMBER),
        ("https://0X7F000001/", NUMBER),
        ("https://127.0.0.0x1/", NUMBER),
        ("https://017700000001/", NUMBER),
        ("https://127.0.0.01/", NUMBER),
        ("https://127.0.0.1.1/", NUMBER),
        ("https://256.0.0.1/", NUMBER),
        ("https://1.2.3.4.0x/", NUMBER),
        ("https://hooks.example.1/", NUMBER),
        ("https://[::1%25lo]/", NUMBER),
        ("https://[fe80::1%eth0]/", NUMBER),
        ("https://[v1.fe80]/", NUMBER),
        ("https://[127.0.0.1]/", "not an address"),
        ("https://[::1/", "not an address"),
        ("https://::1/", "not an address"),
        ("https://[::1]x/", "not an address"),
    ],
)
def test_any_other_text_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(RefusedAddress, match=why):
        addresses.check_url(url)


def test_development_alone_has_http_other_ports_and_this_machine(settings: Any) -> None:
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = True
    assert addresses.check_url("http://localhost:9000/in") == ("localhost", 9000)
    assert addresses.check_resolved(["127.0.0.1", "::1"], scheme="http", port=9000)
    for found, scheme, port in (
        ("93.184.215.14", "http", 443),
        ("93.184.215.14", "https", 9000),
        ("10.0.0.1", "https", 443),
        ("::ffff:127.0.0.1", "https", 443),
    ):
        with pytest.raises(RefusedAddress):
            addresses.check_resolved([found], scheme=scheme, port=port)


PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2002:808:808::",
    "2606:4700::5efe:127.0.0.1",
    "2606:4700::200:5efe:10.0.0.1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused_also_beside_what_is(address: str) -> None:
    assert not addresses.is_public(ipaddress.ip_address(address.partition("%")[0]))
    for found in ([address], ["93.184.215.14", address], [address, "93.184.215.14"]):
        with pytest.raises(RefusedAddress, match="not a public address"):
            addresses.check_resolved(found, scheme="https", port=443)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.215.14",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.169.0.1",
        "223.255.255.254",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
    ],
)
def test_what_is_public_is_taken(address: str) -> None:
    assert addresses.check_resolved([address], scheme="https", port=443) == [address]


def test_a_name_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(RefusedAddress, match="leads to no address"):
        addresses.check_resolved([], scheme="https", port=443)
    with pytest.raises(RefusedAddress, match=r"nowhere\.invalid cannot be found"):
        addresses.check("https://nowhere.invalid/")


# Against real sockets: a service on each of this machine's addresses, at a port that webhooks may have.


def say_yes(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def here(settings: Any) -> Iterator[Listener]:
    with answering(say_yes, "0.0.0.0") as listener:
        settings.CROWDSITE_WEBHOOK_PORTS = [443, listener.port]
        yield listener


@pytest.fixture
def here_too(settings: Any) -> Iterator[Listener]:
    """The same for IPv6; IPv4 comes to it mapped."""
    with answering(say_yes, "::") as listener:
        settings.CROWDSITE_WEBHOOK_PORTS = [443, listener.port]
        yield listener


SPELLINGS = [
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "127.0.1",
    "0",
    "0.0.0.0",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "x.localhost",
    "localhost.localdomain",
    "%31%32%37.0.0.1",
    "hooks.example@127.0.0.1",
    "127.0.0.1\\@hooks.example",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "ⓛocalhost",
]
SPELLINGS_6 = [
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::1%25lo]",
    "[::1%lo]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "ip6-localhost",
]


def saved_and_tried(url: str) -> tuple[bool, str]:
    """Whether an address is refused when it is saved, and the error when it is tried nevertheless."""
    claimed = Claimed(1, 1, url, "", (vault.seal(notifications.new_secret()),), "{}", 1)

    async def once() -> str:
        async with posting.client() as session:
            return (await posting.post(session, claimed)).error

    return bool(notifications.look_up([url])), asyncio.run(once())


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("spelled", SPELLINGS)
def test_no_spelling_of_this_machine_is_connected_to(here: Listener, scheme: str, spelled: str) -> None:
    refused, error = saved_and_tried(f"{scheme}://{spelled}:{here.port}/in")
    assert refused
    assert error
    assert here.connections == 0


@pytest.mark.parametrize("spelled", SPELLINGS_6)
def test_no_spelling_of_this_machine_in_ipv6_is_connected_to(here_too: Listener, spelled: str) -> None:
    refused, error = saved_and_tried(f"https://{spelled}:{here_too.port}/in")
    assert refused
    assert error
    assert here_too.connections == 0


@pytest.mark.parametrize("spelled", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_where_it_is_allowed_they_would_be(here: Listener, settings: Any, spelled: str) -> None:
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = True
    assert saved_and_tried(f"http://{spelled}:{here.port}/in") == (False, "")
    assert here.connections == 1


def test_the_same_for_ipv6(here_too: Listener, settings: Any) -> None:
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = True
    assert saved_and_tried(f"http://[::1]:{here_too.port}/in") == (False, "")
    assert here_too.connections == 1
