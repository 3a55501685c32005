/** Hands files from one view to another, where they were dropped in the wrong one. */
import { createContext, use, useCallback, useEffect, useMemo, useRef, type ReactNode } from "react";

interface Handoff {
  give: (files: File[]) => void;
  /** The files, once. */
  take: () => File[];
}

const HandoffContext = createContext<Handoff>({ give: () => undefined, take: () => [] });

export function HandoffProvider({ children }: { children: ReactNode }) {
  const files = useRef<File[]>([]);
  const give = useCallback((given: File[]) => {
    files.current = given;
  }, []);
  const take = useCallback(() => {
    const taken = files.current;
    files.current = [];
    return taken;
  }, []);
  const value = useMemo(() => ({ give, take }), [give, take]);
  return <HandoffContext value={value}>{children}</HandoffContext>;
}

/** Gives files to the view that is navigated to next. */
export function useGiveFiles(): Handoff["give"] {
  return use(HandoffContext).give;
}

/** Calls back with the files that another view has given, once. */
export function useGivenFiles(onFiles: (files: File[]) => void): void {
  const { take } = use(HandoffContext);
  useEffect(() => {
    const files = take();
    if (files.length > 0) queueMicrotask(() => onFiles(files));
  }, [take, onFiles]);
}
