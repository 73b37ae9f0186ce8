/** Dark, light, or as the system has it; remembered by this browser. */

import { toast } from "./parts/toast.js";

const KEY = "recog-theme";
const ORDER = ["system", "dark", "light"];

/** Use what was chosen here before. */
export function useTheme(theme = localStorage.getItem(KEY) ?? "system") {
  document.documentElement.style.colorScheme = theme === "system" ? "" : theme;
}

/** The next of: as the system, dark, light. */
export function nextTheme() {
  const next = ORDER[(ORDER.indexOf(localStorage.getItem(KEY) ?? "system") + 1) % ORDER.length];
  localStorage.setItem(KEY, next);
  useTheme(next);
  toast(next === "system" ? "As the system has it, dark or light" : `Always ${next}`);
}
