"""Choices: which task comes next is decided by the request."""

import pytest

from routing import AbstractCrowdChoice, AbstractWorkFlow, CrowdChoiceError, NoRequestFoundError, PipelineError, choice
from routing.models import Move
from tests.routing.crowds import Ask, First, Fork, Person, Second, Third, flow, plain, router

pytestmark = pytest.mark.django_db


def seen(response):
    return response.task.get_name(), response.method


class Gives(First):
    """Its answer says where to go."""

    def post(self, form):
        return {"to": form.get("say")}


class Other(Third):
    """A task that no choice leads to."""


def test_a_choice_carries_out_the_branch_that_it_chose():
    person = Person(plain(Fork))
    assert seen(person.get(Fork)) == ("Second", "GET")
    assert seen(person.get("Fork", to="third")) == ("Third", "GET")
    assert seen(person.post(to="third")) == ("Third", "POST")


def test_a_choice_sees_what_the_post_before_it_gave():
    person = Person(flow(Gives, Fork))
    assert seen(person.post(form={"say": "third"})) == ("Third", "GET")
    assert person.session["cr_pipe"] == "Flow/1/Fork"


def test_a_choice_is_asked_again_in_a_post_with_the_data_of_that_request():
    person = Person(flow(Gives, Fork))
    person.post(form={"say": "third"})
    assert seen(person.post()) == ("Second", "POST")
    person.post(form={"say": "third"})
    assert seen(person.post(Fork, to="third")) == ("Third", "POST")


def test_a_branch_may_be_named_where_the_choice_leads_to_it():
    person = Person(flow(Gives, Fork, First))
    person.post()
    person.post(Third, to="third")
    assert seen(person.get()) == ("First", "GET")


def test_a_branch_to_which_the_choice_does_not_lead_takes_no_answer():
    person = Person(flow(Gives, Fork))
    person.post(form={"say": "third"})
    before = dict(person.session)
    with pytest.raises(PipelineError, match="Third is not next: Flow now goes to Second"):
        person.post(Third)
    assert person.session == before
    assert Move.objects.count() == 1


def test_what_is_no_branch_of_the_present_choice_is_an_error():
    person = Person(flow(Gives, Fork, Other))
    person.post()
    with pytest.raises(PipelineError, match="Other is not next: Flow is at Fork"):
        person.get(Other)


def test_a_choice_may_be_the_first_step():
    person = Person(flow(Fork, First))
    assert seen(person.get(Third, to="third")) == ("Third", "GET")
    assert seen(person.post(Fork)) == ("First", "GET")
    assert seen(person.get(Fork)) == ("Second", "GET")


def test_choices_in_a_row_are_asked_one_after_the_other():
    class Again(Fork):
        pass

    person = Person(flow(Gives, Fork, Again))
    assert seen(person.post(form={"say": "third"})) == ("Third", "GET")
    assert seen(person.post(Fork, to="third")) == ("Third", "GET")
    assert person.session["cr_pipe"] == "Flow/2/Again"
    assert seen(person.post(Again)) == ("Second", "POST")


def test_the_same_choice_may_stand_in_a_row():
    person = Person(flow(Fork, Fork))
    assert seen(person.post()) == ("Second", "GET")
    assert seen(person.post(to="third")) == ("Third", "POST")


def test_a_choice_may_have_any_number_of_branches():
    class Many(AbstractCrowdChoice):
        branches = (First, Second, Third)

        @choice
        def choice(self, crowd_request):
            return self.branches[crowd_request.get_data()["n"]]

    person = Person(plain(Many))
    assert [person.get(n=n).task.get_name() for n in range(3)] == ["First", "Second", "Third"]
    counted = person.router.report_crowd_statistics()["task_counts"]["Plain"]
    assert {name: count["GET"] for name, count in counted.items()} == {"First": 1, "Second": 1, "Third": 1}


def test_a_choice_may_decide_by_the_pipe_data():
    class Marked(AbstractCrowdChoice):
        t1, t2 = Second, Third

        def choice(self, pipe_data):
            return self.t2 if pipe_data["to"] == "third" else self.t1

    class Marks(First):
        def post(self, form, pipe_data):
            pipe_data["to"] = form["say"]
            return {}

    person = Person(flow(Marks, Marked))
    person.post(form={"say": "third"})
    assert seen(person.get()) == ("Third", "GET")
    assert seen(person.post(Third)) == ("Third", "POST")


@pytest.mark.parametrize("chosen", [None, Other, "Second", [Second]])
@pytest.mark.parametrize("build", [plain, flow])
def test_what_is_no_branch_is_no_choice(chosen, build):
    broken = type("Broken", (Fork,), {"choice": lambda self: chosen})
    with pytest.raises(CrowdChoiceError, match=r"Broken chose .* none of its branches: Second, Third"):
        Person(build(broken)).get()


def test_a_choice_may_lead_to_another_choice():
    class Outer(AbstractCrowdChoice):
        t1, t2 = Fork, First

        def choice(self, data):
            return self.t2 if data.get("short") else self.t1

    person = Person(flow(Outer, Other))
    assert seen(person.get(to="third")) == ("Third", "GET")
    assert seen(person.get(short=True)) == ("First", "GET")
    assert seen(person.post(Third, to="third")) == ("Other", "GET")


def test_a_choice_that_leads_to_itself_is_told():
    class Circle(AbstractCrowdChoice):
        t1 = First

        def choice(self):
            return self.t2

    Circle.t2 = Circle
    with pytest.raises(CrowdChoiceError, match="Circle leads back to itself"):
        Person(flow(Circle)).get()


def test_a_choice_without_a_request_is_told():
    with pytest.raises(NoRequestFoundError):
        Fork().execute()


def test_a_choice_that_is_repeated_is_answered_by_the_name_of_its_branch():
    class Twice(AbstractWorkFlow):
        tasks = [Fork]

        def run(self, crowd_request):
            return self.repeat(crowd_request, 2)

    front, session = router(Twice), {}
    shown = front.route(Twice, None, Ask("GET", session=session, data={"to": "second"}))
    name = shown.task.get_name()
    step = session["cr_move"]
    shown = front.route(Twice, name, Ask("POST", session=session, data={"to": "second"}, form={"crowd_step": step}))
    assert (shown.method, shown.task.get_name()) == ("GET", name)
    assert front.route(Twice, name, Ask("POST", session=session, data={"to": "second"})).pipeline_last
