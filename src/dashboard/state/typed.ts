import { useEffect, useRef, useState } from "preact/hooks";

/** Pause in typing after which what was typed counts, in milliseconds. */
const REST_MS = 200;

/**
 * The text of a field that is typed into. `onTyped` is called when typing pauses; if `value` changes by other means, for
 * example by Back, it wins.
 */
export function useTyped(
  value: string,
  onTyped: (text: string) => void,
): readonly [text: string, type: (text: string) => void] {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    if (value !== sent.current) setText(value);
    sent.current = value;
  }, [value]);
  useEffect(() => {
    if (text === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = text;
      onTyped(text);
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return [text, setText];
}
