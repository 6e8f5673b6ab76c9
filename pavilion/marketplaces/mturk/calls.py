"""Asking Mechanical Turk: one call, its answer, and what its errors mean for us.

Errors are told apart by `TurkErrorCode`, which stands beside the error's name in the body; those of the layer before
the service itself have a name alone (ThrottlingException).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pavilion.marketplaces.base import Later, Refused
from pavilion.marketplaces.mturk.options import Options

PAGE = 100
PREFIX = "AWS.MechanicalTurk."
MISSING_BOTO3 = "Mechanical Turk is asked by boto3, which is not installed: install the extra mturk."

THROTTLED = frozenset({"ThrottlingException", "Throttling", "RequestThrottled", "TooManyRequestsException"})
FOR_THE_OPERATOR = frozenset(
    {
        *("AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException"),
        *("MissingAuthenticationTokenException", "ExpiredTokenException", "InsufficientFunds"),
    }
)
"""Errors that go away when somebody sees to the account; asked again after OPERATORS_PAUSE seconds."""

OPERATORS_PAUSE = 600.0


class Said(Refused):
    """An error of Mechanical Turk's, `code` being the TurkErrorCode without its prefix, or else the error's name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"Mechanical Turk: {message or code}")
        self.code = code


def is_there() -> bool:
    """Whether boto3 is installed."""
    try:
        import boto3  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        return False
    return True


@lru_cache(maxsize=8)
def _client(service: str, endpoint: str | None, region: str, credentials: tuple[str, str] | None) -> Any:
    """A client, which threads may share: making one takes a tenth of a second. Raises Later without boto3."""
    try:
        import boto3
        from botocore.config import Config  # type: ignore[import-untyped]
    except ImportError:
        raise Later(MISSING_BOTO3, OPERATORS_PAUSE) from None
    key, secret = credentials or (None, None)
    # A session of its own: boto3's default one must not be used by several threads.
    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=5, read_timeout=20),
    )


class Calls:
    """Both services of one account."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def ask(self, operation: str, **asked: Any) -> dict[str, Any]:
        """Carry out an operation by boto3's name of it. Raises Later, Said."""
        return self._ask("mturk", self.options.endpoint, operation, asked)

    def ask_queue(self, operation: str, **asked: Any) -> dict[str, Any]:
        """The same of SQS, about the queue of events. Raises Later, Said."""
        asked["QueueUrl"] = self.options.sqs_queue_url
        return self._ask("sqs", self.options.sqs_endpoint_url or None, operation, asked)

    def pages(self, operation: str, name: str, **asked: Any) -> Iterator[dict[str, Any]]:
        """What is in a list, page by page: the last is empty, or leads to no other. Raises Later, Said."""
        while True:
            page = self.ask(operation, MaxResults=PAGE, **asked)
            yield from page.get(name, [])
            asked["NextToken"] = page.get("NextToken")
            if not asked["NextToken"] or not page.get(name):
                return

    def _ask(self, service: str, endpoint: str | None, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        client = _client(service, endpoint, self.options.region, self.options.credentials)
        from botocore.exceptions import (  # type: ignore[import-untyped]
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            ParamValidationError,
        )

        try:
            return getattr(client, operation)(**asked)
        except ClientError as error:
            raise _meaning(error.response) from error
        except ParamValidationError as error:
            raise Said("ParamValidationError", str(error)) from error
        except NoCredentialsError as error:
            raise Later(f"Mechanical Turk: {error}", OPERATORS_PAUSE) from error
        except BotoCoreError as error:
            raise Later(f"Mechanical Turk does not answer: {error}") from error


def _meaning(answer: dict[str, Any]) -> Later | Said:
    error = answer.get("Error", {})
    code = (answer.get("TurkErrorCode") or error.get("Code") or "").removeprefix(PREFIX)
    message = answer.get("Message") or error.get("Message") or ""
    if code in THROTTLED or answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
        return Later(f"Mechanical Turk: {message or code}")
    if code in FOR_THE_OPERATOR:
        return Later(f"Mechanical Turk: {message or code}", OPERATORS_PAUSE)
    return Said(code, message)
