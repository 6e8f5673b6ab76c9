"""The synthetic crowd's people and numbers. What it does to a site is in tests/site/test_simulate_crowd.py."""

import subprocess
import sys
from statistics import mean, median

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from pavilion import sessions
from pavilion.simulation import behaviour
from pavilion.simulation.behaviour import Leaving
from pavilion.simulation.tally import Tally, percentile
from tests import pools
from tests.servers import free_port
from tests.site.serving import ROOT

MANY = 2000


def plans(seed=1, pace=1.0):
    """Each of many people's first plan."""
    return [behaviour.plan(behaviour.generator(seed, number), pace) for number in range(MANY)]


def test_the_same_seed_makes_the_same_people():
    assert plans(seed=1) == plans(seed=1)
    assert plans(seed=1) != plans(seed=2)


def test_people_differ_from_each_other():
    assert len(set(plans())) == MANY


def test_times_are_distributed_as_it_says():
    people = plans()
    assert mean(person.patience for person in people) == pytest.approx(behaviour.PATIENCE, rel=0.1)
    assert median(person.reaction for person in people) == pytest.approx(behaviour.REACTION, rel=0.1)
    thinking = [seconds for person in people for seconds in person.thinking]
    assert median(thinking) == pytest.approx(behaviour.THINKING, rel=0.1)
    assert min(len(person.thinking) for person in people) == 1


@pytest.mark.parametrize("how", list(Leaving))
def test_people_leave_in_each_way_as_often_as_it_says(how):
    share = sum(person.leaving == how for person in plans()) / MANY
    assert share == pytest.approx(behaviour.LEAVING[how], rel=0.2)


def test_in_a_short_run_all_goes_quicker():
    assert behaviour.pace(12) == 0.1
    assert behaviour.pace(3600) == 1
    slow, quick = (behaviour.plan(behaviour.generator(1, 1), pace) for pace in (1, 0.1))
    assert quick.patience == pytest.approx(slow.patience / 10)
    assert quick.thinking == pytest.approx([seconds / 10 for seconds in slow.thinking])
    assert all(behaviour.arrival(behaviour.generator(1, number), 8) <= 2 for number in range(100))


@pytest.mark.parametrize(("share", "value"), [(50, 50), (95, 95), (99, 99), (100, 100)])
def test_a_percentile_is_the_value_at_the_nearest_rank(share, value):
    assert percentile(list(range(1, 101)), share) == value
    assert percentile([7], share) == 7


def test_the_summary_tells_of_latencies_and_of_the_most_frequent_errors():
    tally = Tally(latencies=[0.010] * 98 + [0.2] * 2)
    tally.errors.update(["grab: 500"] * 3 + ["once"])
    said = "\n".join(tally.summary())
    assert "p50 10 ms, p95 10 ms, p99 200 ms (100 pushed" in said
    assert "errors 4\n  3 × grab: 500\n  1 × once" in said


def test_the_engine_knows_of_the_site_only_what_it_is_told_over_the_network():
    program = "import sys, pavilion.simulation.crowd; print('django' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.django_db
def test_a_pool_that_is_not_at_work_is_a_sentence():
    with pytest.raises(CommandError, match="No pool digits-pool is at work in this database"):
        call_command("simulate_crowd")


@pytest.mark.django_db
@pytest.mark.parametrize("named", ["digits-pool", "its id"])
def test_a_session_that_was_stopped_has_no_invitation(named):
    session = pools.post(name="digits-pool")
    sessions.stop(session_id=session.pk)
    with pytest.raises(CommandError, match="is at work"):
        call_command("simulate_crowd", pool=named if named != "its id" else str(session.pool_id))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--workers=0", "--workers must be from 1"),
        ("--workers=10001", "--workers must be from 1"),
        ("--seconds=0", "--seconds must be from 1"),
        ("--answer={", "--answer is no JSON"),
    ],
)
def test_an_option_that_makes_no_sense_is_a_sentence(option, said):
    with pytest.raises(CommandError, match=said):
        call_command("simulate_crowd", "--invitation=http://127.0.0.1:9/", option)


def test_a_site_that_is_not_there_gives_no_invitation():
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CommandError, match=f"The site at {url} gave no invitation"):
        call_command("simulate_crowd", url=url, token="cs_nobody")


def test_a_site_that_is_not_there_is_counted_as_errors(capsys):
    with pytest.raises(CommandError, match=r"There were \d+ errors"):
        call_command("simulate_crowd", f"--invitation=http://127.0.0.1:{free_port()}/", workers=2, seconds=1)
    assert "joins 0" in capsys.readouterr().out
