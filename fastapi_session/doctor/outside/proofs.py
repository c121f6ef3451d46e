"""Whether a client can prove its key by DPoP (RFC 9449) through what is in front: a proof with a token that is none shows it.

| id | looks at | level |
|---|---|---|
| FS223 | the challenge, and the nonce if one is asked for, come back, and pages of the website may read them | error |
| FS224 | a proof for the URL that a client sees is accepted | error |
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from secrets import token_bytes

from fastapi_session import endpoint_paths
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.asking import Response, in_a_line
from fastapi_session.doctor.outside.origins import website_of
from fastapi_session.doctor.outside.proving import ProvingKey
from fastapi_session.doctor.outside.reached import Reached
from fastapi_session.web.transport import CHALLENGE_HEADER, EXPOSE_HEADER, NONCE_HEADER, PROOF_HEADER

NOT_TOLD = Check(
    "FS223",
    Level.ERROR,
    "clients that prove their key are not told why they are refused",
    "let WWW-Authenticate and DPoP-Nonce pass, and expose both to pages of other origins",
)
PROOF_REFUSED = Check(
    "FS224",
    Level.ERROR,
    "a proof for the URL that clients see is refused",
    "let the header DPoP pass, set api_domain to what clients see, and give the server a prefix that the proxy strips (--root-path)",
)

CHECKS = (NOT_TOLD, PROOF_REFUSED)

_CHALLENGE, _NONCE = CHALLENGE_HEADER.lower(), NONCE_HEADER.lower()
_ERROR = re.compile(r'error="([^"]*)"')
_REASON = re.compile(r'error_description="([^"]*)"')


async def proof_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield what is wrong with proofs. Raises `Unreached`."""
    key = ProvingKey()
    response = await _prove(reached, key, nonce=None)
    if _said(_ERROR, response) == "use_dpop_nonce":
        nonce = response.value(_NONCE)
        if nonce is None:
            yield NOT_TOLD.found(f"{NONCE_HEADER} of {response}")
            return
        for seen in _hidden(reached, response, _NONCE):
            yield NOT_TOLD.found(seen)
        response = await _prove(reached, key, nonce=nonce)
    if response.value(_CHALLENGE) is None:
        yield NOT_TOLD.found(f"{CHALLENGE_HEADER} of {response}")
    elif (
        _said(_ERROR, response) != "invalid_token"
    ):  # the token is none: it is looked at once the proof has been accepted
        yield PROOF_REFUSED.found(_said(_REASON, response) or str(response))
    else:
        for seen in _hidden(reached, response, _CHALLENGE):
            yield NOT_TOLD.found(seen)


async def _prove(reached: Reached, key: ProvingKey, *, nonce: str | None) -> Response:
    url = reached.at(endpoint_paths.REFRESH)
    proof = key.dpop_proof(url, now=reached.clock(), random=token_bytes, nonce=nonce)
    return await reached.refresh({"authorization": "DPoP none", PROOF_HEADER: proof})


def _said(what: re.Pattern[str], response: Response) -> str:
    found = what.search(", ".join(response.values(_CHALLENGE)))
    return "" if found is None else in_a_line(found[1])


def _hidden(reached: Reached, response: Response, name: str) -> Iterator[str]:
    if website_of(reached.known) is not None and name not in response.listed(EXPOSE_HEADER):
        yield f"{EXPOSE_HEADER} has no {name}, {response}"
