"""The only importers of boto3 and botocore: one module per API, plain values in and out."""
