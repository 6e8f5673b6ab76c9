"""The demo: real digits in a queue, people who can sign in, and no way to see the answers."""

import base64
import json
import struct
import zlib
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

from crowdsite.demo import digits, loading
from pavilion import sessions
from pavilion.models import Hire, Pool, Project, Session
from queues import tokens
from queues.models import Event, GlobalKey, Membership, Queue, Task, Token
from queues.schemas import check_answer
from routing.models import Lane, Run, Step
from tests.site.serving import manage

PEOPLE = {"operator", "requester", "alice", "bob", "carol"}


@pytest.fixture
def folder(tmp_path, settings):
    settings.DATA_DIR = tmp_path / "data"
    return settings.DATA_DIR


def load(**options):
    """Run the command; returns what it printed."""
    said = StringIO()
    call_command("load_demo", stdout=said, skip_checks=True, **options)
    return said.getvalue()


def kept(folder):
    return json.loads((folder / "demo.json").read_text())


def pixels(image_url):
    """The shades of a four-bit greyscale PNG, row by row, read as the standard says; 15 is white."""
    head, _, data = image_url.partition(",")
    assert head == "data:image/png;base64"
    png = base64.b64decode(data, validate=True)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + body),)
        chunks[kind], at = body, at + 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, bits, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (bits, colour, rest) == (4, 0, [0, 0, 0])
    lines = zlib.decompress(chunks[b"IDAT"])
    stride = 1 + width // 2
    assert len(lines) == height * stride
    rows = [lines[n * stride : (n + 1) * stride] for n in range(height)]
    assert all(row[0] == 0 for row in rows)
    return [[int(shade, 16) for shade in row[1:].hex()] for row in rows]


def test_there_are_1797_digits_of_ten_kinds():
    everything = digits.read()
    assert len(everything) == 1797
    assert {digit.label for digit in everything} == set(range(10))


def test_a_picture_shows_dark_ink_on_white():
    picture = pixels(digits.Digit(0, ("0f", "10"), 1).image_url)
    assert (len(picture), len(picture[0])) == (16, 16)
    assert picture[0] == [15] * 8 + [0] * 8
    assert picture[15] == [14] * 8 + [15] * 8


def test_every_picture_is_the_digit_of_the_data():
    for digit in digits.read()[::100]:
        picture = pixels(digit.image_url)
        shown = ["".join(f"{15 - shade:x}" for shade in row[::8]) for row in picture[::8]]
        assert tuple(shown) == digit.pixels


@pytest.mark.django_db
def test_every_digit_is_a_task_that_a_reviewer_can_answer(folder):
    load()
    queue = Queue.objects.get(name="digits")
    tasks = list(Task.objects.filter(queue=queue, status="AVAILABLE"))
    assert {task.input_data["image_url"] for task in tasks} == {digit.image_url for digit in digits.read()}
    assert len(tasks) == 1797
    assert all(task.input_data["categories"] == list("0123456789") for task in tasks)
    assert check_answer(queue.output_schema, {"label": "3"}) == []
    assert check_answer(queue.output_schema, {"label": "10"})
    assert queue.instructions


@pytest.mark.django_db
def test_nothing_that_a_reviewer_sees_tells_the_answer(folder):
    load()
    places = {digit.image_url: digit.id for digit in digits.read()}
    tasks = list(Task.objects.filter(queue__name="digits").order_by("id"))
    assert {frozenset(task.input_data) for task in tasks} == {frozenset({"image_url", "categories"})}
    assert {(task.topic, task.priority) for task in tasks} == {("", 500)}
    assert all(task.global_keys == [] for task in tasks)
    assert not GlobalKey.objects.exclude(task__step__run__isnull=False).exists()
    in_place = sum(places[task.input_data["image_url"]] == place for place, task in enumerate(tasks))
    assert in_place < 10


@pytest.mark.django_db
def test_all_can_sign_in_with_what_is_kept(folder):
    load()
    people = kept(folder)["users"]
    assert set(people) == PEOPLE
    for name, keys in people.items():
        assert authenticate(username=name, password=keys["password"]).email == f"{name}@example.org"
        assert tokens.authenticate(secret=keys["token"]).user.username == name


