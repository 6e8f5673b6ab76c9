"""Take each guard away and see a test go red: a guard that nobody misses is a missing test, or no guard.

`python -m tests.guards [word …]`; `make guards` calls it. With words, only the guards whose name has one of them. The
tests first run on the code as it is. Then each mutation is made in a copy of the tree, where every test that it names
must fail, on its backend. The status is 1 where one does not, and where a mutation's text is not found exactly once.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from tests.guard import Edit, Guard, both
from tests.routing import guards as routing_guards
from tests.run import BACKENDS, environment

ROOT = Path(__file__).resolve().parent.parent

# What of the tree the tests do not need.
LEFT_OUT = (
    ".venv",
    ".git",
    "node_modules",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "var",
    "dist",
    "build",
    "*.egg-info",
)

# The longest that the tests of one mutation may take, in seconds.
LONG = 120

# How much of a failure's reason is shown, in characters.
REASON = 100

GUARDS = "tests/assignments/test_guards.py::"
QUEUES = "tests/queues/test_guards.py::"
RACES = "tests/assignments/test_races.py::"
ORDER = "tests/assignments/test_order.py::"
ROLL_UP = "tests/assignments/test_roll_up.py::"
SEQUENCE = "tests/queues/test_sequence.py::"
FEED = "tests/queues/test_feed.py::"
AT_ONCE = "tests/api/test_notify_at_once.py::"
DELIVER = "tests/queues/test_deliver.py::"
SEND = "tests/queues/test_send.py::"
HANDED_AT_ONCE = "tests/assignments/test_at_once.py::"
PLACES = "tests/queues/test_places.py::"
STATEMENTS = "tests/queues/test_statements.py::"
POOL = "tests/pavilion/test_guards.py::"
POOL_RACES = "tests/pavilion/test_races.py::"
RESTORE = "tests/queues/test_restore.py::"
LOG = "tests/site/test_log.py::"

ONCE_FOR_SITE = 'fields=("endpoint",), name="notification_once_for_site"'


TABLE: Sequence[Guard] = [
    # Constraints: without one it is still there by name, and holds for everything.
    Guard(
        "a live slot is unique",
        "the constraint assignment_live_slot",
        both(
            "assignments/models.py",
            ('fields=["queue", "reviewer", "live_slot"],', 'fields=["queue", "reviewer", "live_slot", "id"],'),
            ('fields=("queue", "reviewer", "live_slot"),', 'fields=("queue", "reviewer", "live_slot", "id"),'),
        ),
        (
            f"{RACES}test_eight_tabs_of_one_reviewer_hold_no_more_than_the_limit",
            f"{GUARDS}test_a_slot_holds_one_assignment",
        ),
    ),
    Guard(
        "a person counts once for a task",
        "the constraint assignment_counted",
        both(
            "assignments/models.py",
            (
                'name="assignment_counted", fields=["task", "reviewer"],',
                'name="assignment_counted", fields=["task", "reviewer", "id"],',
            ),
            (
                'fields=("task", "reviewer"),\n                        name="assignment_counted",',
                'fields=("task", "reviewer", "id"),\n                        name="assignment_counted",',
            ),
        ),
        (
            f"{GUARDS}test_two_tabs_of_one_person_do_not_both_get_a_task_in_different_slots",
            f"{GUARDS}test_a_person_is_once_on_a_task",
        ),
    ),
    Guard(
        "open slots fit the status",
        "the constraint task_open_slots_fit",
        both(
            "queues/models/task.py",
            (
                "condition=Q(status=TaskStatus.AVAILABLE, open_slots__gte=1, open_slots__lte=",
                "condition=Q(open_slots__gte=0) | Q(status=TaskStatus.AVAILABLE, open_slots__lte=",
            ),
            (
                'models.Q(("open_slots", 0), ("status__in", ["ASSIGNED", "FINISHED", "CANCELED", "EXPIRED"])),',
                'models.Q(("open_slots__gte", 0)),',
            ),
        ),
        (f"{GUARDS}test_open_slots_fit_the_status",),
        "sqlite",
    ),
    Guard(
        "a key is begun once",
        "the constraint idempotency_scope",
        both(
            "queues/models/request.py",
            (
                'name="idempotency_scope", fields=["user", "method", "path", "key"]',
                'name="idempotency_scope", fields=["user", "method", "path", "key", "id"]',
            ),
            ('fields=("user", "method", "path", "key"),', 'fields=("user", "method", "path", "key", "id"),'),
        ),
        (f"{QUEUES}test_a_key_is_begun_once_while_its_lease_lasts",),
        "sqlite",
    ),
    # Locks.
    Guard(
        "a transition locks its task",
        "select_for_update of TaskQuerySet.locked()",
        (
            Edit(
                "queues/querysets.py",
                'self.order_by("id").select_for_update(no_key=True, skip_locked=skip, of=("self",))',
                'self.order_by("id")',
            ),
        ),
        (
            f"{RACES}test_the_same_answer_twice_at_once_counts_once",
            f"{GUARDS}test_an_answer_that_waits_for_its_repetition_is_the_repetition",
            f"{GUARDS}test_an_answer_that_waits_past_its_lease_is_refused",
        ),
    ),
    Guard(
        "a claim holds the membership",
        "FOR KEY SHARE of hold_review_access()",
        (
            Edit(
                "queues/access.py",
                'statement += f" FOR KEY SHARE OF {Membership._meta.db_table}"',
                'statement += ""',
            ),
        ),
        (
            f"{RACES}test_a_revoked_reviewer_holds_nothing_whoever_was_faster",
            f"{RACES}test_a_target_and_the_end_of_its_access_at_once_leave_no_orphan",
            f"{GUARDS}test_a_claim_holds_the_access_that_it_found",
        ),
    ),
    Guard(
        "on SQLite a writer begins as one",
        "transaction_mode IMMEDIATE",
        (Edit("crowdsite/environment.py", '"transaction_mode": "IMMEDIATE",', '"transaction_mode": "DEFERRED",'),),
        (f"{RACES}test_eight_tabs_of_one_reviewer_hold_no_more_than_the_limit",),
        "sqlite",
    ),
    Guard(
        "a deadlock is tried again",
        "the SQLSTATEs that the writers' wrapper retries",
        (Edit("queues/transactions.py", 'frozenset({"40001", "40P01"})', "frozenset()"),),
        (f"{QUEUES}test_a_writer_that_a_deadlock_undid_runs_again",),
    ),
    # What is looked at once the lock is there.
    Guard(
        "a task moves from an allowed state only",
        "the status in _move()'s UPDATE",
        (Edit("queues/lifecycle.py", "filter(pk=task.pk, status__in=sources)", "filter(pk=task.pk)"),),
        (f"{GUARDS}test_a_task_that_has_closed_meanwhile_is_not_moved_again",),
        "sqlite",
    ),
    Guard(
        "an assignment ends once",
        "the status in _end()'s UPDATE",
        (
            Edit(
                "assignments/lifecycle.py",
                "if not Assignment.objects.filter(pk=assignment.pk, status=AssignmentStatus.CREATED).update(**values):",
                "if not Assignment.objects.filter(pk=assignment.pk).update(**values):",
            ),
        ),
        (f"{GUARDS}test_an_assignment_that_has_ended_meanwhile_is_not_ended_again",),
        "sqlite",
    ),
    Guard(
        "the assignment is read after the lock",
        "the order of the two reads in _locked()",
        (
            Edit(
                "assignments/lifecycle.py",
                '    task = Task.objects.locked().select_related("queue", "target_reviewer").get(pk=task_id)\n'
                '    assignment = Assignment.objects.select_related("reviewer__user", "queue").get(pk=assignment_id)\n',
                '    assignment = Assignment.objects.select_related("reviewer__user", "queue").get(pk=assignment_id)\n'
                '    task = Task.objects.locked().select_related("queue", "target_reviewer").get(pk=task_id)\n',
            ),
        ),
        (
            f"{RACES}test_the_same_answer_twice_at_once_counts_once",
            f"{GUARDS}test_an_answer_that_waits_for_its_repetition_is_the_repetition",
        ),
    ),
    Guard(
        "the clock is read after the lock",
        "the order of lock and clock in _finalize()",
        (
            Edit(
                "assignments/lifecycle.py",
                "    assignment = _locked(assignment_id)\n    now = database_now(now)\n"
                "    if assignment.status == AssignmentStatus.FINISHED and strictjson",
                "    now = database_now(now)\n    assignment = _locked(assignment_id)\n"
                "    if assignment.status == AssignmentStatus.FINISHED and strictjson",
            ),
        ),
        (f"{GUARDS}test_an_answer_that_waits_past_its_lease_is_refused",),
    ),
    Guard(
        "a lapsed lease is refused",
        "the time in _require_live()",
        (
            Edit(
                "assignments/lifecycle.py",
                "    lapsed = assignment.expire_at is not None and assignment.expire_at <= now\n",
                "    lapsed = False\n",
            ),
        ),
        (f"{GUARDS}test_a_lapsed_lease_is_refused_swept_or_not",),
        "sqlite",
    ),
    # The claim.
    Guard(
        "a grab that lost its slot runs again",
        "the second attempt of _fill_or_held()",
        (Edit("assignments/claims.py", "for _attempt in range(2):", "for _attempt in range(1):"),),
        (f"{GUARDS}test_a_tab_that_loses_its_slot_to_another_fills_up_all_the_same",),
    ),
    Guard(
        "an assign that lost its slot runs again",
        "the attempts of assign() but one",
        (Edit("assignments/claims.py", "for _attempt in range(LIVE_MAX):", "for _attempt in range(0):"),),
        (f"{GUARDS}test_a_tab_that_loses_its_slot_to_another_is_told_so",),
    ),
    Guard(
        "empty is said after a patient look",
        "_fill_patiently() in grab()",
        (Edit("assignments/claims.py", "got = _fill_patiently(claim)", "pass"),),
        (
            f"{RACES}test_a_task_for_three_goes_to_three_who_ask_at_once",
            f"{GUARDS}test_a_task_with_a_slot_left_is_waited_for",
        ),
    ),
    Guard(
        "a lapsed lease is taken back by the next grab",
        "expire_assignments() in _catch_up()",
        (
            Edit(
                "assignments/claims.py",
                "        (Assignment.objects.lapsed(moment), lifecycle.expire_assignments),\n",
                "",
            ),
        ),
        (f"{ORDER}test_a_lapsed_lease_of_the_most_important_task_comes_next",),
        "sqlite",
    ),
    Guard(
        "a due task is opened by the next grab",
        "release_scheduled() in _catch_up()",
        (Edit("assignments/claims.py", "        (Task.objects.due(moment), release_scheduled),\n", ""),),
        (f"{ORDER}test_a_due_task_comes_at_its_time_without_a_sweep",),
        "sqlite",
    ),
    Guard(
        "excluded tasks are not handed out",
        "the exclusions in fresh_to()",
        (Edit("assignments/querysets.py", "        ~Exists(excluded),\n", ""),),
        (
            f"{GUARDS}test_a_task_is_not_handed_to_whoever_was_excluded",
            f"{GUARDS}test_an_excluded_task_cannot_be_chosen",
        ),
        "sqlite",
    ),
    Guard(
        "judged tasks are not handed out again",
        "the assignments in fresh_to()",
        (Edit("assignments/querysets.py", "        ~Exists(taken),\n", ""),),
        (f"{ORDER}test_two_judgments_come_to_each_in_the_same_order",),
        "sqlite",
    ),
    Guard(
        "a task aimed at another is not handed out",
        "the target in fresh_to()",
        (
            Edit(
                "assignments/querysets.py",
                "        Q(target_reviewer__isnull=True) | Q(target_reviewer=reviewer.user_id),\n    )",
                "    )",
            ),
        ),
        (f"{GUARDS}test_a_task_aimed_at_another_cannot_be_chosen",),
        "sqlite",
    ),
    # The same in one statement.
    Guard(
        "what psycopg prepares on a connection it may have forgotten",
        "prepare_threshold in is_psycopgs()",
        (
            Edit(
                "queues/prepared.py",
                "return raw.prepare_threshold is not None or not _waits_in_libpq()",
                "return not _waits_in_libpq()",
            ),
        ),
        (f"{STATEMENTS}test_what_psycopg_has_forgotten_is_not_counted_on",),
    ),
    Guard(
        "a transaction begins before what is read in it",
        "begins in takes_calls()",
        (Edit("queues/prepared.py", "not is_psycopgs(raw) and not begins and", "not is_psycopgs(raw) and"),),
        (f"{STATEMENTS}test_what_is_read_first_in_a_transaction_is_read_in_it",),
    ),
    Guard(
        "the statement locks its task",
        "FOR NO KEY UPDATE of the task that an answer is for",
        (Edit("assignments/statements/ending.py", "  FOR NO KEY UPDATE OF task\n", ""),),
        (f"{GUARDS}test_an_answer_that_waits_past_its_lease_is_refused",),
    ),
    Guard(
        "the statement's clock is read after the lock",
        "clock_timestamp() behind the lock",
        (Edit("assignments/statements/ending.py", "clock_timestamp()", "statement_timestamp()"),),
        (f"{GUARDS}test_an_answer_that_waits_past_its_lease_is_refused",),
    ),
    Guard(
        "the statement holds the membership",
        "FOR KEY SHARE of the membership",
        (Edit("assignments/statements/claiming.py", "  FOR KEY SHARE OF member\n", ""),),
        (
            f"{RACES}test_a_revoked_reviewer_holds_nothing_whoever_was_faster",
            f"{GUARDS}test_a_claim_holds_the_access_that_it_found",
        ),
    ),
    Guard(
        "the statement refuses a lapsed lease",
        "the time in the UPDATE that ends an assignment",
        (
            Edit(
                "assignments/statements/ending.py",
                "    AND (own.expire_at IS NULL OR own.expire_at > clock.now)\n",
                "",
            ),
        ),
        (f"{GUARDS}test_a_lapsed_lease_is_refused_swept_or_not",),
    ),
    Guard(
        "the statement hands out no excluded task",
        "the exclusions in _fits()",
        (
            Edit(
                "assignments/statements/claiming.py",
                "(SELECT excluded.until <= (SELECT now FROM door) IS TRUE FROM",
                "(SELECT true FROM",
            ),
        ),
        (
            f"{GUARDS}test_a_task_is_not_handed_to_whoever_was_excluded",
            f"{GUARDS}test_an_excluded_task_cannot_be_chosen",
        ),
    ),
    Guard(
        "the statement hands nobody's target to another",
        "whose a chosen task is",
        (
            Edit(
                "assignments/statements/claiming.py",
                'named, whose = "task.id = %(task)s::bigint", f"({_ANYONES} OR {_MINE})"',
                'named, whose = "task.id = %(task)s::bigint", f"(true OR {_MINE})"',
            ),
        ),
        (f"{GUARDS}test_a_task_aimed_at_another_cannot_be_chosen",),
    ),
    Guard(
        "the statement's lease ends with its task",
        "the task's expiry in what is inserted",
        (Edit("assignments/statements/claiming.py", "least(took.expire_at, coalesce(", "least(NULL, coalesce("),),
        (f"{GUARDS}test_a_lease_ends_with_its_task",),
    ),
    Guard(
        "the statement extends no lease past its task",
        "the task's expiry in the new end",
        (Edit("assignments/statements/ending.py", "least(locked.expire_at, clock.now", "least(NULL, clock.now"),),
        (f"{GUARDS}test_a_lease_is_not_extended_past_its_task",),
    ),
    Guard(
        "something better is heard of",
        "became_available() in _lower()",
        (Edit("queues/places.py", "line.head.rank = min(line.head.rank, rank)", "pass"),),
        (
            f"{HANDED_AT_ONCE}test_something_better_of_this_process_is_preferred_at_once",
            f"{PLACES}test_something_better_lowers_the_places_behind_it",
        ),
    ),
    Guard(
        "an older look says nothing of something better",
        "the version in found()",
        (Edit("queues/places.py", "if start.version != line.version:", "if False:"),),
        (f"{PLACES}test_a_look_that_began_before_something_better_came_says_nothing",),
    ),
    Guard(
        "empty is said after a look from the head",
        "the portable look behind one that found nothing",
        (
            Edit(
                "assignments/claims.py",
                "    if given is not None:\n        return Grab(given.assignments) if",
                '    if not claim.queue.is_paused and connection.vendor == "postgresql" and given is None:\n'
                "        return Grab(reason=Reason.EMPTY)\n"
                "    if given is not None:\n        return Grab(given.assignments) if",
            ),
        ),
        (f"{HANDED_AT_ONCE}test_a_queue_is_called_empty_only_after_a_look_from_the_head",),
    ),
    # Leases and their tasks.
    Guard(
        "a lease ends with its task",
        "the task's expiry in lease_end()",
        (
            Edit(
                "queues/strategy.py",
                "ends = [task_expire_at] if task_expire_at else []",
                "ends: list[datetime] = []",
            ),
        ),
        (f"{GUARDS}test_a_lease_ends_with_its_task",),
        "sqlite",
    ),
    Guard(
        "a lease is not extended past its task",
        "the task's expiry in extend()",
        (Edit("assignments/lifecycle.py", "end = min(end, assignment.task.expire_at)", "pass"),),
        (f"{GUARDS}test_a_lease_is_not_extended_past_its_task",),
        "sqlite",
    ),
    Guard(
        "an earlier expiry shortens leases",
        "shorten_leases() in follow_task()",
        (Edit("assignments/receivers.py", "lifecycle.shorten_leases(task, now=now, actor=actor)", "pass"),),
        (f"{GUARDS}test_an_earlier_expiry_shortens_the_lease",),
        "sqlite",
    ),
    Guard(
        "a new target releases another's lease",
        "take_back() in follow_task()",
        (
            Edit(
                "assignments/receivers.py",
                'lifecycle.take_back(others, reason="task given to another reviewer", now=now, actor=actor)',
                "pass",
            ),
        ),
        (f"{GUARDS}test_a_new_target_takes_the_task_out_of_other_hands",),
        "sqlite",
    ),
    Guard(
        "whoever may not review holds nothing",
        "take_back() in release_leases()",
        (
            Edit(
                "assignments/receivers.py",
                'lifecycle.take_back(held, reason="review access revoked", now=now, actor=actor)',
                "pass",
            ),
        ),
        (f"{GUARDS}test_whoever_may_not_review_any_more_holds_nothing",),
        "sqlite",
    ),
    Guard(
        "whoever may not review their own tasks any more holds none",
        "the signal in update_queue()",
        (
            Edit(
                "queues/administration.py",
                "signals.own_work_forbidden.send(Queue, queue_id=queue_id, actor=actor, now=moment)",
                "pass",
            ),
        ),
        ("tests/assignments/test_review_ones_own.py::test_what_they_hold_is_taken_back_when_it_is_forbidden",),
        "sqlite",
    ),
    Guard(
        "nobody answers their own task where that is forbidden",
        "_is_forbidden() in finalize()",
        (
            Edit(
                "assignments/lifecycle.py",
                "return own and not known.queue.requester_may_review and",
                "return False and own and",
            ),
        ),
        ("tests/assignments/test_review_ones_own.py::test_what_they_got_in_that_moment_they_cannot_answer",),
        "sqlite",
    ),
    Guard(
        "a task that closes ends what is live under it",
        "end_under() in end_assignments()",
        (
            Edit(
                "assignments/receivers.py",
                'lifecycle.end_under(tasks, reason=reason or "task closed", now=now, actor=actor)',
                "pass",
            ),
        ),
        (f"{GUARDS}test_a_task_that_closes_ends_what_is_live_under_it",),
        "sqlite",
    ),
    # Idempotency.
    Guard(
        "a request under way is not begun again",
        "the lease in begin()",
        (Edit("queues/idempotency.py", "if record.leased_until > moment:", "if False:"),),
        (f"{QUEUES}test_a_key_is_begun_once_while_its_lease_lasts",),
        "sqlite",
    ),
    Guard(
        "a key is for one body",
        "the fingerprint in begin()",
        (Edit("queues/idempotency.py", "record.fingerprint != fingerprint", "False"),),
        (f"{QUEUES}test_a_key_is_for_one_body",),
        "sqlite",
    ),
    Guard(
        "a request that lost its turn cannot answer",
        "the fence in complete()",
        (
            Edit(
                "queues/idempotency.py",
                "    mine = IdempotencyRecord.objects.filter(pk=turn.record, fence=turn.fence, status__isnull=True)\n"
                "    if not",
                "    mine = IdempotencyRecord.objects.filter(pk=turn.record, status__isnull=True)\n    if not",
            ),
        ),
        (
            f"{QUEUES}test_whoever_dawdles_past_the_lease_cannot_answer_for_the_next",
            f"{GUARDS}test_a_request_whose_key_was_taken_over_leaves_no_effect",
        ),
    ),
    Guard(
        "a request that lost its turn cannot give it up",
        "the fence in abandon()",
        (
            Edit(
                "queues/idempotency.py",
                "    mine = IdempotencyRecord.objects.filter(pk=turn.record, fence=turn.fence, status__isnull=True)\n"
                "    mine.update",
                "    mine = IdempotencyRecord.objects.filter(pk=turn.record, status__isnull=True)\n    mine.update",
            ),
        ),
        (f"{QUEUES}test_whoever_dawdles_past_the_lease_cannot_give_up_for_the_next",),
        "sqlite",
    ),
    Guard(
        "an answer is kept once",
        "the empty status in complete()",
        (
            Edit(
                "queues/idempotency.py",
                "fence=turn.fence, status__isnull=True)\n    if not",
                "fence=turn.fence)\n    if not",
            ),
        ),
        (f"{QUEUES}test_an_answer_is_kept_once",),
        "sqlite",
    ),
    Guard(
        "effect and answer commit together",
        "the transaction around carry_out()",
        (Edit("queues/api/base.py", "        @writer\n        def carry_out", "        def carry_out"),),
        (f"{GUARDS}test_a_request_whose_key_was_taken_over_leaves_no_effect",),
    ),
    # The metrics: what could still change is made again, and nothing is counted twice.
    Guard(
        "what is committed late is counted",
        "the look back before the mark",
        (Edit("assignments/rollup.py", "hour_of(mark - LATE - ABSENCE)", "hour_of(mark)"),),
        (
            f"{ROLL_UP}test_what_was_committed_late_is_counted",
            f"{ROLL_UP}test_slack_of_the_hour_before_is_counted_once_work_goes_on",
        ),
    ),
    Guard(
        "an hour is made again when it is a day old",
        "the second making",
        (Edit("assignments/rollup.py", "max(hour_of(mark) - AGAIN, whole), hour_of(until) - AGAIN", "mark, mark"),),
        (f"{ROLL_UP}test_what_was_committed_much_too_late_is_counted_a_day_later",),
    ),
    Guard(
        "the feed keeps the order of a task",
        "the question for earlier ones",
        (Edit("queues/sequencer.py", "if _pass_by_earlier(events):", "if False:"),),
        (
            f"{SEQUENCE}test_an_event_comes_after_those_of_its_task_that_were_late",
            f"{SEQUENCE}test_an_event_comes_after_those_of_its_queue_that_were_late",
        ),
    ),
    Guard(
        "one gives places at a time",
        "the lock of the feed's mark",
        (
            Edit(
                "queues/sequencer.py",
                "FeedMark.objects.select_for_update(no_key=True, skip_locked=True).first()",
                "FeedMark.objects.first()",
            ),
        ),
        (f"{SEQUENCE}test_several_sequencers_give_no_place_twice_and_leave_no_gap",),
        backend="postgres",
    ),
    Guard(
        "a purge is never passed over in silence",
        "the question after the look",
        (
            Edit(
                "queues/feed.py",
                "    purged_to = _purged_to()\n    if start <",
                "    purged_to = feed.purged_to\n    if start <",
            ),
        ),
        (f"{FEED}test_what_is_purged_while_one_looks_is_not_passed_over_in_silence",),
    ),
    Guard(
        "hours are not made of what was purged meanwhile",
        "the question at the end",
        (
            Edit(
                "assignments/rollup.py",
                "    require_whole(start)\n    if until is not None:",
                "    if until is not None:",
            ),
        ),
        (f"{ROLL_UP}test_what_is_purged_while_hours_are_made_anew_changes_none",),
    ),
    Guard(
        "a lapsed lease is no work",
        "the cut at the lease's end",
        (Edit("assignments/rollup.py", "end if expiry is None else min(end, expiry)", "end"),),
        (f"{ROLL_UP}test_a_lease_that_lapsed_is_no_work_until_it_is_swept",),
    ),
    # Settings of who is told.
    Guard(
        "a webhook's task is held while its setting is made",
        "the lock of the task",
        (Edit("queues/notifications.py", 'Task.objects.locked().only("status")', 'Task.objects.only("status")'),),
        (f"{AT_ONCE}test_a_setting_that_was_made_is_told_how_its_task_ended",),
    ),
    Guard(
        "a webhook's address is looked up before the transaction",
        "the preparation outside of it",
        (
            Edit(
                "queues/api/base.py",
                "            self.prepare(request, *args, **kwargs)\n            return carry_out()",
                "            return carry_out()",
            ),
            Edit(
                "queues/api/base.py",
                "            response = handler(request, *args, **kwargs)\n",
                "            self.prepare(request, *args, **kwargs)\n"
                "            response = handler(request, *args, **kwargs)\n",
            ),
        ),
        ("tests/api/test_notify_inline.py::test_the_network_is_asked_outside_the_transaction",),
        "sqlite",
    ),
    Guard(
        "a webhook's secret is in no kept answer",
        "the answer that is kept instead",
        (Edit("queues/api/views/tasks.py", "new_tasks(made, secrets=False)", "new_tasks(made, secrets=True)"),),
        (
            "tests/api/test_notify.py::test_the_secret_is_kept_nowhere_in_clear_and_in_no_later_answer",
            "tests/api/test_notify_inline.py::test_a_repeated_request_gets_the_same_answer_but_for_the_secret",
        ),
        "sqlite",
    ),
    Guard(
        "a webhook's old secrets go on signing",
        "the one before the last",
        (Edit("queues/notifications.py", "signing[:OLD_SECRETS_MAX]", "signing[:1]"),),
        (f"{AT_ONCE}test_two_rotations_at_once_leave_every_secret_signing",),
        "sqlite",
    ),
    Guard(
        "a webhook's owner may see what it tells of",
        "the question whether they may",
        (Edit("queues/merging.py", " and may_see(setting):", ":"),),
        (
            "tests/queues/test_merging.py::test_a_manager_who_left_is_told_no_more",
            "tests/queues/test_merging.py::test_a_requester_is_told_of_their_own_task_alone",
            "tests/queues/test_merging.py::test_who_is_deactivated_is_told_no_more",
        ),
        "sqlite",
    ),
    Guard(
        "a webhook stands once in a place",
        "the constraint notification_once_for_site",
        (
            Edit(
                "queues/models/notification.py",
                'name="notification_once_for_site", fields=["endpoint"]',
                'name="notification_once_for_site", fields=["endpoint", "id"]',
            ),
            Edit("queues/migrations/0003_events.py", ONCE_FOR_SITE, ONCE_FOR_SITE.replace(",)", ', "id")')),
        ),
        (f"{AT_ONCE}test_one_setting_of_the_site_made_at_once_is_made_once",),
    ),
    # Deliveries.
    Guard(
        "a delivery is taken under its endpoint's lock",
        "the lock",
        (
            Edit(
                "queues/deliveries.py",
                "locked = _locked(endpoint_ids)",
                "locked = Endpoint.objects.in_bulk(list(endpoint_ids))",
            ),
        ),
        (f"{DELIVER}test_two_couriers_at_once_never_take_the_same",),
    ),
    Guard(
        "a delivery's failure counts under its lease only",
        "the fence",
        (Edit("queues/deliveries.py", " and row.tries == outcome.claimed.fence:", ":"),),
        (f"{DELIVER}test_a_late_failure_is_noted_and_changes_nothing_for_who_took_over",),
        "sqlite",
    ),
    Guard(
        "a delivery's tries of before a replay do not count",
        "the comparison with tries_before",
        (Edit("queues/deliveries.py", "outcome.claimed.fence <= row.tries_before or ", ""),),
        (f"{DELIVER}test_a_try_from_before_a_replay_is_only_noted",),
        "sqlite",
    ),
    Guard(
        "a delivery is purged whole",
        "the lock of what is purged",
        (
            Edit(
                "queues/deliveries.py",
                '.order_by("ended_at").select_for_update(skip_locked=True)',
                '.order_by("ended_at")',
            ),
        ),
        (f"{DELIVER}test_what_is_being_replayed_is_passed_by_by_the_purge",),
    ),
    Guard(
        "what was replayed is not handed back",
        "the comparison with tries_before in give_back()",
        (Edit("queues/deliveries.py", "tries=fence, tries_before__lt=fence,", "tries=fence,"),),
        (f"{DELIVER}test_what_was_replayed_meanwhile_cannot_be_handed_back",),
    ),
    Guard(
        "a delivery is replayed once",
        "the endpoint's lock and the question whether it has ended",
        (
            Edit(
                "queues/deliveries.py",
                "Delivery.objects.filter(pk__in=ids, status=DeliveryStatus.FAILED)",
                "Delivery.objects.filter(pk__in=ids)",
            ),
        ),
        ("tests/queues/test_replay.py::test_two_replays_at_once_replay_each_once",),
    ),
    Guard(
        "a delivery goes to an address that was checked",
        "the check of what the name led to",
        (
            Edit(
                "queues/posting.py",
                "in addresses.check_resolved(found, scheme=_scheme.get(), port=port)",
                "in found",
            ),
        ),
        (f"{SEND}test_a_name_that_leads_elsewhere_the_second_time_reaches_nothing_private",),
        "sqlite",
    ),
    Guard(
        "a delivery goes to no private address that is written out",
        "the check of literal addresses",
        (Edit("queues/posting.py", "addresses.check_resolved([literal], scheme=url.scheme, port=port)", "pass"),),
        ("tests/queues/test_addresses.py::test_no_spelling_of_this_machine_is_connected_to",),
        "sqlite",
    ),
    Guard(
        "a delivery follows no redirect",
        "the client's orders",
        (Edit("queues/posting.py", ", allow_redirects=False", ""),),
        (f"{SEND}test_a_redirect_is_not_followed",),
        "sqlite",
    ),
    Guard(
        "a delivery to an endpoint that keeps failing rests",
        "the rest",
        (Edit("queues/deliveries.py", "rest = min(failing * REST_SHARE, REST_MAX)", "rest = timedelta(0)"),),
        (
            f"{DELIVER}test_an_endpoint_that_keeps_failing_rests_between_its_tries",
            f"{SEND}test_much_that_waits_for_a_dead_endpoint_is_not_tried_all_the_time",
        ),
        "sqlite",
    ),
    # The pool: one session at a time.
    Guard(
        "a session is locked",
        "select_for_update of Locked",
        (
            Edit(
                "pavilion/locking.py",
                'rows = Session.objects.select_for_update(no_key=True, of=("self",)).select_related("pool")',
                'rows = Session.objects.select_related("pool")',
            ),
        ),
        (f"{POOL_RACES}test_no_more_get_a_seat_than_there_are_places",),
    ),
    Guard(
        "an answer under way is waited for",
        "select_for_update of Locked.seat()",
        (
            Edit(
                "pavilion/locking.py",
                "return Seat.objects.select_for_update(no_key=True).get(pk=seat_id, session=self.session)",
                "return Seat.objects.get(pk=seat_id, session=self.session)",
            ),
        ),
        (f"{POOL}test_an_answer_that_is_under_way_is_paid",),
    ),
    Guard(
        "who is blocked while joining is seen",
        "select_for_update of the worker in join()",
        (
            Edit(
                "pavilion/pool.py",
                "if Worker.objects.select_for_update(no_key=True).get(pk=worker.pk)",
                "if Worker.objects.get(pk=worker.pk)",
            ),
        ),
        (f"{POOL}test_a_worker_who_is_blocked_while_joining_keeps_no_seat",),
    ),
    Guard(
        "a worker has one live seat",
        "the constraint seat_live_once",
        both(
            "pavilion/models/seat.py",
            ('name="seat_live_once", fields=["worker"],', 'name="seat_live_once", fields=["worker", "id"],'),
            ('fields=("worker",), name="seat_live_once"', 'fields=("worker", "id"), name="seat_live_once"'),
        ),
        (f"{POOL}test_a_second_live_seat_is_refused_by_the_database",),
        "sqlite",
    ),
    Guard(
        "a seat is paid once",
        "the constraint payment_once",
        both(
            "pavilion/models/payment.py",
            ('name="payment_once", fields=["seat", "kind"]', 'name="payment_once", fields=["seat", "kind", "id"]'),
            ('fields=("seat", "kind"), name="payment_once"', 'fields=("seat", "kind", "id"), name="payment_once"'),
        ),
        (f"{POOL}test_a_kind_of_pay_is_written_once",),
        "sqlite",
    ),
    Guard(
        "the database keeps the budget",
        "the constraint session_within_budget",
        both(
            "pavilion/models/session.py",
            ('Q(budget__gte=F("committed"))', "Q(budget__gte=0)"),
            ('("budget__gte", models.F("committed"))', '("budget__gte", 0)'),
        ),
        (f"{POOL}test_the_database_refuses_more_than_the_budget",),
        "sqlite",
    ),
    # The pool: limits and money.
    Guard(
        "a pool that is full takes nobody in",
        "is_full in _offer()",
        (Edit("pavilion/pool.py", "if locked.is_full:", "if False:"),),
        (f"{POOL}test_no_more_join_than_may_wait_and_be_active",),
        "sqlite",
    ),
    Guard(
        "a seat begins after the end of the one elsewhere",
        "the second look at the clock in join()",
        (Edit("pavilion/pool.py", "        locked.now = database_now(now)\n", ""),),
        (f"{POOL_RACES}test_a_seat_begins_after_the_end_of_the_one_elsewhere_that_it_waited_for",),
    ),
    Guard(
        "the purge waits for who has still to read the feed",
        "what readers on a floor above say",
        (Edit("queues/feed.py", "(old if read is None or row[0] <= read else old - GRACE)", "old"),),
        ("tests/assignments/test_census.py::test_a_purge_waits_for_it_a_day",),
        "sqlite",
    ),
    Guard(
        "no more are migrated than may be active",
        "max_active in migrate()",
        (
            Edit(
                "pavilion/pool.py",
                "possible = min(count, locked.waiting, session.max_active - locked.active)",
                "possible = min(count, locked.waiting)",
            ),
        ),
        (f"{POOL}test_no_more_are_migrated_than_may_be_active",),
        "sqlite",
    ),
    Guard(
        "departures bring a pool down to its limit",
        "max_active in leave()",
        (
            Edit(
                "pavilion/locking.py",
                "if was == SeatStatus.ACTIVE and session.is_live and self.active < session.max_active:",
                "if was == SeatStatus.ACTIVE and session.is_live:",
            ),
        ),
        (f"{POOL}test_a_limit_that_was_lowered_comes_to_hold_as_people_leave",),
        "sqlite",
    ),
    Guard(
        "an offer is taken once",
        "the status in _offer()",
        (Edit("pavilion/pool.py", "if hire is None or hire.status not in OFFERED:", "if hire is None:"),),
        (f"{POOL}test_one_offer_is_taken_once",),
        "sqlite",
    ),
    Guard(
        "a blocked worker takes no seat",
        "blocked_at in join()",
        (Edit("pavilion/pool.py", ".get(pk=worker.pk).blocked_at is not None:", ".get(pk=worker.pk) is None:"),),
        (f"{POOL}test_a_blocked_worker_takes_no_seat",),
        "sqlite",
    ),
    Guard(
        "places are offered within the budget",
        "that_fit() in hire()",
        (Edit("pavilion/locking.py", "        count = pay.that_fit(self.room, each, count)\n", ""),),
        (f"{POOL}test_no_more_places_are_offered_than_the_budget_has_room_for",),
        "sqlite",
    ),
    Guard(
        "a place is open again within the budget",
        "that_fit() in _offer_again()",
        (Edit("pavilion/locking.py", " or not pay.that_fit(self.room, each, 1):", ":"),),
        (f"{POOL}test_a_place_that_was_returned_is_not_open_again_where_there_is_no_room",),
        "sqlite",
    ),
    Guard(
        "a budget is not below what is committed",
        "the budget in change()",
        (
            Edit(
                "pavilion/sessions.py",
                "if session.budget is not None and session.budget < session.committed:",
                "if False:",
            ),
        ),
        (f"{POOL}test_a_budget_is_not_set_below_what_is_committed",),
        "sqlite",
    ),
    # The pool: windows and answers.
    Guard(
        "an older window may not act",
        "the connection in _live()",
        (Edit("pavilion/pool.py", "if connection is not None and connection != seat.connection:", "if False:"),),
        (f"{POOL}test_an_older_window_cannot_leave",),
        "sqlite",
    ),
    Guard(
        "an older window is no sign of life",
        "the connection in heard()",
        (Edit("pavilion/pool.py", "if known.get(pk) == connection}", "if pk in known}"),),
        (f"{POOL}test_an_older_window_is_no_sign_of_life",),
        "sqlite",
    ),
    Guard(
        "an answer stands only where it is counted",
        "the refusal in _finalize()",
        (Edit("pavilion/work.py", "    if not counted:\n", "    if False:\n"),),
        (
            f"{POOL}test_an_older_window_cannot_answer",
            f"{POOL}test_an_answer_for_which_no_money_is_put_aside_is_refused",
            f"{POOL}test_an_answer_that_comes_after_the_departure_is_refused",
            f"{POOL_RACES}test_an_answer_that_races_with_a_departure_is_paid_or_refused",
        ),
    ),
    Guard(
        "who works has said that they are there",
        "confirmed_at in queue_for()",
        (Edit("pavilion/work.py", "        if seat.confirmed_at is None:\n", "        if False:\n"),),
        (f"{POOL}test_who_has_not_confirmed_does_not_answer",),
        "sqlite",
    ),
    Guard(
        "a task that came too late is given up",
        "the look at the seat after grab()'s claim",
        (Edit("pavilion/work.py", "    if not there:\n", "    if False:\n"),),
        (f"{POOL}test_a_task_that_came_when_the_seat_was_over_is_given_up",),
        "sqlite",
    ),
    Guard(
        "who is promoted has something to give back",
        "to_release in promote()",
        (
            Edit(
                "pavilion/locking.py",
                "seat.to_release = session.pool.backlog_queue_id is not None",
                "seat.to_release = False",
            ),
        ),
        (f"{POOL}test_a_promoted_worker_loses_what_they_hold_of_the_backlog",),
        "sqlite",
    ),
    Guard(
        "who leaves has something to give back",
        "to_release in leave()",
        (Edit("pavilion/locking.py", "        seat.to_release = True\n", ""),),
        (f"{POOL}test_who_leaves_loses_what_they_hold",),
        "sqlite",
    ),
    Guard(
        "who comes back has lost what they held",
        "the time of the newer seat in release()",
        (Edit("pavilion/work.py", "held = held.filter(created_at__lt=newer.joined_at)", "held = held.none()"),),
        (f"{POOL}test_who_leaves_and_comes_back_at_once_has_lost_what_they_held",),
        "sqlite",
    ),
    # The pool: time.
    Guard(
        "who waited and has gone is not promoted",
        "the order in run_deadlines()",
        (
            Edit(
                "pavilion/locking.py",
                "key=lambda row: (row[0].is_active, row[2], row[0].pk)",
                "key=lambda row: (not row[0].is_active, row[2], row[0].pk)",
            ),
        ),
        (f"{POOL}test_who_waited_and_has_gone_is_not_promoted",),
        "sqlite",
    ),
    Guard(
        "what is overdue is done though a call is refused",
        "the refusal after the deadlines in under_lock()",
        (
            Edit(
                "pavilion/locking.py",
                "        except CrowdError as refused:\n            return None, refused\n",
                "        except CrowdError:\n            raise\n",
            ),
        ),
        (f"{POOL}test_what_is_overdue_is_done_though_the_call_is_refused",),
        "sqlite",
    ),
    Guard(
        "a session ends at its time",
        "expires_at in run_deadlines()",
        (Edit("pavilion/locking.py", "        if self.session.expires_at <= self.now:\n", "        if False:\n"),),
        (f"{POOL}test_a_session_whose_time_is_over_takes_nobody_in",),
        "sqlite",
    ),
    Guard(
        "who had gone before the session ended has gone",
        "due() in end()",
        (
            Edit(
                "pavilion/locking.py",
                "left = by_itself if at <= min(self.now, session.expires_at) else Left.STOP",
                "left = Left.STOP",
            ),
        ),
        (f"{POOL}test_who_fell_silent_before_the_session_ended_has_abandoned",),
        "sqlite",
    ),
    # The pool: what is done at marketplaces.
    Guard(
        "what somebody sees to nobody else does",
        "the lease in take()",
        (Edit("pavilion/errands.py", "update(leased_until=moment + LEASE, tries=", "update(tries="),),
        (f"{POOL}test_what_somebody_sends_nobody_else_sends",),
        "sqlite",
    ),
    Guard(
        "an errand is locked while it is taken",
        "select_for_update of take()",
        (
            Edit(
                "pavilion/errands.py",
                'free.select_for_update(skip_locked=True, of=("self",)).values_list',
                "free.values_list",
            ),
        ),
        (f"{POOL_RACES}test_those_who_pay_at_once_pay_each_once",),
    ),
    # Looking after it.
    Guard(
        "numbers leap after a restore",
        "the leap in _raise_number()",
        (Edit("queues/restoring.py", 'WHERE name = %s", [by, name])', 'WHERE name = %s", [0, name])'),),
        (f"{RESTORE}test_what_comes_next_has_a_number_that_was_never_given_out",),
        "sqlite",
    ),
    Guard(
        "places of before a restore lead nowhere",
        "purged_to in _move_places()",
        (
            Edit(
                "queues/restoring.py",
                "first - 1 + by, mark.purged_until or oldest or timezone.now()",
                "1, timezone.now()",
            ),
        ),
        (f"{RESTORE}test_readers_of_the_feed_are_told_to_begin_anew_and_nothing_is_lost_to_those_who_do",),
        "sqlite",
    ),
    Guard(
        "secrets are blotted out of log lines",
        "blotted()",
        (Edit("crowdsite/logs.py", "text = secret.sub(mark + BLOT, text)", "pass"),),
        (f"{LOG}test_secrets_are_blotted_out_by_their_form",),
        "sqlite",
    ),
    Guard(
        "metrics are for operators",
        "is_operator() in metrics()",
        (Edit("crowdsite/monitoring.py", "if user is not None and not is_operator(user):", "if False:"),),
        ("tests/site/test_monitor.py::test_it_is_for_operators_and_for_who_brings_the_token",),
        "sqlite",
    ),
    Guard(
        "a scrape gives up what takes long",
        "statement_timeout in bounded()",
        (Edit("crowdsite/gauges.py", "SET LOCAL statement_timeout = {STATEMENT_MS}", "SELECT {STATEMENT_MS}"),),
        ("tests/site/test_monitor.py::test_what_takes_too_long_is_given_up_and_said_so",),
    ),
    Guard(
        "who asks for work too often is refused",
        "count() in HotView",
        (Edit("queues/api/hot.py", "            self.count(whole)\n", ""),),
        ("tests/api/test_throttle.py::test_others_are_not_in_the_way",),
        "sqlite",
    ),
    Guard(
        "all processes count together",
        "the cache behind Throttle",
        (Edit("queues/throttles.py", "return int(cache.incr(key, number))", "return number"),),
        ("tests/queues/test_throttle.py::test_all_processes_count_together",),
        "sqlite",
    ),
    Guard(
        "a cache that is away refuses nobody",
        "except in _taken()",
        (Edit("queues/throttles.py", "        except Exception as error:", "        except ValueError as error:"),),
        ("tests/queues/test_throttle.py::test_where_the_cache_is_away_each_process_counts_by_itself",),
        "sqlite",
    ),
    Guard(
        "passwords cannot be tried one after the other",
        "limited() around the admin's sign-in",
        (Edit("crowdsite/urls.py", "limited(admin.site.login)", "admin.site.login"),),
        ("tests/site/test_sign_in_often.py::test_both_pages_count_together_and_names_as_they_are_meant",),
        "sqlite",
    ),
    Guard(
        "nobody fills the disk with a form",
        "Bounded among the upload handlers",
        (Edit("crowdsite/settings.py", '    "crowdsite.uploads.Bounded",\n', ""),),
        ("tests/site/test_uploads.py::test_a_form_that_says_it_is_too_large_is_refused_before_it_is_read",),
        "sqlite",
    ),
    *routing_guards.TABLE,
]


def run(tree: Path, tests: Sequence[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run pytest in a tree. Raises TimeoutExpired after LONG seconds for each of the tests."""
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--no-header", "--tb=no", "-p", "no:cacheprovider", *tests]
    # Wide lines: the summary cuts the reasons to the terminal's width.
    wide = {**variables, "COLUMNS": "300"}
    return subprocess.run(command, cwd=tree, env=wide, capture_output=True, text=True, timeout=LONG * len(tests))


