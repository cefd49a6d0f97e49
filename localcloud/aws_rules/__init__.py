"""What AWS refuses, as far as it is published: the same rules for tests and the embedded cloud.

`requests` checks a call's parameters, `resources` a CloudFormation resource's properties. What they ask for
comes from botocore's models (`models`), from what only their documentation says (`documentation`), from
CloudFormation's schemas in cfn-lint's wheel (`resources`), and from what is written by hand (`by_hand`).
A rule that is wrong is named in `exceptions`, with the reason.
"""
