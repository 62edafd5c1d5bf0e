/** The headers of a request as in Standard Webhooks, signed with each of these secrets (`whsec_…`). */
export function signedHeaders(
  secrets: readonly string[],
  id: string,
  timestampS: number,
  body: string,
): Record<string, string> {
  const signatures = secrets.map((secret) => `v1,${signatureOf(secret, `${id}.${timestampS}.${body}`)}`);
  return { "webhook-id": id, "webhook-timestamp": String(timestampS), "webhook-signature": signatures.join(" ") };
}

function signatureOf(secret: string, text: string): string {
  const key = Buffer.from(secret.slice(secret.indexOf("_") + 1), "base64");
  return new Bun.CryptoHasher("sha256", key).update(text).digest("base64");
}
