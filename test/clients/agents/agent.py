"""The agent of the conformance script for the Python client: see conformance.test.ts."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../clients/python"))
import eventbus  # noqa: E402

task = json.loads(sys.argv[1])


def say(**words):
    print(json.dumps(words), flush=True)


bus = eventbus.connect(task["url"], token=task.get("token"))
try:
    if task["do"] == "publish":
        event = bus.publish(task["topic"], task["data"], source=task.get("source", ""), key=task.get("key"))
        say(event=event.id)
    elif task["do"] == "history":
        say(events=[event.id for event in bus.history(task["pattern"], last=task["last"])])
    else:
        gaps = lambda after, next: say(gap=[after, next])  # noqa: E731
        for event in bus.subscribe(
            task["pattern"], since=task.get("since"), on_gap=gaps, on_state=lambda words: say(state=words)
        ):
            say(event=event.id, topic=event.topic)
            time.sleep(task.get("pauseMs", 0) / 1000)
except eventbus.EventBusError as error:
    say(error=error.code)
