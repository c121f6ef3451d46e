"""What sessions cost: scripts that print figures of one run, side by side, and never fail for a time.

`make bench` runs all of them, `python -m benchmarks.served` one. Ratios of a run tell more than its times, which are those
of one machine.
"""
