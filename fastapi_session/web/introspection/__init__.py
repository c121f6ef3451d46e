"""Introspection and revocation: services ask what a token is worth now, and end its session (RFC 7662, RFC 7009)."""
