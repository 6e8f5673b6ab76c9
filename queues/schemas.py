"""The JSON Schemas (2020-12) of a queue's questions and answers: which are taken, and what an answer breaks.

A schema comes from one person and is run on what another sends, so neither may make the other's check slow:
nothing is ever fetched, patterns run in linear time (google-re2), and the work of every check is bounded.
"""

import json
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import unquote

import re2
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from jsonschema_specifications import REGISTRY as SPECIFICATIONS  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from queues import strictjson
from queues.schema_validator import (
    MAX_UNIQUE_ITEMS,
    REFERENCES,
    Check,
    MeteredValidator,
    TooMuchWork,
    clipped,
    under_way,
    with_short_repr,
)
from queues.strictjson import pointer_to

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA_BYTES = 64 * 1024
MAX_PATTERNS = 100
MAX_CHAIN = 64
"""How many subschemas may apply, one within another, to one and the same value."""

MAX_ERRORS = 20
MAX_DETAIL = 300
_KEPT = 64

_ONE = (
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})
"""Keywords whose subschemas look at the same value, not at a part of it."""


class SchemaRefused(ValueError):
    """The schema is not one we take.

    `detail` is a sentence, `pointer` the JSON pointer of the place in the schema.
    """

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(f"{pointer}: {detail}" if pointer else detail)
        self.detail = detail
        self.pointer = pointer


class _Rules:
    """A schema made ready: its validator, the compiled patterns, the subschema that each reference names."""

    def __init__(self, schema: Any, patterns: dict[str, Any], targets: dict[str, Any]) -> None:
        self.validator = MeteredValidator(schema, registry=Registry())
        self.patterns = patterns
        self.targets = targets


def _unique(validator: Any, unique: bool, instance: Any, schema: Any) -> Iterator[ValidationError]:
    # Where items cannot be sorted the library compares each with each: half a minute for a mixed 64 KiB.
    if unique and isinstance(instance, list) and len(set(map(strictjson.canonical, instance))) < len(instance):
        yield ValidationError("The items must differ from one another.")


def _metaschema_validator() -> Any:
    """The metaschema's validator, with our `uniqueItems` throughout.

    The library leaves a validator for its own where it comes upon a `$schema`, so the metaschema's parts go without.
    """
    parts = {
        uri: {key: value for key, value in resource.contents.items() if key != "$schema"}
        for uri, resource in SPECIFICATIONS.items()
        if uri.startswith(DIALECT.removesuffix("schema"))
    }
    registry = Registry().with_resources((uri, DRAFT202012.create_resource(part)) for uri, part in parts.items())
    return extend(Draft202012Validator, {"uniqueItems": _unique})(parts[DIALECT], registry=registry)


_metaschema = _metaschema_validator()


class _Survey:
    """A walk over all subschemas of a schema that the metaschema has found good, by JSON pointer."""

    def __init__(self, schema: Any) -> None:
        self.nodes: dict[str, Any] = {}
        self.in_place: dict[str, list[str]] = {}
        self.anchors: dict[str, str] = {}
        self.patterns: dict[str, Any] = {}
        waiting = deque([("", schema)])
        while waiting:
            pointer, node = waiting.popleft()
            self.nodes[pointer] = node
            self.in_place[pointer] = []
            if isinstance(node, dict):
                self._look_at(pointer, node)
                for keyword, *segments, child in _subschemas(node):
                    below = pointer + pointer_to(keyword, *segments)
                    waiting.append((below, child))
                    if keyword in _IN_PLACE:
                        self.in_place[pointer].append(below)
        self.targets = {
            node[keyword]: self.nodes[self._target(pointer, keyword, node[keyword])]
            for pointer, node in self.nodes.items()
            if isinstance(node, dict)
            for keyword in REFERENCES
            if keyword in node
        }
        self._refuse_loops()

    def _look_at(self, pointer: str, node: dict[str, Any]) -> None:
        if pointer:
            for keyword in ("$id", "$schema"):
                if keyword in node:
                    raise SchemaRefused(f"{keyword} may stand at the root only.", pointer + pointer_to(keyword))
        for keyword in ("$anchor", "$dynamicAnchor"):
            if keyword in node and self.anchors.setdefault(node[keyword], pointer) != pointer:
                raise SchemaRefused(f"The anchor {node[keyword]!r} stands twice.", pointer + pointer_to(keyword))
        if "pattern" in node:
            self._compile(node["pattern"], pointer + "/pattern")
        for pattern in node.get("patternProperties", ()):
            self._compile(pattern, pointer + pointer_to("patternProperties", pattern))
        if node.get("uniqueItems") and not node.get("maxItems", MAX_UNIQUE_ITEMS + 1) <= MAX_UNIQUE_ITEMS:
            raise SchemaRefused(
                f"uniqueItems is taken only beside a maxItems of at most {MAX_UNIQUE_ITEMS}.",
                pointer + "/uniqueItems",
            )

    def _compile(self, pattern: str, pointer: str) -> None:
        if pattern in self.patterns:
            return
        if len(self.patterns) == MAX_PATTERNS:
            raise SchemaRefused(f"A schema may have {MAX_PATTERNS} patterns at most.", pointer)
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        try:
            compiled = re2.compile(str(pattern), options)
        except re2.error as error:
            reason = error.args[0].decode("utf-8", "replace")
            raise SchemaRefused(
                f"RE2, which has no backreferences and no lookaround, refuses the pattern: {reason}.",
                pointer,
            ) from None
        self.patterns[pattern] = (compiled, compiled.programsize)

    def _target(self, pointer: str, keyword: str, ref: str) -> str:
        place = pointer + pointer_to(keyword)
        if not ref.startswith("#"):
            raise SchemaRefused(f"{keyword} must begin with #, for a place in this schema.", place)
        fragment = unquote(ref[1:])
        if not fragment or fragment.startswith("/"):
            segments = [part.replace("~1", "/").replace("~0", "~") for part in fragment.split("/")[1:]]
            target = pointer_to(*segments)
        else:
            target = self.anchors.get(fragment, fragment)
        if target not in self.nodes:
            raise SchemaRefused(f"There is no subschema {clipped(ref, 100)!s} in this schema.", place)
        self.in_place[pointer].append(target)
        return target

    def _refuse_loops(self) -> None:
        """Refuse what would apply to one value for ever, such as {"$ref": "#"}, or in too long a chain."""
        height: dict[str, int] = {}
        for start in self.nodes:
            path = [(start, iter(self.in_place[start]))] if start not in height else []
            on_path = {start}
            while path:
                pointer, below = path[-1]
                following = next((target for target in below if target not in height), None)
                if following is None:
                    path.pop()
                    on_path.discard(pointer)
                    height[pointer] = 1 + max((height[target] for target in self.in_place[pointer]), default=0)
                    if height[pointer] > MAX_CHAIN:
                        raise SchemaRefused(f"More than {MAX_CHAIN} subschemas in a row apply to one value.", pointer)
                elif following in on_path:
                    raise SchemaRefused("The references lead back to here without end.", following)
                else:
                    path.append((following, iter(self.in_place[following])))
                    on_path.add(following)


