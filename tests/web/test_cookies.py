"""Cookies are read as the browser sent them, to the byte, and written so that nothing can be put between."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fastapi_session.web.cookies import EPOCH, MAX_BYTES, MAX_COOKIES, http_date, read_cookies, set_cookie

NAMES = frozenset({"a", "b"})
PIECES = [b"a", b"b", b"=", b"; ", b";", b'"', b"%", b"\t"]
EVERY_BYTE = bytes(range(256)).decode("latin-1")


class TestReading:
    @pytest.mark.parametrize(
        ("header", "found"),
        [
            (b"a=1", {"a": ("1",)}),
            (b"a=1; b=2", {"a": ("1",), "b": ("2",)}),
            (b"a=1;b=2;c=3", {"a": ("1",), "b": ("2",)}),
            (b"a=1; a=2; a=1", {"a": ("1", "2", "1")}),
            (b"  a\t=\t1  ;", {"a": ("1",)}),
            (b"a=1=2", {"a": ("1=2",)}),
            (b"a=%41%3D%3b", {"a": ("A=;",)}),
            (b"a=%zz%", {"a": ("%zz%",)}),
            (b"a=%FF", {"a": ("\xff",)}),
            (b"a=\xff", {"a": ("\xff",)}),
            (b'a="1"', {"a": ('"1"',)}),
            (b'x="; a=1; "', {"a": ("1",)}),
            (b"a=1, b=2", {"a": ("1, b=2",)}),
            (b"a=1\x0bx", {"a": ("1\x0bx",)}),
            (b"a=", {}),
            (b"a=; a=1", {"a": ("1",)}),
            (b"a", {}),
            (b"=1", {}),
            (b"=a=1", {}),
            (b"A=1", {}),
            (b"aa=1", {}),
            (b"%61=1", {}),
            (b"\xa0a=1", {}),
            (b"a\xa0=1", {}),
            (b"\x85a=1", {}),
            (b"\x0ba=1", {}),
            (b"\x0ca=1", {}),
            (b"\x1ca=1", {}),
            (b"\x00a=1", {}),
            (b"\ra=1", {}),
            (b"\na=1", {}),
            (b"a=\xa01", {"a": ("\xa01",)}),
            (b"", {}),
            (b";;; ;=;", {}),
        ],
    )
    def test_one_header(self, header: bytes, found: dict[str, tuple[str, ...]]) -> None:
        """Pairs part at semicolons, name and value at the first equals sign; space and tab alone are taken away."""
        assert found == read_cookies([header], NAMES)

    def test_several_headers(self) -> None:
        """HTTP/2 sends a jar as several headers: they are one, in order (RFC 9113, section 8.2.3)."""
        assert {"a": ("1", "3"), "b": ("2",)} == read_cookies([b"a=1; b=2", b"a=3"], NAMES)

    @pytest.mark.parametrize("size", [100, MAX_COOKIES])
    def test_a_full_jar(self, size: int) -> None:
        """A jar of a hundred cookies and more is read."""
        assert {"a": ("1",)} == read_cookies([b"; ".join([*[b"x=y"] * (size - 1), b"a=1"])], NAMES)

    @pytest.mark.parametrize("size", [16 * 1024, MAX_BYTES])
    def test_a_large_jar(self, size: int) -> None:
        """A jar of 16 KiB and more is read."""
        assert {"a": ("1",)} == read_cookies([b"a=1; x=" + b"y" * (size - 7)], NAMES)

    @pytest.mark.parametrize(
        "headers",
        [
            [b"a=1; x=" + b"y" * (MAX_BYTES - 6)],
            [b"; ".join([b"a=1", *[b"x=y"] * MAX_COOKIES])],
            [b"a=1", *[b"x=y"] * MAX_COOKIES],
            [b"a=1" + b";" * MAX_COOKIES],
        ],
    )
    def test_a_jar_past_the_bounds(self, headers: list[bytes]) -> None:
        """A jar that is past the bounds has nothing in it, and is no error."""
        assert {} == read_cookies(headers, NAMES)

    @given(st.lists(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3)).map(b"".join), max_size=5))
    def test_any_bytes(self, headers: list[bytes]) -> None:
        """No bytes are an error, and what is found has a name that was asked for and a value."""
        found = read_cookies(headers, NAMES)

        assert found.keys() <= NAMES
        assert all(values and all(values) for values in found.values())

    @given(
        st.lists(st.tuples(st.sampled_from("abc"), st.text(st.characters(max_codepoint=255), min_size=1)), max_size=9)
    )
    def test_every_value_in_order(self, pairs: list[tuple[str, str]]) -> None:
        """Of each name all values are found, in the order in which they came."""
        header = "; ".join(f"{name}={quote(value, safe='', encoding='latin-1')}" for name, value in pairs)
        expected = {name: tuple(value for other, value in pairs if other == name) for name in NAMES}

        assert {name: values for name, values in expected.items() if values} == read_cookies([header.encode()], NAMES)

    @given(st.binary(min_size=1, max_size=3), st.binary(max_size=3))
    def test_a_name_is_what_was_sent(self, before: bytes, after: bytes) -> None:
        """Whatever stands around a name, but space and tab and what parts cookies, makes it another name."""
        assume((before + after).strip(b" \t") and b";" not in before + after and b"=" not in before + after)

        assert {} == read_cookies([before + b"a" + after + b"=1"], NAMES)


class TestWriting:
    def test_a_cookie(self) -> None:
        """A cookie has its value, path, end and attributes, in that order."""
        assert b"a=v.1-_; Path=/p; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax" == set_cookie(
            "a", "v.1-_", path="/p", expires=EPOCH, attributes="; SameSite=Lax"
        )

    @given(st.text(st.characters(max_codepoint=255)))
    def test_nothing_can_be_put_between(self, value: str) -> None:
        """Whatever the value, the header has the same attributes, no other cookie reads them, and no line ends."""
        header = set_cookie("a", value, path="/", expires=EPOCH, attributes="; SameSite=Lax")
        text, _, attributes = header.partition(b"; ")

        assert b"Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax" == attributes
        assert not set(text[2:]) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~%")

    def test_every_byte(self) -> None:
        """Each of the 256 bytes is written without a control character, separator or quote, and comes back as UTF-8."""
        header = set_cookie("a", EVERY_BYTE, path="/", expires=EPOCH, attributes="").partition(b";")[0]
        ((_, (value,)),) = read_cookies([header], NAMES).items()

        assert EVERY_BYTE == value.encode("latin-1").decode()


@pytest.mark.parametrize(
    ("milliseconds", "date"),
    [
        (0, EPOCH),
        (999, EPOCH),
        (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (2_000_000_000_000, "Wed, 18 May 2033 03:33:20 GMT"),
    ],
)
def test_dates(milliseconds: int, date: str) -> None:
    """A moment is written as HTTP has it, in GMT."""
    assert date == http_date(milliseconds)
