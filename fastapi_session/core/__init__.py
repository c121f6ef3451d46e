"""The rules of a session, pure: no I/O, no clock, no randomness of its own, no web framework.

Time, random bytes and keys are arguments here, so every rule can be tested by writing down a case.
"""
