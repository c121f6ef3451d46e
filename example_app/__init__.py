"""A small app worth showing: sign in, watch a session live, steal its refresh token, see the theft caught.

Run it by `python -m example_app` and open the page it names. It is meant to be copied from, except for `theft_lab`.
"""
