// Says what the first load costs, and fails when its JavaScript is over the budget.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = 350_000;
const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const html = readFileSync(`${dist}index.html`, "utf8");
const scripts = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map(([, path]) => path);
const styles = [...html.matchAll(/href="\/(assets\/[^"]+\.css)"/g)].map(([, path]) => path);
const size = (path) => gzipSync(readFileSync(dist + path), { level: 9 }).length;
const total = (paths) => paths.reduce((sum, path) => sum + size(path), 0);

const bytes = total(scripts);
console.log(`first load: ${bytes} bytes of JavaScript, ${total(styles)} of CSS (gzip)`);
if (bytes === 0 || bytes > BUDGET_BYTES) {
  console.error(`The budget is ${BUDGET_BYTES} bytes of JavaScript.`);
  process.exit(1);
}
