/**
 * Runs before the first paint, as a plain blocking script of its own: the chosen theme, so that a dark room never sees
 * a white flash. Without a choice the system's preference holds (`color-scheme: light dark` in styles.css).
 */
try {
  const chosen = localStorage.getItem("e2a.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is closed to us: the system's preference holds.
}
