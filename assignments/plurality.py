"""What several judgments say together."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from queues.strictjson import canonical


def plurality(answers: Sequence[Any]) -> Any:
    """The output of a task from its judgments' answers, in the order in which they were given (at least one).

    One answer stands for itself. Of several the one given most often stands (compared as canonical JSON, RFC 8785; in a
    tie the one given first), with its share as `agreement`: joined to an answer that is an object without such a
    member, else as `{"value": answer, "agreement": share}`.
    """
    if len(answers) == 1:
        return answers[0]
    forms = [canonical(answer) for answer in answers]
    (form, votes), *_ = Counter(forms).most_common(1)
    answer, share = answers[forms.index(form)], round(votes / len(answers), 4)
    if isinstance(answer, dict) and "agreement" not in answer:
        return {**answer, "agreement": share}
    return {"value": answer, "agreement": share}
