"""Where the libraries are that npm brings (package.json)."""

from django.templatetags.static import static


def library(name: str) -> str:
    """The address of a library's file; empty where a host that lists its static files has none of it."""
    try:
        return static(f"assignments/vendor/{name}")
    except ValueError:
        return ""
