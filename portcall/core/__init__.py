"""Shared by the commands and the page: the target, reading the ledger, states, verdicts."""
