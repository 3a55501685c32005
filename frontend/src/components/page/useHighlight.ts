import { useCallback, useState } from "react";

/** The block that is lit up, on both sides, and the side that lit it: the other one scrolls. */
export interface Highlight {
  index: number | null;
  from: "text" | "picture" | null;
  light: (index: number | null, from: "text" | "picture") => void;
}

export function useHighlight(): Highlight {
  const [state, setState] = useState<Pick<Highlight, "index" | "from">>({
    index: null,
    from: null,
  });
  const light = useCallback<Highlight["light"]>((index, from) => {
    setState((old) => (old.index === index && old.from === from ? old : { index, from }));
  }, []);
  return { ...state, light };
}
