import { QueryClient } from "@tanstack/react-query";
import { toApiError } from "./errors";

const MAX_RETRIES = 3;

/** The cache of server state. Reads are tried again where waiting helps; nothing else is. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // The service may well run on this machine: the browser's idea of "offline" says nothing.
        networkMode: "always",
        staleTime: 1_000,
        retry: (count, error) => toApiError(error).isTransient && count < MAX_RETRIES,
        retryDelay: (count) => Math.min(500 * 2 ** count, 4_000),
      },
      mutations: { networkMode: "always", retry: false },
    },
  });
}
