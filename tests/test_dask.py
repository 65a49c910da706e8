"""A run on a Dask cluster: the same tasks, the same reports, also when a worker is killed."""

import json
import os
import signal
import threading
from contextlib import contextmanager

import pytest

from auditlib.errors import ParameterError
from auditlib.fleet import on_dask, run
from tests.test_fleet import (
    FIRST,
    OTHERS,
    SIZE,
    assert_two_runs_over_many_accounts_say_what_is,
    populated,
    ran,
    several,
)

distributed = pytest.importorskip("distributed", reason="Dask (the extra dask) is not installed")

ACCOUNTS = OTHERS[:3]


def ended_soon(seconds: float) -> int:
    """Kill the worker this runs on, a little later; return its process."""
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return os.getpid()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.filterwarnings("ignore")  # Dask's own, while it ends a cluster of which one was lost
def test_a_run_on_a_cluster_of_which_a_worker_is_killed_says_what_a_local_run_says(aws, tmp_path):
    for account in ACCOUNTS[:2]:
        populated(aws, account)
    folders = [tmp_path / name for name in ("here", "there")]
    for folder in folders:
        folder.mkdir()
    configs = [several(folder, *ACCOUNTS, more=("notebooks: []",)) for folder in folders]
    status, here = ran(aws, configs[0])
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(client.scheduler_info()["workers"]))
        # In the middle of whatever account it has then: the run begins first.
        begun = client.submit(ended_soon, 4, workers=[victim], pure=False).result()
        answer, there = ran(aws, configs[1], dask=cluster.scheduler_address)
        pids = set(client.run(os.getpid).values())
    assert begun not in pids
    assert (answer, [s["account"] for s in there]) == (status, ACCOUNTS)
    for one, other in zip(here, there, strict=True):
        told = {"digest"}
        assert {k: v for k, v in one.items() if k not in told} == {
            k: v for k, v in other.items() if k not in told
        }
        said = [
            json.loads((folder / "out" / s["report"]).with_name("findings.json").read_text())
            for folder, s in zip(folders, (one, other), strict=True)
        ]
        assert said[0]["findings"] == said[1]["findings"]
        days = sorted(p.name for p in (folders[1] / "out" / one["account"]).iterdir())
        assert days == ["2026-11-20", "latest"]


@pytest.mark.skipif(SIZE < 20, reason="as long as that on lanes, and the same: make fleet")
@pytest.mark.filterwarnings("ignore")
def test_many_accounts_on_a_cluster_of_which_a_worker_is_killed(aws, tmp_path):
    @contextmanager
    def there():
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster,
            on_dask(cluster.scheduler_address) as work,
        ):
            yield work

    assert_two_runs_over_many_accounts_say_what_is(aws, tmp_path, there)


def test_a_scheduler_that_does_not_answer_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("auditlib.fleet.ANSWERS_WITHIN", "1s")
    config = several(tmp_path, ACCOUNTS[0])
    with pytest.raises(ParameterError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        run(config, clock=lambda: FIRST, dask="tcp://127.0.0.1:1")
