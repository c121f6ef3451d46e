"""The libraries that a user would pick instead, each guarding the same route.

Each is set up as its documentation says, with every choice in its favour: its fastest algorithm as well as the one that is
like ours, and all that it depends on runs on the same machine, with no other load.
"""
