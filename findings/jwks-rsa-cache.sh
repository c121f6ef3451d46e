#!/usr/bin/env bash
# jwks-rsa 4.1.0 caches signing keys one by one, five at most, however many the JWK Set has (option cacheMaxEntries; seen with
# Node 20.20.2). With six keys that are used in turn, the cache never hits, and the set is fetched at every verification.
# With five keys it is fetched five times, once for each key, and never again.
# Seen: 5 keys, 3 rounds: 5 requests; 6 keys, 3 rounds: 18 requests. Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" jwks-rsa@4.1.0

cat >"$folder/ask.cjs" <<'JS'
const { createServer } = require("node:http");
const { generateKeyPairSync } = require("node:crypto");
const jwksClient = require("jwks-rsa");

const key = (n) => ({
  ...generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }),
  kid: `k${n}`, use: "sig", alg: "ES256",
});

async function requests(number) {
  const keys = Array.from({ length: number }, (_, n) => key(n));
  let count = 0;
  const server = createServer((_, response) => { count += 1; response.end(JSON.stringify({ keys })); });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const client = jwksClient({ jwksUri: `http://127.0.0.1:${server.address().port}/`, rateLimit: false });
  for (let round = 0; round < 3; round += 1) for (const { kid } of keys) await client.getSigningKey(kid);
  server.close();
  return count;
}

(async () => {
  for (const [number, expected] of [[5, 5], [6, 18]]) {
    const seen = await requests(number);
    console.log(`${number} keys, 3 rounds: ${seen} requests`);
    if (seen !== expected) process.exitCode = 1;
  }
})();
JS
node "$folder/ask.cjs"
