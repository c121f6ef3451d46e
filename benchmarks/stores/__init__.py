"""What each store takes to keep a session, beside the bare statement of its driver and beside what is usually done."""
