"""Bursts and sweeps on the explorer's simulated AWS and clock: a thousand apps in a minute, without containers.

bench.drain, bench.sweep and bench.fleet play them.
"""
