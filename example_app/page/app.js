/* The page's script: it shows the session, and plays both sides of the theft lab.
 *
 * The session itself is kept by the client that the app serves: its `fetch` refreshes, for all tabs at once. The tokens
 * are in HttpOnly cookies, which no script can read; what a script may know is in `session.claims`.
 */

import { createSession } from "/auth/client.js";

const REFRESH = "/auth/session/refresh";
const LAB = `${REFRESH}/theft-lab`;

const session = createSession({ fetch: recorded, onEnd: () => ended().catch(failed), onStepUp: askAgain });

const count = { requests: 0, refreshes: 0 };
let lab = { stage: "copy" };

const NO_HTTPS = "Browsers bind sessions over https only. To see it, start this app by python -m example_app --https.";
const NO_KEY =
  "This browser has made no key. Chrome and Edge from 145 on do where the machine can keep one; Firefox and Safari do not, nor does Chromium on most machines with Linux.";

/* Calls */

async function send(path, { method = "GET", body } = {}) {
  const headers = body && { "content-type": "application/json" };
  const response = await session.fetch(path, { method, headers, body: body && JSON.stringify(body) });
  return { ok: response.ok, status: response.status, json: await response.json().catch(() => ({})) };
}

async function call(path, options) {
  const { refreshes } = count;
  const answer = await send(path, options);
  if (count.refreshes > refreshes) await look();
  if (current()) listen();
  const refused = [401, 403].includes(answer.status);
  if (!answer.ok && !refused) say(`The server answered ${answer.status}. Please try again.`, true);
  return answer;
}

/* What goes over the wire, the client's own refreshes among it. */
async function recorded(request) {
  const response = await fetch(request);
  const json = await response.clone().json().catch(() => ({}));
  record(request.method, new URL(request.url).pathname, response.status, json.outcome ?? (response.ok ? "" : json.message ?? ""));
  return response;
}

function current() {
  const claims = session.claims;
  if (!claims || claims.is_anonymous) return null; // a guest has a session too, and has not signed in
  const { iat, exp, plan, roles, sessionHandle: handle, refreshTokenHash1: yours } = claims;
  return { user: session.userId, actor: claims.act?.sub, plan, roles: roles?.v ?? [], handle, yours, starts: iat * 1000, ends: exp * 1000 };
}

/* Signing in and out */

async function signIn(form) {
  Object.assign(count, { requests: 0, refreshes: 0 });
  const looks = () => JSON.stringify([...new FormData(form), document.activeElement.id]);
  const sent = looks();
  const answer = await send("/api/sign-in", { method: "POST", body: Object.fromEntries(new FormData(form)) });
  byId("sign-in-error").textContent = answer.ok ? "" : answer.json.detail;
  byId("notice").textContent = "";
  if (!answer.ok && looks() === sent) byId("password").select(); // a late answer takes no field from who types on
  if (!answer.ok) return;
  form.reset();
  lab = { stage: "copy" };
  const shown = show(`Welcome, ${session.userId}.`);
  scrollTo(0, 0);
  await shown;
}

async function signOut() {
  hangUp();
  await session.signOut();
  await show("Signed out.");
}

async function ended() {
  const theft = "Theft detected: the session has been revoked.";
  await show(lab.stage === "caught" ? theft : "This session has ended. Please sign in again.");
}

/* Protected calls */

async function hello() {
  const { ok, json } = await call("/api/hello");
  if (ok) say(json.message);
}

async function tenCalls() {
  const refreshes = count.refreshes;
  const answers = await Promise.all(Array.from({ length: 10 }, () => call("/api/hello")));
  const good = answers.filter((answer) => answer.ok).length;
  const needed = count.refreshes - refreshes;
  say(`${good} of 10 calls answered, with ${needed} ${needed === 1 ? "refresh" : "refreshes"}.`);
}

async function vault() {
  const { ok, json } = await call("/api/vault");
  if (ok) say(json.message);
}

