"""Posting over real sockets, to receivers that answer well, badly and not at all; and the sender at work."""

import asyncio
import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection
from django.utils import timezone
from standardwebhooks import WebhookVerificationError

from queues import notifications, posting, vault
from queues.deliveries import Claimed, Outcome
from queues.models import Delivery, DeliveryTry, Endpoint
from queues.sender import PER_ENDPOINT, UNPROVEN_SLOTS, Sender
from queues.states import DeliveryStatus
from tests import outbox
from tests.loops import on_a_loop
from tests.receiver import Listener, Received, Receiver, answering, receiving
from tests.servers import free_port
from tests.site.serving import until

SECRET = notifications.new_secret()
BODY = '{"type":"TASK_FINISHED","data":{"said":"naïve “yes” 👍"}}'
PATIENCE = 0.4


@pytest.fixture(autouse=True)
def development(settings: Any) -> None:
    """Webhooks may go to this machine, and have more time than they need."""
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = True
    settings.CROWDSITE_WEBHOOK_SECONDS = 20


@pytest.fixture
def hurried(settings: Any) -> None:
    """They have little time."""
    settings.CROWDSITE_WEBHOOK_SECONDS = PATIENCE


def claimed(url: str, *, headers: dict[str, str] | None = None, secrets: tuple[str, ...] = (SECRET,)) -> Claimed:
    sealed = tuple(vault.seal(secret) for secret in secrets)
    return Claimed(7, 1, url, notifications.sealed_headers(headers or {}), sealed, BODY, 1)


def post(*messages: Claimed) -> list[Outcome]:
    """Post these one after the other, as one sender does."""

    async def one_by_one() -> list[Outcome]:
        async with posting.client() as session:
            return [await posting.post(session, message) for message in messages]

    return asyncio.run(one_by_one())


def answered(answer: bytes | Callable[[socket.socket], None]) -> Outcome:
    """How it goes where the receiver answers this way."""
    work = answer if callable(answer) else lambda connection: connection.sendall(answer)
    with answering(work) as listener:
        return post(claimed(listener.url))[0]


def test_a_receiver_with_the_public_package_knows_it_for_ours() -> None:
    with receiving() as receiver:
        (outcome,) = post(claimed(receiver.url))
    (got,) = receiver.received
    assert got.verified(SECRET) == {"type": "TASK_FINISHED", "data": {"said": "naïve “yes” 👍"}}
    assert (got.id, got.body.decode()) == ("msg_7", BODY)
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 10
    assert (outcome.status_code, outcome.error, outcome.delivered) == (204, "", True)
    assert 0 <= outcome.milliseconds < 20_000
    with pytest.raises(WebhookVerificationError):
        got.verified(notifications.new_secret())


def test_it_is_signed_by_the_databases_clock_where_this_machines_is_wrong() -> None:
    hours = timedelta(hours=2)
    with receiving() as receiver:
        (outcome,) = post(replace(claimed(receiver.url), ahead=hours))
    (got,) = receiver.received
    assert abs(int(got.headers["webhook-timestamp"]) - time.time() - hours.total_seconds()) < 10
    assert abs(outcome.started_at - timezone.now() - hours) < timedelta(seconds=20)


def test_while_secrets_rotate_either_of_them_verifies() -> None:
    old = notifications.new_secret()
    with receiving() as receiver:
        post(claimed(receiver.url, secrets=(SECRET, old)))
    (got,) = receiver.received
    assert got.verified(SECRET) == got.verified(old)
    assert len(got.headers["webhook-signature"].split()) == 2


def test_the_settings_headers_are_sent_and_ours_are_not_theirs_to_set() -> None:
    theirs = {"Authorization": "Bearer abc", "content-type": "text/plain", "ACCEPT-ENCODING": "gzip"}
    with receiving() as receiver:
        post(claimed(receiver.url, headers=theirs))
    (got,) = receiver.received
    assert got.headers["authorization"] == "Bearer abc"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["accept-encoding"] == "identity"
    assert got.headers["user-agent"].startswith("Crowdsite")


