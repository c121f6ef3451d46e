"""Bound sessions on the wire: what a request proves of the key of its session."""
