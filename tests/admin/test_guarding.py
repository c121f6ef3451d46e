"""What is accepted as a guard of administration."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi import Depends, Security

from fastapi_session import (
    AnyOf,
    ClaimRule,
    ConfigurationError,
    Factor,
    Fresh,
    NotGuest,
    NotImpersonated,
    PayloadRule,
    admin_router,
    create_session,
    get_sessions,
    refresh_session,
    verify_session,
)
from tests.admin.administered import ADMINS, Roles


async def decides() -> None:
    """A dependency of the application's own."""


class Decides:
    """The same, as an object that can be called."""

    async def __call__(self) -> None:
        """Let everybody in."""


STEP_UP = verify_session(Fresh(minutes=5), NotGuest(), NotImpersonated(), AnyOf(Factor("otp", timedelta(minutes=5))))

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "everybody would be an administrator"),
    "an empty list": ({"require": []}, "everybody would be an administrator"),
    "any session": ({"require": [verify_session()]}, "every user in who is signed in"),
    "any session, perhaps": ({"require": [verify_session(session_required=False)]}, "every user in"),
    "any session, in the store": ({"require": [verify_session(check_database=True)]}, "every user in"),
    "how one signed in": ({"require": [STEP_UP]}, "every user in"),
    "a provider that was not called": ({"require": [verify_session]}, "every user in"),
    "something else alone": ({"require": [decides]}, "name it by admitted_by"),
    "something else, as Depends": ({"require": [Depends(decides)]}, "name it by admitted_by"),
    "no list": ({"require": ADMINS}, "as a list"),
    "a list of what is no dependency": ({"require": ["admin"]}, "a list of dependencies"),
    "who decides, without a list": ({"admitted_by": decides}, "everybody would be"),
    "a session decides": ({"require": [verify_session()], "admitted_by": verify_session()}, "of your own"),
    "the making of sessions decides": ({"require": [verify_session()], "admitted_by": create_session()}, "of your own"),
    "a refresh decides": ({"require": [verify_session()], "admitted_by": refresh_session()}, "of your own"),
    "the engine decides": ({"require": [verify_session()], "admitted_by": get_sessions()}, "of your own"),
    "the engine decides, as Depends": (
        {"require": [verify_session()], "admitted_by": Depends(get_sessions())},
        "of your own",
    ),
    "nothing decides": ({"require": [verify_session()], "admitted_by": True}, "of your own"),
    "a class decides": ({"require": [verify_session()], "admitted_by": Decides}, r"an object: Decides\(\)"),
    "a class decides, as Depends": (
        {"require": [verify_session()], "admitted_by": Depends(Decides)},
        r"an object: Decides\(\)",
    ),
    "a provider decides that was not called": (
        {"require": [verify_session()], "admitted_by": get_sessions},
        "with parentheses",
    ),
    "the making of sessions, too": ({"require": [ADMINS, create_session()]}, "refuse nobody"),
    "the engine, too": ({"require": [ADMINS, get_sessions()]}, "refuse nobody"),
    "a refresh, too, as Depends": ({"require": [ADMINS, Depends(refresh_session())]}, "refuse nobody"),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "a role": {"require": [ADMINS]},
    "a tuple": {"require": (ADMINS,)},
    "a role, as Depends": {"require": [Depends(ADMINS)]},
    "a role, and more": {"require": [decides, verify_session(Fresh(minutes=5)), ADMINS]},
    "a rule of one's own": {"require": [verify_session(PayloadRule("staff", bool))]},
    "a rule about a claim": {"require": [verify_session(ClaimRule(Roles, bool))]},
    "something else that is named": {"require": [verify_session()], "admitted_by": decides},
    "an object": {"require": [verify_session()], "admitted_by": Decides()},
    "something else, as Security": {"require": [verify_session()], "admitted_by": Security(decides, scopes=["staff"])},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_lets_everybody_in_is_refused(case: str) -> None:
    """What certainly lets every user in, or is no guard, is refused where it stands, with the fix."""
    options, says = REFUSED[case]
    with pytest.raises(ConfigurationError, match=says):
        admin_router(**options)


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_asks_who_it_is_is_accepted(case: str) -> None:
    """What asks for a claim is accepted, and whatever the application says that it decides."""
    assert admin_router(**ACCEPTED[case]).routes
