"""The command: a user's mistake is one line and exit code 2, before anything is loaded."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from embedrec.app.command import main


@pytest.fixture
def taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def assert_one_line(capsys, *words: str) -> None:
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    for word in words:
        assert word in said


def test_port_in_use(capsys, taken_port):
    assert main(["bundle", "--port", str(taken_port)]) == 2
    assert_one_line(capsys, str(taken_port), "choose another --port")


@pytest.mark.parametrize("options", [["--port", "99999"], ["--host", "no such host", "--port", "0"]])
def test_impossible_address(capsys, options):
    assert main(["bundle", *options]) == 2
    assert_one_line(capsys, options[0], options[1])


@pytest.mark.parametrize("arguments", [[], ["bundle", "--no-such-flag"], ["bundle", "--port", "high"]])
def test_wrong_flags(capsys, arguments):
    assert main(arguments) == 2
    assert_one_line(capsys, "see --help")


@pytest.mark.parametrize(
    ("user", "password", "named"), [("", "secret", "EMBEDREC_USER"), ("ann", "", "EMBEDREC_PASSWORD")]
)
def test_auth_needs_both_variables(capsys, monkeypatch, user, password, named):
    monkeypatch.setenv("EMBEDREC_USER", user)
    monkeypatch.setenv("EMBEDREC_PASSWORD", password)
    assert main(["bundle", "--auth", "--port", "0"]) == 2
    assert_one_line(capsys, named)


def test_help_is_quick_and_shows_an_example():
    code = "import sys; from embedrec.app.command import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "example: embedrec-serve" in out
    assert not {"torch", "gradio", "pandas", "uvicorn"} & set(out.split())


def test_a_folder_without_a_good_bundle_is_served_as_not_ready(tmp_path):
    """One line says why; the address answers at once, and the bundle may come later."""
    code = "import sys; from embedrec.app.command import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://[^ ]+", server.stdout.readline())[0]
            health = httpx.get(f"{address}/health")
            assert health.status_code == 503
            assert health.json()["refused"].startswith("the bundle is not a bundle: it has no plain manifest.json")
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        said = server.stderr.read().splitlines()
    assert len(said) == 1
    assert said[0].startswith("refused: the bundle is not a bundle: it has no plain manifest.json")


def test_missing_bundle(capsys, tmp_path):
    assert main([str(tmp_path / "no-such-bundle"), "--port", "0"]) == 2
    assert_one_line(capsys, "no-such-bundle")
