"""What a user would pick instead: the same route, behind each of them.

Each is set up as its documentation says, with every choice in its favour: its quickest algorithm beside the one that is like
ours, all that it depends on on the same machine, nobody else asking.
"""
