"""The claims most applications need, and the validators they make.

| validator | holds if the value | reason has |
|---|---|---|
| `has_value(x)`, `is_true()`, `is_false()` | is x | `expectedValue` |
| `includes(x)` | has x in it | `expectedToInclude` |
| `excludes(x)` | has not x in it | `expectedToNotInclude` |
| `includes_all([...])` | has all of them in it | `expectedToInclude` |
| `includes_any([...])` | has one of them in it | `expectedToIncludeAtLeastOneOf` |
| `excludes_all([...])` | has none of them in it | `expectedToNotInclude` |

Each takes *max_age*, how old the value may be (by default the claim's `default_max_age`), and *id*, the name of the failure
in the response (by default the claim's key).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from fastapi_session.core.claims.claim import Claim, T
from fastapi_session.core.claims.validators import (
    Expectation,
    ValueRule,
    has_all,
    has_any,
    has_item,
    has_none,
    has_not_item,
    is_equal,
)

Item = TypeVar("Item", str, int, float, bool)


@dataclass(frozen=True)
class PrimitiveClaim(Claim[T]):
    """A claim whose value is one string, number or boolean: `Plan = PrimitiveClaim("plan", fetch)`.

    *fetch* is an async function of (user_id, tenant_id, payload), which returns `None` if there is no value. A route demands one
    by `verify_session(Plan.has_value("pro"))`.
    """

    def has_value(self, value: T, *, max_age: timedelta | None = None, id: str | None = None) -> ValueRule[T]:
        """Require that the value is *value* and at most *max_age* old. *id* is by default the claim's key."""
        return _rule(self, Expectation("expectedValue", value, is_equal), max_age=max_age, id=id)


@dataclass(frozen=True)
class BooleanClaim(PrimitiveClaim[bool]):
    """A claim that is true or false: `Verified = BooleanClaim("email-verified", fetch)`.

    *fetch* is an async function of (user_id, tenant_id, payload). A route demands it by `verify_session(Verified.is_true())`.
    """

    def is_true(self, *, max_age: timedelta | None = None, id: str | None = None) -> ValueRule[bool]:
        """Require that the value is true and at most *max_age* old."""
        return self.has_value(True, max_age=max_age, id=id)

    def is_false(self, *, max_age: timedelta | None = None, id: str | None = None) -> ValueRule[bool]:
        """Require that the value is false and at most *max_age* old."""
        return self.has_value(False, max_age=max_age, id=id)


@dataclass(frozen=True)
class PrimitiveArrayClaim(Claim[list[Item]]):
    """A claim whose value is a list of strings, numbers or booleans: `Roles = PrimitiveArrayClaim("roles", fetch)`.

    *fetch* is an async function of (user_id, tenant_id, payload). A route demands it by `verify_session(Roles.includes("admin"))`.
    """

    def includes(self, item: Item, *, max_age: timedelta | None = None, id: str | None = None) -> ValueRule[list[Item]]:
        """Require that *item* is in the list."""
        return _rule(self, Expectation("expectedToInclude", item, has_item), max_age=max_age, id=id)

    def excludes(self, item: Item, *, max_age: timedelta | None = None, id: str | None = None) -> ValueRule[list[Item]]:
        """Require that *item* is not in the list."""
        return _rule(self, Expectation("expectedToNotInclude", item, has_not_item), max_age=max_age, id=id)

    def includes_all(
        self, items: Iterable[Item], *, max_age: timedelta | None = None, id: str | None = None
    ) -> ValueRule[list[Item]]:
        """Require that all of *items* are in the list."""
        return _rule(self, Expectation("expectedToInclude", tuple(items), has_all), max_age=max_age, id=id)

    def includes_any(
        self, items: Iterable[Item], *, max_age: timedelta | None = None, id: str | None = None
    ) -> ValueRule[list[Item]]:
        """Require that at least one of *items* is in the list."""
        return _rule(self, Expectation("expectedToIncludeAtLeastOneOf", tuple(items), has_any), max_age=max_age, id=id)

    def excludes_all(
        self, items: Iterable[Item], *, max_age: timedelta | None = None, id: str | None = None
    ) -> ValueRule[list[Item]]:
        """Require that none of *items* is in the list."""
        return _rule(self, Expectation("expectedToNotInclude", tuple(items), has_none), max_age=max_age, id=id)


def _rule(claim: Claim[T], expectation: Expectation, *, max_age: timedelta | None, id: str | None) -> ValueRule[T]:
    age = claim.default_max_age if max_age is None else max_age
    return ValueRule(id or claim.key, claim, age, expectation)