async function changePlan() {
  const plan = current().plan === "pro" ? "free" : "pro";
  const { ok } = await call("/api/plan", { method: "POST", body: { plan } });
  if (!ok && current()?.actor) say("That is not for the staff.", true);
  if (ok) await show(`The plan is now ${plan}, in the access token too.`);
}

/* Admins only: the role is a claim of the access token, and the refusal says which one is missing. */

async function admin() {
  const { ok, status, json } = await call("/api/admin");
  const failures = json.claimValidationErrors ?? [];
  const title = element("strong", { textContent: ok ? json.message : `${status} ${json.message}` });
  byId("door").replaceChildren(title, ...failures.map(refusal));
  byId("door").className = `door ${ok ? "open" : "shut"}`;
}

function refusal({ id, reason }) {
  const lines = Object.entries({ claim: id, ...reason }).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return element("pre", { textContent: lines.join("\n") });
}

async function changeRole(role) {
  const { ok, json } = await call("/api/role", { method: "POST", body: { role } });
  await show(ok ? json.message : undefined);
  if (ok) byId("door").replaceChildren();
}

/* Only you: an action that is refused until the password was typed just now. Then the client makes the call again. */

async function recoveryCodes() {
  const { ok, status, json } = await call("/api/recovery-codes", { method: "POST" });
  if (ok) byId("codes").replaceChildren(...json.map((code) => element("li", {}, element("code", { textContent: code }))));
  if (ok) await show("Keep these codes somewhere else.");
  else if (status === 403 && current()?.actor) say("That is not for the staff.", true);
  else if (status === 403) say("No codes were made: your password was not confirmed.");
}

/* Of what may be missing, only a password can be asked for here, and of the staff not the user's. */
function askAgain(failures) {
  if (current()?.actor || failures.some(({ id }) => id !== "st-fresh")) return false;
  byId("confirm").reset();
  byId("again-error").textContent = "";
  byId("ask").returnValue = "";
  byId("ask").showModal();
  return new Promise((done) => {
    byId("ask").addEventListener("close", () => done(byId("ask").returnValue === "confirmed"), { once: true });
  });
}

async function confirmAgain(form) {
  const { ok, json } = await send("/api/confirm", { method: "POST", body: Object.fromEntries(new FormData(form)) });
  byId("again-error").textContent = ok ? "" : json.detail ?? json.message;
  if (!ok) return byId("again").select();
  lab = { stage: "copy" }; // a copied token was one of the session before
  byId("ask").close("confirmed");
}

async function doNotConfirm() {
  byId("ask").close();
}

/* The staff view: an admin acts as another user, who is shown in a banner until he stops. */

async function viewAs(form) {
  const { ok, json } = await call("/api/staff/view-as", { method: "POST", body: Object.fromEntries(new FormData(form)) });
  if (!ok) return say(json.detail ?? "The control room is for admins: change your role first.", true);
  form.reset();
  await changeUser(`You see the app as ${json.user_name}.`);
}

async function stopViewing() {
  const { ok, json } = await call("/api/staff/stop", { method: "POST" });
  if (ok) await changeUser(`You are ${json.user_name} again.`);
}

async function changeUser(text) {
  hangUp();
  const shown = show(text);
  byId("main").focus({ preventScroll: true });
  scrollTo(0, 0);
  await shown;
}

/* The note, which a guest keeps before he signs in. */

async function keepNote(form) {
  const { ok } = await call("/api/note", { method: "POST", body: Object.fromEntries(new FormData(form)) });
  if (ok) say("Kept.");
}

async function readNote() {
  if (!session.claims) return void (byId("note-text").value = "");
  const { ok, json } = await send("/api/note");
  if (ok) byId("note-text").value = json.note;
}

/* The live line: a WebSocket on which nothing is said. The server closes it when the session ends, with the reason.
 * This page lets its access token end, so that a visitor sees it; yours would refresh at "try refresh token". */

let line = null;

