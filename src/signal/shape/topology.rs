//! Which faces meet at which edges: what a mesh must show before it can be said to have an inside.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::mesh::{Mesh, bounds, signed_volume};

/// The share of a body's faces from which on they are right about what is outside.
const MAJORITY: f64 = 0.75;

/// A face's use of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct HalfEdge {
    /// Both vertices, the smaller index first.
    edge: [u32; 2],
    face: u32,
    /// Which of the face's edges; edge k runs from corner k to corner k + 1.
    corner: u8,
    /// Whether the face runs along the edge from the smaller index to the larger.
    ascends: bool,
}

/// The faces of a mesh, grouped by the edges they share.
pub(super) struct Edges {
    sorted: Vec<HalfEdge>,
}

impl Edges {
    pub fn new(faces: &[[u32; 3]]) -> Self {
        let mut sorted: Vec<HalfEdge> = faces
            .iter()
            .enumerate()
            .flat_map(|(face, &corners)| {
                (0..3).map(move |corner| {
                    let (from, to) = (corners[corner], corners[(corner + 1) % 3]);
                    HalfEdge {
                        edge: [from.min(to), from.max(to)],
                        face: face as u32,
                        corner: corner as u8,
                        ascends: from < to,
                    }
                })
            })
            .collect();
        sorted.par_sort_unstable();
        Self { sorted }
    }

    /// The uses of every edge, in the order of the edges.
    fn groups(&self) -> impl Iterator<Item = &[HalfEdge]> {
        self.sorted.chunk_by(|a, b| a.edge == b.edge)
    }

    /// The (face, corner) pairs of every edge.
    pub fn uses(&self) -> impl Iterator<Item = impl Iterator<Item = (usize, usize)> + Clone> {
        self.groups().map(|group| {
            group
                .iter()
                .map(|half| (half.face as usize, half.corner as usize))
        })
    }
}

/// What is known of the surface as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topology {
    /// Edges with one face.
    pub open_edges: usize,
    /// Edges with more than two faces.
    pub non_manifold_edges: usize,
    /// Edges whose two faces run along them in the same direction, so that they disagree about what is outside.
    pub misoriented_edges: usize,
    /// Parts that share no edge.
    pub bodies: usize,
}

impl Topology {
    /// Counts the edges of a mesh.
    pub fn new(faces: &[[u32; 3]]) -> Self {
        Self::of(&Edges::new(faces), faces.len())
    }

    fn of(edges: &Edges, faces: usize) -> Self {
        let mut topology = Self {
            open_edges: 0,
            non_manifold_edges: 0,
            misoriented_edges: 0,
            bodies: 0,
        };
        let mut bodies = Bodies::new(faces);
        for group in edges.groups() {
            match group {
                [_] => topology.open_edges += 1,
                [a, b] => topology.misoriented_edges += usize::from(a.ascends == b.ascends),
                _ => topology.non_manifold_edges += 1,
            }
            for pair in group.windows(2) {
                bodies.join(pair[0].face, pair[1].face);
            }
        }
        topology.bodies = bodies.count();
        topology
    }

    /// Whether every edge has exactly two faces.
    pub fn watertight(&self) -> bool {
        self.open_edges == 0 && self.non_manifold_edges == 0
    }

    /// Whether faces that meet agree about what is outside.
    pub fn oriented(&self) -> bool {
        self.misoriented_edges == 0
    }
}

/// Sets of faces that hang together (union-find with path halving).
struct Bodies(Vec<u32>);

impl Bodies {
    fn new(faces: usize) -> Self {
        Self((0..faces as u32).collect())
    }

    fn find(&mut self, mut face: u32) -> u32 {
        while self.0[face as usize] != face {
            let parent = self.0[self.0[face as usize] as usize];
            self.0[face as usize] = parent;
            face = parent;
        }
        face
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        // The smaller index becomes the root, so that the result does not depend on the order of the edges.
        self.0[a.max(b) as usize] = a.min(b);
    }