def verdict(guard: Guard, variables: Mapping[str, str]) -> tuple[str, str]:
    """What becomes of the guard's tests without it: "red" when all of them fail, else what is wrong; and why."""
    with tempfile.TemporaryDirectory(prefix="crowdsite-guard-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        try:
            for edit in guard.edits:
                edit.apply(tree)
            done = run(tree, guard.tests, variables)
        except ValueError as problem:
            return "NOT REMOVED", str(problem)
        except subprocess.TimeoutExpired:
            return "HANGS", ""
    summary = done.stdout.splitlines()
    if done.returncode not in (0, 1) or any(line.startswith("ERROR") for line in summary):
        return "BROKEN", " / ".join(summary[-3:])
    failed = [line.removeprefix("FAILED ").partition(" - ") for line in summary if line.startswith("FAILED ")]
    green = [short(test) for test in guard.tests if not any(name.partition("[")[0] == test for name, *_ in failed)]
    return ("GREEN", ", ".join(green)) if green else ("red", failed[0][2][:REASON])


def short(test: str) -> str:
    """The name of a test without its file."""
    return test.partition("::")[2]


def row(*cells: str) -> None:
    """Print a row of the table."""
    print("|", " | ".join(cell.replace("|", "/") for cell in cells), "|", flush=True)


def main() -> int:
    """Print the table; the answer is 0 when every guard is missed by all of its tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only the guards whose name has one of these")
    words = parser.parse_args().words
    chosen = [guard for guard in TABLE if not words or any(word in guard.name for word in words)]
    wrong = 0
    row("guard", "removed", "tests", "on", "result", "because", "seconds")
    row(*["---"] * 7)
    for backend in BACKENDS:
        guards = [guard for guard in chosen if guard.backend == backend]
        if not guards:
            continue
        with ExitStack() as stack:
            variables = stack.enter_context(environment(backend))
            tests = sorted({test for guard in guards for test in guard.tests})
            began = monotonic()
            before = run(ROOT, tests, variables)
            if before.returncode:
                print(before.stdout, before.stderr, file=sys.stderr)
                print(f"The tests do not even pass with every guard in its place, on {backend}.", file=sys.stderr)
                return 1
            row("all of these", "nothing", f"{len(tests)} tests", backend, "green", "", f"{monotonic() - began:.0f}")
            for guard in guards:
                began = monotonic()
                result, why = verdict(guard, variables)
                wrong += result != "red"
                tests = [short(test) for test in guard.tests]
                seconds = f"{monotonic() - began:.0f}"
                row(guard.name, guard.removed, ", ".join(tests), backend, result, why, seconds)
    print(f"{len(chosen) - wrong} of {len(chosen)} guards are missed when they are gone.")
    return 1 if wrong or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
