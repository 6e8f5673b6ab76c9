from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from queues import invariants


class Command(BaseCommand):
    help = "Ask for rows that break a rule which must always hold. Ends with status 1 where there are any."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rule", action="append", metavar="NAME", help="Only this rule; may be given several times."
        )
        parser.add_argument(
            "--list", action="store_true", help="Name the rules and what they say, and ask for nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rules = self._chosen(options["rule"])
        if options["list"]:
            for rule in rules:
                self.stdout.write(f"{rule.name}: {rule.says}")
            return
        began = monotonic()
        broken = sum(self._is_broken(rule, tell=options["verbosity"] > 1) for rule in rules)
        if broken:
            raise CommandError(f"{broken} of {len(rules)} invariants are broken.")
        self.stdout.write(f"{len(rules)} invariants hold ({monotonic() - began:.1f} s).")

    def _chosen(self, names: list[str] | None) -> list[invariants.Invariant]:
        """Raises CommandError for a rule that there is not."""
        rules = invariants.rules()
        unknown = sorted(set(names or ()) - set(rules))
        if unknown:
            raise CommandError(f"There is no rule {unknown[0]}; --list names them all.")
        return [rules[name] for name in names] if names else list(rules.values())

    def _is_broken(self, rule: invariants.Invariant, *, tell: bool) -> bool:
        began = monotonic()
        found = invariants.ask(rule)
        if tell:
            self.stdout.write(f"{rule.name}: {'holds' if found is None else 'broken'} ({monotonic() - began:.1f} s)")
        if found is None:
            return False
        self.stderr.write(f"{rule.name}: {rule.says}")
        self.stderr.write(f"  Broken by {found.number}" + (":" if found.number == len(found.rows) else ", first by:"))
        for row in found.rows:
            self.stderr.write(f"  {row._meta.label} {row.pk}" if hasattr(row, "pk") else f"  {row}")
        return True
