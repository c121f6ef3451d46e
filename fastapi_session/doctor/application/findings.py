"""All that is found in an application and its configuration. It is free: `install` has it done at each start.

A check that fails is a finding, and the others are made all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastapi_session.doctor.application import (
    addresses,
    bindings,
    cookies,
    cors,
    mounted,
    neighbours,
    policies,
    secrets,
    variables,
)
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.finding import Check, Finding
from fastapi_session.doctor.unforeseen import each_of

_NEED_AN_APPLICATION = frozenset(
    {*cors.CHECKS, *neighbours.CHECKS, *mounted.CHECKS, bindings.NOT_HELD, policies.RECOVERED}
)

_MODULES = (addresses, cookies, bindings, cors, neighbours, mounted, secrets, variables, policies)

CHECKS: tuple[Check, ...] = tuple(check for module in _MODULES for check in module.CHECKS)

_FINDINGS: tuple[Callable[[Installed], Iterator[Finding]], ...] = (
    addresses.address_findings,
    cookies.cookie_findings,
    bindings.binding_findings,
    cors.cors_findings,
    neighbours.neighbour_findings,
    mounted.mounted_findings,
    secrets.secret_findings,
    variables.variable_findings,
    policies.policy_findings,
)


def checks_for(installed: Installed) -> tuple[Check, ...]:
    """Return which of `CHECKS` can be made of *installed*."""
    return CHECKS if installed.app is not None else tuple(each for each in CHECKS if each not in _NEED_AN_APPLICATION)


def application_findings(installed: Installed) -> Iterator[Finding]:
    """Yield what is wrong with *installed*, in the order of the ids, each once: several checks may fail at one place."""
    told: set[Finding] = set()
    for find in _FINDINGS:
        for finding in each_of(find, installed):
            if finding not in told:
                told.add(finding)
                yield finding
