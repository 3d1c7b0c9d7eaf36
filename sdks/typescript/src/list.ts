/** What every page of a list has. */
interface AnyPage {
  next_token?: string | undefined;
}

/**
 * A list that is read as far as it is looked at.
 *
 *     for await (const agent of client.agents.list()) …      every one, over all pages
 *     const { agents, next_token } = await client.agents.list({ page_size: 10 })      one page, as the API gives it
 *     const all = await client.agents.list().all()
 */
export class List<Page, Item> implements PromiseLike<Page>, AsyncIterable<Item> {
  private first: Promise<Page> | undefined;

  /** @param load a page by its token; the first without @param itemsOf what a page lists */
  constructor(
    private readonly load: (token?: string) => Promise<Page>,
    private readonly itemsOf: (page: Page) => readonly Item[],
  ) {}

  /** Reads the first page. */
  // biome-ignore lint/suspicious/noThenProperty: awaiting a list reads its first page
  then<A = Page, B = never>(
    onPage?: ((page: Page) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.firstPage().then(onPage, onError);
  }

  /** Page after page. */
  async *pages(): AsyncGenerator<Page, void, undefined> {
    let page = await this.firstPage();
    for (;;) {
      yield page;
      const { next_token } = page as AnyPage;
      if (next_token === undefined) return;
      page = await this.load(next_token);
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for await (const page of this.pages()) yield* this.itemsOf(page);
  }

  /** Everything in one array, or as much of it as `max` says. */
  async all(max: number = Number.POSITIVE_INFINITY): Promise<Item[]> {
    const items: Item[] = [];
    for await (const page of this.pages()) {
      items.push(...this.itemsOf(page));
      if (items.length >= max) break;
    }
    return items.slice(0, max);
  }

  private firstPage(): Promise<Page> {
    this.first ??= this.load();
    return this.first;
  }
}
