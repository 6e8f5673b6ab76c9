"""Amounts and shares of pools, as the API takes and shows them."""

import pytest

from tests import pools
from tests.api.calling import pointers, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(mia):
    return f"pools/{pools.make().pk}/"


def test_amounts_are_texts(mia, path):
    shown = mia.patch(path, {"base_reward": "0.1", "waiting_wage": 0.0625, "budget": "20"})
    assert (shown["base_reward"], shown["waiting_wage"], shown["budget"]) == ("0.10", "0.0625", "20.00")


@pytest.mark.parametrize(
    ("field", "value"),
    [("base_reward", "0.055"), ("budget", 1.005), ("waiting_wage", "0.00001"), ("answer_reward", "-0.01")],
)
def test_an_amount_finer_than_it_is_paid_is_refused(mia, path, field, value):
    assert pointers(problem(mia.call("PATCH", path, {field: value}), 400, "invalid-input")) == [f"/{field}"]


@pytest.mark.parametrize("value", ["1e1", "1_0", "٣", " 10", "10 ", "10.", ".5", "NaN", "Infinity", "+1", True, []])
def test_a_text_that_is_no_plain_number_is_no_amount(mia, path, value):
    assert pointers(problem(mia.call("PATCH", path, {"budget": value}), 400, "invalid-input")) == ["/budget"]


@pytest.mark.parametrize("value", ["nan", True, 0, 1, None])
def test_a_miss_rate_is_a_share(mia, path, value):
    assert pointers(problem(mia.call("PATCH", path, {"miss_rate": value}), 400, "invalid-input")) == ["/miss_rate"]
