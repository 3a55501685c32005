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
    expect(drag("dragenter").defaultPrevented).toBe(true);
    expect(incoming.areOver()).toBe(true);
    expect(drag("dragover").defaultPrevented).toBe(true);
    expect(drag("drop").defaultPrevented).toBe(true);
    expect(incoming.areOver()).toBe(false);
    expect(onFiles).toHaveBeenCalledExactlyOnceWith([file]);
  });

  it("are taken out of a dropped folder and the folders in it, by name", async () => {
    const incoming = new IncomingFiles();
    incoming.listen(window);
    const onFiles = vi.fn();
    incoming.take("documents", onFiles);
    const within = folder("within", ["page 10.png", "page 2.png", "notes.txt"]);
    dropFolders(folder("scans", ["a.pdf", ".hidden.pdf"], [within]));
    await vi.waitFor(() => expect(onFiles).toHaveBeenCalled());
    const [files] = onFiles.mock.calls[0] as [File[]];
    expect(files.map(({ name }) => name)).toEqual(["a.pdf", "page 2.png", "page 10.png"]);
    expect(incoming.listEmptyFolders()).toEqual([]);
  });

  it("are missed where a folder has none that can be read, until something else is dropped", async () => {
    const incoming = new IncomingFiles();
    incoming.listen(window);
    dropFolders(folder("notes", ["notes.txt"]));
    await vi.waitFor(() => expect(incoming.listEmptyFolders()).toEqual(["notes"]));
    drag("drop");
    expect(incoming.listEmptyFolders()).toEqual([]);
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

/** As browsers tell of it: in pieces, each by a callback. */
function folder(name: string, files: string[], folders: object[] = []): object {
  const entries = files.map((each) => ({
    name: each,
    isDirectory: false,
    file: (resolve: (file: File) => void) =>
      resolve(new File(["page"], each, { type: each.endsWith("png") ? "image/png" : "" })),
  }));
  const createReader = () => {
    const pieces = [[...folders, ...entries], []];
    return { readEntries: (resolve: (piece: object[]) => void) => resolve(pieces.shift() ?? []) };
  };
  return { name, isDirectory: true, createReader };
}

function dropFolders(...entries: object[]): void {
  const items = entries.map((entry) => ({ kind: "file", webkitGetAsEntry: () => entry }));
  fire(window, "drop", { dataTransfer: { files: [], items, types: ["Files"] } });
}

/** jsdom knows no DataTransfer. */
function fire(target: EventTarget, type: string, data: object): Event {
  const event = Object.assign(new Event(type, { bubbles: true, cancelable: true }), data);
  target.dispatchEvent(event);
  return event;
}
