"""What the host sets for it: CROWDSITE_MARKETPLACE_OPTIONS["mturk"]; docs/marketplaces.md explains each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

SUBMIT = "/mturk/externalSubmit"
REAL, SANDBOX = "https://www.mturk.com", "https://workersandbox.mturk.com"
FRAMES = ("https://worker.mturk.com", REAL, SANDBOX)
SANDBOX_ENDPOINT = "https://mturk-requester-sandbox.us-east-1.amazonaws.com"


@dataclass(frozen=True)
class Options:
    """All of them, with what holds where the host sets none. Empty texts are as good as none."""

    endpoint_url: str = ""
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: str = ""
    sandbox: bool = False
    sqs_queue_url: str = ""
    sqs_endpoint_url: str = ""
    sns_topic_arn: str = ""
    sns_host: str = ""
    sns_ca_file: str = ""
    frame_ancestors: tuple[str, ...] = FRAMES
    submit_urls: tuple[str, ...] = (REAL + SUBMIT, SANDBOX + SUBMIT)

    @property
    def endpoint(self) -> str | None:
        """Where it is asked; None: boto3 knows."""
        return self.endpoint_url or (SANDBOX_ENDPOINT if self.sandbox else None)

    @property
    def credentials(self) -> tuple[str, str] | None:
        """The key and its secret; None: boto3 looks for them where it always does."""
        return (self.access_key_id, self.secret_access_key) if self.access_key_id else None

    @property
    def destination(self) -> tuple[str, str] | None:
        """Where events go: the transport and its address; None: nowhere."""
        if self.sqs_queue_url:
            return "SQS", self.sqs_queue_url
        return ("SNS", self.sns_topic_arn) if self.sns_topic_arn else None


LISTS = frozenset({"frame_ancestors", "submit_urls"})
NAMES = frozenset(field.name for field in fields(Options))


def read(given: Mapping[str, Any]) -> Options:
    """Raises TypeError for an option that there is not."""
    known: dict[str, Any] = {name: tuple(value) if name in LISTS else value for name, value in given.items()}
    return Options(**known)


def faults(given: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong with them, each fault a sentence."""
    for name in sorted(given.keys() - NAMES):
        yield f"There is no option {name}; those that there are: {', '.join(sorted(NAMES))}."
    for name in sorted(given.keys() & NAMES):
        value = given[name]
        if name in LISTS:
            if not isinstance(value, list | tuple) or not all(_is_url(one) for one in value):
                yield f"The option {name} must be a list of addresses that begin with http:// or https://."
        elif name == "sandbox":
            if not isinstance(value, bool):
                yield "The option sandbox must be true or false."
        elif not isinstance(value, str):
            yield f"The option {name} must be a text."
        elif name.endswith("_url") and value and not _is_url(value):
            yield f"The option {name} must be an address that begins with http:// or https://."
    if bool(given.get("access_key_id")) != bool(given.get("secret_access_key")):
        yield "The options access_key_id and secret_access_key belong together."
    urls = given.get("submit_urls")
    for url in urls if isinstance(urls, list | tuple) else ():
        if _is_url(url) and not urlsplit(url).path.strip("/"):
            yield f"The option submit_urls: {url} must have a path, or it would be the beginning of other hosts' names."


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://")) and bool(urlsplit(value).hostname)
