"""Find–fix–verify: three people find what is hard to read, one rewrites it, and somebody else judges that.

The pattern is of M. S. Bernstein et al., “Soylent: A Word Processor with a Crowd Inside”, UIST 2010: no one person is
trusted with all of the work, lazy and overeager ones do not get through, and the pieces are worked on side by side.

A run is started with `{"text": "…"}`, a paragraph, and comes to the same with the text as it was put together.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from routing import AbstractFanOut, AbstractWorkFlow, HumanTask, TaskError

FINDERS = 3
"""So many people look for sentences to rewrite."""

AGREED = 2
"""So many of them must have found a sentence."""

SENTENCES_MAX = 8

PASSAGE = (
    "When on board H.M.S. 'Beagle,' as naturalist, I was much struck with certain facts in the distribution of "
    "the inhabitants of South America, and in the geological relations of the present to the past inhabitants of "
    "that continent. These facts seemed to me to throw some light on the origin of species—that mystery of "
    "mysteries, as it has been called by one of our greatest philosophers. On my return home, it occurred to me, "
    "in 1837, that something might perhaps be made out on this question by patiently accumulating and reflecting "
    "on all sorts of facts which could possibly have any bearing on it. After five years' work I allowed myself "
    "to speculate on the subject, and drew up some short notes; these I enlarged in 1844 into a sketch of the "
    "conclusions, which then seemed to me probable: from that period to the present day I have steadily pursued "
    "the same object. I hope that I may be excused for entering on these personal details, as I give them to show"
    " that I have not been hasty in coming to a decision."
)
"""How Charles Darwin's On the Origin of Species begins (London: John Murray, 1859; in the public domain)."""

FIND, FIX, VERIFY = "text-find", "text-fix", "text-verify"

FIND_INSTRUCTIONS = """\
Read the paragraph and mark the sentences that a reader of today **stumbles over**: too long, too tangled, too stiff.

- Mark none if all are fine, and not more than you would rewrite yourself.
- Two other people do the same. What two of you mark is rewritten.
"""

FIX_INSTRUCTIONS = """\
Rewrite **the one sentence** so that it reads easily. Its meaning stays the same, and it still fits into its paragraph.

You may make two sentences of it. Leave out nothing that it says.
"""

VERIFY_INSTRUCTIONS = """\
Somebody has rewritten a sentence. Is the new one **better**: easier to read, with the same meaning and no mistakes?

If it is not, the old one stays.
"""

NUMBERS = [str(number + 1) for number in range(SENTENCES_MAX)]


def _object(**properties: Any) -> dict[str, Any]:
    """The schema of an object with these members and no others."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _text(title: str, **limits: Any) -> dict[str, Any]:
    return {"type": "string", "title": title, **limits}


QUEUES: dict[str, dict[str, Any]] = {
    FIND: {
        "alias": "Find what is hard to read",
        "description": "Three people mark the sentences of a paragraph that want rewriting.",
        "instructions": FIND_INSTRUCTIONS,
        "input_schema": _object(
            sentences={"type": "object", "title": "Sentences", "additionalProperties": _text("Sentence")}
        ),
        "output_schema": _object(
            spans={
                "type": "array",
                "title": "Sentences that want rewriting",
                "items": {"type": "string", "enum": NUMBERS},
                "maxItems": SENTENCES_MAX,
                "uniqueItems": True,
            }
        ),
    },
    FIX: {
        "alias": "Rewrite a sentence",
        "description": "One sentence of a paragraph, to be made easy to read.",
        "instructions": FIX_INSTRUCTIONS,
        "input_schema": _object(before=_text("Sentence"), text=_text("Its paragraph")),
        "output_schema": _object(after=_text("Your sentence", minLength=1, maxLength=2000, format="textarea")),
    },
    VERIFY: {
        "alias": "Judge a rewritten sentence",
        "description": "Is the new sentence better than the old one?",
        "instructions": VERIFY_INSTRUCTIONS,
        "input_schema": _object(before=_text("Before"), after=_text("After")),
        "output_schema": _object(verdict={"title": "The new one is", "enum": ["better", "not better"]}),
    },
}


def sentences_of(text: str) -> dict[str, str]:
    """ "1" → the first sentence, and so on."""
    found = re.split(r"(?<=[.!?])\s+(?=[A-Z])", text.strip())
    return {str(number): sentence for number, sentence in enumerate(found, start=1)}


class FindTask(HumanTask):
    """Which sentences want rewriting? Asked of several people at the same time."""

    queue = FIND
    judgments_required = FINDERS

    def make_input(self, pipe_data: dict[str, Any]) -> dict[str, Any]:
        return {"sentences": sentences_of(pipe_data["text"])}

    def on_answer(self, output: Any, pipe_data: dict[str, Any], judgments: Sequence[Any] = ()) -> dict[str, Any]:
        return {"found": [judgment["spans"] for judgment in judgments]}


class FixTask(HumanTask):
    """One sentence is rewritten."""

    queue = FIX

    def make_input(self, pipe_data: dict[str, Any]) -> dict[str, Any]:
        return {"before": pipe_data["before"], "text": pipe_data["text"]}

    def on_answer(self, output: dict[str, Any], pipe_data: dict[str, Any]) -> dict[str, Any]:
        return {"after": output["after"].strip()}


class VerifyTask(HumanTask):
    """Whether it has become better, says somebody who has not rewritten it."""

    queue = VERIFY
    exclude_reviewers_of = [FixTask]

    def make_input(self, pipe_data: dict[str, Any]) -> dict[str, Any]:
        return {"before": pipe_data["before"], "after": pipe_data["after"]}

    def on_answer(self, output: dict[str, Any], pipe_data: dict[str, Any]) -> dict[str, Any]:
        return {"kept": output["verdict"] == "better"}


class FixAndVerify(AbstractFanOut):
    """Each sentence that enough people have found is fixed and verified, all of them at the same time."""

    tasks = [FixTask, VerifyTask]

    def items(self, pipe_data: dict[str, Any]) -> list[str]:
        votes = Counter(number for spans in pipe_data["found"] for number in spans)
        return [number for number in sentences_of(pipe_data["text"]) if votes[number] >= AGREED]

    def make_data(self, item: str, pipe_data: dict[str, Any]) -> dict[str, Any]:
        return {"span": item, "before": sentences_of(pipe_data["text"])[item], "text": pipe_data["text"]}

    def join(self, results: list[dict[str, Any]], pipe_data: dict[str, Any]) -> dict[str, Any]:
        edits = [{name: lane[name] for name in ("span", "before", "after", "kept")} for lane in results]
        rewritten = {edit["span"]: edit["after"] for edit in edits if edit["kept"]}
        return {"text": " ".join((sentences_of(pipe_data["text"]) | rewritten).values()), "edits": edits}


class ProofreadingWorkFlow(AbstractWorkFlow):
    """Three find, one fixes, another verifies."""

    tasks = [FindTask, FixAndVerify]

    def pre_pipeline(self, task: Any, pipe_data: dict[str, Any]) -> None:
        """Raises TaskError for what is no paragraph, or a long one."""
        text = pipe_data.get("text")
        if not isinstance(text, str) or not text.strip():
            raise TaskError('A run of this workflow needs a paragraph: {"text": "…"}.')
        if len(sentences_of(text)) > SENTENCES_MAX:
            raise TaskError(f"The paragraph has more than {SENTENCES_MAX} sentences: start a run for each part of it.")