    fn count(&self) -> usize {
        let roots = self.0.iter().enumerate();
        roots.filter(|&(face, &root)| face as u32 == root).count()
    }
}

/// Turns faces until all that meet at an edge of two agree: each body as most of its faces look, and outwards where there is no clear majority.
///
/// Returns false where that is impossible, as on a Möbius strip; the faces are then left as they were.
pub(super) fn orient(mesh: &mut Mesh) -> bool {
    let edges = Edges::new(&mesh.faces);
    let mut neighbours = vec![[(u32::MAX, false); 3]; mesh.faces.len()];
    for group in edges.groups() {
        if let [a, b] = group {
            let agrees = a.ascends != b.ascends;
            neighbours[a.face as usize][a.corner as usize] = (b.face, agrees);
            neighbours[b.face as usize][b.corner as usize] = (a.face, agrees);
        }
    }
    let mut turned: Vec<Option<bool>> = vec![None; mesh.faces.len()];
    let mut faces = mesh.faces.clone();
    for seed in 0..faces.len() {
        if turned[seed].is_some() {
            continue;
        }
        turned[seed] = Some(false);
        let mut body = vec![seed];
        let mut next = 0;
        while next < body.len() {
            let face = body[next];
            next += 1;
            for (neighbour, agrees) in neighbours[face] {
                let Some(seen) = turned.get(neighbour as usize) else {
                    continue;
                };
                let wanted = turned[face] == Some(agrees);
                match *seen {
                    Some(is) if is != wanted => return false,
                    Some(_) => {}
                    None => {
                        turned[neighbour as usize] = Some(wanted);
                        body.push(neighbour as usize);
                    }
                }
            }
        }
        let mut count = 0;
        for &face in &body {
            if turned[face] == Some(true) {
                faces[face].swap(1, 2);
                count += 1;
            }
        }
        let share = f64::from(count) / body.len() as f64;
        let is_wrong = if share.max(1.0 - share) > MAJORITY {
            share > 0.5
        } else {
            let alone: Vec<[u32; 3]> = body.iter().map(|&face| faces[face]).collect();
            signed_volume(&mesh.vertices, &alone) < 0.0
        };
        if is_wrong {
            for &face in &body {
                faces[face].swap(1, 2);
            }
        }
    }
    mesh.faces = faces;
    true
}

/// Turns every body of a closed, oriented mesh that looks inwards and lies in no other one: a body in another one that looks inwards is a cavity.
///
/// Returns how many were turned.
pub(super) fn turn_inverted(mesh: &mut Mesh) -> usize {
    let mut bodies = Bodies::new(mesh.faces.len());
    let edges = Edges::new(&mesh.faces);
    for group in edges.groups() {
        for pair in group.windows(2) {
            bodies.join(pair[0].face, pair[1].face);
        }
    }
    let mut places: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for face in 0..mesh.faces.len() {
        places
            .entry(bodies.find(face as u32))
            .or_default()
            .push(face);
    }
    let boxes: Vec<[[f32; 3]; 2]> = places
        .values()
        .map(|faces| {
            let corners = faces.iter().flat_map(|&face| mesh.faces[face]);
            bounds(corners.map(|vertex| mesh.vertices[vertex as usize]))
        })
        .collect();
    let contains = |[low, high]: [[f32; 3]; 2], [other_low, other_high]: [[f32; 3]; 2]| {
        (0..3).all(|axis| low[axis] < other_low[axis] && other_high[axis] < high[axis])
    };
    let mut count = 0;
    for (faces, own) in places.values().zip(&boxes) {
        let alone: Vec<[u32; 3]> = faces.iter().map(|&face| mesh.faces[face]).collect();
        let looks_inwards = signed_volume(&mesh.vertices, &alone) < 0.0;
        if looks_inwards && !boxes.iter().any(|other| contains(*other, *own)) {
            faces.iter().for_each(|&face| mesh.faces[face].swap(1, 2));
            count += 1;
        }
    }
    count
}

