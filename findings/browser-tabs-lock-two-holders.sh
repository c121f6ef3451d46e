#!/usr/bin/env bash
# browser-tabs-lock 1.3.0 lets two tabs have one lock at the same time. A tab looks whether the lock is free, waits for up to 25 ms,
# writes its own id, and has the lock if that id is still there 30 ms later. It does not look again before it writes: if its timer is
# late, since its page or the machine is busy, it overwrites a lock that another tab has by then, and both go on.
# So the tabs of supertokens-website, whose lock it is, refresh several times at once. The lock of the browser, `navigator.locks`, holds.
# Valid input: two tabs acquire a lock within a second. The page of the second one works for 500 ms meanwhile.
# Seen with Chromium 156.0.8078.108 and puppeteer-core 25.16.0: "second got it while the first had it: browser-tabs-lock: true;
# navigator.locks: false". Exits non-zero if that changes.
# CHROMIUM names the browser; BUSY=0 (milliseconds) lets the second page not work: then it does not get the lock, and this fails.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" browser-tabs-lock@1.3.0 puppeteer-core@25.16.0
export CHROMIUM=${CHROMIUM:-$(command -v chromium)} BUSY=${BUSY:-500}

cat >"$folder/ask.mjs" <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import puppeteer from "puppeteer-core";

const read = (name) => readFileSync(new URL(`node_modules/browser-tabs-lock/${name}.js`, import.meta.url), "utf8");
const script = `
  const files = {};
  for (const [name, run] of [
    ["./processLock", (exports, require) => { ${read("processLock")} }],
    ["lock", (exports, require) => { ${read("index")} }],
  ]) run(files[name] = {}, (wanted) => files[wanted]);
  const Lock = files.lock.default;`;
const locks = {
  "browser-tabs-lock": (name) => `new Lock().acquireLock(${name}, 1000)`,
  "navigator.locks": (name) => `new Promise((acquired) => {
    const hold = () => { acquired(true); return new Promise(() => {}); };
    navigator.locks.request(${name}, { signal: AbortSignal.timeout(1000) }, hold).catch(() => acquired(false));
  })`,
};
const server = createServer((request, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html>"));
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const args = ["--no-sandbox", "--disable-gpu"];
const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args, headless: true });

async function secondGetsItToo(acquire) {
  const context = await browser.createBrowserContext();
  const [first, second] = await Promise.all([context.newPage(), context.newPage()]);
  for (const page of [first, second]) {
    await page.goto(`http://localhost:${server.address().port}`);
    await page.addScriptTag({ content: script });
  }
  // The second one's own work begins when it has seen that the lock is free. The first one never gives the lock back.
  const work = `setTimeout(() => { const end = Date.now() + ${process.env.BUSY}; while (Date.now() < end); }, 30);`;
  const late = second.evaluate(`(() => { const got = ${acquire("'a lock'")}; ${work} return got; })()`);
  const has = await first.evaluate(acquire("'a lock'"));
  return has && (await late);
}

const seen = [];
for (const [name, acquire] of Object.entries(locks)) seen.push(`${name}: ${await secondGetsItToo(acquire)}`);
const line = `second got it while the first had it: ${seen.join("; ")}`;
console.log(`${line} (${await browser.version()})`);
await browser.close();
server.close();
process.exitCode = Number(!line.endsWith("browser-tabs-lock: true; navigator.locks: false"));
JS
node "$folder/ask.mjs"
