"""Handles every order as it is published, and resumes where it was after every restart, its own or the server's."""

import http.client
import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("EVENTBUS_URL", "http://127.0.0.1:9800")
TOKEN = os.environ.get("EVENTBUS_TOKEN")
CURSOR = pathlib.Path("orders.cursor")
SILENCE_S = 45  # the server sends something every 15 s: after three misses the connection is dead


def handle(event):
    print(event["id"], event["topic"], event["data"], flush=True)


def remember(event_id):
    """After a power cut at any time, the file has either the old id or the new one."""
    part = CURSOR.with_suffix(".part")
    with part.open("w") as file:
        file.write(str(event_id))
        file.flush()
        os.fsync(file.fileno())
    part.replace(CURSOR)


def follow(pattern):
    since = CURSOR.read_text() if CURSOR.exists() else "all"
    query = urllib.parse.urlencode({"pattern": pattern, "since": since})
    headers = {"Accept": "application/x-ndjson"}
    if TOKEN:
        headers["Authorization"] = f"Bearer {TOKEN}"
    request = urllib.request.Request(f"{URL}/api/events/stream?{query}", headers=headers)
    with urllib.request.urlopen(request, timeout=SILENCE_S) as stream:
        for line in stream:
            if line.isspace():
                continue  # keep-alive
            message = json.loads(line)
            kind = message.get("type")
            if kind is None:
                handle(message)
                remember(message["id"])
            elif kind == "gap":
                print(f"pruned before it was read: {message}", file=sys.stderr)
            elif kind == "caught_up":
                remember(message["id"])  # everything up to here was of other topics


while True:
    try:
        follow("orders.*")
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429:
            sys.exit(json.load(error)["detail"])
    time.sleep(1)
