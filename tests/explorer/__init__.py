"""Plays the real workflow and the real handlers in an AWS of Python objects, by a clock of its own.

`clock` runs processes side by side, `dynamodb` and `aws` answer what the handlers ask, `machine` interprets the
definition, `scenarios` says what is played, and `explore` disturbs it at each call that it makes.
"""
