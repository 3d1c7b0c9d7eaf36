/**
 * Applies the chosen theme before the first paint, as a separate blocking script, so that a dark page never flashes
 * white. Without a choice the system's preference holds (`color-scheme: light dark` in styles.css).
 */
try {
  const chosen = localStorage.getItem("e2a.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is blocked: the system's preference holds.
}
