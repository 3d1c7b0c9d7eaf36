/** Announces a text to screen readers without moving the focus; the shell has the live region. */
export function announce(text: string): void {
  const region = document.getElementById("announcer");
  if (!region) return;
  // Clear the region first: otherwise repeating the same text would not be a change.
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}
