"""The command `embedrec-serve`: load a bundle and serve its page and API until interrupted.

Heavy imports wait until the arguments are read, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from embedrec.cli import Parser, guarded
from embedrec.errors import BundleError, ConfigError

USER, PASSWORD = "EMBEDREC_USER", "EMBEDREC_PASSWORD"
_TURN = 0.0005  # seconds that what comes in waits for the thread that answers; 0.005 is Python's own
_LAST_WORD = 3  # seconds that open pages get to close when the server stops


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit code: 0 done, 2 the user's mistake, said on one line."""
    return guarded(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    asked = _parser().parse_args(argv)
    login = _login() if asked.auth else None
    with _listen(asked.host, asked.port) as listening:
        return _serve(asked, listening, login)


def _parser() -> Parser:
    parser = Parser(
        prog="embedrec-serve",
        description="Serve the page and the API of an exported bundle.",
        epilog="example: embedrec-serve outputs/latest/bundle --port 8000",
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="folder of an exported bundle")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default: 7860)")
    parser.add_argument("--against", metavar="BUNDLE2", help="a second bundle, to compare with on the page")
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a host name under which others reach the page; may be given more than once",
    )
    parser.add_argument("--auth", action="store_true", help=f"ask for the user and password in {USER} and {PASSWORD}")
    return parser


def _login() -> tuple[str, str]:
    user, password = os.environ.get(USER, ""), os.environ.get(PASSWORD, "")
    for name, value in ((USER, user), (PASSWORD, password)):
        if not value:
            raise ConfigError(f"--auth: the environment variable {name} is not set; set it, or leave out --auth")
    if ":" in user:
        raise ConfigError(f"--auth: {USER} must not contain a colon; choose another user name")
    return user, password


def _listen(host: str, port: int) -> socket.socket:
    """Take the port first: a port in use is known before a bundle is loaded."""
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port: a port is a number from 0 to 65535, not {port}; try --port 7860")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio does not turn Nagle's delay off and each answer waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except (OSError, UnicodeError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or "not an address of this machine"
        raise ConfigError(
            f"--host {host} --port {port}: cannot listen there ({reason}); choose another --port or --host"
        ) from None
    return listening


def _serve(asked: argparse.Namespace, listening: socket.socket, login: tuple[str, str] | None) -> int:
    folder = Path(asked.bundle)
    if not folder.exists():
        raise BundleError(f"{asked.bundle} does not exist; train.py prints the path of the bundle that it writes")
    import gc

    import torch
    import uvicorn

    from embedrec.app.application import create_live_app
    from embedrec.serving import Recommender

    # Answers are small and are worked out side by side: threads within one only wait for each other.
    torch.set_num_threads(1)
    sys.setswitchinterval(_TURN)
    against = None if asked.against is None else Recommender.load(asked.against)
    app = create_live_app(folder, allowed_hosts=[asked.host, *asked.allow_host], login=login, against=against)
    gc.freeze()  # libraries, page and shop stay: looking through them for what could go halts all answers
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_LAST_WORD,
    )
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    address = f"http://{host}:{listening.getsockname()[1]}"
    print(f"{asked.bundle}: {address}  (Ctrl+C stops)", flush=True)  # noqa: T201
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
    return 0
