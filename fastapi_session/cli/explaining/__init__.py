"""What a token is and what would become of it, found out without doing it: nothing is written, and no key is made."""
