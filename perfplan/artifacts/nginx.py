"""Settings of the reverse proxy: upstreams, limits, time-outs, cache and compression."""

from __future__ import annotations

import math
import re
import tempfile
from pathlib import Path

from perfplan.judging import Answers, File, Judge, Judgement
from perfplan.judging.crowd import kept, possible
from perfplan.judging.servers import ask, certified, crowded, encrypted, lacking, started, tool, verdict
from perfplan.operate.source import Source, ms
from perfplan.operate.text import comment, slug
from perfplan.plan.demand import per_user
from perfplan.quantity import median
from perfplan.scenario.rules import entry_of
from perfplan.system import is_root
from perfplan.tiers import count_of, kind_of
from perfplan.words import duration, number, share

ABUSE = 10.0  # times what the most people behind one address send: more is nobody's usual day, and who sends it is told 429
BURST = 40  # requests beyond the rate that are let through at once: at a tenth of the rate no crowd of people ever sends them
MOST_SERVERS = 1000  # instances that are written down
KNOWN_AFTER_S = 3600  # how long a proxy may keep a response that may be cached
MAX_FAILS, FAIL_TIMEOUT_S = 3, 10  # failures within this time, and an instance is out for as long
SESSIONS_PER_MB = 4000  # of TLS, as nginx's documentation has it


def nginx(source: Source) -> str:
    """nginx.conf of the reverse proxy: TLS, upstreams, limits, time-outs, cache, compression and logs."""
    scenario = source.study.scenario
    services = [n for n, t in scenario.tiers.items() if kind_of(t).stands.enters]
    clients, upstream = _connections(source)
    upstreams = "".join(_upstream(source, place, name, upstream.get(name, 0.0)) for place, name in enumerate(services, 1))
    inside = math.ceil(sum(upstream.values()))
    planned = math.ceil(clients) + inside
    workers = max(1024, 1000 * math.ceil(1.1 * planned / 1000))
    both = f"Little's law) and {inside} to services; a tenth more, for each worker as one may get them all"
    zone, limit = _limit(source)
    gives_up = _seconds(source.ladder.value_s("client_timeout"))
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

  # a line a request: how long it took here and at the service, and who answered it
  log_format plan escape=json '{{"time":"$time_iso8601","id":"$request_id","method":"$request_method","uri":"$uri","status":"$status",'
    '"request_time":$request_time,"upstream_time":"$upstream_response_time","upstream":"$upstream_addr",'
    '"cache":"$upstream_cache_status","bytes":$body_bytes_sent}}';
  access_log access.log plan buffer=64k flush=5s;

{zone}{upstreams}
  proxy_cache_path cache levels=1:2 keys_zone=pages:20m max_size=1g inactive=1h use_temp_path=off;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Request-Id $request_id;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_connect_timeout 1s;
  client_header_timeout {gives_up};  # client_timeout
  client_body_timeout {gives_up};
  send_timeout {gives_up};
  keepalive_timeout {_seconds(_keep_alive_s(source))};  # a quarter longer than balancer_idle

  gzip on;  # response sizes of the journeys are those on the wire, compressed
  gzip_types text/css application/javascript application/json image/svg+xml;
  gzip_min_length 1k;
  gzip_vary on;

  include tls.conf;  # not generated, and nothing starts without it: ssl_certificate and ssl_certificate_key
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:tls:{max(math.ceil(clients / SESSIONS_PER_MB), 1)}m;  # a session for each of those users
  ssl_session_timeout 1h;

  server {{
    listen 127.0.0.1:8080;  # 80 in production: everybody is sent to TLS
    location = /healthz {{
      return 200 "ok\n";
    }}
    location / {{
      return 308 https://$host:8443$request_uri;  # 443 in production
    }}
  }}
  server {{
    listen 127.0.0.1:8443 ssl http2;

    location = /healthz {{
      return 200 "ok\n";
    }}
    location /static/ {{
      root .;  # the files of a page: no limit
      expires 30d;  # files with a hash in their name; traffic of the edge falls with it
      add_header Cache-Control "public, immutable";
    }}
{"".join(_location(source, j, limit) for j in scenario.journeys)}  }}
}}
"""


def _upstream(source: Source, place: int, name: str, busy: float) -> str:
    """The instances of a service, with *busy* connections to them in the peak second."""
    tier = source.study.scenario.tiers[name]
    bought = kind_of(tier).owned.bought[0]
    instances, why = source.count(name, bought.field)
    queue = math.ceil(2 * count_of(tier, bought.servers))
    shown = min(instances, MOST_SERVERS)
    each = median((source.planned.carried.calls_rps[name] + 0 * source.planned.rps)[:, 0]) / max(instances, 1)
    usual = f"at today's peak, with {number(each)} requests a second each, within"
    found = f"{usual} {duration(MAX_FAILS / each, 2)}" if each > 0 else "three requests"
    out = f"max_conns={queue} max_fails={MAX_FAILS} fail_timeout={FAIL_TIMEOUT_S}s"
    servers = "".join(f"    server 127.{place}.{i // 250}.{i % 250 + 1}:8000 {out};\n" for i in range(shown))
    servers += f"    # and {instances - shown} more of them\n" if instances > shown else ""
    return f"""
  upstream {slug(name)} {{
    # {comment(why)}; replace the addresses. max_conns: twice tiers.{comment(name)}.threads, so that a slow instance is not buried;
    # where all are that busy, a request is refused (502)
    # a dead instance is out after {MAX_FAILS} failures within {FAIL_TIMEOUT_S} s: {found}; what failed is
    # sent to another instance (POST is not), and the dead one asked again every {FAIL_TIMEOUT_S} s
    zone {slug(name)} 256k;
    random;  # as the plan assumes: see the notes on balancing in plan.html
{servers}    keepalive {max(math.ceil(busy), 2)};  # idle ones that a worker keeps: as many as are busy in the peak second
    keepalive_timeout {_seconds(source.ladder.value_s("keep_alive", name) * 0.9)};  # below tiers.{comment(name)}.keep_alive
  }}
