/** What Docker's links and Kubernetes set in containers that stand beside one, or a Service, called `eventbus`. */
const LINK_NAME = /^EVENTBUS_(?:SERVICE_.*|PORT_.*|ENV_.*|NAME)$/;
const LINK_PORT = /^(?:tcp|udp|sctp):\/\//;

/** Whether a variable describes another container, and is none of our settings though it looks like one. */
export function isServiceLink(name: string, value: string | undefined): boolean {
  return LINK_NAME.test(name) || (name === "EVENTBUS_PORT" && value !== undefined && LINK_PORT.test(value));
}
