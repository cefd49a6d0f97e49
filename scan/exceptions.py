"""The accepted findings of the scanners: (check, resource) -> why. A resource is a regular expression."""

_FUNCTIONS = r"\w+Function"

CHECKOV = {
    ("CKV_AWS_115", _FUNCTIONS): "A new account has 10 concurrent functions, of which none may be reserved.",
    (
        "CKV_AWS_116",
        _FUNCTIONS,
    ): "The workflow catches what a step fails with; each rule has a queue of its own.",
    (
        "CKV_AWS_117",
        _FUNCTIONS,
    ): "Only the health check has business in the VPC; a NAT gateway costs 32 USD a month.",
    ("CKV_AWS_173", _FUNCTIONS): "The variables are names and ARNs; Lambda encrypts them with its own key.",
    (
        "CKV_AWS_119",
        "Ledger",
    ): "DynamoDB encrypts with its own key; the outcomes of pushes are not secret within the account.",
    ("CKV_AWS_136", "Repository"): "ECR encrypts with its own key.",
    ("CKV_AWS_158", r"(App|Steps)LogGroup"): "CloudWatch encrypts with its own key.",
    ("CKV_AWS_26", "Topic"): "The mails go out as they are; a key of one's own would cost a dollar a month.",
    ("CKV_AWS_27", r"\w+DeadLetterQueue"): "SQS encrypts new queues with its own key.",
    (
        "CKV_AWS_51",
        "Repository",
    ): "To push a tag again is how an app is deployed again; what runs is named by digest.",
    (
        "CKV_AWS_65",
        "Cluster",
    ): "Container insights are paid by metric; what happened to a task is in the mail and the ledger.",
}

CLOUDSPLAINING = {
    ("credentials exposure", "ExecutionRole"): "Fargate logs in to the registry with it; it knows no resource.",
    ("credentials exposure", "PusherPolicy"): "docker login needs it before a push; it knows no resource.",
    (
        "infrastructure modification",
        "StepsBoundary",
    ): "Lambda attaches the health check to the VPC; see its statement.",
}
