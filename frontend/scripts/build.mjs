// Builds dist, with a .br and a .gz beside every file that is worth it: FastAPI sends them as they are.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "vite";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const COMPRESSIBLE = /\.(js|css|html|svg|ttf)$/;
const LEAST_BYTES = 1024;

await build({ logLevel: "warn" });

for (const name of readdirSync(dist, { recursive: true })) {
  const path = dist + name;
  if (!COMPRESSIBLE.test(name) || statSync(path).size < LEAST_BYTES) continue;
  const data = readFileSync(path);
  writeFileSync(`${path}.br`, brotliCompressSync(data));
  writeFileSync(`${path}.gz`, gzipSync(data, { level: 9 }));
}
