import type { Delivery } from "../../bus/consumers/task.ts";

/** The members of a delivery as JSON text, without the braces around them; the event as it was published. */
export function deliveryMembers({ delivery, attempt, event, gap }: Delivery): string {
  const content = event === undefined ? `"gap":${JSON.stringify(gap)}` : `"event":${event.json}`;
  return `"delivery":"${delivery}","attempt":${attempt},${content}`;
}
