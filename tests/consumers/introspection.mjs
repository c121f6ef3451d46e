// Finds the endpoints by discovery, asks about tokens, revokes one, and is refused with a wrong secret, all by oauth4webapi.
// Prints what it was told.
import { pathToFileURL } from "node:url";
const [packages, origin, clientId, secret, access, refresh] = process.argv.slice(2);
const oauth = await import(pathToFileURL(`${packages}/node_modules/oauth4webapi/build/index.js`));

const options = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(`${origin}/auth`);
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: "oidc", ...options }),
);
const client = { client_id: clientId };
const right = oauth.ClientSecretBasic(secret);
const ask = async (token, authentication = right) =>
  oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, authentication, token, options));
const revoke = async (token) =>
  oauth.processRevocationResponse(await oauth.revocationRequest(server, client, right, token, options));
const refused = async (asked) => {
  try {
    return await asked();
  } catch (error) {
    return [error.name, error.status, error.error ?? error.cause?.[0]?.scheme];
  }
};

const told = { active: await ask(access), refresh: await ask(refresh), garbage: await ask("garbage") };
told.wrong = await refused(() => ask(access, oauth.ClientSecretBasic(`${secret}-`)));
told.nobody = await refused(() => ask(access, oauth.None()));
told.post = await refused(() => ask(access, oauth.ClientSecretPost(secret)));
told.revoked = [await revoke(refresh), await revoke(refresh), await revoke("garbage")].map((each) => each === undefined);
told.after = await ask(access);
console.log(JSON.stringify(told));
