"""Whether a message is Amazon SNS's, and of our own topic.

By "Verifying the signatures of Amazon SNS messages" in SNS's developer guide: certain fields, each with its name and
its value on a line of its own, signed by RSA with SHA-1 (SignatureVersion 1) or SHA-256 (2). The certificate, and the
address that confirms a subscription, are asked for at SNS's own hosts and nowhere else. Anybody may have SNS sign a
message on a topic of theirs, so the topic must be ours.
"""

import json
import re
import ssl
from base64 import b64decode
from functools import lru_cache
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from pavilion.marketplaces.base import Later
from pavilion.marketplaces.mturk.options import Options

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
OPTIONAL = frozenset({"Subject"})
HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}

HOST = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]+\.pem")
SECONDS, SIZE_MAX = 5, 65_536


class BadSignature(Exception):
    """It is not from our topic, or not whole."""


def verified(body: bytes, options: Options) -> dict[str, str]:
    """The message, if it is our topic's. Raises BadSignature; Later where the certificate does not come."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise BadSignature("It is no JSON.") from None
    if not isinstance(message, dict) or not all(isinstance(value, str) for value in message.values()):
        raise BadSignature("It is no object of texts.")
    if not options.sns_topic_arn or message.get("TopicArn") != options.sns_topic_arn:
        raise BadSignature("It is of another topic.")
    try:
        names, how = SIGNED[message["Type"]], HASHES[message["SignatureVersion"]]
        said = "".join(f"{name}\n{message[name]}\n" for name in names if name in message or name not in OPTIONAL)
        signature, url = b64decode(message["Signature"], validate=True), message["SigningCertURL"]
        text = said.encode()
    except (KeyError, ValueError):
        raise BadSignature("It is no message that SNS signs.") from None
    if not is_of_sns(url, options) or not CERTIFICATE.fullmatch(urlsplit(url).path):
        raise BadSignature("Its certificate is at no address of SNS.")
    try:
        _key(url, options).verify(signature, text, padding.PKCS1v15(), how)
    except InvalidSignature:
        raise BadSignature("Its signature is wrong.") from None
    return message


@lru_cache(maxsize=16)
def _key(url: str, options: Options) -> rsa.RSAPublicKey:
    """The key in the certificate at this address. Raises BadSignature, Later."""
    try:
        key = x509.load_pem_x509_certificate(fetch(url, options)).public_key()
    except ValueError:
        raise BadSignature("There is no certificate at its address.") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadSignature("Its certificate is of no RSA key.")
    return key


def is_of_sns(url: str, options: Options) -> bool:
    """Whether an address is at one of SNS's own hosts (the tests': at the one that is set), by HTTPS."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme != "https" or not url.isascii() or any(ord(character) <= 32 for character in url):
        return False
    return parts.netloc == options.sns_host if options.sns_host else bool(HOST.fullmatch(parts.netloc))


def fetch(url: str, options: Options) -> bytes:
    """What one of SNS's own hosts answers; redirections are not followed.

    Raises BadSignature for any other host; Later where it does not answer.
    """
    if not is_of_sns(url, options):
        raise BadSignature("It leads to another host than SNS.")
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=options.sns_ca_file or None)
    connection = HTTPSConnection(parts.netloc, timeout=SECONDS, context=context)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        answer = connection.getresponse()
        body = answer.read(SIZE_MAX)
    except (OSError, HTTPException) as error:
        raise Later(f"SNS does not answer: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise Later(f"SNS answers with {answer.status}.")
    return body
