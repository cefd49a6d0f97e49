"""What a step raises instead of returning; a class's name is what Retry and Catch match on.

DeployError
 ├─ BranchError               nothing failed: the workflow continues with another state than the next one
 │   ├─ DuplicateError        another execution handles this push
 │   ├─ SupersededError       a newer push or another deployment superseded this one
 │   ├─ SameImageError        another deployment handles this image, which was pushed under another tag
 │   ├─ HeldError             an operator has stopped the app or rolled this version back
 │   ├─ NotAnAppError         what was pushed is not an app
 │   ├─ FindingsNotCheckedError  this install checks the scans of images, and this one was not checked
 │   ├─ NotNewestError        a newer push was admitted while this one waited for capacity
 │   ├─ NoAnswerYetError      the app has not answered yet, and there is time left
 │   └─ StableUrlNotCheckedError  nobody has checked yet that the stable URL reaches the new version
 ├─ PermanentError            a retry would not help
 │   ├─ BadEventError         the event does not describe an image push that can be deployed
 │   ├─ UnsupportedImageError what was pushed cannot run on Fargate
 │   ├─ BadLabelError         a label of the image has a value that is not possible
 │   ├─ FindingsError         the scan of the image found vulnerabilities that this install rejects
 │   ├─ NotScannedError       there is no scan result, and this install requires one
 │   ├─ AccessDeniedError     AWS refused a call for lack of a permission
 │   ├─ AwsRefusedError       AWS refused a call for another reason
 │   ├─ TaskStoppedError      the task stopped before the app was live
 │   ├─ WrongImageError       ECS runs another image than the one that was pushed
 │   ├─ PreviewLimitError     the install's limit of previews is reached
 │   ├─ AppLimitError         the install's limit of apps is reached
 │   └─ NoAnswerError         the task runs, but the app never answered
 └─ TransientError            the workflow retries
     ├─ TagNotSeenError       ECR does not show yet that the tag points to the new push
     ├─ MailLimitError        SNS's limit of mails per second is reached
     ├─ ScanPendingError      the scan of the image has not ended yet
     ├─ NewerPushError        a newer push of the app is being deployed
     ├─ DeploymentLimitError  the limit of simultaneous deployments of one repository is reached
     ├─ ContendedError        another execution changed the same thing at the same moment
     ├─ ThrottledError        AWS asked for fewer calls
     ├─ AwsUnavailableError   AWS did not answer, or reported an error of its own
     ├─ NoCapacityError       AWS has no capacity for the task at the moment
     └─ AddressNotReadyError  the network interface has no public IP yet
"""


class DeployError(Exception):
    """What keeps a step from returning; the message is for the person who pushed."""


class BranchError(DeployError):
    """Nothing failed: the workflow continues with another state than the next one.

    A `Choice` state would cost one transition of each deployment, a caught error costs none.
    """


class DuplicateError(BranchError):
    """Another execution handles this push."""


class SupersededError(BranchError):
    """A newer push or another deployment superseded this one; that is recorded already."""


class SameImageError(BranchError):
    """Another deployment handles this image, which was pushed under another tag; that is recorded already."""


class HeldError(BranchError):
    """An operator has stopped the app or rolled this version back."""


class NotAnAppError(BranchError):
    """What was pushed is not an app."""


class FindingsNotCheckedError(BranchError):
    """This install checks the scans of images, and this one was not checked."""


class NotNewestError(BranchError):
    """A newer push was admitted while this one waited for capacity; RegisterTaskDefinition records that."""


class NoAnswerYetError(BranchError):
    """The app has not answered yet, and there is time left; the message says what was seen."""


class StableUrlNotCheckedError(BranchError):
    """Nobody has checked yet that the stable URL reaches the new version."""


class PermanentError(DeployError):
    """A retry would not help."""


class TransientError(DeployError):
    """A retry may help; the workflow decides how often and how long."""


class BadEventError(PermanentError):
    """The event does not describe an image push that can be deployed."""


class UnsupportedImageError(PermanentError):
    """What was pushed cannot run on Fargate."""


class BadLabelError(PermanentError):
    """A label of the image has a value that is not possible."""


class FindingsError(PermanentError):
    """The scan found vulnerabilities that this install rejects: a sentence, then a line for each finding."""


class NotScannedError(PermanentError):
    """There is no scan result, and this install requires one."""


class AccessDeniedError(PermanentError):
    """AWS refused a call for lack of a permission."""


class AwsRefusedError(PermanentError):
    """AWS refused a call for a reason other than permissions or load."""


class TaskStoppedError(PermanentError):
    """The task stopped before the app was live."""


class WrongImageError(PermanentError):
    """ECS runs another image than the one that was pushed."""


class PreviewLimitError(PermanentError):
    """The install's limit of previews is reached."""


class AppLimitError(PermanentError):
    """The install's limit of apps is reached."""


class NoAnswerError(PermanentError):
    """The task runs, but the app never answered."""


class TagNotSeenError(TransientError):
    """ECR does not show yet that the tag points to the new push."""


class MailLimitError(TransientError):
    """SNS's limit of mails per second is reached."""


class ScanPendingError(TransientError):
    """The scan of the image has not ended yet."""


class NewerPushError(TransientError):
    """A newer push of the app is being deployed, so this one's URL may stop working in a moment."""


class DeploymentLimitError(TransientError):
    """The limit of simultaneous deployments of one repository is reached; each that ends makes room."""


class ContendedError(TransientError):
    """Another execution changed the same thing at the same moment."""


class ThrottledError(TransientError):
    """AWS asked for fewer calls."""


class AwsUnavailableError(TransientError):
    """AWS did not answer, or reported an error of its own."""


class NoCapacityError(TransientError):
    """AWS has no capacity for the task at the moment."""


class AddressNotReadyError(TransientError):
    """The network interface has no public IP yet."""
