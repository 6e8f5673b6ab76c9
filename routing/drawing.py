"""A graph as a picture: SVG, from top to bottom, of classes and attributes alone, so that no inline style is needed.

Each `_…` that draws gives a Part: what was drawn, in coordinates of its own, and where one comes in and goes out of it:
at `axis`, above and below. Parts are put below or beside each other. Lengths are in pixels of the picture.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from routing.graph import TO_COME, Graph, Kind, Node

BOX_WIDTH, BOX_HEIGHT = 148, 48
DIAMOND_HEIGHT = 60
GAP = 30
BESIDE = 12
MARGIN = 10
ROUND = 8
STACK = 4
FRAME = 14
JOIN_WIDTH, JOIN_HEIGHT = 68, 22
DOT = 8

NARROW, WIDE = set("fijlrtI1.,:;'|()[] -"), set("mwMWOQ@%")
"""Letters that take about half as much room as others, and half as much again."""

NAME_LETTER, NOTE_LETTER = 8, 7
"""About the width of a letter, in fonts that are rather wide."""

NOTHING = SafeString("")

BADGE_HEIGHT, BADGE_ICON, DIGIT = 18, 16, 7

ICONS = {
    "waiting": "M8 3.5a4.5 4.5 0 1 0 .01 0M8 5.5V8l1.8 1.2",
    "retry": "M8 3.5v5.5M8 11.8v.4",
    "done": "M4.5 8.2l2.4 2.5 4.6-5",
    "canceled": "M5 5l6 6M11 5l-6 6",
}
"""The signs of badges, 16 wide and high: a badge is told by its sign, not by its colour alone."""

PERSON = "M0-1.2a3.6 3.6 0 1 0-.01 0M-6.5 8c0-4 2.8-6 6.5-6s6.5 2 6.5 6"
PROMPT = "M-6-4l4 4-4 4M0 5h6"


@dataclass(frozen=True)
class Badge:
    """What is said at a node's corner: a sign, one of ICONS, beside a text, which may be empty."""

    sign: str
    text: str
    title: str


@dataclass(frozen=True)
class Part:
    """What was drawn: see the module. `headed`: the line into it ends in an arrow; not where it goes on inside."""

    width: int
    height: int
    axis: int
    drawn: SafeString
    headed: bool = True


@dataclass(frozen=True)
class _Pen:
    badges: Mapping[str, Sequence[Badge]]


def picture(
    graph: Graph,
    *,
    ident: str,
    title: str,
    description: str,
    badges: Mapping[str, Sequence[Badge]] | None = None,
    end: str = "",
) -> SafeString:
    """The `<svg>`. `ident` begins the ids in it; `badges` are those of nodes, by key; `end` the state of the end."""
    pen = _Pen(badges or {})
    whole = _below([_start(), *_lane(pen, graph.nodes), (end, _end(end))])
    width, height = whole.width + 2 * MARGIN, whole.height + 2 * MARGIN
    return format_html(
        '<svg class="crowd-graph" xmlns="http://www.w3.org/2000/svg" role="img" width="{w}" height="{h}" '
        'viewBox="0 0 {w} {h}" aria-labelledby="{i}-title {i}-text"><title id="{i}-title">{title}</title>'
        '<desc id="{i}-text">{text}</desc>{drawn}</svg>',
        w=width,
        h=height,
        i=ident,
        title=title,
        text=description,
        drawn=_at(whole, MARGIN, MARGIN),
    )


def shortened(text: str, room: int, letter: int = NAME_LETTER) -> str:
    """The text, or its beginning and an ellipsis, where it would be wider than `room`."""
    widths = [letter * (0.5 if each in NARROW else 1.4 if each in WIDE else 1) for each in text]
    if sum(widths) <= room:
        return text
    left: float = room - letter
    for index, width in enumerate(widths):
        left -= width
        if left < 0:
            return f"{text[:index]}…"
    return text


