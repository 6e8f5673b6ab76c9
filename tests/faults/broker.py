"""What happens to Valkey, which brings jobs and wakes sockets."""

import random
import signal
import time

import redis

from tests.faults.kinds import bitten, fault
from tests.faults.stage import Stage
from tests.faults.waiting import kill


@fault
def the_broker_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of Valkey, which keeps nothing; it comes back empty."""
    with stage.outage():
        before = stage.valkey.started().pid
        kill(stage.valkey.started())
        stage.valkey.end()
        time.sleep(seconds / 2)
        stage.valkey.start()
    return bitten(stage.valkey.started().pid != before, "it was away, and came back empty")


def _valkey(stage: Stage) -> redis.Redis:
    return redis.Redis.from_url(stage.redis_url, socket_timeout=5)


@fault
def the_broker_forgets(stage: Stage, dice: random.Random, seconds: float) -> str:
    """FLUSHALL, again and again."""
    forgotten, until_ = 0, time.monotonic() + seconds
    with _valkey(stage) as server:
        while time.monotonic() < until_:
            forgotten += server.dbsize()
            server.flushall()
            time.sleep(0.2)
    return bitten(forgotten, f"{forgotten} keys were forgotten")


@fault
def the_broker_is_paused(stage: Stage, dice: random.Random, seconds: float) -> str:
    """Valkey is stopped in its tracks: it takes connections, and answers nothing."""
    with stage.outage():
        stage.valkey.started().send_signal(signal.SIGSTOP)
        silent = False
        try:
            with redis.Redis.from_url(stage.redis_url, socket_timeout=0.5) as server:
                server.ping()
        except redis.RedisError:
            silent = True
        time.sleep(seconds)
        stage.valkey.started().send_signal(signal.SIGCONT)
    return bitten(silent, "it answered nothing")


@fault
def the_broker_is_full(stage: Stage, dice: random.Random, seconds: float) -> str:
    """Valkey refuses whatever needs memory."""
    with stage.outage(), _valkey(stage) as server:
        server.config_set("maxmemory-policy", "noeviction")
        server.config_set("maxmemory", "1")
        refused = False
        try:
            server.set("faults", "x" * 100)
        except redis.RedisError:
            refused = True
        time.sleep(seconds)
        server.config_set("maxmemory", "0")
    return bitten(refused, "it refused to keep anything")
