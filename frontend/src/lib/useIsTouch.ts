import { useSyncExternalStore } from "react";

const QUERY = "(pointer: coarse)";

/** Whether a finger does the pointing, as on a phone: nothing can be dropped there, nor pasted by keys. */
export function useIsTouch(): boolean {
  return useSyncExternalStore(subscribe, isTouch);
}

function subscribe(notify: () => void): () => void {
  const list = pointers();
  list?.addEventListener("change", notify);
  return () => list?.removeEventListener("change", notify);
}

function isTouch(): boolean {
  return pointers()?.matches ?? false;
}

function pointers(): MediaQueryList | undefined {
  return typeof matchMedia === "function" ? matchMedia(QUERY) : undefined;
}
