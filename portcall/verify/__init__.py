"""`portcall verify-aws`: installs, pushes, breaks and deletes in a real account, and reports what AWS did."""
