import { useState } from "preact/hooks";
import { chooseTheme, chosenTheme, themes } from "../state/theme.ts";

const SIGNS = { auto: "◐", light: "○", dark: "●" } as const;
const WORDS = { auto: "as the device", light: "light", dark: "dark" } as const;

/** Cycles through the device's theme, light, and dark. */
export function ThemeButton() {
  const [theme, setTheme] = useState(chosenTheme);
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto";
  const change = () => {
    chooseTheme(next);
    setTheme(next);
  };
  return (
    <button type="button" class="quiet icon" onClick={change} title={`Colours: ${WORDS[theme]}`}>
      <span aria-hidden="true">{SIGNS[theme]}</span>
      <span class="offscreen">{`Colours: ${WORDS[theme]}. Change to ${WORDS[next]}`}</span>
    </button>
  );
}
