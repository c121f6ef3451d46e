"""The signing keys of a deployment, and the secret that encrypts them."""
