/** What every browser test needs: a service of its own, files to drop, and eyes for trouble. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  AxeBuilder,
  expect,
  test as base,
  type APIRequestContext,
  type Locator,
  type Page,
} from "../../frontend/e2e";

export { expect };

export const ROOT = join(import.meta.dirname, "../..");
export const PYTHON = process.env.PYTHON ?? join(ROOT, ".venv/bin/python");

/** What reads the pages: the small model, as shipped, or a script, where a page must go wrong. */
export type Reader = "model" | "script";

const COMMANDS: Record<Reader, readonly string[]> = {
  model: [join(dirname(PYTHON), "folio"), "serve"],
  script: [PYTHON, "-m", "tests.e2e.fake_service"],
};
const START_MS = 170_000; // the model has to load, on a machine that may be busy

/** A few pages are read within it, on a machine that is busy with other things. */
export const READING_MS = 120_000;

/** A page that the small model reads without an error. */
export const EXAMPLE = join(ROOT, "docs/example.png");

/** The service in a process that a test may stop and start again at the same address. */
export class Service {
  private process: ChildProcess | null = null;
  private constructor(
    readonly folder: string,
    readonly port: number,
    private readonly settings: Record<string, string>,
    private readonly command: readonly string[],
  ) {}

  static async make(reader: Reader, settings: Record<string, string> = {}): Promise<Service> {
    const folder = mkdtempSync(join(tmpdir(), "folio-e2e-"));
    const service = new Service(folder, await freePort(), settings, COMMANDS[reader]);
    await service.start();
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${String(this.port)}`;
  }

  async start(): Promise<void> {
    const environment = {
      PORT: String(this.port),
      DATA_DIR: this.folder,
      ...this.settings,
    };
    const [program = "", ...options] = this.command;
    this.process = spawn(program, options, {
      cwd: ROOT,
      env: { ...process.env, ...environment },
      stdio: "ignore",
    });
    await expect
      .poll(
        () =>
          fetch(`${this.url}/health`).then(
            (answer) => answer.status,
            () => 0,
          ),
        { timeout: START_MS },
      )
      .toBe(200);
  }

  async stop(): Promise<void> {
    const ending = this.process;
    if (!ending || ending.exitCode !== null) return;
    const ended = new Promise((resolve) => ending.once("exit", resolve));
    ending.kill("SIGTERM");
    await ended;
    this.process = null;
  }

  async end(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface Files {
  folder: string;
  path: (name: string) => string;
}

export const test = base.extend<
  { troubles: string[] },
  { files: Files; service: Service; reader: Reader; settings: Record<string, string> }
>({
  reader: ["model", { option: true, scope: "worker" }],
  settings: [{}, { option: true, scope: "worker" }],
  files: [
    async ({}, use) => {
      const folder = mkdtempSync(join(tmpdir(), "folio-files-"));
      execFileSync(PYTHON, ["-m", "tests.e2e.files", folder], { cwd: ROOT });
      await use({ folder, path: (name) => join(folder, name) });
      rmSync(folder, { recursive: true, force: true });
    },
    { scope: "worker" },
  ],
  service: [
    async ({ reader, settings }, use) => {
      const service = await Service.make(reader, settings);
      await use(service);
      await service.end();
    },
    { scope: "worker", timeout: START_MS },
  ],
  baseURL: async ({ service }, use) => use(service.url),
  /** Errors of scripts, violations of the content policy, and requests to anywhere else. */
  troubles: [
    async ({ page, service }, use) => {
      const troubles: string[] = [];
      page.on("pageerror", (error) => troubles.push(error.message));
      page.on("console", (message) => {
        if (/Content Security Policy/i.test(message.text())) troubles.push(message.text());
      });
      page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(service.url) && !/^(blob|data):/.test(url)) troubles.push(url);
      });
      await use(troubles);
      expect(troubles).toEqual([]);
    },
    { auto: true },
  ],
});

/** As a user's hand does it: the file hangs over the window, then falls. */
export async function dropFile(page: Page, path: string, type: string): Promise<void> {
  const transfer = await fileTransfer(page, path, type);
  const target = page.locator("body");
  await target.dispatchEvent("dragenter", { dataTransfer: transfer });
  await target.dispatchEvent("dragover", { dataTransfer: transfer });
  await target.dispatchEvent("drop", { dataTransfer: transfer });
}

/** A folder, or files as they lie on the disk: as the system's own hand drops them. */
export async function dropFromDisk(page: Page, ...paths: string[]): Promise<void> {
  const letGo = await dragFromDisk(page, ...paths);
  await letGo();
}

/** Holds the files over the page, until the function that this gives is called. */
export async function dragFromDisk(page: Page, ...paths: string[]): Promise<() => Promise<void>> {
  const developer = await page.context().newCDPSession(page);
  const send = async (type: "dragEnter" | "dragOver" | "drop") => {
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    await developer.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
  };
  await send("dragEnter");
  await send("dragOver");
  return () => send("drop");
}

export async function pasteFile(page: Page, path: string, type: string): Promise<void> {
  const transfer = await fileTransfer(page, path, type);
  await page.evaluate((data) => {
    window.dispatchEvent(
      new ClipboardEvent("paste", {
        clipboardData: data as DataTransfer,
        cancelable: true,
      }),
    );
  }, transfer);
}

async function fileTransfer(page: Page, path: string, type: string) {
  const name = path.split("/").at(-1) ?? "file";
  const base64 = readFileSync(path).toString("base64");
  return page.evaluateHandle(
    ({ base64, name, type }) => {
      const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type }));
      return transfer;
    },
    { base64, name, type },
  );
}

/** The names of the files in a ZIP, once its checksums are found right. */
export function filesOfZip(path: string): string[] {
  const program =
    "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; " +
    "print('\\n'.join(z.namelist()))";
  return execFileSync(PYTHON, ["-c", program, path], { encoding: "utf8" }).trim().split("\n");
}

/** A file of a ZIP, as text. */
export function unzip(path: string, name: string): string {
  const program =
    "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode())";
  return execFileSync(PYTHON, ["-c", program, path, name], { encoding: "utf8" });
}

export interface Answer {
  task_id: string;
  markdown: string;
  image: { width: number; height: number };
  blocks: { label: string; text: string; box: [number, number, number, number] }[];
}

/** Hand a picture to the page by `act`, and wait for what the service answers. */
export async function answerTo(page: Page, act: () => Promise<void>): Promise<Answer> {
  const [response] = await Promise.all([
    page.waitForResponse("**/api/ocr/image", { timeout: READING_MS }),
    act(),
  ]);
  return (await response.json()) as Answer;
}

/** Drop a document, start it, and open its task. */
export async function readDocument(page: Page, path: string, pages = ""): Promise<void> {
  await page.goto("/documents");
  await page.getByRole("textbox", { name: "Pages" }).fill(pages);
  await dropFile(page, path, "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await page.getByRole("link", { name: path.split("/").at(-1) ?? "", exact: true }).click();
}

/** A document's task, made without the page, once it has ended. */
export async function endedTask(
  request: APIRequestContext,
  path: string,
  options: Readonly<Record<string, string>> = {},
): Promise<string> {
  const name = path.split("/").at(-1) ?? "";
  const pdf = { name, mimeType: "application/pdf", buffer: readFileSync(path) };
  const answer = await request.post("/api/ocr/pdf", { multipart: { pdf, ...options } });
  const { task_id: id } = (await answer.json()) as { task_id: string };
  const status = async () => {
    const task = await request.get(`/api/tasks/${id}`);
    return ((await task.json()) as { status: string }).status;
  };
  await expect.poll(status, { timeout: READING_MS }).toMatch(/succeeded|failed/);
  return id;
}

/** Once the view is there: while its code is on its way, the page has no heading. */
export async function expectNoAxeViolations(page: Page): Promise<void> {
  await expect(page.locator("h1")).toBeAttached();
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(" | ")}`);
  expect(found).toEqual([]);
}

export function blockText(page: Page, name: string): Locator {
  return page
    .getByRole("group", { name: "Text of the page, by block" })
    .getByRole("group", { name });
}

export function blockBox(page: Page, name: string): Locator {
  return page.getByRole("group", { name: "Boxes on the page" }).getByRole("button", { name });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
