import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/problem.ts";
import { router } from "./routes.tsx";

/** Live updates tell what has changed; this only keeps a quick walk through the pages from asking twice. */
const STALE_MS = 15_000;
const RETRIES_MAX = 2;

/** Trying again helps when the server is away or overwhelmed, and not when it has refused. */
const worthRetrying = (error: unknown) =>
  !(error instanceof ApiError) || error.status === 0 || error.status === 429 || error.status >= 500;

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: STALE_MS,
      retry: (failures, error) => failures < RETRIES_MAX && worthRetrying(error),
      // The server is on this network or on this machine: the browser's idea of "online" says nothing about it.
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
