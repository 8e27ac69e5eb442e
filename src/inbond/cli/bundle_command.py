"""`inbond bundle`: a part of an index in one signed file, out of one inbond and into another."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options, written_from_options
from inbond.cli.telling import UNTOLD, ending, say

DONE: Final = 0
SOME_NOT: Final = 1

_EXPORT_EPILOG: Final = """\b
Exit codes:
  0  all that was synced is in the bundle
  1  the bundle is there, without files that are denied or held by now
  2  there is none: something is not here any more, or the disk refuses; also usage errors
\b
Examples:
  inbond bundle export --key company.key --output monday.bundle
  inbond bundle export --key company.key --since monday.bundle.manifest.json --output tuesday.bundle
  inbond bundle export --key company.key --output - | ssh gate 'cat > monday.bundle'
"""
_TAKE_EPILOG: Final = """\b
Exit codes:
  0  every file was taken, or would be
  1  some files are refused, and told; the others are taken, or would be
  2  nothing of it is taken: it is forged, damaged or older than what is here, every file is refused, or the disk
     refuses; also usage errors
"""
_REMOVE_EPILOG: Final = """\b
Exit codes:
  0  what bundles of that name brought is gone
  1  nothing of that name is here, or it was not confirmed
  2  it is not removed: an import is under way, or the configuration or the ledger cannot be used; also usage errors
\b
Examples:
  inbond bundle remove old-team
  inbond bundle remove old-team --yes --format json
