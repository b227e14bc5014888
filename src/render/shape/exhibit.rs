//! Shapes on a page: a picture from one camera, and a mesh of few bytes that can be turned.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::super::RenderError;
use super::super::exhibit::{Exhibit, Exhibition, PackedMesh, Picture, View3d};
use super::raster::raster;
use super::rendering::{PREVIEW, SLOPE};
use super::{Blocks, Camera, Evaluate, Lattice, MeshFormat, Scene, Search, encode_png, extract};
use crate::signal::shape::{UpAxis, read_mesh};
use crate::signal::{Shape, ShapeLayout, SignalError};

/// Most positions of a mesh: what 16 bits can count.
const MOST_POSITIONS: usize = 1 << 16;
/// Bytes that a position takes together with the two faces of which a closed surface has one for each: 6 + 2 · 6.
const BYTES_A_POSITION: usize = 18;
/// Cells along the longest side within which positions become one, unless all can stay.
const CELLS: f32 = 224.0;
/// The factor from one number of cells to the next.
const COARSER: f32 = 0.85;
/// Points along the longest side of the box in which the surface of something that is no mesh is looked for.
const RESOLUTION: u32 = 256;

/// Blocks of that lattice along a unit of length: eight points each.
const OUTLINE: f32 = RESOLUTION as f32 / 2.0 / 8.0;

type Triangle = [[f32; 3]; 3];

pub(super) fn exhibit(
    layout: &ShapeLayout,
    original: Option<&Shape>,
    files: &[PathBuf],
    room: usize,
) -> Result<Exhibition, RenderError> {
    let (mut meshes, mut notes) = (Vec::new(), Vec::new());
    if let Some(original) = original {
        meshes.push(surface(layout, original)?);
    }
    for file in files {
        meshes.push(triangles(file).unwrap_or_else(|error| {
            notes.push(match error {
                // The mesh of a network whose field has one sign everywhere; as OBJ it has no bytes.
                SignalError::NoSurface { path } => no_surface(&path),
                SignalError::Empty { path }
                    if matches!(MeshFormat::from_path(&path), Ok(MeshFormat::Obj)) =>
                {
                    no_surface(&path)
                }
                error => format!("A mesh is missing: {error}."),
            });
            Vec::new()
        }));
    }
    let bounds = bounds(&meshes);
    let most = (room / BYTES_A_POSITION).clamp(256, MOST_POSITIONS);
    // One camera for all, so that what is larger or lies elsewhere also looks so.
    let camera = meshes.iter().find(|triangles| !triangles.is_empty());
    let camera = camera.map(|triangles| camera_for(layout, triangles));
    let exhibit = |triangles: &Vec<Triangle>| -> Result<Exhibit, RenderError> {
        match &camera {
            Some(camera) if !triangles.is_empty() => Ok(Exhibit {
                mesh: Some(pack(triangles, bounds, most)),
                picture: Some(picture(layout, triangles, camera)?),
                ..Exhibit::default()
            }),
            _ => Ok(Exhibit::default()),
        }
    };
    let mut made = meshes
        .iter()
        .map(exhibit)
        .collect::<Result<Vec<Exhibit>, RenderError>>()?;
    let faces = |mesh: &PackedMesh| mesh.faces.len();
    let fewer = |(exhibit, all): (&Exhibit, &Vec<Triangle>)| {
        exhibit.mesh.as_ref().map_or(0, faces) < all.len()
    };
    if made.iter().zip(&meshes).any(fewer) {
        notes.push("Meshes that can be turned have fewer faces than the files.".into());
    }
    let original = original.map(|_| made.remove(0));
    Ok(Exhibition {
        original,
        made,
        pictures: "Previews",
        view: Some(View3d {
            bounds,
            up: match layout.up {
                UpAxis::Y => 1,
                UpAxis::Z => 2,
            },
        }),
        notes,
        ..Exhibition::default()
    })
}

fn no_surface(file: &Path) -> String {
    format!("There is no surface in {}.", file.display())
}

fn triangles(file: &Path) -> Result<Vec<Triangle>, SignalError> {
    let mesh = read_mesh(file)?.unwrap_or_default();
    let corners = |face: &[u32; 3]| face.map(|index| mesh.vertices[index as usize]);
    Ok(mesh.faces.iter().map(corners).collect())
}

/// The surface of the original in the units of the file.
fn surface(layout: &ShapeLayout, original: &Shape) -> Result<Vec<Triangle>, RenderError> {
    let triangles: Vec<Triangle> = original.triangles().collect();
    if !triangles.is_empty() {
        return Ok(triangles);
    }
    let field: &mut Evaluate<RenderError> = &mut |points: &[f32], values: &mut [f32]| {
        original.distances(points, values);
        Ok(())
    };
    let lattice = Lattice::cube(RESOLUTION).map_err(|e| RenderError::Request(e.to_string()))?;
    let blocks = Blocks::find(field, &lattice, Search::Lipschitz(SLOPE))?;
    let mesh = extract(field, &blocks)?;
    let corners =
        |face: &[u32; 3]| face.map(|index| layout.frame.place(mesh.vertices[index as usize]));
    Ok(mesh.faces.iter().map(corners).collect())
}

