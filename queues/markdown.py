"""Markdown, as managers write it for reviewers, made into HTML that holds nothing but what Markdown can say."""

from collections.abc import MutableMapping, Sequence
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

HEADINGS_BELOW = 2
"""A text stands inside a page: its first level of headings is the page's third."""


def _link(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer")
    tokens[index].attrSet("target", "_blank")
    return self.renderToken(tokens, index, options, env)


def _heading(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    token = tokens[index]
    token.tag = f"h{min(6, int(token.tag[1:]) + HEADINGS_BELOW)}"
    return self.renderToken(tokens, index, options, env)


# HTML in the text is shown as text, and addresses such as javascript: do not become links.
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
_markdown.add_render_rule("link_open", _link)
_markdown.add_render_rule("heading_open", _heading)
_markdown.add_render_rule("heading_close", _heading)


def render(text: str) -> SafeString:
    """The HTML of a Markdown text (CommonMark and tables); safe to put into a page, whoever wrote the text."""
    return mark_safe(_markdown.render(text))
