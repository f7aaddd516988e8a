"""The results as Markdown and as a chart."""
import os
import statistics
from html import escape

from disks import JOURNALED, MEMORY
from rows import FLUSH, LOCKS, NAMES

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
# What the others are compared with: the first of these that took part.
UV_SYNC, POETRY_INSTALL = "uv sync by hand", "poetry install by hand"
BASES = ("Kudu's steps", "piku's way", "an empty hook", UV_SYNC, POETRY_INSTALL)
COLUMNS = ("an empty hook", "Kudu's steps", "piku's way", "nyala, pip", "nyala, uv")
OURS, OURS_UV, NO_HOOK, BINARY = "nyala, pip", "nyala, uv", "an empty hook", "nyala --version"
CHECKOUT = "`git checkout -f`"


def text(results):
    rows = [row for row in results["rows"] if not row["part"] and row["times"]]
    columns = [column for column in COLUMNS if any(column in row["times"] for row in rows)]
    parts = [heading(results)]
    if rows:
        parts.append("The targets:")
        targets = list(all_targets(results["rows"]))
        parts.append(table(["", "target", "measured", ""], targets))
        base = base_of(columns)
        parts.append(f"Each cell: the median as a ratio to that of {base} (with a lock, "
                     "of its own tool), then milliseconds (the least and the most):")
        cells = [[title(row), *(cell(row, column) for column in columns)] for row in rows]
        parts.append(table(["", *columns], cells))
        parts.append("Peak memory of the biggest process on the server's side, how many processes "
                     "were started there, and, of nyala, how many flushes the pusher waited for:")
        cells = [[title(row), *(watched(row, column) for column in columns)] for row in rows]
        parts.append(table(["", *columns], cells))
    parts.append("The parts:")
    parts.append(table(["", "median ms (least–most)"], list(parts_of(results["rows"]))))
    parts.extend(f"{label} is left out: {why}." for label, why in results["absent"].items())
    return "\n\n".join(parts) + "\n"


def together(runs):
    """The results of several runs as if they were one."""
    first, *others = runs
    for run in others:
        first["rows"] += run["rows"]
        first["absent"].update(run["absent"])
        first["minutes"] += run["minutes"]
        first["command"] += f"` and `{run['command']}"
    return first


def heading(results):
    machine = results["machine"]
    uv = f", uv {machine['uv']}" if machine["uv"] else ""
    return (
        f"`{results['command']}`, {results['minutes']:.0f} minutes; {machine['cores']} cores, "
        f"Linux {machine['kernel']}, {' and '.join(machine['file systems'])}, "
        f"git {machine['git']}, pip {' and '.join(machine['pip'])}{uv}, "
        f"Python {' and '.join(results['pythons'])}; {', '.join(results['requirements'])}; "
        f"nyala {machine['nyala']}."
    )


def title(row):
    return f"{NAMES[row['name']]}, {place(row)}"


def place(row):
    """How many files or packages, and on which disk."""
    what = "packages" if row["name"] in LOCKS else "files"
    return f"{row['size']:,} {what}" + (f", {row['disk']}" if row["disk"] else "")


def base_of(columns):
    return next(base for base in (*BASES, *columns) if base in columns)


def cell(row, column):
    times = row["times"].get(column)
    if not times:
        return "–"
    base = row["times"].get(base_of(row["times"]))
    return f"{median(times) / median(base):.2f} · {spread(times)}"


def spread(times):
    return f"{ms(median(times))} ({ms(min(times))}–{ms(max(times))})"


def ms(value):
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def watched(row, column):
    if column not in row["peak"]:
        return "–"
    said = [f"{row['peak'][column]:.0f} MB"]
    if row["processes"][column] is not None:
        said.append(str(row["processes"][column]))
    if column in (OURS, OURS_UV) and row["flushes"][column] is not None:
        said.append(flushes(row["flushes"][column]))
    return ", ".join(said)


def flushes(count):
    return f"{count} flush" + ("" if count == 1 else "es")


