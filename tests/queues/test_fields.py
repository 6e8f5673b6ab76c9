"""Fields that take a value of their own type and nothing that looks like one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from rest_framework import serializers
from rest_framework.generics import GenericAPIView

from queues import moments
from queues.api.fields import (
    AwareDateTimeField,
    JSONObjectField,
    JSONValueField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)


def refusal(field, value):
    with pytest.raises(serializers.ValidationError) as caught:
        field.run_validation(value)
    return str(caught.value.detail[0])


def test_text_is_kept_as_it_is():
    assert StrictCharField().run_validation("  a\n") == "  a\n"


@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, None, "\x00", "a\ud800", "", "12345678901"])
def test_what_is_not_good_text_is_refused(value):
    assert refusal(StrictCharField(max_length=10), value)


def test_a_whole_number_within_its_range_is_taken():
    field = StrictIntegerField(min_value=5, max_value=995)
    assert [field.run_validation(5), field.run_validation(995)] == [5, 995]


@pytest.mark.parametrize("value", [4, 996])
def test_a_number_out_of_range_is_refused(value):
    assert refusal(StrictIntegerField(min_value=5, max_value=995), value)


@pytest.mark.parametrize("value", [True, False, 5.0, "5", "5.0", "", None, [5], {}, float("inf")])
def test_what_is_not_a_whole_number_is_refused(value):
    assert refusal(StrictIntegerField(), value)


@pytest.mark.parametrize("value", [True, False])
def test_truth_values_are_taken(value):
    assert StrictBooleanField().run_validation(value) is value


@pytest.mark.parametrize("value", [1, 0, "true", "yes", "", "null", None, [], {}])
def test_what_merely_means_yes_or_no_is_refused(value):
    assert refusal(StrictBooleanField(), value)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-03-01T09:30:00Z", datetime(2027, 3, 1, 9, 30, tzinfo=UTC)),
        ("2027-03-01 09:30:00.5z", datetime(2027, 3, 1, 9, 30, 0, 500_000, tzinfo=UTC)),
        ("2027-03-01t00:30:00.123456789+02:00", datetime(2027, 2, 28, 22, 30, 0, 123_456, tzinfo=UTC)),
        ("1970-01-01T00:00:00-00:00", moments.EARLIEST),
        ("8999-12-31T23:59:59Z", datetime(8999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_with_its_offset_is_taken_as_utc(text, moment):
    value = AwareDateTimeField().run_validation(text)
    assert value == moment
    assert value.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "2027-03-01T09:30:00",
        "2027-03-01",
        "2027-03-01T09:30Z",
        "2027-03-01T09:30:00+0200",
        "2027-03-01T09:30:00+24:00",
        "2027-02-29T09:30:00Z",
        "2027-03-01T24:00:01Z",
        "2027-W09-1T09:30:00Z",
        "20270301T093000Z",
        "٢٠٢٧-03-01T09:30:00Z",
        "2027-03-01T09:30:00Z ",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-12:00",
        "9000-01-01T00:00:00Z",
        "tomorrow",
        "",
        1_800_000_000,
        None,
        {},
    ],
)
def test_any_other_time_is_refused(value):
    assert refusal(AwareDateTimeField(), value)


def test_a_time_is_shown_in_utc_wherever_the_site_is(settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    there = datetime(2027, 3, 1, 18, 30, tzinfo=timezone(timedelta(hours=9)))
    assert AwareDateTimeField().to_representation(there) == "2027-03-01T09:30:00Z"


@pytest.mark.parametrize("value", [0, "", False, [], {}, {"a": [1]}])
def test_any_value_but_null_is_a_json_value(value):
    assert JSONValueField().run_validation(value) == value


def test_null_is_a_json_value_where_it_is_allowed():
    assert JSONValueField(allow_null=True).run_validation(None) is None
    assert refusal(JSONValueField(), None)


@pytest.mark.parametrize("value", [[], "", 0, False, None])
def test_what_is_not_an_object_is_refused(value):
    assert refusal(JSONObjectField(), value)


class Item(StrictSerializer):
    id = StrictIntegerField(read_only=True)
    name = StrictCharField()
    inner = serializers.ListField(child=StrictIntegerField(), required=False)


def errors(data):
    serializer = Item(data=data)
    assert not serializer.is_valid()
    return serializer.errors


def test_a_serializer_takes_the_fields_it_has():
    serializer = Item(data={"name": "a", "inner": [1]})
    assert serializer.is_valid()
    assert serializer.validated_data == {"name": "a", "inner": [1]}


def test_unknown_fields_are_errors_beside_the_others():
    assert set(errors({"nmae": "a", "inner": ["1"]})) == {"nmae", "name", "inner"}


def test_a_field_that_cannot_be_set_is_an_error():
    assert errors({"id": 1, "name": "a"}) == {"id": ["This field cannot be set."]}


@pytest.mark.parametrize("data", [[], "a", 1, True])
def test_a_body_that_is_not_an_object_is_an_error(data):
    assert errors(data) == {"non_field_errors": ["Must be an object."]}


class Everything(StrictSerializer):
    text = StrictCharField(max_length=9)
    number = StrictIntegerField(min_value=5, max_value=9)
    truth = StrictBooleanField()
    moment = AwareDateTimeField()
    value = JSONValueField()
    thing = JSONObjectField()


class Holder(GenericAPIView):
    serializer_class = Everything

    def post(self, request):
        """Only its schema is looked at."""


def test_the_api_schema_knows_the_types():
    generator = SchemaGenerator(patterns=[path("api/things/", Holder.as_view())])
    described = generator.get_schema(public=True)["components"]["schemas"]["Everything"]
    anything = [{"type": kind} for kind in ("string", "number", "boolean")]
    assert described["properties"] == {
        "text": {"type": "string", "minLength": 1, "maxLength": 9},
        "number": {"type": "integer", "minimum": 5, "maximum": 9},
        "truth": {"type": "boolean"},
        "moment": {"type": "string", "format": "date-time"},
        # null is refused where it may not be.
        "value": {
            "anyOf": [{"type": "object", "additionalProperties": {}}, {"type": "array", "items": {}}, *anything],
        },
        "thing": {"type": "object", "additionalProperties": {}},
    }
