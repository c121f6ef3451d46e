"""What it costs each store to keep a session, beside the bare statement of its driver and beside the usual transaction."""
