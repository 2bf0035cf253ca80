"""Deletes a stack from a local endpoint.

Reads {"endpoint": URL, "region": REGION, "stack": NAME} from standard input. If something fails, standard
error says what, and the exit status is 1.
"""

import json
import os
import sys

# A developer's own configuration must not change what is sent to a local endpoint.
os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)

import boto3  # noqa: E402
from botocore.exceptions import BotoCoreError, ClientError, WaiterError  # noqa: E402

# Two minutes: local stacks are gone within seconds.
PATIENCE = {"Delay": 0.1, "MaxAttempts": 1200}


def delete(order):
    session = boto3.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name=order["region"]
    )
    cloudformation = session.client("cloudformation", endpoint_url=order["endpoint"])
    cloudformation.delete_stack(StackName=order["stack"])
    waiter = cloudformation.get_waiter("stack_delete_complete")
    waiter.wait(StackName=order["stack"], WaiterConfig=PATIENCE)


try:
    delete(json.load(sys.stdin))
except (BotoCoreError, ClientError, WaiterError) as error:
    sys.exit(str(error))
