"""The results as Markdown and as a chart."""
import os
import statistics
from html import escape

from rows import NAMES

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
# What the others are compared with: the first of these that took part.
BASES = ("Kudu's steps", "checkout -f and pip", "piku's way", "an empty hook")
COLUMNS = ("an empty hook", "Kudu's steps", "checkout -f and pip", "piku's way", "nyala, pip", "nyala, uv")
OURS, OURS_UV = "nyala, pip", "nyala, uv"
CHECKOUT = "`git checkout -f`"


def text(results):
    rows = [row for row in results["rows"] if not row["part"] and row["times"]]
    columns = [column for column in COLUMNS if any(column in row["times"] for row in rows)]
    parts = [heading(results)]
    if rows:
        base = base_of(columns)
        parts.append(f"Each cell: the median as a ratio to that of {base}, then milliseconds (the least and the most):")
        parts.append(table(["", *columns], [[title(row), *(cell(row, column) for column in columns)] for row in rows]))
        parts.append("Peak memory of the biggest process on the server's side, and how many processes were started there:")
        parts.append(table(["", *columns], [[title(row), *(watched(row, column) for column in columns)] for row in rows]))
    parts.append("The parts:")
    parts.append(table(["", "median ms (least–most)"], list(parts_of(results["rows"]))))
    parts.append("The targets:")
    parts.append(table(["", "target", "measured", ""], list(targets(results["rows"]))))
    parts.extend(f"{label} is left out: {why}." for label, why in results["absent"].items())
    return "\n\n".join(parts) + "\n"


def heading(results):
    machine = results["machine"]
    uv = f", uv {machine['uv']}" if machine["uv"] else ""
    return (
        f"`{results['command']}`, {results['minutes']:.0f} minutes; {machine['cores']} cores, Linux {machine['kernel']}, "
        f"{machine['file system']}, git {machine['git']}, pip {' and '.join(machine['pip'])}{uv}, "
        f"Python {' and '.join(results['pythons'])}; {', '.join(results['requirements'])}; nyala {machine['nyala']}."
    )


def title(row):
    return f"{NAMES[row['name']]}, {row['size']:,} files"


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
    processes = row["processes"][column]
    return f"{row['peak'][column]:.0f} MB" + ("" if processes is None else f", {processes}")


def parts_of(rows):
    said = {"standing": "one file changed, the tree alone", "export": "a whole tree into an empty folder",
            "follower": "from the record's last write to the end of `git push`",
            "env": "a new env with pip in it, nothing installed yet"}
    for row in rows:
        if row["part"]:
            for label, times in row["times"].items():
                yield [f"{said[row['name']]}, {row['size']:,} files: {label}", spread(times)]
        else:
            for label in row["times"].keys() - set(COLUMNS):
                yield [f"{NAMES[row['name']]}: {label}", spread(row["times"][label])]


def targets(rows):
    """What was aimed at: a sentence, the target, what was measured, and whether it was reached."""
    found = {(row["name"], row["size"]): row for row in rows}

    def times(name, size, label):
        measured = found[name, size]["times"].get(label)
        return median(measured) if measured else None

    def ratio(sentence, name, size, ours, theirs, most):
        own, other = times(name, size, ours), times(name, size, theirs)
        if own and other:
            # No hook can be faster than git itself.
            least = (times(name, size, "an empty hook") or 0) / other
            why = f" (an empty hook: {least:.2f} ×)" if least > most else ""
            yield [sentence, f"at most {most} ×", f"{own / other:.2f} ×", verdict(own / other <= most) + why]

    def difference(sentence, name, size, ours, theirs, most):
        own, other = times(name, size, ours), times(name, size, theirs)
        if own and other:
            yield [sentence, f"at most {most} ms more", f"{own - other:.1f} ms", verdict(own - other <= most)]

    def bound(sentence, value, most, unit):
        yield [sentence, f"under {most} {unit}", f"{value:.1f} {unit}", verdict(value < most)]

    for name, size in found:
        files, row = f"{size:,} files", (name, size)
        if name == "changed":
            changed = f"one file changed, {files}"
            yield from ratio(f"{changed}, against Kudu's steps", *row, OURS, "Kudu's steps", 0.15)
            yield from ratio(f"{changed}, against piku's way", *row, OURS, "piku's way", 0.3)
            if size <= 20_000:
                yield from difference(f"{changed}, above an empty hook", *row, OURS, "an empty hook", 40)
        elif name == "back":
            by_hand = "venv and pip by hand"
            yield from ratio(f"runtime toggled back, pip, against {by_hand}", *row, OURS, by_hand, 0.6)
            for by_hand in ("uv by hand", "uv by hand, at a new path"):
                yield from ratio(f"runtime toggled back, uv, against {by_hand}", *row, OURS_UV, by_hand, 1.2)
        elif name == "rollback":
            yield from difference("rollback, above starting the binary", *row, OURS, "nyala --version", 30)
        elif name == "export":
            yield from ratio(f"a whole tree, {files}, against {CHECKOUT}", *row, OURS, "git checkout -f", 0.6)
            if OURS in found[row]["peak"]:
                yield from bound(f"the worker's peak, {files}", found[row]["peak"][OURS], 40, "MB")
        elif name == "standing" and size >= 20_000:
            standing = f"a standing tree, one file of {files} changed"
            yield from ratio(f"{standing}, against {CHECKOUT}", *row, OURS, "git checkout -f", 0.6)
        elif name == "follower" and times(*row, OURS):
            yield from bound(f"what the follower adds at the end, {files}", times(*row, OURS), 20, "ms")
        elif name == "env" and times(*row, OURS):
            yield from bound("a new env with pip in it", times(*row, OURS), 300, "ms")


def verdict(reached):
    return "yes" if reached else "**no**"


def median(times):
    return statistics.median(times)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---|" + "--:|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def replace(path, new):
    """Puts a text between the two marks of a file."""
    with open(path) as file:
        old = file.read()
    before, rest = old.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    with open(path + ".new", "w") as file:
        file.write(f"{before}{BEGIN}\n\n{new}\n{END}{after}")
    os.rename(path + ".new", path)


# The chart.
WIDTH, LABELS, BAR, GAP, SCALE_END = 860, 190, 13, 26, 1.5
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f } .row { font-weight: 600 } .value { font-size: 11px }
.bar { fill: #9aa4b0 } .ours { fill: #1a7f64 } .one { stroke: #24292f; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #d5dbe1 } .bar { fill: #66707b } .ours { fill: #3fb68f } .one { stroke: #d5dbe1 }
}
"""


def chart(results):
    """Bars of the ratios, a group for each row; one that is longer than the chart is cut, and says its value."""
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
            body.append(f'<text x="{LABELS - 8}" y="{y + 10}" text-anchor="end">{escape(column)}</text>')
            body.append(f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR - 2}" rx="2"/>')
            said = f"{value / base:.2f} ({ms(value)} ms)"
            body.append(f'<text class="value" x="{LABELS + length + 6:.1f}" y="{y + 10}">{said}</text>')
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
