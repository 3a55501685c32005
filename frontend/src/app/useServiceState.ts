import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useHealth, type Health } from "@/lib/api";

export type ServiceState = Health["status"] | "unreachable" | "connecting";

export function useServiceState(): ServiceState {
  const { data, isError, isPending } = useHealth();
  if (isPending) return "connecting";
  return isError ? "unreachable" : data.status;
}

/** When the service is back, everything that is shown is asked for anew. */
export function useRefreshOnReturn(state: ServiceState): void {
  const client = useQueryClient();
  const wasAway = useRef(false);
  useEffect(() => {
    if (state === "unreachable") wasAway.current = true;
    if (state !== "healthy" || !wasAway.current) return;
    wasAway.current = false;
    void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "health" });
  }, [client, state]);
}
