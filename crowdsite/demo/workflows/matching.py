"""Crowdrouter's first example, made to work: find a digit's match, then confirm it. It lives in the browser's session.

The methods have the short forms of crowdrouter's README: each names what it wants and no more.
"""

import random

from django.urls import reverse

from crowdsite.demo import digits
from routing import AbstractTask, AbstractWorkFlow, TaskError, task, workflow

CANDIDATES = 4
SESSION_KEY = "demo_matches"


def picture(number: int) -> dict[str, object]:
    return {"number": number, "image_url": digits.read()[number].image_url}


def chosen(values, name):
    """The digit whose number came under this name. Raises TaskError."""
    text = str(values.get(name, ""))
    if not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) < len(digits.read())):
        raise TaskError("There is no such digit. Begin with another one.")
    return int(text)


class MatchTask(AbstractTask):
    """Which of these is the same digit as that one?"""

    @task
    def get(self):
        wanted = random.choice(digits.read())
        alike = [digit for digit in digits.read() if digit.label == wanted.label and digit is not wanted]
        others = [digit for digit in digits.read() if digit.label != wanted.label]
        candidates = [random.choice(alike), *random.sample(others, CANDIDATES - 1)]
        random.shuffle(candidates)
        return {
            "status": "OK",
            "template": "demo/match.html",
            "wanted": picture(wanted.id),
            "candidates": [picture(digit.id) for digit in candidates],
        }

    @task
    def post(self, form):
        wanted, match = chosen(form, "wanted"), chosen(form, "match")
        path = reverse("DemoRouter:task", args=["MatchingWorkFlow", "ConfirmMatchTask"])
        return {"status": "OK", "path": f"{path}?wanted={wanted}&match={match}"}


class ConfirmMatchTask(AbstractTask):
    """Are these two the same digit?"""

    @task
    def get(self, data):
        pair = [picture(chosen(data, name)) for name in ("wanted", "match")]
        return {"status": "OK", "template": "demo/confirm.html", "pair": pair}

    @task
    def post(self, crowd_request, form):
        session = crowd_request.get_session()
        if form.get("verdict") == "yes":
            session[SESSION_KEY] = session.get(SESSION_KEY, 0) + 1
        return {"status": "OK", "path": reverse("DemoRouter:workflow", args=["MatchingWorkFlow"])}


class MatchingWorkFlow(AbstractWorkFlow):
    """Either task may be asked for at any time, by its name."""

    def __init__(self):
        self.tasks = [MatchTask, ConfirmMatchTask]

    @workflow
    def run(self, task):
        return task.execute()
