"""Markdown becomes HTML that holds nothing but what Markdown can say."""

import pytest

from queues.markdown import render


def test_headings_stand_below_those_of_the_page():
    assert render("# One\n\n###### Six") == "<h3>One</h3>\n<h6>Six</h6>\n"


def test_links_tell_nothing_and_open_beside():
    assert render("[a](https://example.org)") == (
        '<p><a href="https://example.org" rel="noopener noreferrer" target="_blank">a</a></p>\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](data:text/html,<script>alert(1)</script>)",
        "<javascript:alert(1)>",
    ],
)
def test_nothing_in_it_runs(text):
    html = render(text)
    assert "<script" not in html
    assert "<img" not in html
    assert "href" not in html


def test_tables_are_known():
    assert "<td>b</td>" in render("|a|\n|-|\n|b|")


def test_one_text_leaves_nothing_for_the_next():
    assert render("# One") == render("# One")
