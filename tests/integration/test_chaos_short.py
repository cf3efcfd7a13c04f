"""The chaos run (make chaos), so short that it is run each time: one of each
disturbance. A process of its own, which moves to a network of its own."""

import json
import os
import pathlib
import shutil
import tempfile
import warnings

import pytest
from support import redis as redis_support
from support import segmentd as segmentd_support
from support.process import Process

RUN = pathlib.Path(__file__).parents[1] / "chaos/run"
KILLS = 14


@pytest.mark.skipif(redis_support.why_absent() is not None,
                    reason="redis-server is missing")
def test_nothing_is_lost_or_doubled(kafka_libs, tmp_path, request):
    # The path of a socket has 107 characters at most, and pytest's are long.
    short = pathlib.Path(tempfile.mkdtemp(prefix="chaos-"))
    request.addfinalizer(lambda: shutil.rmtree(short, ignore_errors=True))
    run = Process([RUN, KILLS, 7], tmp_path / "chaos.log", env={
        **os.environ, "SEGMENTD": str(segmentd_support.BINARY),
        "TMPDIR": str(short), "REPORT": str(tmp_path / "report")})
    try:
        assert run.wait(1200) == 0, run.tail(80)
    finally:
        run.kill9()
    report = json.loads((tmp_path / "report.json").read_text())
    if report["left_out"]:
        warnings.warn("NO CUTS OR DELAYS OF THE NETWORK WERE TESTED: "
                      + report["left_out"])
    assert report["disturbances"] == KILLS
    assert all(row["count"] > 0 for row in report["kinds"].values())
    assert report["changes"] > 100
