"""What grabs could gain that share a claim: so many tasks by one statement, beside as many by one statement each.

No statement of the app hands tasks to several reviewers. One that hands several tasks to one of them does nearly all
that such a one would have to do, and less of it, so it tells the most that sharing can bring.
"""

from typing import Any

from benchmarks.backlog import Backlog
from benchmarks.hands import Worker, working
from benchmarks.limit import Script, Sent, heard, known, pgbench, tuned

CLIENTS = 64
AMOUNTS = (1, 2, 4, 10)
"""Tasks by one statement. Ten is the most that a reviewer may hold; four, that share a process under gunicorn."""

LET_GO = """
UPDATE crowd_assignments_assignment SET status = 'FINISHED', live_slot = NULL, ended_at = now(), data = '"cat"'
WHERE queue_id = %(queue)s AND live_slot IS NOT NULL;
UPDATE crowd_queues_task SET status = 'FINISHED', output_data = '"cat"'
WHERE queue_id = %(queue)s AND status = 'ASSIGNED'
"""

WHO = r"""
\set turn :turn + 1
\set who :client_id + :turn * :clients
\set user :first_user + :who
\set reviewer :first_reviewer + :who
"""


def hear(backlog: Backlog, amount: int) -> Sent:
    """The statement that the app sends for a reviewer who may hold so many."""
    from assignments import claims
    from queues.models import Membership, Queue

    Queue.objects.filter(pk=backlog.queue).update(
        max_multitask=10, default_assignment_strategy={"multitask_index": amount}
    )
    membership = Membership.objects.select_related("queue", "user").get(pk=backlog.membership)
    with heard() as sent:
        given = claims.grab(membership=membership)
    if len(given.assignments) != amount or len(sent) != 1:
        raise SystemExit(f"The app sent {len(sent)} statements for {len(given.assignments)} tasks instead of {amount}.")
    return sent[0]


def sharing(backlog: Backlog, *, open_tasks: int, repetitions: int) -> dict[str, Any]:
    """Tasks a second that 64 clients get, by how many come with a statement; each reviewer asks once."""
    runs: list[dict[str, float]] = []
    with working(backlog.url, threads=1) as app:
        for number in range(repetitions):
            found = {}
            for amount in sorted(AMOUNTS, reverse=number % 2 == 1):
                found[str(amount)] = _tasks_a_second(backlog, app, amount, open_tasks)
            runs.append(found)
            print("sharing: " + ", ".join(f"{amount} {rate:.0f}" for amount, rate in found.items()), flush=True)
    return {"repetitions": runs, "clients": CLIENTS}


def _tasks_a_second(backlog: Backlog, app: Worker, amount: int, open_tasks: int) -> float:
    backlog.execute(LET_GO)
    backlog.fill(open_tasks)
    sent = app.ask(hear, backlog, amount)
    options = app.ask(tuned)
    backlog.execute(LET_GO)
    backlog.settle()
    script = Script()
    text = f"{WHO}{script.statement(sent)};\n"
    turns = backlog.people // CLIENTS
    variables = known(backlog, CLIENTS) | script.constants
    with pgbench(backlog.url, text, variables, options, "-c", str(CLIENTS), "-t", str(turns)) as end:
        cycles = end()
    # The first of each client is planned, which nobody waits for twice.
    ends = sorted(ended for ended, _took in cycles)
    counted = ends[CLIENTS - 1 :]
    ((taken,),) = backlog.execute("SELECT count(*) FROM crowd_assignments_assignment WHERE live_slot IS NOT NULL")
    if taken != turns * CLIENTS * amount:
        raise SystemExit(f"{taken} tasks were handed out instead of {turns * CLIENTS * amount}.")
    return amount * (len(counted) - 1) / (counted[-1] - counted[0])
