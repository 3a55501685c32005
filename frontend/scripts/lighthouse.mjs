// Lighthouse's accessibility score of every view, light and dark; fails where one is below 100.
// Starts the service of the browser tests, whose pages are read by a script, on a port of its own.
// Lighthouse is fetched when it is asked for: it is ten times the size of all else that the page needs.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const LIGHTHOUSE = "lighthouse@13.5.0";
const SCHEMES = { dark: 0, light: 1 }; // as Chromium's engine numbers them
const PORT = process.env.PORT ?? "18099";
const SERVICE = `http://127.0.0.1:${PORT}`;
const LOAD_MS = 8000; // of a task that runs: its events never end
const root = fileURLToPath(new URL("../..", import.meta.url));
const python = process.env.PYTHON ?? join(root, ".venv/bin/python");
process.env.CHROME_PATH ??= process.env.CHROMIUM ?? "/usr/bin/chromium";

async function startService(folder) {
  const settings = { PORT, DATA_DIR: join(folder, "data"), SECONDS_PER_TOKEN: "0.01" };
  const options = { cwd: root, env: { ...process.env, ...settings }, stdio: "ignore" };
  const service = spawn(python, ["-m", "tests.e2e.fake_service"], options);
  while (!(await fetch(`${SERVICE}/health`).catch(() => null))?.ok) await pause(500);
  return service;
}

async function post(path, field, file) {
  const form = new FormData();
  form.set(field, new Blob([readFileSync(file)]), basename(file));
  const answer = await fetch(SERVICE + path, { method: "POST", body: form });
  return (await answer.json()).task_id;
}

async function untilTask(taskId, isReached) {
  for (;;) {
    const task = await (await fetch(`${SERVICE}/api/tasks/${taskId}`)).json();
    if (isReached(task)) return taskId;
    await pause(200);
  }
}

/** Names and paths. The book is read for minutes: its task runs while it is looked at. */
async function prepareViews(files) {
  const image = await post("/api/ocr/image", "image", join(files, "tides.png"));
  const report = await post("/api/ocr/pdf", "pdf", join(files, "report.pdf"));
  await untilTask(report, ({ timing }) => timing.finished_at);
  const book = await post("/api/ocr/pdf", "pdf", join(files, "book.pdf"));
  await untilTask(book, ({ progress }) => progress.pages_done > 0);
  return {
    running: `/tasks/${book}`,
    tasks: "/tasks",
    image: "/",
    documents: "/documents",
    "document done": `/tasks/${report}`,
    "image task": `/tasks/${image}`,
    "no such task": "/tasks/none",
    "no such view": "/none",
  };
}

function score(path, scheme) {
  const flags = `--headless=new --no-sandbox --blink-settings=preferredColorScheme=${SCHEMES[scheme]}`;
  const options = ["--quiet", "--output=json", "--only-categories=accessibility"];
  options.push(`--max-wait-for-load=${LOAD_MS}`, `--chrome-flags=${flags}`);
  const report = JSON.parse(
    execFileSync("npx", ["--yes", LIGHTHOUSE, SERVICE + path, ...options], {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    }),
  );
  const audits = report.categories.accessibility.auditRefs.filter(({ weight }) => weight > 0);
  const failed = audits.filter(({ id }) => report.audits[id].score === 0).map(({ id }) => id);
  return { points: Math.round(100 * report.categories.accessibility.score), failed };
}

function measure(views) {
  let worst = 100;
  for (const [name, path] of Object.entries(views)) {
    for (const scheme of Object.keys(SCHEMES)) {
      const { points, failed } = score(path, scheme);
      worst = Math.min(worst, points);
      console.log(`${points}  ${scheme.padEnd(5)}  ${name}  ${failed.join(", ")}`);
    }
  }
  return worst;
}

const folder = mkdtempSync(join(tmpdir(), "folio-lighthouse-"));
execFileSync(python, ["-m", "tests.e2e.files", folder], { cwd: root });
const service = await startService(folder);
try {
  process.exitCode = measure(await prepareViews(folder)) === 100 ? 0 : 1;
} finally {
  service.kill("SIGTERM");
  await new Promise((resolve) => service.once("exit", resolve));
  rmSync(folder, { recursive: true, force: true });
}
