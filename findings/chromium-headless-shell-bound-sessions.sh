#!/usr/bin/env bash
# Chromium's headless shell (153.0.8010.0 of @sparticuz/chromium 153.0.0) binds no session to a key: Device Bound Session Credentials are
# not there, whatever features are turned on. Nothing says so: it takes the flags, `Network.enableDeviceBoundSessions` of its DevTools
# protocol succeeds, `Secure-Session-Registration` is ignored without an event. A test that drives it sees a server that seems to be wrong.
# The whole Chromium registers under the same conditions, headless too: CHROMIUM=/usr/bin/chromium shows it beside (seen: 156.0.8078.108).
# Seen with puppeteer-core 25.16.0, Node 20.20.2: "headless shell: 0 registrations, 0 events". Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" \
  @sparticuz/chromium@153.0.0 puppeteer-core@25.16.0 selfsigned@5.5.0

cat >"$folder/ask.mjs" <<'JS'
import { createHash, X509Certificate } from "node:crypto";
import { createServer } from "node:https";
import shell from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";
import selfsigned from "selfsigned";

const pem = await selfsigned.generate([{ name: "commonName", value: "localhost" }], { keySize: 2048 });
const spki = new X509Certificate(pem.cert).publicKey.export({ type: "spki", format: "der" });
const offer = `(ES256 RS256);path="/register";challenge="a challenge"`;
let registrations = 0;
const server = createServer({ key: pem.private, cert: pem.cert }, (request, response) => {
  if (request.url === "/register") registrations += 1;
  if (request.url === "/login") response.setHeader("Secure-Session-Registration", offer);
  response.setHeader("Content-Type", "text/html").end(request.url === "/register" ? "{}" : "<!doctype html>");
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const origin = `https://localhost:${server.address().port}`;

async function look(executablePath) {
  registrations = 0;
  const features = "DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting";
  const trust = createHash("sha256").update(spki).digest("base64");
  const args = ["--no-sandbox", "--no-zygote", `--enable-features=${features}`, `--ignore-certificate-errors-spki-list=${trust}`];
  const browser = await puppeteer.launch({ executablePath, args, headless: true });
  const page = await browser.newPage();
  const protocol = await page.createCDPSession();
  let events = 0;
  protocol.on("Network.deviceBoundSessionEventOccurred", () => (events += 1));
  await protocol.send("Network.enable");
  await protocol.send("Network.enableDeviceBoundSessions", { enable: true });
  await page.goto(origin);
  await page.evaluate(() => fetch("/login", { method: "POST" }).then(({ status }) => status));
  await new Promise((done) => setTimeout(done, 3000));
  const version = await browser.version();
  await browser.close();
  return `${registrations} registrations, ${events} events (${version})`;
}

const seen = await look(await shell.executablePath());
console.log(`headless shell: ${seen}`);
if (process.env.CHROMIUM) console.log(`${process.env.CHROMIUM}: ${await look(process.env.CHROMIUM)}`);
if (!seen.startsWith("0 registrations, 0 events")) process.exitCode = 1;
server.close();
JS
node "$folder/ask.mjs"
