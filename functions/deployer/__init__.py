"""The Lambda functions of Portcall: `steps` calls `aws`, asks `domain`, and returns a small dict."""
