"""The problem types of this app (see queues.api.problems)."""

from queues.api.problems import register

register("crowdrouter-error", 400, "The router cannot do that")
register("not-let-in", 403, "You may not do this work")
register("requests-used-up", 429, "No more requests are let in")
register("pipeline-elsewhere", 409, "The pipeline is at another step")
register("no-such-branch", 400, "The choice has no such branch")
register("request-not-read", 400, "The request was not read")
register("request-not-understood", 400, "The request cannot be routed")
register("session-not-understood", 400, "The session is no mapping")
register("improper-response", 500, "The task gave back what it must not")
register("no-request", 400, "There is no request")
register("no-session", 400, "The request has no session")
register("no-such-task", 404, "There is no such task")
register("no-such-workflow", 404, "There is no such workflow")
register("task-error", 400, "The task could not be carried out")
register("run-over", 409, "The run is over")
register("nothing-to-retry", 409, "No step waits to be tried again")
register("run-not-failed", 409, "The run did not fail")
register("definition-vanished", 409, "The workflow is not there any more")