def _at(part: Part, x: int, y: int) -> SafeString:
    return format_html('<g transform="translate({} {})">{}</g>', x, y, part.drawn)


def _all(drawn: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((each,) for each in drawn))


def _line(path: str, state: str = "", extra: str = "") -> SafeString:
    kind = " crowd-edge-to-come" if state == TO_COME else ""
    return format_html('<path class="crowd-edge{}{}" d="{}"/>', kind, extra, path)


def _arrow(x: int, y: int, state: str = "") -> SafeString:
    """The head of an arrow that comes down to a point."""
    kind = " crowd-edge-to-come" if state == TO_COME else ""
    return format_html('<path class="crowd-arrow{}" d="M{} {}l-4-7h8z"/>', kind, x, y)


def _text(text: str, room: int, *, x: int, y: int, kind: str, letter: int = NAME_LETTER) -> SafeString:
    short = shortened(text, room, letter)
    whole = format_html("<title>{}</title>", text) if short != text else NOTHING
    return format_html('<text class="{}" x="{}" y="{}">{}{}</text>', kind, x, y, whole, short)


def _start() -> tuple[str, Part]:
    drawn = format_html('<circle class="crowd-start" cx="{r}" cy="{r}" r="{s}"/>', r=DOT, s=DOT - 1)
    return "", Part(2 * DOT, 2 * DOT, DOT, drawn)


def _end(state: str) -> Part:
    drawn = format_html(
        '<g class="crowd-end crowd-is-{state}"><circle cx="{r}" cy="{r}" r="{s}"/><circle class="crowd-core" '
        'cx="{r}" cy="{r}" r="{c}"/></g>',
        state=state or "plain",
        r=DOT,
        s=DOT - 1,
        c=DOT - 4,
    )
    return Part(2 * DOT, 2 * DOT, DOT, drawn)


def _below(parts: Sequence[tuple[str, Part]]) -> Part:
    """One after the other, with arrows between them; each with the state of what it draws."""
    axis = max(part.axis for _state, part in parts)
    width = axis + max(part.width - part.axis for _state, part in parts)
    drawn, y = [], 0
    for index, (state, part) in enumerate(parts):
        if index:
            drawn.append(_line(f"M{axis} {y}v{GAP - 2 if part.headed else GAP}", state))
            drawn.append(_arrow(axis, y + GAP, state) if part.headed else NOTHING)
            y += GAP
        drawn.append(_at(part, axis - part.axis, y))
        y += part.height
    return Part(width, y, axis, _all(drawn), headed=parts[0][1].headed)


def _lane(pen: _Pen, nodes: Sequence[Node]) -> list[tuple[str, Part]]:
    return [(node.state, _node(pen, node)) for node in nodes]


def _node(pen: _Pen, node: Node) -> Part:
    inside = [lane for lane in node.inside if lane]
    if node.kind == Kind.CHOICE:
        return _choice(pen, node, inside)
    if node.kind == Kind.LOOP and inside:
        return _loop(pen, node, inside[0])
    if node.kind == Kind.FAN_OUT:
        return _fan(pen, node, inside[0] if inside else ())
    return _box(pen, node)


def _group(node: Node, drawn: SafeString) -> SafeString:
    state = f" crowd-is-{node.state}" if node.state else ""
    return format_html('<g class="crowd-node crowd-node-{}{}">{}</g>', node.kind.value, state, drawn)


