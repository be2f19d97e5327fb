# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on which podman takes only what is signed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from lablib.host import Host
from lablib.images import Pushed
from lablib.paths import GATEWAY
from locations import PROXY_PORTS, SCRATCH
from pushing import Push

POLICY = "/root/.config/containers/policy.json"
LOOKASIDE = "/etc/containers/registries.d/podfleet-it.yaml"
KEY = "it@example.com"


@contextmanager
def signed_only(host: Host, distro: str, push: Push) -> Iterator[str]:
    """Only signed images are taken, with a signature that names the tag. The command that signs.

    What is signed in the lab's registry may come through a front of it.
    """
    home = f"{SCRATCH}/gnupg"
    signed = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": f"{SCRATCH}/key.gpg"}
    fronted = f"{GATEWAY}:{PROXY_PORTS[distro][2]}"
    remapped = {"type": "remapIdentity", "prefix": fronted, "signedPrefix": push.maker.address}
    policy = {
        "default": [{"type": "insecureAcceptAnything"}],
        "transports": {"docker": {"": [signed], fronted: [{**signed, "signedIdentity": remapped}]}},
    }
    host.run(
        ["sh", "-s"],
        input=f"""set -e
mkdir -p {home} {SCRATCH}/signatures /root/.config/containers && chmod 700 {home}
export GNUPGHOME={home}
gpg --batch --quiet --passphrase '' --quick-generate-key {KEY} ed25519 sign never
gpg --batch --quiet --export {KEY} > {SCRATCH}/key.gpg
mkdir -p {LOOKASIDE.rpartition("/")[0]}
printf 'default-docker:\\n  lookaside: file://{SCRATCH}/signatures\\n  lookaside-staging: file://{SCRATCH}/signatures\\n' > {LOOKASIDE}
printf %s {shlex.quote(json.dumps(policy))} > {POLICY}
""",
    )
    try:
        yield f"GNUPGHOME={home} skopeo copy --quiet --src-tls-verify=false --dest-tls-verify=false --sign-by={KEY}"
    finally:
        host.run(["sh", "-c", f"gpgconf --homedir {home} --kill all; rm -rf {POLICY} {LOOKASIDE} {SCRATCH}"])


def sign(host: Host, signing: str, image: Pushed) -> None:
    """Sign what the tag names, under the name of the tag."""
    anything = f"--policy={SCRATCH}/anything.json"
    host.write(f"{SCRATCH}/anything.json", json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    command = signing.replace("skopeo copy", f"skopeo {anything} copy")
    host.run(["sh", "-c", f"{command} docker://{image.reference} docker://{image.reference}"])
