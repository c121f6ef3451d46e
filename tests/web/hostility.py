"""Requests as no client of ours would send them: tokens, cookies and headers, altered and made up.

Everything here is drawn from one random generator, so that a seed names the whole attack. What a forger makes is never the
text of a genuine token, so whatever is accepted is a hole.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric import ec

from fastapi_session.core.signatures import sign

Header = tuple[bytes, bytes]

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ALGORITHMS = [
    "none",
    "None",
    "NONE",
    "nOnE",
    "HS256",
    "hs256",
    "HS512",
    "RS256",
    "PS256",
    "es256",
    "ES384",
    "",
    " ES256",
]
KIDS = [
    "",
    "d-0",
    "s-0",
    "../../dev/null",
    "/dev/null",
    "' OR 1=1 --",
    "d-\x00",
    "d-\n",
    "ü",
    "k" * 64,
    "k" * 65,
    "k" * 3000,
]
MEMBERS: dict[str, Any] = {
    "crit": ["exp"],
    "jwk": {"kty": "oct", "k": "AAAA"},
    "jku": "https://mallory.example/jwks.json",
    "x5u": "https://mallory.example/cert.pem",
    "x5c": ["MIIB"],
    "b64": False,
    "cty": "JWT",
    "zip": "DEF",
    "enc": "A128GCM",
    "__proto__": {},
}
WRONG: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**300,
    "",
    "0",
    "\ud800",
    "\x00",
    [],
    {},
    [[]],
    {"a": None},
    2**53,
    -(2**63),
]
RAW_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 3000, "0x10", "01", "1.", "-", "1E+400"]
EXTREME_BYTES = bytes(range(256))


@dataclass(frozen=True)
class Forger:
    """Makes hostile texts from *genuine* access tokens and refresh tokens."""

    random: Random
    access: Sequence[str] = field(repr=False)
    refresh: Sequence[str] = field(repr=False)

    def token(self) -> str:
        """A text that is no genuine token."""
        while True:
            text = self.random.choice(FORGERIES)(self)
            if not {unquote(part).strip(" \t") for part in text.split(";")} & {*self.access, *self.refresh}:
                return text

    def genuine(self) -> str:
        return self.random.choice([*self.access, *self.refresh])

    def segments(self) -> list[str]:
        return self.random.choice(self.access).split(".")

    def header(self) -> dict[str, Any]:
        header: dict[str, Any] = json.loads(decoded(self.segments()[0]))
        return header

    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(decoded(self.segments()[1]))
        return payload


def encoded(data: bytes | str) -> str:
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "==")


def flipped(forger: Forger) -> str:
    """One to three bits of the text are others."""
    text = bytearray(forger.genuine().encode())
    for _ in range(forger.random.randint(1, 3)):
        text[forger.random.randrange(len(text))] ^= 1 << forger.random.randrange(8)
    return text.decode("latin-1")


def replaced(forger: Forger) -> str:
    """One character is another of the alphabet."""
    text = forger.genuine()
    at = forger.random.randrange(len(text))
    return text[:at] + forger.random.choice(ALPHABET) + text[at + 1 :]


def flipped_inside(forger: Forger) -> str:
    """One bit of what a segment encodes is another, and the encoding is canonical."""
    parts = forger.genuine().split(".")
    which = forger.random.randrange(len(parts))
    data = bytearray(decoded(parts[which]))
    data[forger.random.randrange(len(data))] ^= 1 << forger.random.randrange(8)
    parts[which] = encoded(bytes(data))
    return ".".join(parts)


def cut(forger: Forger) -> str:
    text = forger.genuine()
    return (
        text[: forger.random.randrange(len(text))]
        if forger.random.random() < 0.5
        else text[forger.random.randint(1, 9) :]
    )


def stretched(forger: Forger) -> str:
    text, more = (
        forger.genuine(),
        forger.random.choice(["A", "=", "==", ".", "..", ".A", "\n", "\x00", "A" * 5000, ";", ","]),
    )
    return forger.random.choice([text + more, more + text])


def inserted(forger: Forger) -> str:
    """A character that some decoders skip stands somewhere inside."""
    text, at = forger.genuine(), forger.random.randrange(1, 100)
    return text[:at] + forger.random.choice(" \t\r\n\x00\x0b=+/%!,\"'\\\x7f\x80\x85\xa0\xff") + text[at:]


def shuffled(forger: Forger) -> str:
    """Segments of one or several tokens, in another order or number."""
    pool = [*forger.segments(), *forger.segments(), forger.random.choice(forger.refresh), "", "e30", "bnVsbA", "W10"]
    return ".".join(forger.random.choice(pool) for _ in range(forger.random.choice([1, 2, 3, 3, 3, 3, 4, 5])))


def uncanonical(forger: Forger) -> str:
    """The same bytes in another encoding: unused bits set, padding, or the other alphabet."""
    parts = forger.genuine().split(".")
    which = forger.random.randrange(len(parts))
    part = parts[which]
    last = ALPHABET[(ALPHABET.index(part[-1]) + forger.random.randint(1, 3)) % 64]
    parts[which] = forger.random.choice(
        [
            part[:-1] + last,
            part + "=" * (-len(part) % 4),
            part.replace("-", "+").replace("_", "/"),
            part + "\n",
            " " + part,
        ]
    )
    return ".".join(parts)


def other_header(forger: Forger) -> str:
    """Another header before the genuine payload and signature."""
    header, draw = forger.header(), forger.random
    change = draw.randrange(6)
    if change == 0:
        header["alg"] = draw.choice(ALGORITHMS)
    elif change == 1:
        header["kid"] = draw.choice(KIDS)
    elif change == 2:
        name = draw.choice(list(MEMBERS))
        header[name] = MEMBERS[name]
    elif change == 3:
        header[draw.choice(list(header))] = draw.choice(WRONG)
    elif change == 4:
        del header[draw.choice(list(header))]
    else:
        header["version"] = draw.choice(
            [5, "6", "05", "5 ", "\N{ARABIC-INDIC DIGIT FIVE}", "2", 2, -5, 10**200, 5.0, "5" * 100]
        )
    parts = [encoded(json.dumps(header)), *forger.segments()[1:]]
    if draw.random() < 0.3:
        parts[2] = draw.choice(["", "AA", parts[2] * 2])
    return ".".join(parts)


def other_payload(forger: Forger) -> str:
    """Other claims under the genuine header and signature."""
    payload, draw = forger.payload(), forger.random
    for name in draw.sample([*payload, "aud", "nbf", "act"], draw.randint(1, 3)):
        payload[name] = draw.choice([*WRONG, "mallory", "admin", 4_000_000_000])
    if draw.random() < 0.2:
        payload.pop(draw.choice(list(payload)))
    return ".".join([forger.segments()[0], encoded(json.dumps(payload)), forger.segments()[2]])


def other_json(forger: Forger) -> str:
    """Texts at the borders of JSON where a segment should be."""
    draw = forger.random
    which = draw.randrange(2)
    plain = json.dumps(forger.payload() if which else forger.header())
    text = draw.choice(
        [
            plain[:-1] + ', "exp": 4000000000, "alg": "none"}',
            plain[:-1] + f', "exp": {draw.choice(RAW_NUMBERS)}}}',
            plain[:-1] + f', "more": {draw.choice(RAW_NUMBERS)}}}',
            plain[:-1] + ', "more": ' + "[" * 900 + "]" * 900 + "}",
            "[" * 2900,
            '{"a":' * 500,
            plain.replace("{", '{"\\ud800": "\\udfff", ', 1),
            plain.replace("{", '{"\ud800": 1, ', 1),
            "\ufeff" + plain,
            plain + plain,
            plain + "\x00",
            plain.replace('"', "'"),
            plain[:-1] + ",}",
            f"[{plain}]",
            json.dumps(plain),
            "",
            "null",
            "{}",
        ]
    )
    data = text.encode("utf-8", "surrogatepass") if draw.random() < 0.9 else text.encode("utf-16", "surrogatepass")
    parts = forger.segments()
    parts[which] = encoded(data)
    return ".".join(parts)


def hmac_signed(forger: Forger) -> str:
    """A token signed by HMAC with something public as its key."""
    header, payload = (
        forger.header() | {"alg": forger.random.choice(["HS256", "ES256"])},
        forger.payload() | {"sub": "mallory"},
    )
    signed = f"{encoded(json.dumps(header))}.{encoded(json.dumps(payload))}"
    key = forger.random.choice([b"", b"secret", header["kid"].encode(), b"-----BEGIN PUBLIC KEY-----"])
    return f"{signed}.{encoded(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def signed_by_nobody(forger: Forger) -> str:
    """Genuine header and payload with an edge case of a signature."""
    draw = forger.random
    r, s = draw.choice([0, 1, 2**256 - 1, 2**255]), draw.choice([0, 1, 2**256 - 1])
    raw = draw.choice(
        [r.to_bytes(32) + s.to_bytes(32), draw.randbytes(64), draw.randbytes(draw.randrange(1, 200)), b"\x00" * 64]
    )
    return ".".join([*forger.segments()[:2], encoded(raw)])


def random_bytes(forger: Forger) -> str:
    return forger.random.randbytes(forger.random.randrange(0, 300)).decode("latin-1")


def random_text(forger: Forger) -> str:
    draw = forger.random
    return "".join(draw.choices(ALPHABET + ".", k=draw.choice([1, 3, 147, 148, 149, 500, 4080, 4081])))


def another_refresh_token(forger: Forger) -> str:
    """A refresh token whose fields are others, under a tag that was not made for them."""
    data, draw = bytearray(decoded(draw_refresh(forger))), forger.random
    start, end = draw.choice([(0, 1), (1, 2), (2, 18), (18, 22), (22, 54), (54, 86), (86, 102)])
    data[start:end] = draw.choice([bytes(end - start), b"\xff" * (end - start), draw.randbytes(end - start)])
    return encoded(bytes(data))


def draw_refresh(forger: Forger) -> str:
    return forger.random.choice(forger.refresh)


FORGERIES: list[Callable[[Forger], str]] = [
    flipped,
    replaced,
    flipped_inside,
    cut,
    stretched,
    inserted,
    shuffled,
    uncanonical,
    other_header,
    other_payload,
    other_json,
    hmac_signed,
    signed_by_nobody,
    random_bytes,
    random_text,
    another_refresh_token,
]

NAMES = [b"sAccessToken", b"sRefreshToken"]


def cookies(forger: Forger) -> list[Header]:
    """Forged tokens in the cookies they belong in."""
    pairs = [name + b"=" + forger.token().encode("latin-1", "replace") for name in NAMES]
    return [(b"cookie", b"; ".join(forger.random.sample(pairs, forger.random.randint(1, 2))))]


def bearer(forger: Forger) -> list[Header]:
    return [(b"authorization", b"Bearer " + forger.token().encode("latin-1", "replace"))]


def misspelt_cookie(forger: Forger) -> list[Header]:
    """A genuine token under a name that is not, to the byte, the name of its cookie."""
    name, value = forger.random.choice(NAMES), forger.genuine().encode()
    odd = forger.random.choice(
        [b"\xa0", b"\x85", b"\x0b", b"\x0c", b"\x1c", b"\x00", b"\xc2\xa0", b"\xe2\x80\x83", b'"', b"_"]
    )
    return [
        (
            b"cookie",
            forger.random.choice(
                [
                    odd + name + b"=" + value,
                    name + odd + b"=" + value,
                    name.lower() + b"=" + value,
                    name.swapcase() + b"=" + value,
                    b"__Host-" + name + b"=" + value,
                    name[:-1] + b"=" + value,
                    b"=" + value,
                    b"=" + name + b"=" + value,
                    value,
                    name + b":" + value,
                    name + b'="' + value + b'"',
                    name + b"=" + odd + value,
                    name + b"=" + value + odd,
                    name + b"%3D" + value,
                    b'x="; ' + odd + name + b"=" + value + b'"',
                    b"x=1, " + name + b"=" + value,
                ]
            ),
        )
    ]


def crowded_jar(forger: Forger) -> list[Header]:
    """A genuine token in a jar past all bounds."""
    genuine = forger.random.choice(NAMES) + b"=" + forger.genuine().encode()
    crowd = forger.random.choice([[b"a=1"] * 1000, [b""] * 1000, [b"x=" + b"y" * 40_000], [b"sAccessToken="] * 1000])
    return [(b"cookie", b"; ".join([*crowd, genuine]))]


def huge_jar(forger: Forger) -> list[Header]:
    return [(b"cookie", b"sAccessToken=" + forger.random.choice([b"a", b";", b"=", b"%41", b"\xff"]) * 1_000_000)]


def raw_jar(forger: Forger) -> list[Header]:
    """Bytes of all kinds, split up as cookies are."""
    draw = forger.random
    pieces = [
        draw.randbytes(draw.randrange(0, 20)),
        EXTREME_BYTES,
        b"sAccessToken",
        b"sRefreshToken=",
        b"=",
        b";",
        b"; ",
        b"%",
        b"sIdRefreshToken",
    ]
    return [
        (b"cookie", b"".join(draw.choice(pieces) for _ in range(draw.randrange(1, 30))))
        for _ in range(draw.randint(1, 3))
    ]


def duplicate_cookies(forger: Forger) -> list[Header]:
    """Two cookies of one name, a genuine token among them or not."""
    name = forger.random.choice(NAMES)
    values = [forger.genuine().encode(), b"x" + forger.token().encode("latin-1", "replace").replace(b";", b"")]
    forger.random.shuffle(values)
    pairs = [name + b"=" + value for value in values]
    return [(b"cookie", b"; ".join(pairs))] if forger.random.random() < 0.5 else [(b"cookie", pair) for pair in pairs]


def odd_authorization(forger: Forger) -> list[Header]:
    """A genuine token where no bearer token is."""
    value = forger.genuine().encode()
    return [
        (
            b"authorization",
            forger.random.choice(
                [
                    b"Bearer" + value,
                    b"Bearer\t" + value,
                    b"Bearer\xa0" + value,
                    b"Bearer: " + value,
                    b"Bearer Bearer " + value,
                    b"Bearer " + value + b", " + value,
                    b'Bearer "' + value + b'"',
                    b"Bearer token=" + value,
                    b"Basic " + value,
                    b"DPoP " + value,
                    b"Token " + value,
                    value,
                    b" Bearer " + value,
                    b"\xffBearer " + value,
                    b"Bearer \x85" + value,
                    b"Bearer %22" + value,
                    EXTREME_BYTES,
                    b"Bearer " + EXTREME_BYTES,
                    b"",
                    b" ",
                    b"Bearer",
                    b"Bearer ",
                    b"Bearer " + b"a" * 100_000,
                ]
            ),
        )
    ]


def proofs(forger: Forger) -> list[Header]:
    """A genuine token that is bound to no key, or a forged one, beside what is no proof, or one of a key of the attacker's own."""
    token = forger.random.choice([forger.genuine, forger.token])().encode("latin-1", "replace")
    junk = [forger.token().encode("latin-1", "replace") for _ in range(forger.random.randint(0, 2))]
    shown = forger.random.choice([junk, [PROOF], [PROOF, PROOF], [PROOF, *junk], [b"a" * 100_000], [EXTREME_BYTES]])
    return [(b"authorization", b"DPoP " + token), *((b"dpop", proof) for proof in shown)]


