import { useEffect, useState } from "preact/hooks";
import { ConnectionLight } from "./parts/connection-light.tsx";
import { TokenButton, TokenDialog } from "./parts/token.tsx";
import { type Parts, startParts } from "./state/parts.ts";
import { type Route, routeTo, useRoute, type View, views } from "./state/route.ts";
import { useStores } from "./state/store.ts";
import { chooseTheme, chosenTheme, themes } from "./state/theme.ts";
import { ConsumersView } from "./views/consumers.tsx";
import { HealthView } from "./views/health.tsx";
import { HistoryView } from "./views/history.tsx";
import { LiveView } from "./views/live.tsx";
import { PublishView } from "./views/publish.tsx";
import { SingleEventView } from "./views/single-event.tsx";
import { TokensView } from "./views/tokens.tsx";
import { TopicsView } from "./views/topics.tsx";

const NAMES = {
  live: "Live",
  history: "History",
  topics: "Topics",
  consumers: "Consumers",
  publish: "Publish",
  tokens: "Tokens",
  health: "Health",
} as const;

const THEME_SIGNS = { auto: "◐", light: "○", dark: "●" } as const;
const THEME_WORDS = { auto: "as the device", light: "light", dark: "dark" } as const;

/** The page: a bar with the views, the state of the connection, and the view that the address names. */
export function App() {
  const [parts] = useState(startParts);
  const route = useRoute();
  const current = route.view === "event" ? "history" : route.view;
  useEffect(() => {
    document.title = [route.name, NAMES[current], "eventbus"].filter(Boolean).join(" · ");
  }, [current, route.name]);
  return (
    <>
      <header class="top">
        <a class="skip" href={location.hash} onClick={skipToView}>
          Skip to content
        </a>
        <a class="brand" href={routeTo("live")} aria-label="eventbus: live events">
          <Mark />
          <b>eventbus</b>
        </a>
        <nav aria-label="Views">
          {views.map((view) => (
            <ViewLink key={view} view={view} isCurrent={view === current} tail={parts.tail} />
          ))}
          <a class="docs" href="swagger">
            API
          </a>
        </nav>
        <div class="status">
          <ConnectionLight tail={parts.tail} monitor={parts.monitor} session={parts.session} />
          <TokenButton session={parts.session} />
          <ThemeButton />
        </div>
      </header>
      <main id="view" tabIndex={-1}>
        <CurrentView parts={parts} route={route} />
      </main>
      <TokenDialog session={parts.session} />
    </>
  );
}

function CurrentView({ parts, route }: { readonly parts: Parts; readonly route: Route }) {
  const shown: Record<View, () => preact.JSX.Element> = {
    live: () => <LiveView {...parts} query={route.query} />,
    history: () => <HistoryView {...parts} query={route.query} />,
    event: () => <SingleEventView {...parts} id={route.id ?? 0} />,
    topics: () => <TopicsView {...parts} query={route.query} />,
    consumers: () => <ConsumersView {...parts} query={route.query} name={route.name} />,
    publish: () => <PublishView {...parts} query={route.query} />,
    tokens: () => <TokensView {...parts} query={route.query} />,
    health: () => <HealthView {...parts} />,
  };
  return shown[route.view]();
}

interface ViewLinkProps {
  readonly view: Exclude<View, "event">;
  readonly isCurrent: boolean;
  readonly tail: Parts["tail"];
}

/** The link to the live view has the filter in use, as the tail continues while another view is shown. */
function ViewLink({ view, isCurrent, tail }: ViewLinkProps) {
  useStores(tail);
  const { pattern, source } = tail.filter;
  const query = view === "live" ? { pattern: pattern === "*" ? "" : pattern, source } : {};
  return (
    <a href={routeTo(view, query)} aria-current={isCurrent ? "page" : undefined}>
      {NAMES[view]}
    </a>
  );
}

function skipToView(click: Event): void {
  click.preventDefault();
  document.getElementById("view")?.focus();
}

/** Cycles through the device's theme, light, and dark. */
function ThemeButton() {
  const [theme, setTheme] = useState(chosenTheme);
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto";
  const change = () => {
    chooseTheme(next);
    setTheme(next);
  };
  return (
    <button type="button" class="quiet icon" onClick={change} title={`Colours: ${THEME_WORDS[theme]}`}>
      <span aria-hidden="true">{THEME_SIGNS[theme]}</span>
      <span class="offscreen">{`Colours: ${THEME_WORDS[theme]}. Change to ${THEME_WORDS[next]}`}</span>
    </button>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 16 16" width="20" height="20" aria-hidden="true">
      <rect width="16" height="16" rx="4" class="mark-ground" />
      <path d="M3 8h10" class="mark-line" />
      <circle cx="3.5" cy="8" r="1.7" class="mark-dot" />
      <circle cx="8" cy="8" r="1.7" class="mark-dot" />
      <circle cx="12.5" cy="8" r="1.7" class="mark-dot" />
    </svg>
  );
}
