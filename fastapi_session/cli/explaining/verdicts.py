"""What each row of the rotation table (`core.rotation`) means, in a sentence."""

from __future__ import annotations

from fastapi_session.core.rotation import Verdict

ROWS: dict[Verdict, str] = {
    Verdict.BAD_TOKEN: "D0",
    Verdict.GONE: "D1",
    Verdict.UNPROVED: "D1a",
    Verdict.UNBOUND: "D1b",
    Verdict.ORPHANED_BRANCH: "D2",
    Verdict.CURRENT: "D3",
    Verdict.ROTATED: "D4",
    Verdict.LEFT_BEHIND: "D5",
    Verdict.CROSSED: "D6",
    Verdict.GRACE: "D7",
    Verdict.REISSUE: "D8",
    Verdict.CLOCK_SET_BACK: "D9",
    Verdict.RECENT_PREV: "D10",
    Verdict.RECOVERED: "D11",
    Verdict.STORE_REGRESSED: "D12",
    Verdict.STALE_LINEAGE: "D13",
}
"""Which row gives which verdict. KEY_MISMATCH has none: it is what becomes of D7 and D8 if a secret is gone."""

_THEFT = "a theft alarm: the session would end, and the refresh be refused"

OUTCOMES: dict[Verdict, str] = {
    Verdict.BAD_TOKEN: "refused: none of the secrets of this deployment made it as it is",
    Verdict.GONE: "refused: its session has ended",
    Verdict.UNPROVED: "refused: the key to which its session is bound was not proved",
    Verdict.UNBOUND: "refused: its session has to be bound to a key by now, and is not",
    Verdict.ORPHANED_BRANCH: _THEFT,
    Verdict.CURRENT: "the same token again, with another id: it was handed out within the grace period",
    Verdict.ROTATED: "the next token: it is the newest of its session",
    Verdict.LEFT_BEHIND: _THEFT,
    Verdict.CROSSED: _THEFT,
    Verdict.GRACE: "the newest token: it was exchanged within the grace period",
    Verdict.REISSUE: "the newest token: nobody has used that yet, so the response may have been lost",
    Verdict.CLOCK_SET_BACK: "come again (503): the clock of the store was set back",
    Verdict.RECENT_PREV: _THEFT,
    Verdict.RECOVERED: "the next token: the store had lost that this one was handed out",
    Verdict.STORE_REGRESSED: "the session would end, and the refresh be refused: the store has lost more than one refresh",
    Verdict.STALE_LINEAGE: _THEFT,
    Verdict.KEY_MISMATCH: "refused: the secret is gone that made the newest token of its session",
}

EXCUSED = "the session would end, and the refresh be refused, without an alarm: it is not the newest"
"""Of RECENT_PREV, if `recent_token_reuse_behaviour` says so."""

NEEDS_PROOF = "; without a proof of the key to which its session is bound: D1a, refused"
"""Of each token of a bound session."""

ACTOR_IS_GONE = "refused: the session of who acts as the user has ended, so this one would end too"
