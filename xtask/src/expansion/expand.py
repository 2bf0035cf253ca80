"""Expands a SAM template to what CloudFormation gets of it.

Reads {"template": …, "parameters": {NAME: VALUE}} as JSON from standard input, with an S3 address as the
code of every function, and writes the expanded template as JSON to standard output. A parameter that is not
given has its default. Makes no call to AWS. If the template cannot be
expanded, standard error says why, and the exit status is 1.
"""

import json
import os
import sys

# The translator asks botocore for a region, to tell the partition by it.
os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)

import boto3  # noqa: E402
from samtranslator.model.exceptions import InvalidDocumentException  # noqa: E402
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402


def expand(template, parameters):
    # No managed policies are named by short names here, so none must be looked up.
    session = boto3.Session(region_name="eu-west-1")
    translator = Translator({}, Parser(), boto_session=session)
    return translator.translate(template, parameters)


try:
    json.dump(expand(**json.load(sys.stdin)), sys.stdout)
except InvalidDocumentException as error:
    sys.exit("\n".join(str(cause.message) for cause in error.causes))
