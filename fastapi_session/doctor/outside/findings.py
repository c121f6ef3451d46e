"""All that is found from outside: what is looked at, in which order, and what for.

| id | looks at | level |
|---|---|---|
| FS201 | there is a response | error |

Some look at what others stand on: if a refresh does not arrive at all, what else a refresh would show is not asked. After two looks
in a row without any response nothing more is asked. It is some 60 requests in all, one after the other; those of which a rate
limiter may have enough come last.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside import (
    arrived_cookies,
    cleared,
    connections,
    device_endpoints,
    documents,
    origins,
    probes,
    proofs,
    recorded_address,
    refusals,
    registration,
    schemes,
)
from fastapi_session.doctor.outside.asking import Unreached
from fastapi_session.doctor.outside.reached import Reached
from fastapi_session.web.error_responses import UNAUTHORISED

UNREACHED = Check(
    "FS201",
    Level.ERROR,
    "the deployment does not respond",
    "let it run and be reached from here, with a certificate that this machine trusts (SSL_CERT_FILE names others)",
)

Look = Callable[[Reached], AsyncIterator[Finding]]


def _always(_reached: Reached) -> bool:
    return True


def _is_compared(reached: Reached) -> bool:
    return bool(reached.methods)


def _has_other_pages(reached: Reached) -> bool:
    return origins.website_of(reached.known) is not None


def _proves(reached: Reached) -> bool:
    # A challenge goes with no other status.
    is_told = reached.known is not None and reached.known.dpop != "off" and reached.refused_status == UNAUTHORISED
    return is_told and "header" in reached.methods


def _is_probed(reached: Reached) -> bool:
    return reached.probe and (reached.known is None or bool(reached.methods))


@dataclass(frozen=True, slots=True)
class _Looking:
    """What is found by a *look*, if *can* says that it can be made; it may need a refresh that *arrives*."""

    checks: tuple[Check, ...]
    look: Look
    can: Callable[[Reached], bool] = _always
    arrives: bool = False


_LOOKS = (
    _Looking(documents.CHECKS, documents.document_findings),
    _Looking((refusals.NOT_OURS,), refusals.refresh_findings),
    _Looking((refusals.NOT_OURS,), refusals.sign_out_findings),
    _Looking(connections.CHECKS, connections.connection_findings),
    _Looking((schemes.ELSEWHERE,), schemes.redirect_findings),
    _Looking((schemes.NO_HSTS,), schemes.hsts_findings, lambda reached: reached.is_https),
    _Looking(
        (schemes.SERVED_IN_CLEAR, schemes.LED_ASTRAY, schemes.POST_LOST), schemes.scheme_findings, schemes.has_plain
    ),
    _Looking(cleared.CHECKS, cleared.header_findings, _is_compared, arrives=True),
    _Looking((origins.KEPT_OUT, origins.OPEN), origins.origin_findings, arrives=True),
    _Looking((origins.UNREADABLE,), origins.reading_findings, _has_other_pages, arrives=True),
    _Looking(proofs.CHECKS, proofs.proof_findings, _proves, arrives=True),
    _Looking((device_endpoints.NO_WAY_THROUGH,), device_endpoints.device_findings, device_endpoints.binds),
    _Looking(
        (*probes.CHECKS, *arrived_cookies.CHECKS, *recorded_address.CHECKS, *registration.CHECKS),
        probes.probe_findings,
        _is_probed,
        arrives=True,
    ),
    _Looking((refusals.LIMITED,), refusals.limit_findings, arrives=True),
    _Looking((device_endpoints.LIMITED,), device_endpoints.device_limit_findings, device_endpoints.binds),
)

CHECKS: tuple[Check, ...] = tuple(
    sorted({UNREACHED, *(check for each in _LOOKS for check in each.checks)}, key=lambda check: check.id)
)


def checks_for(reached: Reached) -> tuple[Check, ...]:
    """Return which of `CHECKS` can be made of *reached*: some need its configuration, some a session."""
    made = {UNREACHED, *(check for each in _LOOKS if each.can(reached) for check in each.checks)}
    return tuple(check for check in CHECKS if check in made)


async def outside_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield what is wrong with what *reached* shows. A deployment that cannot be reached is a finding too."""
    arrives, silent = True, 0
    for each in _LOOKS:
        if not each.can(reached) or (each.arrives and not arrives):
            continue
        found = False
        try:
            async for finding in each.look(reached):
                found = True
                yield finding
            silent = 0
        except Unreached as error:
            found, silent = True, silent + 1
            yield UNREACHED.found(str(error))
        if each.look is refusals.refresh_findings:
            arrives = not found
        if silent == 2:
            return
