//! Linear systems with the sparsity of trees, solved by Hines elimination in an order of our own.
//!
//! Elimination runs from the leaves to the root and back, a chain of dependent operations as long as the tree is high. So
//! each tree hangs from the middle of its longest path, which halves its height, and all trees are worked through
//! together, level by level: a processor then has several independent operations at a time. Nodes of a level are sorted
//! by the height of what hangs below them, so the only children of a level's first nodes are the next level's first
//! nodes, in the same order, and no index is needed.
//!
//! What happens to one tree does not depend on the others, so results do not depend on how cells are grouped.
//!
//! Reference: Hines, Int. J. Biomed. Comput. 15 (1984) 69–76, doi:10.1016/0020-7101(84)90008-4.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

/// A symmetric matrix over the nodes of some trees, and room for its elimination. Vectors are by position in the order of
/// elimination.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// Position to node.
    order: Vec<usize>,
    /// From the roots downwards.
    runs: Vec<Run>,
    /// Position of the parent; nothing at a root.
    parent: Vec<usize>,
    /// Minus the off-diagonal element that joins a node to its parent; 0 at a root.
    face: Vec<f64>,
    /// Sum over all faces of a node.
    faces: Vec<f64>,
    diagonal: Vec<f64>,
    factor: Vec<f64>,
    x: Vec<f64>,
    /// Every tree is a single node, and their order is that of the nodes.
    separate: bool,
}

/// Levels of one width.
#[derive(Debug, Clone)]
struct Run {
    /// Position of the first node of the first level.
    start: usize,
    width: usize,
    levels: usize,
    /// Position of the first node of the level above, if the j-th node of each level hangs from the j-th above it.
    /// Otherwise the run is a single level.
    above: Option<usize>,
}

/// How a tree hangs from its middle; by node.
#[derive(Debug, Clone, Default)]
struct Hung {
    /// With the face between.
    children: Vec<(usize, f64)>,
    /// Longest way down, in faces.
    height: usize,
}

impl Tree {
    /// `parent` and `face` (to the parent) per node; each of `trees` is a range of nodes that no face leaves.
    pub(crate) fn new(parent: &[Option<usize>], trees: &[Range<usize>], face: &[f64]) -> Self {
        let mut joined: Vec<Vec<(usize, f64)>> = vec![Vec::new(); parent.len()];
        for (i, (&parent, &g)) in parent.iter().zip(face).enumerate() {
            if let Some(p) = parent {
                joined[i].push((p, g));
                joined[p].push((i, g));
            }
        }
        let mut hung = vec![Hung::default(); parent.len()];
        let roots = trees.iter().filter(|t| !t.is_empty());
        let roots: Vec<usize> = roots.map(|tree| hang(&joined, tree.start, &mut hung)).collect();
        let mut tree = Self {
            order: Vec::new(),
            runs: Vec::new(),
            parent: Vec::new(),
            face: Vec::new(),
            faces: Vec::new(),
            diagonal: Vec::new(),
            factor: Vec::new(),
            x: Vec::new(),
            separate: false,
        };
        // node, position of its parent, face between
        let mut level: Vec<(usize, usize, f64)> = roots.into_iter().map(|root| (root, 0, 0.0)).collect();
        let mut above = 0;
        while !level.is_empty() {
            level.sort_by_key(|&(node, ..)| Reverse(hung[node].height));
            let start = tree.order.len();
            let aligned = start > 0 && level.iter().enumerate().all(|(j, &(_, parent, _))| parent == above + j);
            match tree.runs.last_mut() {
                Some(run) if aligned && run.above.is_some() && run.width == level.len() => run.levels += 1,
                _ => tree.runs.push(Run {
                    start,
                    width: level.len(),
                    levels: 1,
                    above: aligned.then_some(above),
                }),
            }
            let mut next = Vec::new();
            for (j, &(node, parent, face)) in level.iter().enumerate() {
                tree.order.push(node);
                tree.parent.push(parent);
                tree.face.push(face);
                tree.faces.push(joined[node].iter().map(|&(_, g)| g).sum());
                next.extend(hung[node].children.iter().map(|&(child, g)| (child, start + j, g)));
            }
            (level, above) = (next, start);
        }
        let n = tree.order.len();
        (tree.diagonal, tree.factor, tree.x) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        tree.separate = tree.runs.len() <= 1 && tree.order.iter().copied().eq(0..n);
        tree
    }

