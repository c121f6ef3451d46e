"""Sessions for programs that call: an `Auth` for httpx in `fastapi_session.client.httpx`, one for httpx2 in `.httpx2`.

What they do is in `flow`; each of the two only names the classes of its package.
"""
