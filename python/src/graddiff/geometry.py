"""The matrix of a cable cell, as the carrier `gd0_cable` wants it: what Arbor 0.12.2 computes of its control volumes.

Arbor shows the control volumes (CVs) of a cell, but not their conductances and capacitances; these are computed here
from the frusta of the morphology: of one with radii r0, r1 and length dx the area pi (r0+r1) sqrt(dx^2+(r1-r0)^2), and
the integral of dx/(pi r^2), dx/(pi r0 r1). Units: um, pF, uS, Ohm cm, F/m^2. Knows no mechanisms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .errors import Unsupported

Cable = tuple[int, float, float]
"""Branch, proximal and distal end as fractions of the branch's length."""


@dataclass
class Property:
    """A quantity along the cell: a default, and disjoint cables with other values."""

    default: float
    painted: list[tuple[Cable, float]]


class Branch:
    """The frusta of a branch, by fractions of its length."""

    def __init__(self, segments: Sequence[Any], number: int) -> None:
        points, lengths = [], []
        for s in segments:
            length = math.dist((s.prox.x, s.prox.y, s.prox.z), (s.dist.x, s.dist.y, s.dist.z))
            if length == 0 and s.prox.radius != s.dist.radius:
                raise Unsupported(f"branch {number} has a disk (a segment without length): give it a length")
            if length > 0:
                points.append((s.prox.radius, s.dist.radius))
                lengths.append(length)
        self.length_um = math.fsum(lengths)
        if self.length_um == 0:
            raise Unsupported(f"branch {number} has no length: remove it, or give it some")
        self.pieces = []
        before = 0.0
        for (r0, r1), length in zip(points, lengths):
            self.pieces.append((before / self.length_um, (before + length) / self.length_um, r0, r1))
            before += length

    def _cut(self, prox: float, dist: float):
        """Radii at the ends and length of the frusta between two places."""
        for a, b, r0, r1 in self.pieces:
            low, high = max(a, prox), min(b, dist)
            if low < high:
                radius = lambda at: r0 + (r1 - r0) * (at - a) / (b - a)  # noqa: E731
                yield radius(low), radius(high), (high - low) * self.length_um

    def area_um2(self, prox: float, dist: float) -> float:
        """Lateral area."""
        return sum(math.pi * (r0 + r1) * math.hypot(dx, r1 - r0) for r0, r1, dx in self._cut(prox, dist))

    def resistance_per_um(self, prox: float, dist: float) -> float:
        """Integral of dx/(pi r^2), 1/um."""
        return sum(dx / (math.pi * r0 * r1) for r0, r1, dx in self._cut(prox, dist))