function listen() {
  if (line || untilThen(current()?.ends ?? 0) === 0) return;
  line = new WebSocket(`${location.origin.replace("http", "ws")}/api/live`);
  line.addEventListener("open", () => showLine("open"));
  line.addEventListener("close", hungUp);
}

function hangUp() {
  line?.removeEventListener("close", hungUp);
  line?.close();
  line = null;
  showLine("closed");
}

function hungUp({ code, reason }) {
  line = null;
  showLine(reason ? `closed: ${reason}` : "closed");
  if (reason === "unauthorised") revoked().catch(failed);
  if (code === 1006) setTimeout(listen, 2000);
}

async function revoked() {
  await session.refresh(); // the refusal clears the cookies
  await show("This session has been revoked.");
  byId("notice").textContent = "Your session was signed out from elsewhere, just now. Please sign in again.";
}

function showLine(text) {
  put("line", text);
  document.querySelector(".line").classList.toggle("open", text === "open");
}

/* The user's devices: each is a session, and the endpoints are those of `devices_router()`. */

async function revoke({ handle }) {
  const { ok } = await call(`/auth/sessions/${handle}`, { method: "DELETE" });
  if (ok) await listSessions();
  if (ok) say("That session has been signed out.");
}

async function revokeOthers() {
  const { ok, json } = await call("/auth/sessions/revoke-others", { method: "POST" });
  if (ok) await listSessions();
  if (ok) say(`Signed out everywhere else: ${json.revoked} ended.`);
}

async function listSessions() {
  const { ok, json } = await call("/auth/sessions");
  if (!ok) return;
  const focused = byId("sessions").contains(document.activeElement);
  byId("sessions").replaceChildren(...json.sessions.map(sessionRow));
  if (focused) byId("all-title").focus();
  if (byId("happened").open) await listHistory();
}

function sessionRow({ handle, label, device, user_agent, ip_address, created_at, last_seen_at, current }) {
  const what = device.text ?? user_agent ?? "an unknown device";
  const name = element("span", { className: "device", textContent: label ?? what });
  if (current) name.append(element("span", { className: "badge", textContent: "this one" }));
  const from = ip_address ? `from ${ip_address}` : "from an unknown address";
  const more = element("small", { textContent: label ? `${what}, ${from}` : from });
  const rename = element("button", { type: "button", textContent: "Name" });
  Object.assign(rename.dataset, { action: "rename", handle, label: label ?? "" });
  rename.setAttribute("aria-label", `Name ${label ?? what}`);
  const button = element("button", { type: "button", textContent: "Sign out" });
  enable(button, !current);
  Object.assign(button.dataset, { action: "revoke", handle });
  button.setAttribute("aria-label", `Sign out ${label ?? what}, since ${when(created_at)}`);
  const since = element("time", { dateTime: created_at, textContent: `since ${when(created_at)}` });
  const seen = element("time", { dateTime: last_seen_at, textContent: `last seen ${when(last_seen_at)}` });
  const code = element("code", { textContent: handle, title: handle });
  const buttons = element("div", { className: "buttons" }, rename, button);
  return element("li", {}, element("div", {}, name, more), element("div", {}, since, seen), code, buttons);
}

/* The name of a row becomes a field, which Enter saves and Escape leaves. */
async function rename({ handle, label }) {
  const input = element("input", { name: "label", value: label, maxLength: 64, autocomplete: "off" });
  input.setAttribute("aria-label", "Name of this device");
  const form = element("form", { className: "naming" }, input, element("button", { type: "submit", textContent: "Save" }));
  form.dataset.handle = handle;
  renaming(handle).closest("li").firstChild.replaceChildren(form);
  input.select();
}

async function saveName(form) {
  const { handle } = form.dataset;
  const label = new FormData(form).get("label").trim() || null;
  const { ok } = await call(`/auth/sessions/${handle}`, { method: "PATCH", body: { label } });
  if (ok) await leaveName(handle);
  if (ok) say(label ? `That device is called ${label}.` : "That device has no name any more.");
}

