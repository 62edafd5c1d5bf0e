import { expect, test } from "bun:test";
import type { NatsConnection } from "@nats-io/transport-node";
import { Sending } from "../../src/cluster/sending.ts";

const rest = { subject: "c.entries", id: "a-1", bytes: new Uint8Array(1) };

test("an entry that is given up while an attempt is under way may be stored", () => {
  const sending = new Sending({ ...rest, deadlineMs: performance.now() + 60_000, connection: silent });
  const { isCertain, message } = sending.giveUp();
  expect([isCertain, message]).toEqual([false, expect.stringContaining("is unknown")]);
});

test("an entry that was given up without a connection is not stored", () => {
  const sending = new Sending({ ...rest, deadlineMs: performance.now() + 60_000, connection: () => undefined });
  expect(sending.giveUp().isCertain).toBe(true);
});

/** Takes what is sent, and never responds. */
function silent(): NatsConnection {
  const request = () => new Promise<never>(() => {});
  return { request } as unknown as NatsConnection;
}