    /// Bytes of the arrays.
    pub(crate) fn bytes(&self) -> usize {
        let numbers = [&self.face, &self.faces, &self.diagonal, &self.factor, &self.x];
        let numbers: usize = numbers.into_iter().map(|v| size_of_val(v.as_slice())).sum();
        let positions = size_of_val(self.order.as_slice()) + size_of_val(self.parent.as_slice());
        numbers + positions + size_of_val(self.runs.as_slice())
    }

    /// What is given by node, by position in the order of elimination.
    pub(crate) fn ordered(&self, by_node: &[f64]) -> Vec<f64> {
        self.order.iter().map(|&node| by_node[node]).collect()
    }

    /// Replaces `x` by the solution. `row` gives, for a position, its node and the node's `x`, the diagonal element
    /// without faces and the right-hand side. Nodes outside the trees keep their `x`; a tree without any equation gets 0,
    /// as in Arbor.
    pub(crate) fn solve(&mut self, x: &mut [f64], row: impl Fn(usize, usize, f64) -> (f64, f64)) {
        let n = self.order.len();
        if self.separate && x.len() == n {
            return separate(x, row);
        }
        // Equal lengths, so that the loop carries fewer bounds checks.
        let (order, faces) = (&self.order[..n], &self.faces[..n]);
        let (diagonal, rhs) = (&mut self.diagonal[..n], &mut self.x[..n]);
        for k in 0..n {
            let (own, b) = row(k, order[k], x[order[k]]);
            diagonal[k] = own + faces[k];
            rhs[k] = b;
        }
        for run in self.runs.iter().skip(1).rev() {
            match (run.above, run.width) {
                (Some(above), 1) => up_narrow::<1>(run, above, &self.face, diagonal, rhs, &mut self.factor),
                (Some(above), 2) => up_narrow::<2>(run, above, &self.face, diagonal, rhs, &mut self.factor),
                (Some(above), _) => up_wide(run, above, &self.face, diagonal, rhs, &mut self.factor),
                (None, _) => up_forked(run, &self.parent, &self.face, diagonal, rhs, &mut self.factor),
            }
        }
        let roots = self.runs.first().map_or(0, |run| run.width);
        for (x, &d) in rhs.iter_mut().zip(diagonal.iter()).take(roots) {
            *x = if d == 0.0 { 0.0 } else { *x / d };
        }
        for run in self.runs.iter().skip(1) {
            match (run.above, run.width) {
                (Some(above), 1) => down_narrow::<1>(run, above, &self.factor, rhs),
                (Some(above), 2) => down_narrow::<2>(run, above, &self.factor, rhs),
                (Some(above), _) => down_wide(run, above, &self.factor, rhs),
                (None, _) => {
                    for k in run.start..run.start + run.width {
                        rhs[k] += self.factor[k] * rhs[self.parent[k]];
                    }
                }
            }
        }
        for (&node, &value) in order.iter().zip(rhs.iter()) {
            x[node] = value;
        }
    }
}

/// Solves equations that have nothing to do with each other, with the bits of [`Tree::solve`]'s way: adding no faces is
/// left out, which but for the sign of a zero changes nothing.
fn separate(x: &mut [f64], row: impl Fn(usize, usize, f64) -> (f64, f64)) {
    for (k, x) in x.iter_mut().enumerate() {
        let (d, b) = row(k, k, *x);
        *x = if d == 0.0 { 0.0 } else { b / d };
    }
}

/// Hangs the tree that contains `start` from the middle of its longest path; the root.
fn hang(joined: &[Vec<(usize, f64)>], start: usize, hung: &mut [Hung]) -> usize {
    let from_start = walk(joined, start);
    let one_end = from_start.last().map_or(start, |&(node, _)| node);
    let path = walk(joined, one_end);
    let mut root = path.last().map_or(start, |&(node, _)| node);
    let parents: BTreeMap<usize, usize> = path.iter().copied().collect();
    let mut length = 0;
    let mut at = root;
    while at != one_end {
        at = parents[&at];
        length += 1;
    }
    for _ in 0..length / 2 {
        root = parents[&root];
    }
    for &(node, parent) in walk(joined, root).iter().rev() {
        let children = joined[node].iter().filter(|&&(other, _)| other != parent);
        let children: Vec<(usize, f64)> = children.copied().collect();
        let height = children.iter().map(|&(child, _)| hung[child].height + 1).max();
        hung[node] = Hung {
            height: height.unwrap_or(0),
            children,
        };
    }
    root
}

