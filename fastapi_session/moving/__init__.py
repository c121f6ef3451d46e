"""Moving in with nobody logged out: what goes on here of the sessions of another system, or of another store."""

from fastapi_session.adoption import Adoption
from fastapi_session.moving.adopters.adopter import Adopter, Check, OldCookie, Presented
from fastapi_session.moving.supertokens import SuperTokens, SuperTokensTables

__all__ = ["Adopter", "Adoption", "Check", "OldCookie", "Presented", "SuperTokens", "SuperTokensTables"]
