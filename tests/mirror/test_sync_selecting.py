"""Which files of a release are fetched for which Pythons and platforms."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import compatible_tags, cpython_tags

from inbond.cli.config_fields import PLATFORMS
from inbond.mirror import selecting
from inbond.mirror.resolving import _PLATFORMS
from inbond.mirror.selecting import fits, wanted
from inbond.mirror.settings import Wheels
from inbond.model.names import Filename

RELEASE = tuple(
    map(
        Filename,
        (
            "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "demo-1.0-cp312-cp312-manylinux_2_28_aarch64.whl",
            "demo-1.0-cp312-cp312-musllinux_1_2_x86_64.whl",
            "demo-1.0-cp312-cp312-macosx_11_0_arm64.whl",
            "demo-1.0-cp312-cp312-win_amd64.whl",
            "demo-1.0-cp313-cp313t-manylinux_2_28_x86_64.whl",
            "demo-1.0-cp39-abi3-manylinux_2_17_x86_64.whl",
            "demo-1.0-pp310-pypy310_pp73-win_amd64.whl",
            "demo-1.0-py3-none-any.whl",
            "demo-1.0.tar.gz",
            "demo-1.0.win32.exe",
        ),
    )
)


@pytest.mark.parametrize(
    ("tag", "python", "platform", "taken"),
    [
        ("py3-none-any", "3.12", "linux-x86_64", True),
        ("py2.py3-none-any", "3.12", "windows-arm64", True),
        ("py2-none-any", "3.12", "linux-x86_64", False),
        ("py312-none-any", "3.11", "linux-x86_64", False),
        ("py310-none-any", "3.11", "linux-x86_64", True),
        ("cp311-none-any", "3.11", "linux-x86_64", True),
        ("cp310-none-any", "3.11", "linux-x86_64", False),
        ("cp311-cp311-linux_x86_64", "3.11", "linux-x86_64", True),
        ("cp311-cp311-manylinux1_x86_64", "3.11", "linux-x86_64", True),
        ("cp311-cp311-manylinux2014_x86_64", "3.11", "linux-x86_64", True),
        ("cp311-cp311-manylinux_2_39_x86_64", "3.11", "linux-x86_64", True),
        ("cp311-cp311-manylinux_2_99_x86_64", "3.11", "linux-x86_64", False),
        ("cp311-cp311-manylinux_2_17_i686", "3.11", "linux-x86_64", False),
        ("cp311-cp311-manylinux_2_17_x86_64", "3.11", "musllinux-x86_64", False),
        ("cp311-cp311-musllinux_1_2_x86_64", "3.11", "musllinux-x86_64", True),
        ("cp311-cp311-musllinux_1_2_x86_64", "3.11", "linux-x86_64", False),
        ("cp311-cp311-manylinux2014_aarch64", "3.11", "linux-aarch64", True),
        ("cp311-cp311-musllinux_1_1_aarch64", "3.11", "musllinux-aarch64", True),
        ("cp311-cp311-macosx_10_9_universal2", "3.11", "macos-arm64", True),
        ("cp311-cp311-macosx_10_9_universal2", "3.11", "macos-x86_64", True),
        ("cp311-cp311-macosx_10_9_x86_64", "3.11", "macos-arm64", False),
        ("cp311-cp311-macosx_11_0_arm64", "3.11", "macos-x86_64", False),
        ("cp311-cp311-macosx_10_6_intel", "3.11", "macos-x86_64", True),
        ("cp311-cp311-win_amd64", "3.11", "windows-x86_64", True),
        ("cp311-cp311-win32", "3.11", "windows-x86_64", False),
        ("cp311-cp311-win_arm64", "3.11", "windows-arm64", True),
        ("cp38-abi3-win_amd64", "3.12", "windows-x86_64", True),
        ("cp313-abi3-win_amd64", "3.12", "windows-x86_64", False),
        ("cp313-cp313t-win_amd64", "3.13", "windows-x86_64", False),
        ("cp37-cp37m-win_amd64", "3.7", "windows-x86_64", True),
        ("pp311-pypy311_pp73-win_amd64", "3.11", "windows-x86_64", False),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "3.11", "linux-x86_64", True),
        ("cp310.cp311-none-win_amd64", "3.11", "windows-x86_64", True),
        ("strange", "3.11", "linux-x86_64", False),
    ],
)
def test_a_wheel_fits_where_its_tags_say(tag: str, python: str, platform: str, taken: bool) -> None:
    name = f"demo-1.0-{tag}.whl"
    assert fits(name, Wheels(pythons=(python,), platforms=(platform,))) is taken


def test_the_platforms_are_those_of_the_configuration_and_uv_has_a_name_for_each() -> None:
    assert selecting.PLATFORMS == PLATFORMS == tuple(_PLATFORMS)


def test_without_filters_everything_is_wanted() -> None:
    assert wanted(RELEASE, Wheels()) == set(RELEASE)


def test_sdists_stay_wherever_a_wheel_is_missing_somewhere() -> None:
    names = (RELEASE[1], RELEASE[4], RELEASE[9])  # 3.12 on linux-aarch64 and on windows-x86_64
    both = Wheels(pythons=("3.12",), platforms=("linux-aarch64", "windows-x86_64"), wheels_only=True)
    assert wanted(names, both) == set(names[:2])
    more = Wheels(pythons=("3.12",), platforms=("linux-aarch64", "windows-x86_64", "macos-arm64"), wheels_only=True)
    assert wanted(names, more) == set(names)
    older = Wheels(pythons=("3.11",), platforms=("linux-aarch64",), wheels_only=True)
    assert wanted(names, older) == {names[2]}


def test_wheels_alone_are_wanted_of_a_release_that_has_any_where_no_place_is_named() -> None:
    assert RELEASE[9] not in wanted(RELEASE, Wheels(wheels_only=True))
    assert wanted((RELEASE[9],), Wheels(wheels_only=True)) == {RELEASE[9]}


pythons = st.lists(st.sampled_from(["3.7", "3.9", "3.11", "3.12", "3.13"]), unique=True).map(tuple)
platforms = st.lists(st.sampled_from(PLATFORMS), unique=True).map(tuple)
filters = st.builds(Wheels, pythons=pythons, platforms=platforms, wheels_only=st.booleans())
releases = st.lists(st.sampled_from(RELEASE), unique=True)


@given(release=releases, wheels=filters)
def test_an_sdist_is_left_out_only_where_some_wheel_fits(release: list[Filename], wheels: Wheels) -> None:
    kept = wanted(release, wheels)
    assert kept <= set(release)
    if RELEASE[9] in release and RELEASE[9] not in kept:
        assert wheels.wheels_only
        assert any(name.endswith(".whl") for name in kept)


@given(release=releases, wheels=filters, python=st.sampled_from(["3.11", "3.12"]), platform=st.sampled_from(PLATFORMS))
def test_who_asks_for_more_gets_no_wheel_less(
    release: list[Filename], wheels: Wheels, python: str, platform: str
) -> None:
    more = Wheels(
        pythons=(*wheels.pythons, python) if wheels.pythons else (),
        platforms=(*wheels.platforms, platform) if wheels.platforms else (),
        wheels_only=wheels.wheels_only,
    )
    assert wanted(release, wheels) <= wanted(release, more)


@given(release=releases, python=st.sampled_from(["3.9", "3.11", "3.13"]))
def test_what_an_installer_could_take_is_never_left_out(release: list[Filename], python: str) -> None:
    """Beside packaging's own list of what CPython takes on a machine with glibc 2.28."""
    version = (3, int(python[2:]))
    machine = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)] + ["manylinux2014_x86_64", "linux_x86_64"]
    abi = f"cp3{version[1]}"
    tags = set(chain(cpython_tags(version, [abi], machine), compatible_tags(version, abi, machine)))
    for name in release:
        if name.endswith(".whl") and selecting._tags(name) & tags:
            assert name in wanted(release, Wheels(pythons=(python,), platforms=("linux-x86_64",)))


@pytest.mark.parametrize("chosen", [*combinations(PLATFORMS, 1), *combinations(PLATFORMS, 2)])
def test_a_union_of_platforms_has_what_each_of_them_has(chosen: tuple[str, ...]) -> None:
    apart = [wanted(RELEASE, Wheels(platforms=(one,))) for one in chosen]
    assert wanted(RELEASE, Wheels(platforms=chosen)) == frozenset().union(*apart)
