"""The command: a user's mistake is one line and exit code 2, before anything is loaded."""

from __future__ import annotations

import socket
import subprocess
import sys

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


def test_missing_bundle(capsys, tmp_path):
    assert main([str(tmp_path / "no-such-bundle"), "--port", "0"]) == 2
    assert_one_line(capsys, "no-such-bundle")
