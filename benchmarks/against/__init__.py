"""This build compared with an earlier one: the same measuring code asks both by turns, each in a process of its own."""
