"""Amazon DynamoDB: the ledger. One table, `pk` and `sk`; `expires_at` is in UNIX seconds.

`app#<app>` / `current`                       the deployment that serves; stays
`app#<app>` / `order`                         the numbers: how many, the last with its tag, the last app's;
                                              `open`: what the sweep has yet to see told; stays, and is `listed`
                                              while there is anything of the app
`app#<app>` / `deployment#<time>#<event id>`  one push or restart and what became of it; kept for 90 days
`app#<app>` / `tag#<tag>`                     the `digest` to which the tag pointed `as_of`, and which
                                              `deployment` deals with that; kept for 90 days
`app#<repository>` / `under way`              `deployments` of the repository that run at the moment; stays
`previews`  / `slots`                         the apps that are, or are on their way: `apps` the previews,
                                              `of <repository>` those of one repository, `lasting` the others;
                                              stays
`mails#<second>` / `sent`                     how many mails went out in that second; kept for an hour
`mails#<repository>#<hour>` / `of the hour`   the `mails` of the repository in that hour, and the first of each
                                              kind that comes once an hour; kept for a day
`sweep`     / `first`                         what the sweeps are `watching`, and since when; until when the
                                              last may take, and to which app it came; stays

The sparse index `listing` has what is `listed`: `apps` are the apps.

A deployment begins with `tag`, `digest`, `execution`, `sequence`, `began_at` and, if it is one, `restart` (of
which deployment, and why). Its end adds `outcome`, `ended_at`, `phases` (name -> seconds) and, as far as it
came, `revision`, `task`, `url`, `reason`, `error` and the end of the `log`. `told_at` says that it was mailed,
`given_up_at` that it can no longer become the current one. Times are in UNIX seconds.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from deployer.aws.client import answer_of, client, code_of, errors_as_ours
from deployer.aws.items import plain, wire
from deployer.domain.deployment import Current as Current
from deployer.domain.deployment import Deployment as Deployment
from deployer.domain.deployment import KnownTag as KnownTag
from deployer.domain.endpoint import Address
from deployer.domain.errors import AwsRefusedError
from deployer.domain.limits import LASTING, PREVIEWS, previews_of
from deployer.domain.push import Push

CONDITION_FAILED = "ConditionalCheckFailedException"
KEEP = 90 * 24 * 60 * 60
DAY = 24 * 60 * 60
LISTING = "listing"
APPS = "apps"
SWEEP = {"pk": "sweep", "sk": "first"}


def claim(
    *,
    table: str,
    push: Push,
    execution: str,
    sequence: int,
    restart: dict[str, Any] | None = None,
    retry: dict[str, Any] | None = None,
) -> int | None:
    """Note that `execution` deals with this push and return its number; None if another does already.

    The same execution may claim a push again, since any step may run twice: it keeps the number that it had.
    """
    now = int(time.time())
    values = {
        "execution": execution,
        "tag": push.tag,
        "digest": push.digest,
        "sequence": sequence,
        "began_at": now,
        "expires_at": now + KEEP,
        **({"restart": restart} if restart else {}),
        **({"retry": retry} if retry else {}),
    }
    condition = "attribute_not_exists(pk) OR #execution = :execution"
    try:
        return int(_update(table, push, values, condition, keep=("sequence", "began_at"))["sequence"])
    except AwsRefusedError as error:
        if code_of(error) == CONDITION_FAILED:
            return None
        raise


def next_in_order(*, table: str, push: Push, now: float) -> int:
    """Draw the number of a push among those of its app, and note that it is open.

    A push of a later second has a larger number, in whatever order their events come. Within a second, and
    among pushes of one tag, whose order the tag itself tells, it is the order of drawing. One that is dated
    ahead of `now` (UNIX seconds) counts as pushed now, or it would overtake all that are pushed until then.
    """
    order = _note_open(table, push)
    number = min(push.pushed_at, int(now)) * 1_000_000 + int(order["admitted"])
    return max(number, order["last_number"] + 1) if order.get("last_tag") == push.tag else number


def _note_open(table: str, push: Push) -> dict[str, Any]:
    """Put a push on its app's list of open ones, draw a number, and return the item."""
    with errors_as_ours():
        answer = client("dynamodb").update_item(
            TableName=table,
            Key=wire({"pk": f"app#{push.app}", "sk": "order"}),
            UpdateExpression="ADD admitted :one, #open :this SET listed = :apps",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues=wire({":one": 1, ":this": {_name(push)}, ":apps": APPS}),
            ReturnValues="ALL_NEW",
        )
    return plain(answer["Attributes"])