def _subschemas(node: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """(keyword, …the way below it, subschema) of each subschema directly inside `node`."""
    for keyword in _ONE:
        if keyword in node:
            yield keyword, node[keyword]
    for keyword in _SEVERAL:
        for index, child in enumerate(node.get(keyword, ())):
            yield keyword, index, child
    for keyword in _NAMED:
        for name, child in node.get(keyword, {}).items():
            yield keyword, name, child


@lru_cache(maxsize=_KEPT)
def _rules(text: str) -> _Rules:
    schema = json.loads(text)
    if len(strictjson.canonical(schema)) > MAX_SCHEMA_BYTES:
        raise SchemaRefused(f"A schema may have {MAX_SCHEMA_BYTES // 1024} KiB at most.")
    if not isinstance(schema, (dict, bool)):
        raise SchemaRefused("A schema is an object.")
    schema = with_short_repr(schema)
    if isinstance(schema, dict):
        # They change how the library reads a schema, and mean nothing where nothing can be fetched.
        dialect = schema.pop("$schema", DIALECT)
        if not isinstance(dialect, str) or dialect.removesuffix("#") != DIALECT:
            raise SchemaRefused(f"$schema must be absent or {DIALECT}.", "/$schema")
        if not isinstance(schema.pop("$id", ""), str):
            raise SchemaRefused("$id must be text.", "/$id")
    try:
        error = next(_metaschema.iter_errors(schema), None)
    except RecursionError:
        raise SchemaRefused("The schema is nested too deep.") from None
    if error is not None:
        raise SchemaRefused(clipped(error.message, MAX_DETAIL), pointer_to(*error.absolute_path))
    survey = _Survey(schema)
    return _Rules(schema, survey.patterns, survey.targets)


def _text_of(schema: Any) -> str:
    return json.dumps(schema, sort_keys=True, separators=(",", ":"))


def check_schema(schema: Any) -> None:
    """Raise SchemaRefused unless `schema` is a JSON Schema 2020-12 that we can run safely on anybody's
    values.

    At most 64 KiB in canonical form; references within the schema only; patterns that RE2 can run;
    `uniqueItems` only beside a `maxItems` of at most 100; no reference that leads back to itself at the same
    value.
    """
    try:
        strictjson.check(schema)
    except strictjson.StrictJSONError as error:
        raise SchemaRefused(error.detail, error.pointer) from None
    _rules(_text_of(schema))


def check_answer(schema: Any, value: Any) -> list[dict[str, str]]:
    """What in `value` breaks `schema`: at most 20 `{"pointer", "detail"}`, none where it is good.

    `value` has passed `strictjson`, `schema` has passed `check_schema` (SchemaRefused otherwise). `format` is
    not asserted. A value that takes too much work to check is an error at "".
    """
    rules = _rules(_text_of(schema))
    token = under_way.set(Check(rules.patterns, rules.targets))
    try:
        errors = list(islice(rules.validator.iter_errors(with_short_repr(value)), MAX_ERRORS))
    except TooMuchWork:
        return [{"pointer": "", "detail": "This is too large to be checked against its schema."}]
    except RecursionError:
        return [{"pointer": "", "detail": "This is nested too deep to be checked against its schema."}]
    finally:
        under_way.reset(token)
    return [
        {"pointer": pointer_to(*error.absolute_path), "detail": clipped(error.message, MAX_DETAIL)} for error in errors
    ]
