interface Page {
  messages: { message_id: string }[];
}

/**
 * The pages of a list with what is new in `fresh`, its newest page as it is now, on top. Null when more came than one page
 * holds: the list has to begin anew, or it would have a hole.
 */
export function withNewest<P extends Page>(pages: readonly P[], fresh: P): P[] | null {
  const known = new Set(pages.flatMap((page) => page.messages.map(({ message_id }) => message_id)));
  const news = fresh.messages.filter(({ message_id }) => !known.has(message_id));
  const [first, ...rest] = pages;
  if (first === undefined || news.length === fresh.messages.length) return null;
  return [{ ...first, messages: [...news, ...first.messages] }, ...rest];
}
