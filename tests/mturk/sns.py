"""A topic of SNS with subscribers over HTTP, which signs as SNS does, by a certificate of its own making.

By "Verifying the signatures of Amazon SNS messages" and "Parsing Amazon SNS message formats" in SNS's developer guide:
what is signed is each field's name and value on a line of its own, in the order of the names; RSA, PKCS #1 v1.5, with
SHA-1 (SignatureVersion 1) or SHA-256 (2). The certificate is fetched from SigningCertURL, by HTTPS.
"""

import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.mturk.events import ACCOUNT, Document, Notification, subject

SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}
CERTIFICATE = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"


def to_sign(message: dict[str, str]) -> bytes:
    """What the signature of a message is of."""
    return "".join(f"{name}\n{message[name]}\n" for name in SIGNED[message["Type"]] if name in message).encode()


@cache
def certified() -> tuple[rsa.RSAPrivateKey, bytes]:
    """A key, and its certificate (PEM), which signs for itself and is good for TLS at this machine too."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    here = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(here), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(serialization.Encoding.PEM)


class Topic(ThreadingHTTPServer):
    """A topic, and the server that answers for its certificate and for confirmations.

    `version`: the SignatureVersion. `trust`: the file whose certificate to trust for TLS. `confirmed`: endpoints.
    """

    daemon_threads = True

    def __init__(self, trust: Path, version: str = "1") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.arn = f"arn:aws:sns:us-east-1:{ACCOUNT}:{uuid4().hex}"
        self.trust, self.version = trust, version
        self.pending: dict[str, str] = {}
        self.confirmed: list[str] = []

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"

    def subscribe(self, endpoint: str) -> int:
        """Ask an endpoint to confirm, which it does by GET of `SubscribeURL`; the status that it answered."""
        token = uuid4().hex * 2
        self.pending[token] = endpoint
        query = urlencode({"Action": "ConfirmSubscription", "TopicArn": self.arn, "Token": token})
        text = f"You have chosen to subscribe to the topic {self.arn}.\nTo confirm the subscription, visit the "
        message = {"Token": token, "SubscribeURL": f"{self.url}/?{query}", "Message": f"{text}SubscribeURL included."}
        return self.push(endpoint, self.signed("SubscriptionConfirmation", message))

    def publish(self, message: str, about: str = "") -> list[int]:
        """Push to the confirmed endpoints; the statuses that they answered. It is not tried again."""
        said = {"Message": message, "UnsubscribeURL": f"{self.url}/?Action=Unsubscribe"}
        signed = self.signed("Notification", said | ({"Subject": about} if about else {}))
        return [self.push(endpoint, signed) for endpoint in self.confirmed]

    def deliver(self, notification: Notification, said: Document) -> None:
        """Take what a Market tells (its `deliver`)."""
        assert notification["Destination"] == self.arn
        self.publish(json.dumps(said, separators=(",", ":")), subject())

    def signed(self, kind: str, message: dict[str, str]) -> dict[str, str]:
        """The whole message, with its signature."""
        message = {
            "Type": kind,
            "MessageId": str(uuid4()),
            "TopicArn": self.arn,
            "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **message,
        }
        signature = certified()[0].sign(to_sign(message), padding.PKCS1v15(), HASHES[self.version])
        return message | {
            "SignatureVersion": self.version,
            "Signature": b64encode(signature).decode(),
            "SigningCertURL": self.url + CERTIFICATE,
        }

    def push(self, endpoint: str, message: dict[str, str]) -> int:
        """POST a message to an endpoint; the status that it answered."""
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "x-amz-sns-message-type": message["Type"],
            "x-amz-sns-message-id": message["MessageId"],
            "x-amz-sns-topic-arn": self.arn,
        }
        request = Request(endpoint, json.dumps(message, indent=2).encode(), headers)
        try:
            with urlopen(request, timeout=20) as answer:
                return answer.status
        except HTTPError as refusal:
            refusal.close()
            return refusal.code

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us is its own affair."""


class Handler(BaseHTTPRequestHandler):
    """Of a Topic."""

    server: Topic

    def do_GET(self) -> None:
        """The certificate, or a confirmation."""
        parts = urlsplit(self.path)
        token = parse_qs(parts.query).get("Token", [""])[0]
        body = b""
        if parts.path == CERTIFICATE:
            body = certified()[1]
        elif token in self.server.pending:
            self.server.confirmed.append(self.server.pending.pop(token))
            body = b"<ConfirmSubscriptionResponse/>"
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def topic(version: str = "1") -> Iterator[Topic]:
    """A topic whose server runs on a thread, by HTTPS."""
    key, certificate = certified()
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with TemporaryDirectory(prefix="crowdsite-sns-") as folder:
        secret, trust = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        secret.write_bytes(key.private_bytes(*plain))
        trust.write_bytes(certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(trust, secret)
        with Topic(trust, version) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()
