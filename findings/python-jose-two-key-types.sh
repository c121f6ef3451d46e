#!/usr/bin/env bash
# python-jose 3.5.0 accepts a whole JWK Set in place of a key, and tries its keys in order with the algorithm of the token,
# not by `kid`. A key of another type (RFC 7517, section 4.1) raises an error, although the next key is the right one:
# whether a good token is accepted depends on the order of the set. Passing only the key with the token's `kid` works.
# Seen: EC first: ok; RSA first: refused; the one key by its kid: ok. Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check 'python-jose[cryptography]==3.5.0'

cat >"$folder/ask.py" <<'PY'
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwk, jwt
from jose.exceptions import JOSEError


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public(text, algorithm, kid):
    return {**jwk.construct(text, algorithm).public_key().to_dict(), "kid": kid, "use": "sig"}


def said(key):
    try:
        jwt.decode(token, key, algorithms=["ES256"])
    except JOSEError:
        return "refused"
    return "ok"


curve, modulus = pem(ec.generate_private_key(ec.SECP256R1())), pem(rsa.generate_private_key(65537, 2048))
token = jwt.encode({"sub": "ada"}, curve, algorithm="ES256", headers={"kid": "ec"})
by_kid = {"ec": public(curve, "ES256", "ec"), "rsa": public(modulus, "RS256", "rsa")}
one = by_kid[jwt.get_unverified_header(token)["kid"]]
print(
    f"EC first: {said({'keys': [by_kid['ec'], by_kid['rsa']]})}; "
    f"RSA first: {said({'keys': [by_kid['rsa'], by_kid['ec']]})}; the one key by its kid: {said(one)}"
)
PY

seen=$("$folder/python/bin/python" "$folder/ask.py")
echo "python-jose 3.5.0: $seen"
[ "$seen" = "EC first: ok; RSA first: refused; the one key by its kid: ok" ]
