import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { EventBusError, verifyWebhook, type WebhookHeaders } from "../../src/client/index.ts";
import { Signer } from "../../src/http/push/signature.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER = "whsec_b3RoZXIgc2VjcmV0IG9mIHRoZSBzYW1lIGtpbmQ=";
const NOW = new Date("2026-11-23T14:30:00.000Z");
const NOW_S = NOW.getTime() / 1000;
const BODY =
  '{"id":42,"topic":"orders.created","data":{"total":1.10},"source":"","created_at":"2026-11-23T14:30:00.123Z"}';

const signed = (body = BODY, atS = NOW_S, secrets = [SECRET]) => new Signer().headers(secrets, "evt_42_x", atS, body);

function verify(headers: WebhookHeaders, body: string | Uint8Array<ArrayBuffer> = BODY, secret = SECRET) {
  return verifyWebhook(secret, headers, body, { now: NOW });
}

async function codeOf(verifying: Promise<unknown>): Promise<string> {
  const error = await verifying.then(
    () => undefined,
    (reason) => reason,
  );
  return error instanceof EventBusError ? error.code : String(error);
}

describe("verifyWebhook", () => {
  test("resolves with the event as it was published, and the id by which a repeat is recognised", async () => {
    const { id, event, gap } = await verify(signed());
    expect([id, event?.id, event?.rawData, gap]).toEqual(["evt_42_x", 42, '{"total":1.10}', undefined]);
  });

  test("resolves with a gap", async () => {
    const body = '{"type":"gap","after":100,"next":251}';
    expect(await verify(signed(body), body)).toEqual({
      id: "evt_42_x",
      event: undefined,
      gap: { after: 100, next: 251 },
    });
  });

  test("takes headers in every form, and the body as bytes", async () => {
    const headers = signed();
    const upper = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]]));
    for (const form of [headers, new Headers(headers), upper]) {
      expect((await verify(form, new TextEncoder().encode(BODY))).event?.id).toBe(42);
    }
  });

  test("accepts both secrets after a rotation", async () => {
    const headers = signed(BODY, NOW_S, [OTHER, SECRET]);
    for (const secret of [SECRET, OTHER]) expect((await verify(headers, BODY, secret)).event?.id).toBe(42);
  });

  test.each([
    ["another secret", signed(BODY, NOW_S, [OTHER])],
    ["another body", signed(`${BODY} `)],
    ["another id", { ...signed(), "webhook-id": "evt_43_x" }],
    ["another time", { ...signed(), "webhook-timestamp": String(NOW_S + 1) }],
    ["an old request", signed(BODY, NOW_S - 301)],
    ["a request from the future", signed(BODY, NOW_S + 301)],
    ["no time", { ...signed(), "webhook-timestamp": "soon" }],
    ["no signature", { ...signed(), "webhook-signature": undefined }],
    ["another version", { ...signed(), "webhook-signature": signed()["webhook-signature"]?.replace("v1,", "v2,") }],
    ["a signature that is not base64", { ...signed(), "webhook-signature": "v1,?? v1," }],
    ["half of a signature", { ...signed(), "webhook-signature": signed()["webhook-signature"]?.slice(0, 23) }],
  ])("rejects %s", async (_, headers) => {
    expect(await codeOf(verify(headers))).toBe("webhook_invalid");
  });

  test("accepts what is just as old as the tolerance", async () => {
    for (const atS of [NOW_S - 300, NOW_S + 300]) expect((await verify(signed(BODY, atS))).event?.id).toBe(42);
    const options = { now: NOW, toleranceSeconds: 10 };
    expect(await codeOf(verifyWebhook(SECRET, signed(BODY, NOW_S - 11), BODY, options))).toBe("webhook_invalid");
  });

  test.each(["", "whsec_", "whsec_?"])("rejects %p as a secret", async (secret) => {
    expect(await codeOf(verify(signed(), BODY, secret))).toBe("parameter_invalid");
  });

  test("accepts what the library signs, and agrees with it on what was changed", async () => {
    const cases = fc.record({
      key: fc.uint8Array({ minLength: 1, maxLength: 64 }),
      data: fc.string({ unit: "binary" }),
      id: fc.string({ minLength: 1 }).filter((id) => id.trim() === id),
      changed: fc.constantFrom("nothing", "body", "id", "signature"),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ key, data, id, changed }) => {
        await agree(key, JSON.stringify({ id: 1, topic: "a", data: data.toWellFormed() }), id, changed);
      }),
      { numRuns: 200 },
    );
  });
});

async function agree(key: Uint8Array, body: string, id: string, changed: string): Promise<void> {
  const secret = `whsec_${Buffer.from(key).toString("base64")}`;
  const library = new Webhook(secret);
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(Date.now() / 1000)),
    "webhook-signature": library.sign(id, new Date(), body),
  };
  if (changed === "id") headers["webhook-id"] += "x";
  if (changed === "signature") headers["webhook-signature"] = library.sign(id, new Date(0), body);
  const received = changed === "body" ? `${body} ` : body;
  const expected = changed === "nothing" ? "event" : "webhook_invalid";
  const ours = await verifyWebhook(secret, headers, received).then(
    () => "event",
    (error) => (error instanceof EventBusError ? error.code : String(error)),
  );
  expect(ours).toBe(expected);
  if (changed === "nothing") library.verify(received, headers);
  else expect(() => library.verify(received, headers)).toThrow();
}
