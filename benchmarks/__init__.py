"""What sessions cost: scripts that print the figures of one run side by side. No figure makes a script fail.

`make bench` runs all of them, `python -m benchmarks.served` one. Compare the ratios of a run rather than its times, which
depend on the machine.
"""
