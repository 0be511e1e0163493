"""Signatures of known keys only, and requests of no client's making."""

import urllib.error
import urllib.request

from common import URL, client, refused

assert client("sts", account="AKIDTEST", secret="right").get_caller_identity()["Account"] == "333333333333"
refused("AuthFailure", client(account="AKIDTEST", secret="wrong").describe_vpcs, status=401)
assert client("sts", account="222222222222").get_caller_identity()["Account"] == "111111111111"


def plain(query, data=None):
    try:
        return urllib.request.urlopen(URL + "/" + query, data=data).read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


assert "<vpcSet/>" in plain("?Action=DescribeVpcs&Version=2016-11-15")
assert "<Account>111111111111</Account>" in plain("", b"Action=GetCallerIdentity&Version=2011-06-15")
assert "<Code>InvalidAction</Code>" in plain("?Action=DescribeTheWeather&Version=2016-11-15")
assert "<Code>MissingAction</Code>" in plain("?Version=2016-11-15")
assert "<Code>NoSuchVersion</Code>" in plain("?Action=DescribeVpcs&Version=2010-01-01")
assert "<Code>UnknownParameter</Code>" in plain("?Action=DescribeVpcs&Version=2016-11-15&Zzz=1")
assert "<Code>UnsupportedOperation</Code>" in plain("?Action=DescribeLoadBalancers&Version=2015-12-01")
assert "<Code>InvalidRequest</Code>" in plain("", b"x" * (1 << 21))
print("known.py: fine")
