"""A small world of one session: a server that applies the rotation table, one browser with many tabs, and a thief.

It drives the real codec and the real table over a clock of its own, and keeps books that do not look at the row:
which token followed which, when, and which was used. The books decide what would be a false alarm or a missed replay.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fastapi_session.core import refresh_token
from fastapi_session.core.binding.bound_keys import Standing, standing
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.rotation import THEFT, RotationPolicy, Verdict, judge
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.model import Lineage
from tests.core.lineages import SESSION_ID
from tests.milliseconds import DAY, GRACE

IDLE = 10_000 * DAY
POLICY = RotationPolicy(grace=GRACE, debounce=GRACE, lost_response_recovery=True, idle_timeout=IDLE)

SECRETS = [Secret.from_material(f"secret number {number}, with at least 32 bytes".encode()) for number in range(4)]


@dataclass
class Books:
    """What happened, as an observer saw it who knows no row."""

    secrets: dict[int, bytes] = field(default_factory=dict)
    handed_out_at: dict[int, int] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    newest: int = 0

    def hand_out(self, token: RefreshToken, *, now: int, again: bool) -> None:
        """Note that *token* was handed out. I1: the same secret for the same generation. I2: no generation goes back."""
        assert token.secret == self.secrets.setdefault(token.generation, token.secret), "two tokens of one generation"
        assert token.generation >= self.newest, "a generation went back"
        if again or token.generation not in self.handed_out_at:
            self.handed_out_at[token.generation] = now
        self.newest = token.generation

    def is_replay(self, token: RefreshToken, *, now: int) -> bool:
        """Say whether nobody who plays fair presents *token* now: what followed it has been used, and the window is over."""
        following = token.generation + 1
        if token.generation < self.newest - 1:
            return True
        return following in self.used and now >= self.handed_out_at[following] + GRACE


@dataclass
class Server:
    """The server's row and clock, and the books."""

    policy: RotationPolicy = POLICY
    acknowledges: bool = True
    now: int = 1_000_000
    secrets: Secrets = field(default_factory=lambda: Secrets(SECRETS[:1]))
    books: Books = field(default_factory=Books)
    row: Lineage | None = None
    ended: bool = False
    verdicts: list[Verdict] = field(default_factory=list)
    answers: int = 0
    bound_key: str | None = None
    asks_for_the_key: bool = True

    def sign_in(self) -> str:
        """Begin the session and answer its first refresh token."""
        issue_id = self._next_issue_id()
        token = refresh_token.first(SESSION_ID, secret=b"R" * 32, kid=self.secrets.newest.kid, issue_id=issue_id)
        self.row = Lineage.first(
            refresh_token.stored_hash(token.fingerprint, self.secrets.newest),
            kid=token.kid,
            used=issue_id,
            now=self.now,
            idle_timeout=self.policy.idle_timeout,
            absolute_timeout=None,
        )
        return self._hand_out(token, again=False)

    def refresh(self, text: str, *, proved: str | None = None) -> str | None:
        """Let the server answer the refresh token *text*, which came with a proof of a key or none: with a token, or `None` for a refusal."""
        token = refresh_token.read(text, self.secrets)
        if token is None:
            self.verdicts.append(Verdict.BAD_TOKEN)
            return None
        stands = self._standing(proved)
        # With a proof that was made for this very request it is no copy, however late it comes.
        replay = stands is not Standing.PROVED and self.books.is_replay(token, now=self.now)
        decision = judge(
            token,
            self.row,
            now=self.now,
            policy=self.policy,
            secrets=self.secrets,
            issue_id=self._next_issue_id(),
            standing=stands,
        )
        assert not (replay and decision.to_send), "a replay was answered"  # I4
        assert not (self.ended and decision.to_send), "an ended session was refreshed"  # I5, I6
        if decision.revoke:
            self.row, self.ended = None, True
        if decision.write is not None:
            self.row = decision.write
        self.verdicts.append(decision.verdict)
        if decision.to_send is None:
            return None
        if decision.verdict is Verdict.CURRENT:
            self.books.used.add(token.generation)
        return self._hand_out(decision.to_send, again=decision.verdict is Verdict.REISSUE)

    def _standing(self, proved: str | None) -> Standing:
        known = standing(self.bound_key, proved, is_overdue=False)
        return known if self.asks_for_the_key else Standing.UNBOUND

    def use(self, text: str) -> None:
        """Let the client use what came with *text*: the server verifies its access token, and acknowledges."""
        token = refresh_token.read(text, self.secrets)
        if token is None or self.row is None or not self.acknowledges_of(token):
            return
        current = refresh_token.stored_hash(token.fingerprint, self.secrets[token.kid])
        if self.row.current == current and not self.row.acknowledged:
            self.row = replace(self.row, acknowledged=True, used=token.issue_id, used_at=self.now)

    def acknowledges_of(self, token: RefreshToken) -> bool:
        """Note in the books that *token* was used; say whether the server is one that takes note too."""
        self.books.used.add(token.generation)
        return self.acknowledges

    def revoke(self) -> None:
        """End the session, as sign-out does."""
        self.row, self.ended = None, True

    def put_newer_secret(self) -> None:
        """Put the next secret before those that are there."""
        known = list(self.secrets)
        self.secrets = Secrets([SECRETS[len(known)], *known])

    @property
    def accused(self) -> bool:
        """Say whether theft was called."""
        return bool(THEFT.intersection(self.verdicts))

    def _hand_out(self, token: RefreshToken, *, again: bool) -> str:
        self.books.hand_out(token, now=self.now, again=again)
        return refresh_token.mint(token, self.secrets[token.kid])

    def _next_issue_id(self) -> bytes:
        self.answers += 1
        return self.answers.to_bytes(9, "big")
