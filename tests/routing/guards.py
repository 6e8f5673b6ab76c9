"""The guards of routing (see tests.guards)."""

from collections.abc import Sequence

from tests.guard import Edit, Guard, both

RUNS = "tests/routing/test_run.py::"
RUN_CONTROL = "tests/routing/test_control_runs.py::"
RUN_RACES = "tests/routing/test_run_races.py::"
PIPELINE = "tests/routing/test_pipeline.py::"
SESSIONS = "tests/routing/test_session_races.py::"
COUNTS = "tests/routing/test_statistics.py::"
SERVE = "tests/routing/test_serve.py::"


def _edit(file: str, old: str, new: str = "") -> tuple[Edit, ...]:
    return (Edit(f"routing/{file}", old, new),)


TABLE: Sequence[Guard] = [
    Guard(
        "a move of a pipeline is made once",
        "the constraint move_once",
        both(
            "routing/models/session.py",
            ('name="move_once", fields=["token", "number"]', 'name="move_once", fields=["token", "number", "id"]'),
            ('fields=("token", "number"), name="move_once"', 'fields=("token", "number", "id"), name="move_once"'),
        ),
        (f"{SESSIONS}test_two_requests_at_once_on_one_step_advance_once",),
    ),
    Guard(
        "an answer claims its move",
        "_claim() of _take",
        _edit(
            "pipeline.py", "            _claim(token, number)\n            place = place", "            place = place"
        ),
        (f"{SESSIONS}test_two_requests_at_once_on_one_step_advance_once",),
    ),
    Guard(
        "a move that was made is not made again",
        "its age in _claim()",
        _edit("pipeline.py", "number=number, at__lt=latest)", "number=number)"),
        (f"{PIPELINE}test_a_move_that_was_made_is_not_made_again",),
        "sqlite",
    ),
    Guard(
        "two first answers begin one pipeline",
        "the session's key in _token()",
        _edit("pipeline.py", "    if not key:\n", "    if True:\n"),
        (f"{SESSIONS}test_two_first_answers_at_once_from_one_session_begin_one_pipeline",),
    ),
    Guard(
        "a form of another step is told",
        "crowd_step",
        _edit("pipeline.py", "asked is not None and (place is None or asked != place.step)", "False"),
        (f"{PIPELINE}test_a_form_of_another_step_is_told",),
        "sqlite",
    ),
    Guard(
        "an answer that is late is told",
        "the method in _require_first()",
        _edit("pipeline.py", "    if place and crowd_request.get_method() == POST:", "    if False:"),
        (f"{PIPELINE}test_to_answer_the_first_task_twice_is_told",),
        "sqlite",
    ),
    Guard(
        "pipe data of a failed answer is dropped",
        "the copy",
        _edit("pipeline.py", "    pipe_data = copy.deepcopy(place.data)\n", "    pipe_data = place.data\n"),
        (f"{PIPELINE}test_what_a_failed_post_did_is_undone",),
        "sqlite",
    ),
    Guard(
        "an answer stands though the next task fails",
        "saving the session",
        _edit("pipeline.py", "        keep(session)\n", "        pass\n"),
        (f"{PIPELINE}test_an_answer_is_kept_in_the_stored_session_though_the_next_task_fails",),
        "sqlite",
    ),
    Guard(
        "no more are let in than may be",
        "the limit in admit()",
        _edit("statistics.py", "(router=router, admitted__lt=limit)", "(router=router)"),
        (f"{SESSIONS}test_sixteen_threads_get_no_more_in_than_are_let_in",),
    ),
    Guard(
        "a visit is rolled up once",
        "the lock of roll_up()",
        _edit("statistics.py", ".select_for_update(skip_locked=True)", ""),
        (f"{SESSIONS}test_statistics_are_exact_under_sixteen_threads_while_they_are_rolled_up",),
    ),
    Guard(
        "nobody unknown passes a whitelist",
        "somebody signed in",
        _edit(
            "router.py",
            "if self.whitelist and not is_among(user, self.whitelist)",
            "if user and self.whitelist and not is_among(user, self.whitelist)",
        ),
        ("tests/routing/test_guard.py::test_the_whitelist_lets_in_those_on_it_alone",),
        "sqlite",
    ),
    Guard(
        "a form needs its token",
        "csrf_protect",
        _edit("views/serving.py", "@csrf_protect\n", ""),
        (f"{SERVE}test_a_post_needs_its_token_even_where_the_host_has_no_middleware_for_it",),
        "sqlite",
    ),
    Guard(
        "no template is rendered that a request names",
        "what it brought",
        _edit("views/showing.py", "if name not in given", ""),
        (f"{SERVE}test_no_template_is_rendered_that_the_request_names",),
        "sqlite",
    ),
    Guard(
        "an answer locks its run",
        "select_for_update of answered()",
        (Edit("routing/runs.py", '        .select_for_update(no_key=True, of=("run",))\n', ""),),
        (f"{RUN_RACES}test_two_answers_at_once_to_the_lanes_of_a_fan_join_once",),
    ),
    Guard(
        "canceling a run locks its tasks first",
        "the lock of cancel()",
        (Edit("routing/runs.py", "Task.objects.filter(pk__in=ids).locked()", "Task.objects.filter(pk__in=ids)"),),
        (f"{RUN_RACES}test_canceling_and_answering_at_once",),
    ),
    Guard(
        "code of the host is undone where it raises",
        "the savepoint",
        (
            Edit(
                "routing/grounds.py",
                "            with undone_on_error():\n                return work()",
                "            return work()",
            ),
        ),
        (
            f"{RUNS}test_what_code_did_before_it_raised_is_undone",
            f"{RUNS}test_code_that_broke_its_transaction_leaves_the_answer",
        ),
    ),
    Guard(
        "a step moves once",
        "the old status in move()",
        (Edit("routing/grounds.py", "filter(pk=step.pk, status__in=sources)", "filter(pk=step.pk)"),),
        (f"{RUNS}test_a_step_that_has_moved_does_not_move_again",),
        "sqlite",
    ),
    Guard(
        "a run that is over is not moved",
        "the run's status in take_answer()",
        (Edit("routing/moving.py", "self.run.status not in OPEN or step.status", "step.status"),),
        (f"{RUN_CONTROL}test_a_step_whose_run_is_over_does_not_move_it",),
        "sqlite",
    ),
    Guard(
        "loops that do not end are stopped",
        "AT_ONCE_MAX",
        (
            Edit(
                "routing/moving.py",
                "if self.at_once[step.lane_id] > AT_ONCE_MAX:",
                "if self.at_once[step.lane_id] > 3 * AT_ONCE_MAX:",
            ),
        ),
        (f"{RUNS}test_a_loop_that_does_not_end_is_stopped",),
        "sqlite",
    ),
]
