import { Notice } from "../parts/states.tsx";

export function PublishView(_: object & Record<string, unknown>) {
  return <Notice title="PublishView" />;
}
