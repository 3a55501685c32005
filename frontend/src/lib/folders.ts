/** The files of dropped folders. Without this the browser gives a folder as a file that cannot be read. */
import { isReadable } from "./files";

/** What falls on the window: folders, and files beside them. */
export interface Dropped {
  files: File[];
  folders: FileSystemDirectoryEntry[];
}

/** Must be asked for while the drop is handled: afterwards the browser tells nothing any more. */
export function takeDropped(transfer: DataTransfer): Dropped {
  const items = [...(transfer.items ?? [])].filter(({ kind }) => kind === "file");
  const folders = items.map((item) => item.webkitGetAsEntry?.() ?? null).filter(isFolder);
  if (folders.length === 0) return { files: [...transfer.files], folders };
  const files = items
    .filter((item) => !isFolder(item.webkitGetAsEntry()))
    .map((item) => item.getAsFile())
    .filter((file) => file !== null);
  return { files, folders };
}

/** All files in it that can be read, and in the folders within, by name. */
export async function readableFiles(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const entries = await listEntries(folder);
  const found: File[] = [];
  for (const entry of entries.sort(byName)) {
    if (isFolder(entry)) found.push(...(await readableFiles(entry)));
    else found.push(await getFile(entry as FileSystemFileEntry));
  }
  return found.filter((file) => isReadable(file) && !file.name.startsWith("."));
}

function isFolder(entry: FileSystemEntry | null): entry is FileSystemDirectoryEntry {
  return entry?.isDirectory ?? false;
}

/** The browser gives them in pieces, of 100 in Chromium; an empty one is the end. */
async function listEntries(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return all;
    all.push(...some);
  }
}

function getFile(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** Page 2 stands before page 10. */
function byName(one: FileSystemEntry, other: FileSystemEntry): number {
  return one.name.localeCompare(other.name, undefined, { numeric: true });
}
