"""Moving in with nobody logged out: what goes on here of the sessions of another system, or of another store."""
