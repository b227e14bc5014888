//! Tiny files, written here.

use super::super::tests::cube;
use super::super::topology::Topology;
use super::*;

fn mesh(format: Format, bytes: &[u8]) -> Mesh {
    match format.read(bytes, &mut Vec::new()) {
        Ok(Content::Mesh(mesh)) => mesh,
        other => panic!("{other:?}"),
    }
}

fn fault(format: Format, bytes: &[u8]) -> String {
    match format.read(bytes, &mut Vec::new()) {
        Err(Fault::Damaged(text)) => text,
        Err(Fault::Truncated) => "truncated".into(),
        Err(Fault::Nothing) => "nothing".into(),
        Ok(content) => panic!("{content:?}"),
    }
}

/// The cube of side 1 in several formats, and the same one read back: closed, and of volume 1.
fn is_the_cube(mesh: &Mesh) {
    let topology = Topology::new(&mesh.faces);
    assert!(topology.watertight() && topology.oriented(), "{topology:?}");
    assert_eq!((mesh.vertices.len(), mesh.faces.len()), (8, 12));
    assert!((mesh.signed_volume() - 1.0).abs() < 1e-12);
}

const QUADS: [[u32; 4]; 6] = [
    [0, 2, 3, 1],
    [4, 5, 7, 6],
    [0, 1, 5, 4],
    [2, 6, 7, 3],
    [0, 4, 6, 2],
    [1, 3, 7, 5],
];

fn obj() -> String {
    let mut text = String::from("# a cube\no cube\nvt 0 0\nvn 0 0 1\n");
    for [x, y, z] in cube().vertices {
        text += &format!("v {x} {y} {z} 0.5 0.5 0.5\n");
    }
    for (i, quad) in QUADS.iter().enumerate() {
        let words: Vec<String> = match i {
            0 => quad.iter().map(|v| format!("{}/1/1", v + 1)).collect(),
            1 => quad.iter().map(|v| format!("{}//1", v + 1)).collect(),
            2 => quad
                .iter()
                .map(|&v| format!("{}", i64::from(v) - 8))
                .collect(),
            _ => quad.iter().map(|v| (v + 1).to_string()).collect(),
        };
        text += &match i {
            3 => format!(
                "f {} {} \\\n{} {}\r\n",
                words[0], words[1], words[2], words[3]
            ),
            _ => format!("f {}\n", words.join(" ")),
        };
    }
    text
}

#[test]
fn obj_is_read() {
    is_the_cube(&mesh(Format::Obj, obj().as_bytes()));
}

#[test]
fn off_is_read_with_and_without_a_line_behind_its_keyword() {
    for head in ["OFF\n8 6 12\n", "OFF 8 6 12\n", "COFF # coloured\n8 6 0\n"] {
        let mut text = String::from(head);
        for [x, y, z] in cube().vertices {
            text += &format!("{x} {y} {z} 255 0 0\n");
        }
        for [a, b, c, d] in QUADS {
            text += &format!("4 {a} {b} {c} {d} 0 0 255\n");
        }
        assert_eq!(Format::of(text.as_bytes(), "txt"), Some(Format::Off));
        is_the_cube(&mesh(Format::Off, text.as_bytes()));
    }
}

fn binary_stl() -> Vec<u8> {
    let cube = cube();
    let mut bytes = b"solid but binary".to_vec();
    bytes.resize(80, 0);
    bytes.extend(12_u32.to_le_bytes());
    for face in &cube.faces {
        bytes.extend([0; 12]);
        for vertex in face.map(|v| cube.vertices[v as usize]) {
            bytes.extend(vertex.iter().flat_map(|x| x.to_le_bytes()));
        }
        bytes.extend([0; 2]);
    }
    bytes
}

#[test]
fn stl_is_read_and_its_corners_are_merged() {
    is_the_cube(&mesh(Format::Stl, &binary_stl()));
    let cube = cube();
    let mut text = String::from("solid cube\n");
    for face in &cube.faces {
        text += " facet normal 0 0 0\n  outer loop\n";
        for [x, y, z] in face.map(|v| cube.vertices[v as usize]) {
            text += &format!("   vertex {x:e} {y} {z}\n");
        }
        text += "  endloop\n endfacet\n";
    }
    assert_eq!(fault(Format::Stl, text.as_bytes()), "truncated");
    text += "endsolid cube\n";
    is_the_cube(&mesh(Format::Stl, text.as_bytes()));
    is_the_cube(&mesh(Format::Stl, text.to_uppercase().as_bytes()));
    assert_eq!(Format::of(text.as_bytes(), "obj"), Some(Format::Stl));
    assert!(fault(Format::Stl, obj().as_bytes()).contains("does not begin with solid"));
}

