"""The FastAPI face: everything that knows a request from a response."""
