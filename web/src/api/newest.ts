interface Page {
  messages: { message_id: string }[];
}

/**
 * Adds the new rows of `fresh`, the list's current newest page, on top of its pages. Null if more rows came than one
 * page holds: the list must be fetched again, or it would have a gap.
 */
export function withNewest<P extends Page>(pages: readonly P[], fresh: P): P[] | null {
  const known = new Set(pages.flatMap((page) => page.messages.map(({ message_id }) => message_id)));
  const news = fresh.messages.filter(({ message_id }) => !known.has(message_id));
  const [first, ...rest] = pages;
  if (first === undefined || news.length === fresh.messages.length) return null;
  return [{ ...first, messages: [...news, ...first.messages] }, ...rest];
}
