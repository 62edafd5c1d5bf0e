import { Notice } from "../parts/states.tsx";

export function HistoryView(_: object & Record<string, unknown>) {
  return <Notice title="HistoryView" />;
}
