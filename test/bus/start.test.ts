import { describe, expect, test } from "bun:test";
import { parseSince, parseTime } from "../../src/bus/start.ts";
import { busErrorOf } from "../helpers/bus-error.ts";

describe("since", () => {
  test.each([
    ["0", { kind: "after", id: 0 }],
    ["42", { kind: "after", id: 42 }],
    ["007", { kind: "after", id: 7 }],
    ["999999999999999", { kind: "after", id: 999_999_999_999_999 }],
    ["0s", { kind: "ago", durationMs: 0 }],
    ["30s", { kind: "ago", durationMs: 30_000 }],
    ["10m", { kind: "ago", durationMs: 600_000 }],
    ["24h", { kind: "ago", durationMs: 86_400_000 }],
    ["7d", { kind: "ago", durationMs: 604_800_000 }],
    ["all", { kind: "all" }],
    ["now", { kind: "now" }],
    ["2026-11-23T14:30:00Z", { kind: "time", timeMs: Date.UTC(2026, 10, 23, 14, 30) }],
  ])("%s is understood", (text, start) => {
    expect(parseSince(text)).toEqual(start as ReturnType<typeof parseSince>);
  });

  test.each([
    "",
    " ",
    "-1",
    "1.5",
    "1e3",
    "+5",
    "0x10",
    "1234567890123456",
    "ALL",
    "Now",
    "yesterday",
    "10 m",
    "m",
    "10M",
    "1.5h",
    "-10m",
    "10w",
    "1234567890s",
    "2026-11-23",
    "2026-11-23T14:30:00",
    "14:30",
  ])("%p is rejected, and the error says what is accepted", (text) => {
    const error = busErrorOf(() => parseSince(text));
    expect(error.code).toBe("parameter_invalid");
    expect(error.message).toContain("RFC 3339");
    expect(error.members).toEqual({});
  });
});

describe("an RFC 3339 time", () => {
  const half = Date.UTC(2026, 10, 23, 14, 30);
  test.each([
    ["2026-11-23T14:30:00Z", half],
    ["2026-11-23t14:30:00z", half],
    ["2026-11-23 14:30:00Z", half],
    ["2026-11-23T14:30:00.1Z", half + 100],
    ["2026-11-23T14:30:00.123Z", half + 123],
    ["2026-11-23T14:30:00.123999999Z", half + 123],
    ["2026-11-23T15:30:00+01:00", half],
    ["2026-11-23T13:30:00-01:00", half],
    ["2026-11-23T20:00:00+05:30", half],
    ["2026-11-23T14:30:00-00:00", half],
    // What a `+` becomes in a query if it is not encoded.
    ["2026-11-23T15:30:00 01:00", half],
    ["1970-01-01T00:00:00Z", 0],
    ["2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)],
  ])("%s", (text, timeMs) => {
    expect(parseTime(text)).toBe(timeMs);
  });

  test.each([
    "2026-11-23T14:30Z",
    "2026-13-01T00:00:00Z",
    "2026-11-32T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T14:60:00Z",
    "2026-11-23T14:30:61Z",
    "2026-11-23T14:30:00+24:00",
    "2026-11-23T14:30:00.Z",
    "2026-11-23T14:30:00.1234567890Z",
    "2026-11-23T14:30:00",
    "20261123T143000Z",
    " 2026-11-23T14:30:00Z",
  ])("%p is none", (text) => {
    expect(parseTime(text)).toBeUndefined();
  });
});
