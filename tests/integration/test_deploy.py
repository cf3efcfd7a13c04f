"""What is in deploy/ can be believed as far as a plain machine can tell.

No container is built and no unit is started here: that takes a Docker daemon
and a running systemd. What can be wrong without either is looked at: packages
that Debian does not have, files that are not there, options nobody knows,
rules that Prometheus refuses. What a check needs and the machine lacks is
skipped, with the reason.
"""

import http.server
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import threading

import pytest
import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = TOP / "deploy"


def run(*command, **options):
    options.setdefault("timeout", 300)
    return subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, **options)


def check(*command, **options):
    """Run, and show what it wrote when it fails."""
    done = run(*command, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}"
    return done.stdout


def need(program, package):
    if not shutil.which(program):
        pytest.skip(f"{program} is missing (apt-get install {package}): "
                    "this part of deploy/ IS NOT TESTED")


# --- Dockerfile -----------------------------------------------------------

class Stage:
    def __init__(self, image, name):
        self.image, self.name, self.steps = image, name, []

    def all(self, keyword):
        return [rest for word, rest in self.steps if word == keyword]


def parse_dockerfile(text):
    """Its stages, each a list of (INSTRUCTION, the rest on one line)."""
    text = re.sub(r"(?m)^\s*#.*\n", "", text)
    text = re.sub(r"\\\n", " ", text)
    stages = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, rest = line.split(None, 1)
        if word == "FROM":
            image, *named = rest.split()
            assert not named or named[0] == "AS"
            stages.append(Stage(image, named[1] if named else None))
        else:
            stages[-1].steps.append((word, rest))
    return stages


@pytest.fixture(scope="module")
def stages():
    return parse_dockerfile((DEPLOY / "Dockerfile").read_text())


def installed(stage):
    """The packages that the stage's `apt-get install` commands name."""
    names = []
    for step in stage.all("RUN"):
        for command in re.split(r"&&|;", step):
            words = shlex.split(command)
            if "apt-get" in words and "install" in words:
                names += [w for w in words[words.index("install") + 1:]
                          if not w.startswith("-")]
    return names


def packages_list(purpose):
    """A list of tests/support/packages, which the build stage runs."""
    text = (TOP / "tests/support/packages").read_text()
    return re.search(rf'^{purpose}="([^"]*)"', text, re.M).group(1).split()


def mirror():
    """Where this system has its Debian from; None: nowhere."""
    uris = run("apt-get", "indextargets", "--format", "$(REPO_URI)",
               "Created-By: Packages").stdout.split()
    return next((uri for uri in uris if uri.rstrip("/").endswith("/debian")),
                None)


@pytest.fixture(scope="module")
def apt(stages, tmp_path_factory):
    """apt-cache on the packages of the image's release, whatever this is."""
    need("apt-cache", "apt")
    uri = mirror()
    if uri is None:
        pytest.skip("no source of Debian's packages is configured: the "
                    "packages of the Dockerfile ARE NOT TESTED")
    suite = re.fullmatch(r"debian:(\w+)-slim", stages[-1].image).group(1)
    where = tmp_path_factory.mktemp("apt")
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (where / folder).mkdir(parents=True)
    (where / "sources.list").write_text(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
        f"{uri} {suite} main\n")
    options = ["-o", f"Dir::Etc::sourcelist={where}/sources.list",
               "-o", "Dir::Etc::sourceparts=/dev/null",
               "-o", f"Dir::State={where}/state",
               "-o", "Dir::State::status=/dev/null",
               "-o", f"Dir::Cache={where}/cache",
               "-o", "Acquire::Languages=none",
               "-o", "APT::Sandbox::User=root"]
    try:
        done = run("apt-get", *options, "-q", "update")
        has_list = done.returncode == 0 and not re.search(
            r"(?m)^(Err:|W: Failed)", done.stdout)
        said = done.stdout
    except subprocess.TimeoutExpired as failure:
        has_list, said = False, str(failure)
    if not has_list:
        pytest.skip(f"Debian's list of {suite} is not to be had: the packages "
                    f"of the Dockerfile ARE NOT TESTED\n{said}")
    return lambda *words: check("apt-cache", *options, *words)


