"""What a browser does that binds a session to a key of its own (Device Bound Session Credentials), done once with a key of ours.

| id | looks at | level |
|---|---|---|
| FS238 | the proof arrives; the rules, the challenge and the credential come back as the browser needs them | error |

A browser says nothing if something is missing: it just binds nothing, or renews before each request.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi_session import endpoint_paths
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.arrived_cookies import Cookie, differences
from fastapi_session.doctor.outside.proving import ProvingKey
from fastapi_session.doctor.outside.reached import Reached
from fastapi_session.web.device_session import CHALLENGE_HEADER, PROOF_HEADER

NOT_BOUND = Check(
    "FS238",
    Level.ERROR,
    "a browser cannot bind its session to a key through what is in front",
    "let Secure-Session-Response arrive, and Secure-Session-Challenge and Set-Cookie come back as they are",
)

CHECKS = (NOT_BOUND,)


async def registered(
    reached: Reached, cookies: Mapping[str, str], challenge: str
) -> tuple[list[Finding], dict[str, str]]:
    """Bind the session of *cookies*, by *challenge*. Return what is wrong, and the cookies of a refresh. Raises `Unreached`."""
    proof = ProvingKey().device_proof(challenge)
    response = await reached.post(endpoint_paths.DEVICE, {**cookies, PROOF_HEADER: proof})
    rules, arrived = response.member("credentials"), response.values("set-cookie")
    if response.status != 200 or not isinstance(rules, list):
        return [NOT_BOUND.found(str(response))], {**cookies}
    found = [] if response.value(CHALLENGE_HEADER) else [NOT_BOUND.found(f"no {CHALLENGE_HEADER}, {response}")]
    kept = _kept([*cookies["cookie"].split("; "), *(header.partition(";")[0] for header in arrived)])
    found += [NOT_BOUND.found(f"{seen}, {response}") for rule in rules for seen in _wrong(rule, arrived)]
    return found, {**cookies, "cookie": kept}


def _kept(pairs: list[str]) -> str:
    """Return the cookies that a browser has after *pairs*: of each name the last."""
    return "; ".join({pair.partition("=")[0]: pair for pair in pairs}.values())


def _wrong(rule: object, arrived: list[str]) -> list[str]:
    """Return how the cookies that *arrived* differ from what the rules say of one of them."""
    if not isinstance(rule, Mapping) or not isinstance(name := rule.get("name"), str):
        return ["the rules are none"]
    told = Cookie.read(f"{name}=; {rule.get('attributes')}")
    named = [cookie for cookie in map(Cookie.read, arrived) if cookie.name == name]
    if len(named) != 1:
        return [f"{name} came {len(named)} times"]
    return [*differences(named[0], told)]
