"""`portcall console`: a page on loopback that shows the apps as they are, with the user's own credentials."""
