"""How much a form may bring along."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

UPLOAD_MAX = 64 * 1024 * 1024
"""Bytes. The largest that anybody needs is a file of tasks, which has 50 MiB."""


class Bounded(FileUploadHandler):
    """Stands before those that keep files: else whoever may send a form, signed in or not, could fill the disk."""

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **kwargs: Any) -> None:
        """Raises RequestDataTooBig, which is a 400."""
        if content_length > UPLOAD_MAX:
            raise RequestDataTooBig(f"A form may have {UPLOAD_MAX // 2**20} MiB.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


def bounded(application: Any) -> Any:
    """An ASGI application for HTTP whose bodies have an end: Django writes all of one to the disk before it looks."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if _length(scope) > UPLOAD_MAX:
            await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        left = UPLOAD_MAX

        async def counted() -> Any:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            return message if left >= 0 else {"type": "http.disconnect"}

        await application(scope, counted, send)

    return app


def _length(scope: Any) -> int:
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(said) if said.isdigit() else 0
