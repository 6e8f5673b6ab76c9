"""What every socket checks: the page it was opened by, who is there and whether they still may, and what they send."""

import asyncio
import json
import threading
from unittest.mock import ANY

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from websockets.exceptions import InvalidStatus

from crowdsite.asgi import application
from queues import administration, members, tokens
from queues.consumers import base, limits, tell
from queues.consumers.base import FRAME_MAX, OUTBOX_MAX
from queues.consumers.limits import FRAMES_AT_ONCE
from queues.models import Membership, Token
from queues.pushes import Push
from tests import cast
from tests.sockets import LONG, serving, telling

pytestmark = pytest.mark.threads

DIGITS = "queues/digits/"


@pytest.fixture(scope="module")
def site():
    with serving() as running:
        yield running


@pytest.fixture
def digits(db):
    queue = cast.queue("digits")
    cast.join(queue, "alice")
    return queue


@pytest.fixture
def signed_in(db):
    """Return `signed_in(name)`: the browser of somebody who has signed in."""

    def sign_in(name):
        browser = Browser()
        browser.force_login(cast.person(name))
        return browser

    return sign_in


def cookie(browser):
    return {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}


# Who opened it.


def test_another_page_is_turned_away_at_the_handshake(site, digits, signed_in):
    with (
        pytest.raises(InvalidStatus) as refused,
        site.socket(DIGITS, origin="https://evil.example", additional_headers=cookie(signed_in("alice"))),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_an_address_that_leads_nowhere_is_missing(site):
    with pytest.raises(InvalidStatus) as refused, site.socket("nothing/"):
        pass
    assert refused.value.response.status_code == 404


def test_without_a_channel_layer_there_are_no_sockets(site, digits, settings):
    settings.CHANNEL_LAYERS = {}
    with pytest.raises(InvalidStatus) as refused, site.socket(DIGITS):
        pass
    assert refused.value.response.status_code == 503


# Who is there.


def test_a_session_is_welcomed_at_once(site, digits, signed_in):
    with site.socket(DIGITS, origin=site.origin, additional_headers=cookie(signed_in("alice"))) as alice:
        assert alice.next()["type"] == "welcome"


def test_a_session_counts_for_nothing_without_an_origin(site, digits, signed_in):
    with site.socket(DIGITS, additional_headers=cookie(signed_in("alice"))) as alice:
        alice.send({"type": "look"})
        assert alice.next()["code"] == "not-authenticated"


def test_a_session_of_an_old_password_counts_for_nothing(site, digits, signed_in):
    browser = signed_in("alice")
    alice = cast.person("alice")
    alice.set_password("another")
    alice.save()
    with site.socket(DIGITS, origin=site.origin, additional_headers=cookie(browser)) as socket:
        socket.send({"type": "look"})
        assert socket.next()["code"] == "not-authenticated"


def test_a_session_under_the_last_key_counts_and_stays_as_it_is(site, digits, signed_in, settings):
    browser = signed_in("alice")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    for _time in range(2):
        with site.socket(DIGITS, origin=site.origin, additional_headers=cookie(browser)) as alice:
            assert alice.next()["type"] == "welcome"


def test_a_cookie_that_no_session_can_have_counts_for_nothing(site, digits):
    header = {"Cookie": r'sessionid="abcdefgh\000ijklmnop"'}
    with site.socket(DIGITS, origin=site.origin, additional_headers=header) as socket:
        socket.send({"type": "look"})
        assert socket.next()["code"] == "not-authenticated"


def test_a_page_without_a_session_may_send_a_token(site, digits):
    with site.socket(DIGITS, origin=site.origin) as alice:
        alice.authenticate("alice")
        assert alice.next()["type"] == "welcome"


def test_a_token_that_is_none_is_not_known(site, digits):
    with site.socket(DIGITS) as nobody:
        nobody.send({"type": "authenticate", "token": "cs_nothing"})
        assert nobody.closed() == 4401


def test_who_does_not_say_who_they_are_is_sent_away(site, digits, monkeypatch):
    monkeypatch.setattr(base, "AUTHENTICATION_SECONDS", 0.05)
    with site.socket(DIGITS) as nobody:
        assert nobody.closed() == 4401


def test_of_too_many_who_wait_the_first_goes(site, digits, monkeypatch):
    monkeypatch.setattr(limits, "WAITING_MAX", 1)
    with site.socket(DIGITS) as first, site.socket(DIGITS) as second:
        assert first.closed() == 1013
        second.authenticate("alice")
        assert second.next()["type"] == "welcome"


def test_a_user_has_so_many_sockets_and_no_more(site, digits, settings):
    settings.CROWDSITE_SOCKETS_PER_USER = 1
    with site.of("alice", DIGITS) as first, site.socket(DIGITS) as second:
        second.authenticate("alice")
        assert second.closed() == 4429
        assert first.quiet() == []


def test_a_closed_socket_makes_place_for_another(site, digits, settings):
    settings.CROWDSITE_SOCKETS_PER_USER = 1
    for _time in range(3):
        with site.of("alice", DIGITS) as alice:
            alice.flood("{", times=3)
            assert alice.closed() == 1008


# Who may not, or not any more.


@pytest.mark.parametrize(
    ("name", "path", "code"),
    [
        ("bob", DIGITS, 4404),
        ("alice", "queues/letters/", 4404),
        ("rick", DIGITS, 4403),
        ("alice", "operator/", 4403),
    ],
)
def test_who_may_not_is_told_so(site, digits, name, path, code):
    cast.join(digits, "rick", "requester")
    with site.socket(path) as somebody:
        somebody.authenticate(name)
        assert somebody.closed() == code


def revoke_the_token():
    tokens.revoke(token=Token.objects.get())


def let_the_token_expire():
    Token.objects.update(expires_at="2020-01-01T00:00:00Z")


def deactivate():
    get_user_model().objects.filter(username="alice").update(is_active=False)


def leave():
    Membership.objects.filter(user__username="alice").delete()


def delete_the_queue():
    administration.archive_queue(queue_id=Membership.objects.first().queue_id)


LOSSES = [
    (revoke_the_token, 4401),
    (let_the_token_expire, 4401),
    (deactivate, 4401),
    (leave, 4403),
    (delete_the_queue, 4404),
]


@pytest.mark.parametrize(("lose", "code"), LOSSES)
def test_each_look_asks_again_whether_one_may(site, digits, lose, code):
    with site.of("alice", DIGITS) as alice:
        lose()
        alice.send({"type": "look"})
        assert alice.closed() == code


def test_each_ping_asks_again_whether_one_may(site, digits):
    with site.of("alice", DIGITS) as alice:
        revoke_the_token()
        alice.send({"type": "ping"})
        assert alice.closed() == 4401


def test_who_sends_nothing_is_asked_about_too(site, digits, monkeypatch):
    monkeypatch.setattr(base, "CHECK_EVERY", 0.2)
    with site.of("alice", DIGITS) as alice:
        leave()
        assert alice.closed() == 4403


def test_who_signs_out_is_not_known_any_more(site, digits, signed_in):
    browser = signed_in("alice")
    with site.socket(DIGITS, origin=site.origin, additional_headers=cookie(browser)) as alice:
        assert alice.next()["type"] == "welcome"
        browser.session.flush()
        alice.send({"type": "look"})
        assert alice.closed() == 4401


@pytest.mark.parametrize(("end", "code"), [(leave, 4403), (delete_the_queue, 4404)])
def test_who_loses_their_place_is_told_without_asking(site, digits, end, code):
    with telling(site), site.of("alice", DIGITS) as alice:
        if end is leave:
            members.revoke(membership=Membership.objects.get(user__username="alice"))
        else:
            end()
        assert alice.closed() == code


# What they send.


NO_COMMANDS = [
    ({"type": "grab"}, "unknown-type"),
    ({"type": "run"}, "unknown-type"),
    ({"type": "authenticate", "token": "x"}, "authenticated"),
    ({"type": "look", "queue": "letters"}, "malformed"),
]
MALFORMED = ["{", "[]", "1", '{"type": 1}', '{"type": "look", "type": "ping"}', '{"type": NaN}', "[" * 5000, b"{}"]


def test_what_cannot_be_read_is_an_error(site, digits):
    for frame in MALFORMED:
        with site.of("alice", DIGITS) as alice:
            alice.send(frame)
            assert alice.next() == {"type": "error", "code": "malformed", "detail": ANY}, frame
            assert alice.quiet() == []


def test_what_is_no_command_is_an_error(site, digits):
    for frame, code in NO_COMMANDS:
        with site.of("alice", DIGITS) as alice:
            alice.send(frame)
            assert alice.next()["code"] == code, frame


@pytest.mark.parametrize("before", [True, False])
def test_the_third_error_closes(site, digits, before):
    with site.socket(DIGITS) as alice:
        if not before:
            alice.authenticate("alice")
        alice.flood({"type": "nothing"}, times=3)
        errors = [frame for frame in (alice.next() for _ in range(3 if before else 4)) if frame["type"] == "error"]
        assert len(errors) == 3
        assert alice.closed() == 1008


def test_a_frame_may_be_long_and_not_longer(site, digits):
    with site.of("alice", DIGITS) as alice:
        longest = json.dumps({"type": "look", "x": ""})
        alice.send(longest.replace('""', f'"{"x" * (FRAME_MAX - len(longest))}"'))
        assert alice.next()["type"] == "error"
        alice.send("x" * (FRAME_MAX + 1))
        assert alice.closed() == 1009


def test_who_does_not_read_is_sent_away_and_leaves_their_place(digits):
    """The server's `send` waits, as it does where a connection's buffers are full."""
    _token, secret = tokens.issue(user=cast.person("alice"), name="socket")
    alice, sent = cast.person("alice").pk, []

    async def converse():
        deaf, incoming = asyncio.Event(), asyncio.Queue()
        incoming.put_nowait({"type": "websocket.connect"})
        incoming.put_nowait(
            {"type": "websocket.receive", "text": json.dumps({"type": "authenticate", "token": secret})}
        )

        async def send(message):
            sent.append(message)
            if message["type"] == "websocket.send":
                deaf.set()
                await asyncio.Event().wait()

        scope = {"type": "websocket", "path": f"/ws/{DIGITS}", "headers": [(b"host", b"localhost")]}
        end = asyncio.create_task(application(scope, incoming.get, send))
        await asyncio.wait_for(deaf.wait(), LONG)
        group, about = f"queue.{digits.pk}.user.{alice}", {"how": "canceled", "until": None}
        await tell([Push(group, {"type": "ended", "assignment": n, "task": n, **about}) for n in range(OUTBOX_MAX + 1)])
        await asyncio.wait_for(end, LONG)

    asyncio.run(converse())
    assert sent[-1]["type"] == "websocket.close"
    assert sent[-1]["code"] == 1013
    assert not limits.seats._taken


def test_what_is_heard_while_it_is_asked_how_things_are_is_asked_about_again(digits):
    """The answer that is under way may be older."""
    _token, secret = tokens.issue(user=cast.person("alice"), name="socket")
    asked, go_on, again = threading.Event(), threading.Event(), threading.Event()
    looks = iter([None, asked, again])

    class Slow(base.Socket):
        def admit(self, user):
            return user

        def groups(self, admission):
            return {"slow"}

        def snapshot(self, admission):
            if (look := next(looks)) is not None:
                look.set()
                assert go_on.wait(LONG)

        def show(self, type_, snapshot):
            pass

    async def converse():
        incoming = asyncio.Queue()
        incoming.put_nowait({"type": "websocket.connect"})
        for frame in ({"type": "authenticate", "token": secret}, {"type": "look"}):
            incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(frame)})

        async def send(message):
            pass

        scope = {"type": "websocket", "path": "/ws/slow/", "headers": [(b"host", b"localhost")]}
        socket = Slow(scope, incoming.get, send)
        end = asyncio.create_task(socket.run())
        assert await asyncio.to_thread(asked.wait, LONG)
        socket.hear({"type": "check"})
        go_on.set()
        assert await asyncio.to_thread(again.wait, LONG)
        incoming.put_nowait({"type": "websocket.disconnect"})
        await asyncio.wait_for(end, LONG)

    asyncio.run(converse())


def test_who_sends_too_much_is_sent_away(site, digits):
    with site.of("alice", DIGITS) as alice:
        alice.flood({"type": "ping"}, times=FRAMES_AT_ONCE + 10)
        assert alice.closed() == 1008