def test_every_package_exists_in_the_release_of_the_image(stages, apt):
    wanted = installed(stages[-1]) + packages_list("build")
    assert len(wanted) > 15
    there = set(apt("pkgnames").split())
    assert [name for name in wanted if name not in there] == []


def test_the_image_has_the_library_of_every_dev_package(stages, apt):
    have = set(installed(stages[-1]))
    makefile = (TOP / "Makefile").read_text().replace("\\\n", " ")
    libs = re.search(r"^LIBS := (.*)$", makefile, re.M).group(1).split()
    assert len(libs) >= 8

    def needs(*names):
        return set(re.findall(r"Depends: (lib\S+)", apt("depends", *names)))

    for lib in libs:
        dev = lib.split(":")[2]
        direct = needs(dev)
        # Some -dev packages only point at others, as libglib2.0-dev does.
        further = [name for name in direct if name.endswith("-dev")]
        library = direct | (needs(*further) if further else set())
        assert have & library, f"{dev}: none of {library} is installed"


def test_both_stages_are_the_same_release(stages):
    assert len({stage.image for stage in stages}) == 1


def test_everything_copied_into_the_image_is_there(stages):
    built = {stage.name for stage in stages}
    copied = 0
    for stage in stages:
        for step in stage.all("COPY"):
            flags = [w for w in shlex.split(step) if w.startswith("--")]
            *sources, _ = [w for w in shlex.split(step) if w not in flags]
            origin = [f[7:] for f in flags if f.startswith("--from=")]
            if origin:
                assert origin[0] in built
                continue
            for source in sources:
                assert (TOP / source).exists(), f"COPY {source}"
                copied += 1
    assert copied >= 5


def test_the_build_stage_has_what_make_reads(stages):
    """Sources and what `make install` installs, and no more."""
    copied = {shlex.split(s)[0] for s in stages[0].all("COPY")}
    makefile = (TOP / "Makefile").read_text()
    install = re.search(r"^install:.*\n((?:\t.*\n)+)", makefile, re.M).group(1)
    for path in re.findall(r"\b((?:config|schemas|deploy|docs)/\S+)", install):
        assert path.split("/")[0] in copied, path
    assert {"Makefile", "include", "processor", "tests/support"} <= copied


def test_the_image_does_not_run_as_root(stages):
    users = stages[-1].all("USER")
    assert users and users[-1].split(":")[0] not in ("root", "0")
    words = [word for word, _ in stages[-1].steps]
    assert "RUN" not in words[words.index("USER"):]


def test_the_image_says_how_to_start_probe_and_stop_it(stages):
    last = stages[-1]
    assert json.loads(last.all("ENTRYPOINT")[0]) == ["/usr/bin/segmentd"]
    assert json.loads(last.all("CMD")[0])[:2] == ["run", "-c"]
    probe = json.loads(last.all("HEALTHCHECK")[0].split("CMD", 1)[1])
    assert probe == ["/usr/libexec/segmentd/probe", "/livez"]
    assert last.all("STOPSIGNAL") == ["SIGTERM"]


def test_the_installed_tree_is_where_the_image_looks(tmp_path):
    binary = pathlib.Path(os.environ.get("SEGMENTD", TOP / "build/segmentd"))
    if not binary.exists():
        pytest.skip("segmentd is not built: `make install` IS NOT TESTED")
    check("make", "-C", TOP, f"BUILD={binary.parent}", "PREFIX=/usr",
          f"DESTDIR={tmp_path}", "install", timeout=600)
    assert os.access(tmp_path / "usr/bin/segmentd", os.X_OK)
    assert "segmentd" in check(tmp_path / "usr/bin/segmentd", "--version")
    config, = (tmp_path / "usr/share/segmentd").rglob("segmentd.yaml")
    check(tmp_path / "usr/bin/segmentd", "check", "-c", config)


# --- probe ----------------------------------------------------------------

@pytest.mark.parametrize("path, status, want", [
    ("/livez", 200, 0), ("/readyz", 503, 1), ("/readyz?verbose", 200, 0)])
