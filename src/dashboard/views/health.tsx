import { Notice } from "../parts/states.tsx";

export function HealthView(_: object & Record<string, unknown>) {
  return <Notice title="HealthView" />;
}
