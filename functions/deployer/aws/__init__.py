"""The only importers of botocore: one module per API, plain values in and out."""
