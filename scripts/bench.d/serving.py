"""Counts the requests that fail while releases are switched under load, and times what passing a
request through nyala serve costs."""
import argparse
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import report
import tools

# How many visitors there are at once, and how long the handler takes, in seconds.
VISITORS = 32
HANDLER = 0.005

WSGI = '''import os, time
RELEASE = os.path.basename(os.getcwd())

def app(environ, start_response):
    sick = os.path.exists("sick")
    if environ["PATH_INFO"] != "/bare":
        time.sleep(%s)
    body = f"release {RELEASE}\\n".encode()
    start_response("503 Sick" if sick else "200 OK", [("Content-Length", str(len(body)))])
    return [body]
''' % HANDLER

ASGI = '''import asyncio, os
RELEASE = os.path.basename(os.getcwd())

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["path"] != "/bare":
        await asyncio.sleep(%s)
    body = f"release {RELEASE}\\n".encode()
    status = 503 if os.path.exists("sick") else 200
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
''' % HANDLER

PLAIN = '''import http.server, os, time
RELEASE = os.path.basename(os.getcwd())

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(%s)
        body = f"release {RELEASE}\\n".encode()
        self.send_response(503 if os.path.exists("sick") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True

Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
''' % HANDLER

# The servers: what they need, and what starts them.
SERVERS = {
    "gunicorn sync": ("gunicorn", "gunicorn -b 127.0.0.1:$PORT wsgi:app"),
    "gunicorn gthread": (
        "gunicorn", "gunicorn -k gthread --threads 16 -b 127.0.0.1:$PORT wsgi:app"),
    "gunicorn asgi": ("gunicorn", "gunicorn -k asgi -b 127.0.0.1:$PORT asgi:app"),
    "uvicorn": ("uvicorn", "uvicorn --no-access-log --port $PORT asgi:app"),
    "hypercorn": ("hypercorn", "hypercorn -b 127.0.0.1:$PORT asgi:app"),
    "daphne": ("daphne", "daphne -v 0 -b 127.0.0.1 -p $PORT asgi:app"),
    "waitress": ("waitress", "waitress-serve --listen=127.0.0.1:$PORT --threads=16 wsgi:app"),
    "python app.py": ("", "python app.py"),
}


def arguments(given):
    parser = argparse.ArgumentParser(prog="scripts/bench serve", description=__doc__)
    add = parser.add_argument
    add("--switches", type=int, default=10, help="how often is switched in each cell (10)")
    add("--only", nargs="+", choices=list(SERVERS), help="some servers")
    add("--seconds", type=int, default=4, help="how long one rate is measured (4)")
    add("--rounds", type=int, default=3, help="how often each rate is measured, in turn (3)")
    add("--no-cost", action="store_true", help="only switch")
    add("--cost", action="store_true", help="only what it costs")
    add("--nyala", metavar="FILE", help="measure this program, and build none")
    add("--write", action="store_true", help="put the tables into docs/performance.md")
    return parser.parse_args(given)


class Load:
    """wrk, whose connections are kept, or hey, whose are not; it runs until it is ended."""

    def __init__(self, kind, url):
        command = {
            "wrk": ["wrk", "-t2", f"-c{VISITORS}", "-d600", "--timeout", "5s", url],
            "hey": ["hey", "-c", str(VISITORS), "-z", "600s", "-disable-keepalive", url],
        }[kind]
        self.kind = kind
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()

    def end(self):
        """How many requests were answered well, and how many were not."""
        self.child.send_signal(signal.SIGINT)
        text, _ = self.child.communicate(timeout=60)
        if self.kind == "wrk":
            all_ = int(re.search(r"(\d+) requests in", text)[1])
            bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
            errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
            bad = int(bad[1]) if bad else 0
            return all_ - bad, bad + (sum(map(int, errors.groups())) if errors else 0)
        answers = re.findall(r"\[(\d{3})\]\t(\d+) responses", text)
        good = sum(int(count) for status, count in answers if status < "400")
        errors = re.search(r"Error distribution:\n(.*)", text, re.S)
        errors = re.findall(r"\[(\d+)\]\t", errors[1]) if errors else []
        bad = sum(int(count) for status, count in answers if status >= "400")
        return good, bad + sum(map(int, errors))


