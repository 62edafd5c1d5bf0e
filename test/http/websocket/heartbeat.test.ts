import { expect, test } from "bun:test";
import { Heartbeat } from "../../../src/http/websocket/heartbeat.ts";

test("a peer is pinged once an interval, the first time within the first one", () => {
  const heartbeat = new Heartbeat(1000, 0);
  expect(heartbeat.next(1000, 0)).toBe("ping");
  expect(heartbeat.next(1999, 0)).toBe("wait");
});

test("a peer that responds stays, one that is silent for two intervals is disconnected", () => {
  const heartbeat = new Heartbeat(1000, 0);
  heartbeat.heard(1500, 0);
  expect(heartbeat.next(3499, 0)).toBe("ping");
  expect(heartbeat.next(3500, 0)).toBe("cut");
});

test("a slow reader has time to reach the ping, whatever is sent after it", () => {
  const heartbeat = new Heartbeat(1000, 0);
  heartbeat.heard(0, 5000);
  expect(heartbeat.next(1000, 9000)).toBe("ping");
  expect(heartbeat.next(2999, 1e9)).toBe("ping");
  expect(heartbeat.next(3000, 1e9)).toBe("cut");
});

test("no peer is waited for longer than two kernels can hold messages", () => {
  const heartbeat = new Heartbeat(1000, 0);
  expect(heartbeat.next(1000, 1e9)).toBe("ping");
  expect(heartbeat.next(2000 + 2 ** 20 - 1, 1e9)).toBe("ping");
  expect(heartbeat.next(2000 + 2 ** 20, 1e9)).toBe("cut");
});
