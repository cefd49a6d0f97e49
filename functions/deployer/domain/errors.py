"""Every way in which a deployment fails; a class's name is what Retry and Catch match on.

DeployError
 ├─ PermanentError            trying again would not help
 │   ├─ BadEventError         the event does not describe an image push that can be deployed
 │   ├─ UnsupportedImageError what was pushed cannot run on Fargate
 │   ├─ BadLabelError         a label of the image asks for what is not possible
 │   ├─ FindingsError         the scan of the image found what this installation refuses
 │   ├─ NotScannedError       nobody knows what the image holds, and this installation wants to know
 │   ├─ AccessDeniedError     AWS refused a call for lack of a permission
 │   ├─ AwsRefusedError       AWS refused a call for another reason
 │   ├─ TaskStoppedError      the task stopped before it was of use
 │   ├─ WrongImageError       ECS runs another image than the one that was pushed
 │   ├─ PreviewLimitError     as many previews run as the installation allows
 │   ├─ AppLimitError         as many apps run as the installation allows
 │   ├─ DeploymentLimitError  as many deployments of one repository run at once as are allowed
 │   └─ NoAnswerError         the task runs, but the app never answered
 └─ TransientError            the workflow tries again
     ├─ TagNotSeenError       ECR does not show yet that the tag points to what was pushed this moment
     ├─ MailLimitError        as many mails as SNS allows went out this second
     ├─ ScanPendingError      the scan of the image has not ended yet
     ├─ NewerPushError        a newer push of the app is being deployed
     ├─ ContendedError        another execution changed the same thing at the same moment
     ├─ ThrottledError        AWS asked for fewer calls
     ├─ AwsUnavailableError   AWS did not answer, or answered that it cannot now
     ├─ NoCapacityError       AWS has no room for the task at the moment
     └─ AddressNotReadyError  the network interface has no public IP yet
"""


class DeployError(Exception):
    """Something that ends a deployment; the message is for the person who pushed."""


class PermanentError(DeployError):
    """Trying again would not help."""


class TransientError(DeployError):
    """Trying again may help; the workflow decides how often and how long."""


class BadEventError(PermanentError):
    """The event does not describe an image push that can be deployed."""


class UnsupportedImageError(PermanentError):
    """What was pushed cannot run on Fargate."""


class BadLabelError(PermanentError):
    """A label of the image asks for what is not possible."""


class FindingsError(PermanentError):
    """The scan of the image found what this installation refuses: a sentence, then a line for each finding."""


class NotScannedError(PermanentError):
    """Nobody knows what the image holds, and this installation wants to know."""


class AccessDeniedError(PermanentError):
    """AWS refused a call for lack of a permission."""


class AwsRefusedError(PermanentError):
    """AWS refused a call for a reason other than permissions or load."""


class TaskStoppedError(PermanentError):
    """The task stopped before it was of use."""


class WrongImageError(PermanentError):
    """ECS runs another image than the one that was pushed."""


class PreviewLimitError(PermanentError):
    """As many previews run as the installation allows."""


class AppLimitError(PermanentError):
    """As many apps run as the installation allows."""


class DeploymentLimitError(PermanentError):
    """As many deployments of one repository run at once as are allowed."""


class NoAnswerError(PermanentError):
    """The task runs, but the app never answered."""


class TagNotSeenError(TransientError):
    """ECR does not show yet that the tag points to what was pushed this moment."""


class MailLimitError(TransientError):
    """As many mails as SNS allows went out this second."""


class ScanPendingError(TransientError):
    """The scan of the image has not ended yet."""


class NewerPushError(TransientError):
    """A newer push of the app is being deployed, so the URL of this one may be dead in a moment."""


class ContendedError(TransientError):
    """Another execution changed the same thing at the same moment."""


class ThrottledError(TransientError):
    """AWS asked for fewer calls."""


class AwsUnavailableError(TransientError):
    """AWS did not answer, or answered that it cannot at the moment."""


class NoCapacityError(TransientError):
    """AWS has no room for the task at the moment."""


class AddressNotReadyError(TransientError):
    """The network interface has no public IP yet."""
