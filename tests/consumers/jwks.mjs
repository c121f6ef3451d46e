// Verifies tokens with one verifier of JavaScript, then with a new one of its kind, and prints what each says of them.
import { createRequire } from "node:module";
const [packages, name, address, tokens, afterRestart] = process.argv.slice(2);
const load = createRequire(`${packages}/package.json`);
const { createRemoteJWKSet, importSPKI, jwtVerify } = load("jose");

const made = {
  jose: () => createRemoteJWKSet(new URL(address)),
  "jwks-rsa": () => {
    const client = load("jwks-rsa")({ jwksUri: address });
    return async ({ kid }) => importSPKI((await client.getSigningKey(kid)).getPublicKey(), "ES256");
  },
};
const said = async (texts) => {
  const keys = made[name](), answers = [];
  for (const text of texts) answers.push(await jwtVerify(text, keys).then(() => true, () => false));
  return answers;
};
console.log(JSON.stringify([await said(JSON.parse(tokens)), await said(JSON.parse(afterRestart))]));
