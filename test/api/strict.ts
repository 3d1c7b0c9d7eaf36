/** Unknown input is refused: members of bodies, at any depth, and query parameters. */
import { describe, expect, test } from "bun:test";
import type { ApiWorld } from "./world.ts";

interface Operation {
  operationId: string;
  security?: unknown[];
  requestBody?: { content: Record<string, { schema: { additionalProperties?: unknown } }> };
}

export function strictCases(it: ApiWorld): void {
  /** Every operation that needs a key, for an existing agent and its message. */
  const operations = async () => {
    const agent = await it.newAgent();
    await it.send(agent, "Hello");
    const [{ message_id: id }] = (await it.inbox(agent)).body.messages;
    const params: Record<string, string> = { email: agent, id };
    const { body } = await it.api.get("/api/v1/openapi.json");
    return Object.entries(body.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) =>
        operation.security?.length === 0
          ? []
          : [
              {
                method: method.toUpperCase(),
                path: path.replace(/\{(\w+)\}/g, (_, name) => params[name] ?? "nothing"),
                operation,
              },
            ],
      ),
    );
  };
  const complaintsOf = (body: { errors?: { field: string; message: string }[] }) =>
    Object.fromEntries((body?.errors ?? []).map(({ field, message }) => [field, message]));
  const unknown = expect.stringMatching(/^is unknown/);

  describe("members that are given twice", () => {
    test("are refused, wherever they stand and however they are spelt", async () => {
      const agent = await it.newAgent();
      const path = `/api/v1/agents/${agent}`;
      const send = (more: string) => `{"from":"${agent}","to":["ann@outside.example"],"subject":"s","body":"b"${more}}`;
      const rows: [method: string, path: string, body: string, field: string][] = [
        ["PATCH", path, `{"hitl_enabled":true,"hitl_enabled":false}`, "hitl_enabled"],
        ["PATCH", path, `{"hitl_enabled":true,"hitl\\u005fenabled" : false}`, "hitl_enabled"],
        ["PATCH", path, `{"name":"\\"a\\\\","hitl_rules":{"outside":true,"outside":false}}`, "hitl_rules.outside"],
        ["POST", "/api/v1/send", send(`,"to":["eve@outside.example"]`), "to"],
        [
          ...(["POST", "/api/v1/send"] as const),
          send(`,"attachments":[{"filename":"a","data":""},{"data":"YQ==","filename":"b","data":"Yg=="}]`),
          "attachments.1.data",
        ],
      ];
      for (const [method, at, body, field] of rows) {
        const answer = await it.api.call(method, at, { body, headers: { "content-type": "application/json" } });
        expect({ body, status: answer.status, errors: answer.body.errors }).toEqual({
          ...{ body, status: 400, errors: [{ field, message: "is given twice" }] },
        });
      }
      // The same name in two objects, or as a value, is not a duplicate.
      const fine = send(
        `,"headers":{"X-A":"to"},"attachments":[{"filename":"data","data":""},{"filename":"b","data":""}]`,
      );
      const sent = await it.api.call("POST", "/api/v1/send", {
        ...{ body: fine, headers: { "content-type": "application/json" } },
      });
      expect(sent.status).toBe(200);
      expect((await it.api.get(path)).body).toMatchObject({ hitl_enabled: false, hitl_rules: null });
      expect((await it.api.get(`/api/v1/messages?agent=${agent}`)).body.messages).toHaveLength(1);
    });
  });

  describe("members and parameters that nobody knows", () => {
    test("are refused by every operation, by name", async () => {
      const all = await operations();
      expect(all.length).toBeGreaterThan(50);
      for (const { method, path, operation } of all) {
        const asked = await it.api.call(method, `${path}?mystery_one=1`);
        expect([operation.operationId, complaintsOf(asked.body)]).toEqual([
          operation.operationId,
          expect.objectContaining({ mystery_one: unknown }),
        ]);
        if (method === "GET") continue;
        const { status, body } = await it.api.call(method, path, { body: { mystery_one: true } });
        expect([operation.operationId, status, complaintsOf(body)]).toEqual([
          ...[operation.operationId, 400],
          expect.objectContaining({ mystery_one: unknown }),
        ]);
      }
    });

    test("are refused by the description of every body", async () => {
      for (const { operation } of await operations()) {
        const schema = operation.requestBody?.content["application/json"]?.schema;
        if (schema)
          expect([operation.operationId, schema.additionalProperties]).toEqual([operation.operationId, false]);
      }
    });

    test("leave a gate as it was and keep mail from leaving, and tell what was meant", async () => {
      const agent = await it.newAgent();
      const path = `/api/v1/agents/${agent}`;
      const mail = { from: agent, to: ["ann@outside.example"], subject: "Hello", body: "Good day." };
      const file = { filename: "a.txt", data: "" };
      const rows: [method: string, path: string, body: object, errors: Record<string, string | RegExp>][] = [
        ["PATCH", path, { hitl_enable: true }, { hitl_enable: "is unknown: did you mean hitl_enabled?" }],
        ["PUT", path, { hitlEnabled: true }, { hitlEnabled: "is unknown: did you mean hitl_enabled?" }],
        ["PATCH", path, { hitl_rules: { outsied: true } }, { "hitl_rules.outsied": /did you mean outside/ }],
        [
          "POST",
          "/api/v1/send",
          { ...mail, send_at: "2030-01-01T00:00:00Z" },
          { send_at: /^is unknown: known are .*to,/ },
        ],
        ["POST", "/api/v1/send", { ...mail, html: "<b>" }, { html: "is unknown: did you mean html_body?" }],
        ["POST", "/api/v1/send", { ...mail, attachment: [] }, { attachment: "is unknown: did you mean attachments?" }],
        [
          ...(["POST", "/api/v1/send"] as const),
          { ...mail, attachments: [{ ...file, contentType: "text/plain" }] },
          { "attachments.0.contentType": "is unknown: did you mean content_type?" },
        ],
        ["POST", `${path}/check`, { ...mail, hitl: true }, { hitl: /^is unknown/ }],
      ];
      for (const [method, at, body, errors] of rows) {
        const answer = await it.api.call(method, at, { body });
        const expected = Object.entries(errors).map(([field, says]) => ({
          ...{ field, message: typeof says === "string" ? says : expect.stringMatching(says) },
        }));
        expect([at, answer.status, answer.body.errors]).toEqual([at, 400, expected]);
      }
      const two = await it.api.call("PATCH", path, { body: { hitl_enable: true, undo_seconds: 500 } });
      expect(two.body.detail).toBe(
        "hitl_enable is unknown: did you mean hitl_enabled? undo_seconds must be a whole number from 0 to 120.",
      );
      expect((await it.api.get(path)).body).toMatchObject({ hitl_enabled: false, hitl_rules: null });
      expect((await it.api.get(`/api/v1/messages?agent=${agent}`)).body.messages).toEqual([]);
    });

    test("are few in one answer, and short", async () => {
      const body = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${"é".repeat(200)}${i}`.slice(i), i]));
      const answer = await it.api.post("/api/v1/keys", body);
      expect(answer.status).toBe(400);
      expect(answer.body.errors.length).toBeLessThanOrEqual(50);
      for (const { field } of answer.body.errors) expect(field.length).toBeLessThanOrEqual(64);
    });

    test("in a query are named with what was meant; nothing is listed that was not asked for", async () => {
      const agent = await it.newAgent();
      const rows: [path: string, field: string, says: string][] = [
        [`/api/v1/agents/${agent}/messages?stauts=unread`, "stauts", "is unknown: did you mean status?"],
        [`/api/v1/agents/${agent}/messages?pageSize=1`, "pageSize", "is unknown: did you mean page_size?"],
        [`/api/v1/agents/${agent}/messages/msg_x?peak=true`, "peak", "is unknown: did you mean peek?"],
        [`/api/v1/agents/${agent}/messages?__proto__=1`, "__proto__", "is unknown"],
        [`/api/v1/agents/${agent}?expand=all`, "expand", "is unknown: none are allowed here"],
        [`/api/v1/agents/${agent}/ws?after=1`, "after", "is unknown: known are token"],
      ];
      for (const [path, field, says] of rows) {
        const { status, body } = await it.api.get(path);
        expect([path, status, body.errors]).toEqual([
          ...[path, 400],
          [{ field, message: expect.stringContaining(says) }],
        ]);
      }
    });

    test("are taken where a person opens a link that others have passed on", async () => {
      for (const path of ["/api/v1/approve?t=x", "/api/v1/reject?t=x"]) {
        const { body } = await it.api.as(null).get(`${path}&utm_source=mail&fbclid=1`);
        expect(body).toContain("<html");
        expect(body).not.toContain("utm_source");
      }
      expect((await it.api.as(null).get("/api/auth/login?utm_source=mail")).status).toBe(200);
      expect((await it.api.as(null).get("/api/health?probe=1")).status).toBe(200);
    });

    test("are taken in attachments that a reviewer hands back as they were shown", async () => {
      const agent = await it.newAgent();
      await it.api.patch(`/api/v1/agents/${agent}`, { hitl_enabled: true, hitl_notify_email: false });
      const { body: held } = await it.api.post("/api/v1/send", {
        ...{ from: agent, to: ["ann@outside.example"], subject: "Hello", body: "Good day." },
        attachments: [{ filename: "a.txt", content_type: "text/plain", data: "b25l" }],
      });
      const { body: shown } = await it.api.get(`/api/v1/messages/${held.message_id}`);
      const attachments = shown.attachments.map((one: object) => ({ ...one, data: "dHdv" }));
      const { body } = await it.api.post(`/api/v1/messages/${held.message_id}/approve`, { attachments });
      expect(body).toMatchObject({ status: "sent", edited: true });
    });

    test("an empty body is none, where none is taken", async () => {
      const agent = await it.newAgent();
      for (const body of [undefined, {}, "null", ""])
        expect((await it.api.post(`/api/v1/agents/${agent}/test`, body)).status).toBe(200);
      for (const body of ["[]", "0", '"x"', "{", `{"a":${" ".repeat(5_000)}1}`]) {
        const answer = await it.api.post(`/api/v1/agents/${agent}/test`, body);
        expect([body.slice(0, 9), answer.status, answer.body.errors[0].field]).toEqual([body.slice(0, 9), 400, "body"]);
      }
    });
  });
}
