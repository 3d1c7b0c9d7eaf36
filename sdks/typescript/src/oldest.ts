/** Removes the oldest entries beyond `max`. */
export function dropOldest(items: Map<string, unknown> | Set<string>, max: number): void {
  for (const oldest of items.keys()) {
    if (items.size <= max) return;
    items.delete(oldest);
  }
}
