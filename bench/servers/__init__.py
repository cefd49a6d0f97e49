"""The embedded cloud's server with something around it: one notes each call, one has AWS's rates, one fails.

A command names one as `through=` of `BenchCloud`; nobody types them.
"""
