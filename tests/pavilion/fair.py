"""A marketplace whose pages have ours in a frame, as the tests need one; it hires and pays as `local` does."""

from collections.abc import Mapping

from pavilion.marketplaces import Visitor
from pavilion.marketplaces.local import Local

SETTINGS = {"fair": "tests.pavilion.fair.Fair", "local": "pavilion.marketplaces.local.Local"}


class Fair(Local):
    """Its option `origin` is where its own pages are."""

    slug = "fair"
    title = "Fair"

    @classmethod
    def faults(cls, options: Mapping[str, object]) -> list[str]:
        return []

    @property
    def frame_ancestors(self) -> list[str]:
        return [self.options["origin"]]

    @property
    def submit_urls(self) -> list[str]:
        return [f"{self.options['origin']}/submit"]

    def visitor(self, query: Mapping[str, str]) -> Visitor | None:
        if "assignmentId" not in query:
            return None
        preview = query["assignmentId"] == "NONE"
        return Visitor(preview, query.get("workerId", ""), query["assignmentId"], query.get("turkSubmitTo", ""))
