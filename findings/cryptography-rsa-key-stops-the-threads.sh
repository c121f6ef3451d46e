#!/usr/bin/env bash
# cryptography 46.0.7 and older hold the interpreter while they make an RSA key: no other thread of the process runs, so an
# event loop stands still even if the key is made in a worker thread, as services that rotate RS256 keys do. 47.0.0 lets them run.
# Seen: how often another thread, which sleeps for a millisecond at a time, ran during a key of 3072 bits: 46.0.7 never; 47.0.0 often.
# Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/ask.py" <<'PY'
import threading
import time

from cryptography.hazmat.primitives.asymmetric import rsa

turns = 0


def turn():
    global turns
    while True:
        turns += 1
        time.sleep(0.001)


threading.Thread(target=turn, daemon=True).start()
most = 0
for _ in range(10):
    before = turns
    rsa.generate_private_key(65537, 3072)
    most = max(most, turns - before)
# One turn may be taken between the key and the count.
print("never" if most <= 1 else "often")
PY

seen=""
for version in 46.0.7 47.0.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "cryptography==$version"
    seen="$seen$version: $("$folder/$version/bin/python" "$folder/ask.py"); "
done
echo "another thread ran: $seen"
[ "$seen" = "46.0.7: never; 47.0.0: often; " ]
