"""Forward authentication: a reverse proxy asks here whether a request may pass to a service that knows nothing of sessions."""