/// A PLY file of the cube in one of the three encodings.
fn ply(encoding: &str) -> Vec<u8> {
    let mut bytes = format!(
        "ply\nformat {encoding} 1.0\ncomment a cube\nelement vertex 8\nproperty double x\nproperty float y\nproperty float z\n\
         property uchar red\nelement face 6\nproperty list uchar int vertex_indices\nproperty short patch\nelement edge 1\n\
         property int a\nend_header\n"
    )
    .into_bytes();
    let mut push = |text: String, little: &[u8]| match encoding {
        "ascii" => bytes.extend(text.into_bytes()),
        "binary_little_endian" => bytes.extend(little),
        _ => bytes.extend(little.iter().rev()),
    };
    for [x, y, z] in cube().vertices {
        push(format!("{x} "), &f64::from(x).to_le_bytes());
        push(format!("{y} "), &y.to_le_bytes());
        push(format!("{z} "), &z.to_le_bytes());
        push("7\n".into(), &[7]);
    }
    for quad in QUADS {
        push("4 ".into(), &[4]);
        for v in quad {
            push(format!("{v} "), &(v as i32).to_le_bytes());
        }
        push("-1\n".into(), &(-1_i16).to_le_bytes());
    }
    push("0\n".into(), &0_i32.to_le_bytes());
    bytes
}

#[test]
fn ply_is_read_in_every_encoding() {
    for encoding in ["ascii", "binary_little_endian", "binary_big_endian"] {
        let bytes = ply(encoding);
        is_the_cube(&mesh(Format::Ply, &bytes));
        let cut = &bytes[..bytes.len() - 28];
        let text = fault(Format::Ply, cut);
        assert!(
            text == "truncated" || encoding == "ascii",
            "{encoding}: {text}"
        );
    }
}

#[test]
fn points_get_normals_of_length_one() {
    let text = "0 0 0  0 0 2\n1,0,0,0,3,4\n# a remark\n2 0 0 0 0 0\n";
    let mut warnings = Vec::new();
    let content = Format::Xyz.read(text.as_bytes(), &mut warnings);
    let expected = Points {
        positions: vec![[0.0; 3], [1.0, 0.0, 0.0]],
        normals: vec![[0.0, 0.0, 1.0], [0.0, 0.6, 0.8]],
    };
    assert_eq!(content, Ok(Content::Points(expected.clone())));
    assert_eq!(warnings.len(), 1);

    let text = "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\nproperty float nx\n\
                property float ny\nproperty float nz\nend_header\n0 0 0 0 0 2\n1 0 0 0 3 4\n";
    let content = Format::Ply.read(text.as_bytes(), &mut Vec::new());
    assert_eq!(content, Ok(Content::Points(expected)));
}

/// A GLB file with one triangle list, in a node that scales by 2, in a node that shifts by (1, 2, 3).
fn glb(indices_type: u32) -> Vec<u8> {
    let cube = cube();
    let mut data: Vec<u8> = Vec::new();
    for vertex in &cube.vertices {
        data.extend(vertex.iter().flat_map(|x| x.to_le_bytes()));
    }
    for index in cube.faces.iter().flatten() {
        let bytes = index.to_le_bytes();
        data.extend(&bytes[..[1, 0, 2, 0, 4][(indices_type - 5121) as usize]]);
    }
    let json = format!(
        r#"{{"asset":{{"version":"2.0"}},"scene":0,"scenes":[{{"nodes":[0]}}],"nodes":[{{"children":[1],"translation":[1,2,3]}},
        {{"mesh":0,"matrix":[2,0,0,0,0,2,0,0,0,0,-2,0,0,0,0,1]}}],
        "meshes":[{{"primitives":[{{"attributes":{{"POSITION":0}},"indices":1}}]}}],"buffers":[{{"byteLength":{0}}}],
        "bufferViews":[{{"buffer":0,"byteLength":96}},{{"buffer":0,"byteOffset":96,"byteLength":{1}}}],
        "accessors":[{{"bufferView":0,"componentType":5126,"count":8,"type":"VEC3"}},
        {{"bufferView":1,"componentType":{indices_type},"count":36,"type":"SCALAR"}}]}}"#,
        data.len(),
        data.len() - 96
    );
    let mut bytes = b"glTF".to_vec();
    let words = [2, (28 + json.len() + data.len()) as u32, json.len() as u32];
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(b"JSON");
    bytes.extend(json.as_bytes());
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(b"BIN\0");
    bytes.extend(&data);
    bytes
}