"""
_bundle = click.argument("bundle", metavar="FILE|-")
_form = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip


@click.group("bundle")
def bundle_group() -> None:
    """Carry a part of an index across an air gap: what was synced, in one signed file."""


@bundle_group.command("keygen")
@click.argument("key", metavar="NAME.key", type=click.Path(path_type=Path))
@_form
def keygen(*, key: Path, form: str) -> None:
    """Make a pair of keys: NAME.key, with which bundles are signed, and NAME.pub for the other side.

    Keep NAME.key on the sending side, for those alone who may say what is carried over. The receiving side takes the
    bundles of the keys that [imports] keys names.
    """
    with ending():
        from inbond.cli import bundle_key_text, bundle_keys  # noqa: PLC0415 (cryptography: --help does not wait)

        private, public, key_id = bundle_keys.make_pair(key)
        say(bundle_key_text.made(private, public, key_id, as_json=form == "json"))


@bundle_group.command("export", epilog=_EXPORT_EPILOG)
@click.option("--name", default="default", show_default=True, help="What was synced, as inbond sync --name called it.")
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The private key that signs the bundle.")
@click.option("--output", "-o", required=True, metavar="FILE|-", help="Where to; '-': to standard output.")
@click.option(
    "--since", metavar="MANIFEST|BUNDLE", type=click.Path(path_type=Path),
    help="Leave out what an earlier bundle carried; the other side must have imported that one.",
)  # fmt: skip
@_form
@config_options
def export(*, name: str, key: Path, output: str, since: Path | None, form: str, given: GivenOptions) -> None:
    """Write what was synced into one signed file, with its pages, evidence, advisories and roots.

    Nobody is asked: all of it is in the cache and the ledger. Every file is judged once more, and what is denied or
    held by now is left out and told. The same content gives the same bytes. Beside FILE its manifest is written, as
    FILE.manifest.json, for deltas against it.
    """
    with ending():
        from inbond.cli import bundle_export_run, bundle_json, bundle_text  # noqa: PLC0415 (as above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as above)

        set_up_logging(TEXT, verbose=False)
        _require_name(name)
        wanted = bundle_export_run.Wanted(name=name, key=key, output=output, since=since)
        done = asyncio.run(bundle_export_run.run(written_from_options(given), wanted))
        told = bundle_json.exported(done) if form == "json" else bundle_text.exported(done)
        say(told, err=output == bundle_export_run.STREAM)
        sys.exit(SOME_NOT if done.gathered.left_out else DONE)


@bundle_group.command("verify", epilog=_TAKE_EPILOG)
@_bundle
@click.option(
    "--key", "keys", multiple=True, type=click.Path(path_type=Path),
    help="A public key to trust besides those of [imports] keys.",
)  # fmt: skip
@_form
@config_options
def verify(*, bundle: str, keys: tuple[Path, ...], form: str, given: GivenOptions) -> None:
    """Do all that an import does, and keep nothing: signature, digests, attestations, and this side's own policy.

    Archives are not looked into: that takes having them on disk, and an import does it.
    """
    _take(bundle, given, form, keep=False, more_keys=keys)


@bundle_group.command("import", epilog=_TAKE_EPILOG)
@_bundle
@click.option("--allow-older", is_flag=True, help="Also a bundle made before the newest of its name here.")
@click.option(
    "--new-key", is_flag=True,
    help="Also a bundle whose name another key signed before: its sender has a new one, and told you so.",
)  # fmt: skip
@_form
@config_options
def import_(*, bundle: str, allow_older: bool, new_key: bool, form: str, given: GivenOptions) -> None:
    """Verify a bundle without a network, and put it in force at once: pages, files, evidence, pins and memory.

    A server may be running: it serves what was there before until the import is done, and then what came. Files that
    every index here denies are named and left out. An import that is interrupted changes nothing; run it again.
    """
    _take(bundle, given, form, keep=True, allow_older=allow_older, new_key=new_key)


@bundle_group.command("remove", epilog=_REMOVE_EPILOG)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_form
@config_options
def remove(*, name: str, yes: bool, form: str, given: GivenOptions) -> None:
    """Take back what bundles of a name brought: pages, files, and evidence attached to them.

    A file that a bundle of another name brought too stays. So do memory, pins, repositories, advisories and trusted
    roots: they are as true as they were. Bytes that nothing refers to any more are deleted. A server may be running.
    """
    with ending():
        from inbond.cli import bundle_json, bundle_remove_run, bundle_text  # noqa: PLC0415 (as above)

        config = config_from_options(given)
        if not yes:
            found = asyncio.run(bundle_remove_run.to_remove(config, name))
            if found is not None:
                say(bundle_text.to_remove(found), err=True)
                if not click.confirm("Remove it?", err=True):
                    sys.exit(SOME_NOT)
        done = asyncio.run(bundle_remove_run.remove(config, name))
        say(bundle_json.removed(done) if form == "json" else bundle_text.removed(done))
        sys.exit(SOME_NOT if done.withdrawn is None else DONE)


@bundle_group.command("list")
@_form
@config_options
def list_(*, form: str, given: GivenOptions) -> None:
    """Show what was imported here, and what was synced."""
    with ending():
        from inbond.cli import bundle_json, bundle_shown, bundle_text  # noqa: PLC0415 (as above)

        found = asyncio.run(bundle_shown.known_here(config_from_options(given)))
        say(bundle_json.listed(*found) if form == "json" else bundle_text.listed(*found))


@bundle_group.command("show")
@_bundle
@_form
@config_options
def show(*, bundle: str, form: str, given: GivenOptions) -> None:
    """Show what a bundle says of itself: its manifest, signed by a trusted key or not. Files are not verified."""
    with ending():
        from inbond.cli import bundle_json, bundle_shown, bundle_text  # noqa: PLC0415 (as above)

        peeked, genuine = bundle_shown.peeked(config_from_options(given), bundle)
        shown = bundle_json.shown if form == "json" else bundle_text.shown
        say(shown(peeked.manifest, peeked.sha256, peeked.key, genuine=genuine))


def _require_name(name: str) -> None:
    from inbond.mirror.synced import parse_synced_name  # noqa: PLC0415 (as above)

    try:
        parse_synced_name(name)
    except ValueError as error:
        raise click.UsageError(f"--name {error}") from None


def _take(
    bundle: str, given: GivenOptions, form: str, *, keep: bool, more_keys: tuple[Path, ...] = (), **how: Any
) -> None:
    with ending():
        from inbond.cli import bundle_import_run, bundle_json, bundle_text  # noqa: PLC0415 (as above)
        from inbond.cli.bundle_keys import trusted_keys  # noqa: PLC0415 (as above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as above)

        set_up_logging(TEXT, verbose=False)
        config = config_from_options(given)
        keys = trusted_keys(config, more_keys)
        wanted = bundle_import_run.Wanted(bundle=bundle, keys=keys, keep=keep, **how)
        done = asyncio.run(bundle_import_run.run(config, wanted))
        say(bundle_json.imported(done) if form == "json" else bundle_text.imported(done))
        sys.exit(UNTOLD if done.nothing else SOME_NOT if done.refused else DONE)
