"""All that is found from outside: what is looked at, in which order, and what for.

| id | looks at | level |
|---|---|---|
| FS201 | there is a response | error |
| FS225 | all is seen in three minutes | warning |
| FS227 | all is seen before somebody in front has had enough requests | warning |

Some look at what others stand on:

| if | then nothing is asked |
|---|---|
| there is no response, twice in a row, or nobody behind a proxy | any more |
| a look fails in a way that nobody has foreseen | of what it looks for |
| a refresh does not arrive, or a cache responds to it | of what a refresh would show |
| requests are limited | any more; what the look saw until then may be due to it, and does not count |

It is some 60 requests in all, one after the other; those that are to meet a limit come last. Only what was looked at to its end
counts as looked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from fastapi_session.doctor.finding import Check, Examination, Finding, Level
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
from fastapi_session.doctor.unforeseen import FAILED, failed
from fastapi_session.plain_text import lasting
from fastapi_session.web.error_responses import UNAUTHORISED

UNREACHED = Check(
    "FS201",
    Level.ERROR,
    "the deployment does not respond",
    "let it run and be reached from here, with a certificate that this machine trusts (SSL_CERT_FILE names others)",
)

OUT_OF_TIME = Check(
    "FS225",
    Level.WARNING,
    "the deployment responds so slowly that not all of it was looked at",
    "see why requests take so long there, or from here, and look again",
)

LIMITED = Check(
    "FS227",
    Level.WARNING,
    "requests are refused after some, as where it is limited how many come from one address, so not all of it was looked at",
    "let the session endpoints pass: all users behind one address share such a limit; or look from an address that has none",
)

LIMIT = timedelta(minutes=3)
"""How long all of it may take. A healthy deployment takes seconds; one that is hostile may draw out each response."""

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
    """What is found by a *look*, if *can* says that it can be made; it may need a refresh that *arrives*.

    *stops* says which others are not made if anything is found by it. Some are there to meet a limit.
    """

    checks: tuple[Check, ...]
    look: Look
    can: Callable[[Reached], bool] = _always
    arrives: bool = False
    stops: Literal["none", "refreshes", "all"] = "none"
    meets_limits: bool = False


_LOOKS = (
    _Looking((refusals.NO_APPLICATION,), refusals.reach_findings, stops="all"),
    _Looking(documents.CHECKS, documents.document_findings),
    _Looking((refusals.NOT_OURS,), refusals.refresh_findings, stops="refreshes"),
    _Looking((refusals.NOT_OURS,), refusals.sign_out_findings),
    _Looking((cleared.CACHED,), cleared.hit_findings, arrives=True, stops="refreshes"),
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
    _Looking(
        (device_endpoints.NO_WAY_THROUGH,), device_endpoints.device_findings, device_endpoints.binds, arrives=True
    ),
    _Looking(
        (*probes.CHECKS, *arrived_cookies.CHECKS, *recorded_address.CHECKS, *registration.CHECKS),
        probes.probe_findings,
        _is_probed,
        arrives=True,
    ),
    _Looking((refusals.LIMITED,), refusals.limit_findings, arrives=True, meets_limits=True),
    _Looking(
        (device_endpoints.LIMITED,),
        device_endpoints.device_limit_findings,
        device_endpoints.binds,
        arrives=True,
        meets_limits=True,
    ),
)

_OF_ALL = (UNREACHED, OUT_OF_TIME, LIMITED)

CHECKS: tuple[Check, ...] = tuple(
    sorted({*_OF_ALL, *(check for each in _LOOKS for check in each.checks)}, key=lambda check: check.id)
)


async def look_from_outside(reached: Reached, found: Examination, *, limit: timedelta = LIMIT) -> None:
    """Add to *found* what is wrong with what *reached* shows, and what was looked for until *limit* was over."""
    found.checked += _OF_ALL
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await _look(reached, found)
    except TimeoutError:
        found.findings.append(
            OUT_OF_TIME.found(f"{lasting(limit)} were over, so it was not looked for {_left(reached, found)}")
        )


async def _look(reached: Reached, found: Examination) -> None:
    """Look at all of *reached* that can be looked at."""
    arrives, is_silent = True, False
    for each in _LOOKS:
        if not each.can(reached) or (each.arrives and not arrives):
            continue
        before = len(found.findings)
        try:
            async for finding in _found_by(each.look, reached):
                found.findings.append(finding)
        except Unreached as error:
            if is_silent:  # who does not respond is told once, not for each request
                return
            found.findings.append(UNREACHED.found(str(error)))
            is_silent, arrives = True, arrives and each.stops != "refreshes"
            continue
        is_silent = False
        if (limited := reached.caller.limited) is not None and not each.meets_limits:
            found.findings[before:] = [LIMITED.found(f"{limited}, so it was not looked for {_left(reached, found)}")]
            return
        found.checked += _looked_for(each, found, before)
        if len(found.findings) > before and each.stops == "all":
            return
        arrives = arrives and not (len(found.findings) > before and each.stops == "refreshes")


def _looked_for(each: _Looking, found: Examination, before: int) -> Sequence[Check]:
    """Return what *each* looked for to its end, when there were *before* findings: nothing if it failed."""
    if FAILED in {finding.check for finding in found.findings[before:]}:
        return ()
    return [check for check in each.checks if check not in found.checked]


async def _found_by(look: Look, reached: Reached) -> AsyncIterator[Finding]:
    """Yield what *look* finds, and that it failed if it did. Raises `Unreached`."""
    try:
        async for finding in look(reached):
            yield finding
    except Unreached:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it met there, the others are made
        yield failed(error)


def _left(reached: Reached, found: Examination) -> str:
    """Return the ids of the checks that can be made of *reached* and were not."""
    possible = {check.id for each in _LOOKS if each.can(reached) for check in each.checks}
    return ", ".join(sorted(possible - {check.id for check in found.checked}))
