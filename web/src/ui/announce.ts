/** Says something to screen readers without moving the focus; the shell holds the region that is read out. */
export function announce(text: string): void {
  const region = document.getElementById("announcer");
  if (!region) return;
  // The same words twice are a change only when they were gone in between.
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}
