//! All integration tests in one program, so that the library is linked once.

mod bench;
mod cli;
mod cli_errors;
mod cli_fit;
mod cli_places;
mod compare;
mod devices;
mod fkan;
mod footprint;
mod formulas;
mod grids;
mod hash_grid;
mod holdout;
mod initial_values;
mod layers;
mod metrics;
mod models;
mod numbers;
mod optimizers;
mod picture_files;
mod program;
mod shapes;
mod signals;
mod sounds;
mod tangents;
mod training;
