/** A page in a browser. */
export interface Page {
  /** Its address, after redirects. */
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly forms: readonly Form[];
}

interface Form {
  /** The absolute URL. */
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Redirects that a browser follows (Fetch 4.4 allows 20). */
const REDIRECTS_MAX = 20;

/** The parts of a browser that signing in needs: cookies by host, redirects, links, and forms with their Origin. */
export class Browser {
  private readonly jars = new Map<string, Map<string, string>>();

  /** The Cookie header for a URL. */
  cookies(url: string): string {
    return [...this.jar(url)].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  setCookie(url: string, name: string, value: string): void {
    this.jar(url).set(name, value);
  }

  /** Opens a URL and follows redirects. Stops before a URL for which `until` returns true. */
  async open(url: string, until: (url: string) => boolean = () => false): Promise<Page> {
    return this.follow(await this.request(url), url, until);
  }

  /** Submits the page's form whose action ends in `to`, with the typed values. */
  async submit(page: Page, to: string, typed: Record<string, string> = {}): Promise<Page> {
    const form = page.forms.find(({ action }) => action.endsWith(to));
    if (!form) throw new Error(`${page.url} has no form for ${to}:\n${page.text}`);
    const allowed = /form-action ([^;]+)/.exec(page.headers.get("content-security-policy") ?? "")?.[1] ?? "";
    const { origin, pathname } = new URL(form.action);
    if (allowed !== (origin === new URL(page.url).origin ? "'self'" : origin + pathname))
      throw new Error(`The policy lets forms go to ${allowed}, not to ${form.action}.`);
    const response = await this.request(form.action, {
      method: "POST",
      headers: { origin: new URL(page.url).origin },
      body: new URLSearchParams({ ...form.fields, ...typed }),
    });
    return this.follow(response, form.action);
  }

  /** Opens the page's link with this text. */
  click(page: Page, text: string): Promise<Page> {
    const href = new RegExp(`<a[^>]* href="([^"]*)"[^>]*>${text}</a>`).exec(page.text)?.[1];
    if (!href) throw new Error(`${page.url} has no link "${text}":\n${page.text}`);
    return this.open(new URL(unescaped(href), page.url).href);
  }

  /** Makes a request with the cookies of its host. */
  async request(url: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Response> {
    const cookie = this.cookies(url);
    const headers = { "user-agent": "Test Browser/1.0", ...init.headers, ...(cookie ? { cookie } : {}) };
    const response = await fetch(url, { ...init, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [pair = "", ...attributes] = line.split("; ");
      const [name = "", value = ""] = pair.split(/=(.*)/s);
      const gone = attributes.some((text) => /^(max-age=0$|expires=Thu, 01 Jan 1970)/i.test(text));
      if (gone) this.jar(url).delete(name);
      else this.jar(url).set(name, value);
    }
    return response;
  }

  private async follow(
    first: Response,
    firstUrl: string,
    until: (url: string) => boolean = () => false,
  ): Promise<Page> {
    let [response, url] = [first, firstUrl];
    for (let n = 0; n < REDIRECTS_MAX && response.status >= 300 && response.status < 400; n++) {
      const next = new URL(response.headers.get("location") ?? "", url).href;
      if (until(next)) return { url: next, status: response.status, headers: response.headers, text: "", forms: [] };
      await response.body?.cancel();
      url = next;
      response = await this.request(url);
    }
    const text = await response.text();
    return { url, status: response.status, headers: response.headers, text, forms: formsOf(text, url) };
  }

  private jar(url: string): Map<string, string> {
    const { host } = new URL(url);
    const jar = this.jars.get(host) ?? new Map<string, string>();
    this.jars.set(host, jar);
    return jar;
  }
}

function formsOf(text: string, base: string): Form[] {
  return [...text.matchAll(/<form[^>]* action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].map(([, action = "", inner = ""]) => ({
    action: new URL(unescaped(action), base).href,
    fields: Object.fromEntries(
      [...inner.matchAll(/<input[^>]* name="([^"]*)"(?:[^>]* value="([^"]*)")?/g)].map(([, name = "", value = ""]) => [
        name,
        unescaped(value),
      ]),
    ),
  }));
}

function unescaped(text: string): string {
  const names: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };
  return text.replace(/&(amp|lt|gt|quot|#x27);/g, (_, name: string) => names[name] ?? "");
}
