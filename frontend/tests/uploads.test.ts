import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { UploadQueue } from "@/features/pdf/uploads";
import { DEFAULT_OPTIONS } from "@/lib/api";

const options = { ...DEFAULT_OPTIONS, pages: "1-2", dpi: "144" };

/** Stands for the network: requests wait until the test answers them. */
class FakeRequest {
  static all: FakeRequest[] = [];
  upload: { onprogress?: (event: object) => void } = {};
  onload = () => undefined;
  onerror = () => undefined;
  status = 0;
  responseText = "";
  body: FormData | null = null;
  open(): void {}
  abort(): void {}
  getResponseHeader(): null {
    return null;
  }
  send(body: FormData): void {
    this.body = body;
    FakeRequest.all.push(this);
  }
  answer(status: number, body: object): void {
    this.status = status;
    this.responseText = JSON.stringify(body);
    this.onload();
  }
}

beforeEach(() => {
  FakeRequest.all = [];
  vi.stubGlobal("XMLHttpRequest", FakeRequest);
});
afterEach(() => vi.unstubAllGlobals());

const files = (count: number) =>
  Array.from({ length: count }, (_, n) => new File(["%PDF"], `${String(n)}.pdf`));

it("uploads two at a time, each with the options", async () => {
  const queue = new UploadQueue();
  queue.add(files(3));
  expect(FakeRequest.all).toHaveLength(0);
  queue.start(options);
  expect(FakeRequest.all).toHaveLength(2);
  expect(FakeRequest.all[0]?.body?.get("pages")).toBe("1-2");
  FakeRequest.all[0]?.answer(202, { task_id: "one" });
  await vi.waitFor(() => expect(FakeRequest.all).toHaveLength(3));
  expect(queue.list()[0]).toMatchObject({ state: "taken", taskId: "one" });
});

it("keeps a refused file, and uploads it again with other options", async () => {
  const queue = new UploadQueue();
  queue.add(files(1));
  queue.start(options);
  FakeRequest.all[0]?.answer(400, { code: "invalid_input", detail: "pages: 5-2" });
  await vi.waitFor(() => expect(queue.list()[0]?.state).toBe("refused"));
  queue.start({ ...options, pages: "" }, queue.list()[0]?.id);
  expect(FakeRequest.all[1]?.body?.get("pages")).toBeNull();
});

it("has the browser ask before the page is left, while something is on its way up", async () => {
  const leave = () => window.dispatchEvent(new Event("beforeunload", { cancelable: true }));
  const queue = new UploadQueue();
  queue.add(files(1));
  expect(leave()).toBe(true);
  queue.start(options);
  expect(leave()).toBe(false);
  FakeRequest.all[0]?.answer(202, { task_id: "one" });
  await vi.waitFor(() => expect(leave()).toBe(true));
});