def note_in_order(*, table: str, push: Push, sequence: int) -> None:
    """Note that the tag pointed to the push with this number: a later push of the tag gets a larger one."""
    _unless_refused(
        "update_item",
        TableName=table,
        Key=wire({"pk": f"app#{push.app}", "sk": "order"}),
        UpdateExpression="SET last_number = :sequence, last_tag = :tag",
        ConditionExpression="attribute_not_exists(last_number) OR last_number < :sequence",
        ExpressionAttributeValues=wire({":sequence": sequence, ":tag": push.tag}),
    )


def tags(*, table: str, app: str) -> dict[str, KnownTag]:
    """What is known of an app's tags."""
    with errors_as_ours():
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=table,
                KeyConditionExpression="pk = :app AND begins_with(sk, :tag)",
                ExpressionAttributeValues=wire({":app": f"app#{app}", ":tag": "tag#"}),
                ConsistentRead=True,
            )
        )
        items = [plain(item) for page in pages for item in page["Items"]]
    return {item["sk"].removeprefix("tag#"): _known_tag(item) for item in items}


def tag(*, table: str, app: str, tag: str) -> KnownTag | None:
    """What is known of one tag."""
    item = _get(table, f"app#{app}", f"tag#{tag}")
    return _known_tag(item) if item else None


