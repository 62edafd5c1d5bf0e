"""Publishes exactly one event, however often the connection breaks. Needs only Python."""

import json
import os
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("EVENTBUS_URL", "http://127.0.0.1:9800")
TOKEN = os.environ.get("EVENTBUS_TOKEN")


def publish(topic, data=None, source=""):
    body = json.dumps({"topic": topic, "data": data, "source": source}).encode()
    # The same key on every attempt: the server publishes the event once.
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    if TOKEN:
        headers["Authorization"] = f"Bearer {TOKEN}"
    for pause_s in (0.1, 1, 5, None):
        try:
            request = urllib.request.Request(f"{URL}/api/events/publish", body, headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except OSError as error:
            is_refused = isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429
            if is_refused:
                raise ValueError(json.load(error)["detail"]) from error
            if pause_s is None:
                raise
        time.sleep(pause_s)


event = publish("orders.created", {"order": "A-1007", "total": 25}, source="shop")
print(event["id"], event["topic"], event["created_at"])
