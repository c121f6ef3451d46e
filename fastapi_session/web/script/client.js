/* Sessions of fastapi_session in a page: a `fetch` that refreshes. It changes no global, and needs nothing else.
 *
 *   import { createSession } from "/auth/client.js";
 *   const session = createSession();
 *   await session.fetch("/me");
 *
 * What is known of the session is one entry of localStorage, shared by all tabs: the front token, which tells who is
 * signed in; an anti-CSRF token, if there is one; and in header mode the tokens, which cookies keep otherwise.
 */

/* How often a call is refreshed for, and what is answered by 503 is tried. */
const TRIES = 3;

/* Seconds: for the tab that refreshes, and for a server that asks by Retry-After. */
const PATIENCE = 10;

const IDEMPOTENT = /^(GET|HEAD|OPTIONS|PUT|DELETE)$/;

export function createSession({ base = import.meta.url, mode = "cookie", fetch = globalThis.fetch, onEnd, onStepUp } = {}) {
  const here = globalThis.document?.baseURI ?? globalThis.location?.href;
  const home = new URL(".", new URL(base, here));
  const refreshPath = new URL("session/refresh", home).href;
  const key = `session ${home}`;
  const store = storage();
  const read = () => JSON.parse(store[key] ?? "{}");
  const isOurs = (url) => new URL(url, here).origin === home.origin;

  let seen = read().front;
  let last = Promise.resolve();
  let steppingUp;
  const refreshing = {};

  /* Calls of another origin than the API's are none of ours, and are made as they are. */
  async function call(input, init) {
    if (!isOurs(input.url ?? input)) return fetch(input, init);
    const request = new Request(input, init);
    let asked = false;
    for (let tries = 0; ; tries++) {
      const before = read();
      const response = await send(request, "access");
      const { message, claimValidationErrors } = await said(response);
      if (tries === TRIES) return response;
      if (claimValidationErrors && onStepUp && !asked) {
        if (read().front !== before.front) continue; // the claims have changed meanwhile
        asked = true;
        if (!(await stepUp(claimValidationErrors))) return response;
      } else if (message === "try refresh token" || (message === "unauthorised" && read().front)) {
        const refusal = await refresh(before.front);
        if (refusal) return refusal.clone();
        if (before.front && !read().front) return response;
      } else return response;
    }
  }

  /* Calls that are refused together ask the user once. */
  function stepUp(errors) {
    steppingUp ??= Promise.resolve(onStepUp(errors)).finally(() => (steppingUp = undefined));
    return steppingUp;
  }

  /* Calls that are refused together share one refresh, even if it takes so long that they would not wait for the lock. */
  function refresh(before = read().front) {
    return (refreshing[before] ??= refreshOnce(before).finally(() => delete refreshing[before]));
  }

  /* Whoever holds the lock refreshes; whoever waited for it finds another front token than before, and is done.
   * The lock saves requests and no more: a tab may get it before it sees what another has stored (localStorage is not shared
   * at once), and tabs that refresh with one token are all answered by the server. */
  function refreshOnce(before) {
    return locked(async () => {
      if (read().front !== before) return;
      const response = await send(new Request(refreshPath, { method: "POST" }), "refresh");
      if (response.ok) return;
      if ((await said(response)).message === "unauthorised") keep("remove");
      return response;
    });
  }

  /* Browsers have no locks on plain http, and may put a tab to sleep that holds one: then each tab waits for itself. */
  function locked(run) {
    const queued = () => (last = last.then(run, run));
    const { locks } = globalThis.navigator ?? {};
    if (!locks) return queued();
    return locks.request(key, { signal: AbortSignal.timeout(PATIENCE * 1000) }, run).catch((error) => {
      if (error.name === "TimeoutError") return queued();
      throw error;
    });
  }

  async function send(request, kind) {
    for (let tries = 1; ; tries++) {
      const sent = new Request(request.clone(), mode === "cookie" ? { credentials: "include" } : {});
      const { antiCsrf, [kind]: bearer } = read();
      sent.headers.set("rid", "session");
      sent.headers.set("st-auth-mode", mode);
      if (antiCsrf) sent.headers.set("anti-csrf", antiCsrf);
      if (bearer && !sent.headers.has("authorization")) sent.headers.set("authorization", `Bearer ${bearer}`);
      const response = await fetch(sent);
      if (!isOurs(response.url || home)) return response; // a call that was redirected to another origin
      const [front, wait, ...others] = HEADERS.map((name) => response.headers.get(name));
      if (front) keep(front, ...others);
      const mayRepeat = IDEMPOTENT.test(sent.method) || sent.url === refreshPath;
      if (response.status !== 503 || tries === TRIES || !mayRepeat || !wait || !(wait <= PATIENCE)) return response;
      await new Promise((done) => setTimeout(done, wait * 1000));
    }
  }

  /* What a refusal of ours says. Nothing is read of an answer that is none. */
  async function said(response) {
    if (response.ok || !isOurs(response.url || home) || !response.headers.get("content-type")?.includes("json")) return {};
    return (await response.clone().json().catch(() => null)) ?? {};
  }

  function keep(front, antiCsrf, access, refresh) {
    if (front === "remove") delete store[key];
    else {
      const { ate, up } = parse(front);
      const news = { front, ends: Date.now() + ate - up.iat * 1000 };
      if (antiCsrf) news.antiCsrf = antiCsrf;
      if (access && mode === "header") news.access = access;
      if (refresh && mode === "header") news.refresh = refresh;
      store[key] = JSON.stringify({ ...read(), ...news });
    }
    look();
  }

  /* Another tab may have signed out, or in. */
  function look() {
    const { front } = read();
    if (seen && !front) onEnd?.();
    seen = front;
  }

  /* A page that was hidden for long would begin with calls that are refused. `ends` is by this machine's clock. */
  function wake() {
    if (document.visibilityState === "visible" && read().ends <= Date.now()) refresh().catch(() => {});
  }

  if (globalThis.document) {
    addEventListener("storage", look);
    addEventListener("visibilitychange", wake);
    addEventListener("online", wake);
  }

  const told = () => read().front && parse(read().front);
  return {
    fetch: call,
    refresh: async () => !(await refresh()) && Boolean(read().front),
    signOut: () => call(new URL("signout", home), { method: "POST" }),
    get userId() { return told()?.uid; },
    get claims() { return told()?.up; },
  };
}

const HEADERS = ["front-token", "retry-after", "anti-csrf", "st-access-token", "st-refresh-token"];

function parse(front) {
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(front), (char) => char.charCodeAt(0))));
}

/* If the browser forbids storage there is a memory as long as the page. */
function storage() {
  try {
    return globalThis.localStorage ?? {};
  } catch {
    return {};
  }
}
