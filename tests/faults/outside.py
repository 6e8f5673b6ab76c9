"""What happens around the site: at the receivers of webhooks, and on the way."""

import random
import time

from tests.faults.kinds import Impossible, bitten, fault
from tests.faults.receiver import MODES
from tests.faults.stage import Stage
from tests.faults.waiting import kill, until


@fault
def receivers_misbehave(stage: Stage, dice: random.Random, seconds: float) -> str:
    """The receiver of webhooks hangs, trickles, floods, and resets connections, one after the other."""
    try:
        met = [_mood(stage, mode, seconds / len(MODES)) for mode in dice.sample(MODES, len(MODES))]
    finally:
        stage.mode.write_text("well")
    return f"requests met it: {', '.join(met)}"


def _mood(stage: Stage, mode: str, seconds: float) -> str:
    """Which, and how many requests of the courier met it."""
    seen = stage.mode.with_name(f"mode.{mode}")
    before = len(seen.read_text()) if seen.exists() else 0
    stage.mode.write_text(mode)
    until(lambda: seen.exists() and len(seen.read_text()) > before, f"a request of the courier ({mode})")
    time.sleep(seconds)
    return f"{mode} {len(seen.read_text()) - before}"


@fault
def the_receiver_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of the receiver, in the middle of taking webhooks."""
    in_vain = "SELECT count(*) FROM crowd_queues_deliverytry WHERE status_code IS NULL"
    before = stage.execute(in_vain)[0][0]
    kill(stage.receiver.started())
    stage.receiver.end()
    until(lambda: stage.execute(in_vain)[0][0] > before, "a try in vain")
    more = stage.execute(in_vain)[0][0] - before
    stage.receiver.start()
    return f"{more} tries found nobody"


@fault
def the_cable_is_pulled(stage: Stage, dice: random.Random, seconds: float) -> str:
    """The second host reaches nobody, and nobody reaches it; no connection is told."""
    if stage.cable is None:
        raise Impossible("no network namespace can be made")
    with stage.outage():
        stage.cable.pull()
        away = not stage.hosts[1].works()
        time.sleep(seconds)
        stage.cable.plug()
    return bitten(away, f"nothing came through for {seconds:.0f} s")
