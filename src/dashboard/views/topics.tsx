import { Notice } from "../parts/states.tsx";

export function TopicsView(_: object & Record<string, unknown>) {
  return <Notice title="TopicsView" />;
}