@pytest.mark.django_db
def test_everybody_has_their_role(folder):
    load()
    users = {user.username: user for user in get_user_model()._default_manager.all()}
    assert users["operator"].is_superuser
    assert users["operator"].is_staff
    assert users["requester"].has_perm("crowd_queues.add_queue")
    assert not users["alice"].has_perm("crowd_queues.add_queue")
    roles = Membership.objects.values_list("user__username", "role").order_by("user__username", "role")
    assert list(roles.filter(queue__name="digits")) == [
        ("alice", "reviewer"),
        ("bob", "reviewer"),
        ("carol", "reviewer"),
        ("requester", "manager"),
        ("requester", "requester"),
    ]
    disputed = roles.filter(queue__name="digits-disputed")
    assert list(disputed.values_list("user__username", flat=True)) == ["operator", "requester", "requester"]


@pytest.mark.django_db
def test_what_is_kept_is_the_owners_alone_and_printed(folder):
    said = load(url="http://127.0.0.1:9000/")
    assert (folder / "demo.json").stat().st_mode & 0o777 == 0o600
    assert kept(folder)["url"] == "http://127.0.0.1:9000/"
    assert [path.name for path in folder.iterdir()] == ["demo.json"]
    for keys in kept(folder)["users"].values():
        assert keys["password"] in said
        assert keys["token"] in said


@pytest.mark.django_db
def test_each_demo_has_its_own_passwords(folder):
    load()
    first = kept(folder)["users"]
    Event.objects.all().delete()
    for model in (Step, Lane, Run, Hire, Session, Pool, Project, Task, Membership, Token, Queue, get_user_model()):
        model._default_manager.all().delete()
    load()
    assert {keys["password"] for keys in first.values()}.isdisjoint(
        keys["password"] for keys in kept(folder)["users"].values()
    )


@pytest.mark.django_db
def test_people_can_be_invited_to_its_pool_at_once(folder):
    load()
    session = Session.objects.get()
    assert (session.pool.name, session.pool.queue.name, session.status) == ("digits-pool", "digits", "LIVE")
    assert session.expires_at - session.posted_at >= timedelta(days=7)
    assert Hire.objects.filter(session=session).offered().count() == session.max_active + session.max_waiting
    assert session.started_at is None


@pytest.mark.django_db
def test_a_pool_that_was_stopped_is_at_work_again_when_the_demo_is_loaded_once_more(folder):
    load()
    first = Session.objects.get()
    assert "at work again" not in load()
    sessions.stop(session_id=first.pk)
    assert "at work again" in load()
    assert Session.objects.get(status="LIVE").pool == first.pool


@pytest.mark.django_db
def test_runs_are_there_and_wait_for_people(folder):
    load()
    names = Run.objects.order_by("id").values_list("name", "status", "started_by__username")
    assert list(names) == [("DigitsWorkFlow", "RUNNING", "requester")] * 3 + [
        ("ProofreadingWorkFlow", "RUNNING", "requester")
    ]
    waiting = Step.objects.filter(status="WAITING", task__status="AVAILABLE").order_by("id")
    assert list(waiting.values_list("name", flat=True)) == ["FirstReading"] * 3 + ["FindTask"]


@pytest.mark.servers
def test_without_the_demo_its_workflows_are_not_there(tmp_path):
    program = """
from django.urls import NoReverseMatch, reverse
from routing import registry
try:
    print(registry.registered(), reverse("DemoRouter:index"))
except NoReverseMatch:
    print(registry.registered(), "and no address")
"""
    done = manage("shell", "-v0", "-c", program, CROWDSITE_DATA_DIR=tmp_path, DEMO=0)
    assert done.stdout.strip() == "{} and no address", done.stderr


@pytest.mark.django_db
def test_a_site_with_users_is_left_alone(folder):
    get_user_model()._default_manager.create_user("carol")
    assert "was not loaded" in load()
    assert get_user_model()._default_manager.count() == 1
    assert not Queue.objects.exists()
    assert not Pool.objects.exists()
    assert not folder.exists()


@pytest.mark.django_db
def test_where_the_keys_cannot_be_kept_nothing_is_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        loading.load(url="http://127.0.0.1:8000/", file=tmp_path / "file" / "demo.json")
    assert not get_user_model()._default_manager.exists()
    assert not Queue.objects.exists()
