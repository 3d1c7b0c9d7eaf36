import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, ok } from "./client.ts";
import { keys } from "./keys.ts";
import { inPages, pageQuery, rowsOf } from "./pages.ts";

/** Decisions about held mail, newest first. */
export const auditQuery = infiniteQueryOptions({
  ...inPages,
  queryKey: [...keys.audit, "list"],
  queryFn: ({ pageParam, signal }) => ok(api.GET("/api/v1/audit", { params: { query: pageQuery(pageParam) }, signal })),
  select: rowsOf("entries"),
});
