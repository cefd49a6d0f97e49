"""Patches of MiniStack, by service, one file for each difference to AWS; `install` lists them."""
