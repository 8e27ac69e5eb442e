from __future__ import annotations

import base64

import pytest
from yarl import URL

from inbond.upstream.proxies import DIRECT, Proxies, Proxy


def proxy(text: str = "http://proxy.acme.example:3128") -> Proxy:
    return Proxy.parse(text, source="HTTPS_PROXY")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://proxy.acme.example:3128", "http://proxy.acme.example:3128"),
        ("http://proxy.acme.example:3128/", "http://proxy.acme.example:3128"),
        (" https://proxy.acme.example ", "https://proxy.acme.example"),
        ("HTTP://PROXY.acme.example", "http://proxy.acme.example"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("http://user:s3cret@proxy:1", "http://proxy:1"),
    ],
)
def test_a_proxy_can_be_shown(text: str, shown: str) -> None:
    assert proxy(text).url == shown
    assert "s3cret" not in repr(proxy(text))


def test_credentials_become_a_header_with_the_characters_meant() -> None:
    expected = "Basic " + base64.b64encode("us@er:s:ét".encode()).decode()
    assert proxy("http://us%40er:s%3A%C3%A9t@proxy:1").authorization == expected
    assert proxy("http://proxy:1").authorization is None


@pytest.mark.parametrize(
    "text",
    [
        "", "proxy", "proxy:3128", "user:s3cret@proxy:3128", "ftp://user:s3cret@proxy", "http://", "http://proxy:99999",
        "http://proxy/path", "http://proxy?s3cret", "http://proxy#s3cret", "http://user:s3/cret@proxy:3128",
        "http://me:s3://cret@proxy:3128", "http://proxy/?token=s3cret@", "http://a..b:3128", "http://proxy%40b:3128",
        "a@s3://b@proxy", "http://user:s3cret@[proxy", "socks5://user:s3cret@proxy:1080", "//user:s3cret@proxy",
    ],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not the address of a proxy|is a SOCKS proxy") as caught:
        proxy(text)
    assert "s3" not in str(caught.value)


def test_each_scheme_has_its_own_proxy() -> None:
    plain, secure = proxy("http://a:1"), proxy("http://b:1")
    both = Proxies(http=plain, https=secure)
    assert both.for_url(URL("http://index.test/")) is plain
    assert both.for_url(URL("https://index.test/")) is secure
    assert DIRECT.for_url(URL("https://index.test/")) is None


@pytest.mark.parametrize(
    ("exempt", "url", "direct"),
    [
        ("", "https://pkgs.acme.example/", False),
        ("*", "https://pkgs.acme.example/", True),
        ("other.example, *", "https://[2001:db8::1]/", True),
        ("pkgs.acme.example", "https://pkgs.acme.example/", True),
        ("PKGS.acme.example.", "https://pkgs.ACME.example./", True),
        ("acme.example", "https://pkgs.acme.example/", True),
        (".acme.example", "https://pkgs.acme.example/", True),
        (".acme.example", "https://acme.example/", True),
        ("*.acme.example", "https://pkgs.acme.example/", True),
        ("cme.example", "https://pkgs.acme.example/", False),
        ("pkgs.acme.example.evil.test", "https://pkgs.acme.example/", False),
        ("localhost other.example", "https://other.example/", True),
        ("acme.example:8443", "https://acme.example:8443/", True),
        ("acme.example:443", "https://acme.example/", True),
        ("acme.example:443", "https://acme.example:8443/", False),
        ("127.0.0.1", "http://127.0.0.1:8000/", True),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/", True),
        ("0.0.1", "http://127.0.0.1:8000/", False),
        ("10.0.0.0/8,192.168.0.0/16", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("10.0.0.0/8", "http://[::1]/", False),
        ("10.0.0.0/8", "http://ten.example/", False),
        ("::1", "http://[::1]/", True),
        ("[::1]:8000", "http://[::1]:8000/", True),
        ("[::1]", "http://[::1]:8000/", True),
        ("fd00::/8", "http://[fd00::5]/", True),
        (",, .", "https://pkgs.acme.example/", False),
        ("acme.example:" + "9" * 5000, "https://acme.example/", False),
        ("bücher.example", "https://bücher.example/", True),
        ("BÜCHER.example", "https://xn--bcher-kva.example/", True),
        (".bücher.example:443", "https://a.bücher.example/", True),
        ("\udcff.example", "https://a.example/", False),
        ("8.8.8.8", "http://8.8.8.8%25x/", False),
    ],
)
def test_hosts_are_exempt_as_no_proxy_lists_them(exempt: str, url: str, direct: bool) -> None:
    proxies = Proxies(http=proxy(), https=proxy(), exempt=exempt)
    assert (proxies.for_url(URL(url)) is None) == direct
