export const themes = ["auto", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const THEME_KEY = "eventbus.theme";

/** The choice made in this browser; `auto` follows the device. */
export function chosenTheme(): Theme {
  const stored = localStorage.getItem(THEME_KEY);
  return themes.find((theme) => theme === stored) ?? "auto";
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(THEME_KEY, theme);
  showTheme();
}

/** Applies the choice to the page. */
export function showTheme(): void {
  document.documentElement.dataset["theme"] = chosenTheme();
}
