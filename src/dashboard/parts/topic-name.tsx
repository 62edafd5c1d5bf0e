interface TopicNameProps {
  readonly topic: string;
  /** It is cut where it does not fit the line, and not broken. */
  readonly isOneLine?: boolean;
}

const HUES = 360;
/** The parts between which a topic may be broken. */
const PARTS = /\.?[^._]+_*|[._]/g;

/**
 * A topic, with a tick in the colour of all topics that begin with the same two segments. Where it does not fit a line, it is
 * broken before a dot or behind an underscore.
 */
export function TopicName({ topic, isOneLine = false }: TopicNameProps) {
  const end = topic.indexOf(".");
  const [first, rest] = end === -1 ? [topic, ""] : [topic.slice(0, end), topic.slice(end)];
  return (
    <span class="topic" style={{ "--hue": hueOf(topic) }} title={topic}>
      <span class="first">{first}</span>
      {isOneLine ? rest : [...rest.matchAll(PARTS)].map(({ 0: part, index }) => <Part key={index} text={part} />)}
    </span>
  );
}

function Part({ text }: { readonly text: string }) {
  return (
    <>
      <wbr />
      {text}
    </>
  );
}

/** A hue: the same for the same two segments, distributed over the circle by the golden ratio. */
function hueOf(topic: string): number {
  const kind = topic.split(".", 2).join(".");
  let hash = 7;
  for (let at = 0; at < kind.length; at++) hash = (hash * 31 + kind.charCodeAt(at)) >>> 0;
  return Math.round((hash * 0.618033988749895 * HUES) % HUES);
}
