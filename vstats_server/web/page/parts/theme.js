// Light, dark, or as the system has it; kept in this browser.

import { el, icon } from "./dom.js";

const KEY = "vstats theme";
const NEXT = { system: "light", light: "dark", dark: "system" };

function stored() {
  try {
    const theme = localStorage.getItem(KEY);
    return theme in NEXT ? theme : "system";
  } catch {
    return "system"; // a browser that keeps nothing
  }
}

/** Return the button that goes from one to the next. */
export function themeButton() {
  const button = el("button", { type: "button", class: "tool theme" });
  const use = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.replaceChildren(icon(`theme-${theme}`));
    button.setAttribute("aria-label", `Colours: ${theme}`);
    button.title = `Colours: ${theme}`;
    button.onclick = () => {
      try {
        localStorage.setItem(KEY, NEXT[theme]);
      } catch {
        // It holds until the page is left.
      }
      use(NEXT[theme]);
    };
  };
  use(stored());
  return button;
}
