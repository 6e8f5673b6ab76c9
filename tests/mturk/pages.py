"""Where a person plays the worker: the HITs that can be taken, and one that is held, with its frame."""

from html import escape

from tests.mturk.state import Market, Unavailable

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><h1>{title}</h1>{body}</html>"""


def shown(market: Market, path: str, fields: dict[str, str]) -> bytes | None:
    """The page at this path; None where there is none. Raises Unavailable."""
    try:
        if path == "/":
            return _hits(market)
        if path == "/preview":
            return _page("Preview", _frame(market.preview(fields["hitId"])))
        if path == "/accept":
            got = market.accept(fields["hitId"], fields["workerId"])
            back = f"<button name=assignmentId value={got.assignment_id}>Return</button>"
            return _page("HIT", f"<form method=post action=/return>{back}</form>{_frame(got.url)}")
        if path == "/return":
            market.return_(fields["assignmentId"])
            return _page("Returned", '<a href="/">More</a>')
    except KeyError as missing:
        raise Unavailable(f"There is no {missing}") from None
    return None


def submitted() -> bytes:
    """What a browser gets that has submitted."""
    return _page("Submitted", "<p>Your results have been submitted.</p>")


def _hits(market: Market) -> bytes:
    rows = "".join(
        f"<li>{escape(hit.type.fields['Title'])}, ${hit.type.reward} <a href='/preview?hitId={hit.id}'>Preview</a>"
        f"<form action=/accept><input type=hidden name=hitId value={hit.id}><label>Worker "
        "<input name=workerId value=A1 pattern='A[A-Z0-9]+' required></label><button>Accept</button></form>"
        for hit in market.hits.values()
        if hit.status(market.now) == "Assignable"
    )
    return _page("HITs", f"<ul>{rows}</ul>" if rows else "<p>There are none.</p>")


def _frame(url: str) -> str:
    return f'<iframe title="The HIT" src="{escape(url)}" width="100%" height="800"></iframe>'


def _page(title: str, body: str) -> bytes:
    return PAGE.format(title=title, body=body).encode()
