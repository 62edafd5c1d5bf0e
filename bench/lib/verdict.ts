import type { Row } from "./bench.ts";
import { maximum, median } from "./stats.ts";

/** A row in numbers that can be shown, and whether it is as good as it must be. */
export interface Verdict {
  /** The median of the rounds; the worst of them where the target is about the worst. */
  readonly value: number;
  readonly control?: number;
  readonly ratio?: number;
  /** What must hold, in words; empty when the row has no target. */
  readonly target: string;
  /** Undefined when the row has no target. */
  readonly isMet?: boolean;
}

export function judge({ values, control, target, unit }: Row): Verdict {
  const middle = target?.of === "excess" ? maximum : median;
  const value = middle(values);
  const controlValue = control && middle(control.values);
  const compared = controlValue === undefined ? {} : { control: controlValue, ratio: value / controlValue };
  if (target === undefined) return { value, ...compared, target: "" };
  const judged = { value, ratio: compared.ratio ?? Number.NaN, excess: value - (controlValue ?? Number.NaN) }[
    target.of
  ];
  const sign = target.is === "at least" ? "≥" : "≤";
  const what = {
    value: `${sign} ${show(target.bound)} ${unit}`,
    ratio: `${sign} ${target.bound} × the control`,
    excess: `${sign} ${target.bound} ${unit} over the control`,
  };
  const isMet = target.is === "at least" ? judged >= target.bound : judged <= target.bound;
  return { value, ...compared, target: what[target.of], isMet };
}

/** Three significant digits, with thousands separated. */
export function show(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return value === 0 ? "0" : String(Number(value.toPrecision(3)));
}

export function showRatio(ratio: number | undefined): string {
  return ratio === undefined ? "" : `${ratio >= 0.1 && ratio < 10 ? ratio.toFixed(2) : show(ratio)} ×`;
}

export function showMet(isMet: boolean | undefined): string {
  return isMet === undefined ? "" : isMet ? "ok" : "MISSED";
}
