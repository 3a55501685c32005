import { describe, expect, it, vi } from "vitest";
import { IncomingFiles } from "@/lib/incoming";

const file = new File(["page"], "page.png", { type: "image/png" });

describe("incoming files", () => {
  it("wait for a view whose code is still on its way", async () => {
    const incoming = new IncomingFiles();
    incoming.give([file]);
    const onFiles = vi.fn();
    incoming.take("documents", onFiles);
    await Promise.resolve();
    expect(onFiles).toHaveBeenCalledExactlyOnceWith([file]);
  });

  it("that are for another view wait until it is there", async () => {
    const incoming = new IncomingFiles();
    const [onImage, onDocuments] = [vi.fn(), vi.fn()];
    const stop = incoming.take("image", onImage);
    incoming.give([file], "documents");
    stop();
    incoming.take("documents", onDocuments);
    await Promise.resolve();
    expect(onImage).not.toHaveBeenCalled();
    expect(onDocuments).toHaveBeenCalledExactlyOnceWith([file]);
  });

  it("dropped on the window are taken, and the browser stays on the page", () => {
    const incoming = new IncomingFiles();
    incoming.listen(window);
    const onFiles = vi.fn();
    incoming.take(null, onFiles);
    expect(drag("dragenter").defaultPrevented).toBe(false);
    expect(incoming.areOver()).toBe(true);
    expect(drag("dragover").defaultPrevented).toBe(true);
    expect(drag("drop").defaultPrevented).toBe(true);
    expect(incoming.areOver()).toBe(false);
    expect(onFiles).toHaveBeenCalledExactlyOnceWith([file]);
  });

  it("beside words for a text field are left alone", () => {
    const incoming = new IncomingFiles();
    incoming.listen(window);
    const onFiles = vi.fn();
    incoming.take(null, onFiles);
    const field = document.body.appendChild(document.createElement("input"));
    const clipboardData = { files: [file], types: ["text/plain", "Files"] };
    expect(fire(field, "paste", { clipboardData }).defaultPrevented).toBe(false);
    expect(fire(document.body, "paste", { clipboardData }).defaultPrevented).toBe(true);
    expect(onFiles).toHaveBeenCalledTimes(1);
  });
});

function drag(type: string): Event {
  return fire(window, type, { dataTransfer: { files: [file], types: ["Files"] } });
}

/** jsdom knows no DataTransfer. */
function fire(target: EventTarget, type: string, data: object): Event {
  const event = Object.assign(new Event(type, { bubbles: true, cancelable: true }), data);
  target.dispatchEvent(event);
  return event;
}