"""


def _limit(source: Source) -> tuple[str, str]:
    """The zone that counts the requests of one address, and the line that limits them; no limit where nothing is known of addresses."""
    scenario = source.study.scenario
    if scenario.traffic.users_per_address is None:
        return "  # no address is limited: traffic.users_per_address is not stated, and a guess would refuse people\n", ""
    people, (rate, whence) = median(scenario.traffic.users_per_address), per_user(scenario)
    most = max(math.ceil(60 * ABUSE * people * rate), 60)
    usual = f"{number(people)} people behind one send {number(60 * people * rate)} requests a minute (traffic.users_per_address, {whence})"
    return (
        f"""  # one address: {usual};
  # {ABUSE:g} times that is abuse, and told 429. Behind a balancer, set real_ip_header.
  geo $limited {{
    default 1;
    127.0.0.0/8 0;  # load tests on this machine
  }}
  map $limited $client {{
    1 $binary_remote_addr;
    0 "";
  }}
  limit_req_zone $client zone=client:10m rate={most}r/m;
  limit_req_status 429;
""",
        f"      limit_req zone=client burst={BURST} nodelay;\n",
    )


def _keep_alive_s(source: Source) -> float:
    """How long a client's idle connection is kept."""
    return 1.25 * median(source.study.scenario.balancer_idle_s)


def _connections(source: Source) -> tuple[float, dict[str, float]]:
    """Connections of clients, and to each service, in the peak second of the last month, at the median, by Little's law.

    A connection is open for a response and the pause after it, as long as it is kept; a client gives up after its time-out.
    """
    made, scenario = source.planned, source.study.scenario
    keep, gives_up = _keep_alive_s(source), source.ladder.value_s("client_timeout")
    second, clients, upstream = made.state.second.carried, 0.0, dict[str, float]()
    for name, journey in scenario.journeys.items():
        rate = median((second.journey_rps[name] + 0 * made.rps)[:, -1])
        response = min(median((made.carried.journeys[name].mean_s + 0 * made.rps)[:, -1]), gives_up)
        clients += rate * (response + min(median(journey.think_time_s), keep))
        if (service := entry_of(scenario, name)) is not None:
            upstream[service] = upstream.get(service, 0.0) + rate * response
    return clients, upstream


def _location(source: Source, journey: str, limit: str) -> str:
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
{limit}      proxy_pass http://{slug(service)};
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
PLAIN, ENCRYPTED = "listen 127.0.0.1:8080;", "listen 127.0.0.1:8443 ssl http2;"


def _ask(path: Path, rooms: Path) -> Judgement:
    """nginx is started with the file, sockets for its ports and a certificate of the moment; asked for /healthz on as many connections as
    are planned, and for HTTP/2 over TLS."""
    program = tool("nginx")
    if program is None:
        return lacking("nginx", "nginx")
    with tempfile.TemporaryDirectory(dir=rooms) as room:
        if not certified(Path(room)):
            return lacking("openssl", "nginx")
        config = path.read_text(encoding="utf-8")
        config = config.replace(PLAIN, f"listen unix:{room}/socket;").replace(ENCRYPTED, f"listen unix:{room}/tls ssl http2;")
        (Path(room) / "nginx.conf").write_text(config, encoding="utf-8")
        user = "user root;" if is_root() else ""
        command = [program, "-p", room, "-c", "nginx.conf", "-e", "stderr", "-g", f"daemon off; pid {room}/pid; error_log stderr; {user}"]
        with started(command, Path(room)) as server:
            answer = ask(server, Path(room) / "socket", QUESTION % b"1.0")
            planned = re.search(r"^  # (\d+) connections in the peak second", config, re.M)
            if b"200 OK" not in answer or not planned:
                return verdict(ASKED, answer, b"200 OK", server)
            if (spoken := encrypted(Path(room) / "tls")) != "h2":
                return Judgement(judge=ASKED, accepted=False, said=f"over TLS it speaks {spoken or 'nothing'}, not HTTP/2. {server.said()}")
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
    Answers(item="3.4.1.b", text="out after failures within a time, stated in the file", place=PLACE, formula=nginx),
    Answers(item="3.4.1.c", text="TLS 1.2 and 1.3 with sessions; what handshakes cost is not computed", place=PLACE, formula=nginx),
    Answers(item="3.4.4", text="a rate for each address where people behind one are stated", place=PLACE, formula=nginx),
    Answers(item="3.5.2", text="cache headers of static files and of each journey", place=PLACE, formula=nginx),
    Answers(item="6.2.3", text="cache headers of static files and of each journey", place="6_optimization", formula=nginx),
    Answers(item="3.5.3", text=COMPRESSED, place=PLACE, formula=nginx),
    Answers(item="6.2.2", text=COMPRESSED, place="6_optimization", formula=nginx),
    Answers(item="CB.4", text="public, immutable, 30 days for files with a hash in their name", place=PLACE, formula=nginx),
)
