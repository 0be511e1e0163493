"""Reads requests and replies made at random; writes how botocore spells the requests, and checks how it reads the replies."""

import json
import sys

import botocore.model
import botocore.parsers
import botocore.serialize
import botocore.session
from botocore.validate import ParamValidator
from dateutil.parser import isoparse


def revive(value):
    if isinstance(value, list):
        return [revive(entry) for entry in value]
    if isinstance(value, dict):
        if "$blob" in value:
            return bytes(value["$blob"])
        if "$time" in value:
            return isoparse(value["$time"])
        return {key: revive(entry) for key, entry in value.items()}
    return value


def pairs(body):
    out = []
    for key, value in body.items():
        if key not in ("Action", "Version"):
            out.append((key, value if isinstance(value, str) else str(value)))
    return out


session = botocore.session.get_session()
names = {"ec2": "ec2", "elasticloadbalancing": "elbv2", "sts": "sts"}
models = {name: session.get_service_model(known) for name, known in names.items()}
forms, wrong = [], 0
for case in json.load(open(sys.argv[1])):
    model = models[case["service"]].operation_model(case["operation"])
    protocol = models[case["service"]].metadata["protocol"]
    given = revive(case["input"])
    report = ParamValidator().validate(given, model.input_shape) if model.input_shape else None
    if report and report.has_errors():
        print(case["operation"], "input refused:", report.generate_report())
        wrong += 1
    serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
    forms.append(pairs(serializer.serialize_to_request(given, model)["body"]))
    parser = botocore.parsers.create_parser(protocol)
    parsed = parser.parse({"status_code": 200, "headers": {}, "body": case["xml"].encode()}, model.output_shape)
    metadata = parsed.pop("ResponseMetadata", None)
    if model.output_shape is None:
        parsed = {}
    if parsed != revive(case["output"]) or not metadata or "RequestId" not in metadata:
        print(case["operation"], "wanted", revive(case["output"]), "got", parsed, metadata)
        wrong += 1
json.dump(forms, open(sys.argv[2], "w"))
print(len(forms), "requests and replies,", wrong, "wrong")
sys.exit(wrong > 0)
