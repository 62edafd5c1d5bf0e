import type { ConsumerOptions } from "../../client/index.ts";

/** The settings in the form; what is empty, or not in it, takes its default. Numbers and durations are checked by the server. */
export function optionsOf(form: FormData): ConsumerOptions {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  const start = text("start");
  const order = text("order");
  const retry = wordsOf(text("retry"));
  return {
    pattern: wordsOf(text("pattern")),
    ...given("since", start === "other" ? text("since") : start),
    ...(isOrder(order) && { order }),
    ...given("ack_timeout", text("ack_timeout")),
    ...given("max_attempts", numberOf(text("max_attempts"))),
    ...given("max_in_flight", numberOf(text("max_in_flight"))),
    ...(retry.length > 0 && { retry }),
    ...(text("goal") === "webhook" && {
      push: {
        url: text("url"),
        headers: headersOf(text("headers")),
        ...given("timeout", text("timeout")),
        ...given("concurrency", numberOf(text("concurrency"))),
      },
    }),
  };
}

/** The headers of lines such as `Authorization: Bearer x`. A line without a colon is a name that the server rejects. */
function headersOf(lines: string): Record<string, string> {
  const pairs = lines
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const colon = line.indexOf(":");
      return colon === -1 ? [`${line}:`, ""] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    });
  return Object.fromEntries(pairs);
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** What is not a whole number is sent as 0, which the server rejects, naming the field. */
function numberOf(text: string): number | "" {
  if (text === "") return "";
  return Number.isSafeInteger(Number(text)) ? Number(text) : 0;
}

function given<Name extends string, Value>(name: Name, value: Value | ""): Partial<Record<Name, Value>> {
  return value === "" ? {} : ({ [name]: value } as Record<Name, Value>);
}

function isOrder(text: string): text is "none" | "topic" | "all" {
  return text === "none" || text === "topic" || text === "all";
}