def parts_of(rows):
    said = {"standing": "one file changed, the tree alone",
            "export": "a whole tree into an empty folder",
            "follower": "from the record's last write to the end of `git push`",
            "env": "a new env with pip in it, nothing installed yet"}
    for row in rows:
        if row["part"]:
            for label, times in row["times"].items():
                yield [f"{said[row['name']]}, {place(row)}: {label}", spread(times)]
        else:
            for label in (label for label in row["times"] if label not in COLUMNS):
                yield [f"{title(row)}: {label}", spread(row["times"][label])]


def all_targets(rows):
    """What was aimed at: a sentence, the target, what was measured, and whether it was reached."""
    for row in rows:
        yield from Targets(row).all()


class Targets:
    """Those of one row."""

    # Milliseconds above an empty hook, by the disk and the number of files.
    ABOVE = {(JOURNALED, 500): 12, (JOURNALED, 20_000): 18, (JOURNALED, 100_000): 35,
             (MEMORY, 20_000): 15, (MEMORY, 100_000): 35}
    PIKU = {20_000: 0.35, 100_000: 0.25}

    def __init__(self, row):
        self.row, self.name, self.place = row, row["name"], place(row)

    def all(self):
        files = self.place
        if self.name == "changed":
            disk, size = self.row["disk"], self.row["size"]
            changed = f"one file changed, {files}"
            if (disk, size) in self.ABOVE:
                yield from self.difference(f"{changed}, above {NO_HOOK}", NO_HOOK,
                                           self.ABOVE[disk, size])
            if disk != MEMORY:
                yield from self.flushed(changed)
            yield from self.ratio(changed, OURS, "Kudu's steps", 0.15)
            if size in self.PIKU and disk != JOURNALED:
                yield from self.ratio(changed, OURS, "piku's way", self.PIKU[size])
        elif self.name == "rollback":
            yield from self.difference(f"rollback, {files}, above starting the binary", BINARY, 10)
            if self.row["disk"] != MEMORY:
                yield from self.flushed(f"rollback, {files}")
        elif self.name == "added":
            yield from self.ratio(f"requirement added, {files}, pip", OURS, "Kudu's steps", 1.0)
        elif self.name == "removed":
            yield from self.ratio(f"requirement removed, {files}, pip", OURS, "Kudu's steps", 1.2)
        elif self.name == "back":
            back = "runtime toggled back"
            yield from self.ratio(f"{back}, pip", OURS, "venv and pip by hand", 0.6)
            for by_hand in ("uv by hand", "uv by hand, at a new path"):
                yield from self.ratio(f"{back}, uv", OURS_UV, by_hand, 1.2)
        elif self.name == "uv.lock":
            yield from self.ratio(f"a uv.lock, {files}, uv", OURS_UV, UV_SYNC, 1.2)
        elif self.name == "poetry.lock":
            for ours, installer in ((OURS, "pip"), (OURS_UV, "uv")):
                yield from self.ratio(f"a poetry.lock, {files}, {installer}", ours, POETRY_INSTALL,
                                      0.5)
        elif self.name == "export":
            yield from self.ratio(f"a whole tree, {files}", OURS, "git checkout -f", 0.6, CHECKOUT)
            if OURS in self.row["peak"]:
                yield self.bound(f"the worker's peak, {files}", self.row["peak"][OURS], 40, "MB")
        elif self.name == "standing" and self.row["size"] >= 20_000:
            yield from self.ratio(f"a standing tree, one file changed, {files}", OURS,
                                  "git checkout -f", 0.6, CHECKOUT)
        elif self.name == "follower" and self.time(OURS):
            said = f"what the follower adds at the end, {files}"
            yield self.bound(said, self.time(OURS), 20, "ms")
        elif self.name == "env" and self.time(OURS):
            yield self.bound("a new env with pip in it", self.time(OURS), 300, "ms")

    def time(self, label):
        measured = self.row["times"].get(label)
        return median(measured) if measured else None

    def ratio(self, sentence, ours, theirs, most, other_name=None):
        own, other = self.time(ours), self.time(theirs)
        if own and other:
            # No hook can be faster than git itself.
            least = (self.time(NO_HOOK) or 0) / other
            why = f" (an empty hook: {least:.2f} ×)" if least > most else ""
            yield [f"{sentence}, against {other_name or theirs}", f"at most {most} ×",
                   f"{own / other:.2f} ×", verdict(own / other <= most) + why]

    def difference(self, sentence, theirs, most):
        """On a disk with a journal, three flushes come on top."""
        own, other, flush = self.time(OURS), self.time(theirs), self.time(FLUSH)
        if own and other and flush and self.row["disk"] == JOURNALED:
            yield [sentence, f"at most {most} ms and 3 flushes more",
                   f"{own - other:.1f} ms (3 flushes: {3 * flush:.1f} ms)",
                   verdict(own - other - 3 * flush <= most)]
        elif own and other:
            yield [sentence, f"at most {most} ms more", f"{own - other:.1f} ms",
                   verdict(own - other <= most)]

    def flushed(self, sentence):
        count = self.row["flushes"].get(OURS)
        if count is not None:
            yield [f"{sentence}, flushes", "at most 3", str(count), verdict(count <= 3)]

    @staticmethod
    def bound(sentence, value, most, unit):
        return [sentence, f"under {most} {unit}", f"{value:.1f} {unit}", verdict(value < most)]