def own_proof() -> bytes:
    """A proof by a key of the attacker's own, for no token."""
    key, claims = ec.generate_private_key(ec.SECP256R1()), {"htm": "GET", "htu": "https://testserver/me"}
    point = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": encoded(point.x.to_bytes(32)), "y": encoded(point.y.to_bytes(32))}
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
    signed = f"{encoded(json.dumps(header))}.{encoded(json.dumps({**claims, 'iat': 2_000_000_000, 'jti': 'j'}))}"
    return f"{signed}.{encoded(sign(signed.encode(), key))}".encode()


PROOF = own_proof()


def first_header_counts(forger: Forger) -> list[Header]:
    """A genuine token in a second Authorization header, after one that is not ours."""
    return [
        (b"authorization", forger.random.choice([b"Basic eA==", b"Bearer undefined", b"", b"\xff"])),
        (b"authorization", b"Bearer " + forger.genuine().encode()),
    ]


ATTACKS: list[Callable[[Forger], list[Header]]] = [
    *[cookies] * 8,
    *[bearer] * 8,
    *[misspelt_cookie] * 2,
    crowded_jar,
    *[raw_jar] * 2,
    *[duplicate_cookies] * 2,
    *[odd_authorization] * 2,
    *[proofs] * 2,
    first_header_counts,
]

