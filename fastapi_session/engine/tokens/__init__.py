"""Tokens: issued, verified, refreshed and acknowledged."""