/// Looks at a surface from where previews are drawn.
fn camera_for(layout: &ShapeLayout, triangles: &[Triangle]) -> Camera {
    let [azimuth, elevation] = Scene::VIEWPOINT;
    let corners = triangles.as_flattened().iter();
    let corners: Vec<[f32; 3]> = corners
        .map(|&corner| layout.frame.coordinate(corner))
        .collect();
    Camera::new(&outline(&corners), layout.up, azimuth, elevation)
}

/// A picture of a surface.
fn picture(
    layout: &ShapeLayout,
    triangles: &[Triangle],
    camera: &Camera,
) -> Result<Picture, RenderError> {
    let coordinate = |corner| layout.frame.coordinate(corner);
    let triangles: Vec<Triangle> = triangles.iter().map(|t| t.map(coordinate)).collect();
    Ok(Picture {
        png: encode_png(raster(&triangles, camera, PREVIEW))?,
        width: PREVIEW,
        height: PREVIEW,
    })
}

/// Corners of boxes around the points, cut along a grid as that of [`Blocks::outline`], so that the previews show all shapes in one size.
fn outline(points: &[[f32; 3]]) -> Vec<[f32; 3]> {
    let mut boxes: BTreeMap<[i32; 3], [[f32; 3]; 2]> = BTreeMap::new();
    for &point in points {
        let cell = point.map(|x| (x * OUTLINE).floor() as i32);
        let corners = boxes.entry(cell).or_insert([point; 2]);
        for axis in 0..3 {
            corners[0][axis] = corners[0][axis].min(point[axis]);
            corners[1][axis] = corners[1][axis].max(point[axis]);
        }
    }
    let corner =
        |corners: &[[f32; 3]; 2], c: usize| [0, 1, 2].map(|axis| corners[c >> axis & 1][axis]);
    let boxes = boxes.values();
    boxes
        .flat_map(|corners| (0..8).map(move |c| corner(corners, c)))
        .collect()
}