/// Nodes by their distance from `root`, each with the one before it on the way; the root with itself.
fn walk(joined: &[Vec<(usize, f64)>], root: usize) -> Vec<(usize, usize)> {
    let mut out = vec![(root, root)];
    let mut k = 0;
    while let Some(&(node, parent)) = out.get(k) {
        out.extend(
            joined[node]
                .iter()
                .filter(|&&(other, _)| other != parent)
                .map(|&(other, _)| (other, node)),
        );
        k += 1;
    }
    out
}

/// One step of elimination: the row divided by its diagonal, and what it adds to its parent's diagonal and right-hand
/// side.
#[inline(always)]
fn eliminate(face: f64, diagonal: f64, x: &mut f64, factor: &mut f64) -> (f64, f64) {
    let inverse = 1.0 / diagonal;
    *factor = face * inverse;
    // the square first: the next diagonal waits for the inverse
    let up = (-(face * face) * inverse, *factor * *x);
    *x *= inverse;
    up
}

/// A run so narrow that what goes up is kept in registers.
fn up_narrow<const W: usize>(
    run: &Run,
    above: usize,
    face: &[f64],
    diagonal: &mut [f64],
    x: &mut [f64],
    factor: &mut [f64],
) {
    let mut up = [(0.0, 0.0); W];
    let nodes = run.start..run.start + W * run.levels;
    let (face, d) = (
        face[nodes.clone()].chunks_exact(W),
        diagonal[nodes.clone()].chunks_exact(W),
    );
    let (x_run, factor) = (x[nodes.clone()].chunks_exact_mut(W), factor[nodes].chunks_exact_mut(W));
    for (((face, d), x), factor) in face.zip(d).zip(x_run).zip(factor).rev() {
        for j in 0..W {
            x[j] += up[j].1;
            up[j] = eliminate(face[j], d[j] + up[j].0, &mut x[j], &mut factor[j]);
        }
    }
    for (j, up) in up.into_iter().enumerate() {
        diagonal[above + j] += up.0;
        x[above + j] += up.1;
    }
}

fn up_wide(run: &Run, above: usize, face: &[f64], diagonal: &mut [f64], x: &mut [f64], factor: &mut [f64]) {
    let w = run.width;
    for level in (0..run.levels).rev() {
        let start = run.start + level * w;
        let above = if level == 0 { above } else { start - w };
        let (d_above, d) = diagonal.split_at_mut(start);
        let (x_above, x) = x.split_at_mut(start);
        let (d_above, x_above) = (&mut d_above[above..above + w], &mut x_above[above..above + w]);
        let (d, x) = (&d[..w], &mut x[..w]);
        let (face, factor) = (&face[start..start + w], &mut factor[start..start + w]);
        for j in 0..w {
            let up = eliminate(face[j], d[j], &mut x[j], &mut factor[j]);
            d_above[j] += up.0;
            x_above[j] += up.1;
        }
    }
}

fn up_forked(run: &Run, parent: &[usize], face: &[f64], diagonal: &mut [f64], x: &mut [f64], factor: &mut [f64]) {
    for k in (run.start..run.start + run.width).rev() {
        let up = eliminate(face[k], diagonal[k], &mut x[k], &mut factor[k]);
        diagonal[parent[k]] += up.0;
        x[parent[k]] += up.1;
    }
}

fn down_narrow<const W: usize>(run: &Run, above: usize, factor: &[f64], x: &mut [f64]) {
    let mut down = [0.0; W];
    down.copy_from_slice(&x[above..above + W]);
    let nodes = run.start..run.start + W * run.levels;
    for (x, factor) in x[nodes.clone()].chunks_exact_mut(W).zip(factor[nodes].chunks_exact(W)) {
        for j in 0..W {
            down[j] = x[j] + factor[j] * down[j];
            x[j] = down[j];
        }
    }
}

fn down_wide(run: &Run, above: usize, factor: &[f64], x: &mut [f64]) {
    let w = run.width;
    for level in 0..run.levels {
        let start = run.start + level * w;
        let above = if level == 0 { above } else { start - w };
        let (x_above, x) = x.split_at_mut(start);
        let (x_above, x, factor) = (&x_above[above..above + w], &mut x[..w], &factor[start..start + w]);
        for j in 0..w {
            x[j] += factor[j] * x_above[j];
        }
    }
}
