"""The parts of the engine: each does one thing that a verb of `Sessions` needs, and knows no web framework."""
