from __future__ import annotations

import pytest

from inbond.policy.platforms import group_of, preference
from policy.cases import file_of


def of(tags: str) -> tuple[str, str]:
    return group_of(file_of(f"demo-1.0-cp311-cp311-{tags}.whl"))[1:]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("any", ("any", "")),
        ("manylinux1_i686", ("linux", "i686")),
        ("manylinux2014_x86_64", ("linux", "x86_64")),
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", ("linux", "x86_64")),
        ("linux_armv7l", ("linux", "armv7l")),
        ("musllinux_1_2_aarch64", ("musllinux", "aarch64")),
        ("macosx_10_9_universal2", ("macosx", "universal2")),
        ("macosx_10_9_intel", ("macosx", "other")),
        ("macosx_10_9_x86_64.macosx_11_0_arm64", ("macosx", "x86_64")),
        ("win32", ("win", "")),
        ("WIN_AMD64", ("win", "amd64")),
        ("ios_13_0_arm64_iphoneos", ("ios", "other")),
        ("beos_5", ("other", "")),
        # what most people get comes first
        ("any.win_amd64", ("any", "")),
        ("win_amd64.manylinux2014_x86_64", ("linux", "x86_64")),
        ("beos_5.win_amd64", ("win", "amd64")),
    ],
)
def test_platforms_are_read_off_the_name(tags: str, expected: tuple[str, str]) -> None:
    assert of(tags) == expected


def test_the_most_alike_come_first_and_then_the_most_used() -> None:
    names = [
        "demo-1.0.tar.gz",
        *(
            f"demo-1.0-cp311-cp311-{tags}.whl"
            for tags in ("win_amd64", "any", "manylinux1_riscv64", "manylinux1_x86_64", "manylinux1_aarch64")
        ),
    ]
    groups = [group_of(file_of(name)) for name in names]

    found = sorted(groups, key=lambda one: preference(groups[5], one))

    assert [one[1:] for one in found] == [
        ("linux", "aarch64"), ("linux", "x86_64"), ("linux", "riscv64"), ("any", ""), ("win", "amd64"), ("", ""),
    ]  # fmt: skip
