"""Sessions for programs that call: an `Auth` for httpx in `fastapi_session.client.httpx`, one for httpx2 in `.httpx2`.

What they do stands in `flow`, once; each of the two only says of which package it is.
"""
