import { answerFrames, caughtUp, clientFrames, gap, orderEvent, toLines } from "./examples.ts";
import { content, contentOfMany, schemaRef } from "./openapi.ts";
import type { RouteDocs } from "./route.ts";

/** What every subscriber may rely on. */
export const PROMISE = `\
A subscriber gets every event that matches, in the order of ids, once, from its start on; however slowly it reads. Only
what retention removed before it was read is missing, and a \`gap\` says so in its place. Without \`since\` and \`last\`
it starts with the next event that is published; with one of them it gets a \`caught_up\` when the replay has reached
the present.`;

const subscribeErrors: RouteDocs["errors"] = [
  "pattern_invalid",
  "parameter_invalid",
  "parameter_unknown",
  "too_many_connections",
];

export const subscribeDocs: RouteDocs = {
  operationId: "subscribe",
  tag: "Subscribe",
  summary: "Subscribe by WebSocket",
  description: `\
\`\`\`sh
websocat 'ws://127.0.0.1:9800/api/events/subscribe?pattern=orders.*&since=10m'
\`\`\`

${PROMISE}

The server sends text frames: each is an event, or a message with a \`type\`, as under 101 below. The client may send
frames too, up to 1 MiB, which \`/asyncapi.json\` describes. Each is answered in order, with its \`ref\`, a string or a number:

\`\`\`json
${toLines(Object.values(clientFrames))}\`\`\`

The server closes with 1012 when it stops (connect again, with \`since=\` the last id), 1009 when a frame is too large and
1013 when too many frames wait for their answer. What is wrong with the request is answered before the upgrade, by a
problem.`,
  answers: {
    101: {
      description: "Upgraded. Frames follow, each one of these:",
      content: contentOfMany(
        "application/json",
        { oneOf: ["Event", "Gap", "CaughtUp", "Ack", "Published", "Pong", "ErrorFrame"].map(schemaRef) },
        {
          "an event": orderEvent,
          "events that retention removed": gap,
          "the replay has reached the present": caughtUp,
          "the answer to a publish": answerFrames.published,
          "the answer to a subscribe": answerFrames.done,
          "the answer to a ping": answerFrames.pong,
          "the answer to a frame that is wrong": answerFrames.error,
        },
      ),
    },
  },
  errors: [...subscribeErrors, "upgrade_required"],
};

export const streamDocs: RouteDocs = {
  operationId: "stream",
  tag: "Subscribe",
  summary: "Subscribe by server-sent events, or by lines",
  description: `\
For \`EventSource\` in browsers, and for everything that can read an answer that does not end.

\`\`\`sh
curl -N 'http://127.0.0.1:9800/api/events/stream?pattern=orders.*&last=10'
\`\`\`

${PROMISE}

An \`EventSource\` that lost the connection goes on where it was, by itself: it sends the header \`Last-Event-ID\`, which
wins over \`last_event_id\`, which wins over \`since\` and \`last\`. An id above the newest one is refused as \`since\`; one
to resume from gets a \`gap\` whose \`next\` is not above its \`after\`, and goes on from there: the history is another
one, restored from a backup for instance. With \`Accept: application/x-ndjson\` the stream holds a
JSON text a line. A comment, or an empty line, comes every 15 s. A server that stops says \`bye\`.`,
  parameters: [
    {
      name: "Last-Event-ID",
      in: "header",
      description: "The last event that was received. Sent by `EventSource` itself.",
      schema: { type: "integer", format: "int64", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    },
  ],
  answers: {
    200: {
      description: "Events as they come, without an end.",
      content: {
        ...content(
          "text/event-stream",
          { type: "string", description: "Server-sent events; the data of each without a name is an `Event` as JSON." },
          `${sent("gap", gap)}id: 251\ndata: ${JSON.stringify({ ...orderEvent, id: 251 })}\n\n${sent("caught_up", { ...caughtUp, id: 251 })}`,
        ),
        ...content(
          "application/x-ndjson",
          { type: "string", description: "An `Event`, a `Gap` or a `CaughtUp` as JSON on each line." },
          toLines([gap, { ...orderEvent, id: 251 }, { ...caughtUp, id: 251 }]),
        ),
      },
    },
  },
  errors: subscribeErrors,
};

function sent(name: string, message: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(message)}\n\n`;
}