async function leaveName(handle) {
  await listSessions();
  renaming(handle)?.focus();
}

function renaming(handle) {
  return byId("sessions").querySelector(`[data-action=rename][data-handle="${handle}"]`);
}

/* Asked for when it is opened, since most visitors do not. */
async function listHistory() {
  const { ok, json } = await call("/api/history");
  if (ok) byId("history").replaceChildren(...json.map(historyRow));
}

const HAPPENED = {
  SessionCreated: "Signed in",
  SessionElevated: "Confirmed the password",
  TokenTheftDetected: "Theft detected",
  DeviceBound: "Bound to a key of the browser",
  ImpersonationStarted: "The staff began to see the app as this user",
};
const ENDED = {
  signed_out: "Signed out",
  by_handle: "Signed out from elsewhere",
  others: "Signed out with all others",
  limit: "Signed out to make room for a newer session",
  superseded: "Another session took its place",
  impersonation_ended: "A staff view ended",
  expired: "Expired",
};

function historyRow({ event, at, handle, reason }) {
  const what = HAPPENED[event] ?? ENDED[reason] ?? `Signed out: ${reason}`;
  const time = element("time", { dateTime: at, textContent: when(at) });
  return element("li", {}, element("span", { textContent: what }), time, element("code", { textContent: handle.slice(0, 8), title: handle }));
}

/* The time of a moment of today, the day of any other. */
function when(moment) {
  const date = new Date(moment);
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString() : date.toLocaleDateString();
}

/* The theft lab. What the thief does is done by the server, so that this browser's cookies stay what they are.
 * Tokens are told apart by their fingerprints: each answer is another text, and all answers to one refresh token share one. */

async function copy() {
  const { ok, json } = await call(`${LAB}/copy`, { method: "POST" });
  if (!ok) return;
  const { yours } = current();
  lab = { stage: "rotate", copy: json.refresh_token, yours, stolen: yours, grace: json.grace_period * 1000 };
  await show("The thief has a copy of your refresh token.");
}

async function rotate() {
  await session.refresh();
  await call("/api/hello");
  await look();
  const same = "The server handed out the same token again: it is still new.";
  await show(lab.stage === "rotate" ? same : "Refreshed: the copied token is used up.");
}

async function replay() {
  hangUp(); // what it would say, the answer says better
  const { ok, json } = await send(`${LAB}/replay`, { method: "POST", body: { refresh_token: lab.copy } });
  if (!ok) return say("The replay could not be made.", true);
  if (json.outcome === "refreshed") {
    lab.stolen = json.fingerprint;
    return show(json.explanation);
  }
  if (json.outcome === "theft") Object.assign(lab, { ...json, stage: "caught" });
  await call("/api/vault"); // by which this browser learns what happened
  if (lab.stage === "caught") byId("outcome").focus();
}

/* Whatever refreshes during the lab uses up the copied token; whatever does so again makes it two tokens old. */
async function look() {
  const yours = current()?.yours;
  if (!["rotate", "replay"].includes(lab.stage) || !yours || yours === lab.yours) return;
  const closes = lab.stage === "rotate" ? Date.now() + lab.grace : 0;
  Object.assign(lab, { stage: "replay", yours, closes });
  await show();
}

/* The same thief, with all cookies, if the session is bound to a key of this browser. It is refused if it is not. */
async function elsewhere() {
  const { ok, status, json } = await call(`${LAB}/elsewhere`, { method: "POST" });
  if (!ok && status !== 403) return;
  const why = location.protocol === "https:" ? NO_KEY : NO_HTTPS;
  const title = ok ? "401 unauthorised" : "This session is not bound: here the copy would be worth as much as yours.";
  const said = [element("strong", { textContent: title }), element("p", { textContent: ok ? json.explanation : why })];
  byId("elsewhere").replaceChildren(...said);
  byId("elsewhere").className = `door ${ok ? "open" : "shut"}`;
}

