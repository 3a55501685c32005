import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { watchEvents } from "@/lib/api/watching";

/** Stands for the service's stream of events. */
class FakeSource extends EventTarget {
  static readonly CLOSED = 2;
  static all: FakeSource[] = [];
  readyState = 1;
  onerror = () => undefined;
  constructor(readonly url: string) {
    super();
    FakeSource.all.push(this);
  }
  close(): void {
    this.readyState = FakeSource.CLOSED;
  }
  say(type: string, data: object): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data) }));
  }
}

const listener = { onTask: vi.fn(), onEnd: vi.fn(), onTrouble: vi.fn() };

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", FakeSource);
  FakeSource.all = [];
  vi.clearAllMocks();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("says so when nothing has come for a while, and listens on", () => {
  watchEvents("one", listener);
  FakeSource.all[0]?.say("progress", { task_id: "one" });
  vi.advanceTimersByTime(4_000);
  expect(listener.onTrouble).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2_000);
  expect(listener.onTrouble).toHaveBeenCalledOnce();
  FakeSource.all[0]?.say("progress", { task_id: "one" });
  expect(listener.onTask).toHaveBeenCalledTimes(2);
});

it("opens the stream anew where it was refused", () => {
  watchEvents("one", listener);
  FakeSource.all[0]?.close();
  FakeSource.all[0]?.onerror();
  expect(listener.onTrouble).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(3_000);
  expect(FakeSource.all).toHaveLength(2);
});

it("is over with the last event", () => {
  watchEvents("one", listener);
  FakeSource.all[0]?.say("end", { task_id: "one", status: "succeeded" });
  expect(listener.onTask).toHaveBeenCalledOnce();
  expect(listener.onEnd).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(60_000);
  expect(listener.onTrouble).not.toHaveBeenCalled();
  expect(FakeSource.all).toHaveLength(1);
});
