"""The ways from a pushed image to an app that answers: with Portcall, and three that people use instead.

`python -m bench` and `python -m bench.peers` let them take turns in one cloud.
"""
