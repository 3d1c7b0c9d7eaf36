/** A loaded page of a list. */
export interface Loaded<Page, Item> {
  page: Page;
  items: readonly Item[];
  /** The token of the next page. */
  next: string | undefined;
}

/**
 * A list that loads its pages on demand.
 *
 *     for await (const agent of client.agents.list()) …      all items, over all pages
 *     const { agents, next_token } = await client.agents.list({ page_size: 10 })      one page, as the API returns it
 *     const all = await client.agents.list().all()
 */
export class List<Page, Item> implements PromiseLike<Page>, AsyncIterable<Item> {
  private first: Promise<Loaded<Page, Item>> | undefined;
  private readonly load: (token?: string) => Promise<Loaded<Page, Item>>;

  /** @param load loads the page of a token, or the first page without one */
  constructor(load: (token?: string) => Promise<Loaded<Page, Item>>) {
    this.load = load;
  }

  /** Reads the first page. */
  // biome-ignore lint/suspicious/noThenProperty: awaiting a list reads its first page
  then<A = Page, B = never>(
    onPage?: ((page: Page) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.begin()
      .then(({ page }) => page)
      .then(onPage, onError);
  }

  /** Iterates over the pages. */
  async *pages(): AsyncGenerator<Page, void, undefined> {
    for await (const { page } of this.loads()) yield page;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for await (const { items } of this.loads()) yield* items;
  }

  /** Resolves with all items in one array, or the first `max`. */
  async all(max: number = Number.POSITIVE_INFINITY): Promise<Item[]> {
    const found: Item[] = [];
    for await (const { items } of this.loads()) {
      for (const item of items) found.push(item);
      if (found.length >= max) break;
    }
    return found.slice(0, max);
  }

  private begin(): Promise<Loaded<Page, Item>> {
    this.first ??= this.load();
    return this.first;
  }

  private async *loads(): AsyncGenerator<Loaded<Page, Item>, void, undefined> {
    let loaded = await this.begin();
    for (;;) {
      yield loaded;
      if (loaded.next === undefined) return;
      loaded = await this.load(loaded.next);
    }
  }
}
