"""What a deployment or a burst did and took, read from the cloud's APIs and files, and from outside."""
