"""Which policy judges a line. docs/specification.md#payers.

The settings have `payers`: payer, or `otherwise`, → a list of (policy, first date, last date), where None is no bound; and
`policies`: policy → the settings that it changes. The policy "" is the run's own; `none` judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from tests.reference.lines import Book, Line
from tests.reference.values import fold
from tests.reference.world import World

OWN, NOBODY = "", "none"


def policy_of(line: Line, book: Book) -> str:
    """The name of the policy that judges a line."""
    payers = {fold(name): periods for name, periods in book.settings["payers"].items() if name != "otherwise"}
    periods = payers.get(fold(line.payer), []) if line.payer else []
    for periods_of_somebody in (periods, book.settings["payers"].get("otherwise", [(OWN, None, None)])):
        for policy, first, last in periods_of_somebody:
            after = first is None or line.service_date >= date.fromisoformat(first)
            if after and (last is None or line.service_date <= date.fromisoformat(last)):
                return policy
    return NOBODY


def books(world: World, book: Book) -> dict[str, Book]:
    """The world as each policy sees it; the run's own is there only if it may judge."""
    policies = {OWN: {}} if "otherwise" not in book.settings["payers"] else {}
    policies |= book.settings["policies"]
    of_policies = {
        name: Book(replace(world, settings={**world.settings, **own})) for name, own in policies.items() if own
    }
    return {name: of_policies.get(name, book) for name in policies}


def judges(world: World, book: Book) -> tuple[list[Book], Callable[[Line], Book | None]]:
    """The books of the policies that may judge, and the one that judges a line, if any."""
    found = books(world, book)
    return list(found.values()), lambda line: found.get(policy_of(line, book))
