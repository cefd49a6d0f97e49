"""Runs the real workflow and the real handlers on an AWS of Python objects, with a simulated clock.

`clock` runs concurrent processes, `dynamodb` and `aws` answer the handlers' calls, `machine` interprets the
definition, `scenarios` has the scenarios, and `explore` disturbs them at each call.
"""
