"""Settings of the reverse proxy: upstreams, limits, time-outs, cache and compression."""

from __future__ import annotations

import math
import re
import tempfile
from pathlib import Path

from perfplan.judging import Answers, File, Judge, Judgement
from perfplan.judging.crowd import kept, possible
from perfplan.judging.servers import ask, crowded, lacking, started, tool, verdict
from perfplan.operate.source import Source, ms
from perfplan.operate.text import comment, slug
from perfplan.plan.demand import per_user
from perfplan.quantity import median
from perfplan.scenario.rules import entry_of
from perfplan.system import is_root
from perfplan.tiers import count_of, kind_of
from perfplan.words import number, share

PER_CLIENT = 20  # times what one user sends on average, at least, before a client is told 429
MOST_SERVERS = 1000  # instances that are written down
KNOWN_AFTER_S = 3600  # how long a proxy may keep a response that may be cached


def nginx(source: Source) -> str:
    """nginx.conf of the reverse proxy: upstreams, limits, time-outs, cache and compression."""
    scenario = source.study.scenario
    services = [n for n, t in scenario.tiers.items() if kind_of(t).stands.enters]
    upstreams = ""
    for place, name in enumerate(services, 1):
        bought = kind_of(scenario.tiers[name]).owned.bought[0]
        instances, why = source.count(name, bought.field)
        queue = math.ceil(2 * count_of(scenario.tiers[name], bought.servers))
        shown = min(instances, MOST_SERVERS)
        servers = "".join(f"    server 127.{place}.{i // 250}.{i % 250 + 1}:8000 max_conns={queue};\n" for i in range(shown))
        servers += f"    # and {instances - shown} more of them\n" if instances > shown else ""
        upstreams += f"""
  upstream {slug(name)} {{
    # {comment(why)}; replace the addresses. max_conns: twice tiers.{comment(name)}.threads, so that a slow instance is not buried
    zone {slug(name)} 256k;
    random;  # as the plan assumes: see the notes on balancing in plan.html
{servers}    keepalive {queue};
    keepalive_timeout {_seconds(source.ladder.value_s("keep_alive", name) * 0.9)};  # below tiers.{comment(name)}.keep_alive
  }}
"""
    rate, whence = per_user(scenario)
    per_client = max(math.ceil(60 * rate * PER_CLIENT), 60)
    clients, upstream = _connections(source)
    planned = math.ceil(clients + upstream)
    workers = max(1024, 1000 * math.ceil(1.1 * planned / 1000))
    both = f"Little's law) and {math.ceil(upstream)} to services; a tenth more, for each worker as one may get them all"
    limited = f"{number(per_client / 60 / rate)} times what a user sends, {number(60 * rate)} a minute ({whence}); beyond it 429"
    return f"""{source.head("#", "nginx, reverse proxy")}
worker_processes auto;
worker_rlimit_nofile {workers + 1024};
events {{
  # {planned} connections in the peak second of {comment(source.month)}: {math.ceil(clients)} of users who keep theirs between two requests
  # (rate x (response + pause, at most keepalive_timeout), {both}
  worker_connections {workers};
}}
http {{
  default_type application/octet-stream;

  # one client: {limited}. Behind a balancer, set real_ip_header.
  geo $limited {{
    default 1;
    127.0.0.0/8 0;  # load tests on this machine
  }}
  map $limited $client {{
    1 $binary_remote_addr;
    0 "";
  }}
  limit_req_zone $client zone=client:10m rate={per_client}r/m;
  limit_req_status 429;
  limit_conn_zone $client zone=connections:10m;
  limit_conn_status 429;
{upstreams}
  proxy_cache_path cache levels=1:2 keys_zone=pages:20m max_size=1g inactive=1h use_temp_path=off;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_connect_timeout 1s;
  client_header_timeout {_seconds(source.ladder.value_s("client_timeout"))};  # client_timeout
  client_body_timeout {_seconds(source.ladder.value_s("client_timeout"))};
  send_timeout {_seconds(source.ladder.value_s("client_timeout"))};
  keepalive_timeout {_seconds(_keep_alive_s(source))};  # a quarter longer than balancer_idle

  gzip on;  # response sizes of the journeys are those on the wire, compressed
  gzip_types text/css application/javascript application/json image/svg+xml;
  gzip_min_length 1k;
  gzip_vary on;

  server {{
    listen 127.0.0.1:8080;
    limit_req zone=client burst={max(math.ceil(per_client / 6), 10)} nodelay;
    limit_conn connections 100;

    location = /healthz {{
      return 200 "ok\\n";
    }}
    location /static/ {{
      root .;
      expires 30d;  # files with a hash in their name; traffic of the edge falls with it
      add_header Cache-Control "public, immutable";
    }}
{"".join(_location(source, j) for j in scenario.journeys)}  }}
}}
"""


def _keep_alive_s(source: Source) -> float:
    """How long a client's idle connection is kept."""
    return 1.25 * median(source.study.scenario.balancer_idle_s)