class Tree:
    """The CVs of a cell: area, capacitance, conductance to the parent, and the weights of voltages at a place."""

    def __init__(self, morphology: Any, cvs: Any, cm_f_per_m2: Property, rl_ohm_cm: Property, none: int) -> None:
        self.branches = [Branch(morphology.branch_segments(b), b) for b in range(morphology.num_branches)]
        self.branch_parent = [morphology.branch_parent(b) for b in range(morphology.num_branches)]
        self.no_branch = none
        self.cables: list[list[Cable]] = [
            [(c.branch, c.prox, c.dist) for c in cvs.cables(i)] for i in range(cvs.num_cv)
        ]
        parents = [cvs.parent(i) for i in range(cvs.num_cv)]
        self.parent = [p if 0 <= p < cvs.num_cv else None for p in parents]
        self.rl_ohm_cm = rl_ohm_cm
        self.area_um2 = [sum(self.branches[b].area_um2(p, d) for b, p, d in cv) for cv in self.cables]
        self.cap_pf = [sum(self._weighted(c, cm_f_per_m2, "area_um2") for c in cv) for cv in self.cables]
        self.g_face_us = [self._face_us(i) for i in range(len(self.cables))]
        self._tabulate()

    def _weighted(self, cable: Cable, values: Property, measure: str) -> float:
        """Integral of a property over area (`area_um2`) or axial resistance (`resistance_per_um`)."""
        branch, prox, dist = cable
        of = getattr(self.branches[branch], measure)
        cuts = {prox, dist}
        here = [(p, d, value) for (b, p, d), value in values.painted if b == branch and p < dist and prox < d]
        for p, d, _ in here:
            cuts |= {max(p, prox), min(d, dist)}
        ends = sorted(cuts)
        total = 0.0
        for low, high in zip(ends, ends[1:]):
            middle = 0.5 * (low + high)
            value = next((v for p, d, v in here if p <= middle <= d), values.default)
            total += value * of(low, high)
        return total

    def _middle(self, cv: int) -> float | None:
        """The reference point of an unbranched CV."""
        if len(self.cables[cv]) != 1:
            return None
        _, prox, dist = self.cables[cv][0]
        return prox + (dist - prox) / 2

    def _face_us(self, cv: int) -> float:
        parent = self.parent[cv]
        if parent is None:
            return 0.0
        branch = self.cables[cv][0][0]
        own, above = self._middle(cv), self._middle(parent)
        near = above if above is not None and self.cables[parent][0][0] == branch else 0.0
        far = 1.0 if own is None else own
        # 1/(Ohm cm/um) is 100 uS
        return 100 / self._weighted((branch, near, far), self.rl_ohm_cm, "resistance_per_um")

    def _tabulate(self) -> None:
        """The rows of `gd0_cable`: one for each CV with area; a fork without is a node that its first child hosts."""
        self.instances = [cv for cv, area in enumerate(self.area_um2) if area > 0]
        number = {cv: i for i, cv in enumerate(self.instances)}
        host: dict[int, int] = {}
        self.rows: list[dict[str, float]] = []
        for i, cv in enumerate(self.instances):
            above = self.parent[cv]
            fork = above if above is not None and above not in number else None
            if fork is not None:
                above = self.parent[fork]
                if above is not None and above not in number:
                    raise Unsupported(f"control volumes {above} and {fork} follow each other without area: give them length")
                host.setdefault(fork, i)
            hosts = fork is not None and host[fork] == i
            self.rows.append(
                {
                    "parent_offset": 0 if above is None else i - number[above],
                    "g_face": self.g_face_us[cv],
                    "via_fork": 1 if fork is not None else 0,
                    "fork_offset": i - host[fork] if fork is not None else 0,
                    "fork_g": self.g_face_us[fork] if fork is not None and hosts else 0,
                    "hosts_fork": 1 if hosts else 0,
                    "cap": self.cap_pf[cv],
                }
            )
        # a node without area has the mean of its neighbours' voltages, weighted by conductance
        self.of_instances: list[dict[int, float]] = [{} for _ in self.cables]
        for cv, above in enumerate(self.parent):
            if cv in number:
                self.of_instances[cv][number[cv]] = 1.0
                if above is not None and above not in number:
                    self.of_instances[above][number[cv]] = self.g_face_us[cv]
            elif above is not None:
                self.of_instances[cv][number[above]] = self.g_face_us[cv]
        for cv, weights in enumerate(self.of_instances):
            whole = sum(weights.values())
            self.of_instances[cv] = {i: g / whole for i, g in weights.items()}

    def inside(self, instance: int) -> tuple[int, float]:
        """A place within an instance's CV: branch and position."""
        branch, prox, dist = next(c for c in self.cables[self.instances[instance]] if c[1] < c[2])
        return branch, 0.5 * (prox + dist)

    def voltage_weights(self, branch: int, pos: float) -> dict[int, float]:
        """Instances and weights whose sum Arbor's voltage probe gives: linear in axial resistance between the two
        reference points around the place."""
        near, far = self._references(branch, pos)
        weights = {near[0]: 1.0}
        if far is not None:
            of = lambda a, b: self._weighted((branch, a, b), self.rl_ohm_cm, "resistance_per_um")  # noqa: E731
            part = of(near[1], pos) if pos >= near[1] else -of(pos, near[1])
            share = part / of(near[1], far[1])
            weights = {near[0]: 1 - share, far[0]: share}
        out: dict[int, float] = {}
        for cv, weight in weights.items():
            if weight != 0:
                for i, part in self.of_instances[cv].items():
                    out[i] = out.get(i, 0.0) + weight * part
        return dict(sorted(out.items()))

    def _references(self, branch: int, pos: float):
        tiles = [(p, d, cv) for cv, cables in enumerate(self.cables) for b, p, d in cables if b == branch]
        at = max((k for k, tile in enumerate(tiles) if tile[0] <= pos), default=0)
        if pos <= tiles[at][0] and at > 0 and tiles[at - 1][0] >= tiles[at - 1][1]:
            at -= 1
        cv = tiles[at][2]
        middle = self._middle(cv)
        if middle is not None:
            own, up, down = (cv, middle), True, True
        elif self._joined(cv, branch):
            own, up, down = (cv, 0.0), False, True
        else:
            own, up, down = (cv, 1.0), True, False
        above = self.parent[cv] if up else None
        last = max(k for k, tile in enumerate(tiles) if tile[2] == cv)
        below = tiles[last + 1][2] if down and last + 1 < len(tiles) else None
        if below is not None and (self.parent[below] != cv or self.cables[below][0][0] != branch):
            below = None
        above_at = None if above is None else (above, self._or(self._middle_on(above, branch), 0.0))
        below_at = None if below is None else (below, self._or(self._middle(below), 1.0))
        if above_at is not None and (below_at is None or pos < own[1]):
            return above_at, own
        return own, below_at

    @staticmethod
    def _or(value: float | None, default: float) -> float:
        return default if value is None else value

    def _middle_on(self, cv: int, branch: int) -> float | None:
        return self._middle(cv) if self.cables[cv][0][0] == branch else None

    def _joined(self, cv: int, branch: int) -> bool:
        """Whether a CV also holds what meets the proximal end of a branch."""
        above = self.branch_parent[branch]
        held = self.cables[cv]
        if above != self.no_branch and any(b == above and d >= 1 for b, _, d in held):
            return True
        siblings = [b for b, p in enumerate(self.branch_parent) if p == above and b != branch]
        return any(b in siblings and p <= 0 for b, p, _ in held)
