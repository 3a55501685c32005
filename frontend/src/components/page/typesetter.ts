import { useSyncExternalStore, type ComponentType } from "react";

type View = ComponentType<{ text: string }>;

/**
 * Code that is fetched when it is needed. Not React's lazy: that shows its fallback for a third of a
 * second where the code is there in a tenth, and breaks the view where the service is away meanwhile.
 */
class Typesetter {
  private view: View | null = null;
  private isLoading = false;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly fetchCode: () => Promise<{ default: View }>) {}

  readonly current = (): View | null => this.view;

  readonly subscribe = (notify: () => void): (() => void) => {
    this.listeners.add(notify);
    void this.load();
    return () => this.listeners.delete(notify);
  };

  /** Where it fails, the next one who needs it tries again. */
  async load(): Promise<void> {
    if (this.view || this.isLoading) return;
    this.isLoading = true;
    try {
      this.view = (await this.fetchCode()).default;
      this.listeners.forEach((notify) => notify());
    } catch {
      // Text is shown as it is meanwhile.
    } finally {
      this.isLoading = false;
    }
  }
}

const plain = new Typesetter(() => import("./PlainMarkdown"));
const withMath = new Typesetter(() => import("./MathMarkdown"));

/** Fetch it while the text is still on its way: an effect of a view that will need it. */
export function preloadTypesetter(): void {
  void plain.load();
}

export function useTypesetter(hasMath: boolean): View | null {
  const typesetter = hasMath ? withMath : plain;
  return useSyncExternalStore(typesetter.subscribe, typesetter.current);
}
