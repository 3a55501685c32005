/** What a user chooses, and the form that asks the service for it. */
export const MODES = ["auto", "tiny", "small", "base", "large", "gundam"] as const;
export const TASKS = ["markdown", "ocr", "free", "figure", "describe", "locate", "custom"] as const;

export type Mode = (typeof MODES)[number];
export type OcrTask = (typeof TASKS)[number];

export interface ReadingOptions {
  mode: Mode;
  task: OcrTask;
  /** What to look for, with `locate`. */
  query: string;
  /** The user's own words, with `custom`. */
  prompt: string;
}

export interface DocumentOptions extends ReadingOptions {
  /** "1-3,7"; empty: all. */
  pages: string;
  dpi: string;
}

export const DEFAULT_OPTIONS: ReadingOptions = {
  mode: "auto",
  task: "markdown",
  query: "",
  prompt: "",
};

/** Whether the service would take these: a task that needs words has them. */
export function isComplete(options: ReadingOptions): boolean {
  if (options.task === "locate") return options.query.trim() !== "";
  return options.task !== "custom" || options.prompt.trim() !== "";
}

export function imageForm(file: File, options: ReadingOptions): FormData {
  return withReading(fileForm("image", file), options);
}

export function documentForm(file: File, options: DocumentOptions): FormData {
  const form = withReading(fileForm("pdf", file), options);
  if (options.pages.trim()) form.set("pages", plainRanges(options.pages));
  if (options.dpi.trim()) form.set("dpi", options.dpi.trim());
  return form;
}

/** With ASCII's signs, whatever the keyboard: "1－3，7" -> "1-3,7". */
function plainRanges(pages: string): string {
  return pages.trim().normalize("NFKC").replaceAll("、", ",").replaceAll(/[–—]/g, "-");
}

function fileForm(field: string, file: File): FormData {
  const form = new FormData();
  form.set(field, file, file.name);
  return form;
}

function withReading(form: FormData, options: ReadingOptions): FormData {
  form.set("mode", options.mode);
  form.set("task", options.task);
  if (options.task === "locate") form.set("query", options.query.trim());
  if (options.task === "custom") form.set("prompt", options.prompt.trim());
  return form;
}
