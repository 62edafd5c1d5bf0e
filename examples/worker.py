"""Works for a consumer with several threads: worker.py CONSUMER. Needs only Python."""

import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request

URL = os.environ.get("EVENTBUS_URL", "http://127.0.0.1:9800")
TOKEN = os.environ.get("EVENTBUS_TOKEN")
THREADS = 4
WAIT_S = 30


def handle(event):
    print(event["id"], event["topic"], event["data"], flush=True)


def call(path, body=None):
    headers = {"Content-Type": "application/json"}
    if TOKEN:
        headers["Authorization"] = f"Bearer {TOKEN}"
    data = b"" if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/api/consumers/{path}", data, headers, method="POST")
    with urllib.request.urlopen(request, timeout=WAIT_S + 15) as answer:
        return json.load(answer)


def take_one(consumer):
    for delivery in call(f"{consumer}/take?max=1&wait={WAIT_S}s"):
        settled = {"deliveries": [delivery["delivery"]]}
        try:
            if "event" in delivery:
                handle(delivery["event"])
            else:
                print(f"pruned before it was delivered: {delivery['gap']}", file=sys.stderr)
        except Exception as error:
            call(f"{consumer}/nack", {**settled, "reason": repr(error)})
        else:
            call(f"{consumer}/ack", settled)


def work(consumer):
    while True:
        try:
            take_one(consumer)
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429:
                print(json.load(error)["detail"], file=sys.stderr)
                os._exit(1)
            time.sleep(1)


for _ in range(THREADS):
    threading.Thread(target=work, args=sys.argv[1:]).start()
