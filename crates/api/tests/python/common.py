"""What the scripts share: clients of two accounts, and a way to expect errors."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL = sys.argv[1]


def client(service="ec2", account="111111111111", region="us-east-1", secret="lab", token=None):
    return boto3.client(
        service,
        endpoint_url=URL,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"max_attempts": 1}, parameter_validation=True),
    )


ec2 = client()
other = client(account="222222222222")


def refused(code, call, *, status=400, words="", **arguments):
    """Expects an error with this code, and returns its message."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, f"wanted {code}, got {found}"
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        assert words in found["Message"], found
        return found["Message"]
    raise AssertionError(f"wanted {code}, got {answer}")


def tagged(kind, **tags):
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]


def vpc(block="10.0.0.0/16", of=ec2, **more):
    return of.create_vpc(CidrBlock=block, **more)["Vpc"]["VpcId"]


def subnet(vpc, block="10.0.1.0/24", zone="us-east-1a", of=ec2):
    return of.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"]


def ids(answer, into, member):
    return sorted(item[member] for item in answer[into])