EXTRAS: list[Header] = [
    (b"rid", b"session"),
    (b"rid", b"\xff\x00"),
    (b"st-auth-mode", b"cookie"),
    (b"st-auth-mode", b"header"),
    (b"st-auth-mode", b"\xfe" * 50),
    (b"anti-csrf", b""),
    (b"anti-csrf", EXTREME_BYTES),
    (b"dpop", PROOF),
    (b"dpop", b"\xff"),
    (b"fdi-version", b"1.16,1.17,99"),
    (b"cookie", b"sIdRefreshToken=1"),
    (b"cookie", b"sFrontToken=x"),
    (b"content-length", b"0"),
    (b"origin", b"https://mallory.example"),
    (b"x-forwarded-proto", b"\xf0"),
    (b"user-agent", EXTREME_BYTES * 2),
]


def attack(forger: Forger, *, duplicates: bool = True) -> list[Header]:
    """The headers of one hostile request. *duplicates* says whether a genuine token may be one of two."""
    kind = huge_jar if forger.random.random() < 0.0005 else forger.random.choice(ATTACKS)
    while kind is duplicate_cookies and not duplicates:
        kind = forger.random.choice(ATTACKS)
    return [*forger.random.sample(EXTRAS, forger.random.randint(0, 3)), *kind(forger)]
