"""Uploads the functions' packages and deploys a template to a local endpoint.

Reads one JSON document from standard input:

    {"endpoint": URL, "region": REGION, "stack": NAME, "template": {…}, "parameters": {NAME: VALUE},
     "bucket": NAME, "packages": {KEY: PATH OF A BINARY}}

and writes one to standard output:

    {"outputs": {NAME: VALUE}, "resources": {LOGICAL ID: PHYSICAL ID}}

If something fails, standard error says what, and the exit status is 1.
"""

import io
import json
import os
import sys
import zipfile

# A developer's own configuration must not change what is sent to a local endpoint.
os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import BotoCoreError, ClientError, WaiterError  # noqa: E402

CHANGE_SET = "xtask"

# Two minutes: local stacks are ready within seconds.
PATIENCE = {"Delay": 0.1, "MaxAttempts": 1200}


def package(binary):
    """The deployment package of a binary. Not compressed, because it only travels over loopback."""
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o100755 << 16
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive, open(binary, "rb") as code:
        archive.writestr(entry, code.read())
    return whole.getvalue()


def upload(s3, bucket, packages):
    try:
        s3.create_bucket(Bucket=bucket)
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass
    for key, binary in packages.items():
        s3.put_object(Bucket=bucket, Key=key, Body=package(binary))


def exists(cloudformation, stack):
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return False
        raise
    # A stack that never got beyond its first change set is created like a new one.
    return found[0]["StackStatus"] != "REVIEW_IN_PROGRESS"


def propose(cloudformation, names, kind, template, parameters):
    """Creates the change set. Returns False if it contains no change."""
    if kind == "UPDATE":
        # One that was left over would be in the way.
        cloudformation.delete_change_set(**names)
    cloudformation.create_change_set(
        **names,
        ChangeSetType=kind,
        TemplateBody=json.dumps(template),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(**names, WaiterConfig=PATIENCE)
    except WaiterError as error:
        reason = cloudformation.describe_change_set(**names).get("StatusReason", "")
        if "didn't contain changes" in reason:
            return False
        sys.exit(f"the change set failed: {reason or error}")
    return True


def execute(cloudformation, names, kind):
    stack = names["StackName"]
    cloudformation.execute_change_set(**names)
    waiter = cloudformation.get_waiter(f"stack_{kind.lower()}_complete")
    try:
        waiter.wait(StackName=stack, WaiterConfig=PATIENCE)
    except WaiterError as error:
        sys.exit("\n".join([str(error), *failures(cloudformation, stack)]))


def failures(cloudformation, stack):
    """The resources that failed in the latest deployment, newest first, each with its reason."""
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
        for event in page["StackEvents"]:
            name, status = event["LogicalResourceId"], event["ResourceStatus"]
            if name == stack and status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
                return
            if status.endswith("_FAILED"):
                yield f"{name} {status}: {event.get('ResourceStatusReason', 'no reason is given')}"


def describe(cloudformation, stack):
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return {
        "outputs": {output["OutputKey"]: output["OutputValue"] for output in outputs},
        "resources": {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in resources
            if "PhysicalResourceId" in resource
        },
    }


def deploy(order):
    session = boto3.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name=order["region"]
    )
    # Without path style, the name of the bucket would become part of the endpoint's host name.
    config = Config(s3={"addressing_style": "path"})
    upload(
        session.client("s3", endpoint_url=order["endpoint"], config=config),
        order["bucket"],
        order["packages"],
    )
    cloudformation = session.client("cloudformation", endpoint_url=order["endpoint"])
    stack = order["stack"]
    names = {"StackName": stack, "ChangeSetName": CHANGE_SET}
    kind = "UPDATE" if exists(cloudformation, stack) else "CREATE"
    if propose(cloudformation, names, kind, order["template"], order["parameters"]):
        execute(cloudformation, names, kind)
    return describe(cloudformation, stack)


try:
    json.dump(deploy(json.load(sys.stdin)), sys.stdout)
except (BotoCoreError, ClientError, OSError) as error:
    sys.exit(str(error))
