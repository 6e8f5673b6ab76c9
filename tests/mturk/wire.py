"""The protocol: what botocore's service model says of requests, answers and errors.

JSON 1.1: `POST /` with `X-Amz-Target: MTurkRequesterServiceV20170117.<Operation>`, times as seconds since 1970.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

MODEL = ServiceModel(Loader().load_service_model("mturk", "service-2"))
TARGET = MODEL.metadata["targetPrefix"]
CONTENT_TYPE = f"application/x-amz-json-{MODEL.metadata['jsonVersion']}"


class Refusal(Exception):
    """An error as the service answers it.

    `kind` is the `__type`: RequestError and ServiceFault are the model's. ValidationException, ThrottlingException and
    ParameterValidationError are not in it, and are seen in boto3's issues 2355 and Dallinger's 1052, allenai/amti's 12.
    """

    def __init__(self, kind: str, message: str, code: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.kind, self.code, self.status = kind, code, status

    def body(self) -> dict[str, str]:
        """The JSON object that is answered."""
        # The layer before the service itself writes it small, and has no code of its own.
        if self.kind not in ("RequestError", "ServiceFault", "ParameterValidationError"):
            return {"__type": self.kind, "message": str(self)}
        return {"__type": self.kind, "Message": str(self)} | ({"TurkErrorCode": self.code} if self.code else {})


def refused(message: str, code: str = "") -> Refusal:
    """A RequestError; its code is written `AWS.MechanicalTurk.<code>`."""
    return Refusal("RequestError", _stamped(message), f"AWS.MechanicalTurk.{code}" if code else "")


def invalid(value: Any, parameter: str) -> Refusal:
    """The error for a value that the model allows and the service does not (aws-sdk-java, issue 2055)."""
    return Refusal(
        "ParameterValidationError", _stamped(f'The value "{value}" is not valid for the parameter {parameter}.')
    )


def _stamped(message: str) -> str:
    """The service ends its messages with the time, in milliseconds and "s"."""
    return f"{message} ({time.time_ns() // 1_000_000} s)"


def read(operation: str, body: bytes) -> dict[str, Any]:
    """What a request asks, with its times as datetimes. Raises Refusal."""
    if operation not in MODEL.operation_names:
        raise Refusal("UnknownOperationException", operation)
    shape = MODEL.operation_model(operation).input_shape
    try:
        asked = json.loads(body)
    except ValueError:
        raise Refusal("SerializationException", "The request is no JSON") from None
    if not isinstance(asked, dict):
        raise Refusal("SerializationException", "The request is no object")
    asked = _mapped(shape, asked, _from_epoch)
    if faults := list(_faults(shape, asked)):
        raise Refusal("ValidationException", f"{len(faults)} validation error(s) detected: {'; '.join(faults)}")
    return asked


def written(operation: str, answer: dict[str, Any]) -> bytes:
    """An answer as it is sent. Raises AssertionError where the model does not allow it."""
    shape = MODEL.operation_model(operation).output_shape
    faults = list(_faults(shape, answer))
    assert not faults, f"{operation} would answer what the model does not allow: {faults}"
    return json.dumps(_mapped(shape, answer, datetime.timestamp)).encode()


def _from_epoch(value: Any) -> Any:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else f"not a number: {value}"


def _mapped(shape: Shape, value: Any, moment: Callable[[Any], Any]) -> Any:
    """The value with its times as `moment` makes them."""
    if shape.type_name == "timestamp":
        return moment(value)
    if shape.type_name == "structure" and isinstance(value, dict):
        return {
            name: _mapped(shape.members[name], one, moment) if name in shape.members else one
            for name, one in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_mapped(shape.member, one, moment) for one in value]
    return value


def _faults(shape: Shape, value: Any) -> Iterator[str]:
    """What the model does not allow of it, in words."""
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        yield report.generate_report()
    else:
        yield from _constraints(shape, value, "")


def _constraints(shape: Shape, value: Any, at: str) -> Iterator[str]:
    """What botocore's validator leaves to the service: patterns, lengths, bounds, enumerations."""
    if shape.type_name == "structure":
        for name, one in value.items():
            yield from _constraints(shape.members[name], one, f"{at}.{name}")
    elif shape.type_name == "list":
        for index, one in enumerate(value):
            yield from _constraints(shape.member, one, f"{at}[{index}]")
    limits = shape.metadata
    must = "failed to satisfy constraint: Member must"
    if "enum" in limits and value not in limits["enum"]:
        yield f"Value '{value}' at '{at}' {must} satisfy enum value set: {limits['enum']}"
    if "pattern" in limits and not re.search(limits["pattern"], value):
        yield f"Value '{value}' at '{at}' {must} satisfy regular expression pattern: {limits['pattern']}"
    if {"min", "max"} & limits.keys():
        size = len(value) if isinstance(value, str | list) else value
        if not limits.get("min", size) <= size <= limits.get("max", size):
            yield f"Value '{value}' at '{at}' {must} be within {limits.get('min')} and {limits.get('max')}"
