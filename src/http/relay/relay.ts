import { anybody, type Principal, requireConsume } from "../../bus/access/principal.ts";
import { type ConsumerHost, HostLost } from "../../bus/consumers/ports.ts";
import { BusError } from "../../bus/errors.ts";
import type { Callers } from "../access/gate.ts";
import type { Guest, Guests } from "../access/guests.ts";
import { readBody } from "../request/body.ts";
import { decodedSegment } from "../request/envelope.ts";
import type { Route } from "../routes/route.ts";
import { segmentAt } from "../routes/route.ts";
import { RouteTable } from "../routes/route-table.ts";
import {
  callOf,
  decodeCall,
  decodeResponse,
  encodeCall,
  encodeResponse,
  type RelayedCall,
  requestOf,
} from "./relayed-call.ts";

/** As large as the bodies that these routes read. */
const MAX_BODY_BYTES = 1024 * 1024;
/** How long a call is retried, in milliseconds: longer than a takeover takes. */
const BUDGET_MS = 15_000;
/** Between two attempts, in milliseconds. */
const PAUSE_MS = 100;

export interface RelayOptions {
  readonly host: ConsumerHost;
  /** The routes as the node that serves the consumers handles them. */
  readonly routes: readonly Route[];
  readonly gate: Callers & { readonly guests: Guests };
  /** The response to a call that failed. */
  readonly fail: (error: unknown, request: Request) => Response;
}

/** Lets every node of a cluster respond to calls about consumers: what one node serves, the others pass on to it. */
export class Relay {
  /** The routes of this node, whichever node serves the consumers. */
  readonly routes: readonly Route[];
  readonly #host: ConsumerHost;
  readonly #table: RouteTable;
  readonly #gate: RelayOptions["gate"];
  readonly #fail: RelayOptions["fail"];

  constructor({ host, routes, gate, fail }: RelayOptions) {
    this.#host = host;
    this.#gate = gate;
    this.#fail = fail;
    this.#table = new RouteTable(routes);
    this.routes = routes.map((route) => ({
      ...route,
      answer: (request, caller, path) => this.#answer(route, request, caller, path),
    }));
    host.onAsk((bytes, signal) => this.#serve(bytes, signal));
  }

  /** Makes a call of this node itself. Rejects with `unavailable`, or the signal's reason. */
  call(call: RelayedCall, signal: AbortSignal): Promise<Response> {
    const route = this.#table.find(call.method, call.path);
    if (route === undefined) throw new BusError("not_found", "this address does not exist");
    return this.#pass(route, call, signal);
  }

  #answer(route: Route, request: Request, caller: Principal, path: string): Response | Promise<Response> {
    if (this.#host.isHere) return route.answer(request, caller, path);
    if (route.access === "consume") requireConsume(caller, nameIn(route, path));
    return this.#relay(route, request, caller);
  }

  async #relay(route: Route, request: Request, caller: Principal): Promise<Response> {
    const body = await readBody(request, MAX_BODY_BYTES);
    this.#gate.requireValid(caller);
    const call = callOf(request, caller.name, body);
    const leaving = new AbortController();
    const guest: Guest = {
      expel: () => leaving.abort(new BusError("token_invalid", "the token has expired or was revoked")),
    };
    const abandon = () => leaving.abort(request.signal.reason);
    request.signal.addEventListener("abort", abandon);
    this.#gate.guests.add(caller, guest);
    try {
      return await this.#pass(route, call, leaving.signal);
    } finally {
      request.signal.removeEventListener("abort", abandon);
      this.#gate.guests.delete(caller, guest);
    }
  }

  /** Handles the call here or on the node that serves; retries if that is lost and the call may be repeated. */
  async #pass(route: Route, call: RelayedCall, signal: AbortSignal): Promise<Response> {
    const deadlineMs = performance.now() + BUDGET_MS;
    for (;;) {
      signal.throwIfAborted();
      if (await this.#host.find(route.method === "PUT")) return await this.#handle(route, call, signal);
      try {
        return decodeResponse(await this.#host.ask(encodeCall(call), signal));
      } catch (error) {
        const mayRepeat = error instanceof HostLost && (error.isCertain || route.isRepeatable);
        if (!mayRepeat || performance.now() > deadlineMs) throw error;
        await Bun.sleep(PAUSE_MS);
      }
    }
  }

  async #handle(route: Route, call: RelayedCall, signal: AbortSignal): Promise<Response> {
    const request = requestOf(call, signal);
    try {
      return await route.answer(request, { ...anybody, name: call.caller }, call.path);
    } catch (error) {
      return this.#fail(error, request);
    }
  }

  /** Handles the call of another node, if this one still serves. */
  async #serve(bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    if (!this.#host.isHere) throw new HostLost(true);
    const call = decodeCall(bytes);
    const route = this.#table.find(call.method, call.path);
    if (route === undefined) throw new HostLost(true);
    return encodeResponse(await this.#handle(route, call, signal));
  }
}

function nameIn(route: Route, path: string): string {
  return decodedSegment(segmentAt(path, route.path.indexOf(":")));
}