def test_the_address_is_asked_for_as_it_was_written() -> None:
    with receiving() as receiver:
        post(claimed(receiver.url + "/a%2Fb%7e/../c?q=%41+b;c=|{}"))
    assert receiver.received[0].path == "/in/a%2Fb%7e/../c?q=%41+b;c=|{}"


def hang(connection: socket.socket) -> None:
    connection.recv(1)


def trickle(text: bytes) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in text:
            connection.sendall(bytes([byte]))
            time.sleep(PATIENCE / 10)

    return send


def go_on(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(PATIENCE / 100)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("work", [hang, trickle(b"HTTP/1.1 200 OK\r\n\r\n"), go_on])
def test_one_who_dawdles_is_left_at_the_deadline(work: Callable[[socket.socket], None]) -> None:
    outcome = answered(work)
    assert (outcome.status_code, outcome.error) == (None, "No answer within 0.4 s.")
    assert PATIENCE * 1000 <= outcome.milliseconds < PATIENCE * 1000 + 10_000


@pytest.mark.usefixtures("hurried")
def test_an_answer_whose_head_came_in_time_counts_and_its_body_is_left_at_the_deadline() -> None:
    def work(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nwell")
        trickle(b"." * 95)(connection)

    outcome = answered(work)
    assert (outcome.status_code, outcome.error, outcome.delivered) == (200, "", True)
    assert outcome.excerpt.startswith("well.")
    assert outcome.milliseconds < PATIENCE * 1000 + 10_000


def test_an_answer_without_end_is_cut() -> None:
    sent = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent.append(connection.send(b"x" * 65536))

    outcome = answered(flood)
    assert (outcome.status_code, outcome.excerpt) == (200, "x" * 1024)
    # What the kernels of both ends hold comes to it.
    assert sum(sent) < 16 * 2**20


def test_a_whole_answer_is_read_so_that_its_sender_is_not_cut_off() -> None:
    ends = []

    def work(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"y" * 60000)
        ends.append(connection.recv(1))

    assert answered(work).excerpt == "y" * 1024
    until(lambda: ends == [b""])


HEADERS = b"HTTP/1.1 200 OK\r\n"


def many_headers(connection: socket.socket) -> None:
    connection.sendall(HEADERS)
    while True:
        connection.sendall(b"X-Y: z\r\n" * 1000)


def long_header(connection: socket.socket) -> None:
    connection.sendall(HEADERS + b"X-Y: ")
    while True:
        connection.sendall(b"z" * 65536)


@pytest.mark.parametrize(
    "answer",
    [
        many_headers,
        long_header,
        b"HTTP/1.1 99999 No\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX\0Y: \xff\xfe\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0" * 4096,
    ],
)
def test_what_is_not_http_is_a_failure_in_words(answer: Any) -> None:
    outcome = answered(answer)
    assert (outcome.status_code, outcome.delivered) == (None, False)
    assert outcome.error.startswith("Its answer is not HTTP"), outcome.error
    assert outcome.error == posting.storable(outcome.error)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("work", "words"),
    [(reset, "The connection broke"), (lambda connection: None, "It closed the connection without an answer")],
)
def test_a_connection_that_ends_is_a_failure_in_words(work: Callable[[socket.socket], None], words: str) -> None:
    outcome = answered(work)
    assert outcome.status_code is None
    assert outcome.error.startswith(words)


def test_nobody_there_is_a_failure_in_words() -> None:
    (outcome,) = post(claimed(f"http://127.0.0.1:{free_port()}/"))
    assert outcome.error.startswith("There is no connection")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with receiving() as receiver, receiving() as elsewhere:
        receiver.status, receiver.headers = status, {"Location": elsewhere.url}
        (outcome,) = post(claimed(receiver.url))
    assert (outcome.status_code, outcome.delivered) == (status, False)
    assert elsewhere.connections == 0


def test_what_is_packed_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 2**24)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    outcome = answered(head + bomb)
    assert outcome.excerpt[1:3] == "\ufffd\x08"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"fine", "fine"),
        (b"a\0b", "a\ufffdb"),
        (b"\xff\xfe\xed\xa0\x80!", "\ufffd\ufffd\ufffd\ufffd\ufffd!"),
        ("é".encode() * 600, "é" * 512),
        ("é".encode()[:1] + b"x", "\ufffdx"),
        (b"", ""),
    ],
)
def test_the_excerpt_can_be_kept(body: bytes, kept: str) -> None:
    outcome = answered(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert (outcome.status_code, outcome.excerpt) == (500, kept)


def test_nothing_is_kept_from_one_try_to_the_next() -> None:
    with receiving() as receiver:
        receiver.headers = {"Set-Cookie": "who=me; Path=/"}
        post(claimed(receiver.url), claimed(receiver.url))
    assert receiver.connections == 2
    assert [one.headers.get("cookie") for one in receiver.received] == [None, None]


def test_proxies_of_the_environment_are_passed_by(monkeypatch: Any) -> None:
    with receiving() as receiver, receiving() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.delenv("no_proxy", raising=False)
        (outcome,) = post(claimed(receiver.url))
    assert (outcome.status_code, proxy.connections) == (204, 0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("0", 0), ("9" * 300, 999_999_999), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_retry_after_is_a_number_or_a_date(header: str, seconds: float) -> None:
    outcome = answered(f"HTTP/1.1 503 No\r\nRetry-After: {header}\r\n\r\n".encode())
    assert outcome.retry_after == seconds


def test_retry_after_is_a_date_to_come() -> None:
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    outcome = answered(f"HTTP/1.1 503 No\r\nRetry-After: {in_an_hour}\r\n\r\n".encode())
    assert outcome.retry_after is not None
    assert 3000 <= outcome.retry_after <= 3600


@pytest.mark.parametrize(
    "header", ["-5", "1.5", "soon", "٣", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 99 Foo 2027", "\xff\xfe"]
)
def test_a_retry_after_that_is_neither_is_passed_by(header: str) -> None:
    outcome = answered(b"HTTP/1.1 503 No\r\nRetry-After: " + header.encode(errors="replace") + b"\r\n\r\n")
    assert outcome.status_code == 503
    assert outcome.retry_after is None or outcome.retry_after > 10**9


def test_a_secret_that_cannot_be_read_any_more_is_a_failure_in_words(settings: Any, caplog: Any) -> None:
    message = claimed("http://127.0.0.1:1/")
    settings.CROWDSITE_ENCRYPTION_KEYS = ["A" * 43 + "="]
    (outcome,) = post(message)
    assert "a fault of the site's own" in outcome.error
    assert "CROWDSITE_ENCRYPTION_KEYS" in caplog.text


# Names and what they lead to.


@pytest.fixture
def names(monkeypatch: Any) -> dict[str, list[str] | Callable[[], list[str]]]:
    """What the system's resolver says from now on of these names, and of these alone: name → addresses."""
    known: dict[str, Any] = {}
    asked = socket.getaddrinfo

    def answer(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in known:
            return asked(host, port, *args, **kwargs)
        found = known[host]() if callable(known[host]) else known[host]
        return [entry for address in found for entry in asked(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


@pytest.fixture
def private(settings: Any) -> Iterator[Listener]:
    """A service of this machine that webhooks must not reach; its port is one that they may have."""
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = False
    with answering(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")) as listener:
        settings.CROWDSITE_WEBHOOK_PORTS = [443, listener.port]
        yield listener


def test_a_name_that_leads_elsewhere_the_second_time_reaches_nothing_private(private: Listener, names: Any) -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::1"]])
    names["turncoat.example"] = lambda: next(answers)
    url = f"https://turncoat.example:{private.port}/in"
    assert notifications.look_up([url]) == {}
    for outcome in post(*[claimed(url)] * 3):
        assert outcome.error.endswith("which is not a public address.")
    assert private.connections == 0


def test_what_is_refused_would_have_been_reached_else(private: Listener, names: Any, settings: Any) -> None:
    names["turncoat.example"] = ["127.0.0.1"]
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = True
    post(claimed(f"https://turncoat.example:{private.port}/in"))
    assert private.connections == 1


def test_a_name_is_looked_up_once_in_a_try_and_anew_in_the_next(names: Any) -> None:
    asked = []
    names["hooks.example"] = lambda: asked.append(1) or ["127.0.0.1"]
    with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", "hooks.example")
        assert [one.status_code for one in post(claimed(url), claimed(url))] == [204, 204]
    assert len(asked) == 2


@pytest.mark.usefixtures("hurried")
def test_a_name_server_that_hangs_holds_up_nobody_and_not_the_end(names: Any) -> None:
    free = threading.Event()
    names["lost.example"] = lambda: free.wait(30) and []
    before = time.monotonic()
    (outcome,) = post(claimed("http://lost.example:8080/"))
    assert outcome.error == "No answer within 0.4 s."
    assert time.monotonic() - before < 10
    free.set()


def test_a_name_that_leads_nowhere_is_a_failure_in_words(names: Any) -> None:
    def nowhere() -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    names["nowhere.example"] = nowhere
    (outcome,) = post(claimed("https://nowhere.example/"))
    assert outcome.error == "The host nowhere.example cannot be found."


@pytest.fixture
def certified(tmp_path: Path) -> Callable[[str], tuple[Path, ssl.SSLContext]]:
    """Return `certified(name)`: a certificate for a name that signs for itself, and a server's context with it."""

    def make(name: str) -> tuple[Path, ssl.SSLContext]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(subject, subject, key.public_key(), 1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        path, secret = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        secret.write_bytes(key.private_bytes(*plain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, secret)
        return path, context

    return make


def test_tls_goes_to_the_address_that_was_checked_under_the_name(certified: Any, names: Any, monkeypatch: Any) -> None:
    path, context = certified("hooks.example")
    asked = []
    context.sni_callback = lambda tunnel, name, _context: asked.append(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    names["hooks.example"] = ["127.0.0.1"]
    with receiving(context) as receiver:
        (outcome,) = post(claimed(f"https://hooks.example:{receiver.server_port}/in"))
    assert (outcome.status_code, outcome.error) == (204, "")
    assert asked == ["hooks.example"]
    assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.server_port}"


@pytest.mark.parametrize(("name", "trusted"), [("hooks.example", False), ("other.example", True)])
def test_a_certificate_that_is_not_trusted_or_for_another_name_gets_nothing(
    certified: Any, names: Any, monkeypatch: Any, name: str, trusted: bool
) -> None:
    path, context = certified(name)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    names["hooks.example"] = ["127.0.0.1"]
    with receiving(context) as receiver:
        (outcome,) = post(claimed(f"https://hooks.example:{receiver.server_port}/in"))
    assert outcome.error.startswith("Its certificate is not trusted")
    assert receiver.received == []


# The sender at work.


@contextmanager
def sending() -> Iterator[None]:
    """A sender at work for the block."""

    async def work(stop: asyncio.Event) -> None:
        await Sender().run(stop)

    with on_a_loop(work):
        yield


def statuses(**asked: Any) -> set[str]:
    return set(Delivery.objects.filter(**asked).values_list("status", flat=True))


def delivered(**asked: Any) -> bool:
    return statuses(**asked) == {DeliveryStatus.FINISHED}


@pytest.mark.threads
def test_what_waits_is_sent_and_written_down() -> None:
    with receiving() as receiver:
        endpoint = outbox.endpoint(receiver.url)
        secret = vault.unseal(endpoint.secret)
        waiting = outbox.waiting(endpoint, 40, now=timezone.now())
        with sending():
            until(delivered)
    assert {one.id: one.body.decode() for one in receiver.received} == {f"msg_{row.pk}": row.body for row in waiting}
    assert len(receiver.received) == 40
    for one in receiver.received:
        one.verified(secret)
    kept = DeliveryTry.objects.values_list("number", "status_code", "error")
    assert (len(kept), set(kept)) == (40, {(1, 204, "")})


@pytest.mark.threads
def test_id_and_body_are_the_same_in_every_try() -> None:
    with receiving() as receiver:
        receiver.status = 500
        endpoint = outbox.endpoint(receiver.url)
        outbox.waiting(endpoint, now=timezone.now())
        with sending():
            until(lambda: statuses() == {DeliveryStatus.RETRY} and not Endpoint.objects.get().proven)
            until(lambda: DeliveryTry.objects.exists())
            receiver.status = 204
            Delivery.objects.update(next_try_at=timezone.now())
            Endpoint.objects.update(due_at=timezone.now())
            until(delivered)
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    assert list(DeliveryTry.objects.values_list("number", "status_code")) == [(1, 500), (2, 204)]


class Crowded(Receiver):
    """Holds every request until `free` is set, and knows how many there were at once."""

    def __init__(self) -> None:
        self.free, self.now, self.most = threading.Event(), 0, 0
        super().__init__()

    def keep(self, one: Received) -> None:
        with self.came:
            self.now += 1
            self.most = max(self.most, self.now)
            self.came.notify_all()
        self.free.wait(20)
        with self.came:
            self.now -= 1
        super().keep(one)

    def wait_until_crowded(self, count: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: self.now >= count, 20), self.now


@contextmanager
def crowded() -> Iterator[Crowded]:
    with Crowded() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.free.set()
            receiver.shutdown()


@pytest.mark.threads
@pytest.mark.parametrize(("proven", "width"), [(True, PER_ENDPOINT), (False, 1)])
def test_so_many_and_no_more_go_to_one_endpoint_at_once(settings: Any, proven: bool, width: int) -> None:
    settings.CROWDSITE_WEBHOOK_SECONDS = 20
    with crowded() as receiver:
        endpoint = outbox.endpoint(receiver.url, proven=proven)
        outbox.waiting(endpoint, 12, now=timezone.now())
        with sending():
            receiver.wait_until_crowded(width)
            # Another endpoint's deliveries come and go meanwhile.
            with receiving() as other:
                outbox.waiting(outbox.endpoint(other.url), 5, now=timezone.now())
                other.wait_for(5)
            assert receiver.most == width
            receiver.free.set()
            until(delivered)
    assert len(receiver.received) == 12


@pytest.mark.threads
def test_endpoints_that_hang_leave_the_others_as_quick_as_they_were(settings: Any) -> None:
    settings.CROWDSITE_WEBHOOK_SECONDS = 20
    with crowded() as hanging, receiving() as good, receiving() as new:
        for number in range(UNPROVEN_SLOTS + 40):
            outbox.waiting(outbox.endpoint(f"{hanging.url}/{number}"), 3, now=timezone.now())
        quick = outbox.endpoint(good.url, proven=True)
        with sending():
            hanging.wait_until_crowded(UNPROVEN_SLOTS)
            outbox.waiting(quick, 60, now=timezone.now())
            until(lambda: delivered(endpoint=quick))
            assert hanging.most == UNPROVEN_SLOTS
            assert hanging.received == []
            # One that is new has its turn as soon as one of those that hang is done with.
            fresh = outbox.endpoint(new.url)
            outbox.waiting(fresh, now=timezone.now())
            hanging.free.set()
            until(lambda: delivered(endpoint=fresh))
    assert len(new.received) == 1


@pytest.mark.threads
def test_slow_endpoints_do_not_keep_all_slots(settings: Any) -> None:
    settings.CROWDSITE_WEBHOOK_SECONDS = 20
    with crowded() as slow, receiving() as good:
        for number in range(20):
            outbox.waiting(outbox.endpoint(f"{slow.url}/{number}", proven=True), 9, now=timezone.now())
        with sending():
            slow.wait_until_crowded(2 * 20)
            outbox.waiting(outbox.endpoint(good.url, proven=True), 20, now=timezone.now())
            good.wait_for(20)
            assert slow.received == []
            slow.free.set()


@pytest.mark.threads
def test_much_that_waits_for_a_dead_endpoint_is_not_tried_all_the_time() -> None:
    with receiving() as good:
        since = timezone.now() - timedelta(minutes=10)
        dead = outbox.endpoint(f"http://127.0.0.1:{free_port()}/", failing_since=since)
        outbox.waiting(dead, 100, now=timezone.now())
        quick = outbox.endpoint(good.url, proven=True)
        tried = DeliveryTry.objects.filter(delivery__endpoint=dead)
        with sending():
            until(tried.exists)
            outbox.waiting(quick, 60, now=timezone.now())
            until(lambda: delivered(endpoint=quick))
            assert tried.count() == 1


@pytest.mark.threads
def test_two_couriers_at_once_send_each_delivery_once() -> None:
    with receiving() as receiver:
        for number in range(4):
            outbox.waiting(outbox.endpoint(f"{receiver.url}/{number}"), 25, now=timezone.now())
        with sending(), sending():
            until(delivered)
    assert len({one.id for one in receiver.received}) == len(receiver.received) == 100
    assert set(Delivery.objects.values_list("tries", flat=True)) == {1}


@pytest.mark.threads
def test_what_a_killed_courier_had_taken_is_sent_after_its_lease() -> None:
    with receiving() as receiver:
        endpoint = outbox.endpoint(receiver.url)
        outbox.waiting(endpoint, now=timezone.now())
        outbox.take(endpoint, now=timezone.now(), lease=timedelta(seconds=1))
        with sending():
            until(delivered)
    assert len(receiver.received) == 1
    assert Delivery.objects.get().tries == 2


@pytest.mark.threads
def test_at_its_end_it_waits_a_little_and_gives_back_what_it_has(settings: Any) -> None:
    settings.CROWDSITE_WEBHOOK_SECONDS = 20
    with crowded() as receiver:
        outbox.waiting(outbox.endpoint(receiver.url, proven=True), 10, now=timezone.now())
        with sending():
            receiver.wait_until_crowded(2)
            begin = time.monotonic()
        assert time.monotonic() - begin < 15
    rows = Delivery.objects.values_list("status", "tries", "next_try_at")
    assert {row[:2] for row in rows} == {(DeliveryStatus.WAITING, 0)}
    assert max(row[2] for row in rows) <= timezone.now()


@pytest.mark.threads
@pytest.mark.only("postgresql")
def test_a_connection_to_the_database_that_breaks_is_made_anew() -> None:
    with receiving() as receiver:
        endpoint = outbox.endpoint(receiver.url)
        outbox.waiting(endpoint, now=timezone.now())
        with sending():
            until(delivered)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                assert cursor.fetchone()[0] >= 1
            outbox.waiting(endpoint, now=timezone.now())
            until(delivered)
    assert len(receiver.received) == 2


@pytest.mark.threads
@pytest.mark.only("postgresql")
def test_an_outcome_that_cannot_be_written_down_keeps_no_other_from_it(caplog: Any) -> None:
    endpoint = outbox.endpoint()
    outbox.waiting(endpoint, 2, now=timezone.now())
    bad, good = outbox.take(endpoint, now=timezone.now(), limit=2)

    async def record() -> None:
        sender = Sender()
        sender.outcomes = [
            Outcome(bad, timezone.now(), 10, status_code=500, excerpt="a\0b"),
            Outcome(good, timezone.now(), 10, status_code=200),
        ]
        await sender._record()
        assert sender.outcomes == []
        await sender.database.close()

    asyncio.run(record())
    assert delivered(pk=good.id)
    assert f"delivery {bad.id} went cannot be written down" in caplog.text
