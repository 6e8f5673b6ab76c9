"""The graph of a workflow's classes, and its picture."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from routing import AbstractCrowdChoice, AbstractFanOut, AbstractLoopCondition, HumanTask
from routing.drawing import Badge, picture, shortened
from routing.graph import AGAIN, EACH, END, JOIN, LANE_MAX, START, Kind, draw_up
from tests import flows

SVG = "{http://www.w3.org/2000/svg}"
BODY_OF_A_PHONE = 330
"""How wide a page of the admin is on a phone, in pixels, without its margins."""


def human(name: str) -> Any:
    return type(name, (HumanTask,), {"queue": "digits"})


def choice(name: str, *branches: Any) -> Any:
    return type(name, (AbstractCrowdChoice,), {"branches": branches, "choice": lambda self: None})


def loop(name: str, task: Any) -> Any:
    return type(name, (AbstractLoopCondition,), {"task": task, "again": lambda self: False})


def fan(name: str, *tasks: Any) -> Any:
    return type(name, (AbstractFanOut,), {"tasks": tasks, "items": lambda self: []})


def edges(*order: Any) -> list[tuple[str, str, str]]:
    """The edges of an order, by the names of what they join."""
    graph = draw_up(order)
    names = {node.key: node.name for _depth, node in graph.walk()} | {START: START, END: END}

    def name(key: str) -> str:
        return names.get(key) or names[key.removesuffix("-join")] + " join"

    return [(name(edge.source), name(edge.target), edge.label) for edge in graph.edges]


def drawn(*order: Any, **more: Any) -> ElementTree.Element:
    """The picture of an order, read as the XML that it must be."""
    return ElementTree.fromstring(picture(draw_up(order), ident="p", title="T", description="D", **more))


def texts(svg: ElementTree.Element) -> list[str]:
    """What stands in a picture, without what is only said of it."""
    return [(element.text or list(element)[-1].tail or "").strip() for element in svg.iter(f"{SVG}text")]


def test_tasks_follow_each_other_from_start_to_end():
    assert edges(flows.Find, flows.Note) == [(START, "Find", ""), ("Find", "Note", ""), ("Note", END, "")]


def test_what_people_do_is_told_from_what_is_done_at_once():
    (_depth, asks), (_also, at_once) = draw_up([flows.Find, flows.Note]).walk()
    assert (asks.kind, asks.note, at_once.kind, at_once.note) == (Kind.HUMAN, "digits", Kind.MACHINE, "")


def test_a_choice_has_its_branches_beside_each_other_and_what_follows_after_each():
    assert edges(flows.FixOrNote, flows.Verify) == [
        (START, "FixOrNote", ""),
        ("FixOrNote", "Fix", "Fix"),
        ("FixOrNote", "Note", "Note"),
        ("Fix", "Verify", ""),
        ("Note", "Verify", ""),
        ("Verify", END, ""),
    ]


def test_a_choice_within_a_choice_leads_on_from_all_its_branches():
    outer = choice("Outer", flows.Find, choice("Inner", flows.Fix, flows.Note))
    assert [edge for edge in edges(outer) if edge[1] == END] == [
        ("Find", END, ""),
        ("Fix", END, ""),
        ("Note", END, ""),
    ]


def test_a_loop_leads_back_to_its_task():
    assert edges(flows.UntilGood, flows.Note) == [
        (START, "Fix", ""),
        ("Fix", "UntilGood", ""),
        ("UntilGood", "Fix", AGAIN),
        ("UntilGood", "Note", ""),
        ("Note", END, ""),
    ]


def test_a_fan_leads_into_its_lanes_and_joins_them():
    assert edges(flows.Spots, flows.Note) == [
        (START, "Spots", ""),
        ("Spots", "Fix", EACH),
        ("Fix", "Verify", ""),
        ("Verify", "Spots join", JOIN),
        ("Spots join", "Note", ""),
        ("Note", END, ""),
    ]


def test_a_node_stands_where_steps_of_it_do():
    again = loop("Again", choice("Either", flows.Fix, flows.Note))
    graph = draw_up([flows.Find, again, fan("Each", flows.Find, again)])
    places = [node.place for _depth, node in graph.walk() if node.kind in (Kind.HUMAN, Kind.MACHINE)]
    assert [(place.fan, place.position, place.element, place.name) for place in places if place] == [
        ("", 0, "Find", "Find"),
        ("", 1, "Again", "Fix"),
        ("", 1, "Again", "Note"),
        ("Each", 0, "Find", "Find"),
        ("Each", 1, "Again", "Fix"),
        ("Each", 1, "Again", "Note"),
    ]


def test_a_choice_that_has_itself_for_a_branch_is_drawn_once():
    turn = choice("Turn", flows.Find)
    turn.branches = (flows.Find, turn)
    assert [(depth, node.kind) for depth, node in draw_up([turn]).walk()] == [
        (0, Kind.CHOICE),
        (1, Kind.HUMAN),
        (1, Kind.ABOVE),
    ]


def test_of_a_long_order_the_rest_is_a_number():
    *_before, (_depth, last) = draw_up([flows.Find] * (LANE_MAX + 7)).walk()
    assert (last.kind, last.count) == (Kind.MORE, 7)
    assert texts(drawn(*[flows.Find] * (LANE_MAX + 7)))[-1] == "and 7 more"


def test_an_order_without_tasks_has_a_picture():
    assert texts(drawn()) == []
    assert edges() == [(START, END, "")]


def test_the_picture_names_every_task_from_top_to_bottom():
    svg = drawn(flows.Find, flows.FixOrNote, flows.UntilGood, flows.Spots)
    found = [text for text in texts(svg) if text not in {"digits", "again", "for each", "join"}]
    assert found == ["Find", "FixOrNote", "Fix", "Note", "Fix", "UntilGood", "Spots", "Fix", "Verify"]


def test_a_picture_says_what_it_is_to_those_who_do_not_see_it():
    svg = drawn(flows.Find)
    assert svg.get("role") == "img"
    said = {element.get("id"): element.text for element in svg if element.get("id")}
    assert [said[name] for name in (svg.get("aria-labelledby") or "").split()] == ["T", "D"]


def test_names_are_text():
    odd = human("Find")
    odd.get_name = classmethod(lambda cls: '<b>"&')
    assert '<b>"&' in texts(drawn(odd))


def test_nothing_in_a_picture_needs_an_inline_style():
    svg = drawn(
        flows.Find, flows.FixOrNote, flows.UntilGood, flows.Spots, badges={"n0": [Badge("done", "3", "3 done")]}
    )
    attributes = {name for element in svg.iter() for name in element.attrib}
    assert attributes <= {
        *("class", "role", "width", "height", "viewBox", "aria-labelledby", "id", "transform"),
        *("x", "y", "d", "rx", "cx", "cy", "r", "text-anchor"),
    }


def test_a_long_name_is_shortened_and_kept_whole_beside_it():
    name = "FindEverythingThatIsHardToRead"
    svg = drawn(human(name))
    (shown,) = [text for text in texts(svg) if text.startswith("Find")]
    assert shown.endswith("…")
    assert len(shown) < 20
    assert name in [element.text for element in svg.iter(f"{SVG}title")]


@pytest.mark.parametrize(
    ("text", "short"), [("Find", "Find"), ("Illiterately", "Illiterately"), ("MMMMMMMMMMMM", "MMMMMMMMM…")]
)
def test_wide_letters_take_more_room(text, short):
    assert shortened(text, 112) == short


def test_counts_are_put_on_their_nodes_with_a_sign_and_in_words():
    svg = drawn(flows.Find, badges={"n0": [Badge("waiting", "12", "12 waiting"), Badge("retry", "3", "3 to be tried")]})
    assert sorted(texts(svg)) == ["12", "3", "Find", "digits"]
    kinds = [element.get("class") for element in svg.iter(f"{SVG}g") if "crowd-count" in (element.get("class") or "")]
    assert sorted(filter(None, kinds)) == ["crowd-count crowd-count-retry", "crowd-count crowd-count-waiting"]
    assert "12 waiting" in [element.text for element in svg.iter(f"{SVG}title")]


def boxes(svg: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of each task in a picture."""
    found = []

    def walk(element: ElementTree.Element, x: float, y: float) -> None:
        moved = re.fullmatch(r"translate\((-?\d+) (-?\d+)\)", element.get("transform") or "")
        if moved:
            x, y = x + int(moved[1]), y + int(moved[2])
        if element.get("class") == "crowd-shape" and element.get("width"):
            found.append((x, y, x + int(element.get("width") or 0), y + int(element.get("height") or 0)))
        for child in element:
            walk(child, x, y)

    walk(svg, 0, 0)
    return found


def test_nothing_lies_on_anything_else_nor_outside():
    inner = choice("Inner", flows.Fix, flows.Note, loop("Again", flows.Verify))
    order = [flows.Find, choice("Outer", inner, flows.Look, fan("Each", flows.Fix, inner)), loop("Loop", inner)]
    svg = drawn(*order)
    found = boxes(svg)
    assert len(found) == 13
    for index, (left, top, right, bottom) in enumerate(found):
        assert 0 <= left < right <= int(svg.get("width") or 0)
        assert 0 <= top < bottom <= int(svg.get("height") or 0)
        for other in found[:index]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_two_branches_fit_a_phone():
    assert int(drawn(flows.Find, flows.FixOrNote).get("width") or 0) <= BODY_OF_A_PHONE
