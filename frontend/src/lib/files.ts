/** Files as they come in, and texts as they go out. */
export function isDocument(file: File): boolean {
  return file.type === "application/pdf" || /\.pdf$/i.test(file.name);
}

/** A TIFF may be either: one picture, or a document of several frames. */
export function isTiff(file: File): boolean {
  return file.type === "image/tiff" || /\.tiff?$/i.test(file.name);
}

export function isPicture(file: File): boolean {
  return (
    (file.type.startsWith("image/") && !isTiff(file)) || /\.(heic|heif|avif)$/i.test(file.name)
  );
}

/** Whether the service can make something of it, as far as its name and type tell. */
export function isReadable(file: File): boolean {
  return isDocument(file) || isTiff(file) || isPicture(file);
}

export function baseName(filename: string): string {
  return filename.replace(/\.[^.]+$/, "") || "page";
}

export function saveText(text: string, filename: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  URL.revokeObjectURL(url);
}

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** Over plain HTTP from another machine there is no clipboard API. */
function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
