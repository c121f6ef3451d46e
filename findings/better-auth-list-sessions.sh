#!/usr/bin/env bash
# better-auth 1.7.25 lists a user's sessions (`listSessions`) only for a session that was *created* within `freshAge`, 24 hours
# by default. Using the session, and the daily extension by `updateAge`, do not make it fresh; `getSession` goes on.
# So a page that shows "your devices" works on the day of the sign-in, and is refused from the next day on (403,
# SESSION_NOT_FRESH), for the six days that the session still lives. `freshAge: 0` turns the check off, for all that ask for it.
# Valid input: one user who signs up, and comes back every six hours.
# Seen: "listed after hours 0,6,12,18; refused after hours 24,30; signed in: always". Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" better-auth@1.7.25

cat >"$folder/ask.mjs" <<'JS'
import { mock } from "node:test";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";

mock.timers.enable({ apis: ["Date"], now: Date.UTC(2026, 0, 1) });
const auth = betterAuth({
  baseURL: "http://localhost:3000",
  secret: "a secret of at least thirty-two characters",
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  logger: { disabled: true },
});
const body = { email: "ada@example.com", password: "lovelace-1815", name: "Ada" };
const signedUp = await auth.api.signUpEmail({ body, asResponse: true });
const cookie = signedUp.headers.getSetCookie().map((line) => line.split(";")[0]).join("; ");
const headers = new Headers({ cookie });

const hours = { 200: [], 403: [] };
let signedIn = true;
for (let hour = 0; hour <= 30; hour += 6) {
  signedIn = signedIn && (await auth.api.getSession({ headers }))?.user.name === "Ada";
  hours[(await auth.api.listSessions({ headers, asResponse: true })).status].push(hour);
  mock.timers.tick(6 * 3600 * 1000);
}
const seen = `listed after hours ${hours[200]}; refused after hours ${hours[403]}; signed in: ${signedIn ? "always" : "no"}`;
console.log(seen);
process.exitCode = Number(seen !== "listed after hours 0,6,12,18; refused after hours 24,30; signed in: always");
JS
node --no-warnings "$folder/ask.mjs"
