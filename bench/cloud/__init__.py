"""The embedded cloud that a bench measures: started for it alone, pushed to, and opened in a browser.

campaign.py installs the stack of bench.faults, whose functions call AWS through a proxy that injects faults.
"""
