"""What a user of Portcall runs: the command line, and the checks of a real account."""
