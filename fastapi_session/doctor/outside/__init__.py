"""What is wrong with a deployment as its clients see it, through every proxy. No module of it needs httpx to be imported."""
