import { Notice } from "../parts/states.tsx";

export function SingleEventView(_: object & Record<string, unknown>) {
  return <Notice title="SingleEventView" />;
}
