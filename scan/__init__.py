"""What security scanners say of the template, as it is written and as CloudFormation gets it."""
