"""Amazon DynamoDB: the ledger. One table, `pk` and `sk`; `expires_at` is in UNIX seconds.

`app#<app>` / `current`                       the current deployment; stays
`app#<app>` / `order`                         the app's numbers: how many deployments, the last admitted push
                                              with its tag and deployment, and the last push that is an app;
                                              `open`: the deployments that the sweep still watches; `unmailed`:
                                              superseded pushes that no mail has named yet; stays, and is
                                              `listed` while anything of the app is left
`app#<app>` / `deployment#<time>#<event id>`  one push or restart with its outcome; kept for 90 days
`app#<app>` / `operation#<id>`                an operator's request: `action`, `by` (unchecked), `reason`, `at`,
                                              and the `answer` once it was carried out; kept for 90 days
`app#<app>` / `tag#<tag>`                     the `digest` to which the tag pointed `as_of`, and the
                                              `deployment` that handles it; kept for 90 days
`app#<app>` / `image#<digest>`                the deployment that handles an image, and the image's `tags`; kept
                                              for 90 days
`app#<repository>` / `push#<time>#<event id>` the `app` of a push, which stays the same if parameters change;
                                              kept for 90 days
`app#<repository>` / `under way`              the repository's `deployments` in progress; stays
`previews`  / `slots`                         the apps that have a slot: `apps` are the previews, `of
                                              <repository>` those of one repository, `lasting` the other apps;
                                              stays
`mails#<second>` / `sent`                     the number of mails in that second; kept for an hour
`mails#<repository>#<hour>` / `of the hour`   the `mails` about the repository in that hour, and the first mail
                                              of each kind that is sent once an hour; kept for a day
`mails#<hour>` / `tests of the hour`          the requests for a test email in that hour; kept for a day
`sweep`     / `first`                         the watched patterns and since when (`watching`), until when the
                                              last sweep has the lock, and the app that it handled last; stays
`task#<arn>` / `state`                        see `deployer.aws.task_states`

The sparse index `listing` has the items with the key `listed`: `apps` are the apps, `id#<beginning>` the
deployments whose ids begin with these characters.

A deployment begins with `tag`, `digest`, `execution`, `sequence`, `began_at` and, for a restart, `restart` (of
which deployment, and why), or for an operator's request, `asked`. Its end adds `outcome`, `ended_at`, `phases`
(name -> seconds) and, as far as they exist, `revision`, `task`, `url`, `reason`, `error`, `summary`, `hint` and
the end of the `log`. For another tag of an image, `same_as` is the deployment whose outcome counts for it too.
`notified_at` says that it was mailed, `abandoned_at` that it can no longer become current. Times are in UNIX
seconds.
"""

from deployer.aws.ledger.app_listing import apps as apps
from deployer.aws.ledger.app_listing import list_app as list_app
from deployer.aws.ledger.app_listing import unlist_app as unlist_app
from deployer.aws.ledger.app_pushes import AppPushes as AppPushes
from deployer.aws.ledger.app_pushes import app_pushes as app_pushes
from deployer.aws.ledger.app_pushes import named as named
from deployer.aws.ledger.app_pushes import open_deployments as open_deployments
from deployer.aws.ledger.app_pushes import unclaimed as unclaimed
from deployer.aws.ledger.app_pushes import unmailed as unmailed
from deployer.aws.ledger.current_deployment import change_current as change_current
from deployer.aws.ledger.current_deployment import current as current
from deployer.aws.ledger.current_deployment import end_current as end_current
from deployer.aws.ledger.current_deployment import make_current as make_current
from deployer.aws.ledger.deployment_records import abandon as abandon
from deployer.aws.ledger.deployment_records import claim as claim
from deployer.aws.ledger.deployment_records import close as close
from deployer.aws.ledger.deployment_records import close_push as close_push
from deployer.aws.ledger.deployment_records import deployment as deployment
from deployer.aws.ledger.deployment_records import deployments as deployments
from deployer.aws.ledger.deployment_records import find as find
from deployer.aws.ledger.deployment_records import mark_notified as mark_notified
from deployer.aws.ledger.deployment_records import name_app as name_app
from deployer.aws.ledger.deployment_records import record as record
from deployer.aws.ledger.deployment_records import record_push as record_push
from deployer.aws.ledger.known_images import image as image
from deployer.aws.ledger.known_images import put_image as put_image
from deployer.aws.ledger.known_tags import claim_tag as claim_tag
from deployer.aws.ledger.known_tags import record_tag as record_tag
from deployer.aws.ledger.known_tags import tag as tag
from deployer.aws.ledger.known_tags import tags as tags
from deployer.aws.ledger.mail_rate import mails_this_second as mails_this_second
from deployer.aws.ledger.mail_rate import note_mail as note_mail
from deployer.aws.ledger.mail_rate import note_test_mail as note_test_mail
from deployer.aws.ledger.operations import answer_operation as answer_operation
from deployer.aws.ledger.operations import note_operation as note_operation
from deployer.aws.ledger.operations import operations as operations
from deployer.aws.ledger.overview import AppRecords as AppRecords
from deployer.aws.ledger.overview import overview as overview
from deployer.aws.ledger.push_order import Drawn as Drawn
from deployer.aws.ledger.push_order import is_newest as is_newest
from deployer.aws.ledger.push_order import newest as newest
from deployer.aws.ledger.push_order import next_in_order as next_in_order
from deployer.aws.ledger.push_order import note_in_order as note_in_order
from deployer.aws.ledger.slots import free_slot as free_slot
from deployer.aws.ledger.slots import move_slot as move_slot
from deployer.aws.ledger.slots import note_ended as note_ended
from deployer.aws.ledger.slots import note_under_way as note_under_way
from deployer.aws.ledger.slots import take_slot as take_slot
from deployer.aws.ledger.slots import taken_slots as taken_slots
from deployer.aws.ledger.sweep_lock import Sweep as Sweep
from deployer.aws.ledger.sweep_lock import begin_sweep as begin_sweep
from deployer.aws.ledger.sweep_lock import end_sweep as end_sweep
from deployer.aws.ledger.sweep_lock import last_sweep as last_sweep
from deployer.aws.ledger.sweep_lock import note_sweep as note_sweep
from deployer.aws.ledger.unmailed_pushes import add_unmailed as add_unmailed
from deployer.aws.ledger.unmailed_pushes import remove_unmailed as remove_unmailed
from deployer.domain.deployment import Current as Current
from deployer.domain.deployment import Deployment as Deployment
from deployer.domain.deployment import KnownTag as KnownTag
