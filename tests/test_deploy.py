"""Files for running the service elsewhere, held to what the service is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.api import Result
from pipeline.service.metrics import Metrics

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads((DEPLOY / "grafana.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"recog_[a-z_]+", target["expr"])
    }
    source = "".join((ROOT / f"pipeline/service/{each}.py").read_text() for each in ("service", "app"))
    gauges = set(re.findall(r'watch\(\s*"(recog_[a-z_]+)"', source))
    counts = {f"{name}_total" for name in re.findall(r'\.(?:count|total)\(\s*"(recog_[a-z_]+)"', source)}
    collected = {sample for metric in Metrics()._registry.collect() for sample in _names(metric)}
    assert asked - gauges - counts <= collected
    assert counts <= asked
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def _names(metric: Any) -> set[str]:
    """What Prometheus calls a metric, whatever labels it will have."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    return {metric.name + ending for ending in endings[metric.type]}


def test_nobodys_name_is_a_label() -> None:
    labels = {
        label
        for name in vars(Metrics())
        if hasattr(found := getattr(Metrics(), name), "_labelnames")
        for label in found._labelnames
    }
    assert labels == {"source", "kind", "stage", "state"}
    assert "name" not in Result.__slots__


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_one_and_is_hardened(tmp_path: Path) -> None:
    unit = (DEPLOY / "recog-serve.service").read_text()
    path = tmp_path / "recog-serve.service"
    path.write_text(unit.replace("/opt/recog/bin/recog", "/bin/true"))
    said = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", path], capture_output=True, text=True
    )
    found = re.search(r"exposure level for \S+: ([\d.]+)", rated.stdout)
    if found is None:
        pytest.skip("this systemd-analyze rates no files")
    assert float(found[1]) < 3


@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_the_reverse_proxy_is_understood_by_nginx(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=x"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    site = (DEPLOY / "nginx.conf").read_text().replace("/etc/nginx/tls", str(tmp_path))
    (tmp_path / "site.conf").write_text(site.replace("recog:8000", "127.0.0.1:8000"))
    own = f"pid {tmp_path}/pid;\nerror_log {tmp_path}/log;\nevents {{}}\n"
    whole = f"{own}http {{ include {tmp_path}/site.conf; }}\n"
    (tmp_path / "nginx.conf").write_text(whole)
    said = subprocess.run(["nginx", "-t", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr


def test_the_container_runs_what_the_command_line_has() -> None:
    """The words of its command are options of `recog serve`."""
    import typer.main

    from pipeline.commands.serve import app

    options = {each for parameter in typer.main.get_command(app).params for each in parameter.opts}
    (line,) = [each for each in (DEPLOY / "Dockerfile").read_text().splitlines() if each.startswith("CMD [")]
    words = json.loads(line.removeprefix("CMD "))
    assert words[0] == "serve"
    assert {each for each in words if each.startswith("--")} <= options
    composed = re.findall(r"^      - (--[a-z-]+)", (DEPLOY / "compose.yaml").read_text(), re.MULTILINE)
    assert set(composed) <= options
    copied = re.findall(r"^COPY ([a-z]+) ", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert all((ROOT / each).is_dir() for each in copied)


def test_the_containers_of_a_fleet_run_what_the_command_line_has() -> None:
    import typer.main
    import yaml

    from pipeline.cli import app

    services = yaml.safe_load((DEPLOY / "compose.fleet.yaml").read_text())["services"]
    ours = {name: each["command"] for name, each in services.items() if each.get("entrypoint") == ["recog"]}
    assert set(ours) == {"fleet", "archive"}
    extras = services["head"]["build"]["args"]["EXTRAS"]
    assert {"ray", "postgres"} <= set(extras.split(","))  # a gallery may be on the server beside them
    for given in ours.values():
        # `auto` finds no node of other containers.
        assert any(each.startswith("--ray=ray://") for each in given)
        command: Any = typer.main.get_command(app)
        words = list(given)
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context("recog", words)  # raises a UsageError
    assert all("--disable-usage-stats" in services[each]["entrypoint"] for each in ("head", "node"))
    assert all(services[each]["environment"]["RAY_USAGE_STATS_ENABLED"] == "0" for each in ours)


def test_at_the_broker_for_a_home_recog_tells_and_home_assistant_hears_and_nobody_else(
    tmp_path: Path,
) -> None:
    import yaml

    from pipeline.outputs.broker import Broker, Message, address_of
    from tests.pipeline.outputs.mosquitto import Listener, Mosquitto, wait_until

    plain, home = (
        yaml.safe_load((DEPLOY / name).read_text())["services"]
        for name in ("compose.yaml", "compose.home.yaml")
    )
    for_all = [each for each in home["recog"]["command"] if not each.startswith(("--mqtt", "--set=mqtt."))]
    assert for_all == plain["recog"]["command"], "one takes the place of the other"
    assert "mqtt" in home["recog"]["build"]["args"]["EXTRAS"]
    conf = (DEPLOY / "mosquitto/mosquitto.conf").read_text()
    assert "listener 1883" in conf
    assert "allow_anonymous false" in conf
    # Its other lines name places in the container.
    (folder := tmp_path / "etc").mkdir()
    (folder / "acl").write_text((DEPLOY / "mosquitto/acl").read_text())
    (folder / "acl").chmod(0o600)
    broker = Mosquitto(
        tmp_path, ("recog", "s3cret"), ("homeassistant", "other"), ("guest", "third"),
        settings=[f"acl_file {folder / 'acl'}"],
    )  # fmt: skip
    address = address_of(broker.url.replace("//", "//recog:s3cret@"))
    topics = ("homeassistant/device/x/config", "recog/home/door/people")
    try:
        with (
            Listener(broker, "recog/#", "homeassistant/#", login=("homeassistant", "other")) as heard,
            Listener(broker, "recog/#", login=("guest", "third")) as guest,
        ):
            said: list[str] = []
            sender = Broker(address, "recog", Message("recog/home/availability", b"offline"), said.append)
            for topic in topics:
                sender.send(Message(topic, b"x"))
            wait_until(lambda: {topic for topic, _ in heard.heard} >= set(topics))
            sender.close()
            assert guest.heard == []
            assert said == []
    finally:
        broker.kill()


def test_the_image_for_cuda_is_the_other_one_with_another_onnxruntime() -> None:
    plain, cuda = ((DEPLOY / name).read_text() for name in ("Dockerfile", "Dockerfile.cuda"))
    for line in ("USER 10001", "STOPSIGNAL SIGTERM", "COPY pipeline pipeline", "WORKDIR /data"):
        assert line in plain
        assert line in cuda
    (line,) = [each for each in cuda.splitlines() if each.startswith("CMD [")]
    assert json.loads(line.removeprefix("CMD "))[-2:] == ["--set", "runtime.provider=cuda"]
