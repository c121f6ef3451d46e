"""Where sessions and signing keys are kept: the contract, and one store a module."""