def test_probe_tells_200_from_the_rest(path, status, want):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        done = run(DEPLOY / "probe", path, "127.0.0.1", server.server_port)
        server.shutdown()
        thread.join()
    assert asked == [path]
    assert done.returncode == want
    gone = run(DEPLOY / "probe", path, "127.0.0.1", server.server_port)
    assert gone.returncode == 1


# --- compose --------------------------------------------------------------

@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_compose_has_the_services_and_waits_for_what_they_need(compose):
    services = compose["services"]
    assert set(services) == {
        "kafka", "topics", "redis", "segmentd", "prometheus"}
    for name in ("kafka", "redis", "segmentd"):
        assert services[name]["healthcheck"]["test"]
    needs = services["segmentd"]["depends_on"]
    assert needs["kafka"]["condition"] == "service_healthy"
    assert needs["redis"]["condition"] == "service_healthy"
    assert needs["topics"]["condition"] == "service_completed_successfully"
    for service in services.values():
        assert service["image"].count(":") >= 1 or "build" in service
        for dependency in service.get("depends_on", {}):
            assert dependency in services


def test_compose_names_volumes_and_files_that_are_there(compose):
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), volume
            else:
                assert source in compose["volumes"]
    build = compose["services"]["segmentd"]["build"]
    assert (DEPLOY / build["context"]).resolve() == TOP
    assert (TOP / build["dockerfile"]).exists()


def test_schemas_are_where_the_configuration_looks_for_them(stages, compose):
    """In the image, and in what compose mounts over it."""
    inputs = yaml.safe_load((TOP / "config/segmentd.yaml").read_text())["inputs"]
    copied = {shlex.split(s)[1]: shlex.split(s)[0]
              for s in stages[-1].all("COPY") if not s.startswith("--")}
    service = compose["services"]["segmentd"]
    mounted = {}
    for volume in service["volumes"]:
        source, target, _ = volume.split(":")
        mounted[target] = os.path.relpath(DEPLOY / source, TOP)
    for command, tree in ((json.loads(stages[-1].all("CMD")[0]), copied),
                          (service["command"], mounted)):
        config = pathlib.Path(command[command.index("-c") + 1])
        assert tree[str(config.parent)] == "config"
        for name, options in inputs.items():
            schema = os.path.normpath(config.parent / options["schema"])
            root, = [t for t in tree if schema.startswith(t + "/")]
            path = TOP / tree[root] / os.path.relpath(schema, root)
            assert path.exists(), f"{name}: {schema}"


