"""The test email: a fixed text that shows that emails arrive."""

from deployer.domain.mail import Mail
from deployer.domain.text import printable

OUTCOME = "test"


def sample(*, stack: str, region: str, by: str) -> Mail:
    """The test email. Its only variable part is the name that the caller gave."""
    asked = f"Requested by: {printable(by)} (not verified)\n" if by else ""
    return Mail(
        subject="Portcall test email",
        text=(
            "This is a test email from Portcall.\n\n"
            "If you can read it, emails about deployments reach you too. Nothing was deployed.\n\n"
            f"Stack:        {stack} in {region}\n{asked}"
        ),
        document={"outcome": OUTCOME, "stack": stack, "region": region, "by": printable(by)},
        attributes={"outcome": OUTCOME},
    )