class Site:
    """A site with an application, in a folder of its own."""

    def __init__(self, bench, name, command, requirements=""):
        self.nyala, self.path = bench.nyala, os.path.join(bench.folder, name)
        self.project = self.path + "-project"
        self.run("init", self.path, site=False)
        text = open(os.path.join(self.path, "nyala.toml")).read()
        self.port = int(re.search(r'^listen = "127.0.0.1:(\d+)"', text, re.M)[1])
        os.mkdir(self.project)
        git = ["git", "-C", self.project]
        subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
        subprocess.run([*git, "config", "user.name", "Bench"], check=True)
        subprocess.run([*git, "config", "user.email", "bench@example.org"], check=True)
        self.write("wsgi.py", WSGI)
        self.write("asgi.py", ASGI)
        self.write("app.py", PLAIN)
        self.write("requirements.txt", requirements.replace(" ", "\n") + "\n")
        self.write("Procfile", f"web: exec {command}\n")
        self.command = command

    def write(self, name, text):
        with open(os.path.join(self.project, name), "w") as file:
            file.write(text)

    def run(self, *arguments, site=True):
        where = ["--site", self.path] if site else []
        ran = subprocess.run([self.nyala, *where, *arguments], capture_output=True, text=True)
        if ran.returncode:
            raise SystemExit(f"nyala {' '.join(arguments)} failed:\n{ran.stdout}{ran.stderr}")
        return ran.stdout

    def roll_back(self):
        """To and fro between the two newest releases."""
        status = json.loads(self.run("status", "--json"))
        live, kept = status["live"]["id"], status["kept"]
        self.run("rollback", str(kept[-2] if live == kept[-1] else kept[-1]))

    def push(self):
        """The last line of the log."""
        git = ["git", "-C", self.project]
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", "Change"], check=True)
        ran = subprocess.run(
            [*git, "push", "-q", os.path.join(self.path, "repository.git"), "main"],
            capture_output=True, text=True)
        return [line for line in ran.stderr.splitlines() if line.startswith("remote: ")][-1]

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    @contextlib.contextmanager
    def plainly(self, port):
        """The same command without nyala; gives what starts it anew."""
        live = os.path.realpath(os.path.join(self.path, "wwwroot"))
        variables = dict(os.environ, PORT=str(port),
                         WEB_CONCURRENCY=str(len(os.sched_getaffinity(0))),
                         PATH=f"{live}/env/bin:{os.environ['PATH']}")
        children = []

        def start():
            children.append(subprocess.Popen(
                ["sh", "-c", f"exec {self.command}"], cwd=live, env=variables,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            until_answered(port)

        def restart():
            children[-1].terminate()
            children[-1].wait(60)
            start()

        start()
        try:
            yield restart
        finally:
            children[-1].terminate()
            children[-1].wait(60)


def until_answered(port):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nothing answers on port {port}")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Bench:
    def __init__(self, given, folder, nyala):
        self.given, self.folder, self.nyala = given, folder, nyala

    @contextlib.contextmanager
    def served(self, *places):
        child = subprocess.Popen([self.nyala, "serve", *places], stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        try:
            yield child.pid
        finally:
            child.terminate()
            child.wait(120)

    def switches(self):
        """A row for each server: what failed of how many requests, for each way to switch."""
        rows = []
        for number, name in enumerate(self.given.only or SERVERS):
            requirements, command = SERVERS[name]
            site = Site(self, f"site{number}", command, requirements)
            with self.served(site.path):
                self.expect(site.push(), "success")
                until_answered(site.port)
                ways = [lambda: site.run("redeploy"), lambda: site.run("restart"),
                        site.roll_back]
                cells = [self.count(site.url(), way, kind)
                         for way in ways for kind in ("wrk", "hey")]
                site.write("sick", "")
                cells += [self.count(site.url(), lambda: self.expect(site.push(), "error"), "wrk",
                                     times=1)]
            port = free_port()
            with site.plainly(port) as restart:
                url = f"http://127.0.0.1:{port}/"
                cells += [self.count(url, restart, kind) for kind in ("wrk", "hey")]
            rows.append([name, *cells])
            print(rows[-1], file=sys.stderr)
            shutil.rmtree(site.path, ignore_errors=True)
        header = ["", "push, wrk", "push, hey", "restart, wrk", "restart, hey", "rollback, wrk",
                  "rollback, hey", "sick release, wrk", "control, wrk", "control, hey"]
        return report.table(header, rows)

    @staticmethod
    def expect(line, what):
        if what not in line:
            raise SystemExit(f"a push ended with: {line}")

    def count(self, url, switch, kind, times=None):
        with Load(kind, url) as load:
            time.sleep(1)
            for _ in range(times or self.given.switches):
                switch()
                if load.child.poll() is not None:
                    raise SystemExit(f"{kind} ended: {load.child.communicate()[0]}")
            # What went wrong at the end is seen, too.
            time.sleep(0.5)
            good, bad = load.end()
        return f"**{bad}** of {good + bad:,}"

    def cost(self):
        """What passing a request on costs, beside nginx, where there is one."""
        rows = []
        nginx = shutil.which("nginx")
        backends = {"gunicorn gthread": SERVERS["gunicorn gthread"],
                    "uvicorn": SERVERS["uvicorn"]}
        if nginx:
            backends["a bare handler"] = ("", "sh bare.sh")
        for number, (name, (requirements, command)) in enumerate(backends.items()):
            site = Site(self, f"cost{number}", command, requirements)
            site.write("bare.sh", BARE % self.folder)
            site.write("bare.conf", nginx_conf(
                self.folder, "PORT", 'location / { return 200 "hello\\n"; }'))
            direct = free_port()
            with self.served(site.path):
                self.expect(site.push(), "success")
                until_answered(site.port)
                with site.plainly(direct), self.proxied(direct) as proxied:
                    ways = {"direct": direct, "nyala": site.port, **proxied}
                    rows += self.rates(name, {way: f"http://127.0.0.1:{port}/bare"
                                              for way, port in ways.items()})
        print(*rows, sep="\n", file=sys.stderr)
        header = ["", "way", "requests/s, 32 connections", "of direct", "of nginx",
                  "median ms, 1 connection", "added ms"]
        return report.table(header, rows)

    def rates(self, name, urls):
        seconds = self.given.seconds
        rates, medians = ({way: [] for way in urls} for _ in range(2))
        for _ in range(self.given.rounds):
            for way, url in urls.items():
                text = wrk("-t1", f"-c{VISITORS}", f"-d{seconds}", url)
                rates[way].append(float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]))
                text = wrk("-t1", "-c1", f"-d{seconds}", "--latency", url)
                value, unit = re.search(r"50%\s+([\d.]+)(us|ms)", text).groups()
                medians[way].append(float(value) / (1000 if unit == "us" else 1))
        rate = {way: statistics.median(of) for way, of in rates.items()}
        median = {way: statistics.median(of) for way, of in medians.items()}
        rows = []
        for way in urls:
            of_nginx = f"{rate[way] / rate['nginx']:.2f} ×" if "nginx" in rate else "–"
            rows.append([name, way, f"{rate[way]:,.0f}", f"{rate[way] / rate['direct']:.2f} ×",
                         of_nginx, f"{median[way]:.2f}", f"{median[way] - median['direct']:.2f}"])
        return rows

    @contextlib.contextmanager
    def proxied(self, direct):
        """nginx before the same process; none where it is missing."""
        if not shutil.which("nginx"):
            yield {}
            return
        port, conf = free_port(), os.path.join(self.folder, f"proxy-{direct}.conf")
        with open(conf, "w") as file:
            file.write(nginx_conf(self.folder, port, PROXY, direct))
        child = subprocess.Popen(["nginx", "-c", conf])
        until_answered(port)
        try:
            yield {"nginx": port}
        finally:
            child.terminate()
            child.wait(60)

    def idle(self):
        """Memory and processor of a nyala serve that has nothing to do."""
        places = os.path.join(self.folder, "many")
        os.mkdir(places)
        many = [Site(self, f"many/site{number}", "python3 app.py") for number in range(20)]
        for site in many:
            shutil.move(site.project, os.path.join(self.folder, f"p{site.port}"))
            site.project = os.path.join(self.folder, f"p{site.port}")
            os.remove(os.path.join(site.project, "requirements.txt"))
        with self.served(places) as pid:
            for site in many:
                self.expect(site.push(), "success")
            for site in many:
                until_answered(site.port)
            time.sleep(5)
            memory, before = pss(pid), ticks(pid)
            time.sleep(20)
            share = (ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / 20
            visitors = [visit(many[number % 20].port) for number in range(1000)]
            # The first ones also pay for what is used again.
            begun = pss(pid)
            visitors += [visit(many[number % 20].port) for number in range(1000)]
            each = (pss(pid) - begun) / 1000
            for visitor in visitors:
                visitor.close()
        return report.table(["idle", "", "target"], [
            ["memory with 20 sites", f"{memory / 1e6:.1f} MB", "under 12 MB"],
            ["processor with 20 sites", f"{share * 100:.2f} %", "not measurable"],
            ["memory of each idle visitor", f"{each / 1e3:.1f} kB", "15 kB"]])


PROXY = """location / {
proxy_pass http://application; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }"""

BARE = """conf=%s/bare-$PORT.conf
sed "s/PORT/$PORT/g" bare.conf > $conf
exec nginx -c $conf
"""


def nginx_conf(folder, port, location, application=1):
    return f"""daemon off; worker_processes 1; pid {folder}/nginx-{port}.pid; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000;
upstream application {{ server 127.0.0.1:{application}; keepalive 64; }}
server {{ listen 127.0.0.1:{port} backlog=1024; {location} }} }}
"""


def wrk(*arguments):
    return subprocess.run(["wrk", *arguments], capture_output=True, text=True, check=True).stdout


def visit(port):
    """A connection that has asked once and stays open."""
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    one.recv(4096)
    return one


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M)[1]) * 1024


def ticks(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def main(given):
    given = arguments(given)
    # So that everything that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: ended by SIGTERM"))
    # For thousands of idle visitors.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    nyala = given.nyala
    if not nyala:
        subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=root,
                       check=True)
        nyala = os.path.join(tools.target(root), "release", "nyala")
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(given, folder, os.path.abspath(nyala))
        if not given.cost:
            parts += [SWITCHES, bench.switches()]
        if not given.no_cost:
            parts += [COST, bench.cost(), IDLE, bench.idle()]
    text = "\n\n".join(parts)
    print(text)
    if given.write:
        report.replace(os.path.join(root, "docs", "performance.md"), text, "serve")


SWITCHES = f"""Requests that failed, of all, while {VISITORS} visitors asked for a page that takes \
{HANDLER * 1000:.0f} ms. wrk keeps its connections, hey makes a new one for each request. The \
control ends the server and starts it anew, without nyala; a push of a sick release is one push \
that fails, whose answers would count as failed:"""
COST = "What a request costs that is passed on, to a handler that only answers:"
IDLE = "What nyala serve needs when nothing happens:"
