import { describe, expect, spyOn, test } from "bun:test";
import { Deliveries } from "../../../src/bus/consumers/deliveries.ts";
import { InFlight } from "../../../src/bus/consumers/in-flight.ts";
import { Lanes } from "../../../src/bus/consumers/lanes.ts";
import { EndpointHealth } from "../../../src/http/push/endpoint-health.ts";
import { Consuming } from "../../../src/http/websocket/consuming.ts";
import { type CaseOptions, runCase } from "./run.ts";

/** `EVENTBUS_TEST_SEED` names the case; without it, every run has others. */
const named = process.env["EVENTBUS_TEST_SEED"];
const seed = Number(named ?? Math.floor(Math.random() * 2 ** 31));
/** `EVENTBUS_TEST_CASES` says how many. */
const count = Number(process.env["EVENTBUS_TEST_CASES"] ?? (named === undefined ? 2 : 1));
/** Workers run by the clock, so a fault may go unseen in some cases; one that takes more than these is never seen. */
const MAX_CASES = 60;
/** For all of these, in milliseconds: the first few are enough in nearly every run. */
const SABOTAGE_MS = 600_000;
const PATIENCE_MS = 6000;

test(
  "workers of every transport and an endpoint lose nothing, share nothing, and keep the order of each topic",
  async () => {
    for (let one = 0; one < count; one++) {
      const breach = await runCase(seed + one, { withCommand: one === 0 });
      expect(breach && `EVENTBUS_TEST_SEED=${seed + one} bun test test/model/consumers: ${breach}`).toBeUndefined();
    }
  },
  24 * 3600 * 1000,
);

type Sabotage = readonly [fault: () => { mockRestore(): void }, expected: RegExp, options?: CaseOptions];

/** Each puts a fault in, and says what the model must see, and in which cases it is seen soonest. */
const sabotages: Readonly<Record<string, Sabotage>> = {
  "what has failed is forgotten": [
    () =>
      spyOn(Deliveries.prototype, "nack").mockImplementation(function (this: Deliveries, names) {
        return this.ack(names);
      }),
    /lost/,
  ],
  "nothing is taken back in time, nor from a worker that is gone": [
    () => {
      const expire = spyOn(Deliveries.prototype, "expire").mockReturnValue([]);
      const close = spyOn(Consuming.prototype, "close").mockImplementation(() => {});
      return {
        mockRestore() {
          expire.mockRestore();
          close.mockRestore();
        },
      };
    },
    /does not end/,
    { crashes: 10 },
  ],
  "an event does not wait for those before it": [
    () => spyOn(Lanes.prototype, "has").mockReturnValue(false),
    /came before/,
  ],
  "an event is handed out twice now and then": [
    () => {
      const { take } = Deliveries.prototype;
      let calls = 0;
      return spyOn(Deliveries.prototype, "take").mockImplementation(function (this: Deliveries, ...how) {
        const taken = take.call(this, ...how);
        const [first] = taken;
        if (first && ++calls % 2 === 0) this.putBack([first.delivery], "", 0);
        return taken;
      });
    },
    /two workers/,
  ],
  "an acknowledgement counts even if the delivery was taken back": [
    () => {
      const { each } = InFlight.prototype;
      return spyOn(InFlight.prototype, "each").mockImplementation(function (this: InFlight, names, work) {
        each.call(this, names, work);
        return { done: names.length, unknown: [] };
      });
    },
    /another's/,
  ],
  "a socket may settle what is another's": [
    () =>
      spyOn(Consuming.prototype, "finish").mockImplementation(function (this: Consuming, names) {
        this.settle(names, () => ({ done: 0, unknown: [] }));
        return { done: names.length, unknown: [] };
      }),
    /another's/,
  ],
  "one failure of an endpoint ends the posting": [
    () =>
      spyOn(EndpointHealth.prototype, "failed").mockImplementation(function (this: EndpointHealth) {
        Object.defineProperty(this, "isResting", { value: true });
        return { restMs: 0, counts: true };
      }),
    /does not end/,
    { crashes: 0 },
  ],
};

describe("the model of consumers sees it when", () => {
  test.each(Object.entries(sabotages))(
    "%s",
    async (_, [sabotage, expected, options]) => {
      const fault = sabotage();
      try {
        let breach = "";
        // Another breach may come first, as one fault has several effects.
        for (let one = 1; one <= MAX_CASES && !expected.test(breach); one++) {
          breach = (await runCase(one, { ...options, patienceMs: PATIENCE_MS })) ?? "";
        }
        expect(breach).toMatch(expected);
      } finally {
        fault.mockRestore();
      }
    },
    SABOTAGE_MS,
  );
});