def verdict(reached):
    return "yes" if reached else "**no**"


def median(times):
    return statistics.median(times)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---|" + "--:|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def replace(path, new, name="table"):
    """Puts a text between the two marks of a file that have this name."""
    begin, end = (mark.replace("table", name) for mark in (BEGIN, END))
    with open(path) as file:
        old = file.read()
    before, rest = old.split(begin, 1)
    _, after = rest.split(end, 1)
    with open(path + ".new", "w") as file:
        file.write(f"{before}{begin}\n\n{new}\n{end}{after}")
    os.rename(path + ".new", path)


# The chart.
WIDTH, LABELS, BAR, GAP, SCALE_END = 860, 190, 13, 26, 1.5
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.row { font-weight: 600 } .value { font-size: 11px }
.bar { fill: #9aa4b0 } .ours { fill: #1a7f64 } .one { stroke: #24292f; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #d5dbe1 } .bar { fill: #66707b } .ours { fill: #3fb68f }
  .one { stroke: #d5dbe1 }
}
"""


def chart(results):
    """Bars of the ratios, a group for each row; one that is longer than the chart is cut, and says
    its value."""
    rows = [row for row in results["rows"] if not row["part"] and row["times"]]
    scale = (WIDTH - LABELS - 130) / SCALE_END
    one, y, body = LABELS + scale, 34, []
    for row in rows:
        base = median(row["times"][base_of(row["times"])])
        body.append(f'<text class="row" x="10" y="{y}">{escape(title(row))}</text>')
        y += 8
        for column in (column for column in COLUMNS if column in row["times"]):
            value = median(row["times"][column])
            length = max(1, min(value / base, SCALE_END) * scale)
            kind = "ours" if column.startswith("nyala") else "bar"
            middle, said = y + 10, f"{value / base:.2f} ({ms(value)} ms)"
            body.append(f'<text x="{LABELS - 8}" y="{middle}" text-anchor="end">'
                        f'{escape(column)}</text>')
            body.append(f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{length:.1f}" '
                        f'height="{BAR - 2}" rx="2"/>')
            body.append(f'<text class="value" x="{LABELS + length + 6:.1f}" y="{middle}">'
                        f'{said}</text>')
            y += BAR + 3
        y += GAP
    base = base_of([column for row in rows for column in row["times"]])
    line = f'<line class="one" x1="{one:.1f}" x2="{one:.1f}" y1="24" y2="{y - GAP}"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
        f'aria-label="How long pushes take, as ratios to {escape(base)}">\n<style>{STYLE}</style>\n'
        f'<text x="10" y="16">Medians as ratios to {escape(base)} (the dashed line)</text>\n'
        + "\n".join([line, *body]) + "\n</svg>\n"
    )
