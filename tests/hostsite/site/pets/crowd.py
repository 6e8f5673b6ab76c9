from routing import AbstractCrowdRouter, AbstractTask, AbstractWorkFlow, HumanTask, register, task


class MatchTask(AbstractTask):
    @task
    def get(self):
        return {"status": "OK", "question": "A grey dog was lost. Which one is it?", "template": "match.html"}

    @task
    def post(self, form, pipe_data):
        pipe_data["match"] = form["match"]
        return {"status": "OK"}


class ConfirmTask(AbstractTask):
    @task
    def get(self, pipe_data):
        return {"status": "OK", "question": f"Is it the {pipe_data['match']}?"}

    @task
    def post(self):
        return {"status": "OK"}


class MatchingWorkFlow(AbstractWorkFlow):
    tasks = [MatchTask, ConfirmTask]


class AskTask(HumanTask):
    queue = "dogs"


class AskAnotherTask(HumanTask):
    queue = "dogs"
    exclude_reviewers_of = [AskTask]


class TwoOpinions(AbstractWorkFlow):
    tasks = [AskTask, AskAnotherTask]


@register
class KennelRouter(AbstractCrowdRouter):
    workflows = [MatchingWorkFlow, TwoOpinions]
