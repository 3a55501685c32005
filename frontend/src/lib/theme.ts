import { useSyncExternalStore } from "react";
import { readSetting, writeSetting } from "./settings";

export type Theme = "light" | "dark";

const SETTING = "theme";
const listeners = new Set<() => void>();

/** Put the chosen theme into force; without a choice the system's holds. Before the first paint. */
export function applyTheme(): void {
  const chosen = readSetting(SETTING);
  if (chosen) document.documentElement.dataset["theme"] = chosen;
}

export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore(subscribe, currentTheme);
  return [theme, setTheme];
}

function setTheme(theme: Theme): void {
  writeSetting(SETTING, theme);
  document.documentElement.dataset["theme"] = theme;
  listeners.forEach((notify) => notify());
}

function subscribe(notify: () => void): () => void {
  const system = systemDark();
  listeners.add(notify);
  system?.addEventListener("change", notify);
  return () => {
    listeners.delete(notify);
    system?.removeEventListener("change", notify);
  };
}

function currentTheme(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "light" || chosen === "dark") return chosen;
  return systemDark()?.matches ? "dark" : "light";
}

function systemDark(): MediaQueryList | undefined {
  return typeof matchMedia === "function" ? matchMedia("(prefers-color-scheme: dark)") : undefined;
}
