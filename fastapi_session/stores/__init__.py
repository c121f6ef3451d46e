"""What keeps sessions and signing keys: the contract, and one store a module."""
