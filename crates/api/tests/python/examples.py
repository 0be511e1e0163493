"""Every documented example of the AWS CLI for our actions, through the unmodified CLI into the server.

A command is *understood* when the server answers anything but an error of the wire: an unknown parameter, an action or
a value it cannot read. (What the examples name does not exist here, so `…NotFound` is the usual answer.) A documented
output *fits* when all its members are in our model of the operation.
"""

import json
import os
import re
import shlex
import sys

import awscli
import awscli.clidriver
from botocore import xform_name

url, actions = sys.argv[1], sys.argv[2]
os.environ.update(AWS_ACCESS_KEY_ID="111111111111", AWS_SECRET_ACCESS_KEY="lab", AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")
for variable in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SESSION_TOKEN"):
    os.environ.pop(variable, None)

WIRE = {"UnknownParameter", "InvalidAction", "MissingAction", "NoSuchVersion", "InternalError", "InvalidRequest"}
model = {"ec2": json.load(open(actions + "/ec2.json")), "elbv2": json.load(open(actions + "/elbv2.json")), "sts": json.load(open(actions + "/sts.json"))}


def outputs(shape, value, shapes, path=""):
    """Members of a documented output that our model lacks."""
    shape = shapes[shape]
    if shape["type"] == "structure" and isinstance(value, dict):
        for name, inner in value.items():
            if name not in shape["members"]:
                yield f"{path}.{name}"
            else:
                yield from outputs(shape["members"][name]["shape"], inner, shapes, f"{path}.{name}")
    elif shape["type"] == "list" and isinstance(value, list):
        for inner in value:
            yield from outputs(shape["member"]["shape"], inner, shapes, path)


def normal(command):
    command = re.sub(r"\\\s*\n\s*", " ", command).replace("\n", " ")
    return command


understood, refused, clientside, answers = 0, [], [], {}
fitting, unfitting = 0, []


caught = []
loader = None


def after(parsed, **_):
    error = parsed.get("Error") if isinstance(parsed, dict) else None
    caught.append((error["Code"], error["Message"]) if error else None)


def run(words):
    """Runs one command in this process; returns what the server answered to each of its calls."""
    global loader
    caught.clear()
    # A driver remembers what a command that failed did to it; the service models can be read once for all.
    driver = awscli.clidriver.create_clidriver()
    loader = loader or driver.session.get_component("data_loader")
    driver.session.register_component("data_loader", loader)
    driver.session.register("after-call", after)
    with open(os.devnull, "w") as null:
        saved = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = null
        try:
            driver.main(words + ["--endpoint-url", url])
        except SystemExit:
            pass  # the CLI does not like its own example
        finally:
            sys.stdout, sys.stderr = saved
    return list(caught)


root = os.path.join(os.path.dirname(awscli.__file__), "examples")
for service in model:
    shapes = model[service]["shapes"]
    for action, operation in sorted(model[service]["operations"].items()):
        page = os.path.join(root, service, xform_name(action, "-") + ".rst")
        if not os.path.exists(page):
            continue
        text = open(page, encoding="utf-8").read()
        for match in re.finditer(r"^[ \t]+(aws (?:\w|-)+ [\s\S]*?)(?=\n\s*\n|\Z)", text, re.M):
            command = normal(match.group(1))
            try:
                words = shlex.split(command)[1:]
            except ValueError:
                clientside.append(f"{action}: {command[:70]}")
                continue
            if words[:2] != [service, xform_name(action, "-")]:
                continue
            answered = run(words)
            if not answered:
                clientside.append(f"{action}: {' '.join(words)[:90]}")
                continue
            wire = [c for c in answered if c and c[0] in WIRE]
            if wire:
                refused.append(f"{action}: {wire[0]}")
            else:
                understood += 1
                answers.setdefault((answered[0] or ("success",))[0], []).append(action)
        for match in re.finditer(r"^[ \t]+(\{\n[\s\S]*?\n[ \t]{4}\})[ \t]*$", text, re.M):
            try:
                value = json.loads(match.group(1))
            except ValueError:
                continue
            if "output" not in operation:
                continue
            lacking = list(outputs(operation["output"], value, shapes))
            if lacking:
                unfitting.append(f"{action}: {lacking[0]}")
            else:
                fitting += 1

print(f"commands: {understood} understood, {len(refused)} refused on the wire, {len(clientside)} stopped by the CLI itself")
for line in refused + clientside:
    print("  exception:", line)
print(f"documented outputs: {fitting} fit, {len(unfitting)} do not")
for line in unfitting:
    print("  exception:", line)
print("answers:", ", ".join(f"{code} {len(of)}" for code, of in sorted(answers.items(), key=lambda item: -len(item[1]))[:12]))
sys.exit(1 if refused or understood < 400 or fitting < 200 else 0)
