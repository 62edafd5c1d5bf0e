import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EventBusError } from "../../src/client/errors.ts";
import {
  type ConnectionEvent,
  type ConnectionState,
  delayAfter,
  MAX_DELAY_MS,
  MIN_DELAY_MS,
  nextState,
  STABLE_MS,
} from "../../src/client/reconnect.ts";
import { type ErrorCode, problems } from "../../src/protocol/problem.ts";

const broken = new EventBusError("network", "the connection broke");
const connecting: ConnectionState = { kind: "connecting", failures: 0 };
const lost = { kind: "lost", error: broken, openMs: 0, isOffline: false, wasGood: false, random: 0 } as const;

describe("the life of a connection", () => {
  const waiting = { kind: "waiting", failures: 1, delayMs: MIN_DELAY_MS, error: broken } as const;
  const offline = { kind: "offline", failures: 1, error: broken } as const;
  const open = { kind: "open", failures: 3 } as const;
  const ended = { kind: "ended", error: undefined } as const;
  const rows: readonly [string, ConnectionState, ConnectionEvent, ConnectionState][] = [
    ["opens", connecting, { kind: "opened" }, { kind: "open", failures: 0 }],
    ["waits after a failed attempt", connecting, lost, waiting],
    ["waits longer after each failure", open, lost, { ...waiting, failures: 4 }],
    ["forgets failures after a stable time", open, { ...lost, openMs: STABLE_MS }, waiting],
    ["waits for the network when there is none", connecting, { ...lost, isOffline: true }, offline],
    ["connects after the wait", waiting, { kind: "woken" }, { kind: "connecting", failures: 1 }],
    ["connects when the network is back", offline, { kind: "woken" }, { kind: "connecting", failures: 1 }],
    ["ends when it is closed", waiting, { kind: "closed" }, ended],
    ["stays ended", ended, { kind: "opened" }, ended],
    ["ignores a loss while it waits", waiting, lost, waiting],
    ["ignores being woken while it is open", open, { kind: "woken" }, open],
    ["ignores being opened while it waits", waiting, { kind: "opened" }, waiting],
  ];
  test.each(rows)("%s", (_, state, event, expected) => {
    expect(nextState(state, event)).toEqual(expected);
  });

  test("waits as long as the server asks, plus the jitter", () => {
    const error = new EventBusError("rate_limited", "slower", { status: 429, retryAfterMs: 7000 });
    expect(nextState(connecting, { ...lost, error, random: 0.5 })).toMatchObject({ kind: "waiting", delayMs: 7175 });
  });
});

describe("errors that a retry may fix", () => {
  const passing: readonly ErrorCode[] = [
    "rate_limited",
    "internal",
    "unavailable",
    "shutting_down",
    "too_many_connections",
  ];
  const codes = Object.keys(problems) as ErrorCode[];
  test.each(codes.map((code) => [code, passing.includes(code)] as const))("%s: %p", (code, isPassing) => {
    const error = new EventBusError(code, "refused", { status: problems[code].status });
    expect(nextState(connecting, { ...lost, error }).kind).toBe(isPassing ? "waiting" : "ended");
  });

  test.each([
    [502, "waiting"],
    [504, "waiting"],
    [408, "waiting"],
    [404, "ended"],
    [200, "ended"],
    [undefined, "ended"],
  ] as const)("an answer %p that is not eventbus's: %s", (status, kind) => {
    const error = new EventBusError("protocol", "a proxy's page", { status });
    expect(nextState(connecting, { ...lost, error }).kind).toBe(kind);
    expect(nextState(connecting, { ...lost, error, wasGood: true }).kind).toBe("waiting");
  });
});

describe("the pauses", () => {
  test("grow from a quarter of a second to half a minute", () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1000].map((failures) => delayAfter(failures, 1));
    expect(longest).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  test("are within their bounds whatever happens", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
        const delayMs = delayAfter(failures, random);
        expect(delayMs).toBeGreaterThanOrEqual(MIN_DELAY_MS);
        expect(delayMs).toBeLessThanOrEqual(MAX_DELAY_MS);
      }),
    );
  });

  test("always end in another attempt, until it is closed or rejected", () => {
    const losses = fc.array(
      fc.record({
        kind: fc.constant("lost" as const),
        error: fc.constant(broken),
        openMs: fc.nat(2 * STABLE_MS),
        isOffline: fc.boolean(),
        wasGood: fc.boolean(),
        random: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    );
    fc.assert(
      fc.property(losses, (events) => {
        let state: ConnectionState = connecting;
        for (const event of events) {
          if (event.openMs > 0) state = nextState(state, { kind: "opened" });
          state = nextState(nextState(state, event), { kind: "woken" });
          expect(state.kind).toBe("connecting");
        }
        expect(nextState(state, { kind: "opened" }).kind).toBe("open");
      }),
    );
  });
});
