"""Binding sessions to keys: what a client proves, checked against what the store knows."""