/// Makes vertices at the same place one vertex; normals are dropped, since the faces of one place may have several.
pub(super) fn weld(mesh: &Mesh) -> Mesh {
    let mut places: HashMap<[u32; 3], u32> = HashMap::with_capacity(mesh.vertices.len());
    let mut vertices = Vec::new();
    let index: Vec<u32> = mesh
        .vertices
        .iter()
        .map(|&vertex| {
            // Adding zero makes −0 the same place as 0.
            let key = vertex.map(|x| (x + 0.0).to_bits());
            *places.entry(key).or_insert_with(|| {
                vertices.push(vertex);
                vertices.len() as u32 - 1
            })
        })
        .collect();
    let faces = mesh.faces.iter();
    let faces = faces.map(|face| face.map(|vertex| index[vertex as usize]));
    Mesh {
        vertices,
        faces: faces.collect(),
        normals: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cube, tetrahedron};
    use super::*;

    #[test]
    fn edges_of_closed_open_and_touching_surfaces_are_counted() {
        let topology = Topology::new(&cube().faces);
        assert!(topology.watertight() && topology.oriented());
        assert_eq!(topology.bodies, 1);

        let mut open = cube();
        open.faces.pop();
        assert_eq!(Topology::new(&open.faces).open_edges, 3);

        let mut turned = cube();
        turned.faces[0].swap(0, 1);
        assert_eq!(Topology::new(&turned.faces).misoriented_edges, 3);

        // Three triangles at one edge.
        let fan = [[0, 1, 2], [1, 0, 3], [0, 1, 4]];
        let topology = Topology::new(&fan);
        assert_eq!((topology.non_manifold_edges, topology.open_edges), (1, 6));

        let two = [[0, 1, 2], [3, 4, 5]];
        assert_eq!(Topology::new(&two).bodies, 2);
    }

    #[test]
    fn faces_are_turned_outwards() {
        let right = tetrahedron();
        for turned in [vec![1], vec![0, 3]] {
            let mut mesh = right.clone();
            turned
                .into_iter()
                .for_each(|face: usize| mesh.faces[face].swap(1, 2));
            assert!(orient(&mut mesh));
            assert!(Topology::new(&mesh.faces).oriented());
            assert!(mesh.signed_volume() > 0.0);
        }
    }

    #[test]
    fn a_moebius_strip_cannot_be_oriented() {
        // Five quads in a ring, the last joined to the first upside down; vertices 2i and 2i + 1 are a rung.
        let mut faces = Vec::new();
        for i in 0..5_u32 {
            let (a, b) = (2 * i, 2 * i + 1);
            let (c, d) = match i {
                4 => (1, 0),
                _ => (a + 2, b + 2),
            };
            faces.extend([[a, c, b], [b, c, d]]);
        }
        let mut mesh = Mesh {
            vertices: vec![[0.0; 3]; 10],
            faces,
            normals: Vec::new(),
        };
        let before = mesh.clone();
        assert!(!orient(&mut mesh));
        assert_eq!(mesh, before);
    }

    #[test]
    fn welding_closes_a_soup_of_triangles() {
        let whole = cube();
        let soup = Mesh {
            vertices: whole
                .faces
                .iter()
                .flatten()
                .map(|&v| whole.vertices[v as usize])
                .collect(),
            faces: (0..whole.faces.len() as u32)
                .map(|f| [3 * f, 3 * f + 1, 3 * f + 2])
                .collect(),
            normals: Vec::new(),
        };
        assert!(!Topology::new(&soup.faces).watertight());
        let welded = weld(&soup);
        assert_eq!(welded.vertices.len(), 8);
        assert!(Topology::new(&welded.faces).watertight());
    }
}
