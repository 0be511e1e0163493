"""Signatures in strict mode, and the lab's own paths."""

import json
import urllib.request

from common import URL, client, refused, vpc

good = client(account="AKIDTEST", secret="right")
made = vpc(of=good, TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "ü *+~", "Value": "a b/c&d=é"}]}])
assert good.describe_vpcs(Filters=[{"Name": "tag:ü *+~", "Values": ["a b/?&d=é"]}])["Vpcs"][0]["OwnerId"] == "333333333333"
assert client("sts", account="AKIDTEST", secret="right").get_caller_identity()["Arn"] == "arn:aws:iam::333333333333:user/ann"
refused("AuthFailure", client(account="AKIDTEST", secret="wrong").describe_vpcs, status=401)
refused("AuthFailure", client().describe_vpcs, status=401)
refused("SignatureDoesNotMatch", client("sts", account="AKIDTEST", secret="wrong").get_caller_identity, status=403)
refused("InvalidClientTokenId", client("sts").get_caller_identity, status=403)
role = client("sts", account="AKIDTEST", secret="right").assume_role(RoleArn="arn:aws:iam::222222222222:role/admin", RoleSessionName="me")["Credentials"]
session = client(account=role["AccessKeyId"], secret=role["SecretAccessKey"], token=role["SessionToken"])
assert session.describe_vpcs()["Vpcs"] == []
refused("AuthFailure", client(account=role["AccessKeyId"], secret="guess", token=role["SessionToken"]).describe_vpcs, status=401)
url = good.generate_presigned_url("describe_vpcs", ExpiresIn=60, HttpMethod="GET")
assert made in urllib.request.urlopen(url).read().decode()
try:
    urllib.request.urlopen(url.replace("DescribeVpcs", "DescribeSubnets"))
    raise SystemExit("a changed URL was accepted")
except urllib.error.HTTPError as error:
    assert error.code == 401
try:
    urllib.request.urlopen(URL + "/?Action=DescribeVpcs&Version=2016-11-15")
    raise SystemExit("an unsigned request was accepted")
except urllib.error.HTTPError as error:
    assert error.code == 401 and b"AuthFailure" in error.read()

state = json.load(urllib.request.urlopen(URL + "/_lab/state"))
assert state["resources"][made]["account"] == "333333333333", state["resources"][made]
urllib.request.urlopen(URL + "/_lab/reset", data=b"")
state = json.load(urllib.request.urlopen(URL + "/_lab/state"))
assert state == {"resources": {}, "records": {}} and good.describe_vpcs()["Vpcs"] == []
print("strict.py: fine")
