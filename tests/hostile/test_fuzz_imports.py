"""Whatever file is imported: it is refused with a sentence, or each of its bad lines is named by its number and each of
its good ones becomes a task.
"""

import io
import json
import time
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from queues import batches, imports
from queues.models import Queue, Task
from queues.states import BatchStatus
from queues.taskfiles import FileRefused
from tests import cast
from tests.hostile.fuzz import NASTY_TEXTS, examples, raw_json, texts, values

pytestmark = pytest.mark.django_db

SECONDS = 5
"""Of the processor's time, that a file of a few lines may take."""

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "text": {"type": "string"}}}

COLUMNS = ["text", "n", "input_data", "input_data.a.b", "topic", "priority", "global_keys", "target_reviewer"]
COLUMNS += ["schedule_to", "seconds_to_expire", "output_data", "task.id", "", ".", "input_data.", "=1+1", "n"]

cells = (
    st.sampled_from(
        ["", "1", "1.5", "=1+1", "@SUM(A1)", "+7", "-7", "'=1", '""', '"', '"a', "a,b", "a;b", "{}", "[1]", "null"]
    )
    | st.sampled_from(["TRUE", "1e999", "9" * 400, "{" * 50, "x" * 300_000, "2027-02-30T00:00:00Z", "5"])
    | st.sampled_from([text for text in NASTY_TEXTS if text.isprintable()])
    | texts
)


@st.composite
def tables(draw: Any) -> bytes:
    """What looks like a table."""
    between = draw(st.sampled_from([",", ";", "\t", "|", ",,", " "]))
    ending = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\u2028", ""]))
    header = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4))
    lines = [header, *draw(st.lists(st.lists(cells, min_size=1, max_size=5), max_size=5))]
    quoted = draw(st.booleans())
    text = ending.join(
        between.join('"' + cell.replace('"', '""') + '"' if quoted else cell for cell in line) for line in lines
    )
    raw = text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])), "replace")
    return draw(st.sampled_from([raw, raw, raw + b"\x00\n", raw.replace(b"\n", b"\n\xff", 1), raw[: len(raw) // 2]]))


tasks = st.builds(
    lambda task, more: json.dumps({"input_data": 1, **task, **more}).encode(),
    st.dictionaries(st.sampled_from([name for name in COLUMNS if "." not in name]), values, max_size=3),
    st.dictionaries(texts, values, max_size=1),
)

lines_of_json = st.builds(
    lambda lines, ending: ending.join(lines), st.lists(raw_json | tasks, max_size=5), st.sampled_from([b"\n", b"\r\n"])
)


@pytest.fixture
def queue(db: None) -> Queue:
    return cast.queue(input_schema=SCHEMA)


def taken(queue: Queue, raw: bytes) -> None:
    """Import a file as the admin does, and see to it that what was found good is good."""
    began = time.process_time()
    found: list[imports.Checked] = []
    with suppress(FileRefused), imports.check(queue=queue, file=io.BytesIO(raw)) as checked:
        found.append(checked)
        batch = imports.plan(queue=queue, checked=checked, actor=cast.person("mia"), file_name="x", draft=False)
    if not found:
        assert not Task.objects.exists()
        return
    assert len(checked.faults) == checked.bad
    last = max(raw.count(b"\n"), raw.count(b"\r")) + 1
    assert all(1 <= fault["item"] <= last and fault["detail"] for fault in checked.faults)
    while batches.work(batch_id=batch.pk):
        continue
    batch.refresh_from_db()
    assert (batch.status, Task.objects.count()) == (BatchStatus.FINISHED, checked.good)
    assert time.process_time() - began < SECONDS


@examples(60)
@given(raw=tables() | st.binary(max_size=200))
def test_a_table_is_told_what_is_wrong_with_it(queue: Queue, raw: bytes) -> None:
    with transaction.atomic():
        taken(queue, raw)
        transaction.set_rollback(True)


@examples(60)
@given(raw=lines_of_json)
def test_lines_of_json_are_told_what_is_wrong_with_them(queue: Queue, raw: bytes) -> None:
    with transaction.atomic():
        taken(queue, raw)
        transaction.set_rollback(True)