def _box(pen: _Pen, node: Node, stacked: bool = False) -> Part:
    behind = (
        [_rectangle(2 * STACK, 2 * STACK, "crowd-behind"), _rectangle(STACK, STACK, "crowd-behind")] if stacked else []
    )
    name = _named(node)
    icon = {Kind.HUMAN: PERSON, Kind.MACHINE: PROMPT}.get(node.kind, "")
    left = 28 if icon else 12
    room, middle = BOX_WIDTH - left - 4, BOX_HEIGHT // 2
    drawn = [
        *behind,
        _rectangle(0, 0, "crowd-shape"),
        format_html('<path class="crowd-icon" transform="translate(15 {})" d="{}"/>', middle, icon)
        if icon
        else NOTHING,
        _text(name, room, x=left, y=middle - 1 if node.note else middle + 5, kind="crowd-name"),
        _text(node.note, room, x=left, y=middle + 15, kind="crowd-said", letter=NOTE_LETTER) if node.note else NOTHING,
        _badges(pen.badges.get(node.key, ()), BOX_WIDTH - 4),
    ]
    more = 2 * STACK if stacked else 0
    return Part(BOX_WIDTH + more, BOX_HEIGHT + more, BOX_WIDTH // 2, _group(node, _all(drawn)))


def _named(node: Node) -> str:
    if node.kind == Kind.MORE:
        return ngettext("and %(n)s more", "and %(n)s more", node.count) % {"n": node.count}
    if node.kind == Kind.ABOVE:
        return _("%(name)s, as above") % {"name": node.name}
    return node.name


def _rectangle(x: int, y: int, kind: str) -> SafeString:
    return format_html(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="9"/>', kind, x, y, BOX_WIDTH, BOX_HEIGHT
    )


def _diamond(pen: _Pen, node: Node) -> Part:
    half, middle = BOX_WIDTH // 2, DIAMOND_HEIGHT // 2
    drawn = [
        format_html(
            '<path class="crowd-shape" d="M{half} 0L{all} {middle} {half} {high} 0 {middle}z"/>',
            half=half,
            all=BOX_WIDTH,
            middle=middle,
            high=DIAMOND_HEIGHT,
        ),
        _text(node.name, BOX_WIDTH - 36, x=half, y=middle + 4, kind="crowd-asks"),
        _badges(pen.badges.get(node.key, ()), BOX_WIDTH),
    ]
    return Part(BOX_WIDTH, DIAMOND_HEIGHT, half, _group(node, _all(drawn)))


def _choice(pen: _Pen, node: Node, lanes: Sequence[Sequence[Node]]) -> Part:
    """The diamond, its branches beside each other, and their lines together again."""
    asks = _diamond(pen, node)
    if not lanes:
        return asks
    branches = [_below(_lane(pen, lane)) for lane in lanes]
    lefts, x = [], 0
    for branch in branches:
        lefts.append(x)
        x += branch.width + BESIDE
    middles = [left + branch.axis for left, branch in zip(lefts, branches, strict=True)]
    axis = (middles[0] + middles[-1]) // 2
    shift = max(0, asks.axis - axis)
    axis += shift
    width = max(x - BESIDE + shift, axis + asks.width - asks.axis)
    top = asks.height + GAP
    bottom = top + max(branch.height for branch in branches)
    drawn = [_at(asks, axis - asks.axis, 0)]
    for left, branch, lane in zip(lefts, branches, lanes, strict=True):
        at = left + branch.axis + shift
        drawn += [
            _line(_bent(axis, asks.height, at, top - 2 * branch.headed)),
            _arrow(at, top) if branch.headed else NOTHING,
            _at(branch, left + shift, top),
            _line(_bent(at, top + branch.height, axis, bottom + GAP // 2, low=True), lane[-1].state),
        ]
    return Part(width, bottom + GAP // 2, axis, _all(drawn))


def _bent(x: int, y: int, to_x: int, to_y: int, *, low: bool = False) -> str:
    """A line down, aside with round corners, and down again; `low`: aside as far down as may be."""
    if x == to_x:
        return f"M{x} {y}V{to_y}"
    side = 1 if to_x > x else -1
    reach = min(ROUND, abs(to_x - x) // 2)
    at = to_y if low else y + GAP // 2 - 2
    turn = f"M{x} {y}V{at - reach}q0 {reach} {side * reach} {reach}"
    return f"{turn}H{to_x}" if low else f"{turn}H{to_x - side * reach}q{side * reach} 0 {side * reach} {reach}V{to_y}"


def _loop(pen: _Pen, node: Node, lane: Sequence[Node]) -> Part:
    """What is repeated, the diamond that asks after it, and the line back at its right."""
    entry = 16
    whole = _below([*_lane(pen, lane), ("", _diamond(pen, node))])
    axis, middle = whole.axis, entry + whole.height - DIAMOND_HEIGHT // 2
    corner, right = axis + BOX_WIDTH // 2, max(whole.width, axis + BOX_WIDTH // 2) + BESIDE
    back = (
        f"M{corner} {middle}H{right - ROUND}q{ROUND} 0 {ROUND} -{ROUND}V{ROUND + 2}q0 -{ROUND} -{ROUND} -{ROUND}"
        f"H{axis + 8}"
    )
    drawn = [
        _line(f"M{axis} 0V{entry - 2}"),
        _arrow(axis, entry),
        _at(whole, 0, entry),
        _line(back, extra=" crowd-edge-back"),
        format_html('<path class="crowd-arrow" d="M{} 2l7-4v8z"/>', axis + 1),
        format_html(
            '<text class="crowd-label" text-anchor="end" x="{}" y="{}">{}</text>', right - 5, middle - 8, _("again")
        ),
    ]
    return Part(right + 2, entry + whole.height, axis, _all(drawn), headed=False)


def _fan(pen: _Pen, node: Node, lane: Sequence[Node]) -> Part:
    """Stacked boxes, what is done for each item in a frame, and where the lanes join."""
    head = _box(pen, node, stacked=True)
    join = format_html(
        '<g class="crowd-join"><rect width="{}" height="{}" rx="11"/><text x="{}" y="15">{}</text></g>',
        JOIN_WIDTH,
        JOIN_HEIGHT,
        JOIN_WIDTH // 2,
        _("join"),
    )
    joins = Part(JOIN_WIDTH, JOIN_HEIGHT, JOIN_WIDTH // 2, join)
    if not lane:
        return head if node.state else _below([("", head), ("", joins)])
    inner = _below(_lane(pen, lane))
    width, axis = inner.width + 2 * FRAME, inner.axis + FRAME
    frame = Part(
        width,
        inner.height + 2 * FRAME + GAP // 2,
        axis,
        _all(
            [
                format_html(
                    '<rect class="crowd-frame" width="{}" height="{}" rx="12"/>',
                    width,
                    inner.height + 2 * FRAME + GAP // 2,
                ),
                _line(f"M{axis} 0V{FRAME + GAP // 2 - 2 * inner.headed}"),
                _arrow(axis, FRAME + GAP // 2) if inner.headed else NOTHING,
                _at(inner, FRAME, FRAME + GAP // 2),
                _line(f"M{axis} {inner.height + FRAME + GAP // 2}v{FRAME}"),
                format_html('<text class="crowd-label" x="{}" y="17">{}</text>', 12, _("for each")),
            ]
        ),
        headed=False,
    )
    return _below([("", head), ("", frame), ("", joins)])


def _badges(badges: Sequence[Badge], right: int) -> SafeString:
    """At the corner, from right to left."""
    drawn, x = [], right
    for badge in reversed(badges):
        width = BADGE_ICON + (len(badge.text) * DIGIT + 6 if badge.text else 2)
        x -= width
        drawn.append(
            format_html(
                '<g class="crowd-count crowd-count-{sign}" transform="translate({x} {y})"><title>{title}</title>'
                '<rect width="{w}" height="{h}" rx="9"/><path transform="translate(1 1)" d="{icon}"/>{text}</g>',
                sign=badge.sign,
                x=x,
                y=-BADGE_HEIGHT // 2,
                title=badge.title,
                w=width,
                h=BADGE_HEIGHT,
                icon=ICONS[badge.sign],
                text=format_html('<text x="{}" y="13">{}</text>', BADGE_ICON, badge.text) if badge.text else NOTHING,
            )
        )
        x -= 3
    return _all(drawn)
