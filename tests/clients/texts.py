"""The prose of docs/clients.md."""

from __future__ import annotations

from typing import Final

HEAD: Final = """# Clients

Written by `make clients` from real runs: every client in an environment of its own (`requirements/clients/`, Python
{python}), through inbond, in front of a simulated index, with no way to any other host. A run whose outcome is not the
expected one writes nothing and fails.
"""
SET_UP_NOTES: Final = """
The runs use these lines, with plain `http://127.0.0.1` as the address. Environment variables can be put down for good:
pip's and hatch's in pip.conf (the first line does that), uv's as `[[index]]` with `default = true` in uv.toml, pdm's by
`pdm config pypi.url`. poetry has no setting for all projects: the source belongs to each project. pipenv goes on naming
its own source in the Pipfile; the mirror stands in for it. hatch makes plain environments with pip and locked ones with
uv, hence both variables.
"""
LEGEND: Final = """\
A number is the version that was installed or locked; "stops" means that the command failed and nothing was installed.
**allowed**: every file is; **denied**: `deny` names demo 2.0, addon 2.0, pulled 2.0, early 2.0rc1 and tinybackend 1.0;
**held**: demo 2.0 is an hour old, and the default cooldown of 24 hours holds it.

- *install*: `demo`, of which 1.0 and 2.0 exist; *pinned*: `demo==2.0`.
- *sync from the lock*: the lock was made while everything was allowed. *hash of another file*: the lock, or the
  requirements file, names another digest than the index; the client itself must refuse.
- *hashes*: a requirements file with `--hash`; "as its lock": the lock has the hashes, and there are no others.
- *extra*: `plush[fancy]`, whose extra needs `addon>=1`; the version of addon is shown.
- *yanked*: 2.0 is yanked by its publisher, with a reason.
- *pre-release*: 2.0rc1 exists; *wanted*: with the client's switch for pre-releases.
- *sdist*: `crate` has only an sdist, which is built in isolation with `tinybackend==1.0` from the index.
- "-": the client has no such command.
"""
PRINTED_NOTES: Final = """\
The line with the reason, for each case that the policy stops. Ports, times and digests in paths are made uniform.
"""
UPLOADS: Final = """\
inbond serves an index to read. An upload is answered with 405; twine {version} prints:

```text
$ {command}
{printed}
```
"""
NOTES: Final = """## What to know

- **Locks with file URLs.** uv.lock and pylock.toml name where each file is. A lock that was made against another index
  goes on loading from there, past inbond. `inbond relock` puts the URLs to inbond and back. poetry.lock, pdm.lock,
  Pipfile.lock and requirements files name no files and follow the set-up; poetry.lock names its source.
- **A second index.** With `--extra-index-url` pip takes the best version of all indexes: what inbond denies, the other
  index delivers. uv asks indexes in their order and stops at the first that knows the project. Configure inbond as the
  only index; if there are several upstreams, let inbond have them.
- **A range that only denied versions fit.** uv gives the reason; pip names the versions as yanked, without the reason.
  [denials.md](denials.md) shows both.
- **TLS.** pip uses the trust store of the system (24.2 and later) or `PIP_CERT`; uv takes `SSL_CERT_FILE` or
  `UV_SYSTEM_CERTS`. uv refuses a self-signed certificate that is its own CA: make a CA and a leaf certificate.
- **Old pip.** 23.0 and 21.3 run under Python 3.11 and older only. 21.3 asks for HTML; everything else here for JSON.
"""