def test_compose_opens_nothing_beyond_this_machine(compose):
    for service in compose["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), port


def test_compose_makes_the_topics_that_the_configuration_reads(compose):
    inputs = yaml.safe_load((TOP / "config/segmentd.yaml").read_text())["inputs"]
    made = compose["services"]["topics"]["environment"]["TOPICS"].split()
    assert sorted(made) == sorted({i["topic"] for i in inputs.values()})


def test_compose_sets_options_that_exist(compose):
    command = compose["services"]["segmentd"]["command"]
    table = (TOP / "include/segmentd/tbl/options.def").read_text()
    known = set(re.findall(r'OPT_\w+\(\s*"([^"]+)"', table))
    sets = [command[i + 1] for i, w in enumerate(command) if w == "--set"]
    assert sets
    for option in sets:
        path = option.split("=", 1)[0]
        assert path in known or path.startswith("kafka."), option


# --- systemd --------------------------------------------------------------

@pytest.fixture
def unit(tmp_path):
    """The unit, with a program that is there on every machine."""
    text = (DEPLOY / "segmentd.service").read_text()
    unit = tmp_path / "segmentd.service"
    unit.write_text(text.replace("/usr/local/bin/segmentd", "/bin/true"))
    return unit


def test_systemd_understands_every_line_of_the_unit(unit):
    need("systemd-analyze", "systemd")
    assert check("systemd-analyze", "verify", unit) == ""


def test_the_unit_gives_away_little(unit):
    need("systemd-analyze", "systemd")
    if "--offline" not in run("systemd-analyze", "--help").stdout:
        pytest.skip("this systemd-analyze cannot judge a unit offline")
    check("systemd-analyze", "security", "--offline=yes", "--threshold=15",
          unit)


def test_the_unit_restarts_after_failures_but_not_after_mistakes():
    text = (DEPLOY / "segmentd.service").read_text()
    errors = (TOP / "include/segmentd/err.h").read_text()
    usage = re.search(r"SG_EXIT_USAGE = (\d+)", errors).group(1)
    config = re.search(r"SG_EXIT_CONFIG = (\d+)", errors).group(1)
    assert "\nRestart=on-failure\n" in text
    assert f"\nRestartPreventExitStatus={usage} {config}\n" in text


# --- Prometheus -----------------------------------------------------------

ALERTS = DEPLOY / "prometheus/alerts.yaml"


@pytest.fixture(scope="module")
def alerts():
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_prometheus_accepts_alerts_and_configuration():
    need("promtool", "prometheus")
    check("promtool", "check", "rules", ALERTS)
    check("promtool", "check", "config", "--syntax-only",
          DEPLOY / "prometheus/prometheus.yml")


def test_alerts_fire_when_they_should():
    need("promtool", "prometheus")
    check("promtool", "test", "rules", DEPLOY / "prometheus/alerts_test.yaml")


def test_every_alert_is_tested_both_ways(alerts):
    cases = [case for test in yaml.safe_load(
        (DEPLOY / "prometheus/alerts_test.yaml").read_text())["tests"]
        for case in test["alert_rule_test"]]
    fires = {c["alertname"] for c in cases if c.get("exp_alerts")}
    silent = {c["alertname"] for c in cases if not c.get("exp_alerts")}
    assert fires == silent == {rule["alert"] for rule in alerts}


def test_alerts_use_metrics_that_segmentd_has(alerts):
    table = (TOP / "include/segmentd/tbl/metrics.def").read_text()
    known = set()
    for name, kind in re.findall(
            r'METRIC\(\w+,\s*"(\w+)",\s*(\w+)', table):
        known |= ({name + "_bucket"} if kind == "SECONDS" else {name})
    for rule in alerts:
        used = set(re.findall(r"\bsegmentd_\w+", rule["expr"]))
        assert used <= known, rule["alert"]


# --- Grafana --------------------------------------------------------------

@pytest.fixture(scope="module")
def dashboard():
    return json.loads((DEPLOY / "grafana/segmentd.json").read_text())


def series_of_the_table():
    """{name of a series: type}, as /metrics tells them."""
    table = (TOP / "include/segmentd/tbl/metrics.def").read_text()
    found = {}
    for name, kind in re.findall(r'METRIC\(\w+,\s*"(\w+)",\s*(\w+)', table):
        for end in ("_bucket", "_sum", "_count") if kind == "SECONDS" else [""]:
            found[name + end] = kind
    return found


def test_the_dashboard_shows_metrics_that_segmentd_has(dashboard):
    known = series_of_the_table()
    used = set()
    for panel in dashboard["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            names = set(re.findall(r"\bsegmentd_\w+", target["expr"]))
            assert names and names <= set(known), panel["title"]
            used |= names
            for name in names:
                is_rated = re.search(
                    rf"(rate|increase)\({name}\{{", target["expr"])
                assert bool(is_rated) == (known[name] in
                                          ("COUNTER", "SECONDS")), name
    # All that tells of a hang is on it.
    assert {name for name, kind in known.items() if kind == "AGE"} <= used


def test_prometheus_understands_the_dashboard(dashboard, tmp_path):
    need("promtool", "prometheus")
    rules = [{"record": f"panel:{panel['id']}:{target['refId']}",
              "expr": target["expr"].replace("$job", "segmentd")}
             for panel in dashboard["panels"] for target in panel["targets"]]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(
        {"groups": [{"name": "dashboard", "rules": rules}]}))
    check("promtool", "check", "rules", path)


def test_panels_of_the_dashboard_do_not_overlap(dashboard):
    taken = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells


def test_every_alert_has_its_section_in_the_runbook(alerts):
    runbook = (DEPLOY / "RUNBOOK.md").read_text()
    sections = set(re.findall(r"^## (\w+)$", runbook, re.M))
    assert {rule["alert"] for rule in alerts} <= sections
    for rule in alerts:
        anchor = rule["alert"].lower()
        assert rule["annotations"]["runbook"] == \
            f"deploy/RUNBOOK.md#{anchor}"