def claim_tag(*, table: str, push: Push, as_of: int = 0, instead_of: str = "", seen: bool = True) -> str:
    """Note that the tag points to what was pushed, and that this deployment deals with it.

    `as_of` is when that was `seen` (UNIX seconds), or the push's own time. What was not seen to be so counts
    only where nothing later is known. Returns '', or the deployment that deals with this very push already; in
    place of `instead_of`, an attempt before it, this one may.
    """
    now = int(time.time())
    pushed_at = min(push.pushed_at, now)
    try:
        with errors_as_ours():
            client("dynamodb").update_item(
                TableName=table,
                Key=wire({"pk": f"app#{push.app}", "sk": f"tag#{push.tag}"}),
                UpdateExpression=(
                    "SET digest = :digest, as_of = :as_of, deployment = :this, expires_at = :expires"
                ),
                ConditionExpression=(
                    "attribute_not_exists(pk) OR as_of < :pushed_at OR deployment IN (:this, :before)"
                    + (" OR digest <> :digest" if seen else "")
                ),
                ExpressionAttributeValues=wire(
                    {
                        ":digest": push.digest,
                        ":as_of": max(as_of, pushed_at),
                        ":pushed_at": pushed_at,
                        ":this": push.deployment,
                        ":before": instead_of,
                        ":expires": now + KEEP,
                    }
                ),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
    except AwsRefusedError as error:
        if code_of(error) != CONDITION_FAILED:
            raise
        return str(plain(answer_of(error)["Item"])["deployment"]) or "Another deployment"
    return ""


def see_tag(*, table: str, app: str, tag: str, digest: str, as_of: int, seen: KnownTag | None) -> bool:
    """Note to what a tag points ('' for nothing) though nothing is deployed for that.

    False if a push of it has been noted since it was `seen`. Which deployment deals with a digest stays.
    """
    values = {":digest": digest, ":as_of": as_of, ":expires": int(time.time()) + KEEP}
    change = "SET digest = :digest, as_of = :as_of, expires_at = :expires"
    if not (seen and seen.digest == digest):
        change, values = f"{change}, deployment = :none", values | {":none": ""}
    return _unless_refused(
        "update_item",
        TableName=table,
        Key=wire({"pk": f"app#{app}", "sk": f"tag#{tag}"}),
        UpdateExpression=change,
        ConditionExpression="as_of = :seen AND digest = :before" if seen else "attribute_not_exists(pk)",
        ExpressionAttributeValues=wire(
            values | ({":seen": seen.as_of, ":before": seen.digest} if seen else {})
        ),
    )


def _known_tag(item: dict[str, Any]) -> KnownTag:
    return KnownTag(item["digest"], item["as_of"], item["deployment"])


def is_newest(*, table: str, push: Push, sequence: int) -> bool:
    """Note that the push with this number is of an app; False if one with a larger number was noted.

    A push that came too late, or of what is no app, draws a number too, but never gets here.
    """
    return _unless_refused(
        "update_item",
        TableName=table,
        Key=wire({"pk": f"app#{push.app}", "sk": "order"}),
        UpdateExpression="SET last_admitted = :sequence",
        ConditionExpression="attribute_not_exists(last_admitted) OR last_admitted <= :sequence",
        ExpressionAttributeValues=wire({":sequence": sequence}),
    )


def current(*, table: str, app: str) -> Current | None:
    """The deployment that serves, None before the first."""
    item = _get(table, f"app#{app}", "current")
    return _current(item) if item else None


def make_current(*, table: str, push: Push, new: Current, seen: Current | None) -> bool:
    """Put `new`, which is of `push`, in the place of `seen`.

    False if somebody else has changed the item since it was seen, or the push was given up.
    """
    alive = {
        "TableName": table,
        "Key": wire(_deployment(push)),
        "ConditionExpression": "attribute_not_exists(given_up_at)",
    }
    switch = _replacement(table, push.app, new, seen)
    try:
        with errors_as_ours():
            client("dynamodb").transact_write_items(TransactItems=[{"Put": switch}, {"ConditionCheck": alive}])
    except AwsRefusedError as error:
        reasons = answer_of(error).get("CancellationReasons", [])
        if {each.get("Code") for each in reasons} & {"ConditionalCheckFailed", "TransactionConflict"}:
            return False
        raise
    return True


def change_current(*, table: str, app: str, new: Current, seen: Current) -> bool:
    """Put `new`, which is of the same deployment, in the place of `seen`; False if that has changed."""
    return _unless_refused("put_item", **_replacement(table, app, new, seen))


def give_up(*, table: str, push: Push) -> None:
    """From now on this deployment cannot become the current one, whoever is still at work for it."""
    # It may never have been admitted; the sweep is to see that it is told all the same.
    _note_open(table, push)
    _update(table, push, {"given_up_at": int(time.time()), "tag": push.tag, "digest": push.digest})


def _replacement(table: str, app: str, new: Current, seen: Current | None) -> dict[str, Any]:
    item = {"pk": f"app#{app}", "sk": "current", **asdict(new), "version": (seen.version if seen else 0) + 1}
    return {
        "TableName": table,
        "Item": wire(item),
        "ConditionExpression": "version = :seen" if seen else "attribute_not_exists(pk)",
        **({"ExpressionAttributeValues": wire({":seen": seen.version})} if seen else {}),
    }


def forget(*, table: str, app: str, seen: Current) -> bool:
    """Take away what is current; False if somebody else has changed it since it was seen."""
    return _unless_refused(
        "delete_item",
        TableName=table,
        Key=wire({"pk": f"app#{app}", "sk": "current"}),
        ConditionExpression="attribute_not_exists(pk) OR version = :seen",
        ExpressionAttributeValues=wire({":seen": seen.version}),
    )


SLOTS = {"pk": "previews", "sk": "slots"}


def take_slot(*, table: str, app: str, most: Mapping[str, int]) -> dict[str, set[str]]:
    """Take a slot for the app in each of these sets, or keep those that it has.

    `most` says how many apps each set may hold. Returns {} or, where one of them is full, who is in them.
    """
    return _take_place(table, SLOTS, app, most)


def free_slot(*, table: str, app: str) -> None:
    """Give the app's slots back."""
    _give_back(table, SLOTS, app, (PREVIEWS, LASTING, previews_of(app.partition(":")[0])))


def slots(*, table: str) -> set[str]:
    """The apps that have a slot."""
    item = _get(table, "previews", "slots")
    return {*item.get(PREVIEWS, ()), *item.get(LASTING, ())}


def note_under_way(*, table: str, push: Push, most: int) -> bool:
    """Count a deployment among those of its repository that run, until its outcome is recorded.

    False if there are `most` already.
    """
    return not _take_place(table, _under_way(push), _name(push), {"deployments": most})


def note_mail(*, table: str, push: Push, hour: int, kind: str, most: int) -> bool:
    """Count the mail about a push among those of its repository in an hour; False if `most` were counted.

    `kind` is `mails`, or one that comes less often. The mail of the same push is counted once.
    """
    key = {"pk": f"mails#{push.repository}#{hour}", "sk": "of the hour"}
    return not _take_place(table, key, push.deployment, {kind: most}, expires_at=int(time.time()) + DAY)


def _under_way(push: Push) -> dict[str, str]:
    return {"pk": f"app#{push.repository}", "sk": "under way"}


def _take_place(
    table: str, key: dict[str, str], member: str, most: Mapping[str, int], expires_at: int = 0
) -> dict[str, set[str]]:
    """Put a member into sets of an item, all or none, in one conditional write: each may hold so many.

    It keeps the places that it has. Returns {} or, where a set is full, the members of each.
    """
    names = {f"#{number}": name for number, name in enumerate(most)}
    limits = {f":most{number}": limit for number, limit in enumerate(most.values())}
    room = " AND ".join(
        f"(attribute_not_exists({name}) OR size({name}) < {limit})"
        for name, limit in zip(names, limits, strict=True)
    )
    try:
        with errors_as_ours():
            client("dynamodb").update_item(
                TableName=table,
                Key=wire(key),
                UpdateExpression=(
                    ("SET expires_at = :expires " if expires_at else "")
                    + "ADD "
                    + ", ".join(f"{name} :these" for name in names)
                ),
                ConditionExpression=f"contains(#0, :member) OR {room}",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=wire(
                    {":these": {member}, ":member": member}
                    | limits
                    | ({":expires": expires_at} if expires_at else {})
                ),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
    except AwsRefusedError as error:
        if code_of(error) != CONDITION_FAILED:
            raise
        item = plain(answer_of(error)["Item"])
        return {name: set(item.get(name, ())) for name in most}
    return {}


def _give_back(table: str, key: dict[str, str], member: str, sets: Sequence[str]) -> None:
    names = {f"#{number}": name for number, name in enumerate(sets)}
    with errors_as_ours():
        client("dynamodb").update_item(
            TableName=table,
            Key=wire(key),
            UpdateExpression="DELETE " + ", ".join(f"{name} :these" for name in names),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=wire({":these": {member}}),
        )


def record(*, table: str, push: Push, outcome: str, **facts: Any) -> bool:
    """Write the outcome of a push; return whether it is still to be told.

    A push that has another outcome already keeps that, and this one is not to be told.
    """
    now = int(time.time())
    _give_back(table, _under_way(push), _name(push), ("deployments",))
    values = {
        # Where the push could not even be claimed, this is all that the ledger will know of it.
        "tag": push.tag,
        "digest": push.digest,
        "expires_at": now + KEEP,
        "outcome": outcome,
        "ended_at": now,
        **facts,
    }
    try:
        item = _update(table, push, values, "attribute_not_exists(#outcome) OR #outcome = :outcome")
    except AwsRefusedError as error:
        if code_of(error) == CONDITION_FAILED:
            return False
        raise
    return "told_at" not in item


def mails_this_second(*, table: str) -> int:
    """Count a mail, and return how many that makes in this second, of all apps."""
    now = int(time.time())
    with errors_as_ours():
        answer = client("dynamodb").update_item(
            TableName=table,
            Key=wire({"pk": f"mails#{now}", "sk": "sent"}),
            UpdateExpression="SET expires_at = :expires ADD mails :one",
            ExpressionAttributeValues=wire({":one": 1, ":expires": now + 3600}),
            ReturnValues="ALL_NEW",
        )
    return int(plain(answer["Attributes"])["mails"])


def mark_told(*, table: str, push: Push) -> None:
    """Note that everybody knows the outcome of a push."""
    _update(table, push, {"told_at": int(time.time())})


def _update(
    table: str, push: Push, values: dict[str, Any], condition: str = "", keep: Collection[str] = ()
) -> dict[str, Any]:
    """Set values, of those to `keep` only what is not there yet; return the whole item."""
    new = {name: f"if_not_exists(#{name}, :{name})" if name in keep else f":{name}" for name in values}
    with errors_as_ours():
        answer = client("dynamodb").update_item(
            TableName=table,
            Key=wire(_deployment(push)),
            UpdateExpression="SET " + ", ".join(f"#{name} = {value}" for name, value in new.items()),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=wire({f":{name}": value for name, value in values.items()}),
            ReturnValues="ALL_NEW",
            **({"ConditionExpression": condition} if condition else {}),
        )
    return plain(answer["Attributes"])


def deployments(*, table: str, app: str, most: int = 50) -> list[Deployment]:
    """The last deployments of an app, newest first."""
    with errors_as_ours():
        answer = client("dynamodb").query(
            TableName=table,
            KeyConditionExpression="pk = :app AND begins_with(sk, :deployment)",
            ExpressionAttributeValues=wire({":app": f"app#{app}", ":deployment": "deployment#"}),
            ScanIndexForward=False,
            Limit=most,
            ConsistentRead=True,
        )
    return [_known(item) for item in map(plain, answer["Items"])]


def deployment(*, table: str, app: str, time: str, name: str) -> Deployment | None:
    """One deployment of an app, whose push was at `time`."""
    item = _get(table, f"app#{app}", f"deployment#{time}#{name}")
    return _known(item) if item else None


def newest(*, table: str, app: str) -> int:
    """The largest number of a push of the app whose tag pointed to it; 0 if there is none."""
    order = _get(table, f"app#{app}", "order")
    return int(max(order.get("last_number", 0), order.get("last_admitted", 0)))


def open_deployments(*, table: str, app: str) -> list[Deployment]:
    """Those whose outcome is not there, or may not have been told; the oldest first."""
    names = sorted(_get(table, f"app#{app}", "order").get("open", set()))
    items = [_get(table, f"app#{app}", f"deployment#{name}") for name in names]
    # One that was noted but not claimed (yet) has no item.
    return [_known(item) for item in items if item]


def close(*, table: str, app: str, deployments: Sequence[Deployment]) -> None:
    """Take deployments that everybody was told of off the list of open ones."""
    with errors_as_ours():
        client("dynamodb").update_item(
            TableName=table,
            Key=wire({"pk": f"app#{app}", "sk": "order"}),
            UpdateExpression="DELETE #open :these",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues=wire(
                {":these": {f"{each.time}#{each.deployment}" for each in deployments}}
            ),
        )


def apps(*, table: str) -> set[str]:
    """Every app that is there, or may be; an index tells, so what happened this moment may be missing."""
    with errors_as_ours():
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=table,
                IndexName=LISTING,
                KeyConditionExpression="listed = :apps",
                ExpressionAttributeValues=wire({":apps": APPS}),
            )
        )
        return {str(plain(item)["pk"]).removeprefix("app#") for page in pages for item in page["Items"]}


