"""Tokens: issued, refreshed, acknowledged and verified."""
