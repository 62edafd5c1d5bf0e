"""The client of eventbus. One file, no dependencies: Python 3.9 or newer.

    bus = eventbus.connect("http://127.0.0.1:9800", token=os.environ.get("EVENTBUS_TOKEN"))
    bus.publish("orders.created", {"total": 25})
    for event in bus.subscribe("orders.*", since="all"):
        handle(event)
"""

import http.client
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

__all__ = ["connect", "Bus", "Event", "EventBusError"]
__version__ = "0.1.0"

#: The server sends something every 15 s: after three misses a stream is dead.
SILENCE_S = 45
#: One attempt of a call may take this long.
CALL_S = 10
#: Pauses between attempts grow up to this.
MAX_PAUSE_S = 5


class EventBusError(Exception):
    """The server refused. `code` is for programs, the text for people; `status` is the HTTP status, or None."""

    def __init__(self, code, detail, status=None, problem=None):
        super().__init__(detail)
        self.code = code
        self.status = status
        self.problem = problem or {}


class Event:
    """An event. `data` is parsed, so that large numbers stay whole in Python; `json` is the text as it was sent."""

    __slots__ = ("id", "topic", "data", "source", "created_at", "json")

    def __init__(self, text):
        message = json.loads(text)
        self.id = message["id"]
        self.topic = message["topic"]
        self.data = message["data"]
        self.source = message["source"]
        self.created_at = message["created_at"]
        self.json = text

    def __repr__(self):
        return f"Event({self.json})"


def connect(urls="http://127.0.0.1:9800", *, token=None, timeout=60):
    """A client for the server at the address, or for several nodes of a cluster: a list, or a text with commas.

    `token` is a text, or a function that returns one and is asked before every request. `timeout` is how long, in
    seconds, a call is retried while no server answers.
    """
    return Bus(urls, token=token, timeout=timeout)


class Bus:
    """See `connect`. May be used by several threads."""

    def __init__(self, urls, *, token=None, timeout=60):
        texts = urls.split(",") if isinstance(urls, str) else urls
        self._urls = [url.strip().rstrip("/") for url in texts if url.strip()]
        if not self._urls:
            raise ValueError("there is no address")
        self._current = 0
        self._token = token
        self._timeout = timeout

    def publish(self, topic, data=None, *, source="", key=None):
        """Publishes one event, and returns it once it is on disk.

        It is published once, however often an attempt is repeated: `key` is its idempotency key, by default a new one.
        Raises `ValueError` for what JSON cannot hold.
        """
        envelope = {"topic": topic, "data": data, "source": source}
        body = json.dumps(envelope, allow_nan=False, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid.uuid4())}
        return Event(self._call("POST", "/api/events/publish", body=body, headers=headers)[0])

    def history(self, pattern=None, *, last=None, since=None, to=None, source=None, before=None, after=None):
        """Events of the past, newest first; with `after` oldest first. `since` and `to` are times or durations ago."""
        query = {"topic": pattern, "last": last, "from": since, "to": to}
        query.update({"source": source, "before": before, "after": after})
        text, _ = self._call("GET", "/api/events/history", query=query, headers={"Accept": "application/x-ndjson"})
        return [Event(line) for line in text.split("\n") if line]

    def event(self, event_id):
        """The event of this id. Raises `EventBusError` with `not_found` or `cursor_expired`."""
        return Event(self._call("GET", f"/api/events/{int(event_id)}")[0])

    def subscribe(self, patterns="*", *, since=None, last=None, on_gap=None, on_state=None):
        """Every event that matches, from the start on, in order, once; reconnects, and resumes after the last one taken.

        Without `since` (an id, a time, a duration such as "10m", "all" or "now") and `last`: from now on. `on_gap(after,
        next)` is called where retention has removed events, in its place; `on_state(text)` when the connection opens or
        breaks. Ends only with an `EventBusError` that a retry cannot fix, or when the loop is left.
        """
        patterns = [patterns] if isinstance(patterns, str) else list(patterns)
        cursor = None
        failures = 0
        state = on_state or (lambda words: None)
        while True:
            # With "now" the server says where that is, so that what comes while the connection is broken is not missed.
            begin = {"since": since if since is not None or last is not None else "now", "last": last}
            start = begin if cursor is None else {"last_event_id": cursor}
            was_open = False
            try:
                stream = self._open("/api/events/stream", {"pattern": patterns, **start}, SILENCE_S)
                with stream:
                    if not stream.headers.get("Content-Type", "").startswith("application/x-ndjson"):
                        raise OSError("the answer is not a stream of the bus")
                    was_open, failures = True, 0
                    state("open")
                    for line in _lines(stream):
                        message = json.loads(line)
                        kind = message.get("type")
                        if kind is None:
                            # Set before the event is handed over: leaving the loop counts as having taken it.
                            cursor = message["id"]
                            yield Event(line)
                        elif kind == "caught_up":
                            cursor = max(cursor or 0, message["id"])
                        elif kind == "gap":
                            if on_gap is not None:
                                on_gap(message["after"], message["next"])
                            cursor = message["next"] - 1
            except EventBusError as error:
                # After a good stream, a proxy may say anything for a while.
                if not _is_temporary(error) and not (cursor is not None and "code" not in error.problem):
                    raise
                state(str(error))
            except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
                state(str(error))
            if not was_open:
                failures += 1
                self._current += 1
            time.sleep(_pause(failures))

    def _call(self, method, path, *, body=None, query=None, headers=None):
        deadline = time.monotonic() + self._timeout
        for failures in range(1, 1_000_000):
            try:
                with self._request(method, path, body, query, headers or {}, CALL_S) as answer:
                    return answer.read().decode(), answer.headers
            except EventBusError as error:
                if not _is_temporary(error):
                    raise
                failure = error
            except (OSError, http.client.HTTPException) as error:
                failure = EventBusError("network", f"no answer from {self._url}: {error}")
            self._current += 1
            pause = _pause(failures)
            if time.monotonic() + pause >= deadline:
                raise failure
            time.sleep(pause)
        raise AssertionError

    def _open(self, path, query, timeout):
        return self._request("GET", path, None, query, {"Accept": "application/x-ndjson"}, timeout)

    @property
    def _url(self):
        return self._urls[self._current % len(self._urls)]

    def _request(self, method, path, body, query, headers, timeout):
        pairs = [(name, value) for name, value in (query or {}).items() if value is not None]
        search = urllib.parse.urlencode(pairs, doseq=True)
        token = self._token() if callable(self._token) else self._token
        if token:
            headers = {**headers, "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{self._url}{path}{'?' if search else ''}{search}", body, headers, method=method)
        try:
            return urllib.request.urlopen(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error) from None


def _lines(stream):
    """Complete lines, without those that only keep the connection alive."""
    for line in stream:
        if not line.endswith(b"\n"):
            raise OSError("the stream ended inside a line")
        if not line.isspace():
            yield line.decode().rstrip("\n")
    raise OSError("the stream ended")


def _refusal(error):
    try:
        problem = json.load(error)
    except (ValueError, OSError):
        problem = {}
    if not isinstance(problem, dict) or "code" not in problem:
        return EventBusError("protocol", f"the answer {error.code} is not one of the bus", error.code)
    return EventBusError(problem["code"], problem.get("detail", problem["code"]), error.code, problem)


def _is_temporary(error):
    return error.status is None or error.status == 429 or error.status >= 500 and error.code != "storage_full"


def _pause(failures):
    """Half of it at random, so that a thousand clients do not come back at the same moment."""
    most = min(MAX_PAUSE_S, 0.1 * 2 ** min(failures, 10))
    return most / 2 + random.random() * most / 2
