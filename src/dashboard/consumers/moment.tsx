import { dateAndClock } from "../text/format.ts";

/** A time with its date, which a narrow window has no room for. */
export function Moment({ at }: { readonly at: string }) {
  const [date = "", clock = ""] = dateAndClock(at).split(" ");
  return (
    <time dateTime={at} title={at}>
      <span class="date">{date} </span>
      {clock.slice(0, 8)}
    </time>
  );
}