def _connections(source: Source) -> tuple[float, float]:
    """Connections of clients and to services in the peak second of the last month, at the median, by Little's law.

    A connection is open for a response and the pause after it, as long as it is kept; a client gives up after its time-out.
    """
    made, scenario = source.planned, source.study.scenario
    keep, gives_up = _keep_alive_s(source), source.ladder.value_s("client_timeout")
    second, clients, upstream = made.state.second.carried, 0.0, 0.0
    for name, journey in scenario.journeys.items():
        rate = median((second.journey_rps[name] + 0 * made.rps)[:, -1])
        response = min(median((made.carried.journeys[name].mean_s + 0 * made.rps)[:, -1]), gives_up)
        clients += rate * (response + min(median(journey.think_time_s), keep))
        upstream += rate * response
    return clients, upstream


def _location(source: Source, journey: str) -> str:
    scenario = source.study.scenario
    service = entry_of(scenario, journey)
    if service is None:
        return ""
    timeout = _seconds(source.ladder.value_s("request_timeout", service))
    part = median(scenario.journeys[journey].cacheable)
    cached = (
        f"""      proxy_cache pages;  # journeys.{comment(journey)}.cacheable: {share(part)} of its requests
      proxy_cache_valid 200 {KNOWN_AFTER_S // 60}m;
      proxy_cache_use_stale updating error timeout;
      proxy_cache_background_update on;
      proxy_cache_lock on;  # one miss of a page asks the service, not all of them
      proxy_no_cache $http_authorization $http_cookie;
      proxy_cache_bypass $http_authorization $http_cookie;
"""
        if part > 0
        else '      add_header Cache-Control "private, no-store";  # nothing of it may be cached\n'
    )
    return f"""    location /{slug(journey)} {{
      proxy_pass http://{slug(service)};
      proxy_read_timeout {timeout};  # tiers.{comment(service)}.request_timeout
      proxy_send_timeout {timeout};
      proxy_next_upstream error timeout;
      proxy_next_upstream_tries 2;  # one other instance, once
      proxy_next_upstream_timeout {timeout};
{cached}    }}
"""


def _seconds(value_s: float) -> str:
    """A time as nginx writes it.

    >>> _seconds(5.0), _seconds(0.25)
    ('5s', '250ms')
    """
    return f"{value_s:.0f}s" if value_s >= 1 and float(value_s).is_integer() else f"{ms(value_s)}ms"


# ---- its judge ----

ASKED, PLACE = "nginx, asked for /healthz", "3_implementation"
QUESTION = b"GET /healthz HTTP/%s\r\nHost: x\r\n\r\n"


def _ask(path: Path, rooms: Path) -> Judgement:
    """nginx is started with the file, its port replaced by a socket, and asked for /healthz on as many connections as are planned."""
    program = tool("nginx")
    if program is None:
        return lacking("nginx", "nginx")
    with tempfile.TemporaryDirectory(dir=rooms) as room:
        config = path.read_text(encoding="utf-8").replace("listen 127.0.0.1:8080;", f"listen unix:{room}/socket;")
        (Path(room) / "nginx.conf").write_text(config, encoding="utf-8")
        user = "user root;" if is_root() else ""
        command = [program, "-p", room, "-c", "nginx.conf", "-e", "stderr", "-g", f"daemon off; pid {room}/pid; error_log stderr; {user}"]
        with started(command, Path(room)) as server:
            answer = ask(server, Path(room) / "socket", QUESTION % b"1.0")
            planned = re.search(r"^  # (\d+) connections in the peak second", config, re.M)
            if b"200 OK" not in answer or not planned:
                return verdict(ASKED, answer, b"200 OK", server)
            count = possible(int(planned[1]))
            good = kept(Path(room) / "socket", count, QUESTION % b"1.1", b"200 OK")
            return crowded(ASKED, good, count, int(planned[1]), server)


JUDGE = Judge(tool="nginx", ask=_ask, names=("nginx", ASKED), twin=("worker_processes auto;", "worker_processes many;"), server=True)


def files(source: Source) -> tuple[File, ...]:
    """nginx.conf."""
    return (File(name="nginx.conf", text=nginx(source), judge=JUDGE, answers=ANSWERS),)


COMPRESSED = "gzip for text; Brotli needs a module that Debian's package lacks"
ANSWERS = (
    Answers(item="2.5.3", text="cache headers of static files and of each journey", place=PLACE, formula=nginx),
    Answers(item="3.4.1", text="upstreams of the planned instances, limits and time-outs", place=PLACE, formula=nginx),
    Answers(item="3.1.2.b", text="connections to services that are kept, by Little's law", place=PLACE, formula=nginx),
    Answers(item="3.4.2", text="connections of each worker, instance and client", place=PLACE, formula=nginx),
    Answers(item="3.4.4", text="a rate for each client; files of a page count, too", place=PLACE, formula=nginx),
    Answers(item="3.5.2", text="cache headers of static files and of each journey", place=PLACE, formula=nginx),
    Answers(item="6.2.3", text="cache headers of static files and of each journey", place="6_optimization", formula=nginx),
    Answers(item="3.5.3", text=COMPRESSED, place=PLACE, formula=nginx),
    Answers(item="6.2.2", text=COMPRESSED, place="6_optimization", formula=nginx),
    Answers(item="CB.4", text="public, immutable, 30 days for files with a hash in their name", place=PLACE, formula=nginx),
)
