// Signs in, calls, refreshes and signs out with one client of DPoP, and plays the thief who has all but its key.
// Prints the status of each step, and for the thief's the challenge too.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const [packages, name, alg, origin] = process.argv.slice(2);
const load = (each) => {
  const folder = `${packages}/node_modules/${each}`;
  const { exports, main, module } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const entry = exports?.["."]?.default ?? exports?.["."]?.import ?? module ?? main;
  return import(pathToFileURL(`${folder}/${typeof entry === "string" ? entry : entry.default}`));
};
const library = await load(name);
const LOGIN = "/login?user_id=ada", REFRESH = "/auth/session/refresh";

// Each client has a key, sends one request with a proof, and comes again with the nonce if that is asked for.
const clients = {
  async dpop() {
    const key = await library.generateKeyPair(alg);
    let nonce;
    return async (method, path, token, { isRefresh = false } = {}) => {
      for (;;) {
        const proof = await library.generateProof(key, origin + path, method, nonce, isRefresh ? undefined : token);
        const response = await send(method, path, proof, token);
        const asks = response.headers.get("www-authenticate")?.includes("use_dpop_nonce") && nonce !== response.headers.get("dpop-nonce");
        nonce = response.headers.get("dpop-nonce") ?? nonce;
        if (!asks) return response;
      }
    };
  },
  async jose() { // what signs by EdDSA, the older name of Ed25519
    const { privateKey, publicKey } = await library.generateKeyPair(alg, { extractable: true });
    const { kty, crv, x, y, n, e } = await library.exportJWK(publicKey);
    const jwk = JSON.parse(JSON.stringify({ kty, crv, x, y, n, e }));
    let nonce;
    return async (method, path, token, { isRefresh = false } = {}) => {
      for (;;) {
        const digest = token && !isRefresh && (await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
        const ath = digest ? library.base64url.encode(new Uint8Array(digest)) : undefined;
        const claims = { htm: method, htu: origin + path.split("?")[0], jti: crypto.randomUUID(), ath, nonce };
        const signing = new library.SignJWT(claims).setIssuedAt().setProtectedHeader({ typ: "dpop+jwt", alg, jwk });
        const response = await send(method, path, await signing.sign(privateKey), token);
        const asks = response.headers.get("www-authenticate")?.includes("use_dpop_nonce") && nonce !== response.headers.get("dpop-nonce");
        nonce = response.headers.get("dpop-nonce") ?? nonce;
        if (!asks) return response;
      }
    };
  },
  async oauth4webapi() {
    const client = { client_id: "spa" };
    const DPoP = library.DPoP(client, await library.generateKeyPair(alg));
    const options = { DPoP, [library.allowInsecureRequests]: true };
    const post = async (path, authenticate) => {
      const server = { issuer: origin, token_endpoint: origin + path };
      const response = await library.genericTokenEndpointRequest(server, client, authenticate, "password", {}, options);
      try {
        await library.processGenericTokenEndpointResponse(server, client, response.clone());
      } catch (error) {
        if (library.isDPoPNonceError(error)) return post(path, authenticate);
      }
      return response;
    };
    return async (method, path, token, { isRefresh = false } = {}) => {
      if (!token || isRefresh) return post(path, (_, __, ___, headers) => token && headers.set("authorization", `DPoP ${token}`));
      for (let asks = true; ; ) {
        try {
          return await library.protectedResourceRequest(token, method, new URL(origin + path), undefined, undefined, options);
        } catch (error) {
          if (!asks || !library.isDPoPNonceError(error)) return error.response;
          asks = false;
        }
      }
    };
  },
};

let last; // the proof that was sent last, for a thief
const fetched = fetch;
globalThis.fetch = (url, options) => {
  const headers = new Headers(options?.headers);
  last = headers.get("dpop") ?? last;
  return fetched(url, options);
};
const send = (method, path, proof, token) =>
  fetch(origin + path, { method, headers: { dpop: proof, ...(token && { authorization: `DPoP ${token}` }) } });
const told = (response) => [response.status, response.headers.get("www-authenticate")?.match(/error="([^"]*)"/)?.[1] ?? null];
const tokens = (response) => [response.headers.get("st-access-token"), response.headers.get("st-refresh-token")];

const steps = {};
const call = await clients[name]();
const signedIn = await call("POST", LOGIN);
steps.login = signedIn.status;
let [access, refresh] = tokens(signedIn);
const payload = JSON.parse(Buffer.from(access.split(".")[1], "base64url"));
steps.bound = typeof payload.cnf?.jkt;
const me = await call("GET", "/me", access);
steps.me = [me.status, await me.json()];
steps.query = (await call("GET", "/me?a=1", access)).status;

const used = last;
steps.replay = told(await fetched(`${origin}/me?a=1`, { headers: { dpop: used, authorization: `DPoP ${access}` } }));
steps.bearer = told(await fetched(`${origin}/me`, { headers: { authorization: `Bearer ${access}` } }));
steps.cookie = (await fetched(`${origin}/me`, { headers: { cookie: `sAccessToken=${access}` } })).status;
const thief = await clients[name]();
steps.stranger = told(await thief("GET", "/me", access));
steps.strangerRefresh = told(await thief("POST", REFRESH, refresh, { isRefresh: true }));
steps.bareRefresh = told(await fetched(origin + REFRESH, { method: "POST", headers: { authorization: `Bearer ${refresh}` } }));

for (const round of ["first", "second"]) {
  const refreshed = await call("POST", REFRESH, refresh, { isRefresh: true });
  const earlier = refresh;
  [access, refresh] = tokens(refreshed);
  steps[`${round}Refresh`] = [refreshed.status, (await call("GET", "/me", access)).status];
  steps[`${round}Lost`] = (await call("POST", REFRESH, earlier, { isRefresh: true })).status;
}
steps.signOut = (await call("POST", "/auth/signout", access)).status;
steps.after = (await call("GET", "/checked", access)).status;
console.log(JSON.stringify(steps));
