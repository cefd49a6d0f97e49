"""The stack of an install, as CloudFormation describes it."""

from dataclasses import dataclass

from deployer.aws import table

from portcall.core.target import Target


@dataclass(frozen=True)
class Stack:
    """`made_at` is in UNIX seconds."""

    status: str
    made_at: float
    parameters: dict[str, str]
    outputs: dict[str, str]


def describe(target: Target) -> Stack:
    """The target's stack. From now on, the ledger is read from its table. Raises ClientError."""
    (found,) = target.client("cloudformation").describe_stacks(StackName=target.stack)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    table.use(outputs.get("LedgerTableName", ""))
    return Stack(
        found["StackStatus"],
        found["CreationTime"].timestamp(),
        {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])},
        outputs,
    )
