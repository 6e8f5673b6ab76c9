"""Keeping secrets: encrypted under CROWDSITE_ENCRYPTION_KEYS, the newest key first.

To change keys put a new one in front; what was encrypted with the others stays readable as long as they are listed.
"""

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.core.exceptions import ImproperlyConfigured

from queues.conf import encryption_keys


@lru_cache(maxsize=2)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("CROWDSITE_ENCRYPTION_KEYS has no key: secrets of webhooks cannot be kept.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise ImproperlyConfigured(
            "CROWDSITE_ENCRYPTION_KEYS holds something that is no key: 32 bytes in URL-safe base64."
        ) from None


def check_keys() -> None:
    """Raises ImproperlyConfigured unless there are keys, and each is one."""
    _fernet(encryption_keys())


def seal(text: str) -> str:
    """`text`, encrypted with the newest key. Raises ImproperlyConfigured without keys."""
    return _fernet(encryption_keys()).encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """What was sealed. Raises ImproperlyConfigured where none of the keys is the one it was sealed with."""
    try:
        return _fernet(encryption_keys()).decrypt(sealed.encode()).decode()
    except InvalidToken as unknown:
        raise ImproperlyConfigured(
            "A secret was encrypted with a key that CROWDSITE_ENCRYPTION_KEYS does not list any more."
        ) from unknown


def is_readable(sealed: str) -> bool:
    """Whether one of the keys is the one it was sealed with."""
    try:
        unseal(sealed)
    except ImproperlyConfigured:
        return False
    return True


def reseal(sealed: str) -> str:
    """The same under the newest key. Raises ImproperlyConfigured as `unseal` does."""
    return seal(unseal(sealed))
