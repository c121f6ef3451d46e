"""The application of before, as it stands in for supertokens-python: its responses are those that were written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from fastapi import Response

from tests.supertokens_core.old_backend import AntiCsrf, attach, recorded_tokens, timeless

RECORDED = Path(__file__).parent / "sdk_responses"


@pytest.mark.parametrize("anti_csrf", ["NONE", "VIA_TOKEN"])
@pytest.mark.parametrize("method", ["cookie", "header"])
def test_tokens_are_sent_as_the_sdk_sends_them(anti_csrf: AntiCsrf, method: Literal["cookie", "header"]) -> None:
    """Cookies, quotes and percent signs included, and headers are those of supertokens-python 0.31.4 over FastAPI."""
    response = Response()
    attach(response, recorded_tokens(anti_csrf), method)

    recorded = json.loads((RECORDED / f"{anti_csrf}.json").read_text("utf-8"))[method]
    assert [tuple(each) for each in recorded] == timeless(response.headers.items())
