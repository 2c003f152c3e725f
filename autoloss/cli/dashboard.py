"""Finds, starts and opens the MLflow dashboard; Ctrl-C ends it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from autoloss.cli.verbosity import note
from autoloss.core.errors import AutolossError, StudyNotFoundError
from autoloss.core.secrets import redacted
from autoloss.search.naming import nearest_study
from autoloss.tracking.dashboard import PORT, dashboard_link
from autoloss.tracking.identity import TRACKING, Identity, read_identity
from autoloss.tracking.local_server import free_port, is_local, local_server
from autoloss.tracking.uri import is_server
from autoloss.tracking.uri_check import resolve

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Place:
    """The place at which a dashboard opens.

    Args:
        uri: The tracking URI.
        experiment_id: MLflow's number of the experiment; None for the list of experiments.
        view: Key of the saved view; empty for none.
    """

    uri: str
    experiment_id: str | None = None
    view: str = ""


def find_place(study: str | None, *, uri: str | None, out: Path) -> Place:
    """Return the place that shows a study, or by default all studies beside the newest.

    Args:
        study: A study's name or its folder; None for the view that compares all studies.
        uri: The given tracking URI; None for the study's own.
        out: The folder of all studies.

    Raises:
        StudyNotFoundError: If there is no such study in MLflow.
        InputError: If MLflow could never read the URI.
    """
    if study is not None:
        path = Path(study).expanduser()
        folder = next((one for one in (path, out / path) if (one / TRACKING).is_file()), None)
        if folder is None:
            raise StudyNotFoundError(
                "STUDY must be a study's name or its folder, with runs in MLflow, but got "
                f"STUDY={study!r}{nearest_study(study, out)}"
            )
        known = read_identity(folder)
        return _place(known, resolve(uri, remembered=known.uri))
    files = sorted(out.glob(f"*/{TRACKING}"), key=lambda one: one.stat().st_mtime, reverse=True)
    for known in (read_identity(file.parent) for file in files):
        found = resolve(uri, remembered=known.uri)
        if redacted(found) == known.uri:
            return Place(found, known.experiment_id, known.studies or known.view)
    return Place(resolve(uri))


def _place(known: Identity, uri: str) -> Place:
    """Return the place that shows a study; numbers of another store are not valid here."""
    is_same = redacted(uri) == known.uri
    return Place(uri, known.experiment_id, known.view) if is_same else Place(uri)


def show(place: Place, *, port: int | None, host: str, is_opened: bool) -> None:
    """Print the link to a dashboard and open it; a local one runs until Ctrl-C.

    Args:
        place: The place.
        port: The port of a local server; None for the first free port.
        host: The address of this machine at which a local server listens.
        is_opened: Whether the link is opened in a browser.

    Raises:
        InputError: If the port is taken, or the machine has no such address.
        AutolossError: If the server does not start.
    """
    if is_server(place.uri):
        # Only a local server needs a port.
        url = dashboard_link(place.uri, place.experiment_id, view=place.view).url
        _open(url, is_opened=is_opened)
        return
    found = free_port(port, usual=PORT, host=host)
    link = dashboard_link(place.uri, place.experiment_id, view=place.view, port=found, host=host)
    note(f"starting MLflow over {redacted(place.uri)} ...")
    with (
        contextlib.suppress(KeyboardInterrupt),
        local_server(place.uri, found, host) as server,
    ):
        _open(link.url, is_opened=is_opened)
        if not is_local(host):
            note(f"every machine that reaches port {found} of this one can read all runs.")
        note("Ctrl-C ends it.")
        # Not wait(): libraries that MLflow loads have the system restart it after Ctrl-C.
        while server.poll() is None:
            time.sleep(_LOOK_SECONDS)
        raise AutolossError(f"MLflow's server over {redacted(place.uri)} ended unexpectedly.")
    note("ended.")


def _open(url: str, *, is_opened: bool) -> None:
    """Print a link, and open it if there is a screen."""
    print(url, flush=True)
    has_screen = sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    # Without a screen, a text browser would take over the terminal.
    if is_opened and has_screen:
        with contextlib.suppress(webbrowser.Error, OSError):
            webbrowser.open(url)
