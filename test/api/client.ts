import { expect } from "bun:test";
import { complaints, type OpenApi } from "./openapi-check.ts";

export interface ApiAnswer {
  status: number;
  headers: Headers;
  /** Parsed JSON; text if it is not JSON; null without a body. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read the shape that they expect
  body: any;
}

export interface ApiRequest {
  /** Sent as JSON, unless it is text or bytes. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Null sends no key. */
  key?: string | null;
}

/**
 * A client of the API that checks every answer: it must have a request id, a problem document if it is an error, and a
 * shape that the server's own OpenAPI document describes.
 */
export class ApiClient {
  private document: Promise<OpenApi> | undefined;

  constructor(
    readonly url: string,
    readonly key: string | null,
  ) {}

  /** The same server with another key. */
  as(key: string | null): ApiClient {
    const client = new ApiClient(this.url, key);
    client.document = this.describe();
    return client;
  }

  get(path: string, request: ApiRequest = {}): Promise<ApiAnswer> {
    return this.call("GET", path, request);
  }

  post(path: string, body?: unknown, request: ApiRequest = {}): Promise<ApiAnswer> {
    return this.call("POST", path, { ...request, body });
  }

  put(path: string, body: unknown): Promise<ApiAnswer> {
    return this.call("PUT", path, { body });
  }

  patch(path: string, body: unknown): Promise<ApiAnswer> {
    return this.call("PATCH", path, { body });
  }

  delete(path: string): Promise<ApiAnswer> {
    return this.call("DELETE", path);
  }

  async call(method: string, path: string, request: ApiRequest = {}): Promise<ApiAnswer> {
    const { body, key = this.key } = request;
    const encoded = body === undefined || typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(this.url + path, {
      method,
      redirect: "manual",
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...request.headers,
      },
      ...(body === undefined ? {} : { body: encoded ? (body as string) : JSON.stringify(body) }),
    });
    const text = await response.text();
    const contentType = response.headers.get("content-type");
    const json = contentType?.includes("json") && text !== "" ? JSON.parse(text) : text || null;
    expect(response.headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
    if (method !== "HEAD" && response.status >= 400 && contentType?.includes("json")) {
      expect(contentType).toBe("application/problem+json");
      expect(json.status).toBe(response.status);
      if (!response.headers.has("idempotency-replayed"))
        expect(json.request_id).toBe(response.headers.get("x-request-id"));
    }
    const answer = { status: response.status, contentType: text === "" ? null : contentType, body: json };
    if (method !== "HEAD")
      expect(complaints(await this.describe(), method, new URL(path, this.url).pathname, answer)).toEqual([]);
    return { status: response.status, headers: response.headers, body: json };
  }

  private describe(): Promise<OpenApi> {
    this.document ??= fetch(`${this.url}/api/v1/openapi.json`).then((response) => response.json() as Promise<OpenApi>);
    return this.document;
  }
}