def list_app(*, table: str, app: str) -> None:
    """Have `apps` name an app."""
    with errors_as_ours():
        client("dynamodb").update_item(
            TableName=table,
            Key=wire({"pk": f"app#{app}", "sk": "order"}),
            UpdateExpression="SET listed = :apps",
            ExpressionAttributeValues=wire({":apps": APPS}),
        )


def unlist_app(*, table: str, app: str) -> bool:
    """Have `apps` name an app no more; False if a deployment of it has been noted."""
    return _unless_refused(
        "update_item",
        TableName=table,
        Key=wire({"pk": f"app#{app}", "sk": "order"}),
        UpdateExpression="REMOVE listed",
        ConditionExpression="attribute_not_exists(#open)",
        ExpressionAttributeNames={"#open": "open"},
    )


@dataclass(frozen=True)
class Sweep:
    """A sweep that may begin.

    `since` is since when what is watched now is watched, `previous` when the sweep before this one began (UNIX
    seconds, 0 if there was none), `after` the app that the last one came to, '' if it came
    to the end; `died` says that it did not even get round to saying so.
    """

    since: int
    previous: int
    after: str
    died: bool


def begin_sweep(*, table: str, sweep: str, now: int, until: int, watching: str = "") -> Sweep | None:
    """Begin; None while another one is at it.

    `sweep` is a name of its own, so that it may begin twice; it has until `until`. `watching` names what is
    watched: where that is not what the last sweep watched, `since` is now. Times are in UNIX seconds.
    """
    try:
        with errors_as_ours():
            answer = client("dynamodb").update_item(
                TableName=table,
                Key=wire(SWEEP),
                UpdateExpression="SET sweep = :sweep, began_at = :now, busy_until = :until",
                ConditionExpression=(
                    "attribute_not_exists(busy_until) OR busy_until <= :now OR sweep = :sweep"
                ),
                ExpressionAttributeValues=wire({":now": now, ":sweep": sweep, ":until": until}),
                ReturnValues="ALL_OLD",
            )
    except AwsRefusedError as error:
        if code_of(error) == CONDITION_FAILED:
            return None
        raise
    before = plain(answer.get("Attributes") or {})
    since = before.get("since", now) if before.get("watching") == watching else now
    if (since, watching) != (before.get("since"), before.get("watching")):
        _unless_refused(
            "update_item",
            TableName=table,
            Key=wire(SWEEP),
            UpdateExpression="SET #since = :since, watching = :watching",
            ConditionExpression="sweep = :sweep",
            ExpressionAttributeNames={"#since": "since"},
            ExpressionAttributeValues=wire({":since": since, ":watching": watching, ":sweep": sweep}),
        )
    return Sweep(
        since=since,
        previous=before.get("began_at", 0),
        after=before.get("came_to", ""),
        died="busy_until" in before and before.get("sweep") != sweep,
    )


