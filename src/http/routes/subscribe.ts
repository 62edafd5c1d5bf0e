import { BusError } from "../../bus/errors.ts";
import { streamDocs, subscribeDocs } from "../docs/subscribe.ts";
import { STREAM_PATH, type Streams, streamQuery } from "../stream/streams.ts";
import { SUBSCRIBE_PATH, subscribeQuery } from "../websocket/subscriptions.ts";
import { type Route, route } from "./route.ts";

/**
 * `GET /api/events/stream`, and `GET /api/events/subscribe` for requests without an upgrade; the server takes the
 * others.
 */
export function subscribeRoutes(streams: Streams): Route[] {
  return [
    route({
      method: "GET",
      path: STREAM_PATH,
      access: "subscribe",
      query: streamQuery,
      docs: streamDocs,
      handle: ({ request, caller, query }) => streams.open(request, caller, query),
    }),
    route({
      method: "GET",
      path: SUBSCRIBE_PATH,
      access: "subscribe",
      query: subscribeQuery,
      docs: subscribeDocs,
      handle: () => {
        throw new BusError("upgrade_required", "this address is for WebSockets: connect with ws:// or wss://");
      },
    }),
  ];
}
