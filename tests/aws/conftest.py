import botocore.loaders
import pytest

from tests.aws.serving import Proxy, bucket_server, run_psa, use_environment


@pytest.fixture(scope="module")
def server():
    with bucket_server() as bucket:
        yield bucket


@pytest.fixture
def bucket(server):
    server.clear()
    return server


@pytest.fixture(scope="session")
def loader():
    """The descriptions of AWS's services, read once for all tests."""
    return botocore.loaders.Loader()


@pytest.fixture
def proxy(server, loader, tmp_path, monkeypatch):
    """A proxy before the bucket, and a working folder whose settings lead to it."""
    proxy = Proxy(server.url)
    use_environment(monkeypatch, tmp_path, proxy.url)
    monkeypatch.setattr("botocore.session.create_loader", lambda search_path_string=None: loader)
    yield proxy
    proxy.close()


@pytest.fixture
def psa_here(command, monkeypatch, capsys):
    """Run ``psa`` in this process; returns exit code, stdout and stderr."""
    monkeypatch.setattr("psa_tui.cli.app.app", command)
    return lambda *arguments: run_psa(monkeypatch, capsys, *arguments)