/// The box around all meshes; that of coordinates when they are empty.
fn bounds(meshes: &[Vec<Triangle>]) -> [[f32; 3]; 2] {
    let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for point in meshes.iter().flatten().flatten() {
        for axis in 0..3 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    match low[0] <= high[0] {
        true => [low, high],
        false => [[-1.0; 3], [1.0; 3]],
    }
}

/// The mesh with at most `most` positions: the corners of triangles that lie in one cell of a grid become their mean (Rossignac and Borrel 1993),
/// in cells as small as that allows.
fn pack(triangles: &[Triangle], [low, high]: [[f32; 3]; 2], most: usize) -> PackedMesh {
    let sides = [0, 1, 2].map(|axis| high[axis] - low[axis]);
    let longest = sides
        .iter()
        .fold(f32::MIN_POSITIVE, |most, &side| most.max(side));
    let steps = sides.map(|side| 65_535.0 / side.max(f32::MIN_POSITIVE));
    // First by the steps of the 16 bits, which joins nothing but what is the same.
    let mut grid = steps;
    let mut cells = CELLS;
    loop {
        if let Some(mesh) = cluster(triangles, low, grid, steps, most) {
            return mesh;
        }
        grid = [cells / longest; 3];
        cells *= COARSER;
    }
}

/// The mesh with one position for every cell that corners lie in, `grid` of them to a unit of length; none when there are more than `most`.
fn cluster(
    triangles: &[Triangle],
    low: [f32; 3],
    grid: [f32; 3],
    steps: [f32; 3],
    most: usize,
) -> Option<PackedMesh> {
    let mut indices: HashMap<[u32; 3], u32> = HashMap::new();
    let mut sums: Vec<([f64; 3], f64)> = Vec::new();
    let mut faces = Vec::new();
    for triangle in triangles {
        let mut face = [0; 3];
        for (index, point) in face.iter_mut().zip(triangle) {
            let cell = [0, 1, 2].map(|axis| ((point[axis] - low[axis]) * grid[axis]) as u32);
            let next = indices.len() as u32;
            *index = *indices.entry(cell).or_insert(next);
            if *index == next {
                if indices.len() > most {
                    return None;
                }
                sums.push(([0.0; 3], 0.0));
            }
            let (sum, count) = &mut sums[*index as usize];
            for axis in 0..3 {
                sum[axis] += f64::from(point[axis]);
            }
            *count += 1.0;
        }
        if face[0] != face[1] && face[1] != face[2] && face[2] != face[0] {
            faces.push(face.map(|index| index as u16));
        }
    }
    let position = |(sum, count): &([f64; 3], f64)| {
        [0, 1, 2].map(|axis| {
            let mean = (sum[axis] / count) as f32;
            ((mean - low[axis]) * steps[axis]).round() as u16
        })
    };
    Some(PackedMesh {
        positions: sums.iter().map(position).collect(),
        faces,
    })
}

#[cfg(test)]
mod tests {
    use super::super::mesh_file;
    use super::*;
    use crate::render::exhibit;
    use crate::signal::shape::Mesh;

    /// A closed tetrahedron with edges along the axes.
    fn corner(side: f32) -> String {
        format!(
            "v 0 0 0\nv {side} 0 0\nv 0 {side} 0\nv 0 0 {side}\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
        )
    }

    /// How many pixels of a picture show more than the background, which is the same along a row.
    fn covered(shown: &Exhibit) -> usize {
        let png = &shown.picture.as_ref().unwrap().png;
        let picture = image::load_from_memory(png).unwrap().to_rgb8();
        let pixels = picture.enumerate_pixels();
        pixels
            .filter(|(_, y, pixel)| picture.get_pixel(0, *y) != *pixel)
            .count()
    }

    #[test]
    fn all_are_seen_by_one_camera() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, side: f32| {
            let path = folder.path().join(name);
            std::fs::write(&path, corner(side)).unwrap();
            path
        };
        let files = [write("same.obj", 1.0), write("half.obj", 0.5)];
        let original = crate::signal::load(&files[0]).unwrap();
        let shown = exhibit(Some(original.as_ref()), &files, 1 << 20).unwrap();
        assert_eq!(shown.made[0].picture, shown.original.unwrap().picture);
        // Half the size is a quarter of the area.
        let [same, half] = [0, 1].map(|index| covered(&shown.made[index]) as f64);
        assert!(
            same > 10_000.0 && (half / same - 0.25).abs() < 0.02,
            "{half} of {same}"
        );
        // Without an original the first file takes its place.
        let alone = exhibit(None, &files, 1 << 20).unwrap();
        assert_eq!(alone.made[0].picture, shown.made[0].picture);
        assert_eq!(alone.made[1].picture, shown.made[1].picture);
    }

    /// In any format a mesh of nothing is no damaged file.
    #[test]
    fn a_network_without_a_surface_is_said_to_have_none() {
        let folder = tempfile::tempdir().unwrap();
        for format in MeshFormat::ALL {
            let path = folder.path().join(format!("none.{}", format.extension()));
            let bytes = mesh_file::encode(&Mesh::default(), format).unwrap();
            std::fs::write(&path, bytes).unwrap();
            let original = folder.path().join("corner.obj");
            std::fs::write(&original, corner(1.0)).unwrap();
            let original = crate::signal::load(&original).unwrap();
            let note = format!("There is no surface in {}.", path.display());
            let shown = exhibit(Some(original.as_ref()), &[path], 1 << 20).unwrap();
            assert_eq!(shown.notes, [note]);
            assert_eq!(shown.made, [Exhibit::default()]);
        }
    }

    /// A square of n × n cells in the plane z = 1, two triangles a cell.
    fn sheet(n: usize) -> Vec<Triangle> {
        let at = |x: usize, y: usize| [x as f32 / n as f32, y as f32 / n as f32, 1.0];
        let cells = (0..n * n).map(|i| (i % n, i / n));
        cells
            .flat_map(|(x, y)| {
                let [a, b, c, d] = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
                [[a, b, c], [b, d, c]]
            })
            .collect()
    }

    #[test]
    fn common_corners_become_one_position_and_nothing_else_is_lost() {
        let triangles = sheet(10);
        let bounds = bounds(std::slice::from_ref(&triangles));
        assert_eq!(bounds, [[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]);
        let mesh = pack(&triangles, bounds, 121);
        assert_eq!((mesh.positions.len(), mesh.faces.len()), (121, 200));
        assert_eq!(mesh.positions[0], [0, 0, 0]);
        assert!(mesh.positions.contains(&[65_535, 65_535, 0]));
        for (triangle, face) in triangles.iter().zip(&mesh.faces) {
            for (point, &index) in triangle.iter().zip(face) {
                let position = mesh.positions[usize::from(index)];
                for axis in 0..2 {
                    let back = f32::from(position[axis]) / 65_535.0;
                    assert!((back - point[axis]).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn too_many_positions_become_fewer_and_keep_the_shape() {
        let triangles = sheet(400);
        let bounds = bounds(std::slice::from_ref(&triangles));
        let mesh = pack(&triangles, bounds, 2000);
        let count = mesh.positions.len();
        assert!((1000..=2000).contains(&count), "{count}");
        // The area of all faces, in units of the box, is still nearly 1: what lies beyond the means at the rim is missing.
        let area: f64 = mesh
            .faces
            .iter()
            .map(|face| {
                let [a, b, c] = face.map(|i| mesh.positions[usize::from(i)].map(f64::from));
                ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2.0
            })
            .sum();
        let share = area / 65_535.0_f64.powi(2);
        assert!((0.9..=1.0).contains(&share), "{share}");
    }
}
