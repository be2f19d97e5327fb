# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The closed lists of what a row can say: statuses and reason codes.

The documentation's tables are generated from here, so every member carries the text that tells an operator what
happened and how to clear it.
"""

from __future__ import annotations

import enum


class _Code(str, enum.Enum):
    """A stable code with the text that explains it."""

    text: str

    def __new__(cls, code: str, text: str) -> _Code:
        member = str.__new__(cls, code)
        member._value_ = code
        member.text = text
        return member


class Status(_Code):
    """What became of one container in one run."""

    CURRENT = ("current", "The container runs what its reference names.")
    PENDING = ("pending", "A newer image is there, and nothing was done yet.")
    UPDATED = ("updated", "The unit was restarted, and the container runs the new image.")
    ROLLED_BACK = (
        "rolled_back",
        "The old image runs again: the new one failed, and the reason says how, or somebody asked for it.",
    )
    FAILED = ("failed", "Something has to be mended; the reason says what.")
    HELD = ("held", "Deliberately left alone; the reason says why.")
    PINNED = ("pinned", "The reference names one fixed image, by digest or by ID: there is nothing to follow.")
    UNKNOWN = ("unknown", "The registry did not tell. Nothing was done.")


#: The same outcome in the words of C(podman auto-update --format json), for scripts that read those.
PODMAN_UPDATED: dict[Status, str] = {
    Status.CURRENT: "false",
    Status.PENDING: "pending",
    Status.UPDATED: "true",
    Status.ROLLED_BACK: "rolled back",
    Status.FAILED: "failed",
    Status.HELD: "false",
    Status.PINNED: "false",
    Status.UNKNOWN: "failed",
}


class ImageStatus(_Code):
    """How an image in local storage compares with what its name means in the registry."""

    CURRENT = ("current", "Local storage holds what the registry has under the name.")
    PENDING = ("pending", "The registry has another image under the name.")
    MISSING = ("missing", "Local storage holds no image of that name, or only a damaged one.")
    PINNED = ("pinned", "The name is that of one fixed image, by digest or by ID, and local storage holds it.")
    UNKNOWN = ("unknown", "The registry did not tell, or the name does not say which registry to ask.")


class Reason(_Code):
    """Why a row has its status: a stable code, with the text that explains it and says what to do next."""

    # Nothing is wrong.
    CHECK_MODE = ("check_mode", "Another image is available; a run without check mode would activate it.")
    SAME_CONTENT = (
        "same_content",
        "The registry answers with another digest, but with the image ID that already runs. Nothing to do.",
    )
    JOB_RUNNING = (
        "job_running",
        "The unit is still starting or has a job queued, so it was left alone. Run again when it is active.",
    )
    LIMIT_REACHED = (
        "limit_reached",
        "A newer image is available, but limit allows no more units in this run. Run again.",
    )
    MAX_FAILURES = (
        "max_failures",
        "A newer image is available, but as many units as max_failures says failed before this one was begun. Look into"
        " those, and run again.",
    )
    STAGED = (
        "staged",
        "The new image is in local storage, and nothing was moved. A run with state updated activates it without a pull.",
    )
    PLAN_DRIFT = (
        "plan_drift",
        "The container runs neither what it ran when the plan was made nor the plan's target, or follows another"
        " reference now. It was left alone. Make a new plan.",
    )
    # The description of the workload is not good enough to act on.
    INVALID_POLICY = (
        "invalid_policy",
        "The label io.containers.autoupdate must be registry, image, local or disabled. Mend the label and recreate"
        " the container.",
    )
    NO_UNIT_LABEL = (
        "no_unit_label",
        "The container (in a pod: the pod's infra container) has no PODMAN_SYSTEMD_UNIT label, so no unit can be"
        " restarted. Start it from a unit that sets Environment=PODMAN_SYSTEMD_UNIT=%n.",
    )
    UNIT_MISMATCH = (
        "unit_mismatch",
        "The unit that the label names is not the unit that owns the container's processes. Start the container from"
        " its own unit, not by hand and not from inside another service.",
    )
    OTHER_MANAGER = (
        "other_manager",
        "The container's processes belong to another service manager than the one that this run asks: a user's, or the system's."
        " Choose it by scope and user.",
    )
    UNIT_NOT_LOADED = (
        "unit_not_loaded",
        "systemd has no such unit, or cannot use its file, or the unit is masked; the message says which. Check the"
        " name and systemctl status.",
    )
    RAW_NAME_UNKNOWN = (
        "raw_name_unknown",
        "The image argument that created the container cannot be told, so there is no reference to follow. Create it"
        " with podman run or podman create from a named image.",
    )
    SHORT_NAME = (
        "short_name",
        "The name does not say its registry, and nothing here settles which one is meant; the registry policy always needs it."
        " Write a fully qualified reference, such as quay.io/project/app:tag.",
    )
    NO_LOCAL_TAG = (
        "no_local_tag",
        "The reference names no image in local storage any more. Build or tag the image again.",
    )
    # What was asked for is not (quite) an image that is there.
    IMAGE_UNKNOWN = (
        "image_unknown",
        "Nothing that was looked at holds an image of that name. Check the spelling, or pull it.",
    )
    BAD_REFERENCE = (
        "bad_reference",
        "The name does not follow the grammar of image references. The message says where it breaks it.",
    )
    BAD_ID = ("bad_id", "What follows sha256: must be the 64 hex digits of an image ID.")
    UNSUPPORTED_TRANSPORT = (
        "unsupported_transport",
        "An image behind this transport cannot be looked up or pulled in this way. The message says what can.",
    )
    NOT_A_MANIFEST_LIST = ("not_a_manifest_list", "The name is that of an image, not of a manifest list.")
    ARCHIVE_UNREADABLE = (
        "archive_unreadable",
        "The file or folder cannot be opened. Check that it is there and that this user may read it.",
    )
    ARCHIVE_INVALID = (
        "archive_invalid",
        "The file or folder is damaged, or is not what its transport says. Make or copy it again.",
    )
    AMBIGUOUS = (
        "ambiguous",
        "The source holds several images and was not told which one. Name one by :reference or :@index.",
    )
    CORRUPTED = (
        "corrupted",
        "The image is recorded in local storage, but parts of it are missing. Pull it again, or remove it.",
    )
    ID_NOT_CONFIG = (
        "id_not_config",
        "The engine's own ID of this image is not its config digest, and the config digest cannot be told.",
    )
    ENGINE_FAILED = (
        "engine_failed",
        "The container engine could not be asked. Check that it is installed and running; the message says more.",
    )
    # The registry did not answer the question.
    AUTH_REQUIRED = ("auth_required", "The registry wants (other) credentials for this repository.")
    BLOCKED = ("blocked", "registries.conf blocks this registry.")
    NOT_FOUND = ("not_found", "The registry knows no such repository, tag or platform.")
    AUTHFILE_UNTRUSTED = (
        "authfile_untrusted",
        "The label io.containers.autoupdate.authfile comes from the image, or names a file that others can write. Set it"
        " on the container, and let the file belong to root or the scope's user, writable by nobody else.",
    )
    AUTHFILE_INVALID = (
        "authfile_invalid",
        "A file with credentials cannot be read, or is not what containers-auth.json(5) describes. The message names it.",
    )
    CREDENTIAL_HELPER = (
        "credential_helper",
        "The credential helper that the authfile names could not be run, or gave no credential.",
    )
    REQUEST_BUDGET = (
        "request_budget",
        "The request budget, or what is left of the registry's own quota, does not allow to ask. Raise request_budget,"
        " log in, or run again when the quota is renewed.",
    )
    RATE_LIMITED = ("rate_limited", "The registry's request limit is used up. Run again later, or log in.")
    REGISTRY_INVALID = ("registry_invalid", "The registry's answer is not one that the distribution spec allows.")
    REGISTRY_UNREACHABLE = (
        "registry_unreachable",
        "The registry cannot be reached, does not answer in time, or says that it is broken (HTTP 5xx).",
    )
    TLS = ("tls", "The registry's certificate is not trusted. Install its CA, or declare the registry insecure.")
    # The update went wrong.
    PULL_FAILED = ("pull_failed", "podman could not pull the image; nothing was changed. Its message says why.")
    HELD = (
        "held",
        "The image, or its reference, is held on this host: it failed here before, or a person holds it. The message"
        " says which. lift_holds takes the hold away.",
    )
    BAD_DIGEST = (
        "bad_digest",
        "The image failed on this host before, or was left by a rollback that somebody asked for, or two runs in a row were"
        " interrupted while a unit came up on it, so it is held. A newer image passes by itself; lift_holds lets this one be"
        " tried again.",
    )
    USER_HOLD = (
        "user_hold",
        "A person holds this unit or reference. The message says which hold, and until when; lift_holds takes it away.",
    )
    SLOT_MISSING = (
        "slot_missing",
        "No earlier image is kept for this unit: none was replaced yet, keep is 0, or podman image prune --all took it."
        " Name the earlier image in the unit, or push it under the tag again.",
    )
    STATE_INVALID = (
        "state_invalid",
        "The file in which this collection remembers holds is damaged, or was written by a newer release. The message"
        " names it. Restore it, use that release, or remove it if no hold is needed.",
    )
    # Whose containers could not be looked at, with scope all.
    NO_MANAGER = (
        "no_manager",
        "The user has no running service manager, so no unit of theirs runs. Let them linger (loginctl enable-linger) if"
        " some should.",
    )
    NO_ANSWER = (
        "no_answer",
        "The process that acts for the user was stopped or killed, took too long, or ended without a usable answer.",
    )
    NO_JOURNAL = (
        "no_journal",
        "The journal took no entry of what was done; the history file has it. See systemctl status systemd-journald.",
    )
    LOCK_BUSY = (
        "lock_busy",
        "Another run of this collection works on the same containers; the message says which. Run again when it has ended,"
        " or wait longer with lock_timeout.",
    )
    SECOND_ENGINE = (
        "second_engine",
        "podman auto-update works on the same containers, did so during this run, or is enabled to. Only one engine should look"
        " after a host: disable podman-auto-update.timer and podman-auto-update.service, or leave these units to podman.",
    )
    BY_ID = ("by_id", "An image that is named by its ID cannot be asked of a registry. Name it by its reference.")
    TAG_MOVED = (
        "tag_moved",
        "Between the decision and the pull the tag moved to another image, which was refused. Run again.",
    )
    SIGNATURE_REJECTED = (
        "signature_rejected",
        "The host's policy.json does not accept the image's signature, or asks for one that it does not have.",
    )
    NO_SPACE = (
        "no_space",
        "The image does not fit into the storage with the headroom that was asked for. Free space, or lower headroom.",
    )
    STORE_FAILED = ("store_failed", "podman could not read or tag an image in local storage. Its message says why.")
    ROLLBACK_UNSAFE = (
        "rollback_unsafe",
        "There would be no way back: the unit's start pulls the image anew, or the running image is no longer in local"
        " storage. The message says which. Let the unit pull only what is missing, or set allow_unsafe_rollback.",
    )
    JOB_FAILED = (
        "job_failed",
        "systemd could not restart the unit on the new image. See systemctl status and journalctl -u.",
    )
    JOB_TIMEOUT = (
        "job_timeout",
        "The restart of the unit did not end in time and was cancelled. See journalctl -u, or allow more time by timeout.",
    )
    NOT_RUNNING = (
        "not_running",
        "The unit is not active, or its container does not run after the restart. See journalctl -u.",
    )
    UNHEALTHY = (
        "unhealthy",
        "The container's own healthcheck failed, or did not succeed in time, or health_command found something wrong."
        " podman inspect and the message say more.",
    )
    RESTARTED_AGAIN = (
        "restarted_again",
        "The unit or its container came up, but ended and was started again before it had settled. See journalctl -u.",
    )
    UNIT_REUSES_CONTAINER = (
        "unit_reuses_container",
        "The unit restarted its old container, so it cannot run another image. Let the unit create a fresh container"
        " at each start (podman run --rm --replace, podman generate systemd --new, Quadlet).",
    )
    GROUP_FAILED = (
        "group_failed",
        "Another unit on the same reference failed on the new image, so this one was not started on it, or went back.",
    )
    UNIT_DOWN = (
        "unit_down",
        "The new image failed and the old one could not be started again either. The unit needs a person.",
    )
    INTERRUPTED = (
        "interrupted",
        "The run that moved the unit was interrupted (killed, or the host went down), and a later run finished it or put it"
        " back; the history says so. Nothing is left to do, unless the image is held: it was interrupted twice in a row, and"
        " may be what took the host down.",
    )
    INTERNAL_ERROR = (
        "internal_error",
        "The collection met something that it does not know. What it had begun was put back; please report it.",
    )
    # Warnings that accompany a row.
    UNITS_NOT_CHECKED = (
        "units_not_checked",
        "systemd could not be asked over D-Bus, so the state of the units is not known.",
    )
    BOOT_PULLS = (
        "boot_pulls",
        "The unit requires a Quadlet .image unit, which pulls the image at every boot: a boot then undoes a rollback or a"
        " hold. Leave the .image unit out, or set Policy=missing in it where podman knows that.",
    )
    ANONYMOUS_VOLUME = (
        "anonymous_volume",
        "The container has an anonymous volume: a restart that recreates it destroys that data. Use a named volume.",
    )