def note_sweep(*, table: str, sweep: str, app: str) -> None:
    """Note how far a sweep has come: should it die, the next one begins with the app after this."""
    _unless_refused(
        "update_item",
        TableName=table,
        Key=wire(SWEEP),
        UpdateExpression="SET came_to = :app",
        ConditionExpression="sweep = :sweep",
        ExpressionAttributeValues=wire({":app": app, ":sweep": sweep}),
    )


def end_sweep(*, table: str, sweep: str, after: str) -> None:
    """Let the next one begin, after that app; unless it has, because this one took longer than it had."""
    _unless_refused(
        "update_item",
        TableName=table,
        Key=wire(SWEEP),
        UpdateExpression="SET came_to = :after REMOVE busy_until",
        ConditionExpression="sweep = :sweep",
        ExpressionAttributeValues=wire({":sweep": sweep, ":after": after}),
    )


def _deployment(push: Push) -> dict[str, str]:
    return {"pk": f"app#{push.app}", "sk": f"deployment#{_name(push)}"}


def _name(push: Push) -> str:
    return f"{push.time}#{push.deployment}"


def _known(item: dict[str, Any]) -> Deployment:
    _, at, deployment = item["sk"].split("#", 2)
    # A push that AdmitPush could not claim has an outcome, but no more than that.
    facts = {each.name: item[each.name] for each in fields(Deployment) if each.name in item}
    return Deployment(deployment=deployment, time=at, **facts)


def _get(table: str, pk: str, sk: str) -> dict[str, Any]:
    with errors_as_ours():
        answer = client("dynamodb").get_item(
            TableName=table, Key=wire({"pk": pk, "sk": sk}), ConsistentRead=True
        )
    return plain(answer.get("Item") or {})


def _current(item: dict[str, Any]) -> Current:
    known = {each.name: item[each.name] for each in fields(Current) if each.name in item}
    address = known.get("address")
    return Current(**known | {"address": Address(address["api"], address["url"]) if address else None})


def _unless_refused(operation: str, **request: Any) -> bool:
    """Call; False if the request's condition does not hold."""
    try:
        with errors_as_ours():
            getattr(client("dynamodb"), operation)(**request)
    except AwsRefusedError as error:
        if code_of(error) == CONDITION_FAILED:
            return False
        raise
    return True
