"""The other side of test/peers/dkim.test.ts: dkimpy signs and verifies what comes as JSON on standard input."""
import base64
import json
import sys

import dkim


def verify(task):
    records = {name + ".": text for name, text in task["records"].items()}

    def lookup(name, timeout=5):
        return records.get(name.decode() if isinstance(name, bytes) else name, "").encode()

    message = base64.b64decode(task["message"])
    results = []
    for index in range(task["count"]):
        try:
            results.append(bool(dkim.DKIM(message).verify(idx=index, dnsfunc=lookup)))
        except Exception as error:  # A malformed signature is no valid one.
            results.append(str(error))
    return results


def sign(task):
    header, body = [form.encode() for form in task["forms"]]
    message = base64.b64decode(task["message"])
    signature = dkim.sign(
        message,
        task["selector"].encode(),
        task["domain"].encode(),
        task["key"].encode(),
        canonicalize=(header, body),
        signature_algorithm=task["algorithm"].encode(),
    )
    return base64.b64encode(signature + message).decode()


tasks = json.load(sys.stdin)
print(json.dumps([verify(task) if "records" in task else sign(task) for task in tasks]))