#[test]
fn glb_is_read_and_placed() {
    for indices_type in [5121, 5123, 5125] {
        let bytes = glb(indices_type);
        let mesh = mesh(Format::Glb, &bytes);
        // A cube of side 2 about (1, 2, 3); the mirror image still looks outwards.
        assert_eq!(mesh.bounds(), [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]);
        assert!((mesh.signed_volume() - 8.0).abs() < 1e-9);
        assert_eq!(fault(Format::Glb, &bytes[..bytes.len() - 1]), "truncated");
        // Without a scene the nodes that are nobody's children are drawn.
        let without = replaced(&bytes, b"\"scenes\"", b"\"scenez\"");
        assert_eq!(self::mesh(Format::Glb, &without), mesh);
        let looped = replaced(&bytes, b"\"children\":[1]", b"\"children\":[0]");
        assert!(fault(Format::Glb, &looped).contains("node 0 stands in two places"));
    }
}

/// `bytes` with the one place that reads `from` changed to `to`, of the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let place = bytes.windows(from.len()).position(|window| window == from);
    let place = place.unwrap();
    [&bytes[..place], to, &bytes[place + from.len()..]].concat()
}

/// A NumPy file of version 1.
fn npy(kind: &str, shape: &str, fortran: bool, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn grids_of_distances_have_slope_one_whatever_their_unit() {
    // The plane x = 0.5 cells right of the middle of 4 x 3 x 2 cells, in units of 7 a cell.
    let values = (0..24).map(|i| (i / 6) as f32 * 7.0 - 14.0);
    let data: Vec<u8> = values.flat_map(|v| v.to_le_bytes()).collect();
    let Ok(Content::Grid(grid)) =
        Format::Npy.read(&npy("<f4", "4, 3, 2", false, &data), &mut Vec::new())
    else {
        panic!()
    };
    assert_eq!(grid.half(), [2.0, 1.5, 1.0]);
    for x in [-1.5_f64, -0.25, 0.5, 1.4] {
        // What is left of the plane ends at the border: two cells from the middle along x, and one along z.
        let expected = (x - 0.5).max((x.abs() - 2.0).max(0.4 - 1.0));
        assert!((grid.distance([x, 0.3, -0.4]) - expected).abs() < 1e-6);
    }
    // Beyond the border the way to it is added, where that is more than the way out of the box.
    for (place, expected) in [
        ([2.5, 0.0, 0.0], 2.0),
        ([-2.5, 0.0, 0.0], 0.5),
        ([-5.0, 5.5, 0.0], 5.0),
    ] {
        assert!((grid.distance(place) - expected).abs() < 1e-6);
    }
}

#[test]
fn grids_of_occupancies_become_distances() {
    // One of 5 x 5 x 5 cells is full: the distance of the others is that of centres, less half a cell.
    let full = |place: [usize; 3]| place == [1, 2, 3];
    let place = |i: usize| [i / 25, i / 5 % 5, i % 5];
    let data: Vec<u8> = (0..125).map(|i| u8::from(full(place(i)))).collect();
    let swapped: Vec<u8> = (0..125)
        .map(|i| {
            let [a, b, c] = place(i);
            u8::from(full([c, b, a]))
        })
        .collect();
    for bytes in [
        npy("|b1", "5, 5, 5", false, &data),
        npy("|u1", "5, 5, 5", true, &swapped),
    ] {
        let Ok(Content::Grid(grid)) = Format::Npy.read(&bytes, &mut Vec::new()) else {
            panic!()
        };
        for i in 0..125 {
            let cell = place(i);
            let squared: usize = cell
                .iter()
                .zip([1, 2, 3])
                .map(|(a, b)| a.abs_diff(b).pow(2))
                .sum();
            let expected = match squared {
                0 => -0.5,
                _ => (squared as f64).sqrt() - 0.5,
            };
            let found = grid.distance(cell.map(|i| i as f64 - 2.0));
            assert!((found - expected).abs() < 1e-6, "{cell:?}: {found}");
        }
    }
}

#[test]
fn polygons_with_inward_corners_keep_their_area() {
    // An arrow head of area 1/2, and a star-like L.
    let text = "v 0 0 0\nv 1 1 0\nv 2 0 0\nv 1 2 0\nf 1 2 3 4\n";
    let mesh = mesh(Format::Obj, text.as_bytes());
    let area: f64 = (0..mesh.faces.len()).map(|face| mesh.area(face)).sum();
    assert_eq!((mesh.faces.len(), area), (2, 1.0));
    let up = |face: usize| {
        let [a, b, c] = mesh.corners(face);
        super::super::vector::cross(
            super::super::vector::sub(b, a),
            super::super::vector::sub(c, a),
        )[2]
    };
    assert!(up(0) > 0.0 && up(1) > 0.0);
}

#[test]
fn faults_say_where_they_are() {
    let cases: [(Format, &[u8], &str); 17] = [
        (Format::Obj, b"v 0 0 0\nv 1 0 0\n", "it has 2 vertices and no faces"),
        (Format::Obj, b"", "no line of it begins with v"),
        (Format::Obj, b"v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "vertex 0"),
        (Format::Obj, b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "line 4: a face names vertex 9"),
        (Format::Obj, b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 0\n", "line 4: a face names vertex 0"),
        (Format::Obj, b"v 0 0 0\nf 1 -7 1\n", "line 2: a face names vertex -7"),
        (Format::Obj, b"v 0 zero 0\n", "line 1: a coordinate is \"zero\""),
        (Format::Obj, b"v 0 0 0\nf 1 1\n", "line 2: a face has 2 vertices"),
        (Format::Obj, b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "none of its faces has an area"),
        (Format::Off, b"OFF\n3 1 0\n0 0 0\n1 0 0\n", "truncated"),
        (Format::Off, b"OFF\n1 1 0\n0 0 0\n3 0 1 2\n", "line 4: a face names vertex 1"),
        (Format::Ply, b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n1 2 3\n", "neither faces nor normals"),
        (Format::Ply, b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n1 2 3\n3 0 0 -1\n", "face 0 names vertex -1"),
        (Format::Ply, b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nelement face 1\nproperty list uchar float vertex_indices\nend_header\n1 2 3\n3 0 0 0.5\n", "face 0 names vertex 0.5"),
        (Format::Ply, b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nelement face 1\nproperty list char int vertex_indices\nend_header\n1 2 3\n-1\n", "a list has -1 values"),
        (Format::Xyz, b"1 2 3\n", "line 1: a component of the normal is missing"),
        (Format::Stl, &[7; 100], "truncated"),
    ];
    for (format, bytes, expected) in cases {
        let text = fault(format, bytes);
        assert!(text.contains(expected), "{text:?} for {expected:?}");
    }
    let mut bytes = binary_stl();
    bytes.truncate(bytes.len() - 1);
    assert_eq!(fault(Format::Stl, &bytes), "truncated");
    assert!(fault(Format::Npy, &npy("<f4", "2, 2", false, &[0; 16])).contains("three axes"));
    assert!(fault(Format::Npy, &npy("<c8", "2, 2, 2", false, &[0; 64])).contains("<c8"));
    assert_eq!(
        fault(Format::Npy, &npy("<f4", "2, 2, 2", false, &[0; 31])),
        "truncated"
    );
    assert!(fault(Format::Npy, &npy("|b1", "2, 2, 2", false, &[0; 8])).contains("no surface"));
}

/// Any cut and any changed byte gives a result or a sentence, never a panic or an endless wait.
#[test]
fn damaged_bytes_never_panic() {
    let files = [
        (Format::Obj, obj().into_bytes()),
        (Format::Ply, ply("ascii")),
        (Format::Ply, ply("binary_big_endian")),
        (Format::Stl, binary_stl()),
        (Format::Glb, glb(5123)),
        (
            Format::Npy,
            npy("|b1", "2, 2, 2", false, &[0, 1, 0, 0, 1, 0, 0, 0]),
        ),
    ];
    for (format, bytes) in files {
        for i in 0..bytes.len() {
            let _ = format.read(&bytes[..i], &mut Vec::new());
            for value in [0, b'9', 0xff] {
                let mut changed = bytes.clone();
                changed[i] = value;
                let _ = format.read(&changed, &mut Vec::new());
            }
        }
    }
}

#[test]
fn faces_without_area_are_left_out_with_a_word() {
    let text = obj() + "f 1 1 2\n";
    let mut warnings = Vec::new();
    let content = Format::Obj.read(text.as_bytes(), &mut warnings);
    assert!(matches!(content, Ok(Content::Mesh(mesh)) if mesh.faces.len() == 12));
    assert_eq!(warnings, ["1 of 13 faces have no area and are left out"]);
}
