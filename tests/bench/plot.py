"""The plot of the hh cables: ns per CV-step against control volumes and against slots."""

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot, ticker

COLOURS = {"graddiff": "tab:blue", "arbor": "tab:red", "neuron": "tab:green", "jaxley": "tab:orange"}


def colour(tool):
    return next(c for name, c in COLOURS.items() if tool.startswith(name))


def curves(axes, rows, x, label):
    """One curve per label, through the fastest row at each x."""
    ends = []
    for name in sorted({label(r) for r in rows if label(r)}):
        points, own = {}, [r for r in rows if label(r) == name]
        for r in own:
            points[x(r)] = min(r.ns_per_cv_step, points.get(x(r), r.ns_per_cv_step))
        style = {"plain": ":", "differences": "--"}
        line = next((s for word, s in style.items() if word in name), "-")
        xs, ys = zip(*sorted(points.items()))
        axes.plot(xs, ys, marker="o", markersize=3, linestyle=line, color=colour(own[0].tool), label=name)
        ends.append((ys[-1], xs[-1], name))
    below = 0.0
    for y, x, name in sorted(ends):
        # labels of curves that end close to each other give way upwards
        below = max(y, 1.14 * below)
        where = {"xytext": (x, below), "fontsize": 7, "va": "center"}
        axes.annotate(f"  {name}", (x, y), **where)


def by_size(r):
    if r.slots not in (0, 12) or "differences" in r.tool:
        return None
    plain = r.tool.replace(" plain", "").replace(" forward", "").replace(", native", "")
    return f"{plain}, {r.slots} slots" if r.slots else f"{plain}, plain"


def by_slots(r):
    """Curves at 1000 control volumes that have more than one point."""
    if r.cvs != 1000:
        return None
    if r.tool.startswith("graddiff"):
        return "graddiff"
    return {"jaxley": "jaxley", "jaxley forward": "jaxley"}.get(r.tool)


def plot(rows, path):
    """Writes `path` with the suffixes .svg and .png."""
    matplotlib.rcParams["svg.hashsalt"] = "graddiff"
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    done = [r for r in rows if r.work.startswith("cable ")]
    curves(left, done, lambda r: r.cvs, by_size)
    curves(right, done, lambda r: r.slots, by_slots)
    differences = [r for r in done if r.cvs == 1000 and "differences" in r.tool]
    for r in differences:
        right.plot(r.slots, r.ns_per_cv_step, "x", color=colour("arbor"))
        where = {"xytext": (6, 0), "textcoords": "offset points", "fontsize": 7, "va": "center"}
        right.annotate("arbor, central differences", (r.slots, r.ns_per_cv_step), **where)
    left.set(xscale="log", yscale="log", xlabel="control volumes", ylabel="ns per CV-step", title="hh cable")
    right.set(yscale="log", xlabel="slots", ylabel="ns per CV-step", title="hh cable, 1000 control volumes")
    right.set_xscale("symlog", linthresh=3)
    right.set_xticks(sorted({r.slots for r in done}))
    left.set_xticks(sorted({r.cvs for r in done}))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.margins(x=0.35)
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
        axes.xaxis.set_minor_locator(ticker.NullLocator())
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
        figure.savefig(path.with_suffix(suffix), dpi=150, metadata=metadata)
    drawn = path.with_suffix(".svg")
    drawn.write_text("".join(line.rstrip() + "\n" for line in drawn.read_text().splitlines()))
    pyplot.close(figure)
