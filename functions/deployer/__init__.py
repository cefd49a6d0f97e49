"""The Lambda functions of Portcall: handlers in `steps` and `events`, rules in `domain`, AWS calls in `aws`."""
