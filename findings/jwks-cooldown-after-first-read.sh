#!/usr/bin/env bash
# jose 6.2.18 (createRemoteJWKSet) and PyJWT 2.15.1 (PyJWKClient) refuse a token of a new key for 30 seconds after *any*
# fetch of the JWK Set, also after the first fetch, which a good token caused: an unknown kid causes no fetch in that time.
# A key that signs as soon as it is published is refused although it is in the set. It must be published before it signs.
# The options are cooldownDuration (jose) and cooldown_duration (PyJWT), below with the value 0 for comparison.
# Seen with both: "first key: ok; new key: refused, readings: 1; new key without pause: ok, readings: 2".
# Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" jose@6.2.18
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check 'pyjwt[crypto]==2.15.1'

cat >"$folder/ask.mjs" <<'JS'
import { createServer } from "node:http";
import { SignJWT, createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify } from "jose";

const pair = async (kid) => ({ kid, ...(await generateKeyPair("ES256", { extractable: true })) });
const old = await pair("old"), fresh = await pair("new");
const token = ({ kid, privateKey }) => new SignJWT({ sub: "ada" }).setProtectedHeader({ alg: "ES256", kid }).setExpirationTime("1h").sign(privateKey);
const jwk = async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, use: "sig", alg: "ES256" });
const keys = [await jwk(old), await jwk(fresh)];
const readings = {}; // By path. The set gets its second key once it was read.
const server = createServer(({ url }, response) => {
  readings[url] = (readings[url] ?? 0) + 1;
  response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: keys.slice(0, readings[url]) }));
}).listen(0, "127.0.0.1");
await new Promise((ready) => server.once("listening", ready));
const address = `http://127.0.0.1:${server.address().port}`;
const tokens = [await token(old), await token(fresh)];

if (process.argv[2] === "serve") {
  console.log(JSON.stringify([address, ...tokens]));
} else {
  const said = async (set, text) => jwtVerify(text, set).then(() => "ok", () => "refused");
  const set = createRemoteJWKSet(new URL(`${address}/set`));
  const eager = createRemoteJWKSet(new URL(`${address}/eager`), { cooldownDuration: 0 });
  const [first, second] = [await said(set, tokens[0]), await said(set, tokens[1])];
  await said(eager, tokens[0]);
  const third = await said(eager, tokens[1]);
  console.log(`first key: ${first}; new key: ${second}, readings: ${readings["/set"]}; new key without pause: ${third}, readings: ${readings["/eager"]}`);
  server.close();
}
JS

cat >"$folder/ask.py" <<'PY'
import json, subprocess, sys
import jwt

with subprocess.Popen(["node", sys.argv[1], "serve"], stdout=subprocess.PIPE, text=True) as server:
    address, old, new = json.loads(server.stdout.readline())

    class Counting(jwt.PyJWKClient):
        readings = 0

        def fetch_data(self):
            self.readings += 1
            return super().fetch_data()

    def said(client, token):
        try:
            jwt.decode(token, client.get_signing_key_from_jwt(token), algorithms=["ES256"])
        except jwt.PyJWKClientError:
            return "refused"
        return "ok"

    client, eager = Counting(f"{address}/set"), Counting(f"{address}/eager", cooldown_duration=0)
    first, second = said(client, old), said(client, new)
    said(eager, old)
    third = said(eager, new)
    print(
        f"first key: {first}; new key: {second}, readings: {client.readings}; "
        f"new key without pause: {third}, readings: {eager.readings}"
    )
    server.terminate()
PY

expected="first key: ok; new key: refused, readings: 1; new key without pause: ok, readings: 2"
jose=$(node "$folder/ask.mjs")
pyjwt=$("$folder/python/bin/python" "$folder/ask.py" "$folder/ask.mjs")
echo "jose 6.2.18: $jose"
echo "PyJWT 2.15.1: $pyjwt"
[ "$jose" = "$expected" ] && [ "$pyjwt" = "$expected" ]