async function startAgain() {
  lab = { stage: "copy" };
  await show("Please sign in again.");
}

/* Showing it */

const byId = (id) => document.getElementById(id);
const all = (selector) => document.querySelectorAll(selector);
const element = (name, properties, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
const put = (name, text = "") =>
  all(`[data-text="${name}"]`).forEach((spot) => {
    if (spot.textContent !== String(text)) spot.textContent = text;
  });
const untilThen = (moment) => Math.max(0, moment - Date.now());
const inSeconds = (ms) => `${Math.ceil(ms / 1000)} s`;

function say(text, bad = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", bad);
  byId("status").animate({ opacity: [1, 1, 0], offset: [0, 0.9, 1] }, { duration: 8000, fill: "forwards" });
}

function record(method, path, status, note) {
  const refreshed = path === REFRESH;
  count[refreshed ? "refreshes" : "requests"] += 1;
  const line = element("li", {},
    element("time", { textContent: new Date().toTimeString().slice(0, 8) }),
    element("span", { className: "method", textContent: method }),
    element("span", { className: "path", textContent: path, title: path }),
    element("span", { className: "answer", textContent: `${status} ${note}` }));
  line.classList.toggle("refresh", refreshed);
  line.classList.toggle("refused", status >= 400);
  line.classList.toggle("theft", note === "theft");
  byId("log").prepend(line);
  while (byId("log").children.length > 60) byId("log").lastChild.remove();
  Object.entries(count).forEach(([name, number]) => put(name, number));
}

async function show(text) {
  const now = current();
  const view = now ? "alive" : lab.stage === "caught" ? "ended" : "signed-out";
  const { dataset } = document.body;
  const changed = dataset.view !== view || dataset.user !== (now?.user ?? "");
  const focused = document.activeElement;
  Object.assign(dataset, { view, user: now?.user ?? "" });
  all("[data-show]").forEach((part) => (part.hidden = !part.dataset.show.split(" ").includes(view)));
  if (focused.closest("[hidden]") || (changed && focused.id === "main")) goOn(view);
  if (now) {
    put("user", now.user);
    put("roles", now.roles.join(", "));
    put("plan", now.plan);
    put("handle", now.handle);
    put("actor", now.actor);
  }
  byId("acting").hidden = !now?.actor;
  all("[name=role]").forEach((choice) => (choice.checked = now?.roles.includes("admin") === (choice.value === "admin")));
  if (changed) forget();
  if (now) listen();
  else hangUp();
  showLab(view);
  tick();
  if (text) say(text, view === "ended");
  if (changed) await Promise.all([readNote(), now && listSessions()]);
}

/* What one user was shown is not for the next, be it in a staff view. */
function forget() {
  for (const id of ["door", "codes", "elsewhere", "sessions", "history"]) byId(id).replaceChildren();
  byId("ask").close();
}

/* Moves a focus that the view has lost, before anything is awaited: later the visitor may have moved on. */
function goOn(view) {
  byId(view === "signed-out" ? "name" : "main").focus({ preventScroll: true });
}

function showLab(view) {
  const caught = lab.stage === "caught";
  const replayed = lab.stolen === lab.yours ? "the same as yours" : "used up";
  showToken("yours", view === "ended" ? null : lab.yours, view === "ended" ? "nothing" : "the newest token");
  showToken("stolen", lab.stolen, "nothing");
  const yours = { rotate: "the newest", replay: "the newest, in use", caught: "signed out" };
  put("yoursNote", yours[lab.stage] ?? "where no script can read it");
  put("stolenNote", { rotate: "a copy of yours", replay: replayed, caught: "worthless now" }[lab.stage] ?? "yet");
  put("server", caught ? "has revoked the session" : "accepts the newest token");
  all(".party").forEach((party) => party.classList.toggle("dead", caught));
  byId("outcome").hidden = !caught;
  put("explanation", lab.explanation);
  put("reason", lab.reason);
}

function showToken(name, fingerprint, otherwise) {
  const spot = document.querySelector(`[data-text="${name}"]`);
  spot.textContent = fingerprint?.slice(0, 8) ?? otherwise;
  spot.classList.toggle("known", Boolean(fingerprint));
  if (fingerprint) spot.style.setProperty("--hue", hue(fingerprint.slice(0, 8)));
}

/* The same token has the same colour wherever it shows up. */
const hue = (text) => [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 360, 7);

/* What changes by itself as time goes by: the dial, the window, and which step comes next. */
function tick() {
  const now = current();
  const left = untilThen(now?.ends ?? 0);
  const dial = document.querySelector(".dial");
  dial.style.setProperty("--left", now ? (100 * left) / (now.ends - now.starts) : 0);
  dial.classList.toggle("over", left === 0);
  dial.classList.toggle("dead", !now);
  put("ends", now ? new Date(now.ends).toLocaleTimeString() : "deleted");
  put("seconds", now ? (left ? inSeconds(left) : "expired") : "revoked");
  put("caption", now ? (left ? "until the access token ends" : "the next call refreshes") : "sign in again");
  tickLab(now);
}

function tickLab(now) {
  const young = lab.stage === "rotate" && now ? untilThen(now.starts + 1000 + lab.grace) : 0; // `iat` is whole seconds
  const open = lab.stage === "replay" ? untilThen(lab.closes) : 0;
  const step = { rotate: "rotate", replay: open ? "early" : "late" }[lab.stage] ?? "copy";
  const bar = document.querySelector(".window");
  bar.style.setProperty("--left", (100 * open) / (lab.grace ?? 1));
  bar.classList.toggle("open", open > 0);
  const others = open ? `and for ${inSeconds(open)} the one before` : "and takes any other for theft";
  put("serverNote", { replay: others, caught: "and refuses every refresh" }[lab.stage] ?? "and each one once");
  put("wait", young ? `Still new: for ${inSeconds(young)} a refresh would hand out the same token again.` : "");
  all("[data-step]").forEach((part) => showStep(part, step, !young));
}

function showStep(part, step, ready) {
  const order = ["copy", "rotate", "early", "late"];
  const done = lab.stage === "caught" || order.indexOf(part.dataset.step) < order.indexOf(step);
  const current = part.dataset.step === step && lab.stage !== "caught";
  part.classList.toggle("done", done);
  part.ariaCurrent = current ? "step" : null;
  enable(part.querySelector("button"), current && ready);
}

/* A button that is out of use keeps the focus; one that is `disabled` would drop it to the body. */
function enable(button, usable) {
  button.ariaDisabled = String(!usable);
}

/* Wiring */

const actions = {
  signOut, hello, tenCalls, vault, changePlan, admin, stopViewing, recoveryCodes, doNotConfirm, rename, revoke, revokeOthers, copy, rotate, replay,
  elsewhere, startAgain,
};
const failed = () => say("The server cannot be reached.", true);

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-action]");
  if (button && button.ariaDisabled !== "true") actions[button.dataset.action](button.dataset).catch(failed);
});
byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(event.target).catch(failed);
});
for (const [id, submit] of Object.entries({ confirm: confirmAgain, "view-as": viewAs, note: keepNote })) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    submit(event.target).catch(failed);
  });
}
byId("sessions").addEventListener("submit", (event) => {
  event.preventDefault();
  saveName(event.target).catch(failed);
});
byId("sessions").addEventListener("keydown", ({ key, target }) => {
  if (key === "Escape" && target.form) leaveName(target.form.dataset.handle).catch(failed);
});
byId("happened").addEventListener("toggle", ({ target }) => {
  if (target.open) listHistory().catch(failed);
});
document.addEventListener("change", ({ target }) => {
  if (target.name === "role") changeRole(target.value).catch(failed);
});
addEventListener("storage", () => show().catch(failed));
setInterval(tick, 250);
show().catch(failed);
