"""Follows the results of an Evenkeel stack: a Lambda function on the stream of the table Jobs.

`results` is pure: it turns a stream event into results. `handler` delivers them, here as log lines; put your own
delivery into `deliver`. Not run on MiniStack, whose streams leave out changes that were written in a batch.
"""

import json

# States in which a job has ended. A rejected message is no job, so its state is not among them.
TERMINAL = ("succeeded", "dead", "cancelled", "quarantined")


def text(image, name):
    """The text or number under this name, as text; None if the image has none."""
    attribute = image.get(name, {})
    return attribute.get("S", attribute.get("N"))


def result(record):
    """The result that a change of the table has brought, or None."""
    # A removal is DynamoDB's time to live or a clean-up. The job has ended long before.
    if record["eventName"] == "REMOVE":
        return None
    new = record["dynamodb"].get("NewImage", {})
    old = record["dynamodb"].get("OldImage", {})
    state = text(new, "state")
    # Later changes of an ended job, such as an operator's entry in its journal, bring no result.
    same_end = text(old, "state") == state and text(old, "fence") == text(new, "fence")
    if state not in TERMINAL or same_end:
        return None
    key = text(new, "pk")
    # A job that has not succeeded may have a provisional result, which stands in for none.
    value = text(new, "result") if state == "succeeded" else None
    return {
        # A job that is reopened ends again, with a higher fence. So this names one end of one job, however often the
        # stream delivers it: store what you do under this id, and do it once.
        "id": f"{key}@{text(new, 'fence')}",
        "key": key,
        "state": state,
        "result": json.loads(value) if value else None,
        "why": text(new, "why"),
        "ended_at": int(text(new, "ended_at")),
    }


def results(event):
    """The results of a stream event in their order, each once, with the sequence number of the change."""
    seen = set()
    found = []
    for record in event["Records"]:
        ended = result(record)
        if ended and ended["id"] not in seen:
            seen.add(ended["id"])
            found.append((record["dynamodb"]["SequenceNumber"], ended))
    return found


def deliver(ended):
    """Delivers a result. It may be called again with the same id, after a failure or by another invocation."""
    print(json.dumps(ended, ensure_ascii=False))


def handler(event, _context, deliver=deliver):
    """Delivers in order. After a failure Lambda sends the rest again, beginning with the change that failed."""
    for sequence_number, ended in results(event):
        try:
            deliver(ended)
        except Exception as error:  # Whatever it is, the change must come again.
            print(json.dumps({"failed": ended["id"], "why": str(error)}))
            return {"batchItemFailures": [{"itemIdentifier": sequence_number}]}
    return {"batchItemFailures": []}
