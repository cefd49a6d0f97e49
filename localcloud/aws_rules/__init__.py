"""The published rules by which AWS refuses calls and resources, for the tests and the embedded cloud.

`requests` checks a call's parameters, `resources` a CloudFormation resource's properties. The rules come from
botocore's models (`models`), from their documentation (`documentation`), from CloudFormation's schemas in
cfn-lint's wheel (`resources`), and from rules written by hand (`by_hand`; its longer checks are in `documents`,
`members`, `networks` and `policies`). Wrong rules are listed in `exceptions`, with the reason.
"""
