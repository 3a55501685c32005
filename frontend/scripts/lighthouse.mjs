// Lighthouse's accessibility score of every view, light and dark, of a service that runs; fails below 100.
//   usage: npm run lighthouse -- http://localhost:8001      (CHROME_PATH says where Chromium is)
// Lighthouse is fetched when it is asked for: it is ten times the size of all else that the page needs.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const LIGHTHOUSE = "lighthouse@13.5.0";
const SCHEMES = { dark: 0, light: 1 }; // as Chromium's engine numbers them
const service = process.argv[2] ?? "http://localhost:8001";
const example = (name) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));

async function post(path, field, file) {
  const form = new FormData();
  form.set(field, new Blob([readFileSync(file)]), basename(file));
  const answer = await fetch(service + path, { method: "POST", body: form });
  return (await answer.json()).task_id;
}

async function finished(taskId) {
  for (;;) {
    const task = await (await fetch(`${service}/api/tasks/${taskId}`)).json();
    if (task.timing.finished_at) return taskId;
    await pause(500);
  }
}

function score(path, scheme) {
  const flags = `--headless=new --no-sandbox --blink-settings=preferredColorScheme=${SCHEMES[scheme]}`;
  const options = ["--quiet", "--output=json", "--only-categories=accessibility"];
  const command = ["--yes", LIGHTHOUSE, service + path, ...options, `--chrome-flags=${flags}`];
  const report = JSON.parse(
    execFileSync("npx", command, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }),
  );
  const audits = report.categories.accessibility.auditRefs.filter(({ weight }) => weight > 0);
  const failed = audits.filter(({ id }) => report.audits[id].score === 0).map(({ id }) => id);
  return { points: Math.round(100 * report.categories.accessibility.score), failed };
}

const image = await post("/api/ocr/image", "image", example("example.png"));
const document = await finished(await post("/api/ocr/pdf", "pdf", example("example.pdf")));
const views = ["/", "/documents", "/tasks", `/tasks/${document}`, `/tasks/${image}`, "/tasks/none"];

let worst = 100;
for (const path of [...views, "/none"]) {
  for (const scheme of Object.keys(SCHEMES)) {
    const { points, failed } = score(path, scheme);
    worst = Math.min(worst, points);
    console.log(`${points}  ${scheme.padEnd(5)}  ${path}  ${failed.join(", ")}`);
  }
}
process.exit(worst === 100 ? 0 : 1);
