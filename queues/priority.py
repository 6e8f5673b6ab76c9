"""Changes of a task's priority: a number, a step, or an expression of N, the present value.

The grammar is small enough for a parser by hand, which lets through what it names and nothing else; a
whitelist over Python's own syntax tree would have to keep pace with that syntax, and `ast.parse` can exhaust
memory on short text.

    change     = number | ("+" | "-") number | expression with an N
    expression = term (("+" | "-") term)*
    term       = factor (("*" | "//") factor)*
    factor     = number | "N" | "-" factor | "(" expression ")"
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from queues.exceptions import InvalidInput
from queues.states import PRIORITY_MAX, PRIORITY_MIN

MAX_LENGTH = 64
"""Characters of a change; they also bound every product, since there is no power."""

_SPACES = " \t\r\n"
_TOKEN = re.compile(r"[0-9]+|N|//|[-+*()]")
_NUMBER = re.compile(r"[0-9]+")
_STEP = re.compile(r"([-+])[ \t\r\n]*([0-9]+)")

Tree = int | str | tuple["str", "Tree", "Tree"]
"""A number, "N", or (operator, left, right)."""

_OPERATORS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
}


class PriorityError(InvalidInput):
    """The priority cannot be read or computed.

    `sentence` says why; as invalid input it is an error at "/priority".
    """

    def __init__(self, sentence: str) -> None:
        super().__init__([{"pointer": "/priority", "detail": sentence}])
        self.sentence = sentence


@dataclass(frozen=True)
class Change:
    """What to do to a priority."""

    tree: Tree

    def apply(self, present: int) -> int:
        """The new priority, clamped to 5…995. Raises PriorityError for a division by zero."""
        try:
            computed = _evaluate(self.tree, present)
        except ZeroDivisionError:
            raise PriorityError(f"The expression divides by zero where N is {present}.") from None
        return max(PRIORITY_MIN, min(PRIORITY_MAX, computed))


def parse(given: object) -> Change:
    """Read a priority or a change of one: 120, "120", "+10", "-10", "(N*2)+12". Raises PriorityError.

    An absolute number must be within 5…995; what is computed is clamped to it when applied. `//` rounds down,
    as in Python.
    """
    if isinstance(given, int) and not isinstance(given, bool):
        return Change(_absolute(given))
    if not isinstance(given, str):
        raise PriorityError('Must be a whole number, or text such as "+10" or "(N*2)+12".')
    if len(given) > MAX_LENGTH:
        raise PriorityError(f"An expression may have {MAX_LENGTH} characters at most.")
    text = given.strip(_SPACES)
    if _NUMBER.fullmatch(text):
        return Change(_absolute(int(text)))
    if step := _STEP.fullmatch(text):
        return Change((step[1], "N", int(step[2])))
    parser = _Parser(text)
    tree = parser.expression()
    parser.end()
    if "N" not in text:
        raise PriorityError("An expression must name N, the present priority.")
    return Change(tree)


def _absolute(number: int) -> int:
    if not PRIORITY_MIN <= number <= PRIORITY_MAX:
        hint = f' To change the present one, send text, "{number}".' if number < 0 else ""
        raise PriorityError(f"Must be from {PRIORITY_MIN} to {PRIORITY_MAX}.{hint}")
    return number


def _evaluate(tree: Tree, present: int) -> int:
    if isinstance(tree, int):
        return tree
    if isinstance(tree, str):
        return present
    sign, left, right = tree
    return _OPERATORS[sign](_evaluate(left, present), _evaluate(right, present))


class _Parser:
    """Recursive descent over the tokens of one text; 64 characters bound its depth."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        self.at = 0
        position = 0
        while position < len(text):
            if text[position] in _SPACES:
                position += 1
                continue
            token = _TOKEN.match(text, position)
            if token is None:
                raise PriorityError(
                    f"{text[position]!r} at character {position + 1} is not part of an expression;"
                    " it may have whole numbers, N, + - * // and parentheses."
                )
            self.tokens.append(token[0])
            position = token.end()

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._next()
        if token not in wanted:
            return ""
        self.at += 1
        return token

    def expression(self) -> Tree:
        tree = self._term()
        while sign := self._take("+", "-"):
            tree = (sign, tree, self._term())
        return tree

    def _term(self) -> Tree:
        tree = self._factor()
        while sign := self._take("*", "//"):
            tree = (sign, tree, self._factor())
        return tree

    def _factor(self) -> Tree:
        if self._take("-"):
            return ("-", 0, self._factor())
        if self._take("("):
            tree = self.expression()
            if not self._take(")"):
                raise PriorityError("A parenthesis is not closed.")
            return tree
        token = self._next()
        if token == "N":
            self.at += 1
            return token
        if token.isdigit():
            self.at += 1
            return int(token)
        raise self._unexpected("a number or N was expected")

    def end(self) -> None:
        if self._next():
            raise self._unexpected("an operator was expected")

    def _unexpected(self, wanted: str) -> PriorityError:
        token = self._next()
        found = f"has {token!r}" if token else "ends"
        return PriorityError(f"The expression {found} where {wanted}.")
