"""The command line `fastapi-session`: each command in a file of its own, and what they share."""
