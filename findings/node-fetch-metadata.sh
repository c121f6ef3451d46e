#!/usr/bin/env bash
# Node's fetch (undici 7.16.0; seen with Node 20.20.2, whose own fetch does the same) sends `Sec-Fetch-Mode: cors` from a
# server, without `Sec-Fetch-Site` and without `Origin`, which browsers send together with it (Fetch Metadata, section 2).
# A server that recognises browsers by `Sec-Fetch-Mode` alone mistakes Node for a browser, and Node keeps no cookies.
# Seen: {"sec-fetch-mode":"cors"} by both. Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" undici@7.16.0

cat >"$folder/ask.mjs" <<'JS'
import { createServer } from "node:http";
import { fetch as fetchOfUndici } from "undici";

const told = ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "origin"];
const server = createServer((request, response) => {
  response.end(JSON.stringify(Object.fromEntries(told.filter((name) => name in request.headers).map((name) => [name, request.headers[name]]))));
}).listen(0, "127.0.0.1", async () => {
  const address = `http://127.0.0.1:${server.address().port}/`;
  for (const [name, ask] of [[`Node ${process.version}`, fetch], ["undici 7.16.0", fetchOfUndici]]) {
    const seen = await (await ask(address, { method: "POST", body: "{}" })).text();
    console.log(`${name}: ${seen}`);
    if (seen !== '{"sec-fetch-mode":"cors"}') process.exitCode = 1;
  }
  server.close();
});
JS
node "$folder/ask.mjs"
